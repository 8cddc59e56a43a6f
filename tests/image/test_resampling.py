"""One axis of an image resized by a kernel, beside the product with the matrix of weights."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.image.resampling import INTERPOLATION_METHODS, resampling_weights, resized_axis

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("method", INTERPOLATION_METHODS)
@pytest.mark.parametrize(("size", "new_size"), [(7, 16), (16, 7), (9, 9), (1, 5), (5, 1), (30, 3), (64, 65)])
def test_results_and_gradients_are_products_with_the_matrix(size, new_size, method, antialias):
    matrix = resampling_weights(size, new_size, method, antialias).astype(np.float64)
    for shape, axis in (((2, size, 3), 1), ((size, 41), 0), ((3, 2, size), 2), ((0, size, 2), 1)):
        x = RNG.normal(size=shape)
        g = RNG.normal(size=(*shape[:axis], new_size, *shape[axis + 1 :]))
        tensor = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            y = resized_axis(tensor, new_size, axis, method, antialias)
        np.testing.assert_allclose(y, np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis), rtol=1e-6, atol=1e-12)
        wanted = np.moveaxis(np.tensordot(matrix, g, (0, axis)), 0, axis)
        np.testing.assert_allclose(tape.gradient(y, tensor, g), wanted, rtol=1e-6, atol=1e-12)


def test_a_pixel_that_is_not_a_number_stays_where_it_is():
    x = np.ones((20, 3), np.float32)
    x[10] = np.nan
    y = resized_axis(tf.constant(x), 40, 0, "bilinear").numpy()
    assert np.isnan(y[19:23]).all()
    assert not np.isnan(y[:18]).any()
    assert not np.isnan(y[24:]).any()


def test_images_of_half_width_are_resized_in_float32():
    x = RNG.normal(size=(9, 9, 3)).astype(np.float16)
    found = resized_axis(tf.constant(x), 20, 0, "bicubic")
    assert found.dtype is tf.float16
    wanted = resized_axis(tf.constant(x.astype(np.float32)), 20, 0, "bicubic").numpy()
    np.testing.assert_array_equal(found, wanted.astype(np.float16))


def test_a_jacobian_of_resizing():
    x = tf.constant(RNG.normal(size=(1, 4, 3, 1)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.squeeze(resized_axis(x, 6, 1, "bilinear"), -1)
    jacobian = tape.jacobian(y, x).numpy().reshape(6, 3, 4, 3)
    matrix = resampling_weights(4, 6, "bilinear")
    np.testing.assert_allclose(jacobian, np.einsum("ij,kl->ikjl", matrix, np.eye(3)), rtol=1e-6)


def test_compiled_and_eager_results_are_equal():
    x = tf.constant(RNG.normal(size=(2, 30, 20, 3)).astype(np.float32))
    for size in ((50, 50), (10, 50), (15, 7)):
        for method in ("bilinear", "bicubic"):
            resize = tf.function(lambda x, size=size, method=method: tf.image.resize(x, size, method))
            for _ in range(3):
                np.testing.assert_array_equal(resize(x), tf.image.resize(x, size, method))
