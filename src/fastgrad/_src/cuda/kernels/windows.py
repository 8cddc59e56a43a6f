"""Convolutions and their gradients: one thread for four neighbouring channels of the result, which share the thread's reads of the source.

The tables are the CPU's (`kernels.convolution.patches`), except that a term, or a row of a filter gradient, is a place in a window,
not in a patch: nothing is copied, and elements outside the input are 0. A CPU kernel keeps patches on the stack; the many
threads of a GPU have no memory for patches. Sums are chains of multiply-adds in the order of the terms. Each channel of a depthwise
convolution is a group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastgrad._src.cuda.codegen.kernel import device_kernel_of
from fastgrad._src.cuda.kernels.products import add_parts_launch
from fastgrad._src.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad._src.jit.body import by_dtype, fused_multiply_add, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.convolution import few_channels, patches
from fastgrad._src.kernels.convolution.patches import (
    CHUNK_SIZE_WORD,
    CHUNKS_WORD,
    COLUMNS_WORD,
    DEPTH_WORD,
    FILTER_GROUP_WORD,
    GROUPS_WORD,
    HEADER_WORDS,
    IMAGES_WORD,
    MOST_CHAIN_TERMS,
    MOVE_WORD,
    PHASE_WORDS,
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
    TERMS_AT_WORD,
)
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.runtime.launch import Constant, Launch


def _multiply_add_floats(a, b, c):
    """Returns a b + c for floats, rounded once."""
    return fused_multiply_add(a, b, c)


def _multiply_add_integers(a, b, c):
    return T(a * b + c)


multiply_add = by_dtype(float32=_multiply_add_floats, float64=_multiply_add_floats, int32=_multiply_add_integers)


@scalar_function
def source_element(source, places, image, a, b, c, offsets, at, group):
    """Returns the source element that a result position reads at offsets and a channel; 0 outside the source."""
    x = a * places[MOVE_WORD] + places[START_WORD] + offsets[at]
    y = b * places[MOVE_WORD + 1] + places[START_WORD + 1] + offsets[at + 1]
    z = c * places[MOVE_WORD + 2] + places[START_WORD + 2] + offsets[at + 2]
    channel = offsets[at + 3] + group * places[SOURCE_GROUP_WORD]
    depth, height, width = places[SOURCE_WORD], places[SOURCE_WORD + 1], places[SOURCE_WORD + 2]
    if x < 0 or x >= depth or y < 0 or y >= height or z < 0 or z >= width:
        return T(0)
    return source[(((image * depth + x) * height + y) * width + z) * places[SOURCE_CHANNELS_WORD] + channel]


@scalar_function
def image_and_position(position_number, counts, counts_at):
    """Returns the image of a result position, and its three coordinates, from the position's number."""
    in_a, in_b, in_c = counts[counts_at], counts[counts_at + 1], counts[counts_at + 2]
    line = position_number // in_c
    plane = line // in_b
    return plane // in_a, plane % in_a, line % in_b, position_number - line * in_c


@scalar_function
def further_columns(remaining):
    """Returns the offsets of the second, third and fourth column of a thread; those beyond the last one read the last one."""
    return least(1, remaining - 1), least(2, remaining - 1), least(3, remaining - 1)


@scalar_function
def store_four(target, at, remaining, t0, t1, t2, t3):
    """Stores the sums of up to four columns, as many as remain."""
    target[at] = t0
    if remaining > 1:
        target[at + 1] = t1
    if remaining > 2:
        target[at + 2] = t2
    if remaining > 3:
        target[at + 3] = t3


@scalar_function
def phase_positions(places, phase):
    """Returns the number of result positions of a phase, in all images."""
    at = phase + POSITIONS_WORD
    return places[IMAGES_WORD] * places[at] * places[at + 1] * places[at + 2]


@scalar_function
def result_index(places, image, a, b, c):
    """Returns the index of the first channel of a convolution's result at position (a, b, c) of an image."""
    return (
        image * places[TARGET_IMAGE_WORD]
        + a * places[TARGET_WORD]
        + b * places[TARGET_WORD + 1]
        + c * places[TARGET_WORD + 2]
    )


