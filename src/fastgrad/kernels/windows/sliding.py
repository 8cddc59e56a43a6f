"""Sliding windows in kernels: how cells of windows and places of the input meet.

Arrays are (batch, depth, height, width, channels); with fewer spatial dimensions the first ones have size 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastgrad.kernels.building.body import scalar_function
from fastgrad.kernels.functions.vector_math import greatest, least

WINDOW = (
    "d: int, h: int, w: int, kd: int, kh: int, kw: int, od: int, oh: int, ow: int, sd: int, sh: int, sw: int, "
    "pd: int, ph: int, pw: int, ld: int, lh: int, lw: int"
)
"""Parameters, three of each kind: sizes of the input, of windows and of the result, strides, padding before, dilations."""


def window_sizes(
    sizes: Sequence[int],
    kernel: Sequence[int],
    outputs: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilations: Sequence[int],
) -> tuple[int, ...] | None:
    """The values of `WINDOW`; None for more than three spatial dimensions."""
    free = 3 - len(sizes)
    if free < 0:
        return None
    before = [pair[0] for pair in padding]
    found: list[int] = []
    for values, neutral in ((sizes, 1), (kernel, 1), (outputs, 1), (strides, 1), (before, 0), (dilations, 1)):
        found += [*[neutral] * free, *values]
    return tuple(found)


@scalar_function
def first_cell(start, rate):
    """The first of a window's cells that is not before the input."""
    return 0 if start >= 0 else (-start + rate - 1) // rate


@scalar_function
def end_cell(start, rate, cells, size):
    """The end of a window's cells that are not behind the input."""
    return greatest(0, least(cells, (size - start + rate - 1) // rate))


@scalar_function
def window_of(cell, before, at, rate, stride, windows):
    """The window that has its cell number `at` at a place of the input; -1 if there is none."""
    start = cell + before - at * rate
    found = start // stride
    return found if start >= 0 and found * stride == start and found < windows else -1


@scalar_function
def cells_inside(start, rate, cells, size):
    """How many cells of a window lie inside the input along one dimension."""
    return greatest(0, end_cell(start, rate, cells, size) - first_cell(start, rate))
