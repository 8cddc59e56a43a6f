"""Resampling: each row and column of a resized image is a weighted sum of a few rows and columns of the image.

The weights are those of TensorFlow's ``tf.image.resize``. Pixels are squares with centres at 0.5, 1.5 ...
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from fastgrad.core.tensor import Tensor, constant_tensor
from fastgrad.ops.arithmetic import multiply
from fastgrad.ops.indexing import gather
from fastgrad.ops.reduction import reduce_sum


def _cubic_kernel(x: np.ndarray, a: float, b: float) -> np.ndarray:
    """The cubic of Mitchell and Netravali (1988); with ``b = 0`` and ``a = -1/2``, that of Keys (1981). 0 from 2 on."""
    c = -a
    near = ((12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)) / 6
    far = ((-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + (8 * b + 24 * c)) / 6
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos_kernel(x: np.ndarray, radius: float) -> np.ndarray:
    return np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0.0)


_RESAMPLING_KERNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bilinear": lambda x: np.maximum(1 - x, 0.0),
    "bicubic": lambda x: _cubic_kernel(x, -0.5, 0.0),
    "lanczos3": lambda x: _lanczos_kernel(x, 3.0),
    "lanczos5": lambda x: _lanczos_kernel(x, 5.0),
    "gaussian": lambda x: np.where(x < 1.5, np.exp(-2 * x**2), 0.0),
    "mitchellcubic": lambda x: _cubic_kernel(x, -1 / 3, 1 / 3),
}
INTERPOLATION_METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


_RADII = {"bilinear": 1.0, "bicubic": 2.0, "lanczos3": 3.0, "lanczos5": 5.0, "gaussian": 1.5, "mitchellcubic": 2.0}
"""From this distance on, in pixels, a kernel is 0."""


def _nearest_weights(size: int, new_size: int) -> np.ndarray:
    scale = np.float32(size) / np.float32(new_size)
    samples = np.floor((np.arange(new_size, dtype=np.float32) + np.float32(0.5)) * scale).astype(int)
    return (np.arange(size) == np.minimum(samples, size - 1)[:, None]).astype(float)


def _area_weights(size: int, new_size: int) -> np.ndarray:
    scale = np.float32(size) / np.float32(new_size)
    edges = np.arange(new_size + 1, dtype=np.float32) * scale
    starts, ends, pixels = edges[:-1, None], edges[1:, None], np.arange(size)
    return np.maximum(np.minimum(ends, pixels + 1) - np.maximum(starts, pixels), 0.0)


def _kernel_weights(size: int, new_size: int, method: str, antialias: bool) -> np.ndarray:
    # TensorFlow has two operations, which round the scale otherwise.
    scale = np.float32(size) / np.float32(new_size)
    if antialias or method not in ("bilinear", "bicubic"):
        scale = np.float32(1) / (np.float32(new_size) / np.float32(size))
    centres = (np.arange(new_size, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    spread = np.float32(1)
    if antialias:
        spread = max(spread, scale)
    elif method == "bicubic":  # TensorFlow reads the cubic from a table of 1024 steps
        centres = np.floor(centres) + np.round((centres - np.floor(centres)) * 1024) / 1024
    elif method == "bilinear":
        centres = np.clip(centres, 0, size - 1)
    distances = np.abs(np.arange(size, dtype=np.float32) - centres[:, None]) * (np.float32(1) / spread)
    return np.where(distances < _RADII[method], _RESAMPLING_KERNELS[method](distances.astype(float)), 0.0)


@lru_cache(maxsize=64)
def resampling_weights(size: int, new_size: int, method: str, antialias: bool = False) -> np.ndarray:
    """The weights of ``size`` pixels of a line in ``new_size`` pixels of the result: float32 of shape (new_size, size).

    Args:
        size, new_size: at least 1.
        method: one of ``INTERPOLATION_METHODS``.
        antialias: whether a kernel is widened to the distance of the new pixels, if that is more than 1.
    """
    if method == "nearest":
        weights = _nearest_weights(size, new_size)
    elif method == "area":
        weights = _area_weights(size, new_size)
    else:
        weights = _kernel_weights(size, new_size, method, antialias)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)  # pixels outside of the image do not count


@lru_cache(maxsize=64)
def resampling_taps(size: int, new_size: int, method: str, antialias: bool) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of a line that have weights in each pixel of the result; arguments as for ``resampling_weights``.

    Returns:
        Positions, int64, and weights, float32, both of shape (new_size, taps). Pixels with no weight are not among them, so
        that NaN and infinity stay where they are.
    """
    weights = resampling_weights(size, new_size, method, antialias)
    has_weight = weights != 0
    first = has_weight.argmax(1)[:, None]
    last = size - 1 - has_weight[:, ::-1].argmax(1)[:, None]
    offsets = np.arange(int((last - first).max()) + 1)
    positions = np.minimum(first + offsets, last)
    return positions, np.where(first + offsets <= last, np.take_along_axis(weights, positions, 1), np.float32(0))


def resized_axis(x: Tensor, new_size: int, axis: int, method: str, antialias: bool = False) -> Tensor:
    """Resizes ``axis`` of ``x`` to ``new_size`` elements.

    Args:
        x: floats; with ``"nearest"`` any dtype.
        new_size: at least 1.
        axis: not negative.
        method, antialias: as for ``resampling_taps``.
    """
    size = x._array.shape[axis]
    positions, weights = resampling_taps(size, new_size, method, antialias)
    if positions.shape[1] == 1:
        return x if size == new_size else gather(x, positions[:, 0], axis=axis)
    inner = x._array.ndim - axis - 1
    factors = constant_tensor(weights.astype(x._array.dtype).reshape(*weights.shape, *[1] * inner))
    return reduce_sum(multiply(gather(x, positions, axis=axis), factors), axis + 1)
