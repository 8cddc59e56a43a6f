"""Convolutions and their gradients in tiles of 32 rows and 32 columns of a matrix product whose rows are windows.

The tables are the CPU's (`kernels.convolution.patches`), except that a term, or a row of a filter gradient, is a place in a window,
not in a patch: nothing is copied, and elements outside the input are 0. Stretches of 32 terms go through shared memory. A thread has
eight rows of a column in registers. Sums are chains of fused multiply-adds in the order of the terms. Each channel of a depthwise
convolution is a group.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy import int64

from fastgrad.cuda.codegen.body import shared_array, synchronize, thread
from fastgrad.cuda.codegen.kernel import device_kernel
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad.cuda.kernels.tiles import TILE_SIDE, add_stretch, sum_number
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.convolution import few_channels, patches
from fastgrad.kernels.convolution.patches import (
    CHUNK_SIZE_WORD,
    CHUNKS_WORD,
    COLUMNS_WORD,
    FILTER_GROUP_WORD,
    GROUPS_WORD,
    IMAGES_WORD,
    MOVE_WORD,
    POSITIONS_WORD,
    SOURCE_CHANNELS_WORD,
    SOURCE_GROUP_WORD,
    SOURCE_WORD,
    START_WORD,
    SUM_DTYPES,
    TARGET_AT_WORD,
    TARGET_GROUP_WORD,
    TARGET_IMAGE_WORD,
    TARGET_WORD,
)
from fastgrad.kernels.math.vector_math import least
from fastgrad.kernels.runtime.launch import Constant, Launch


@scalar_function
def source_element(source, places, image, x, y, z, channel):
    """Returns the element of a convolution's source at three coordinates and a channel; 0 outside of the source."""
    depth, height, width = places[SOURCE_WORD], places[SOURCE_WORD + 1], places[SOURCE_WORD + 2]
    if x < 0 or x >= depth or y < 0 or y >= height or z < 0 or z >= width:
        return T(0)
    return source[(((image * depth + x) * height + y) * width + z) * places[SOURCE_CHANNELS_WORD] + channel]


@scalar_function
def image_and_place(number, counts, counts_at):
    """Returns the image, and the three coordinates in its result, of the place with a number."""
    in_a, in_b, in_c = counts[counts_at], counts[counts_at + 1], counts[counts_at + 2]
    line = number // in_c
    plane = line // in_b
    return plane // in_a, plane % in_a, line % in_b, number - line * in_c


@scalar_function
def result_index(places, image, a, b, c):
    """Returns the index of the first element that a convolution's result has at a place of an image."""
    return (
        image * places[TARGET_IMAGE_WORD]
        + a * places[TARGET_WORD]
        + b * places[TARGET_WORD + 1]
        + c * places[TARGET_WORD + 2]
    )


@scalar_function
def write_place(places, counts, counts_at, place_number, place_count, target_words, thread_index):
    """Writes a place's image, window start and result index to `target_words`; image -1 from `place_count` on."""
    image, a, b, c = image_and_place(place_number, counts, counts_at)
    target_words[thread_index] = image if place_number < place_count else -1
    target_words[32 + thread_index] = a * places[MOVE_WORD] + places[START_WORD]
    target_words[64 + thread_index] = b * places[MOVE_WORD + 1] + places[START_WORD + 1]
    target_words[96 + thread_index] = c * places[MOVE_WORD + 2] + places[START_WORD + 2]
    target_words[128 + thread_index] = result_index(places, image, a, b, c)


@device_kernel(
    "source: in[T], filters: in[T], target: out[T], places: in[int64], terms: in[int64], phase: int, depth: int, "
    "first: int, last: int",
    threads=128,
    exact=True,
    T=SUM_DTYPES,
)
def slide(source, filters, target, places, terms, phase, depth, first, last):
    """Products of the source's windows with filters. Units are tiles of places by columns of a group in a phase."""
    left, right, where = shared_array(T, 1056), shared_array(T, 1056), shared_array(int64, 160)
    counts = phase + POSITIONS_WORD
    count = places[IMAGES_WORD] * places[counts] * places[counts + 1] * places[counts + 2]
    columns = places[COLUMNS_WORD]
    across = (columns + 31) // 32
    lane, row = thread() % 32, thread() // 32
    for unit in range(first, last):
        tile = unit // across
        column = (unit - tile * across) * 32
        group = tile % places[GROUPS_WORD]
        begin = tile // places[GROUPS_WORD] * 32
        if thread() < 32:
            write_place(places, places, counts, begin + lane, count, where, lane)
        s0, s1, s2, s3, s4, s5, s6, s7 = T(0), T(0), T(0), T(0), T(0), T(0), T(0), T(0)
        synchronize()
        for stretch in range(0, depth, 32):
            term = 5 * least(stretch + lane, depth - 1)
            for i in range(row, 32, 4):
                x, y, z = where[32 + i] + terms[term], where[64 + i] + terms[term + 1], where[96 + i] + terms[term + 2]
                inside = where[i] >= 0 and stretch + lane < depth
                q = terms[term + 3] + group * places[SOURCE_GROUP_WORD]
                left[lane * 33 + i] = source_element(source, places, where[i], x, y, z, q) if inside else T(0)
                known = stretch + i < depth and column + lane < columns
                at = terms[5 * least(stretch + i, depth - 1) + 4] + group * places[FILTER_GROUP_WORD] + column + lane
                right[i * 33 + lane] = filters[at] if known else T(0)
            synchronize()
            s0, s1, s2, s3, s4, s5, s6, s7 = add_stretch(left, right, row, lane, s0, s1, s2, s3, s4, s5, s6, s7)
            synchronize()
        at = places[phase + TARGET_AT_WORD] + group * places[TARGET_GROUP_WORD] + column + lane
        for i in range(8):
            r = row + 4 * i
            if where[r] >= 0 and column + lane < columns:
                target[at + where[128 + r]] = sum_number(i, s0, s1, s2, s3, s4, s5, s6, s7)
        synchronize()


