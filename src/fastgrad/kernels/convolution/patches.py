"""Convolutions as matrix products of windows that are never unfolded in memory.

For a block of places, the part of the input that their windows touch is copied to the stack (a patch), with zeros
outside of the input. If all windows are inside, nothing is copied. Tables give the offsets of each place's row and of
each cell's term (`multiply_windows`). A table begins with the numbers below. Blocks, chains and the order of sums
follow from shapes alone.
"""

from __future__ import annotations

from typing import Any

from fastgrad.kernels.codegen.body import (
    call_step,
    local_array,
    multiply_windows,
    multiply_windows_depthwise,
    panel_columns,
    scalar_function,
    specialized,
)
from fastgrad.kernels.codegen.build import Kernel, kernel
from fastgrad.kernels.math.vector_math import greatest, least

SUM_DTYPES = ("float32", "float64", "int32")
MOST_PATCH_ELEMENTS = 32768  # most elements of a patch: the literal in the bodies below
MOST_CHAIN_TERMS = 384  # the longest chain: longer sums are sums of chains of equal lengths

# Words of a table, most of them three for depth, height and width: numbers of blocks; places and images of a block.
BLOCKS_WORD, BLOCK_WORD, BLOCK_IMAGES_WORD = 0, 3, 6
# The images; sizes and channels of the source; the stride between places; the first patch's start; its extent; copied.
(
    IMAGES_WORD, SOURCE_WORD, SOURCE_CHANNELS_WORD, MOVE_WORD,
    START_WORD, EXTENT_WORD, COPIED_WORD,
) = 7, 8, 11, 12, 15, 18, 21  # fmt: skip
# The strides of the result in elements, between images, planes, lines and places.
TARGET_IMAGE_WORD, TARGET_WORD = 22, 23
# The number of groups; the strides between groups in the source, the filters and the result; columns of a group.
GROUPS_WORD, SOURCE_GROUP_WORD, FILTER_GROUP_WORD, TARGET_GROUP_WORD, COLUMNS_WORD = 26, 27, 28, 29, 30
# The phases, which have filters of their own. Each has: places, offsets of rows, offsets of terms, their number, start.
PHASES_WORD, ITEM_BYTES_WORD, HEADER_WORDS = 31, 32, 33
PLACES_WORD, ROWS_AT_WORD, TERMS_AT_WORD, DEPTH_WORD, TARGET_AT_WORD, PHASE_WORDS = 0, 3, 4, 5, 6, 7
# For gradients of filters, in the place of phases.
(
    CHUNKS_WORD, CHUNK_SIZE_WORD, ROW_SHARES_WORD,
    ROWS_WORD, GIVEN_CHANNELS_WORD, GRADIENT_HEADER_WORDS,
) = 31, 32, 33, 34, 35, 36  # fmt: skip

multiply = multiply_windows  # the bodies below call it; each kernel is compiled with its own
SOURCE_FOLLOWS_COLUMNS = 0  # whether the source advances with the columns


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
    """Returns the first image of the block with this number, its number of images, and its first place."""
    in_a, in_b, in_c = table[BLOCKS_WORD], table[BLOCKS_WORD + 1], table[BLOCKS_WORD + 2]
    c = block_number % in_c * table[BLOCK_WORD + 2]
    b = block_number // in_c % in_b * table[BLOCK_WORD + 1]
    a = block_number // (in_c * in_b) % in_a * table[BLOCK_WORD]
    image = block_number // (in_c * in_b * in_a) * table[BLOCK_IMAGES_WORD]
    return image, least(table[BLOCK_IMAGES_WORD], table[IMAGES_WORD] - image), a, b, c


@scalar_function
def block_place_count(table, sizes_at, a, b, c):
    """Returns how many places the block at (a, b, c) has, in a phase with sizes from the table's word `sizes_at` on."""
    rows = greatest(least(table[BLOCK_WORD], table[sizes_at] - a), 0)
    rows *= greatest(least(table[BLOCK_WORD + 1], table[sizes_at + 1] - b), 0)
    return rows * greatest(least(table[BLOCK_WORD + 2], table[sizes_at + 2] - c), 0)


@scalar_function
def source_offset(table, image, a, b, c):
    """Returns the offset in the source at which the windows of the block at (image, a, b, c) begin."""
    x = image * table[SOURCE_WORD] + a * table[MOVE_WORD] + table[START_WORD]
    y = x * table[SOURCE_WORD + 1] + b * table[MOVE_WORD + 1] + table[START_WORD + 1]
    return (y * table[SOURCE_WORD + 2] + c * table[MOVE_WORD + 2] + table[START_WORD + 2]) * table[SOURCE_CHANNELS_WORD]


