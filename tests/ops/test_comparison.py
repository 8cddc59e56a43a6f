from __future__ import annotations

import pytest

import fastgrad as tf


def test_equality_takes_everything_order_only_real_numbers():
    assert tf.equal("a", "a").numpy()
    assert tf.not_equal(tf.constant([1j]), tf.constant([1j])).numpy().tolist() == [False]
    assert tf.equal([True], [True]).numpy().tolist() == [True]
    for wrong in (tf.constant([1j]), tf.constant([True]), tf.constant(["a"])):
        with pytest.raises(tf.errors.InvalidArgumentError, match="less: got dtype"):
            tf.less(wrong, wrong)
