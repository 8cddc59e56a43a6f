"""Rows that are written, added or otherwise combined at positions of an array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import inf, prod
from typing import Any

import numpy as np
from numpy import int64

from fastgrad._src.jit.body import by_dtype, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import ArraySpec, with_half_floats
from fastgrad._src.kernels.math.vector_math import least, nan_greatest, nan_least
from fastgrad._src.kernels.movement.gathering import (
    INDEX_DTYPES,
    UNIT_DTYPES,
    row_numbers_launch,
    unit_dtype_and_count,
)
from fastgrad._src.kernels.movement.layout import Layout
from fastgrad._src.kernels.movement.strided import ScratchCopies
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Operand, Output, Scratch, Spec

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NUMBER_DTYPES = ("float32", "float64", "bool", *INTEGERS)
SET, ADD, MULTIPLY, MAXIMUM, MINIMUM, SUBTRACT, DIVIDE = range(7)
START_KEPT, START_ZEROS, START_ONES = range(3)
TILE_COLUMNS = 64


@scalar_function
def combine_row(out, at, rows, source, columns, mode):
    """Combines elements of `out`, from `at` on, with elements of `rows`, from `source` on, by a mode such as `ADD`."""
    if mode == ADD:
        for j in range(columns):
            out[at + j] += rows[source + j]
    elif mode == SET:
        for j in range(columns):
            out[at + j] = rows[source + j]
    elif mode == MULTIPLY:
        for j in range(columns):
            out[at + j] *= rows[source + j]
    elif mode == SUBTRACT:
        for j in range(columns):
            out[at + j] -= rows[source + j]
    elif mode == DIVIDE:
        for j in range(columns):
            out[at + j] = T(out[at + j] / rows[source + j])
    elif mode == MAXIMUM:
        for j in range(columns):
            out[at + j] = nan_greatest(out[at + j], rows[source + j])
    else:
        for j in range(columns):
            out[at + j] = nan_least(out[at + j], rows[source + j])


@scalar_function
def scatter_into_blocks(rows, ids, out, size, count, width, middle, mode, start, first, last):
    """Combines rows as `scatter_rows` does; returns the position of an id of `size` or more, else -1."""
    tiles = (width + TILE_COLUMNS - 1) // TILE_COLUMNS
    for unit in range(first, last):
        block = unit // tiles
        left = (unit - block * tiles) * TILE_COLUMNS
        columns = least(TILE_COLUMNS, width - left)
        if start != START_KEPT and columns == width:
            begin = T(0) if start == START_ZEROS else T(1)
            for j in range(block * size * width, (block + 1) * size * width):
                out[j] = begin
        elif start != START_KEPT:
            for r in range(size):
                at = (block * size + r) * width + left
                for j in range(columns):
                    out[at + j] = T(0) if start == START_ZEROS else T(1)
        batch = block // middle * count
        if width == 1 and mode == ADD:
            for k in range(count):
                number = int64(ids[batch + k])
                if number >= size:
                    return k
                if number >= 0:
                    out[block * size + number] += rows[block * count + k]
            continue
        for k in range(count):
            number = int64(ids[batch + k])
            if number >= size:
                return k
            if number < 0:
                continue
            at = (block * size + number) * width + left
            source = (block * count + k) * width + left
            combine_row(out, at, rows, source, columns, mode)
    return -1


@kernel(
    "rows: in[T], ids: in[I], out: inout[T], size: int, count: int, width: int, middle: int, mode: int, start: int, "
    "first: int, last: int -> int",
    T=NUMBER_DTYPES,
    I=INDEX_DTYPES,
)
def scatter_rows(rows, ids, out, size, count, width, middle, mode, start, first, last):
    """Combines out[b, m, ids[b, k]] with rows[b, m, k] by the mode, in order of k; negative ids are skipped.

    `out`, (batch, middle, size, width), starts unchanged, with zeros or with ones. A unit of work is one index of batch
    and middle, and `TILE_COLUMNS` columns. An index of `size` or more stops the kernel.
    """
    return scatter_into_blocks(rows, ids, out, size, count, width, middle, mode, start, first, last)


@kernel(
    "rows: in[T], ids: in[int64], out: inout[T], size: int, count: int, width: int, middle: int, mode: int, start: int, "
    "first: int, last: int",
    T=NUMBER_DTYPES,
)
def scatter_known_rows(rows, ids, out, size, count, width, middle, mode, start, first, last):
    """Combines rows as `scatter_rows` does, for ids that are known to be below `size`; it never stops."""
    scatter_into_blocks(rows, ids, out, size, count, width, middle, mode, start, first, last)


@kernel("ids: in[I], used: out[uint8], size: int, count: int -> int", I=INDEX_DTYPES)
def used_ids(ids, used, size, count):
    """used[i] = whether i is among the ids. An id of `size` or more stops the kernel."""
    for i in range(size):
        used[i] = 0
    for k in range(count):
        number = int64(ids[k])
        if number >= size:
            return k
        if number >= 0:
            used[number] = 1
    return -1


def _choose_float(like, number, integer):
    return T(number)


def _choose_integer(like, number, integer):
    return T(integer)


_choose_number = by_dtype(
    float32=_choose_float, float64=_choose_float, **dict.fromkeys(INTEGERS, _choose_integer)
)  # one of two numbers, by the dtype


@kernel(
    "used: in[uint8], out: out[T], width: int, start: float, start_integer: int, empty: float, empty_integer: int, "
    "first: int, last: int",
    T=NUMBER_DTYPES,
)
def fill_segments(used, out, width, start, start_integer, empty, empty_integer, first, last):
    """Sets rows that are used to `start`, the others to `empty`."""
    begin, nothing = _choose_number(T(0), start, start_integer), _choose_number(T(0), empty, empty_integer)
    for r in range(first, last):
        value = begin if used[r] != 0 else nothing
        for j in range(r * width, (r + 1) * width):
            out[j] = value


@kernel(
    "ids: in[int64], weights: in[T], out: out[T], columns: int, size: int, weighted: int, binary: int, first: int, "
    "last: int -> int",
    T=("float32", "float64", *INTEGERS),
)
def count_bins(ids, weights, out, columns, size, weighted, binary, first, last):
    """Counts each number below `size` in each row of ids, or sums its weights. A negative number stops the kernel."""
    for r in range(first, last):
        for i in range(r * size, (r + 1) * size):
            out[i] = T(0)
        for k in range(r * columns, (r + 1) * columns):
            if ids[k] < 0:
                return k
            if ids[k] < size:
                out[r * size + ids[k]] += weights[k] if weighted != 0 else T(1)
        if binary != 0:
            for i in range(r * size, (r + 1) * size):
                out[i] = T(1) if out[i] != T(0) else T(0)
    return -1


# ---- launches of the operations ------------------------------------------------------------------------


def _scatter_launch(
    dtype: np.dtype,
    ids_dtype: np.dtype,
    rows_and_ids: tuple[Operand, Operand],
    sizes: tuple[int, int, int, int],
    blocks: int,
    mode: int,
    start: int,
    ids_are_checked: bool = False,
) -> Launch | None:
    """Returns the launch that combines rows at the positions of ids; `sizes` are the sizes of `scatter_rows`.

    With `ids_are_checked`, ids are int64 and below `size`.
    """
    size, count, width, middle = sizes
    if ids_dtype.name not in INDEX_DTYPES:
        return None
    if mode == SET:
        dtype, words = unit_dtype_and_count(dtype)
        width *= words
    elif dtype.kind == "c" and mode in (ADD, SUBTRACT):
        dtype, width = np.dtype(f"float{dtype.itemsize * 4}"), width * 2
    elif dtype.name == "bool":
        mode = {ADD: MAXIMUM, MULTIPLY: MINIMUM}.get(mode, mode)
    if dtype.name not in (*NUMBER_DTYPES, *UNIT_DTYPES):
        return None
    kernel = scatter_known_rows[dtype] if ids_are_checked else scatter_rows[dtype, ids_dtype]
    operands = (*rows_and_ids, Output(0), size, count, width, middle, mode, start)
    return Launch(
        kernel, operands, blocks * -(-width // TILE_COLUMNS), 0.3 * min(width, TILE_COLUMNS) * (size + 2 * count)
    )


@with_half_floats
def gather_gradient_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], shape: tuple[int, ...], axis: int, batch_dims: int
) -> Launches | None:
    """Returns the launch that adds g to zeros at the positions that a gather reads."""
    g, ids = inputs
    middle = prod(shape[batch_dims:axis])
    sizes = shape[axis], prod(ids.shape[batch_dims:]), prod(shape[axis + 1 :]), middle
    one = _scatter_launch(g.dtype, ids.dtype, (Input(0), Input(1)), sizes, prod(shape[:axis]), ADD, START_ZEROS)
    return None if one is None else Launches((one,))


def _segment_scatter_launches(data: Spec, ids: Spec, num_segments: int, mode: int, start: int) -> Launches | None:
    count = prod(ids.shape)
    sizes = num_segments, count, prod(data.shape[len(ids.shape) :]), 1
    one = _scatter_launch(data.dtype, ids.dtype, (Input(0), Input(1)), sizes, 1, mode, start)
    return None if one is None else Launches((one,))


def _make_segment_launches(mode: int, start: int) -> Callable[..., Launches | None]:
    def segment_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], num_segments: int) -> Launches | None:
        return _segment_scatter_launches(inputs[0], inputs[1], num_segments, mode, start)

    return segment_launches


segment_sum_launches = with_half_floats(_make_segment_launches(ADD, START_ZEROS))
"""``tf.math.unsorted_segment_sum`` of data and ids."""

segment_prod_launches = _make_segment_launches(MULTIPLY, START_ONES)
"""``tf.math.unsorted_segment_prod`` of data and ids."""


@with_half_floats
def _segment_extreme_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], num_segments: int, empty: float, mode: int
) -> Launches | None:
    data, ids = inputs
    found = _segment_scatter_launches(data, ids, num_segments, mode, START_KEPT)
    if found is None or data.dtype.kind not in "fiu":
        return None
    floating = data.dtype.kind == "f"
    limits: Any = None if floating else np.iinfo(data.dtype)
    start = (-inf, 0) if mode == MAXIMUM else (inf, 0)
    if not floating:
        start = 0.0, _as_int64(limits.min if mode == MAXIMUM else limits.max)
    nothing = (float(empty), 0) if floating else (0.0, _as_int64(int(empty)))
    mark = Launch(used_ids[ids.dtype], (Input(1), Scratch(0), num_segments, prod(ids.shape)))
    width = prod(data.shape[len(ids.shape) :])
    fill = Launch(
        fill_segments[data.dtype], (Scratch(0), Output(0), width, *start, *nothing), num_segments, 0.2 * width
    )
    return Launches((mark, fill, *found.launches), ((np.dtype(np.uint8), num_segments),))


def _as_int64(number: int) -> int:
    """Returns the int64 with the last 64 bits of a number."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


