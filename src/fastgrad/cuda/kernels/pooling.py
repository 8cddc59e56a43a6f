"""Maxima and means over windows, and their gradients: a CPU processes 16 channels at once, a thread one.

Neighbouring threads have neighbouring channels. If windows add to cells, a thread has one channel of an image and takes its windows in
the CPU's order, so the bits are the CPU's, too.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from fastgrad.cuda.codegen.kernel import OnDevice, on_device
from fastgrad.cuda.kernels.instead import Instead, Memory
from fastgrad.kernels.codegen.body import local_array
from fastgrad.kernels.codegen.build import Kernel, kernel
from fastgrad.kernels.convolution import pooling
from fastgrad.kernels.convolution.sliding import end_cell, first_cell, walk_cells
from fastgrad.kernels.runtime.launch import Launch

GIVING = (pooling.spread_means, pooling.to_winners, pooling.to_winners_apart)
KEEPING = (
    pooling.largest_in_windows,
    pooling.mean_of_windows,
    pooling.from_winners,
    pooling.winner_positions,
    pooling.winner_positions_of_image,
)


def _walk(
    x, y, v, out, channels, windows, cleared, lowest,
    d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last,
):  # fmt: skip
    """The loop of `kernels.convolution.sliding`. A unit is a channel of `windows` windows."""
    work = local_array(V, 1)
    for unit in range(first, last):
        part = unit // channels
        channel = unit - part * channels
        for o in range(part * cleared + channel, (part + 1) * cleared, channels):
            out[o] = V(0)
        for window in range(part * windows, (part + 1) * windows):
            line = window // ow
            c = window - line * ow
            n = line // (oh * od)
            at_d, at_h, at_w = line // oh % od * sd - pd, line % oh * sh - ph, c * sw - pw
            walk_cells(
                x, y, v, out, work, window * channels + channel,
                (((n * d + at_d) * h + at_h) * w + at_w) * channels + channel, n * d * h * w * channels, 1, lowest,
                channels, h, w, first_cell(at_d, ld), end_cell(at_d, ld, kd, d), first_cell(at_h, lh),
                end_cell(at_h, lh, kh, h), first_cell(at_w, lw), end_cell(at_w, lw, kw, w), ld, lh, lw,
            )  # fmt: skip


def _instead(on_cpu: Kernel) -> Instead:
    names = {"walk_cells": on_cpu.function.__globals__["walk_cells"]}
    function = types.FunctionType(_walk.__code__, {**globals(), **names}, on_cpu.__name__)
    signature = on_cpu.signature.text.replace("lines: int", "windows: int")
    variables: dict[str, Any] = {name: tuple([d.name for d in dtypes]) for name, dtypes in on_cpu.variables.items()}
    device = on_device(kernel(signature, noalias=True, **variables)(function))

    def instead(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
        operands: Any = launch.operands
        *arrays, channels, lines, cleared, lowest = operands[:8]
        wide = operands[16]
        windows, units = (
            (lines * wide, launch.units) if any(on_cpu is one for one in GIVING) else (1, launch.units * wide)
        )
        given: Any = OnDevice(device, dtypes)
        return [Launch(given, (*arrays, channels, windows, cleared, lowest, *operands[8:]), units * channels)]

    return instead


INSTEAD: dict[Any, Instead] = {one.function: _instead(one) for one in (*GIVING, *KEEPING)}
"""The table of `choice`."""
