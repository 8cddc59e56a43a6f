"""Order: sorting, selecting and searching along an axis, and inverting permutations.

Arrays are (outer, size, inner), the axis in the middle. A line is the elements along the axis for one position in outer
and inner. Equal elements keep their order, and NaN comes last in both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy import int64, uint64

from fastgrad._src.jit.body import by_dtype, float_bits, local_array, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.runtime.launch import (
    Input,
    Launch,
    Launches,
    Operand,
    Output,
    Scratch,
    Spec,
    single_launch,
)

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
REAL_DTYPES = ("float32", "float64", *INTEGERS)
POSITION_DTYPES = ("int16", "uint16", "int32", "int64")
MOST_SORTED_BY_INSERTION = 24  # most elements that are sorted by insertion


@scalar_function
def comes_before(a, b, descending):
    """True if a comes before b in sorted order, descending or ascending."""
    if descending != 0:
        return a > b or (b != b and a == a)  # noqa: PLR0124 - of NaN
    return a < b or (b != b and a == a)  # noqa: PLR0124 - of NaN


def _ordered_bits32(value, descending):
    bits = int64(float_bits(value + T(0))) & 0xFFFFFFFF  # 0 for -0
    key = bits ^ (0xFFFFFFFF if bits >> 31 != 0 else 0x80000000)
    key = 0xFFFFFFFF - key if descending != 0 else key
    return uint64(key if value == value else 0xFFFFFFFF)  # noqa: PLR0124 - false of NaN


def _ordered_bits64(value, descending):
    bits = uint64(float_bits(value + T(0)))
    key = ~bits if bits >> uint64(63) != 0 else bits | (uint64(1) << uint64(63))
    key = ~key if descending != 0 else key
    return key if value == value else ~uint64(0)  # noqa: PLR0124 - false of NaN


def _ordered_signed_bits(value, descending):
    key = uint64(int64(value)) ^ (uint64(1) << uint64(63))
    return ~key if descending != 0 else key


def _ordered_unsigned_bits(value, descending):
    return ~uint64(value) if descending != 0 else uint64(value)


ordered_bits = by_dtype(
    float32=_ordered_bits32,
    float64=_ordered_bits64,
    **dict.fromkeys(INTEGERS[:4], _ordered_signed_bits),
    **dict.fromkeys(INTEGERS[4:], _ordered_unsigned_bits),
)
"""`ordered_bits(value, descending)`: a uint64 that sorts as the element does, NaN last."""


@scalar_function
def sort_line(keys, ids, other_keys, other_ids, at, size, counts):
    """Sorts keys[at : at + size] with their `ids`; returns True if the result is in `other_keys` and `other_ids`.

    Few keys are sorted by insertion, others by a radix sort of 8-bit digits. Digits that are equal in all keys are skipped.
    """
    if size <= MOST_SORTED_BY_INSERTION:
        for i in range(at + 1, at + size):
            key, number = keys[i], ids[i]
            j = i
            while j > at and keys[j - 1] > key:
                keys[j] = keys[j - 1]
                ids[j] = ids[j - 1]
                j -= 1
            keys[j] = key
            ids[j] = number
        return False
    differing = uint64(0)
    for i in range(at, at + size):
        differing |= keys[i] ^ keys[at]
    moved = False
    for digit in range(8):
        shift = uint64(8 * digit)
        if (differing >> shift) & uint64(255) == uint64(0):
            continue
        for d in range(256):
            counts[d] = 0
        for i in range(at, at + size):
            counts[int64((keys[i] >> shift) & uint64(255))] += 1
        start = at
        for d in range(256):
            here = counts[d]
            counts[d] = start
            start += here
        for i in range(at, at + size):
            d = int64((keys[i] >> shift) & uint64(255))
            to = counts[d]
            counts[d] = to + 1
            other_keys[to] = keys[i]
            other_ids[to] = ids[i]
        keys, other_keys = other_keys, keys
        ids, other_ids = other_ids, ids
        moved = not moved
    return moved


@kernel(
    "x: in[T], order: out[I], values: out[T], with_values: int, keys: inout[uint64], other_keys: inout[uint64], ids: inout[int32], "
    "other_ids: inout[int32], size: int, kept: int, inner: int, descending: int, first: int, last: int",
    T=REAL_DTYPES,
    I=("int16", "int32", "int64"),
)
def order_lines(
    x, order, values, with_values, keys, other_keys, ids, other_ids, size, kept, inner, descending, first, last
):
    """Writes the first `kept` positions of each line in order, and their elements if `with_values` is set.

    A unit of work is a line; the other arrays are scratch memory.
    """
    counts = local_array(int64, 256)
    for line in range(first, last):
        outer = line // inner
        source = outer * size * inner + (line - outer * inner)
        target = outer * kept * inner + (line - outer * inner)
        at = line * size
        for i in range(size):
            keys[at + i] = ordered_bits(x[source + i * inner], descending)
            ids[at + i] = i
        found = other_ids if sort_line(keys, ids, other_keys, other_ids, at, size, counts) else ids
        for i in range(kept):
            order[target + i * inner] = found[at + i]
        if with_values != 0:
            for i in range(kept):
                values[target + i * inner] = x[source + found[at + i] * inner]


@kernel(
    "x: in[T], values: out[T], order: out[I], size: int, kept: int, first: int, last: int",
    T=REAL_DTYPES,
    I=("int16", "int32", "int64"),
)
def select_largest(x, values, order, size, kept, first, last):
    """Writes the largest `kept` elements of each row and their positions, by insertion; for small `kept`."""
    for row in range(first, last):
        at, to = row * size, row * kept
        for i in range(size):
            key = x[at + i]
            if i >= kept and not comes_before(key, values[to + kept - 1], 1):
                continue
            j = least(i, kept - 1)
            while j > 0 and comes_before(key, values[to + j - 1], 1):
                values[to + j] = values[to + j - 1]
                order[to + j] = order[to + j - 1]
                j -= 1
            values[to + j] = key
            order[to + j] = i


@kernel(
    "x: in[T], values: in[T], out: out[I], size: int, count: int, rows: int, right: int, first: int, last: int",
    T=REAL_DTYPES,
    I=("int32", "int64"),
)
def search_sorted(x, values, out, size, count, rows, right, first, last):
    """Writes the position of each value in its sorted row of x; `rows` 1: one row for all. A unit is a value."""
    for unit in range(first, last):
        at = unit // count * size if rows > 1 else 0
        value = values[unit]
        low, high = 0, size
        while low < high:
            middle = (low + high) // 2
            found = x[at + middle]
            passed = not comes_before(value, found, 0) if right != 0 else comes_before(found, value, 0)
            if passed:
                low = middle + 1
            else:
                high = middle
        out[unit] = low


@kernel(
    "ids: in[I], x: in[float32], out: out[uint8], classes: int, k: int, first: int, last: int", I=("int32", "int64")
)
def in_top_k(ids, x, out, classes, k, first, last):
    """Writes whether fewer than k predictions of a row are above the target's (TensorFlow: tf.math.in_top_k)."""
    for row in range(first, last):
        target = int64(ids[row])
        known = 0 <= target < classes
        finite = True
        above = 0
        if known:
            value = x[row * classes + target]
            for c in range(row * classes, (row + 1) * classes):
                finite = finite and x[c] - x[c] == 0
                above += 1 if x[c] > value else 0
        out[row] = 1 if known and finite and above < k else 0


