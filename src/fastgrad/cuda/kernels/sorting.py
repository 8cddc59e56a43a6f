"""Stable sorts of ids in lines: stretches of 256 by counting in shared memory, then merges of sorted stretches.

In a merge each element finds its place by a binary search in the other stretch, and is written there. Neighbouring threads have
neighbouring elements, and the order is reproducible.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import int64

from fastgrad.cuda.codegen.body import shared_array, synchronize, thread
from fastgrad.cuda.codegen.kernel import device_kernel, on_device
from fastgrad.cuda.kernels.replacement import ScratchMemory, device_launch
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.math.vector_math import least
from fastgrad.kernels.movement.gathering import INDEX_DTYPES
from fastgrad.kernels.runtime.launch import Launch, Operand

STRETCH_LENGTH = 256


@device_kernel(
    "ids: in[I], keys: out[int64], order: out[int64], count: int, limit: int, first: int, last: int -> int",
    threads=256,
    exact=True,
    I=INDEX_DTYPES,
)
def sort_stretches(ids, keys, order, count, limit, first, last):
    """Sorts stretches of lines of `count` ids, and writes the place of each id in its line.

    Answers the place of an id from `limit` on; such ids are sorted, too.
    """
    mine = shared_array(int64, 256)
    stretches = (count + 255) // 256
    bad = -1
    for unit in range(first, last):
        line = unit // stretches
        begin = (unit - line * stretches) * 256
        size = least(256, count - begin)
        at, key = line * count + begin, int64(0)
        if thread() < size:
            key = int64(ids[at + thread()])
            if key >= limit and bad < 0:
                bad = begin + thread()
            mine[thread()] = key
        synchronize()
        if thread() < size:
            rank = 0
            for i in range(size):
                rank += 1 if mine[i] < key or (mine[i] == key and i < thread()) else 0
            keys[at + rank] = key
            order[at + rank] = begin + thread()
        synchronize()
    return bad


@scalar_function
def count_below(keys, begin, end, key):
    """Returns the number of sorted keys in [begin, end) that are less than `key`."""
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low - begin


@scalar_function
def count_up_to(keys, begin, end, key):
    """Returns the number of sorted keys in [begin, end) up to `key`, which may be the greatest integer."""
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        if keys[middle] <= key:
            low = middle + 1
        else:
            high = middle
    return low - begin


@kernel(
    "keys: in[int64], order: in[int64], to_keys: out[int64], to_order: out[int64], count: int, stretch: int, first: int, "
    "last: int",
    noalias=True,
)
def merge_stretches(keys, order, to_keys, to_order, count, stretch, first, last):
    """Merges sorted stretches in lines of `count` keys to stretches of twice the length. Units are elements."""
    for unit in range(first, last):
        line = unit // count * count
        place = unit - line
        pair = line + place // (2 * stretch) * 2 * stretch
        middle = least(pair + stretch, line + count)
        end = least(pair + 2 * stretch, line + count)
        key = keys[unit]
        if unit < middle:
            to = unit + count_below(keys, middle, end, key)
        else:
            to = unit - (middle - pair) + count_up_to(keys, pair, middle, key)
        to_keys[to] = key
        to_order[to] = order[unit]


class SortLaunches(NamedTuple):
    """Launches that sort ids, and their results: the ids in increasing order, and the places the ids had."""

    launches: list[Launch]
    keys: Operand
    order: Operand


_merge_on_gpu = on_device(merge_stretches)


def sort_launches(ids: Operand, dtype: str, lines: int, count: int, limit: int, memory: ScratchMemory) -> SortLaunches:
    """Returns launches that sort the ids of each line stably.

    Args:
        ids: ids of this dtype, (lines, count).
        lines, count: at least 1 each.
        limit: ids from `limit` on are sorted, too, but stop the program.
        memory: the scratch memory to add to.
    """
    passes = max(0, (-(-count // STRETCH_LENGTH) - 1).bit_length())
    here = memory.add(np.int64, lines * count), memory.add(np.int64, lines * count)
    there = here
    if passes:
        there = memory.add(np.int64, lines * count), memory.add(np.int64, lines * count)
    stretches = lines * -(-count // STRETCH_LENGTH)
    launches = [device_launch(sort_stretches, {"I": dtype}, (ids, *here, count, limit), stretches)]
    for number in range(passes):
        launches.append(
            device_launch(_merge_on_gpu, {}, (*here, *there, count, STRETCH_LENGTH << number), lines * count)
        )
        here, there = there, here
    return SortLaunches(launches, *here)