segment_max_launches = partial(_segment_extreme_launches, mode=MAXIMUM)
"""``tf.math.unsorted_segment_max`` of data and ids; ``empty`` for ids without rows."""

segment_min_launches = partial(_segment_extreme_launches, mode=MINIMUM)
"""``tf.math.unsorted_segment_min`` of data and ids; ``empty`` for ids without rows."""


def _scatter_nd_launches(
    ids: tuple[Spec, Operand],
    updates: tuple[Spec, Operand],
    shape: tuple[int, ...],
    mode: int,
    start: int,
    strict: bool,
) -> Launches | None:
    depth, count = ids[0].shape[-1], prod(ids[0].shape[:-1])
    find = row_numbers_launch(ids[0], ids[1], shape, strict)
    sizes = prod(shape[:depth]), count, prod(shape[depth:]), 1
    one = _scatter_launch(
        updates[0].dtype, np.dtype(np.int64), (updates[1], Scratch(0)), sizes, 1, mode, start, ids_are_checked=True
    )
    if one is None:
        return None
    given = () if start != START_KEPT else ((0, 0),)
    return Launches((find, one), ((np.dtype(np.int64), count),), in_place=given, starts_as=given)


@with_half_floats
def scatter_nd_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], shape: tuple[int, ...], strict: bool
) -> Launches | None:
    """``tf.scatter_nd`` of positions and updates; positions outside are skipped unless ``strict``."""
    ids, updates = inputs
    return _scatter_nd_launches((ids, Input(0)), (updates, Input(1)), shape, ADD, START_ZEROS, strict)


