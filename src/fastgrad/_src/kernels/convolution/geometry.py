"""Geometry of windows: their number, the blocks of positions that are computed at a time, the cells of a position."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, product
from math import prod
from typing import NamedTuple

import numpy as np

from fastgrad._src.kernels.convolution.patches import MOST_PATCH_ELEMENTS
from fastgrad._src.kernels.convolution.sliding import window_sizes

Sizes = tuple[int, ...]
MOST_BORDER_PHASES = 25  # of a convolution; each has its own list of terms
BORDER_PHASE_ROWS = 3  # rows that take about as long as the begin and end of a phase


class Windows(NamedTuple):
    """The geometry of sliding windows, with three numbers of each kind, for depth, height and width.

    Attributes:
        images, sizes, channels: of the array over which windows slide.
        kernel, outputs, strides, before, dilations: cells of a window, number of windows, strides, padding before,
            dilations.
        group, outs: channels of a group that a filter reads, and all filters.
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
        """The number of groups of a grouped convolution's channels."""
        return self.channels // self.group

    @property
    def is_depthwise(self) -> bool:
        """True if each channel has one filter of its own."""
        return self.group == 1 and self.outs == self.channels

    @property
    def filters_per_group(self) -> int:
        """The number of output channels of each group of a grouped convolution."""
        return self.outs // self.groups


class Block(NamedTuple):
    """A block of positions of a convolution's result that are computed at a time, from one patch of the input.

    Attributes:
        images, positions: their numbers.
        extent: the extent of the patch that their windows touch.
        copied: whether the patch is copied; else all windows are inside of the array that is read.
    """

    images: int
    positions: Sizes
    extent: Sizes
    copied: bool


class StridePhase(NamedTuple):
    """The positions of a result that read the same cells of filters, such as one phase of the strides of a gradient.

    Attributes:
        positions: their numbers.
        first: the first position in the result.
        cells: the number of each cell, and its position in the patch of the first position.
    """

    positions: Sizes
    first: Sizes
    cells: list[tuple[int, Sizes]]


def windows_of(
    x: Sizes, filters: Sizes, outputs: Sizes, strides: Sizes, padding: Sequence[tuple[int, int]], dilations: Sizes
) -> Windows | None:
    """Returns the windows over an array of shape x; None for more than three spatial dimensions."""
    numbers = window_sizes(x[1:-1], filters[:-2], outputs, strides, padding, dilations)
    if numbers is None:
        return None
    sizes, kernel, counts, moves, before, rates = (numbers[at : at + 3] for at in range(0, 18, 3))
    return Windows(x[0], sizes, x[-1], kernel, counts, moves, before, rates, *filters[-2:])


# ---- blocks --------------------------------------------------------------------------------------------


