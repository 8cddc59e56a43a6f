"""``Embedding``."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

Embedding = keras.layers.Embedding


def table(dtype="float32"):
    layer = Embedding(5, 3, dtype=dtype)
    layer.build()
    return layer


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0, 2)])
def test_rows_by_number(dtype, shape):
    layer = table()
    numbers = np.random.default_rng(0).integers(0, 5, shape).astype(dtype)
    out = layer(numbers)
    assert out.shape == (*shape, 3)
    np.testing.assert_array_equal(out, layer.embeddings.numpy()[numbers.astype(int)])


@pytest.mark.parametrize("number", [5, -1, 2**31 - 1])
def test_numbers_outside_the_table(number):
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"indices\[1\] = {number} is not in \[0, "):
        table()(np.array([0, number]))


def test_first_values():
    values = Embedding(100, 50)
    values.build()
    assert np.abs(values.embeddings).max() <= 0.05
    given = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(Embedding(2, 3, weights=[given]).embeddings, given)
    np.testing.assert_array_equal(Embedding(2, 3, weights=given).embeddings, given)


@pytest.mark.parametrize("size", [0, -1, 2.0, True])
def test_sizes_are_positive_integers(size):
    with pytest.raises(ValueError, match="input_dim"):
        Embedding(size, 2)
    with pytest.raises(ValueError, match="output_dim"):
        Embedding(2, size)


def test_mask():
    assert Embedding(2, 2).compute_mask(tf.constant([0, 1])) is None
    np.testing.assert_array_equal(Embedding(2, 2, mask_zero=True).compute_mask(tf.constant([0, 1])), [False, True])


def test_before_build():
    with pytest.raises(AttributeError, match="build the layer"):
        _ = Embedding(2, 2).embeddings
