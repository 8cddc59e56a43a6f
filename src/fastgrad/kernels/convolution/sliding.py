"""Sliding windows in kernels: the loop over windows and their cells.

Arrays are (batch, depth, height, width, channels); with fewer spatial dimensions the first ones have size 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastgrad.kernels.codegen.body import local_array, scalar_function, specialized
from fastgrad.kernels.codegen.build import NO_NAMES, Kernel, kernel
from fastgrad.kernels.math.vector_math import greatest

WINDOW_PARAMETERS = (
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
    """Returns sizes, strides, padding and dilations of windows, in three dimensions; None for more than three."""
    free = 3 - len(sizes)
    if free < 0:
        return None
    before = [pair[0] for pair in padding]
    found: list[int] = []
    for values, neutral in ((sizes, 1), (kernel, 1), (outputs, 1), (strides, 1), (before, 0), (dilations, 1)):
        found += [*[neutral] * free, *values]
    return tuple(found)


@scalar_function
def first_cell(window_start, dilation):
    """Returns the number of a window's first cell that is inside the input, along one axis."""
    return 0 if window_start >= 0 else (-window_start + dilation - 1) // dilation


@scalar_function
def end_cell(window_start, dilation, cell_count, input_size):
    """Returns the number after that of a window's last cell that is inside the input, along one axis."""
    return (
        cell_count
        if window_start + (cell_count - 1) * dilation < input_size
        else greatest(0, (input_size - window_start + dilation - 1) // dilation)
    )


# The functions that the loop calls; each kernel is compiled with its own. They handle `lanes` channels, from the
# elements `at` of the result and `cell` of the input on. The image begins at `image`. `work` has `lanes` elements.
# `count` is the number of the window's cells inside the input.


@scalar_function
def begin(x, y, v, out, work, at, lanes, lowest):
    """Placeholder for a kernel's function that runs before the first cell of a window."""


@scalar_function
def visit(x, y, v, out, work, at, cell, image, lanes, count):
    """Placeholder for a kernel's function that runs for each cell of a window."""


@scalar_function
def end(x, y, v, out, work, at, lanes, count):
    """Placeholder for a kernel's function that runs after the last cell of a window."""


@scalar_function
def visit_cells(
    x, y, v, out, work, at, line, image, lanes, lowest,
    channels, h, w, i0, i1, j0, j1, k0, k1, ld, lh, lw,
):  # fmt: skip
    """Calls `begin`, `visit` for each cell, and `end` for one window, whose first cell has the offset `line`."""
    begin(x, y, v, out, work, at, lanes, lowest)
    count = greatest(i1 - i0, 0) * greatest(j1 - j0, 0) * greatest(k1 - k0, 0)
    for i in range(i0, i1):
        for j in range(j0, j1):
            row = line + (i * ld * h + j * lh) * w * channels
            for k in range(k0, k1):
                visit(x, y, v, out, work, at, row + k * lw * channels, image, lanes, count)
    end(x, y, v, out, work, at, lanes, count)


def _visit_windows(
    x, y, v, out, channels, lines, cleared, lowest,
    d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last,
):  # fmt: skip
    """Visits all windows, and the cells of each that are inside the input.

    Windows that share a place of the input add to it in the order of windows, which is the reverse order of their
    cells. (The other order would not prefetch: arrays beyond the caches took four times as long.)

    Args:
        x, y, v, out: arrays: of the input's shape, of the result's, of either shape, and the output.
        channels: of all arrays.
        lines: the lines of windows in a unit of work.
        cleared: the elements of `out` that a unit first sets to zero.
        lowest: a number for `begin`.
        first, last: the units to do.
    """
    work = local_array(V, 16)
    for unit in range(first, last):
        for o in range(unit * cleared, (unit + 1) * cleared):
            out[o] = V(0)
        for line in range(unit * lines, (unit + 1) * lines):
            b = line % oh
            a = line // oh % od
            n = line // (oh * od)
            image = n * d * h * w * channels
            at_d, at_h = a * sd - pd, b * sh - ph
            i0, i1 = first_cell(at_d, ld), end_cell(at_d, ld, kd, d)
            j0, j1 = first_cell(at_h, lh), end_cell(at_h, lh, kh, h)
            for c in range(ow):
                at_w = c * sw - pw
                k0, k1 = first_cell(at_w, lw), end_cell(at_w, lw, kw, w)
                start = (((n * d + at_d) * h + at_h) * w + at_w) * channels
                at = (line * ow + c) * channels
                for channel in range(0, channels - 15, 16):
                    visit_cells(
                        x, y, v, out, work, at + channel, start + channel, image, 16, lowest,
                        channels, h, w, i0, i1, j0, j1, k0, k1, ld, lh, lw,
                    )  # fmt: skip
                if channels % 16 != 0:
                    channel = channels // 16 * 16
                    visit_cells(
                        x, y, v, out, work, at + channel, start + channel, image, channels - channel, lowest,
                        channels, h, w, i0, i1, j0, j1, k0, k1, ld, lh, lw,
                    )  # fmt: skip


def window_kernel(
    name: str,
    summary: str,
    arrays: str,
    functions: dict[str, Any],
    same: Mapping[str, str] = NO_NAMES,
    **variables: tuple[str, ...],
) -> Kernel:
    """Returns a kernel that calls the given functions for each window of an array and its cells.

    Args:
        name, summary: of the kernel.
        arrays: the kinds of x, y, v and out, for its signature; V is the type of `work`.
        functions: its `begin`, `visit` and `end`.
        same: see `build.kernel`.
        variables: the dtypes of the type variables.
    """
    cells = scalar_function(specialized(visit_cells, f"{name}_cells", **functions))
    function = specialized(_visit_windows, name, summary, visit_cells=cells)
    signature = (
        f"{arrays}, channels: int, lines: int, cleared: int, lowest: float, {WINDOW_PARAMETERS}, first: int, last: int"
    )
    options: dict[str, Any] = {"noalias": True, "same": same, **variables}
    made: Kernel = kernel(signature, **options)(function)
    return made