@kernel(
    "source: in[T], filters: in[T], target: out[T], places: in[int64], terms: in[int64], first: int, last: int",
    noalias=True,
    T=SUM_DTYPES,
)
def slide(source, filters, target, places, terms, first, last):
    """Convolves a source with filters. A unit is up to four columns of a group at a result position, phase by phase."""
    columns, groups = places[COLUMNS_WORD], places[GROUPS_WORD]
    fours = (columns + 3) // 4
    for unit in range(first, last):
        line = unit // fours
        column = 4 * (unit - line * fours)
        second, third, fourth = further_columns(columns - column)
        number = line // groups
        group = line - number * groups
        phase = HEADER_WORDS
        while number >= phase_positions(places, phase):
            number -= phase_positions(places, phase)
            phase += PHASE_WORDS
        image, a, b, c = image_and_position(number, places, phase + POSITIONS_WORD)
        depth, terms_at = places[phase + DEPTH_WORD], places[phase + TERMS_AT_WORD]
        chains = (depth + MOST_CHAIN_TERMS - 1) // MOST_CHAIN_TERMS
        filter_at = group * places[FILTER_GROUP_WORD] + column
        t0, t1, t2, t3 = T(0), T(0), T(0), T(0)
        for chain in range(chains):
            length = (depth + chains - 1) // chains
            p0, p1, p2, p3 = T(0), T(0), T(0), T(0)
            end = terms_at + 5 * least((chain + 1) * length, depth)
            for term in range(terms_at + 5 * chain * length, end, 5):
                x = source_element(source, places, image, a, b, c, terms, term, group)
                at = filter_at + terms[term + 4]
                p0 = multiply_add(x, filters[at], p0)
                if columns > 1:
                    p1 = multiply_add(x, filters[at + second], p1)
                    p2 = multiply_add(x, filters[at + third], p2)
                    p3 = multiply_add(x, filters[at + fourth], p3)
            t0, t1, t2, t3 = t0 + p0, t1 + p1, t2 + p2, t3 + p3
        at = places[phase + TARGET_AT_WORD] + group * places[TARGET_GROUP_WORD] + column
        store_four(target, at + result_index(places, image, a, b, c), columns - column, t0, t1, t2, t3)