def _make_tensor_scatter_launches(mode: int) -> Callable[..., Launches | None]:
    def tensor_scatter_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], strict: bool) -> Launches | None:
        x, ids, updates = inputs
        return _scatter_nd_launches((ids, Input(1)), (updates, Input(2)), x.shape, mode, START_KEPT, strict)

    return tensor_scatter_launches


# ``tf.tensor_scatter_nd_update``, ``..._add``, ``..._max`` and ``..._min`` of a tensor, positions and updates.
scatter_update_launches = _make_tensor_scatter_launches(SET)
scatter_add_launches = with_half_floats(_make_tensor_scatter_launches(ADD))
scatter_max_launches = with_half_floats(_make_tensor_scatter_launches(MAXIMUM))
scatter_min_launches = with_half_floats(_make_tensor_scatter_launches(MINIMUM))


_MODE_OF_UFUNC = {
    np.add: ADD,
    np.subtract: SUBTRACT,
    np.multiply: MULTIPLY,
    np.divide: DIVIDE,
    np.maximum: MAXIMUM,
    np.minimum: MINIMUM,
}


@with_half_floats
def update_slices_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], what: str, kind: str, into: str | None
) -> Launches | None:
    """Updates a tensor at positions of the kind "rows", "positions", or "batch": rows of each element of a batch.

    ``into`` is the name of NumPy's ufunc that combines updates with the tensor; None overwrites.
    """
    x, ids, updates = inputs
    mode = SET if into is None else _MODE_OF_UFUNC[getattr(np, into)]
    if mode == DIVIDE and x.dtype.kind != "f":
        return None
    batch = len(ids.shape) - 1 if kind == "batch" else 0
    shape = x.shape[batch:]
    positions = ids if kind == "positions" else ArraySpec((*ids.shape, 1), ids.dtype)
    depth, number = positions.shape[-1], np.dtype(np.int64)
    find = row_numbers_launch(positions, Input(1), shape, strict=True)
    width, total = prod(shape[depth:]), prod(positions.shape[:-1])
    rows: Operand = Input(2)
    copies = ScratchCopies()
    copies.scratch.append((number, total))
    copies.before.append(find)
    if not updates.shape and total * width != 1:
        rows = copies.copy_to_scratch(rows, x.dtype, Layout(0, ((total * width, 0),)), total * width)
    blocks = prod(x.shape[:batch])
    sizes = prod(shape[:depth]), total // max(blocks, 1), width, 1
    last = _scatter_launch(x.dtype, number, (rows, Scratch(0)), sizes, blocks, mode, START_KEPT, ids_are_checked=True)
    if last is None or not copies.known:
        return None
    return Launches((*copies.before, last), tuple(copies.scratch), in_place=((0, 0),), starts_as=((0, 0),))


def bincount_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], size: int, dtype: str, binary: bool
) -> Launches | None:
    """``tf.math.bincount`` of ids, int64, and perhaps weights of the result's dtype."""
    ids, *weights = inputs
    wanted = outputs[0].dtype
    if wanted.name not in ("float32", "float64", *INTEGERS) or ids.dtype != np.int64:
        return None
    if weights and weights[0].dtype != wanted:
        return None
    rows, columns = prod(ids.shape[:-1]), ids.shape[-1]
    places = Input(0), Input(1) if weights else Output(0), Output(0)
    sizes = columns, size, int(bool(weights)), int(binary)
    return Launches((Launch(count_bins[wanted], (*places, *sizes), rows, columns + 0.2 * size),))
