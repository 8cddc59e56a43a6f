from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf


def test_equality_takes_everything_order_only_real_numbers():
    assert tf.equal("a", "a").numpy()
    assert tf.not_equal(tf.constant([1j]), tf.constant([1j])).numpy().tolist() == [False]
    assert tf.equal([True], [True]).numpy().tolist() == [True]
    for wrong in (tf.constant([1j]), tf.constant([True]), tf.constant(["a"])):
        with pytest.raises(tf.errors.InvalidArgumentError, match="less: got dtype"):
            tf.less(wrong, wrong)


@pytest.mark.parametrize("shape", [(0,), (7,), (5, 9), (3, 4, 5), (2, 0, 3), (4, 1, 3, 2)])
def test_positions_of_true_elements_are_numpys(shape):
    condition = np.random.default_rng(0).random(shape) > 0.5
    got = tf.where(condition)
    assert got.dtype == tf.int64
    np.testing.assert_array_equal(got, np.argwhere(condition))
