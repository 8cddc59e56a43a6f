"""Elements and rows read at positions of an array. Any dtype: elements are moved as unsigned integers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy import int64

from fastgrad._src.jit.body import PREFETCH_DISTANCE, PREFETCH_ELEMENTS, prefetch
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.runtime.launch import (
    Constant,
    Input,
    Launch,
    Launches,
    Output,
    Scratch,
    Spec,
    single_launch,
)

UNIT_DTYPES = ("uint8", "uint16", "uint32", "uint64")
INDEX_DTYPES = ("int16", "int32", "int64")


def unit_dtype_and_count(dtype: np.dtype) -> tuple[np.dtype, int]:
    """Returns the unsigned dtype that kernels move elements of `dtype` as, and its number of integers per element."""
    size = dtype.itemsize
    return np.dtype(f"uint{min(size, 8) * 8}"), max(size // 8, 1)


@kernel(
    "x: in[T], ids: in[I], out: out[T], size: int, count: int, width: int, middle: int, zeros: int, first: int, "
    "last: int -> int",
    T=UNIT_DTYPES,
    I=INDEX_DTYPES,
)
def gather_blocks(x, ids, out, size, count, width, middle, zeros, first, last):
    """out[b, m, k] = x[b, m, ids[b, k]], rows of `width` elements, for x of (batch, middle, size, width).

    A unit of work is a row of out. An index outside [0, size) stops the kernel; with `zeros`, a negative index gives
    zeros.
    """
    r = first
    while r < last:
        block = r // count
        start = r - block * count
        stop = least(count, start + last - r)
        row, base = block // middle * count, block * size
        target = r * width
        r += stop - start
        if width == 1:
            for k in range(start, stop):
                number = int64(ids[row + k])
                if number >= size or (number < 0 and zeros == 0):
                    return k
                out[target + k - start] = x[base + number] if number >= 0 else T(0)
            continue
        for k in range(start, stop):
            ahead = (base + ids[row + least(k + PREFETCH_DISTANCE, count - 1)]) * width
            for j in range(0, width, PREFETCH_ELEMENTS):
                prefetch(x, ahead + j)
            number = int64(ids[row + k])
            if 0 <= number < size:
                at = (base + number) * width
                for j in range(width):
                    out[target + j] = x[at + j]
            elif zeros != 0 and number < 0:
                for j in range(width):
                    out[target + j] = T(0)
            else:
                return k
            target += width
    return -1


@kernel(
    "ids: in[I], numbers: out[int64], sizes: in[int64], depth: int, strict: int, first: int, last: int -> int",
    I=INDEX_DTYPES,
)
def row_numbers(ids, numbers, sizes, depth, strict, first, last):
    """Converts positions ids[r, :] in the shape `sizes` to row numbers; outside: -1, or a stop if `strict`."""
    for r in range(first, last):
        number = 0
        for axis in range(depth):
            found = int64(ids[r * depth + axis])
            if found < 0 or found >= sizes[axis]:
                if strict != 0:
                    return r
                number = -1
                break
            number = number * sizes[axis] + found
        numbers[r] = number
    return -1


@kernel(
    "x: in[T], ids: in[I], out: out[T], size: int, count: int, width: int, units: int, first: int, last: int -> int",
    T=UNIT_DTYPES,
    I=INDEX_DTYPES,
)
def take_along(x, ids, out, size, count, width, units, first, last):
    """out[o, k, i] = x[o, ids[o, k, i], i], elements of `units` words each; ids from -size to size - 1."""
    for r in range(first, last):
        outer = r // count * size
        for i in range(width):
            number = int64(ids[r * width + i])
            if number < 0:
                number += size
            if number < 0 or number >= size:
                return r
            at = ((outer + number) * width + i) * units
            for j in range(units):
                out[(r * width + i) * units + j] = x[at + j]
    return -1


@kernel(
    "g: in[T], ids: in[I], out: out[T], size: int, count: int, width: int, units: int, first: int, last: int -> int",
    T=UNIT_DTYPES,
    I=INDEX_DTYPES,
)
def put_along(g, ids, out, size, count, width, units, first, last):
    """out[o, ids[o, k, i], i] = g[o, k, i], zeros elsewhere."""
    for o in range(first, last):
        for i in range(o * size * width * units, (o + 1) * size * width * units):
            out[i] = T(0)
        for k in range(o * count, (o + 1) * count):
            for i in range(width):
                number = int64(ids[k * width + i])
                if number < 0:
                    number += size
                if number < 0 or number >= size:
                    return k
                at = ((o * size + number) * width + i) * units
                for j in range(units):
                    out[at + j] = g[(k * width + i) * units + j]
    return -1


@kernel(
    "x: in[T], lengths: in[I], out: out[T], second: int, between: int, third: int, width: int, batch_first: int, "
    "first: int, last: int -> int",
    T=UNIT_DTYPES,
    I=INDEX_DTYPES,
)
def reverse_sequences(x, lengths, out, second, between, third, width, batch_first, first, last):
    """Reverses the first lengths[b] steps of each sequence b of x, (outer, second, between, third, width).

    The second dimension is the sequence and the third the batch, or, with `batch_first`, the other way round.
    """
    for r in range(first, last):
        outer = r // second
        p = r - outer * second
        for m in range(between):
            for q in range(third):
                batch, step = (p, q) if batch_first != 0 else (q, p)
                size = third if batch_first != 0 else second
                end = int64(lengths[batch])
                if end < 0 or end > size:
                    return batch
                turned = end - 1 - step if step < end else step
                from_p, from_q = (p, turned) if batch_first != 0 else (turned, q)
                at = (((outer * second + from_p) * between + m) * third + from_q) * width
                to = ((r * between + m) * third + q) * width
                for j in range(width):
                    out[to + j] = x[at + j]
    return -1


@kernel(
    "ids: in[I], on: in[T], off: in[T], out: out[T], depth: int, inner: int, units: int, first: int, last: int",
    T=UNIT_DTYPES,
    I=("uint8", "int8", "int16", "int32", "int64"),
)
def one_hot(ids, on, off, out, depth, inner, units, first, last):
    """out[o, d, i] = on if ids[o, i] is d, else off (TensorFlow: tf.one_hot)."""
    for o in range(first, last):
        if units == 1:
            nothing = off[0]
            for i in range(o * depth * inner, (o + 1) * depth * inner):
                out[i] = nothing
        else:
            for i in range(o * depth * inner, (o + 1) * depth * inner):
                for j in range(units):
                    out[i * units + j] = off[j]
        for i in range(inner):
            number = int64(ids[o * inner + i])
            if 0 <= number < depth:
                at = ((o * depth + number) * inner + i) * units
                for j in range(units):
                    out[at + j] = on[j]


# ---- launches of the operations ------------------------------------------------------------------------


def gather_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int, batch_dims: int) -> Launches:
    """``tf.gather`` of x and ids."""
    x, ids = inputs
    unit, words = unit_dtype_and_count(x.dtype)
    middle, count = prod(x.shape[batch_dims:axis]), prod(ids.shape[batch_dims:])
    width = prod(x.shape[axis + 1 :]) * words
    return single_launch(
        gather_blocks[unit, ids.dtype], Input(0), Input(1), Output(0), x.shape[axis], count, width, middle, 0,
        units=prod(x.shape[:axis]) * count, unit_cost=3.0 + 0.15 * width, parts={2: prod(outputs[0].shape) * words},
    )  # fmt: skip


def gather_segments_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Returns the launches that read the row of x for each id, zeros for negative ids."""
    x, ids = inputs
    if ids.dtype.name not in INDEX_DTYPES:
        return None
    unit, words = unit_dtype_and_count(x.dtype)
    count = prod(ids.shape)
    return single_launch(
        gather_blocks[unit, ids.dtype], Input(0), Input(1), Output(0), x.shape[0], count, prod(x.shape[1:]) * words,
        1, 1, units=count, unit_cost=3.0 + 0.15 * prod(x.shape[1:]) * words,
    )  # fmt: skip


