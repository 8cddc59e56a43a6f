"""Kernels of images give what the operations of their references give, also at borders and for NaN."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.operation import TABLE
from fastgrad._src.image.projection import projective_transform

rng = np.random.default_rng(5)
ROTATION = [[0.8, -0.6, 3.0, 0.6, 0.8, -2.0, 0.0, 0.0], [1.1, 0.2, -1.0, 0.0, 0.9, 0.5, 0.01, -0.02]]


def by_reference(name, *arrays, **attributes):
    return TABLE[name].lowering.reference(*[tf.constant(x) for x in arrays], **attributes).numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["nearest", "bilinear", "clamped_bilinear"])
def test_pixels_between_pixels(method, dtype):
    x = rng.normal(size=(2, 5, 6, 3)).astype(dtype)
    rows, columns = (rng.uniform(0, size - 1, (3, 40)).astype(np.float32) for size in (5, 6))
    if method != "clamped_bilinear":
        rows, columns = rows * 1.5 - 2, columns * 1.5 - 2
    rows[0, :4], columns[1, :4] = [-2, -7, np.inf, np.nan], [1e30, -1e30, np.nan, -2]
    arrays = x, np.array([1, 0, 1], np.int32), rows, columns
    y = TABLE["interpolate_pixels"](*map(tf.constant, arrays), method=method, fill=0.5).numpy()
    expected = by_reference("interpolate_pixels", *arrays, method=method, fill=0.5)
    if method == "clamped_bilinear":
        expected[~np.isfinite(expected)] = 0.5
    np.testing.assert_allclose(y, expected, 1e-5, 1e-5)


def test_a_crop_does_not_read_pixels_of_weight_zero():
    x = np.ones((1, 4, 4, 1), np.float32)
    x[0, 2:] = np.nan
    crop = tf.image.crop_and_resize(x, [[0.0, 0.0, 1 / 3, 1.0]], [0], [2, 4])
    assert (crop.numpy() == 1).all()


@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "wrap", "reflect"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_compiled_transforms_are_eager_ones(interpolation, fill_mode):
    x, matrices = tf.constant(rng.normal(size=(2, 6, 7, 3)).astype(np.float32)), tf.constant(ROTATION)

    def transform(x):
        return projective_transform(x, matrices, interpolation, fill_mode, 0.25)

    np.testing.assert_array_equal(tf.function(transform)(x), transform(x))


def test_pixels_without_a_source_are_filled():
    x = tf.ones((1, 1, 4, 1))
    matrix = tf.constant([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, -0.5, 0.0]])  # k is 0 in column 2
    assert projective_transform(x, matrix, "bilinear", "nearest", 9.0).numpy()[0, 0, 2, 0] == 9


def test_crops_in_a_vectorized_map_are_those_of_a_loop():
    x = tf.constant(rng.normal(size=(3, 2, 5, 5, 2)).astype(np.float32))
    boxes = tf.constant(rng.uniform(-0.2, 1.2, (3, 4, 4)).astype(np.float32))

    def crop(pair):
        return tf.image.crop_and_resize(pair[0], pair[1], [0, 1, 1, 0], [3, 4])

    expected = tf.stack([crop((x[i], boxes[i])) for i in range(3)])
    np.testing.assert_allclose(tf.vectorized_map(crop, (x, boxes)), expected, 1e-5, 1e-6)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("rgb_to_hsv", ()), ("hsv_to_rgb", ()), ("adjust_hue", (-0.6,)), ("adjust_saturation", (1.7,))],
)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_colours(name, numbers, dtype):
    x = rng.uniform(-0.2, 1.2, (50, 3)).astype(dtype)
    x[:4] = [[0.5, 0.5, 0.5], [0.7, 0.7, 0.1], [0, 0, 0], [0.25, 0.75, 0.75]]
    arrays = x, *[np.asarray(number, dtype) for number in numbers]
    tolerance = 4 * np.finfo(dtype).eps
    y = TABLE[name](*map(tf.constant, arrays)).numpy()
    np.testing.assert_allclose(y, by_reference(name, *arrays), tolerance, tolerance)


def test_contrast_of_any_number_of_channels():
    for channels in (1, 2, 3, 5):
        x = rng.normal(size=(2, 4, 5, channels)).astype(np.float32)
        means = x.mean((1, 2), keepdims=True)
        np.testing.assert_allclose(tf.image.adjust_contrast(x, 0.5), (x - means) / 2 + means, 1e-5, 1e-6)


@pytest.mark.parametrize("taps", [1, 2, 3, 8, 11])
@pytest.mark.parametrize("axis", [1, 2])
def test_window_sums_are_convolutions(axis, taps):
    x, weights = rng.normal(size=(2, 12, 13, 3)), rng.normal(size=taps)
    y = TABLE["window_sums"](tf.constant(x), axis=axis, weights=tuple(weights.tolist())).numpy()
    np.testing.assert_allclose(y, np.apply_along_axis(np.correlate, axis, x, weights, "valid"), 1e-12, 1e-12)
