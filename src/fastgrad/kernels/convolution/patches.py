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
    multiply_lanes,
    multiply_windows,
    panel_columns,
    scalar_function,
    specialized,
)
from fastgrad.kernels.codegen.build import Kernel, kernel
from fastgrad.kernels.math.vector_math import greatest, least

SUMS = ("float32", "float64", "int32")
PATCH_ELEMENTS = 32768  # most elements of a patch: the literal in the bodies below
LONGEST_CHAIN = 384  # the longest chain: longer sums are sums of chains of equal lengths

# Words of a table, most of them three for depth, height and width: numbers of blocks; places and images of a block.
BLOCKS, BLOCK, BLOCK_IMAGES = 0, 3, 6
# The images; sizes and channels of the source; the stride between places; the first patch's start; its extent; copied.
IMAGES, SOURCE, SOURCE_CHANNELS, MOVE, START, EXTENT, COPIED = 7, 8, 11, 12, 15, 18, 21
# The strides of the result in elements, between images, planes, lines and places.
TARGET_IMAGE, TARGET = 22, 23
# The number of groups; the strides between groups in the source, the filters and the result; columns of a group.
GROUPS, SOURCE_GROUP, FILTER_GROUP, TARGET_GROUP, COLUMNS = 26, 27, 28, 29, 30
# The phases, which have filters of their own. Each has: places, offsets of rows, offsets of terms, their number, start.
PHASES, ITEM_BYTES, HEADER = 31, 32, 33
PLACES, ROWS_AT, TERMS_AT, DEPTH, TARGET_AT, PHASE = 0, 3, 4, 5, 6, 7
# For gradients of filters, in the place of phases.
CHUNKS, CHUNK_SIZE, ROW_SHARES, ROWS, GIVEN_CHANNELS, GRADIENT_HEADER = 31, 32, 33, 34, 35, 36

multiply = multiply_windows  # the bodies below call it; each kernel is compiled with its own
SOURCE_PANEL = 0  # whether the source advances with the columns


@scalar_function
def copy_patch(source, patch, places, image, images, a, b, c):
    """patch = the part of the source that the windows of the block at (image, a, b, c) touch."""
    channels = places[SOURCE_CHANNELS]
    depth, height, width = places[SOURCE], places[SOURCE + 1], places[SOURCE + 2]
    high, wide = places[EXTENT + 1], places[EXTENT + 2]
    at_a = a * places[MOVE] + places[START]
    at_b = b * places[MOVE + 1] + places[START + 1]
    at_c = c * places[MOVE + 2] + places[START + 2]
    left = least(greatest(-at_c, 0), wide)
    right = greatest(least(wide, width - at_c), left)
    for n in range(images):
        for i in range(places[EXTENT]):
            for j in range(high):
                to = ((n * places[EXTENT] + i) * high + j) * wide * channels
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
def block_position(places, number):
    """Returns the first image of the block with this number, its number of images, and its first place."""
    in_a, in_b, in_c = places[BLOCKS], places[BLOCKS + 1], places[BLOCKS + 2]
    c = number % in_c * places[BLOCK + 2]
    b = number // in_c % in_b * places[BLOCK + 1]
    a = number // (in_c * in_b) % in_a * places[BLOCK]
    image = number // (in_c * in_b * in_a) * places[BLOCK_IMAGES]
    return image, least(places[BLOCK_IMAGES], places[IMAGES] - image), a, b, c


@scalar_function
def block_place_count(places, at, a, b, c):
    """Returns the number of places of a block that begins at (a, b, c), in a phase whose sizes begin at the word `at`."""
    rows = greatest(least(places[BLOCK], places[at] - a), 0)
    rows *= greatest(least(places[BLOCK + 1], places[at + 1] - b), 0)
    return rows * greatest(least(places[BLOCK + 2], places[at + 2] - c), 0)


@scalar_function
def source_offset(places, image, a, b, c):
    """Returns the offset in the source at which the windows of the block at (image, a, b, c) begin."""
    x = image * places[SOURCE] + a * places[MOVE] + places[START]
    y = x * places[SOURCE + 1] + b * places[MOVE + 1] + places[START + 1]
    return (y * places[SOURCE + 2] + c * places[MOVE + 2] + places[START + 2]) * places[SOURCE_CHANNELS]


