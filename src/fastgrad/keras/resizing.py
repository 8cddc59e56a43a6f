"""Image resizing: each row and column of the result is a weighted sum of rows and columns of the image.

The weights are those of TensorFlow's ``tf.image.resize`` without ``antialias``. Pixels are squares with centres at 0.5, 1.5 ...
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from fastgrad.core.tensor import Tensor, constant_tensor
from fastgrad.ops.contraction import matmul
from fastgrad.ops.shaping import reshape


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


@lru_cache(maxsize=64)
def resampling_weights(size: int, new_size: int, method: str) -> np.ndarray:
    """The weights of ``size`` pixels of a line in ``new_size`` pixels of the result: float32 of shape (new_size, size).

    Args:
        size, new_size: at least 1.
        method: one of ``INTERPOLATION_METHODS``.
    """
    scale = size / new_size
    pixels = np.arange(size)
    centres = (np.arange(new_size) + 0.5) * scale - 0.5
    if method == "nearest":
        factors = (pixels == np.minimum(np.floor(centres + 0.5), size - 1)[:, None]).astype(float)
    elif method == "area":
        starts = (np.arange(new_size) * scale)[:, None]
        factors = np.maximum(np.minimum(starts + scale, pixels + 1) - np.maximum(starts, pixels), 0.0)
    else:
        if method == "bicubic":  # TensorFlow reads the cubic from a table of 1024 steps
            centres = np.floor(centres) + np.round((centres - np.floor(centres)) * 1024) / 1024
        elif method == "bilinear":
            centres = np.clip(centres, 0, size - 1)
        factors = _RESAMPLING_KERNELS[method](np.abs(pixels - centres[:, None]))
    factors = factors / factors.sum(1, keepdims=True)  # pixels outside of the image do not count
    return factors.astype(np.float32)


def resized_axis(x: Tensor, new_size: int, axis: int, method: str) -> Tensor:
    """Resizes ``axis`` of ``x`` to ``new_size`` elements."""
    shape = x._array.shape
    size = shape[axis]
    outer, inner = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    factors = constant_tensor(resampling_weights(size, new_size, method).astype(x._array.dtype))
    return reshape(matmul(factors, reshape(x, (outer, size, inner))), (*shape[:axis], new_size, *shape[axis + 1 :]))
