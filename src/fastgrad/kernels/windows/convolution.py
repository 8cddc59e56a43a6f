"""Which kernels convolutions and their gradients are, for arrays of known shapes: the tables of `patches`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fastgrad.kernels.building.build import kernel, step_address
from fastgrad.kernels.mapping.half import through_float32
from fastgrad.kernels.running.launch import Constant, Input, Launch, Launches, Operand, Output, Scratch, Spec
from fastgrad.kernels.windows import patches
from fastgrad.kernels.windows.patches import PATCH, SUMS, add_chunks, gather_filters, gather_lanes, slide, slide_lanes

PRODUCT = 0.02  # nanoseconds of a multiplication and addition, about
BLOCK_PLACES = 256  # places of a block: enough to read the filters from a far cache for each
MOST_CHUNKS = 8  # partial sums of a gradient of filters, which can be made at a time
CHUNKS_ELEMENTS = 1 << 18  # that partial sums may have

Sizes = tuple[int, ...]


class Windows(NamedTuple):
    """How windows slide, with three numbers of each kind, for depth, height and width.

    Attributes:
        images, sizes, channels: of what they slide over.
        kernel, outputs, strides, before, dilations: cells of a window, windows, and how those lie.
        group, outs: channels of a group that a filter reads, and filters in all.
    """

    images: int
    sizes: Sizes
    channels: int
    kernel: Sizes
    outputs: Sizes
    strides: Sizes
    before: Sizes
    dilations: Sizes
    group: int
    outs: int

    @property
    def groups(self) -> int:
        """In how many groups the channels are."""
        return self.channels // self.group

    @property
    def by_lane(self) -> bool:
        """Whether each channel has one filter of its own."""
        return self.group == 1 and self.outs == self.channels

    @property
    def each(self) -> int:
        """The filters of a group."""
        return self.outs // self.groups


class Block(NamedTuple):
    """The places that are done at a time.

    Attributes:
        images, places: how many.
        extent: of the patch that their windows touch.
        copied: whether it is copied; else windows lie inside of what is read.
    """

    images: int
    places: Sizes
    extent: Sizes
    copied: bool


class Phase(NamedTuple):
    """Places of a result that share their cells.

    Attributes:
        places: how many.
        first: the place of the first in the result.
        cells: for each cell its number and where it lies in the patch.
    """

    places: Sizes
    first: Sizes
    cells: list[tuple[int, Sizes]]


def windows_of(
    x: Sizes, filters: Sizes, outputs: Sizes, strides: Sizes, padding: Sequence[tuple[int, int]], dilations: Sizes
) -> Windows | None:
    """The windows over an array of shape x; None for more than three spatial dimensions."""
    free = 3 - len(outputs)
    if free < 0:
        return None
    found = [
        (*[neutral] * free, *values)
        for values, neutral in (
            (x[1:-1], 1),
            (filters[:-2], 1),
            (outputs, 1),
            (strides, 1),
            ([pair[0] for pair in padding], 0),
            (dilations, 1),
        )
    ]
    sizes, kernel, counts, moves, before, rates = found
    return Windows(x[0], sizes, x[-1], kernel, counts, moves, before, rates, *filters[-2:])


# ---- blocks --------------------------------------------------------------------------------------------


def _block(
    images: int, places: Sizes, moves: Sizes, spans: Sizes, channels: int, most: int, copied: bool
) -> Block | None:
    """As many places in a row as are best, of those of all images; None if not even the patch of one is small enough.

    Args:
        images, places: how many there are.
        moves, spans: from a place to the next one, and of one the extent.
        channels: of the patch.
        most: places, at most.
        copied: whether there is a patch.
    """
    sizes = (images, *places)

    def extent(block: Sequence[int]) -> Sizes:
        return tuple([(n - 1) * move + span for n, move, span in zip(block[1:], moves, spans, strict=True)])

    def fits(block: Sequence[int]) -> bool:
        return not copied or block[0] * prod(extent(block)) * channels <= PATCH

    block = [1, 1, 1, 1]
    if not fits(block):
        return None
    for axis in (3, 2, 1, 0):
        best = 1
        while best < sizes[axis]:
            block[axis] = best + 1
            if prod(block) > most or not fits(block):
                break
            best += 1
        block[axis] = -(-sizes[axis] // -(-sizes[axis] // best)) if sizes[axis] else 1  # all of about one size
        if block[axis] < sizes[axis]:
            break
    return Block(block[0], tuple(block[1:]), extent(block), copied)


def _offsets(shape: Sequence[int], strides: Sequence[int]) -> np.ndarray:
    """Where the elements of an array with strides lie, in row-major order."""
    at = np.zeros((), np.int64)
    for size, stride in zip(shape, strides, strict=True):
        at = at[..., None] + np.arange(size, dtype=np.int64) * stride
    return at.reshape(-1)


def _strides(sizes: Sequence[int], channels: int) -> Sizes:
    """Elements from an image, plane, line and place to the next of an array of places of these sizes."""
    found = [channels]
    for size in reversed(sizes):
        found.append(found[-1] * size)
    return tuple(reversed(found))


def _header(
    windows: Windows, source: Sizes, channels: int, block: Block, counts: Sizes, move: Sizes, start: Sizes
) -> list[int]:
    """The first words of a table, up to `TARGET_IMAGE`."""
    blocks = [-(-count // size) if size else 0 for count, size in zip(counts, block.places, strict=True)]
    numbers = [*blocks, *block.places, block.images, windows.images, *source, channels]
    return [*numbers, *move, *start, *block.extent, int(block.copied)]


def _inside(counts: Sizes, moves: Sizes, start: Sizes, spans: Sizes, sizes: Sizes) -> bool:
    """Whether no window is outside of what is read."""
    ends = [(count - 1) * move + at + span for count, move, at, span in zip(counts, moves, start, spans, strict=True)]
    return min(start) >= 0 and all(end <= size for end, size in zip(ends, sizes, strict=True))


# ---- results of windows ----------------------------------------------------------------------------------


def _sliding(
    dtype: np.dtype,
    windows: Windows,
    source: tuple[Operand, Sizes, int],
    filters: tuple[Operand, Sizes],
    target: tuple[Sizes, int, Sizes],
    reading: tuple[Sizes, Sizes, Sizes],
    phases: list[Phase],
    following: Launch | None = None,
) -> Launches:
    """The kernel that gives the first output.

    Args:
        dtype, windows: of the convolution.
        source: the array that is read, its sizes and its channels in a group.
        filters: the array, and elements from a cell, a term and a group to the next.
        target: sizes of the result, its channels in a group, and from a place of a phase to the next.
        reading: in what is read, from a place to the next one, where the patch of the first begins, and its extent.
        phases: which are done for the same patches.
        following: a map over the elements of the result.
    """
    array, sizes, depth = source
    move, start, spans = reading
    by_lane, groups, bytes_ = windows.by_lane, windows.groups, dtype.itemsize
    channels, outs = depth * groups, target[1] * groups
    counts = tuple(map(max, zip(*[phase.places for phase in phases], strict=True)))
    copied = not _inside(counts, move, start, spans, sizes)
    block = _block(windows.images, counts, move, spans, channels, BLOCK_PLACES, copied)
    before: tuple[Launch, ...] = ()
    scratch: tuple[tuple[np.dtype, int], ...] = ()
    if block is None:  # not even one window fits
        ends = [(n - 1) * m + span for n, m, span in zip(counts, move, spans, strict=True)]
        before, scratch = _padded(dtype, array, windows.images, sizes, channels, start, tuple(ends))
        array, sizes, start = Scratch(0), tuple(ends), (0, 0, 0)
        block = _block(windows.images, counts, move, spans, channels, BLOCK_PLACES, False)
    assert block is not None
    patch = _strides(block.extent if block.copied else sizes, channels)
    result = _strides(target[0], outs)
    steps = (result[0], *[n * s for n, s in zip(result[1:], target[2], strict=True)])
    lanes = (1, 0, 0, outs, outs) if by_lane else (groups, depth, filters[1][2], target[1], target[1])
    head = [*_header(windows, sizes, channels, block, counts, move, start), *steps, *lanes, len(phases), bytes_]
    tables: list[np.ndarray] = []
    at = patches.HEADER + len(phases) * patches.PHASE
    for phase in phases:
        size = (block.images, *map(min, block.places, phase.places))
        moved = (patch[0], *[n * m for n, m in zip(patch[1:], move, strict=True)])
        rows = np.stack([_offsets(size, moved), _offsets(size, steps)], -1)
        terms = _terms(phase, patch[1:], filters[1], 1 if by_lane else depth)
        home = sum(n * s for n, s in zip(phase.first, result[1:], strict=True))
        head += [*phase.places, at, at + rows.size, len(terms), home]
        at += rows.size + terms.size
        tables += [rows.reshape(-1) * bytes_, terms.reshape(-1) * bytes_]
    table = np.concatenate([np.array(head, np.int64), *tables])
    units = -(-windows.images // block.images) * prod(head[:3])
    work = sum(len(phase.cells) * prod(phase.places) for phase in phases) * windows.images * depth * outs
    cost = PRODUCT * bytes_ / 4 * work + (0.0 if following is None else following.unit_cost * following.units)
    step = (0, 0) if following is None else (step_address(following.kernel), following)
    function = (slide_lanes if by_lane else slide)[dtype]
    launch = Launch(function, (array, filters[0], Output(0), Constant(table), *step), units, cost / max(units, 1))
    return Launches((*before, launch), scratch)


def _terms(phase: Phase, patch: Sizes, filters: Sizes, depth: int) -> np.ndarray:
    """For each term where it lies behind a window's start, and its row of filters, in elements."""
    cells = np.array([number for number, _ in phase.cells], np.int64)
    places = np.array([place for _, place in phase.cells], np.int64).reshape(-1, 3)
    deep = np.arange(depth)
    inside = (places * np.array(patch)).sum(-1)[:, None] + deep
    return np.stack([inside.reshape(-1), (cells[:, None] * filters[0] + deep * filters[1]).reshape(-1)], -1)


