"""Results whose size depends on values: non-zero and distinct elements. Programs compute the size first."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.movement.ordering import REAL_DTYPES, order_lines
from fastgrad._src.kernels.reduction.general import COMPLEX_DTYPES, NUMBER_DTYPES, count_rows, real_dtype_and_count
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launch, Launches, Operand, Output, Scratch, Spec


@kernel(
    "x: in[T], out: out[int64], sizes: in[int64], size: int, parts: int, count: int, axes: int -> int",
    T=(*NUMBER_DTYPES, "bool"),
)
def nonzero_positions(x, out, sizes, size, parts, count, axes):
    """Writes the indices of `count` non-zero elements of an array of shape `sizes`. More stop the kernel."""
    row = 0
    for i in range(size):
        if x[i * parts] != 0 or (parts == 2 and x[i * parts + 1] != 0):
            if row == count:
                return i
            rest = i
            for step in range(axes):
                axis = axes - 1 - step
                above = rest // sizes[axis]
                out[row * axes + axis] = rest - above * sizes[axis]
                rest = above
            row += 1
    return -1 if row == count else size


@kernel("x: in[T], order: in[int64], count: out[int64], size: int", T=REAL_DTYPES)
def count_distinct(x, order, count, size):
    """Writes the number of distinct elements, from their order."""
    found = 1 if size > 0 else 0
    for k in range(1, size):
        found += 0 if x[order[k]] == x[order[k - 1]] else 1
    count[0] = found


@kernel(
    "x: in[T], order: in[int64], first_equal: inout[int64], scratch: inout[int64], distinct: out[T], indices: out[I], "
    "counts: out[I], size: int, most_distinct: int -> int",
    T=REAL_DTYPES,
    I=("int32", "int64"),
)
def distinct_elements(x, order, first_equal, scratch, distinct, indices, counts, size, most_distinct):
    """Writes distinct elements in order of first appearance, each element's index among them, and their counts.

    `first_equal` and `scratch` are scratch memory of `size` elements. Equal elements get the number of the first one.
    More than `most_distinct` distinct elements stop the kernel.
    """
    for k in range(size):
        same = k > 0 and x[order[k]] == x[order[k - 1]]
        first_equal[order[k]] = first_equal[order[k - 1]] if same else order[k]
    found = 0
    for i in range(size):
        if first_equal[i] == i:
            if found == most_distinct:
                return i
            scratch[i] = found
            distinct[found] = x[i]
            counts[found] = 0
            found += 1
        place = scratch[first_equal[i]]
        indices[i] = place
        counts[place] += 1
    return -1 if found == most_distinct else size


# ---- launches of the operations ------------------------------------------------------------------------


@with_half_floats
def positions_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """``tf.where`` of one argument."""
    (x,) = inputs
    if x.dtype.name not in (*NUMBER_DTYPES, "bool", *COMPLEX_DTYPES):
        return None
    dtype, parts = real_dtype_and_count(x.dtype)
    count, axes = outputs[0].shape
    operands = Input(0), Output(0), Constant(np.array(x.shape, np.int64)), prod(x.shape), parts, count, axes
    return Launches((Launch(nonzero_positions[dtype], operands),))


@with_half_floats
def positions_count_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Returns the launches that count the non-zero elements."""
    (x,) = inputs
    if x.dtype.name not in (*NUMBER_DTYPES, "bool", *COMPLEX_DTYPES):
        return None
    dtype, parts = real_dtype_and_count(x.dtype)
    return Launches((Launch(count_rows[dtype], (Input(0), Output(0), prod(x.shape), parts)),))


def _sort_of_vector(x: Spec) -> tuple[Launch, tuple[tuple[np.dtype, int], ...], Operand]:
    """Returns the launch that orders a vector, its scratch memory, and the operand for the positions."""
    size, key, small = x.shape[0], np.dtype(np.uint64), np.dtype(np.int32)
    work = [Scratch(i) for i in range(4)]
    order: Any = Scratch(4)
    operands = Input(0), order, work[0], 0, *work, size, size, 1, 0
    one = Launch(order_lines[x.dtype, np.dtype(np.int64)], operands)
    return one, ((key, size), (key, size), (small, size), (small, size), (np.dtype(np.int64), size)), order


@with_half_floats
def distinct_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], out_idx: str) -> Launches | None:
    """``tf.unique_with_counts``."""
    (x,) = inputs
    if x.dtype.name not in REAL_DTYPES:
        return None
    sort, scratch, order = _sort_of_vector(x)
    size, number = x.shape[0], np.dtype(np.int64)
    operands = Input(0), order, Scratch(5), Scratch(6), Output(0), Output(1), Output(2), size, outputs[0].shape[0]
    find = Launch(distinct_elements[x.dtype, outputs[1].dtype], operands)
    return Launches((sort, find), (*scratch, (number, size), (number, size)))


@with_half_floats
def distinct_count_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], out_idx: str) -> Launches | None:
    """Returns the launches that count the distinct elements."""
    (x,) = inputs
    if x.dtype.name not in REAL_DTYPES:
        return None
    sort, scratch, order = _sort_of_vector(x)
    return Launches((sort, Launch(count_distinct[x.dtype], (Input(0), order, Output(0), x.shape[0]))), scratch)
