"""Convolutions as matrix products of windows that are never unfolded in memory.

For a block of positions, the part of the input that their windows touch is copied to the stack (a patch), with zeros
outside of the input. If all windows are inside, nothing is copied. For images of few positions nothing is copied either:
positions are grouped by the cells that they have inside the input (`geometry.phases_inside`). Tables give the offsets of
each position's row and of each cell's term (`multiply_windows`). A table begins with the numbers below. Blocks, chains and
the order of sums follow from shapes alone.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from fastgrad._src.jit.body import (
    call_step,
    local_array,
    multiply_windows,
    multiply_windows_depthwise,
    panel_columns,
    scalar_function,
    specialized,
)
from fastgrad._src.jit.build import Kernel, kernel
from fastgrad._src.kernels.math.vector_math import greatest, least

SUM_DTYPES = ("float32", "float64", "int32")
MOST_PATCH_ELEMENTS = 32768  # most elements of a patch: the literal in the bodies below
MOST_CHAIN_TERMS = 384  # the longest chain: longer sums are sums of chains of equal lengths

# Words of a table, most of them three for depth, height and width: numbers of blocks; positions and images of a block.
BLOCKS_WORD, BLOCK_WORD, BLOCK_IMAGES_WORD = 0, 3, 6
# Images; sizes and channels of the source; the stride between positions; the first patch's start, its extent; copied.
(
    IMAGES_WORD, SOURCE_WORD, SOURCE_CHANNELS_WORD, MOVE_WORD,
    START_WORD, EXTENT_WORD, COPIED_WORD,
) = 7, 8, 11, 12, 15, 18, 21  # fmt: skip
# The strides of the result in elements, between images, planes, lines and positions.
TARGET_IMAGE_WORD, TARGET_WORD = 22, 23
# The number of groups; the strides between groups in the source, the filters and the result; columns of a group.
GROUPS_WORD, SOURCE_GROUP_WORD, FILTER_GROUP_WORD, TARGET_GROUP_WORD, COLUMNS_WORD = 26, 27, 28, 29, 30
# The phases, each with its filters. Each has: positions, offsets of rows, offsets of terms, their number, start.
PHASES_WORD, ITEM_BYTES_WORD, HEADER_WORDS = 31, 32, 33
POSITIONS_WORD, ROWS_AT_WORD, TERMS_AT_WORD, DEPTH_WORD, TARGET_AT_WORD, PHASE_WORDS = 0, 3, 4, 5, 6, 7
# For gradients of filters, instead of phases. Each term list, of one cell's rows or of all, has: positions, offsets.
(
    CHUNKS_WORD, CHUNK_SIZE_WORD, ROW_SHARES_WORD,
    ROWS_WORD, GRADIENT_ROWS_AT_WORD, TERM_LISTS_WORD, GRADIENT_HEADER_WORDS,
) = 31, 32, 33, 34, 35, 36, 37  # fmt: skip
LIST_TERMS_AT_WORD, LIST_WORDS = 3, 4


def result_sizes(table: np.ndarray) -> list[int]:
    """Returns the depth, height and width of the result of a table without strides between phases."""
    strides = [int(table[TARGET_IMAGE_WORD]), *table[TARGET_WORD : TARGET_WORD + 3].tolist()]
    return [outer // max(1, inner) for outer, inner in itertools.pairwise(strides)]


multiply = multiply_windows  # the bodies below call it; each kernel is compiled with its own
IS_DEPTHWISE = 0  # 1 if each column of filters reads its own channel of the source


@scalar_function
def copy_patch(source, patch, table, image, images, a, b, c):
    """patch = the part of the source that the windows of the block at (image, a, b, c) touch."""
    channels = table[SOURCE_CHANNELS_WORD]
    depth, height, width = table[SOURCE_WORD], table[SOURCE_WORD + 1], table[SOURCE_WORD + 2]
    high, wide = table[EXTENT_WORD + 1], table[EXTENT_WORD + 2]
    at_a = a * table[MOVE_WORD] + table[START_WORD]
    at_b = b * table[MOVE_WORD + 1] + table[START_WORD + 1]
    at_c = c * table[MOVE_WORD + 2] + table[START_WORD + 2]
    left = least(greatest(-at_c, 0), wide)
    right = greatest(least(wide, width - at_c), left)
    for n in range(images):
        for i in range(table[EXTENT_WORD]):
            for j in range(high):
                to = ((n * table[EXTENT_WORD] + i) * high + j) * wide * channels
                x, y = at_a + i, at_b + j
                if x < 0 or x >= depth or y < 0 or y >= height:
                    for q in range(to, to + wide * channels):
                        patch[q] = T(0)
                    continue
                source_at = ((((image + n) * depth + x) * height + y) * width + at_c) * channels
                for q in range(left * channels):
                    patch[to + q] = T(0)
                for q in range(left * channels, right * channels):
                    patch[to + q] = source[source_at + q]
                for q in range(right * channels, wide * channels):
                    patch[to + q] = T(0)


@scalar_function
def block_position(table, block_number):
    """Returns a block's first image, its number of images, and its first position (a, b, c)."""
    in_a, in_b, in_c = table[BLOCKS_WORD], table[BLOCKS_WORD + 1], table[BLOCKS_WORD + 2]
    c = block_number % in_c * table[BLOCK_WORD + 2]
    b = block_number // in_c % in_b * table[BLOCK_WORD + 1]
    a = block_number // (in_c * in_b) % in_a * table[BLOCK_WORD]
    image = block_number // (in_c * in_b * in_a) * table[BLOCK_IMAGES_WORD]
    return image, least(table[BLOCK_IMAGES_WORD], table[IMAGES_WORD] - image), a, b, c


