"""Sums of the gradient's rows for each distinct id: the ids are sorted; a thread computes one element."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import int64

from fastgrad.cuda.codegen.body import shared_array, synchronize, thread
from fastgrad.cuda.codegen.kernel import OnDevice, device_kernel, on_device
from fastgrad.cuda.kernels.instead import Instead, Memory
from fastgrad.cuda.kernels.sorting import sorted_ids
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.math.vector_math import least
from fastgrad.kernels.movement import embedding
from fastgrad.kernels.movement.embedding import FLOATS, INDICES
from fastgrad.kernels.runtime.launch import Launch

CHUNK = 2048
"""The number of sorted ids that a block scans."""


@device_kernel("keys: in[int64], heads: out[int64], rows: int, first: int, last: int", threads=256, exact=True)
def count_heads(keys, heads, rows, first, last):
    """Counts the distinct ids that begin in each chunk of sorted ids."""
    counts = shared_array(int64, 256)
    for unit in range(first, last):
        count = 0
        for k in range(unit * 2048 + thread(), least(unit * 2048 + 2048, rows), 256):
            count += 1 if k == 0 or keys[k - 1] != keys[k] else 0
        counts[thread()] = count
        synchronize()
        if thread() == 0:
            for i in range(1, 256):
                count += counts[i]
            heads[unit] = count
        synchronize()


@kernel("heads: in[int64], before: out[int64], number: out[int64], chunks: int", noalias=True)
def add_heads(heads, before, number, chunks):
    """Sums the counts before each chunk, and all of them."""
    count = 0
    for i in range(chunks):
        before[i] = count
        count += heads[i]
    number[0] = count


@device_kernel(
    "keys: in[int64], before: in[int64], number: in[int64], unique: out[I], starts: out[int64], rows: int, limit: int, "
    "first: int, last: int",
    threads=256,
    exact=True,
    I=INDICES,
)
def note_heads(keys, before, number, unique, starts, rows, limit, first, last):
    """Writes the distinct ids and the start of each; `limit` and `rows` after the last one."""
    counts = shared_array(int64, 256)
    for unit in range(first, last):
        begin = unit * 2048 + thread() * 8
        end = least(begin + 8, rows)
        count = 0
        for k in range(begin, end):
            count += 1 if k == 0 or keys[k - 1] != keys[k] else 0
        counts[thread()] = count
        synchronize()
        at = before[unit]
        for i in range(thread()):
            at += counts[i]
        for k in range(begin, end):
            if k == 0 or keys[k - 1] != keys[k]:
                unique[at] = keys[k]
                starts[at] = k
                at += 1
            if k >= number[0]:
                unique[k] = limit
                starts[k] = rows
        if begin == 0:
            starts[rows] = rows
        synchronize()


@kernel(
    "values: in[T], order: in[int64], starts: in[int64], sums: out[T], rows: int, width: int, first: int, last: int",
    T=FLOATS,
    noalias=True,
)
def sum_columns(values, order, starts, sums, rows, width, first, last):
    """sums[k] = the sum of the values of distinct id k, in order; zeros after the last id. Units are elements."""
    for unit in range(first, last):
        k = unit // width
        column = unit - k * width
        start, end = starts[k], starts[k + 1]
        total = values[order[start] * width + column] if start < end else T(0)
        for i in range(start + 1, end):
            total += values[order[i] * width + column]
        sums[unit] = total


@kernel(
    "table: inout[T], sums: in[T], ids: in[I], number: in[int64], limit: int, width: int, first: int, last: int",
    T=FLOATS,
    I=INDICES,
    noalias=True,
)
def add_columns(table, sums, ids, number, limit, width, first, last):
    """table[ids[k]] += sums[k] for the first `number` of k. Units are elements."""
    for unit in range(first, last):
        k = unit // width
        if k < number[0] and 0 <= ids[k] < limit:
            table[ids[k] * width + unit - k * width] += sums[unit]


_add_heads, _sum, _add = on_device(add_heads), on_device(sum_columns), on_device(add_columns)


def _grouped(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    ids, order, _, unique, starts, number, rows, limit = operands
    found = sorted_ids(ids, dtypes["I"], 1, rows, memory, 0, limit, order)
    chunks = -(-rows // CHUNK)
    heads, before = memory.more(np.int64, chunks), memory.more(np.int64, chunks)
    count: Any = OnDevice(count_heads, {})
    add: Any = OnDevice(_add_heads, {})
    note: Any = OnDevice(note_heads, dtypes)
    return [
        *found.launches,
        Launch(count, (found.keys, heads, rows), chunks),
        Launch(add, (heads, before, number, chunks)),
        Launch(note, (found.keys, before, number, unique, starts, rows, limit), chunks),
    ]


def _summed(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    given: Any = OnDevice(_sum, dtypes)
    return [Launch(given, operands, launch.units * operands[-1])]


def _added(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    given: Any = OnDevice(_add, dtypes)
    return [Launch(given, operands, launch.units * operands[-1])]


INSTEAD: dict[Any, Instead] = {
    embedding.group_ids.function: _grouped,
    embedding.sum_groups.function: _summed,
    embedding.add_summed_rows.function: _added,
}
"""The table of `choice`."""