@kernel("x: in[I], out: out[I], used: inout[uint8], size: int -> int", I=("int32", "int64"))
def invert_permutation(x, out, used, size):
    """out[x[i]] = i. Returns the position of the first number that is outside [0, size) or repeated, else -1."""
    for i in range(size):
        used[i] = 0
    for i in range(size):
        at = int64(x[i])
        if at < 0 or at >= size or used[at] != 0:
            return i
        used[at] = 1
        out[at] = i
    return -1


# ---- launches of the operations ----------------------------------------------------------------------------


def _ordering_launches(
    x: Spec, order: Operand, dtype: np.dtype, values: Operand | None, axis: int, kept: int, descending: bool
) -> Launches | None:
    """Returns the launches that sort lines of x: positions go to `order`, and elements to `values` or nowhere."""
    size, inner, lines = x.shape[axis], prod(x.shape[axis + 1 :]), prod(x.shape[:axis]) * prod(x.shape[axis + 1 :])
    if x.dtype.name not in REAL_DTYPES or size >= 1 << 31:
        return None
    elements, number, key = lines * size, np.dtype(np.int32), np.dtype(np.uint64)
    work = [Scratch(i) for i in range(4)]
    places = Input(0), order, work[0] if values is None else values, int(values is not None)
    numbers = size, kept, inner, int(descending)
    one = Launch(order_lines[x.dtype, dtype], (*places, *work, *numbers), lines, 12.0 * size)
    return Launches((one,), ((key, elements), (key, elements), (number, elements), (number, elements)))


