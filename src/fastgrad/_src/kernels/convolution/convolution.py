"""Convolutions and their gradients as launches, for arrays of known shapes, with the tables of `patches`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.convolution import few_channels, patches
from fastgrad._src.kernels.convolution.geometry import (
    Block,
    Sizes,
    StridePhase,
    Windows,
    are_windows_inside,
    block_of_whole_images,
    element_offsets,
    extent_of_one_window,
    input_gradient_stride_phases,
    largest_block,
    phases_inside,
    positions_inside,
    strides_of,
    window_cells,
    windows_of,
)
from fastgrad._src.kernels.convolution.patches import (
    MOST_PATCH_ELEMENTS,
    SUM_DTYPES,
    add_chunks,
    gather_filters,
    gather_lanes,
    slide,
    slide_lanes,
)
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.runtime.launch import (
    Constant,
    Input,
    KernelEntry,
    Launch,
    Launches,
    Operand,
    Output,
    Scratch,
    Spec,
)

PRODUCT_NANOSECONDS = 0.02  # nanoseconds for a multiplication and an addition, about
MOST_BLOCK_POSITIONS = 256  # positions of a block: enough for each block to read the filters from a far cache
MOST_PARTIAL_SUMS = 8  # partial sums of a gradient of filters, which threads can compute in parallel
MOST_PARTIAL_SUM_ELEMENTS = 1 << 18  # most elements of the partial sums
LEAST_UNITS = 12  # units of a gradient of filters, so that no thread is idle for long
MOST_TABLE_TERMS = 1 << 15  # most terms of all phases, which are read from the second cache
LEAST_CELL_ROWS = 16  # least channels for which each cell has its own list of terms
LEAST_ROWS = 32  # rows of the gradient in a unit, each of which copies its patches


def _table_header(
    windows: Windows,
    source: Sizes,
    channels: int,
    block: Block,
    position_counts: Sizes,
    position_stride: Sizes,
    patch_start: Sizes,
) -> list[int]:
    """Returns the words before `TARGET_IMAGE_WORD` of the table that `patches` describes: blocks, source, patches."""
    blocks = [-(-count // size) if size else 0 for count, size in zip(position_counts, block.positions, strict=True)]
    numbers = [*blocks, *block.positions, block.images, windows.images, *source, channels]
    return [*numbers, *position_stride, *patch_start, *block.extent, int(block.copied)]


# ---- results of windows ----------------------------------------------------------------------------------


def _window_launches(
    dtype: np.dtype,
    windows: Windows,
    source: tuple[Operand, Sizes, int],
    filters: tuple[Operand, Sizes],
    target: tuple[Sizes, int, Sizes],
    patch_geometry: tuple[Sizes, Sizes, Sizes],
    phases: list[StridePhase],
    epilogue: Launch | None = None,
) -> Launches:
    """Returns the launches that multiply windows of an array by filters and write the products to the first output.

    Args:
        dtype, windows: of the convolution.
        source: the array that is read, its sizes and its channels in a group.
        filters: the array, and its strides in elements between cells, terms and groups.
        target: the sizes of the result, its channels in a group, and the stride between positions of a phase.
        patch_geometry: for the array that is read: the stride between positions, the start of the first position's
            patch, and its extent.
        phases: the phases that share the patches.
        epilogue: a map over the elements of the result.
    """
    array, sizes, depth = source
    move = patch_geometry[0]
    depthwise, groups, bytes_ = windows.is_depthwise, windows.groups, dtype.itemsize
    channels, outs = depth * groups, target[1] * groups
    counts = tuple(map(max, zip(*[phase.positions for phase in phases], strict=True)))
    array, sizes, start, block, before, scratch = _source_blocks(
        dtype, array, windows.images, sizes, channels, counts, patch_geometry, MOST_BLOCK_POSITIONS
    )
    whole = block_of_whole_images(windows.images, counts, block.extent, MOST_BLOCK_POSITIONS) if block.copied else None
    if whole is not None:
        inside = phases_inside(phases, patch_geometry, sizes, target[2], whole.images)
        if inside is not None and sum(len(phase.cells) for phase in inside) * depth <= MOST_TABLE_TERMS:
            phases, start, block = inside, (0, 0, 0), whole
    patch = strides_of(block.extent if block.copied else sizes, channels)
    result = strides_of(target[0], outs)
    steps = (result[0], *[n * s for n, s in zip(result[1:], target[2], strict=True)])
    lanes = (1, 0, 0, outs, outs) if depthwise else (groups, depth, filters[1][2], target[1], target[1])
    head = [*_table_header(windows, sizes, channels, block, counts, move, start), *steps, *lanes, len(phases), bytes_]
    tables: list[np.ndarray] = []
    at = patches.HEADER_WORDS + len(phases) * patches.PHASE_WORDS
    for phase in phases:
        size = (block.images, *map(min, block.positions, phase.positions))
        moved = (patch[0], *[n * m for n, m in zip(patch[1:], move, strict=True)])
        rows = np.stack([element_offsets(size, moved), element_offsets(size, steps)], -1)
        terms = _term_offsets(phase, patch[1:], filters[1], 1 if depthwise else depth)
        home = sum(n * s for n, s in zip(phase.first, result[1:], strict=True))
        head += [*phase.positions, at, at + rows.size, len(terms), home]
        at += rows.size + terms.size
        tables += [rows.reshape(-1) * bytes_, terms.reshape(-1) * bytes_]
    table = np.concatenate([np.array(head, np.int64), *tables])
    units = -(-windows.images // block.images) * prod(head[:3])
    work = sum(len(phase.cells) * prod(phase.positions) for phase in phases) * windows.images * depth * outs
    cost = PRODUCT_NANOSECONDS * bytes_ / 4 * work + (0.0 if epilogue is None else epilogue.unit_cost * epilogue.units)
    step = (0, 0) if epilogue is None else (KernelEntry(epilogue.kernel), epilogue)
    function = (slide_lanes if depthwise else slide)[dtype]
    launch = Launch(function, (array, filters[0], Output(0), Constant(table), *step), units, cost / max(units, 1))
    return Launches((*before, launch), scratch)


def _few_channel_launches(
    dtype: np.dtype,
    windows: Windows,
    source: tuple[Sizes, int],
    strides: tuple[int, int],
    target: tuple[Sizes, int, Sizes],
    patch_geometry: tuple[Sizes, Sizes, Sizes],
    phases: list[StridePhase],
) -> Launches | None:
    """Returns a convolution's launches by the method for few output channels (`few_channels`), or None.

    The array is the first input, the filters are the second.

    Args:
        dtype, windows, target, patch_geometry, phases: as in `_window_launches`.
        source: the sizes of the array that is read, and its channels.
        strides: the strides of the filters in elements, between terms and between channels of the result.

    Returns:
        None if this is not better.
    """
    (sizes, depth), (move, start, spans), outs = source, patch_geometry, target[1]
    cells = prod(windows.kernel)
    width = cells * outs
    if (
        windows.groups > 1
        or outs > few_channels.MOST_OUTPUT_CHANNELS
        or min(cells, depth) < few_channels.LEAST_WINDOW_CELLS
    ):
        return None
    counts: Sizes = tuple(map(max, zip(*[phase.positions for phase in phases], strict=True)))
    room = max(depth, width * (MOST_PATCH_ELEMENTS // few_channels.MOST_BLOCK_PRODUCTS))
    block = largest_block(windows.images, counts, move, spans, room, MOST_BLOCK_POSITIONS, True)
    if block is None:
        return None
    result, bytes_ = strides_of(target[0], outs), dtype.itemsize
    steps = (result[0], *[n * s for n, s in zip(result[1:], target[2], strict=True)])
    patch = strides_of(block.extent, 1)
    head = [*_table_header(windows, sizes, depth, block, counts, move, start), *steps, width, outs, patch[0]]
    at = few_channels.HEADER_WORDS + len(phases) * few_channels.PHASE_WORDS
    row_numbers, term_numbers = np.arange(block.images * patch[0]), np.arange(depth)
    rows = np.stack([row_numbers * depth, row_numbers * width], -1) * bytes_
    terms = np.stack([term_numbers, term_numbers * width], -1) * bytes_
    head += [at, depth, at + rows.size, len(phases)]
    at += rows.size + terms.size
    tables = [rows.reshape(-1), terms.reshape(-1)]
    moved = (patch[0], *[n * m for n, m in zip(patch[1:], move, strict=True)])
    for phase in phases:
        size = (block.images, *map(min, block.positions, phase.positions))
        pairs = np.stack([element_offsets(size, moved) * width, element_offsets(size, steps)], -1)
        inside = [
            sum(n * stride for n, stride in zip(position, patch[1:], strict=True)) * width + number * outs
            for number, position in phase.cells
        ]
        home = sum(n * s for n, s in zip(phase.first, result[1:], strict=True))
        head += [*phase.positions, at, at + pairs.size, len(inside), home]
        at += pairs.size + len(inside)
        tables += [pairs.reshape(-1), np.array(inside, np.int64)]
    table = Constant(np.concatenate([np.array(head, np.int64), *tables]))
    units = -(-windows.images // block.images) * prod(head[:3])
    work = windows.images * prod(sizes) * depth * width
    spread, cell = Scratch(0), windows.group * windows.outs
    turn = Launch(few_channels.spread_filters[dtype], (Input(1), spread, cells, outs, cell, *strides), depth, width)
    slide_ = few_channels.slide_few_channels[dtype]
    launch = Launch(
        slide_, (Input(0), spread, Output(0), table), units, PRODUCT_NANOSECONDS * bytes_ / 4 * work / max(units, 1)
    )
    return Launches((turn, launch), ((dtype, depth * width),))


def _term_offsets(phase: StridePhase, patch: Sizes, filters: Sizes, depth: int) -> np.ndarray:
    """Returns a pair for each term of a window's sum: its offset in the window, and its filter row's offset."""
    cells = np.array([number for number, _ in phase.cells], np.int64)
    positions = np.array([position for _, position in phase.cells], np.int64).reshape(-1, 3)
    deep = np.arange(depth)
    inside = (positions * np.array(patch)).sum(-1)[:, None] + deep
    return np.stack([inside.reshape(-1), (cells[:, None] * filters[0] + deep * filters[1]).reshape(-1)], -1)


def _source_blocks(
    dtype: np.dtype,
    array: Operand,
    images: int,
    sizes: Sizes,
    channels: int,
    position_counts: Sizes,
    patch_geometry: tuple[Sizes, Sizes, Sizes],
    most_positions: int,
) -> tuple[Operand, Sizes, Sizes, Block, tuple[Launch, ...], tuple[tuple[np.dtype, int], ...]]:
    """Returns the array that windows slide over, or its padded copy if even one patch is too large, and the blocks.

    Args:
        dtype, array, images, sizes, channels: of the array that is read.
        position_counts: the numbers of positions.
        patch_geometry: as in `_window_launches`.
        most_positions: the most positions of a block.

    Returns:
        The array, its sizes, the start of the first position's patch, the blocks, and the launches that copy the array
        with the scratch memory for it.
    """
    move, start, spans = patch_geometry
    copied = not are_windows_inside(position_counts, move, start, spans, sizes)
    block = largest_block(images, position_counts, move, spans, channels, most_positions, copied)
    if block is not None:
        return array, sizes, start, block, (), ()
    ends = tuple([(n - 1) * m + span for n, m, span in zip(position_counts, move, spans, strict=True)])
    copy = Launch(pad[dtype], (array, Scratch(0), *sizes, channels, *start, *ends), images * prod(ends))
    block = largest_block(images, position_counts, move, spans, channels, most_positions, False)
    assert block is not None
    return Scratch(0), ends, (0, 0, 0), block, (copy,), ((dtype, images * prod(ends) * channels),)


@kernel(
    "x: in[T], y: out[T], d: int, h: int, w: int, channels: int, start_d: int, start_h: int, start_w: int, depth: int, "
    "height: int, width: int, first: int, last: int",
    T=SUM_DTYPES,
    noalias=True,
)
def pad(x, y, d, h, w, channels, start_d, start_h, start_w, depth, height, width, first, last):
    """y = x padded with zeros; y begins at the position (start_d, start_h, start_w) of x. A unit is a position of y."""
    for unit in range(first, last):
        c = unit % width + start_w
        b = unit // width % height + start_h
        a = unit // (width * height) % depth + start_d
        n = unit // (width * height * depth)
        inside = a >= 0 and a < d and b >= 0 and b < h and c >= 0 and c < w
        at = (((n * d + a) * h + b) * w + c) * channels
        for q in range(channels):
            y[unit * channels + q] = x[at + q] if inside else T(0)


# ---- launches of the operations ------------------------------------------------------------------------


@with_half_floats
def convolution_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """``tf.nn.convolution`` of an input and filters; the channels give the number of groups."""
    return _direct_launches(inputs, outputs, None, **window)


def _direct_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], epilogue: Launch | None, **window: Any
) -> Launches | None:
    """``tf.nn.convolution`` with an optional map over its elements as epilogue; not for half-width floats."""
    x, filters = inputs
    windows = windows_of(x.shape, filters.shape, outputs[0].shape[1:-1], **window)
    if windows is None or x.dtype.name not in SUM_DTYPES:
        return None
    phase = StridePhase(windows.outputs, (0, 0, 0), window_cells(windows))
    start = tuple([-n for n in windows.before])
    target = windows.outputs, windows.filters_per_group, (1, 1, 1)
    reading = windows.strides, start, extent_of_one_window(windows)
    few = _few_channel_launches(
        x.dtype, windows, (windows.sizes, windows.group), (windows.outs, 1), target, reading, [phase]
    )
    if few is not None and epilogue is None:
        return few
    source = Input(0), windows.sizes, windows.group
    read_filters = Input(1), (windows.group * windows.outs, windows.outs, windows.filters_per_group)
    return _window_launches(x.dtype, windows, source, read_filters, target, reading, [phase], epilogue)


def convolution_launches_with_epilogue(
    inputs: Sequence[Spec], outputs: Sequence[Spec], following: Launch | None, **window: Any
) -> Launches | None:
    """Returns the launches of a convolution with an epilogue; None if its kernels need scratch memory."""
    launches = _direct_launches(inputs, outputs, following, **window)
    return None if launches is None or launches.scratch else launches


@kernel(
    "filters: in[T], transposed: out[T], cells: int, ins: int, groups: int, outs: int, first: int, last: int",
    T=SUM_DTYPES,
)
def transpose_filters(filters, transposed, cells, ins, groups, outs, first, last):
    """transposed[cell, part, o, q] = filters[cell, q, part, o]; a group has `ins` and `outs` channels."""
    for unit in range(first, last):
        cell = unit // groups
        part = unit - cell * groups
        for o in range(outs):
            for q in range(ins):
                transposed[(unit * outs + o) * ins + q] = filters[((cell * ins + q) * groups + part) * outs + o]


@with_half_floats
def convolution_input_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], input_shape: Sizes, **window: Any
) -> Launches | None:
    """Returns launches for the input's cotangent: products of the result's with filters, by phase of the strides."""
    g, filters = inputs
    windows = windows_of((g.shape[0], *input_shape), filters.shape, g.shape[1:-1], **window)
    if windows is None or g.dtype.name not in SUM_DTYPES:
        return None
    start, spans, phases = input_gradient_stride_phases(windows)
    each, group = windows.filters_per_group, windows.group
    target, reading = (windows.sizes, group, windows.strides), ((1, 1, 1), start, spans)
    few = _few_channel_launches(g.dtype, windows, (windows.outputs, each), (1, windows.outs), target, reading, phases)
    if few is not None:
        return few
    turned = None if windows.is_depthwise else Scratch(1)
    read_filters = turned or Input(1), (group * windows.outs, group, each * group)
    source = Input(0), windows.outputs, each
    found = _window_launches(g.dtype, windows, source, read_filters, target, reading, phases)
    if turned is None:
        return found
    cells = prod(windows.kernel)
    operands = Input(1), turned, cells, group, windows.groups, each
    turn = Launch(transpose_filters[g.dtype], operands, cells * windows.groups, prod(filters.shape) / cells)
    scratch = found.scratch or ((g.dtype, 0),)
    return Launches((turn, *found.launches), (*scratch, (g.dtype, prod(filters.shape))))


@with_half_floats
def convolution_filter_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], filter_shape: Sizes, **window: Any
) -> Launches | None:
    """Returns launches for the filters' cotangent, from the input and the result's: sums of chunks, and a total."""
    x, g = inputs
    windows = windows_of(x.shape, filter_shape, g.shape[1:-1], **window)
    if windows is None or x.dtype.name not in SUM_DTYPES:
        return None
    move, spans = windows.strides, extent_of_one_window(windows)
    start: Sizes = tuple([-n for n in windows.before])
    array, sizes, start, block, before, scratch = _source_blocks(
        x.dtype, Input(0), windows.images, windows.sizes, windows.channels, windows.outputs, (move, start, spans),
        patches.MOST_CHAIN_TERMS,
    )  # fmt: skip
    lists: list[tuple[Sizes, Sizes]] = [(windows.outputs, (0, 0, 0))]
    phase = StridePhase(windows.outputs, (0, 0, 0), window_cells(windows))
    whole = None
    if block.copied and windows.group >= LEAST_CELL_ROWS:
        whole = block_of_whole_images(windows.images, windows.outputs, block.extent, patches.MOST_CHAIN_TERMS)
    if whole is not None:
        inside = positions_inside(phase, (move, start, spans), windows.sizes)
        if inside is not None:
            lists, block = inside, whole
    scratch = scratch or ((x.dtype, 0),)
    depthwise, outs, size = windows.is_depthwise, windows.outs, prod(filter_shape)
    head = _table_header(windows, sizes, windows.channels, block, windows.outputs, move, start)
    blocks = -(-windows.images // block.images) * prod(head[:3])
    chunks = max(1, min(MOST_PARTIAL_SUMS, blocks, MOST_PARTIAL_SUM_ELEMENTS // size))
    patch = strides_of(block.extent if block.copied else sizes, windows.channels)
    result = strides_of(windows.outputs, outs)
    rows = _term_offsets(phase, patch[1:], (windows.group * outs, outs), windows.group)
    shares = 1 if depthwise or not blocks else max(1, min(-(-LEAST_UNITS // chunks), len(rows) // LEAST_ROWS))
    lanes = (1, 0, 0, outs, outs) if depthwise else (windows.groups, windows.group, *[windows.filters_per_group] * 3)
    rows_at = patches.GRADIENT_HEADER_WORDS + patches.LIST_WORDS * len(lists)
    head += [*result, *lanes, chunks, size, shares, len(rows), rows_at, len(lists)]
    moved = (patch[0], *[n * m for n, m in zip(patch[1:], move, strict=True)])
    pairs, at = [rows], rows_at + rows.size
    for counts, first in lists:
        inner = (block.images, *map(min, block.positions, counts))
        terms = np.stack([element_offsets(inner, moved), element_offsets(inner, result)], -1)
        pairs.append(terms + np.array([np.dot(first, moved[1:]), np.dot(first, result[1:])]))
        head += [*counts, at]
        at += terms.size
    positions = np.concatenate([offsets.reshape(-1) for offsets in pairs]) * x.dtype.itemsize
    table = Constant(np.concatenate([np.array(head, np.int64), positions]))
    total = Output(0) if chunks == 1 else Scratch(1)
    cost = PRODUCT_NANOSECONDS * x.dtype.itemsize / 4 * prod(g.shape) * windows.group * prod(windows.kernel)
    function = (gather_lanes if depthwise else gather_filters)[x.dtype]
    gather = Launch(function, (array, Input(1), total, table), chunks * shares, cost / (chunks * shares))
    if chunks == 1:
        return Launches((*before, gather), scratch)
    add = Launch(add_chunks[x.dtype], (total, Output(0), chunks, size), size, 0.1 * chunks)
    return Launches((*before, gather, add), (*scratch, (x.dtype, chunks * size)))