@scalar_function
def block_position_count(table, sizes_at, a, b, c):
    """Returns the number of positions of the block at (a, b, c); the phase has its sizes at word `sizes_at`."""
    rows = greatest(least(table[BLOCK_WORD], table[sizes_at] - a), 0)
    rows *= greatest(least(table[BLOCK_WORD + 1], table[sizes_at + 1] - b), 0)
    return rows * greatest(least(table[BLOCK_WORD + 2], table[sizes_at + 2] - c), 0)


@scalar_function
def source_offset(table, image, a, b, c):
    """Returns the offset in the source at which the windows of the block at (image, a, b, c) begin."""
    x = image * table[SOURCE_WORD] + a * table[MOVE_WORD] + table[START_WORD]
    y = x * table[SOURCE_WORD + 1] + b * table[MOVE_WORD + 1] + table[START_WORD + 1]
    return (y * table[SOURCE_WORD + 2] + c * table[MOVE_WORD + 2] + table[START_WORD + 2]) * table[SOURCE_CHANNELS_WORD]


@scalar_function
def target_offset(table, image, a, b, c):
    """Returns the offset in the target of the position (a, b, c) of an image."""
    home = image * table[TARGET_IMAGE_WORD] + a * table[TARGET_WORD]
    return home + b * table[TARGET_WORD + 1] + c * table[TARGET_WORD + 2]


def _slide_windows(source, filters, target, table, epilogue_step, epilogue_words, first, last):
    """target = a convolution: windows of the source times filters. A unit of work is a block of positions.

    Args:
        source, filters, target: arrays; every element of target is written.
        table: the words above.
        epilogue_step, epilogue_words: an epilogue, a map over the elements of target, or 0, as in `gemm`.
        first, last: the units to do.
    """
    patch = local_array(T, 32768)
    panel = panel_columns(T)
    for unit in range(first, last):
        image, images, a, b, c = block_position(table, unit)
        x, x_at = source, source_offset(table, image, a, b, c)
        if table[COPIED_WORD] != 0:
            copy_patch(source, patch, table, image, images, a, b, c)
            x, x_at = patch, 0
        home = target_offset(table, image, a, b, c)
        rows_done = 0
        for number in range(table[PHASES_WORD]):
            phase = HEADER_WORDS + number * PHASE_WORDS
            rows = images * block_position_count(table, phase + POSITIONS_WORD, a, b, c)
            rows_done += rows
            depth, rows_at, terms_at = (
                table[phase + DEPTH_WORD],
                table[phase + ROWS_AT_WORD],
                table[phase + TERMS_AT_WORD],
            )
            to = home + table[phase + TARGET_AT_WORD]
            if depth == 0:
                for r in range(rows):
                    row = to + table[rows_at + 2 * r + 1] // table[ITEM_BYTES_WORD]
                    for q in range(table[GROUPS_WORD] * table[TARGET_GROUP_WORD]):
                        target[row + q] = T(0)
                continue
            chains = (depth + MOST_CHAIN_TERMS - 1) // MOST_CHAIN_TERMS
            length = (depth + chains - 1) // chains
            for group in range(table[GROUPS_WORD]):
                for column in range(0, table[COLUMNS_WORD], panel):
                    columns = least(panel, table[COLUMNS_WORD] - column)
                    at = x_at + group * table[SOURCE_GROUP_WORD] + column * IS_DEPTHWISE
                    filters_at = group * table[FILTER_GROUP_WORD] + column
                    target_at = to + group * table[TARGET_GROUP_WORD] + column
                    for chain in range(chains):
                        term = chain * length
                        multiply(
                            x, at, filters, filters_at, target, target_at, term, table, terms_at + 2 * term,
                            least(length, depth - term), rows_at, rows, columns,
                        )  # fmt: skip
        if epilogue_step != 0:
            call_step(epilogue_step, epilogue_words, home, home + rows_done * table[TARGET_WORD + 2])