@with_half_floats
def argsort_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int, descending: bool) -> Launches | None:
    """``tf.argsort``."""
    return _ordering_launches(inputs[0], Output(0), outputs[0].dtype, None, axis, inputs[0].shape[axis], descending)


@with_half_floats
def sort_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int, descending: bool) -> Launches | None:
    """``tf.sort``."""
    x, number = inputs[0], np.dtype(np.int32)
    found = _ordering_launches(x, Scratch(4), number, Output(0), axis, x.shape[axis], descending)
    if found is None:
        return None
    scratch = (*found.scratch, (number, prod(x.shape)))
    return Launches(found.launches, scratch, found.in_place, found.alias, found.starts_as)


MOST_SELECTED_BY_INSERTION = 32


@with_half_floats
def top_k_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], k: int, index_type: str) -> Launches | None:
    """``tf.math.top_k``: values and positions."""
    (x,) = inputs
    axis, size, rows = len(x.shape) - 1, x.shape[-1], prod(x.shape[:-1])
    wanted = outputs[1].dtype
    if x.dtype.name not in REAL_DTYPES:
        return None
    if k <= MOST_SELECTED_BY_INSERTION:
        return single_launch(
            select_largest[x.dtype, wanted], Input(0), Output(0), Output(1), size, k, units=rows, unit_cost=1.5 * size
        )
    return _ordering_launches(x, Output(1), wanted, Output(0), axis, k, True)


@with_half_floats
def searchsorted_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], right: bool, out_type: str
) -> Launches | None:
    """``tf.searchsorted`` of a sequence and values."""
    x, values = inputs
    if x.dtype.name not in REAL_DTYPES:
        return None
    sizes = x.shape[-1], values.shape[-1], prod(x.shape[:-1]), int(right)
    found = search_sorted[x.dtype, outputs[0].dtype]
    return single_launch(
        found, Input(0), Input(1), Output(0), *sizes, units=prod(values.shape), unit_cost=5.0 * sizes[0].bit_length()
    )


def in_top_k_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], k: int) -> Launches | None:
    """``tf.math.in_top_k`` of targets and predictions."""
    rows, classes = inputs[1].shape
    return single_launch(
        in_top_k[inputs[0].dtype], Input(0), Input(1), Output(0), classes, k, units=rows, unit_cost=classes
    )


def invert_permutation_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """``tf.math.invert_permutation``."""
    (x,) = inputs
    one = Launch(invert_permutation[x.dtype], (Input(0), Output(0), Scratch(0), x.shape[0]))
    return Launches((one,), ((np.dtype(np.uint8), x.shape[0]),))
