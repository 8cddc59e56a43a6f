"""Unravelled indices, histogram bins, and cross products of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy import float32, int64

from fastgrad.kernels.codegen.body import local_array, round_down
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.elementwise.half import through_float32
from fastgrad.kernels.runtime.launch import Input, Launches, Output, Spec, only

FLOATS = ("float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
MOST_AXES = 8


@kernel(
    "ids: in[I], out: out[I], count: int, axes: int, n0: int, n1: int, n2: int, n3: int, n4: int, n5: int, n6: int, "
    "n7: int, first: int, last: int -> int",
    I=("int16", "int32", "int64"),
)
def unravel(ids, out, count, axes, n0, n1, n2, n3, n4, n5, n6, n7, first, last):
    """out[:, i] = the indices of element ids[i] in an array of shape (n0, n1, ...). An id outside stops the kernel."""
    sizes = local_array(int64, 8)
    sizes[0], sizes[1], sizes[2], sizes[3] = n0, n1, n2, n3
    sizes[4], sizes[5], sizes[6], sizes[7] = n4, n5, n6, n7
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
def bins_of(x, out, low, width, bins, first, last):
    """Writes each number's bin of `bins` equal parts of [low, low + width]; numbers outside go to the end bins."""
    for i in range(first, last):
        place = round_down((x[i] - low) / width * bins)
        out[i] = 0 if place < 0 else (bins - 1 if place > bins - 1 else int64(place))


@kernel("x: in[float32], out: out[I], low: float, width: float, bins: int, first: int, last: int", I=("int32", "int64"))
def bins_of_float32(x, out, low, width, bins, first, last):
    """`bins_of`, computed in float32."""
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


def unravel_index_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], dims: tuple[int, ...]) -> Launches | None:
    """``tf.unravel_index``."""
    (ids,) = inputs
    if len(dims) > MOST_AXES:
        return None
    sizes = (*dims, *[1] * (MOST_AXES - len(dims)))
    count = prod(ids.shape)
    return only(unravel[ids.dtype], Input(0), Output(0), count, len(dims), *sizes, units=count)


def histogram_bins_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], low: float, high: float, nbins: int, dtype: str
) -> Launches | None:
    """``tf.histogram_fixed_width_bins``."""
    (x,), (y,) = inputs, outputs
    arrays = Input(0), Output(0)
    if x.dtype == np.float32:
        return only(bins_of_float32[y.dtype], *arrays, low, high - low, nbins, units=prod(x.shape))
    if x.dtype.name not in ("float64", *INTEGERS):
        return None
    return only(bins_of[x.dtype, y.dtype], *arrays, low, high - low, nbins, units=prod(x.shape))


@through_float32
def cross_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """``tf.linalg.cross``."""
    (a, _) = inputs
    if a.dtype.name not in (*FLOATS, *INTEGERS):
        return None
    return only(cross[a.dtype], Input(0), Input(1), Output(0), units=prod(a.shape) // 3)
