"""Resampling: each row and column of a resized image is a weighted sum of a few rows and columns of the image.

The weights are those of TensorFlow's ``tf.image.resize``. Pixels are squares with centres at 0.5, 1.5 ...
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.operation import FLOAT_DTYPES, Form, Operation
from fastgrad._src.core.result_rules import ArraySpec, require_fitting_shapes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.convolution.resampling import LEAST_VECTOR_WIDTH, resampled_rows
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launches, Output, Spec, single_launch
from fastgrad._src.ops import namespace as ops


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


class _Taps(NamedTuple):
    """The pixels of a line from the first to the last with a weight, for each pixel of the result: NaN stays where it is.

    Attributes:
        firsts: the first of them, int64 of shape (new_size,).
        counts: their number, int64 of shape (new_size,).
        weights: float32 of shape (new_size, taps), the first ``counts`` of each row.
    """

    firsts: np.ndarray
    counts: np.ndarray
    weights: np.ndarray


@lru_cache(maxsize=64)
def _taps(size: int, new_size: int, method: str, antialias: bool, transposed: bool) -> _Taps:
    """The taps of ``resampling_weights``, or of the transposed matrix."""
    weights = resampling_weights(size, new_size, method, antialias)
    if transposed:
        weights = weights.T
    has_weight = weights != 0
    firsts = has_weight.argmax(1)
    counts = np.where(has_weight.any(1), weights.shape[1] - has_weight[:, ::-1].argmax(1) - firsts, 0)
    offsets = np.arange(counts.max())
    positions = np.minimum(firsts[:, None] + offsets, weights.shape[1] - 1)
    return _Taps(firsts, counts, np.ascontiguousarray(np.take_along_axis(weights, positions, 1)))


@with_half_floats
def _resample_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int, sizes: tuple[int, int], transposed: bool, **options: Any
) -> Launches:
    x, y = inputs[0], outputs[0]
    taps = _taps(*sizes, **options, transposed=transposed)
    rows, width = math.prod(y.shape[: axis + 1]), math.prod(y.shape[axis + 1 :])
    arrays = [Constant(taps.firsts), Constant(taps.counts), Constant(taps.weights.astype(x.dtype))]
    lengths = x.shape[axis], y.shape[axis], taps.weights.shape[1], width
    cost = width * taps.weights.shape[1] * (0.1 if width >= LEAST_VECTOR_WIDTH else 0.7)
    return single_launch(resampled_rows[x.dtype], Input(0), *arrays, Output(0), *lengths, units=rows, unit_cost=cost)


def _resample_result(x: Any, axis: int, sizes: tuple[int, int], transposed: bool, **options: Any) -> ArraySpec:
    require_fitting_shapes(x.shape[axis] == sizes[transposed])
    return ArraySpec((*x.shape[:axis], sizes[not transposed], *x.shape[axis + 1 :]), x.dtype)


_resample: Operation = ops.kernel_operation(
    "resample",
    Form.FUSED,
    launches=_resample_launches,
    result=_resample_result,
    gradient=lambda g, y, x, transposed, **attributes: _resample(g, transposed=not transposed, **attributes),
    dtypes=FLOAT_DTYPES,
    batched=ops.shift_axes_rule("axis"),
)
"""An axis resized by the matrix of ``resampling_weights``: ``resample(x, axis=, sizes=, method=, antialias=, transposed=)``.

``sizes`` are the columns and the rows of the matrix. With ``transposed``, the axis is multiplied by its transpose, as in gradients.
"""


def resized_axis(x: Tensor, new_size: int, axis: int, method: str, antialias: bool = False) -> Tensor:
    """Resizes ``axis`` of ``x`` to ``new_size`` elements.

    Args:
        x: floats; with ``"nearest"`` any dtype.
        new_size: at least 1.
        axis: not negative.
        method, antialias: as for ``resampling_weights``.
    """
    size = x._array.shape[axis]
    taps = _taps(size, new_size, method, antialias, transposed=False)
    if taps.weights.shape[1] == 1:
        # The reshape makes the gradient dense: this is no table look-up.
        return x if size == new_size else ops.gather(ops.reshape(x, x._array.shape), taps.firsts, axis=axis)
    return _resample(x, axis=axis, sizes=(size, new_size), method=method, antialias=antialias, transposed=False)
