"""Sorts of lines of numbers by integer keys in the same order, stably and in parallel (`sorting`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import int64, uint64

from fastgrad.cuda.codegen.kernel import OnDevice, on_device
from fastgrad.cuda.kernels.instead import Instead, Memory
from fastgrad.cuda.kernels.sorting import sorted_ids
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.movement import ordering
from fastgrad.kernels.movement.ordering import REAL, ordered_bits
from fastgrad.kernels.runtime.launch import Launch

PLACES = ("int16", "int32", "int64")


@kernel(
    "x: in[T], keys: out[int64], size: int, inner: int, descending: int, first: int, last: int", T=REAL, noalias=True
)
def keys_of(x, keys, size, inner, descending, first, last):
    """The keys of the elements, line by line. Units are elements."""
    for unit in range(first, last):
        line = unit // size
        outer = line // inner
        at = (outer * size + unit - line * size) * inner + line - outer * inner
        keys[unit] = int64(ordered_bits(x[at], descending) ^ (uint64(1) << uint64(63)))


@kernel(
    "x: in[T], places: in[int64], order: out[I], values: out[T], with_values: int, size: int, kept: int, inner: int, first: int, "
    "last: int",
    T=REAL,
    I=PLACES,
    noalias=True,
)
def write_order(x, places, order, values, with_values, size, kept, inner, first, last):
    """The first `kept` places of each line, and the elements there if requested. Units are elements of the results."""
    for unit in range(first, last):
        row = unit // inner
        outer = row // kept
        left = unit - row * inner
        place = places[(outer * inner + left) * size + row - outer * kept]
        order[unit] = place
        if with_values != 0:
            values[unit] = x[(outer * size + place) * inner + left]


_keys, _write = on_device(keys_of), on_device(write_order)


def _ordered(
    arrays: tuple[Any, Any, Any],
    sizes: tuple[int, int, int],
    options: tuple[int, int, int],
    dtypes: Mapping[str, str],
    memory: Memory,
) -> list[Launch]:
    """Returns launches that order x.

    Args:
        arrays: x, the result of places, and the result of elements.
        sizes: the length of a line, the number of places to keep, and the inner size.
        options: the number of lines, whether elements are written, and whether the largest come first.
        dtypes: T of x, I of the places.
        memory: the scratch memory to add to.
    """
    (x, order, values), (size, kept, inner), (lines, with_values, descending) = arrays, sizes, options
    keys = memory.more(np.int64, lines * size)
    make: Any = OnDevice(_keys, {"T": dtypes["T"]})
    write: Any = OnDevice(_write, dtypes)
    found = sorted_ids(keys, "int64", lines, size, memory, checked=False)
    return [
        Launch(make, (x, keys, size, inner, descending), lines * size),
        *found.launches,
        Launch(write, (x, found.order, order, values, with_values, size, kept, inner), lines * kept),
    ]


def _lines(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    x, order, values, with_values, *_, size, kept, inner, descending = operands
    lines = launch.units
    if not lines * size:
        return []
    return _ordered((x, order, values), (size, kept, inner), (lines, with_values, descending), dtypes, memory)


def _largest(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    x, values, order, size, kept = operands
    if not launch.units * size:
        return []
    return _ordered((x, order, values), (size, kept, 1), (launch.units, 1, 1), dtypes, memory)


INSTEAD: dict[Any, Instead] = {
    ordering.order_lines.function: _lines,
    ordering.select_largest.function: _largest,
}
"""The table of `choice`."""