@device_kernel(
    "source: in[T], given: in[T], target: out[T], places: in[int64], rows: in[int64], counts: in[int64], many: int, "
    "first: int, last: int",
    threads=128,
    exact=True,
    T=SUM_DTYPES,
)
def gather_filters(source, given, target, places, rows, counts, many, first, last):
    """The gradient of filters, in chunks of places. A unit is a tile of rows by columns of a group and a chunk."""
    left, right, where = shared_array(T, 1056), shared_array(T, 1056), shared_array(int64, 160)
    count = places[IMAGES_WORD] * counts[0] * counts[1] * counts[2]
    columns = places[COLUMNS_WORD]
    across, down = (columns + 31) // 32, (many + 31) // 32
    lane, row = thread() % 32, thread() // 32
    for unit in range(first, last):
        tile = unit // across
        column = (unit - tile * across) * 32
        begin = tile % down * 32
        group = tile // down % places[GROUPS_WORD]
        chunk = tile // (down * places[GROUPS_WORD])
        end = count * (chunk + 1) // places[CHUNKS_WORD]
        mine = 5 * least(begin + lane, many - 1)
        s0, s1, s2, s3, s4, s5, s6, s7 = T(0), T(0), T(0), T(0), T(0), T(0), T(0), T(0)
        for stretch in range(count * chunk // places[CHUNKS_WORD], end, 32):
            if thread() < 32:
                write_place(places, counts, 0, stretch + lane, end, where, lane)
            synchronize()
            for i in range(row, 32, 4):
                x, y, z = where[32 + i] + rows[mine], where[64 + i] + rows[mine + 1], where[96 + i] + rows[mine + 2]
                q = rows[mine + 3] + group * places[SOURCE_GROUP_WORD]
                left[i * 33 + lane] = source_element(source, places, where[i], x, y, z, q) if where[i] >= 0 else T(0)
                known = where[i] >= 0 and column + lane < columns
                at = where[128 + i] + group * places[FILTER_GROUP_WORD] + column + lane
                right[i * 33 + lane] = given[at] if known else T(0)
            synchronize()
            s0, s1, s2, s3, s4, s5, s6, s7 = add_stretch(left, right, row, lane, s0, s1, s2, s3, s4, s5, s6, s7)
            synchronize()
        at = chunk * places[CHUNK_SIZE_WORD] + group * places[TARGET_GROUP_WORD] + column + lane
        for i in range(8):
            r = begin + row + 4 * i
            if r < many and column + lane < columns:
                target[at + rows[5 * r + 4]] = sum_number(i, s0, s1, s2, s3, s4, s5, s6, s7)


# ---- replacements of CPU kernels -------------------------------------------------------------------------


def _terms_in_windows(words: np.ndarray, begin: int, count: int, item_bytes: int) -> Constant:
    """Converts a table's pairs (place in a patch, number) to rows (three coordinates, channel, number)."""
    pairs = words[begin : begin + 2 * count].reshape(-1, 2) // item_bytes
    channels = max(1, int(words[SOURCE_CHANNELS_WORD]))
    at = patches.EXTENT_WORD if words[patches.COPIED_WORD] else SOURCE_WORD
    _, high, wide = words[at : at + 3]
    inside, channel = np.divmod(pairs[:, 0], channels)
    line, c = np.divmod(inside, max(1, wide))
    a, b = np.divmod(line, max(1, high))
    return Constant(np.stack([a, b, c, channel, pairs[:, 1]], -1).reshape(-1))


def _table_with_groups(words: np.ndarray, groups: int, columns: int) -> np.ndarray:
    """Returns a copy of a convolution's table for other groups, whose channels and filters are neighbours."""
    words = words.copy()
    words[[GROUPS_WORD, SOURCE_GROUP_WORD, FILTER_GROUP_WORD, TARGET_GROUP_WORD, COLUMNS_WORD]] = (
        groups,
        1,
        1,
        1,
        columns,
    )
    return words


def _depthwise_table(words: np.ndarray) -> np.ndarray:
    """Returns a depthwise convolution's table for `slide`, with each of its columns as a group."""
    return _table_with_groups(words, int(words[COLUMNS_WORD]), 1)


def _slide_launch(arrays: tuple[Any, ...], words: np.ndarray, terms: Any, phase: int, dtypes: Any) -> Launch:
    """Returns the launch of `slide` for one phase of a convolution's table."""
    places = int(words[IMAGES_WORD] * words[phase + POSITIONS_WORD : phase + POSITIONS_WORD + 3].prod())
    tiles = -(-places // TILE_SIDE) * int(words[GROUPS_WORD]) * -(-int(words[COLUMNS_WORD]) // TILE_SIDE)
    return device_launch(slide, dtypes, (*arrays, Constant(words), terms, phase, len(terms.array) // 5), tiles)


def _slide_replacement(converted_table: Callable[[np.ndarray], np.ndarray] = np.array) -> Replacement:
    def replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        operands: Any = launch.operands
        *arrays, table, _, _ = operands
        words = converted_table(table.array)
        launches = []
        for phase in _phase_offsets(words[patches.PHASES_WORD]):
            depth, terms_at = int(words[phase + patches.DEPTH_WORD]), int(words[phase + patches.TERMS_AT_WORD])
            terms = _terms_in_windows(words, terms_at, depth, int(words[patches.ITEM_BYTES_WORD]))
            launches.append(_slide_launch(arrays, words, terms, phase, dtypes))
        return launches

    return replacement


def _few_channels_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `slide_few_channels`; filters have `WIDTH` numbers for each channel of the source."""
    operands: Any = launch.operands
    *arrays, table = operands
    width, channels = int(table.array[few_channels.WIDTH_WORD]), np.arange(table.array[SOURCE_CHANNELS_WORD])
    words = _table_with_groups(table.array, 1, int(table.array[few_channels.COLUMNS_WORD]))
    launches = []
    for phase in _phase_offsets(table.array[few_channels.PHASES_WORD]):
        begin, cells = int(words[phase + few_channels.CELLS_AT_WORD]), int(words[phase + few_channels.CELL_COUNT_WORD])
        inside, row = np.divmod(words[begin : begin + cells, None], width)
        place = np.unravel_index(inside, tuple(words[patches.EXTENT_WORD : patches.EXTENT_WORD + 3]))
        columns = np.broadcast_arrays(*place, channels, row + channels * width)
        terms = Constant(np.stack(columns, -1).reshape(-1).astype(np.int64))
        launches.append(_slide_launch(arrays, words, terms, phase, dtypes))
    return launches


def _phase_offsets(count: int) -> range:
    """Returns the offsets of the phases in the words of a convolution's table."""
    return range(patches.HEADER_WORDS, patches.HEADER_WORDS + count * patches.PHASE_WORDS, patches.PHASE_WORDS)


def _filter_gradient_replacement(converted_table: Callable[[np.ndarray], np.ndarray] = np.array) -> Replacement:
    def replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        operands: Any = launch.operands
        source, given, target, table = operands
        words = converted_table(table.array)
        many, columns = int(words[patches.ROWS_WORD]), int(words[COLUMNS_WORD])
        rows = _terms_in_windows(words, patches.GRADIENT_HEADER_WORDS, many, np.dtype(dtypes["T"]).itemsize)
        lines = [words[TARGET_IMAGE_WORD], *words[TARGET_WORD : TARGET_WORD + 3]]
        counts = Constant(np.array([outer // max(1, inner) for outer, inner in itertools.pairwise(lines)]))
        tiles = int(words[CHUNKS_WORD] * words[GROUPS_WORD]) * -(-many // TILE_SIDE) * -(-columns // TILE_SIDE)
        return [
            device_launch(gather_filters, dtypes, (source, given, target, Constant(words), rows, counts, many), tiles)
        ]

    return replacement


REPLACEMENTS: dict[Any, Replacement] = {
    patches.slide.function: _slide_replacement(),
    patches.slide_lanes.function: _slide_replacement(_depthwise_table),
    few_channels.slide_few_channels.function: _few_channels_replacement,
    patches.gather_filters.function: _filter_gradient_replacement(),
    patches.gather_lanes.function: _filter_gradient_replacement(_depthwise_table),
}
"""The table of `choice`."""