def _cells(windows: Windows) -> list[tuple[int, Sizes]]:
    """For each cell of a window its number, and where it lies behind the window's start."""
    numbers = [range(n) for n in windows.kernel]
    places = [tuple([n * rate for n, rate in zip(cell, windows.dilations, strict=True)]) for cell in product(*numbers)]
    return list(enumerate(places))


def _spans(windows: Windows) -> Sizes:
    """The extent of a window."""
    return tuple([(n - 1) * rate + 1 for n, rate in zip(windows.kernel, windows.dilations, strict=True)])


def _padded(
    dtype: np.dtype, array: Operand, images: int, sizes: Sizes, channels: int, start: Sizes, ends: Sizes
) -> tuple[tuple[Launch, ...], tuple[tuple[np.dtype, int], ...]]:
    """A copy, in scratch memory, of what the windows touch, for windows that are too large for a patch."""
    numbers = *sizes, channels, *start, *ends
    return (Launch(pad[dtype], (array, Scratch(0), *numbers), images * prod(ends)),), (
        (dtype, images * prod(ends) * channels),
    )


@kernel(
    "x: in[T], y: out[T], d: int, h: int, w: int, channels: int, start_d: int, start_h: int, start_w: int, depth: int, "
    "height: int, width: int, first: int, last: int",
    T=SUMS,
    noalias=True,
)
def pad(x, y, d, h, w, channels, start_d, start_h, start_w, depth, height, width, first, last):
    """y = x with zeros around, from the place (start_d, start_h, start_w) on. A unit is a place of y."""
    for unit in range(first, last):
        c = unit % width + start_w
        b = unit // width % height + start_h
        a = unit // (width * height) % depth + start_d
        n = unit // (width * height * depth)
        inside = a >= 0 and a < d and b >= 0 and b < h and c >= 0 and c < w
        at = (((n * d + a) * h + b) * w + c) * channels
        for q in range(channels):
            y[unit * channels + q] = x[at + q] if inside else T(0)


