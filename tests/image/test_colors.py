"""Colours: beside colorsys, compiled, twice differentiated."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import image
from tests.gradients import check_gradient

PIXELS = np.random.default_rng(5).random((6, 7, 3))
COLORS = {
    "rgb_to_hsv": image.rgb_to_hsv,
    "hsv_to_rgb": image.hsv_to_rgb,
    "rgb_to_yuv": image.rgb_to_yuv,
    "rgb_to_grayscale": image.rgb_to_grayscale,
    "adjust_hue": lambda x: image.adjust_hue(x, 0.3),
    "adjust_saturation": lambda x: image.adjust_saturation(x, 0.7),
    "adjust_contrast": lambda x: image.adjust_contrast(x, 1.5),
    "per_image_standardization": image.per_image_standardization,
}


def test_hue_saturation_and_value_are_colorsys() -> None:
    expected = [[colorsys.rgb_to_hsv(*pixel) for pixel in row] for row in PIXELS]
    np.testing.assert_allclose(image.rgb_to_hsv(PIXELS), expected, rtol=1e-12, atol=1e-14)
    expected = [[colorsys.hsv_to_rgb(*pixel) for pixel in row] for row in PIXELS]
    np.testing.assert_allclose(image.hsv_to_rgb(PIXELS), expected, rtol=1e-12, atol=1e-14)


def test_hue_saturation_and_value_have_an_inverse() -> None:
    np.testing.assert_allclose(image.hsv_to_rgb(image.rgb_to_hsv(PIXELS)), PIXELS, atol=2e-4)


def test_hue_is_cyclic() -> None:
    np.testing.assert_allclose(image.adjust_hue(PIXELS, 1.0), PIXELS, atol=1e-6)
    np.testing.assert_allclose(image.adjust_hue(image.adjust_hue(PIXELS, 0.4), -0.4), PIXELS, atol=1e-6)


@pytest.mark.parametrize("name", COLORS)
def test_compiled_colours_are_eager_ones(name: str) -> None:
    x = tf.constant(PIXELS, tf.float32)
    np.testing.assert_allclose(tf.function(COLORS[name])(x), COLORS[name](x), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", COLORS)
def test_gradients_are_differences(name: str) -> None:
    # float32 inside, but for the colour spaces
    check_gradient(lambda x: tf.cast(COLORS[name](x) ** 2, tf.float64), PIXELS[:2, :3], step=2e-3, rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize("name", ["rgb_to_hsv", "hsv_to_rgb", "rgb_to_yuv"])
def test_second_gradients_are_differences(name: str) -> None:
    check_gradient(lambda x: COLORS[name](x) ** 3, PIXELS[:1, :3], order=2)


def test_grays_have_gradients_without_nan() -> None:
    grays = tf.constant([[[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]])
    with tf.GradientTape() as tape:
        tape.watch(grays)
        loss = tf.reduce_sum(image.adjust_saturation(image.adjust_hue(grays, 0.2), 1.5) ** 2)
    assert np.isfinite(tape.gradient(loss, grays)).all()


def test_bytes_become_floats_and_bytes_again() -> None:
    numbers = tf.range(256, dtype=tf.int32)
    as_bytes = tf.cast(numbers, tf.uint8)
    floats = image.convert_image_dtype(as_bytes, tf.float32)
    np.testing.assert_array_equal(image.convert_image_dtype(floats, tf.uint8), as_bytes)


def test_errors_name_the_arguments() -> None:
    with pytest.raises(ValueError, match=r"adjust_hue: delta must be in the interval \[-1, 1\], got 1.5"):
        image.adjust_hue(PIXELS, 1.5)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"rgb_to_yuv: the last dimension must be 3, .* got shape \(2, 4\)"
    ):
        image.rgb_to_yuv(np.ones((2, 4)))
    with pytest.raises(AttributeError, match="must be either floating point or integer, got string"):
        image.convert_image_dtype("a", tf.float32)
