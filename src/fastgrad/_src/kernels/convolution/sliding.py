"""Sliding windows in kernels: the loop over windows and their cells.

Arrays are (batch, depth, height, width, channels); with fewer spatial dimensions the first ones have size 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastgrad._src.jit.body import local_array, scalar_function, specialized
from fastgrad._src.jit.build import NO_ALIASES, Kernel, kernel
from fastgrad._src.kernels.math.vector_math import greatest

WINDOW_PARAMETERS = (
    "d: int, h: int, w: int, kernel_d: int, kernel_h: int, kernel_w: int, out_d: int, out_h: int, out_w: int, "
    "stride_d: int, stride_h: int, stride_w: int, pad_d: int, pad_h: int, pad_w: int, "
    "dilation_d: int, dilation_h: int, dilation_w: int"
)
"""Parameters for depth, height and width: sizes of input, windows and result, strides, padding before, dilations."""


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
    """Returns the index of a window's first cell that is inside the input, along one axis."""
    return 0 if window_start >= 0 else (-window_start + dilation - 1) // dilation


@scalar_function
def end_cell(window_start, dilation, cell_count, input_size):
    """Returns 1 + the index of a window's last cell that is inside the input, along one axis."""
    return (
        cell_count
        if window_start + (cell_count - 1) * dilation < input_size
        else greatest(0, (input_size - window_start + dilation - 1) // dilation)
    )


# The functions that the loop calls; each kernel is compiled with its own. They handle `lanes` channels, from the
# elements `result_at` of the result and `cell_at` of the input on. The image begins at `image_at`. `acc` has `lanes`
# accumulators. `cell_count` is the number of the window's cells inside the input.


@scalar_function
def begin_window(x, y, values, out, acc, result_at, lanes, min_value):
    """Placeholder: each pooling kernel has its function here, which runs before the cells of a window."""


@scalar_function
def process_cell(x, y, values, out, acc, result_at, cell_at, image_at, lanes, cell_count):
    """Placeholder: each pooling kernel has its function here, which runs for each cell of a window."""


@scalar_function
def end_window(x, y, values, out, acc, result_at, lanes, cell_count):
    """Placeholder: each pooling kernel has its function here, which runs after the cells of a window."""


@scalar_function
def process_window(
    x, y, values, out, acc, result_at, window_at, image_at, lanes, min_value,
    channels, h, w, i0, i1, j0, j1, k0, k1, dilation_d, dilation_h, dilation_w,
):  # fmt: skip
    """Calls `begin_window`, `process_cell` for each cell, and `end_window` for the window at the offset `window_at`."""
    begin_window(x, y, values, out, acc, result_at, lanes, min_value)
    cell_count = greatest(i1 - i0, 0) * greatest(j1 - j0, 0) * greatest(k1 - k0, 0)
    for i in range(i0, i1):
        for j in range(j0, j1):
            row_at = window_at + (i * dilation_d * h + j * dilation_h) * w * channels
            for k in range(k0, k1):
                cell_at = row_at + k * dilation_w * channels
                process_cell(x, y, values, out, acc, result_at, cell_at, image_at, lanes, cell_count)
    end_window(x, y, values, out, acc, result_at, lanes, cell_count)


def _pool_windows(
    x, y, values, out, channels, unit_size, cleared_elements, min_value,
    d, h, w, kernel_d, kernel_h, kernel_w, out_d, out_h, out_w, stride_d, stride_h, stride_w,
    pad_d, pad_h, pad_w, dilation_d, dilation_h, dilation_w, first, last,
):  # fmt: skip
    """Runs a pooling over all windows, for the cells of each window that are inside the input.

    Windows that share a place of the input add to it in the order of windows, which is the reverse order of their
    cells. (The other order would not prefetch: arrays beyond the caches took four times as long.)

    Args:
        x, y, values, out: arrays: of the input's shape, of the result's, of either shape, and the output.
        channels: of all arrays.
        unit_size: the lines of windows in a unit of work.
        cleared_elements: the elements of `out` that a unit first sets to zero.
        min_value: a number for `begin_window`.
        first, last: the units to do.
    """
    acc = local_array(V, 16)
    for unit in range(first, last):
        for o in range(unit * cleared_elements, (unit + 1) * cleared_elements):
            out[o] = V(0)
        for line in range(unit * unit_size, (unit + 1) * unit_size):
            b = line % out_h
            a = line // out_h % out_d
            n = line // (out_h * out_d)
            image_at = n * d * h * w * channels
            at_d, at_h = a * stride_d - pad_d, b * stride_h - pad_h
            i0, i1 = first_cell(at_d, dilation_d), end_cell(at_d, dilation_d, kernel_d, d)
            j0, j1 = first_cell(at_h, dilation_h), end_cell(at_h, dilation_h, kernel_h, h)
            for c in range(out_w):
                at_w = c * stride_w - pad_w
                k0, k1 = first_cell(at_w, dilation_w), end_cell(at_w, dilation_w, kernel_w, w)
                window_at = (((n * d + at_d) * h + at_h) * w + at_w) * channels
                result_at = (line * out_w + c) * channels
                for channel in range(0, channels - 15, 16):
                    process_window(
                        x, y, values, out, acc, result_at + channel, window_at + channel, image_at, 16, min_value,
                        channels, h, w, i0, i1, j0, j1, k0, k1, dilation_d, dilation_h, dilation_w,
                    )  # fmt: skip
                if channels % 16 != 0:
                    channel = channels // 16 * 16
                    process_window(
                        x, y, values, out, acc, result_at + channel, window_at + channel, image_at, channels - channel,
                        min_value, channels, h, w, i0, i1, j0, j1, k0, k1, dilation_d, dilation_h, dilation_w,
                    )  # fmt: skip


def pooling_kernel(
    name: str,
    summary: str,
    array_parameters: str,
    functions: dict[str, Any],
    aliases: Mapping[str, str] = NO_ALIASES,
    **variables: tuple[str, ...],
) -> Kernel:
    """Returns a kernel that calls `functions` for each window of an array and for its cells.

    Args:
        name, summary: of the kernel.
        array_parameters: the kinds of x, y, `values` and `out`, for its signature; V is the type of `acc`.
        functions: its `begin_window`, `process_cell` and `end_window`.
        aliases: see `build.kernel`.
        variables: the dtypes of the type variables.
    """
    cells = scalar_function(specialized(process_window, f"{name}_cells", **functions))
    function = specialized(_pool_windows, name, summary, process_window=cells)
    sizes = f"channels: int, unit_size: int, cleared_elements: int, min_value: float, {WINDOW_PARAMETERS}"
    signature = f"{array_parameters}, {sizes}, first: int, last: int"
    options: dict[str, Any] = {"noalias": True, "aliases": aliases, **variables}
    made: Kernel = kernel(signature, **options)(function)
    return made