# ---- the rows of the table that they are ---------------------------------------------------------------


@through_float32
def convolution_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """``tf.nn.convolution`` of an input and filters, in as many groups as its channels say."""
    return convolution_followed(inputs, outputs, None, **window)


def convolution_followed(
    inputs: Sequence[Spec], outputs: Sequence[Spec], following: Launch | None, **window: Any
) -> Launches | None:
    """The same with a map over its elements that follows, or None; not for half-width floats."""
    x, filters = inputs
    windows = windows_of(x.shape, filters.shape, outputs[0].shape[1:-1], **window)
    if windows is None or x.dtype.name not in SUMS:
        return None
    phase = Phase(windows.outputs, (0, 0, 0), _cells(windows))
    start = tuple([-n for n in windows.before])
    return _sliding(
        x.dtype,
        windows,
        (Input(0), windows.sizes, windows.group),
        (Input(1), (windows.group * windows.outs, windows.outs, windows.each)),
        (windows.outputs, windows.each, (1, 1, 1)),
        (windows.strides, start, _spans(windows)),
        [phase],
        following,
    )


@kernel("filters: in[T], turned: out[T], cells: int, group: int, groups: int, each: int, first: int, last: int", T=SUMS)
def turn_filters(filters, turned, cells, group, groups, each, first, last):
    """turned[cell, part, o, q] = filters[cell, q, part, o]."""
    for unit in range(first, last):
        cell = unit // groups
        part = unit - cell * groups
        for o in range(each):
            for q in range(group):
                turned[(unit * each + o) * group + q] = filters[((cell * group + q) * groups + part) * each + o]