def _slide_windows(source, filters, target, places, step, words, first, last):
    """target = the windows of source times filters. A unit of work is a block of places.

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
        if places[COPIED] != 0:
            copy_patch(source, patch, places, image, images, a, b, c)
            x, x_at = patch, 0
        home = image * places[TARGET_IMAGE] + a * places[TARGET] + b * places[TARGET + 1] + c * places[TARGET + 2]
        rows = 0
        for number in range(places[PHASES]):
            phase = HEADER + number * PHASE
            rows = images * block_place_count(places, phase + PLACES, a, b, c)
            depth, rows_at, terms_at = places[phase + DEPTH], places[phase + ROWS_AT], places[phase + TERMS_AT]
            to = home + places[phase + TARGET_AT]
            if depth == 0:
                for r in range(rows):
                    row = to + places[rows_at + 2 * r + 1] // places[ITEM_BYTES]
                    for q in range(places[GROUPS] * places[TARGET_GROUP]):
                        target[row + q] = T(0)
                continue
            chains = (depth + LONGEST_CHAIN - 1) // LONGEST_CHAIN
            length = (depth + chains - 1) // chains
            for group in range(places[GROUPS]):
                for column in range(0, places[COLUMNS], panel):
                    columns = least(panel, places[COLUMNS] - column)
                    at = x_at + group * places[SOURCE_GROUP] + column * SOURCE_PANEL
                    filters_at = group * places[FILTER_GROUP] + column
                    target_at = to + group * places[TARGET_GROUP] + column
                    for chain in range(chains):
                        term = chain * length
                        multiply(
                            x, at, filters, filters_at, target, target_at, term, places, terms_at + 2 * term,
                            least(length, depth - term), rows_at, rows, columns,
                        )  # fmt: skip
        if step != 0:
            call_step(step, words, home, home + rows * places[TARGET + 2])


def _gather_windows(source, given, target, places, first, last):
    """target = the products of the source's windows with `given` at their places, for each chunk of blocks.

    A unit of work is a share of the rows for a chunk.
    """
    patch = local_array(T, 32768)
    panel = panel_columns(T)
    blocks = (places[IMAGES] + places[BLOCK_IMAGES] - 1) // places[BLOCK_IMAGES]
    blocks *= places[BLOCKS] * places[BLOCKS + 1] * places[BLOCKS + 2]
    terms_at = GRADIENT_HEADER + 2 * places[ROWS]
    if blocks == 0:  # an empty sum
        for i in range(places[CHUNK_SIZE]):
            target[i] = T(0)
    for unit in range(first, last):
        chunk = unit // places[ROW_SHARES]
        share = unit - chunk * places[ROW_SHARES]
        row = places[ROWS] * share // places[ROW_SHARES]
        rows = places[ROWS] * (share + 1) // places[ROW_SHARES] - row
        rows_at = GRADIENT_HEADER + 2 * row
        first_block = blocks * chunk // places[CHUNKS]
        for block in range(first_block, blocks * (chunk + 1) // places[CHUNKS]):
            image, images, a, b, c = block_position(places, block)
            x, x_at = source, source_offset(places, image, a, b, c)
            if places[COPIED] != 0:
                copy_patch(source, patch, places, image, images, a, b, c)
                x, x_at = patch, 0
            home = image * places[TARGET_IMAGE] + a * places[TARGET] + b * places[TARGET + 1] + c * places[TARGET + 2]
            depth = images * least(places[BLOCK], places[TARGET_IMAGE] // places[TARGET] - a)
            depth *= least(places[BLOCK + 1], places[TARGET] // places[TARGET + 1] - b)
            depth *= least(places[BLOCK + 2], places[TARGET + 1] // places[TARGET + 2] - c)
            chains = (depth + LONGEST_CHAIN - 1) // LONGEST_CHAIN
            length = (depth + chains - 1) // chains
            for group in range(places[GROUPS]):
                for column in range(0, places[COLUMNS], panel):
                    columns = least(panel, places[COLUMNS] - column)
                    at = x_at + group * places[SOURCE_GROUP] + column * SOURCE_PANEL
                    given_at = home + group * places[FILTER_GROUP] + column
                    target_at = chunk * places[CHUNK_SIZE] + group * places[TARGET_GROUP] + column
                    for chain in range(chains):
                        term = chain * length
                        multiply(
                            x, at, given, given_at, target, target_at, (block - first_block) + term, places,
                            terms_at + 2 * term, least(length, depth - term), rows_at, rows, columns,
                        )  # fmt: skip


@kernel("parts: in[T], total: out[T], count: int, size: int, first: int, last: int", T=SUMS, noalias=True)
def add_chunks(parts, total, count, size, first, last):
    """total = the sum of `count` arrays of `size` elements; a unit is an element."""
    for i in range(first, last):
        total[i] = T(0)
    for part in range(count):
        for i in range(first, last):
            total[i] += parts[part * size + i]


def _patch_kernel(function: Any, name: str, signature: str, by_lane: bool) -> Kernel:
    names = {"multiply": multiply_lanes if by_lane else multiply_windows, "SOURCE_PANEL": int(by_lane)}
    return kernel(signature, T=SUMS)(specialized(function, name, function.__doc__, **names))


_SLIDE = (
    "source: in[T], filters: in[T], target: out[T], places: in[int64], step: int, words: int, first: int, last: int"
)
_GATHER = "source: in[T], given: in[T], target: out[T], places: in[int64], first: int, last: int"
slide = _patch_kernel(_slide_windows, "slide", _SLIDE, False)
slide_lanes = _patch_kernel(_slide_windows, "slide_lanes", _SLIDE, True)
gather_filters = _patch_kernel(_gather_windows, "gather_filters", _GATHER, False)
gather_lanes = _patch_kernel(_gather_windows, "gather_lanes", _GATHER, True)