def row_numbers_launch(ids: Spec, ids_operand: Any, shape: tuple[int, ...], strict: bool = False) -> Launch:
    """Returns the launch that converts positions in the first dimensions of a shape to row numbers, in `Scratch(0)`."""
    depth, count = ids.shape[-1], prod(ids.shape[:-1])
    sizes = Constant(np.array(shape[:depth], np.int64))
    return Launch(row_numbers[ids.dtype], (ids_operand, Scratch(0), sizes, depth, int(strict)), count, 3.0 * depth)


def gather_nd_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], strict: bool) -> Launches | None:
    """``tf.gather_nd`` of x and positions; positions outside give zeros unless ``strict``."""
    x, ids = inputs
    find = row_numbers_launch(ids, Input(1), x.shape, strict)
    unit, words = unit_dtype_and_count(x.dtype)
    depth, count = ids.shape[-1], prod(ids.shape[:-1])
    sizes = prod(x.shape[:depth]), count, prod(x.shape[depth:]) * words
    operands = Input(0), Scratch(0), Output(0), *sizes, 1, 1
    read = Launch(gather_blocks[unit, np.dtype(np.int64)], operands, count, 3.0 + 0.15 * sizes[2])
    return Launches((find, read), ((np.dtype(np.int64), count),))


def _match_except_along(x: Spec, ids: Spec, axis: int) -> bool:
    return (
        len(x.shape) == len(ids.shape)
        and ids.dtype.name in INDEX_DTYPES
        and all(a == b for i, (a, b) in enumerate(zip(x.shape, ids.shape, strict=True)) if i != axis)
    )