def _gather_windows(source, cotangents, target, table, first, last):
    """target = partial sums of a filter gradient, by chunk of blocks: windows of the source times `cotangents`.

    A unit of work is a share of the rows for a chunk.
    """
    patch = local_array(T, 32768)
    panel = panel_columns(T)
    blocks = (table[IMAGES_WORD] + table[BLOCK_IMAGES_WORD] - 1) // table[BLOCK_IMAGES_WORD]
    blocks *= table[BLOCKS_WORD] * table[BLOCKS_WORD + 1] * table[BLOCKS_WORD + 2]
    list_rows = table[ROWS_WORD] // table[TERM_LISTS_WORD]
    if blocks == 0:  # an empty sum
        for i in range(table[CHUNK_SIZE_WORD]):
            target[i] = T(0)
    for unit in range(first, last):
        chunk = unit // table[ROW_SHARES_WORD]
        share = unit - chunk * table[ROW_SHARES_WORD]
        first_row = table[ROWS_WORD] * share // table[ROW_SHARES_WORD]
        end_row = table[ROWS_WORD] * (share + 1) // table[ROW_SHARES_WORD]
        first_block = blocks * chunk // table[CHUNKS_WORD]
        for block in range(first_block, blocks * (chunk + 1) // table[CHUNKS_WORD]):
            image, images, a, b, c = block_position(table, block)
            x, x_at = source, source_offset(table, image, a, b, c)
            if table[COPIED_WORD] != 0:
                copy_patch(source, patch, table, image, images, a, b, c)
                x, x_at = patch, 0
            home = target_offset(table, image, a, b, c)
            row = first_row
            while row < end_row:
                number = row // list_rows
                rows = least(end_row, (number + 1) * list_rows) - row
                rows_at = table[GRADIENT_ROWS_AT_WORD] + 2 * row
                row += rows
                terms = GRADIENT_HEADER_WORDS + number * LIST_WORDS
                depth = images * block_position_count(table, terms, a, b, c)
                terms_at = table[terms + LIST_TERMS_AT_WORD]
                chains = (depth + MOST_CHAIN_TERMS - 1) // MOST_CHAIN_TERMS
                length = (depth + chains - 1) // chains
                for group in range(table[GROUPS_WORD]):
                    for column in range(0, table[COLUMNS_WORD], panel):
                        columns = least(panel, table[COLUMNS_WORD] - column)
                        at = x_at + group * table[SOURCE_GROUP_WORD] + column * IS_DEPTHWISE
                        cotangents_at = home + group * table[FILTER_GROUP_WORD] + column
                        target_at = chunk * table[CHUNK_SIZE_WORD] + group * table[TARGET_GROUP_WORD] + column
                        for chain in range(chains):
                            term = chain * length
                            multiply(
                                x, at, cotangents, cotangents_at, target, target_at, (block - first_block) + term, table,
                                terms_at + 2 * term, least(length, depth - term), rows_at, rows, columns,
                            )  # fmt: skip


@kernel("parts: in[T], total: out[T], count: int, size: int, first: int, last: int", T=SUM_DTYPES, noalias=True)
def add_chunks(parts, total, count, size, first, last):
    """total = the sum of `count` arrays of `size` elements; a unit is an element."""
    for i in range(first, last):
        total[i] = T(0)
    for part in range(count):
        for i in range(first, last):
            total[i] += parts[part * size + i]


def _patch_kernel(function: Any, name: str, signature: str, depthwise: bool) -> Kernel:
    names = {
        "multiply": multiply_windows_depthwise if depthwise else multiply_windows,
        "IS_DEPTHWISE": int(depthwise),
    }
    return kernel(signature, T=SUM_DTYPES)(specialized(function, name, function.__doc__, **names))


_SLIDE_SIGNATURE = (
    "source: in[T], filters: in[T], target: out[T], table: in[int64], epilogue_step: int, epilogue_words: int, "
    "first: int, last: int"
)
_GATHER_SIGNATURE = "source: in[T], cotangents: in[T], target: out[T], table: in[int64], first: int, last: int"
slide = _patch_kernel(_slide_windows, "slide", _SLIDE_SIGNATURE, False)
slide_lanes = _patch_kernel(_slide_windows, "slide_lanes", _SLIDE_SIGNATURE, True)
gather_filters = _patch_kernel(_gather_windows, "gather_filters", _GATHER_SIGNATURE, False)
gather_lanes = _patch_kernel(_gather_windows, "gather_lanes", _GATHER_SIGNATURE, True)