def largest_block(
    images: int, positions: Sizes, strides: Sizes, patch_sizes: Sizes, channels: int, most_positions: int, copied: bool
) -> Block | None:
    """Returns the largest block of neighbouring positions whose patch fits; None if a patch of one position does not.

    Args:
        images, positions: the numbers of all images and positions.
        strides, patch_sizes: the stride between positions, and the extent of one position.
        channels: of the patch.
        most_positions: most positions of a block.
        copied: whether there is a patch.
    """
    sizes = (images, *positions)

    def extent(block: Sequence[int]) -> Sizes:
        return tuple([(n - 1) * move + span for n, move, span in zip(block[1:], strides, patch_sizes, strict=True)])

    def fits(block: Sequence[int]) -> bool:
        return not copied or block[0] * prod(extent(block)) * channels <= MOST_PATCH_ELEMENTS

    block = [1, 1, 1, 1]
    if not fits(block):
        return None
    for axis in (3, 2, 1, 0):
        best = 1
        while best < sizes[axis]:
            block[axis] = best + 1
            if prod(block) > most_positions or not fits(block):
                break
            best += 1
        block[axis] = -(-sizes[axis] // -(-sizes[axis] // best)) if sizes[axis] else 1  # all of about one size
        if block[axis] < sizes[axis]:
            break
    return Block(block[0], tuple(block[1:]), extent(block), copied)


def block_of_whole_images(images: int, positions: Sizes, extent: Sizes, most_positions: int) -> Block | None:
    """Returns a block of as many whole images as it may have, whose windows need no patch; None if one is too large."""
    size = prod(positions)
    if not 0 < size <= most_positions or not images:
        return None
    return Block(-(-images // -(-images // (most_positions // size))), positions, extent, False)


def element_offsets(shape: Sequence[int], strides: Sequence[int]) -> np.ndarray:
    """Returns the offsets of the elements of an array with strides, in row-major order."""
    at = np.zeros((), np.int64)
    for size, stride in zip(shape, strides, strict=True):
        at = at[..., None] + np.arange(size, dtype=np.int64) * stride
    return at.reshape(-1)


def strides_of(sizes: Sequence[int], channels: int) -> Sizes:
    """Returns the strides in elements between images, planes, lines and positions of an array of these sizes."""
    found = [channels]
    for size in reversed(sizes):
        found.append(found[-1] * size)
    return tuple(reversed(found))


def are_windows_inside(
    position_counts: Sizes, position_strides: Sizes, start: Sizes, patch_sizes: Sizes, sizes: Sizes
) -> bool:
    """True if all windows are inside the array that is read."""
    ends = [
        (count - 1) * move + at + span
        for count, move, at, span in zip(position_counts, position_strides, start, patch_sizes, strict=True)
    ]
    return min(start) >= 0 and all(end <= size for end, size in zip(ends, sizes, strict=True))


def window_cells(windows: Windows) -> list[tuple[int, Sizes]]:
    """Returns (number, offset from the window's start) of each cell of a dilated window."""
    numbers = [range(n) for n in windows.kernel]
    offsets = [tuple([n * rate for n, rate in zip(cell, windows.dilations, strict=True)]) for cell in product(*numbers)]
    return list(enumerate(offsets))


def extent_of_one_window(windows: Windows) -> Sizes:
    """Returns how many elements a dilated window covers in depth, height and width."""
    return tuple([(n - 1) * rate + 1 for n, rate in zip(windows.kernel, windows.dilations, strict=True)])


def input_gradient_stride_phases(windows: Windows) -> tuple[Sizes, Sizes, list[StridePhase]]:
    """Returns the start and extent of the patches that an input's gradient reads, and its stride phases."""
    start: list[int] = []
    spans: list[int] = []
    choices = []
    for size, cells, stride, before, rate in zip(
        windows.sizes, windows.kernel, windows.strides, windows.before, windows.dilations, strict=True
    ):
        found = []
        for first in range(max(1, min(stride, size))):
            # `at` is the offset of the window that has cell k at the phase's first position.
            hits = [
                (k, (first + before - k * rate) // stride)
                for k in range(cells)
                if not (first + before - k * rate) % stride
            ]
            found.append((first, -(-(size - first) // stride), hits))
        positions = [at for _, _, hits in found for _, at in hits] or [0]
        start.append(min(positions))
        spans.append(max(positions) - min(positions) + 1)
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
        phases.append(StridePhase(counts, firsts, cells_))
    return tuple(start), tuple(spans), phases


# ---- borders -------------------------------------------------------------------------------------------


def phases_inside(
    phases: list[StridePhase], geometry: tuple[Sizes, Sizes, Sizes], sizes: Sizes, step: Sizes, images: int
) -> list[StridePhase] | None:
    """Splits phases into rectangles of positions whose cells are all inside of the source, which need no padded patch.

    Cells outside of the source are zeros, so their products are not computed.

    Args:
        phases: of all positions of an image.
        geometry: the stride between positions in the source, the start of the first position's patch, and its extent.
        sizes: of the source.
        step: the stride between positions in the result.
        images: of a block.

    Returns:
        The rectangles, whose cells have their positions in the source; None if they would not be faster.
    """
    move, start, spans = geometry
    if any(span > size for span, size in zip(spans, sizes, strict=True)):
        return None
    found = [part for phase in phases for part in _rectangles_inside(phase, move, start, sizes, step)]
    if len(found) > MOST_BORDER_PHASES * len(phases) or _cost(found, images) > _cost(phases, images):
        return None
    return found


def _rectangles_inside(phase: StridePhase, move: Sizes, start: Sizes, sizes: Sizes, step: Sizes) -> list[StridePhase]:
    axes = []
    for axis in range(3):
        offsets = sorted({position[axis] for _, position in phase.cells})
        places = [start[axis] + number * move[axis] for number in range(phase.positions[axis])]
        inside = [tuple([o for o in offsets if 0 <= place + o < sizes[axis]]) for place in places]
        axes.append([(key, list(group)) for key, group in groupby(range(len(inside)), inside.__getitem__)])
    found = []
    for parts in product(*axes):
        origin = [at + numbers[0] * by for at, (_, numbers), by in zip(start, parts, move, strict=True)]
        cells = [
            (number, tuple([at + offset for at, offset in zip(origin, position, strict=True)]))
            for number, position in phase.cells
            if all(offset in kept for offset, (kept, _) in zip(position, parts, strict=True))
        ]
        counts = tuple([len(numbers) for _, numbers in parts])
        firsts = tuple([at + numbers[0] * by for at, (_, numbers), by in zip(phase.first, parts, step, strict=True)])
        found.append(StridePhase(counts, firsts, cells))
    return found


def _cost(phases: list[StridePhase], images: int) -> int:
    return sum((images * prod(phase.positions) + BORDER_PHASE_ROWS) * len(phase.cells) for phase in phases)


def positions_inside(
    phase: StridePhase, geometry: tuple[Sizes, Sizes, Sizes], sizes: Sizes
) -> list[tuple[Sizes, Sizes]] | None:
    """Returns, for each cell, the numbers of positions at which it is inside of the source, and the first of these.

    Args:
        phase, geometry, sizes: as in `phases_inside`.

    Returns:
        None if a cell is inside at no position, or if windows are larger than the source.
    """
    move, start, spans = geometry
    if any(span > size for span, size in zip(spans, sizes, strict=True)):
        return None
    found = []
    for _, cell in phase.cells:
        places = [at + offset for at, offset in zip(start, cell, strict=True)]
        firsts = [max(0, -(place // by)) for place, by in zip(places, move, strict=True)]
        ends = [
            min(count, -(-(size - place) // by))
            for count, size, place, by in zip(phase.positions, sizes, places, move, strict=True)
        ]
        counts = tuple([end - first for first, end in zip(firsts, ends, strict=True)])
        if min(counts) <= 0:
            return None
        found.append((counts, tuple(firsts)))
    return found
