"""Unravelled indices, histogram bins, and cross products of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy import float32, int64

from fastgrad._src.jit.body import round_down
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launches, Output, Spec, single_launch

FLOATS = ("float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@kernel(
    "ids: in[I], out: out[I], sizes: in[int64], count: int, axes: int, first: int, last: int -> int",
    I=("int16", "int32", "int64"),
)
def unravel(ids, out, sizes, count, axes, first, last):
    """out[:, i] = the indices of element ids[i] in an array of shape `sizes`. An id outside stops the kernel."""
    whole = 1
    for axis in range(axes):
        whole *= sizes[axis]
    for i in range(first, last):
        rest = int64(ids[i])
        if rest < 0 or rest >= whole:
            return i
        for step in range(axes):
            axis = axes - 1 - step
            above = rest // sizes[axis]
            out[axis * count + i] = rest - above * sizes[axis]
            rest = above
    return -1


@kernel(
    "x: in[T], out: out[I], low: float, width: float, bins: int, first: int, last: int",
    T=(*FLOATS, *INTEGERS),
    I=("int32", "int64"),
)
def histogram_bins(x, out, low, width, bins, first, last):
    """Writes each number's bin of `bins` equal parts of [low, low + width]; numbers outside go to the end bins."""
    for i in range(first, last):
        place = round_down((x[i] - low) / width * bins)
        out[i] = 0 if place < 0 else (bins - 1 if place > bins - 1 else int64(place))


@kernel("x: in[float32], out: out[I], low: float, width: float, bins: int, first: int, last: int", I=("int32", "int64"))
def histogram_bins_of_float32(x, out, low, width, bins, first, last):
    """Writes each number's bin, computed in float32; see `histogram_bins`."""
    start, whole, count = float32(low), float32(width), float32(bins)
    for i in range(first, last):
        place = round_down((x[i] - start) / whole * count)
        out[i] = 0 if place < 0 else (bins - 1 if place > bins - 1 else int64(place))


@kernel("a: in[T], b: in[T], out: out[T], first: int, last: int", T=(*FLOATS, *INTEGERS), in_place={"out": ("a", "b")})
def cross(a, b, out, first, last):
    """Computes the cross products of vectors (TensorFlow: tf.linalg.cross)."""
    for r in range(first, last):
        i, j, k = 3 * r, 3 * r + 1, 3 * r + 2
        x, y, z = a[j] * b[k] - a[k] * b[j], a[k] * b[i] - a[i] * b[k], a[i] * b[j] - a[j] * b[i]
        out[i], out[j], out[k] = x, y, z


# ---- launches of the operations ------------------------------------------------------------------------


def unravel_index_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], dims: tuple[int, ...]) -> Launches:
    """``tf.unravel_index``."""
    (ids,) = inputs
    count, sizes = prod(ids.shape), Constant(np.array(dims, np.int64))
    return single_launch(unravel[ids.dtype], Input(0), Output(0), sizes, count, len(dims), units=count)


def histogram_bins_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], low: float, high: float, nbins: int, dtype: str
) -> Launches | None:
    """``tf.histogram_fixed_width_bins``."""
    (x,), (y,) = inputs, outputs
    arrays = Input(0), Output(0)
    if x.dtype == np.float32:
        return single_launch(histogram_bins_of_float32[y.dtype], *arrays, low, high - low, nbins, units=prod(x.shape))
    if x.dtype.name not in ("float64", *INTEGERS):
        return None
    return single_launch(histogram_bins[x.dtype, y.dtype], *arrays, low, high - low, nbins, units=prod(x.shape))


@with_half_floats
def cross_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """``tf.linalg.cross``."""
    (a, _) = inputs
    if a.dtype.name not in (*FLOATS, *INTEGERS):
        return None
    return single_launch(cross[a.dtype], Input(0), Input(1), Output(0), units=prod(a.shape) // 3)
