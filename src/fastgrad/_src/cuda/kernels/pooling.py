"""Maxima and means over windows: one thread for each channel of a window, or of an image if windows add to shared cells.

A CPU's unit of work is a line of windows, or an image: too few threads for a GPU. The functions for a cell and the order of sums are
the CPU's, so that results have its bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

from fastgrad._src.cuda.codegen.kernel import DeviceKernel, device_kernel_of
from fastgrad._src.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad._src.jit.body import local_array, specialized
from fastgrad._src.jit.build import Kernel
from fastgrad._src.kernels.convolution import pooling
from fastgrad._src.kernels.convolution.sliding import end_cell, first_cell, process_window
from fastgrad._src.kernels.runtime.launch import Launch


def _pool_channels(
    x, y, values, out, channels, unit_size, cleared_elements, min_value,
    d, h, w, kernel_d, kernel_h, kernel_w, out_d, out_h, out_w, stride_d, stride_h, stride_w,
    pad_d, pad_h, pad_w, dilation_d, dilation_h, dilation_w, first, last,
):  # fmt: skip
    """Runs a pooling over all windows; parameters are those of `sliding`, but `unit_size` counts windows.

    A unit is a channel of `unit_size` windows, and of the `cleared_elements` elements of `out` that they are added to.
    """
    acc = local_array(V, 1)
    for unit in range(first, last):
        group = unit // channels
        channel = unit - group * channels
        for o in range(group * cleared_elements + channel, (group + 1) * cleared_elements, channels):
            out[o] = V(0)
        for number in range(group * unit_size, (group + 1) * unit_size):
            line = number // out_w
            c = number - line * out_w
            b = line % out_h
            a = line // out_h % out_d
            n = line // (out_h * out_d)
            at_d, at_h, at_w = a * stride_d - pad_d, b * stride_h - pad_h, c * stride_w - pad_w
            i0, i1 = first_cell(at_d, dilation_d), end_cell(at_d, dilation_d, kernel_d, d)
            j0, j1 = first_cell(at_h, dilation_h), end_cell(at_h, dilation_h, kernel_h, h)
            k0, k1 = first_cell(at_w, dilation_w), end_cell(at_w, dilation_w, kernel_w, w)
            window_at = (((n * d + at_d) * h + at_h) * w + at_w) * channels + channel
            process_window(
                x, y, values, out, acc, number * channels + channel, window_at, n * d * h * w * channels, 1, min_value,
                channels, h, w, i0, i1, j0, j1, k0, k1, dilation_d, dilation_h, dilation_w,
            )  # fmt: skip


def _kernel_of(kernel: Kernel) -> DeviceKernel:
    """Returns the GPU kernel with the functions of a CPU's pooling kernel."""
    on_cpu = kernel.function
    function = specialized(
        _pool_channels, on_cpu.__name__, on_cpu.__doc__, process_window=on_cpu.__globals__[process_window.__name__]
    )
    return replace(device_kernel_of(kernel), function=function)


def _replacement_by(kernel: DeviceKernel) -> Replacement:
    def replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        operands: Any = launch.operands
        *arrays, channels, lines, cleared, min_value = operands[:8]
        *_, width = operands[14:17]
        windows = lines * width
        together = windows if cleared else 1  # windows that share cells add to them one after another
        numbers = (channels, together, cleared, min_value, *operands[8:])
        return [device_launch(kernel, dtypes, (*arrays, *numbers), prod((launch.units, windows // together, channels)))]

    return replacement


_KERNELS = (
    *(pooling.largest_in_windows, pooling.mean_of_windows, pooling.spread_means),
    *(pooling.to_winners, pooling.to_winners_apart, pooling.from_winners),
    *(pooling.winner_positions, pooling.winner_positions_of_image),
)

REPLACEMENTS: dict[Any, Replacement] = {kernel.function: _replacement_by(_kernel_of(kernel)) for kernel in _KERNELS}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
