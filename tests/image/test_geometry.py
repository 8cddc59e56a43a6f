"""Resized, cropped and turned images: beside Pillow, compiled, batched, twice differentiated."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import image
from tests.gradients import check_gradient

RANDOM = np.random.default_rng(3)
PICTURE = RANDOM.random((11, 14, 2)).astype(np.float32)
METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


@pytest.mark.parametrize("size", [(5, 6), (3, 30), (22, 7)])
@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos3"])
def test_antialiased_images_are_pillows(method: str, size: tuple[int, int]) -> None:
    pillow = pytest.importorskip("PIL.Image")
    filters = {"bilinear": "BILINEAR", "bicubic": "BICUBIC", "lanczos3": "LANCZOS"}
    expected = pillow.fromarray(PICTURE[:, :, 0]).resize(size[::-1], pillow.Resampling[filters[method]])
    resized = image.resize(PICTURE[:, :, :1], size, method, antialias=True)
    np.testing.assert_allclose(resized[:, :, 0], np.asarray(expected), atol=2e-6)


@pytest.mark.parametrize("method", METHODS)
def test_compiled_and_mapped_images_are_eager_ones(method: str) -> None:
    batch = tf.constant(np.stack([PICTURE, PICTURE[::-1]]))

    def resize(x: tf.Tensor) -> tf.Tensor:
        return image.resize(x, (7, 20), method, antialias=True)

    expected = resize(batch)
    np.testing.assert_allclose(tf.function(resize)(batch), expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(tf.vectorized_map(resize, batch), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_a_pixel_of_nan_reaches_only_the_pixels_that_it_makes(method: str) -> None:
    picture = np.ones((40, 1, 1), np.float32)
    picture[0] = np.nan
    resized = image.resize(picture, (80, 1), method).numpy().ravel()
    assert np.isnan(resized[0])
    np.testing.assert_allclose(resized[20:], 1.0, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_gradients_of_resizing_are_differences(method: str) -> None:
    def resize(x: tf.Tensor) -> tf.Tensor:
        return tf.cast(image.resize(x, (2, 5), method, antialias=True) ** 2, tf.float64)

    # All but the nearest pixel is computed in float32.
    check_gradient(resize, PICTURE[:3, :4], step=1e-2, rtol=1e-3, atol=1e-3)


def test_patches_have_gradients() -> None:
    def patches(x: tf.Tensor) -> tf.Tensor:
        return image.extract_patches(x, [1, 2, 3, 1], [1, 2, 1, 1], [1, 1, 2, 1], "SAME") ** 2

    check_gradient(patches, PICTURE[None, :4, :4], order=2)


def test_patches_larger_than_the_image_are_none() -> None:
    images = tf.Variable(tf.ones([1, 4, 4, 2]))
    with tf.GradientTape() as tape:
        patches = image.extract_patches(images, [1, 5, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1], "VALID")
    assert patches.shape == (1, 0, 3, 20)
    np.testing.assert_array_equal(tape.gradient(patches, images), np.zeros([1, 4, 4, 2]))


@pytest.mark.parametrize(("patch", "stride", "count"), [(5, 1, 0), (6, 1, None), (7, 3, 0), (9, 3, 0), (10, 3, None)])
def test_patches_are_refused_where_tensorflow_refuses_them(patch: int, stride: int, count: int | None) -> None:
    def rows() -> int:
        images = tf.ones([1, 4, 4, 1])
        return int(image.extract_patches(images, [1, patch, 1, 1], [1, stride, 1, 1], [1, 1, 1, 1], "VALID").shape[1])

    if count is None:
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"a patch of {patch} rows"):
            rows()
    else:
        assert rows() == count


def test_errors_name_the_arguments() -> None:
    with pytest.raises(
        ValueError, match=r"flip_left_right: `image` must have a rank in \(3, 4\): .* Received: shape=\(3, 4\)"
    ):
        image.flip_left_right(np.ones((3, 4)))
    with pytest.raises(ValueError, match="resize: `method` must be one of .*sinc"):
        image.resize(PICTURE, (2, 2), "sinc")
    with pytest.raises(ValueError, match="width must be >= target . offset; got width 14, target 9, offset 6"):
        image.crop_to_bounding_box(PICTURE, 0, 6, 4, 9)
    with pytest.raises(ValueError, match="height must be <= target - offset; got height 11, target 12, offset 3"):
        image.pad_to_bounding_box(PICTURE, 3, 0, 12, 14)