@through_float32
def convolution_input_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], input_shape: Sizes, **window: Any
) -> Launches | None:
    """The cotangent of the input, from the result's and the filters: for each phase of the strides windows over that."""
    g, filters = inputs
    windows = windows_of((g.shape[0], *input_shape), filters.shape, g.shape[1:-1], **window)
    if windows is None or g.dtype.name not in SUMS:
        return None
    start, spans, phases = _phases(windows)
    each, group = windows.each, windows.group
    turned = None if windows.by_lane else Scratch(1)
    found = _sliding(
        g.dtype,
        windows,
        (Input(0), windows.outputs, each),
        (turned or Input(1), (group * windows.outs, group, each * group)),
        (windows.sizes, group, windows.strides),
        ((1, 1, 1), start, spans),
        phases,
    )
    if turned is None:
        return found
    cells = prod(windows.kernel)
    turn = Launch(
        turn_filters[g.dtype],
        (Input(1), turned, cells, group, windows.groups, each),
        cells * windows.groups,
        prod(filters.shape) / cells,
    )
    scratch = found.scratch or ((g.dtype, 0),)
    return Launches((turn, *found.launches), (*scratch, (g.dtype, prod(filters.shape))))


def _phases(windows: Windows) -> tuple[Sizes, Sizes, list[Phase]]:
    """For places of the input the windows that have them: where patches begin, their extent, and the phases."""
    start: list[int] = []
    spans: list[int] = []
    choices = []
    for size, cells, stride, before, rate in zip(
        windows.sizes, windows.kernel, windows.strides, windows.before, windows.dilations, strict=True
    ):
        found = []
        for first in range(max(1, min(stride, size))):
            # The window `at` places on has cell k at the phase's first place.
            hits = [
                (k, (first + before - k * rate) // stride)
                for k in range(cells)
                if not (first + before - k * rate) % stride
            ]
            found.append((first, -(-(size - first) // stride), hits))
        places = [at for _, _, hits in found for _, at in hits] or [0]
        start.append(min(places))
        spans.append(max(places) - min(places) + 1)
        choices.append(found)
    phases = []
    for parts in product(*choices):
        counts, firsts = tuple([part[1] for part in parts]), tuple([part[0] for part in parts])
        cells_: list[tuple[int, Sizes]] = []
        for chosen in product(*[part[2] for part in parts]):
            number = 0
            for (k, _), count in zip(chosen, windows.kernel, strict=True):
                number = number * count + k
            cells_.append((number, tuple([at - low for (_, at), low in zip(chosen, start, strict=True)])))
        phases.append(Phase(counts, firsts, cells_))
    return tuple(start), tuple(spans), phases


@through_float32
def convolution_filter_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], filter_shape: Sizes, **window: Any
) -> Launches | None:
    """The cotangent of the filters, from the input and the result's: a sum for each chunk of the blocks, and of those."""
    x, g = inputs
    windows = windows_of(x.shape, filter_shape, g.shape[1:-1], **window)
    if windows is None or x.dtype.name not in SUMS:
        return None
    move, spans = windows.strides, _spans(windows)
    start: Sizes = tuple([-n for n in windows.before])
    copied = not _inside(windows.outputs, move, start, spans, windows.sizes)
    array: Operand = Input(0)
    sizes = windows.sizes
    before: tuple[Launch, ...] = ()
    scratch: tuple[tuple[np.dtype, int], ...] = ((x.dtype, 0),)
    block = _block(windows.images, windows.outputs, move, spans, windows.channels, patches.TERMS, copied)
    if block is None:
        ends = tuple([(n - 1) * m + span for n, m, span in zip(windows.outputs, move, spans, strict=True)])
        before, scratch = _padded(x.dtype, array, windows.images, sizes, windows.channels, start, ends)
        array, sizes, start = Scratch(0), ends, (0, 0, 0)
        block = _block(windows.images, windows.outputs, move, spans, windows.channels, patches.TERMS, False)
    assert block is not None
    by_lane, outs, size = windows.by_lane, windows.outs, prod(filter_shape)
    head = _header(windows, sizes, windows.channels, block, windows.outputs, move, start)
    blocks = -(-windows.images // block.images) * prod(head[:3])
    chunks = max(1, min(MOST_CHUNKS, blocks, CHUNKS_ELEMENTS // size))
    patch = _strides(block.extent if block.copied else sizes, windows.channels)
    result = _strides(windows.outputs, outs)
    phase = Phase(windows.outputs, (0, 0, 0), _cells(windows))
    rows = _terms(phase, patch[1:], (windows.group * outs, outs), windows.group)
    shares = 1 if chunks > 1 or by_lane or not blocks else min(len(rows), max(1, len(rows) // 32))
    lanes = (
        (1, 0, 0, outs, outs) if by_lane else (windows.groups, windows.group, windows.each, windows.each, windows.each)
    )
    head += [*result, *lanes, chunks, size, shares, len(rows), outs]
    inner = (block.images, *block.places)
    moved = (patch[0], *[n * m for n, m in zip(patch[1:], move, strict=True)])
    terms = np.stack([_offsets(inner, moved), _offsets(inner, result)], -1)
    places = np.concatenate([rows.reshape(-1), terms.reshape(-1)]) * x.dtype.itemsize
    table = Constant(np.concatenate([np.array(head, np.int64), places]))
    total = Output(0) if chunks == 1 else Scratch(1)
    cost = PRODUCT * x.dtype.itemsize / 4 * prod(g.shape) * windows.group * prod(windows.kernel)
    function = (gather_lanes if by_lane else gather_filters)[x.dtype]
    gather = Launch(function, (array, Input(1), total, table), chunks * shares, cost / (chunks * shares))
    if chunks == 1:
        return Launches((*before, gather), scratch)
    add = Launch(add_chunks[x.dtype], (total, Output(0), chunks, size), size, 0.1 * chunks)
    return Launches((*before, gather, add), (*scratch, (x.dtype, chunks * size)))