@kernel(
    "source: in[T], cotangents: in[T], target: out[T], places: in[int64], rows: in[int64], counts: in[int64], "
    "row_count: int, first: int, last: int",
    noalias=True,
    T=SUM_DTYPES,
)
def gather_filters(source, cotangents, target, places, rows, counts, row_count, first, last):
    """The gradient of filters over chunks of result positions. A unit is up to four columns of a filter row, group and chunk."""
    count = places[IMAGES_WORD] * counts[0] * counts[1] * counts[2]
    columns, groups = places[COLUMNS_WORD], places[GROUPS_WORD]
    fours = (columns + 3) // 4
    for unit in range(first, last):
        line = unit // fours
        column = 4 * (unit - line * fours)
        second, third, fourth = further_columns(columns - column)
        row = 5 * (line % row_count)
        group = line // row_count % groups
        chunk = line // (row_count * groups)
        t0, t1, t2, t3 = T(0), T(0), T(0), T(0)
        number = count * chunk // places[CHUNKS_WORD]
        image, a, b, c = image_and_position(number, counts, 0)
        for _ in range(number, count * (chunk + 1) // places[CHUNKS_WORD]):
            at = result_index(places, image, a, b, c) + group * places[FILTER_GROUP_WORD] + column
            x = source_element(source, places, image, a, b, c, rows, row, group)
            t0 = multiply_add(x, cotangents[at], t0)
            if columns > 1:
                t1 = multiply_add(x, cotangents[at + second], t1)
                t2 = multiply_add(x, cotangents[at + third], t2)
                t3 = multiply_add(x, cotangents[at + fourth], t3)
            c += 1
            if c == counts[2]:  # a division for each position would take longer than the sum
                c, b = 0, b + 1
                if b == counts[1]:
                    b, a = 0, a + 1
                    if a == counts[0]:
                        a, image = 0, image + 1
        at = chunk * places[CHUNK_SIZE_WORD] + group * places[TARGET_GROUP_WORD] + column
        store_four(target, at + rows[row + 4], columns - column, t0, t1, t2, t3)


# ---- replacements of CPU kernels -------------------------------------------------------------------------


_GATHERING_UNITS = 1 << 18
"""About how many threads gather filters, as far as their sums are long enough; a GPU of 2024 runs that many at once."""
_LEAST_POSITIONS_OF_PART = 16


def _terms_in_windows(table: np.ndarray, begin: int, count: int, item_bytes: int) -> np.ndarray:
    """Converts a table's pairs (patch offset, filter offset) to rows (coordinates, channel, filter offset)."""
    pairs = table[begin : begin + 2 * count].reshape(-1, 2) // item_bytes
    channels = max(1, int(table[SOURCE_CHANNELS_WORD]))
    at = patches.EXTENT_WORD if table[patches.COPIED_WORD] else SOURCE_WORD
    _, high, wide = table[at : at + 3]
    inside, channel = np.divmod(pairs[:, 0], channels)
    line, c = np.divmod(inside, max(1, wide))
    a, b = np.divmod(line, max(1, high))
    return np.stack([a, b, c, channel, pairs[:, 1]], -1).reshape(-1)


def _table_with_groups(table: np.ndarray, groups: int, columns: int) -> np.ndarray:
    """Returns a copy of a convolution's table for other groups, whose channels and filters are neighbours."""
    table = table.copy()
    table[[GROUPS_WORD, SOURCE_GROUP_WORD, FILTER_GROUP_WORD, TARGET_GROUP_WORD, COLUMNS_WORD]] = (
        groups,
        1,
        1,
        1,
        columns,
    )
    return table


def _with_columns_as_groups(table: np.ndarray) -> np.ndarray:
    """Returns a depthwise convolution's table for `slide`, with each of its columns as a group."""
    return _table_with_groups(table, int(table[COLUMNS_WORD]), 1)


def _slide_launch(arrays: tuple[Any, ...], table: np.ndarray, terms: list[np.ndarray], dtypes: Any) -> Launch:
    """Returns the launch of `slide` for the phases of a convolution's table, with the terms of each phase."""
    table = table.copy()
    at = units = 0
    for phase, found in zip(_phase_offsets(len(terms)), terms, strict=True):
        table[[phase + DEPTH_WORD, phase + TERMS_AT_WORD]] = len(found) // 5, at
        at += len(found)
        positions = int(table[IMAGES_WORD] * table[phase + POSITIONS_WORD : phase + POSITIONS_WORD + 3].prod())
        units += positions * int(table[GROUPS_WORD]) * _threads_per_group(table)
    return device_launch(_slide, dtypes, (*arrays, Constant(table), Constant(np.concatenate(terms))), units)


def _slide_replacement(converted_table: Callable[[np.ndarray], np.ndarray] = np.array) -> Replacement:
    def replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        operands: Any = launch.operands
        *arrays, table, _, _ = operands
        words = converted_table(table.array)
        terms = []
        for phase in _phase_offsets(words[patches.PHASES_WORD]):
            depth, terms_at = int(words[phase + DEPTH_WORD]), int(words[phase + TERMS_AT_WORD])
            terms.append(_terms_in_windows(words, terms_at, depth, int(words[patches.ITEM_BYTES_WORD])))
        return [_slide_launch(arrays, words, terms, dtypes)]

    return replacement


def _few_channels_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `slide_few_channels`; filters have `WIDTH` numbers for each channel of the source."""
    operands: Any = launch.operands
    *arrays, table = operands
    width, channels = int(table.array[few_channels.WIDTH_WORD]), np.arange(table.array[SOURCE_CHANNELS_WORD])
    words = _table_with_groups(table.array, 1, int(table.array[few_channels.COLUMNS_WORD]))
    terms = []
    for phase in _phase_offsets(table.array[few_channels.PHASES_WORD]):
        begin, cells = int(words[phase + few_channels.CELLS_AT_WORD]), int(words[phase + few_channels.CELL_COUNT_WORD])
        inside, row = np.divmod(words[begin : begin + cells, None], width)
        place = np.unravel_index(inside, tuple(words[patches.EXTENT_WORD : patches.EXTENT_WORD + 3]))
        columns = np.broadcast_arrays(*place, channels, row + channels * width)
        terms.append(np.stack(columns, -1).reshape(-1).astype(np.int64))
    return [_slide_launch(arrays, words, terms, dtypes)]


def _threads_per_group(table: np.ndarray) -> int:
    """Returns how many threads a group's columns take."""
    return -(-int(table[COLUMNS_WORD]) // 4)


def _phase_offsets(phase_count: int) -> range:
    """Returns the word offset of each phase in a convolution's table."""
    return range(HEADER_WORDS, HEADER_WORDS + phase_count * PHASE_WORDS, PHASE_WORDS)


def _filter_gradient_replacement(converted_table: Callable[[np.ndarray], np.ndarray] = np.array) -> Replacement:
    def replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        operands: Any = launch.operands
        source, cotangents, target, table = operands
        words = converted_table(table.array)
        row_count = int(words[patches.ROWS_WORD])
        rows = _terms_in_windows(
            words, int(words[patches.GRADIENT_ROWS_AT_WORD]), row_count, np.dtype(dtypes["T"]).itemsize
        )
        counts = Constant(np.array(patches.result_sizes(words)))
        chunks, size = int(words[CHUNKS_WORD]), int(words[CHUNK_SIZE_WORD])
        units = chunks * int(words[GROUPS_WORD]) * row_count * _threads_per_group(words)
        positions = int(words[IMAGES_WORD] * np.prod(counts.array)) // chunks
        parts = max(min(-(-_GATHERING_UNITS // units), positions // _LEAST_POSITIONS_OF_PART), 1)
        gathered = target if parts == 1 else memory.add(dtypes["T"], chunks * parts * size)
        words = words.copy()
        words[CHUNKS_WORD] = chunks * parts
        arrays = source, cotangents, gathered, Constant(words), Constant(rows), counts
        gather = device_launch(_gather_filters, dtypes, (*arrays, row_count), parts * units)
        return [gather] if parts == 1 else [gather, add_parts_launch(dtypes, gathered, target, parts, size, chunks)]

    return replacement


_slide, _gather_filters = device_kernel_of(slide), device_kernel_of(gather_filters)

REPLACEMENTS: dict[Any, Replacement] = {
    patches.slide.function: _slide_replacement(),
    patches.slide_lanes.function: _slide_replacement(_with_columns_as_groups),
    few_channels.slide_few_channels.function: _few_channels_replacement,
    patches.gather_filters.function: _filter_gradient_replacement(),
    patches.gather_lanes.function: _filter_gradient_replacement(_with_columns_as_groups),
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