def _slide_windows(source, filters, target, places, step, words, first, last):
    """target = a convolution: windows of the source times filters. A unit of work is a block of places.

    Args:
        source, filters, target: arrays; every element of target is written.
        places: the table.
        step, words: an epilogue, a map over the elements of target, or 0, as in `gemm`.
        first, last: the units to do.
    """
    patch = local_array(T, 32768)
    panel = panel_columns(T)
    for unit in range(first, last):
        image, images, a, b, c = block_position(places, unit)
        x, x_at = source, source_offset(places, image, a, b, c)
        if places[COPIED_WORD] != 0:
            copy_patch(source, patch, places, image, images, a, b, c)
            x, x_at = patch, 0
        home = (
            image * places[TARGET_IMAGE_WORD]
            + a * places[TARGET_WORD]
            + b * places[TARGET_WORD + 1]
            + c * places[TARGET_WORD + 2]
        )
        rows = 0
        for number in range(places[PHASES_WORD]):
            phase = HEADER_WORDS + number * PHASE_WORDS
            rows = images * block_place_count(places, phase + PLACES_WORD, a, b, c)
            depth, rows_at, terms_at = (
                places[phase + DEPTH_WORD],
                places[phase + ROWS_AT_WORD],
                places[phase + TERMS_AT_WORD],
            )
            to = home + places[phase + TARGET_AT_WORD]
            if depth == 0:
                for r in range(rows):
                    row = to + places[rows_at + 2 * r + 1] // places[ITEM_BYTES_WORD]
                    for q in range(places[GROUPS_WORD] * places[TARGET_GROUP_WORD]):
                        target[row + q] = T(0)
                continue
            chains = (depth + MOST_CHAIN_TERMS - 1) // MOST_CHAIN_TERMS
            length = (depth + chains - 1) // chains
            for group in range(places[GROUPS_WORD]):
                for column in range(0, places[COLUMNS_WORD], panel):
                    columns = least(panel, places[COLUMNS_WORD] - column)
                    at = x_at + group * places[SOURCE_GROUP_WORD] + column * SOURCE_FOLLOWS_COLUMNS
                    filters_at = group * places[FILTER_GROUP_WORD] + column
                    target_at = to + group * places[TARGET_GROUP_WORD] + column
                    for chain in range(chains):
                        term = chain * length
                        multiply(
                            x, at, filters, filters_at, target, target_at, term, places, terms_at + 2 * term,
                            least(length, depth - term), rows_at, rows, columns,
                        )  # fmt: skip
        if step != 0:
            call_step(step, words, home, home + rows * places[TARGET_WORD + 2])


def _gather_windows(source, given, target, places, first, last):
    """target = a filter gradient's partial sums: windows of the source times cotangents `given`, by chunk of blocks.

    A unit of work is a share of the rows for a chunk.
    """
    patch = local_array(T, 32768)
    panel = panel_columns(T)
    blocks = (places[IMAGES_WORD] + places[BLOCK_IMAGES_WORD] - 1) // places[BLOCK_IMAGES_WORD]
    blocks *= places[BLOCKS_WORD] * places[BLOCKS_WORD + 1] * places[BLOCKS_WORD + 2]
    terms_at = GRADIENT_HEADER_WORDS + 2 * places[ROWS_WORD]
    if blocks == 0:  # an empty sum
        for i in range(places[CHUNK_SIZE_WORD]):
            target[i] = T(0)
    for unit in range(first, last):
        chunk = unit // places[ROW_SHARES_WORD]
        share = unit - chunk * places[ROW_SHARES_WORD]
        row = places[ROWS_WORD] * share // places[ROW_SHARES_WORD]
        rows = places[ROWS_WORD] * (share + 1) // places[ROW_SHARES_WORD] - row
        rows_at = GRADIENT_HEADER_WORDS + 2 * row
        first_block = blocks * chunk // places[CHUNKS_WORD]
        for block in range(first_block, blocks * (chunk + 1) // places[CHUNKS_WORD]):
            image, images, a, b, c = block_position(places, block)
            x, x_at = source, source_offset(places, image, a, b, c)
            if places[COPIED_WORD] != 0:
                copy_patch(source, patch, places, image, images, a, b, c)
                x, x_at = patch, 0
            home = (
                image * places[TARGET_IMAGE_WORD]
                + a * places[TARGET_WORD]
                + b * places[TARGET_WORD + 1]
                + c * places[TARGET_WORD + 2]
            )
            depth = images * least(places[BLOCK_WORD], places[TARGET_IMAGE_WORD] // places[TARGET_WORD] - a)
            depth *= least(places[BLOCK_WORD + 1], places[TARGET_WORD] // places[TARGET_WORD + 1] - b)
            depth *= least(places[BLOCK_WORD + 2], places[TARGET_WORD + 1] // places[TARGET_WORD + 2] - c)
            chains = (depth + MOST_CHAIN_TERMS - 1) // MOST_CHAIN_TERMS
            length = (depth + chains - 1) // chains
            for group in range(places[GROUPS_WORD]):
                for column in range(0, places[COLUMNS_WORD], panel):
                    columns = least(panel, places[COLUMNS_WORD] - column)
                    at = x_at + group * places[SOURCE_GROUP_WORD] + column * SOURCE_FOLLOWS_COLUMNS
                    given_at = home + group * places[FILTER_GROUP_WORD] + column
                    target_at = chunk * places[CHUNK_SIZE_WORD] + group * places[TARGET_GROUP_WORD] + column
                    for chain in range(chains):
                        term = chain * length
                        multiply(
                            x, at, given, given_at, target, target_at, (block - first_block) + term, places,
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
        "SOURCE_FOLLOWS_COLUMNS": int(depthwise),
    }
    return kernel(signature, T=SUM_DTYPES)(specialized(function, name, function.__doc__, **names))


_SLIDE_SIGNATURE = (
    "source: in[T], filters: in[T], target: out[T], places: in[int64], step: int, words: int, first: int, last: int"
)
_GATHER_SIGNATURE = "source: in[T], given: in[T], target: out[T], places: in[int64], first: int, last: int"
slide = _patch_kernel(_slide_windows, "slide", _SLIDE_SIGNATURE, False)
slide_lanes = _patch_kernel(_slide_windows, "slide_lanes", _SLIDE_SIGNATURE, True)
gather_filters = _patch_kernel(_gather_windows, "gather_filters", _GATHER_SIGNATURE, False)
gather_lanes = _patch_kernel(_gather_windows, "gather_lanes", _GATHER_SIGNATURE, True)
