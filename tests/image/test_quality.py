"""Measures of images: beside NumPy and SciPy, compiled, differentiated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import fastgrad as tf
from fastgrad import image
from tests.gradients import check_gradient

RANDOM = np.random.default_rng(13)
FIRST = RANDOM.random((2, 24, 26, 3)).astype(np.float32)
SECOND = np.clip(FIRST + RANDOM.normal(0, 0.1, FIRST.shape), 0, 1).astype(np.float32)


def _ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Number 13 of Wang and others (2004) with SciPy's filter, for one channel."""

    def mean(values: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(values.astype(float), 1.5, radius=5)[5:-5, 5:-5]

    mx, my = mean(x), mean(y)
    vx, vy, covariance = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return float(np.mean((2 * mx * my + c1) * (2 * covariance + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))))


def test_structural_similarity_is_its_formula() -> None:
    expected = [np.mean([_ssim(x[..., c], y[..., c]) for c in range(3)]) for x, y in zip(FIRST, SECOND, strict=True)]
    np.testing.assert_allclose(image.ssim(FIRST, SECOND, 1.0), expected, rtol=1e-4)
    np.testing.assert_allclose(tf.function(image.ssim)(FIRST, SECOND, 1.0), image.ssim(FIRST, SECOND, 1.0), rtol=1e-5)


def test_signal_to_noise_is_its_formula() -> None:
    errors = np.mean((FIRST.astype(float) - SECOND) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(image.psnr(FIRST, SECOND, 1.0), -10 * np.log10(errors), rtol=1e-5)


def test_sobel_edges_are_scipys() -> None:
    edges = image.sobel_edges(FIRST[:1]).numpy()
    for channel in range(3):
        for axis in range(2):
            expected = ndimage.sobel(FIRST[0, :, :, channel], axis, mode="mirror")
            np.testing.assert_allclose(edges[0, :, :, channel, axis], expected, atol=1e-5)


def test_gradients_are_differences() -> None:
    x, y = FIRST[0, :7, :7], SECOND[0, :7, :7]
    for function in (
        lambda a, b: image.ssim(a, b, 1.0, filter_size=5),
        lambda a, b: image.psnr(a, b, 1.0),
        lambda a, b: tf.reduce_sum(image.sobel_edges(a[None]) ** 2) * image.total_variation(b),
    ):
        check_gradient(lambda *pair, f=function: tf.cast(f(*pair), tf.float64), x, y, step=1e-3, rtol=2e-2, atol=1e-2)


def test_errors_name_the_shapes() -> None:
    with pytest.raises(ValueError, match=r"ssim: .* not compatible.*\(2, 24, 26, 3\), \(2, 24, 5, 3\)"):
        image.ssim(FIRST, SECOND[:, :, :5], 1.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="smaller than filter_size 11"):
        image.ssim(FIRST[:, :9], SECOND[:, :9], 1.0)