def take_along_axis_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int) -> Launches | None:
    """``np.take_along_axis`` of x and ids, whose other dimensions are equal."""
    x, ids = inputs
    if not _match_except_along(x, ids, axis):
        return None
    unit, words = unit_dtype_and_count(x.dtype)
    sizes = x.shape[axis], ids.shape[axis], prod(x.shape[axis + 1 :]), words
    rows = prod(ids.shape[: axis + 1])
    return single_launch(
        take_along[unit, ids.dtype], Input(0), Input(1), Output(0), *sizes, units=rows, unit_cost=2.0 * sizes[2]
    )


def put_along_axis_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int, size: int) -> Launches | None:
    """Returns the launches of the transpose of ``np.take_along_axis``, for distinct ids."""
    g, ids = inputs
    if not _match_except_along(g, ids, axis):
        return None
    unit, words = unit_dtype_and_count(g.dtype)
    sizes = size, ids.shape[axis], prod(g.shape[axis + 1 :]), words
    operands, units, cost = (Input(0), Input(1), Output(0), *sizes), prod(g.shape[:axis]), 2.0 * size * sizes[2]
    return single_launch(put_along[unit, ids.dtype], *operands, units=units, unit_cost=cost)


def reverse_sequence_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], seq_axis: int, batch_axis: int
) -> Launches:
    """``tf.reverse_sequence``."""
    x, lengths = inputs
    unit, words = unit_dtype_and_count(x.dtype)
    low, high = sorted((seq_axis, batch_axis))
    shape = x.shape
    sizes = shape[low], prod(shape[low + 1 : high]), shape[high], prod(shape[high + 1 :]) * words
    operands = Input(0), Input(1), Output(0), *sizes, int(batch_axis < seq_axis)
    units, cost = prod(shape[: low + 1]), 0.3 * prod(sizes[1:])
    return single_launch(reverse_sequences[unit, lengths.dtype], *operands, units=units, unit_cost=cost)


def one_hot_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], depth: int, axis: int) -> Launches:
    """``tf.one_hot`` of ids, on and off."""
    ids, on, _ = inputs
    unit, words = unit_dtype_and_count(on.dtype)
    outer, inner = prod(ids.shape[:axis]), prod(ids.shape[axis:])
    arrays = Input(0), Input(1), Input(2), Output(0)
    return single_launch(
        one_hot[unit, ids.dtype], *arrays, depth, inner, words, units=outer, unit_cost=0.2 * depth * inner * words
    )
