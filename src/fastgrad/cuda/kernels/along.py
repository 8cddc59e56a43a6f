"""One-hot rows, take and put along an axis, and counts of numbers. A thread computes one element of the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy import int64

from fastgrad.cuda.codegen.kernel import OnDevice, on_device
from fastgrad.cuda.kernels.gathering import begin_with
from fastgrad.cuda.kernels.instead import Instead, Memory
from fastgrad.cuda.kernels.sorting import how_many_below, sorted_ids
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.movement import gathering, scattering
from fastgrad.kernels.movement.gathering import INDICES, UNITS
from fastgrad.kernels.movement.scattering import INTEGERS, ZEROS
from fastgrad.kernels.runtime.launch import Launch

ONE_HOT = ("uint8", "int8", "int16", "int32", "int64")


@kernel(
    "ids: in[I], on: in[T], off: in[T], out: out[T], depth: int, inner: int, words: int, first: int, last: int",
    T=UNITS,
    I=ONE_HOT,
    noalias=True,
)
def one_hot_elements(ids, on, off, out, depth, inner, words, first, last):
    """The CPU's `one_hot`. Units are words of elements."""
    for unit in range(first, last):
        at = unit // words
        word = unit - at * words
        row = at // inner
        outer = row // depth
        has = int64(ids[outer * inner + at - row * inner]) == row - outer * depth
        out[unit] = on[word] if has else off[word]


_ALONG = "size: int, count: int, width: int, words: int, first: int, last: int -> int"


@kernel(f"x: in[T], ids: in[I], out: out[T], {_ALONG}", T=UNITS, I=INDICES, noalias=True)
def take_elements(x, ids, out, size, count, width, words, first, last):
    """The CPU's `take_along`. Units are words of elements."""
    for unit in range(first, last):
        at = unit // words
        row = at // width
        number = int64(ids[at])
        if number < 0:
            number += size
        if number < 0 or number >= size:
            return row
        out[unit] = x[((row // count * size + number) * width + at - row * width) * words + unit - at * words]
    return -1


@kernel(f"g: in[T], ids: in[I], out: out[T], {_ALONG}", T=UNITS, I=INDICES, noalias=True)
def put_elements(g, ids, out, size, count, width, words, first, last):
    """The CPU's `put_along` without its zeros. Units are words of elements."""
    for unit in range(first, last):
        at = unit // words
        row = at // width
        number = int64(ids[at])
        if number < 0:
            number += size
        if number < 0 or number >= size:
            return row
        out[((row // count * size + number) * width + at - row * width) * words + unit - at * words] = g[unit]
    return -1


@kernel(
    "keys: in[int64], order: in[int64], weights: in[T], out: out[T], columns: int, size: int, weighted: int, binary: int, "
    "first: int, last: int",
    T=("float32", "float64", *INTEGERS),
)
def count_sorted(keys, order, weights, out, columns, size, weighted, binary, first, last):
    """Counts each number in each row of sorted numbers, or sums their weights in order. Units are numbers."""
    for unit in range(first, last):
        row = unit // size
        number, begin = unit - row * size, row * columns
        start = begin + how_many_below(keys, begin, begin + columns, number)
        end = start + how_many_below(keys, start, begin + columns, number + 1)
        total = T(end - start)
        if weighted != 0:
            total = T(0)
            for k in range(start, end):
                total += weights[begin + order[k]]
        if binary != 0:
            total = T(1) if total != T(0) else T(0)
        out[unit] = total


_one_hot, _take, _put = on_device(one_hot_elements), on_device(take_elements), on_device(put_elements)
_count, _begin = on_device(count_sorted), on_device(begin_with)


def _hot(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    depth, inner, words = operands[4:]
    found: Any = OnDevice(_one_hot, dtypes)
    return [Launch(found, operands, launch.units * depth * inner * words)]


def _taken(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    width, words = operands[5:]
    found: Any = OnDevice(_take, dtypes)
    return [Launch(found, operands, launch.units * width * words)]


def _brought(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    size, count, width, words = operands[3:]
    begin: Any = OnDevice(_begin, {"T": dtypes["T"]})
    found: Any = OnDevice(_put, dtypes)
    zeros = Launch(begin, (operands[2], ZEROS), launch.units * size * width * words)
    return [zeros, Launch(found, operands, launch.units * count * width * words)]


def _counted(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    ids, weights, out, columns, size, weighted, binary = operands
    if not launch.units * columns:
        begin: Any = OnDevice(_begin, {"T": dtypes["T"]})
        return [Launch(begin, (out, ZEROS), launch.units * size)]
    found = sorted_ids(ids, "int64", launch.units, columns, memory)
    count: Any = OnDevice(_count, dtypes)
    given = (found.keys, found.order, weights, out, columns, size, weighted, binary)
    return [*found.launches, Launch(count, given, launch.units * size)]


INSTEAD: dict[Any, Instead] = {
    gathering.one_hot.function: _hot,
    gathering.take_along.function: _taken,
    gathering.put_along.function: _brought,
    scattering.count_bins.function: _counted,
}
"""The table of `choice`."""
