"""Random draws: a thread computes a block of the counter, one access of 128 bits. The numbers are the CPU's."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from typing import Any

from numpy import uint64

from fastgrad.cuda.codegen.kernel import DeviceKernel, on_device
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad.kernels.codegen.build import Kernel, kernel
from fastgrad.kernels.random import random as on_cpu
from fastgrad.kernels.random.random import FLOATS, block_words, elements, elements_per_block, store_up_to_four
from fastgrad.kernels.runtime.launch import Launch


def _fill_with_draw(out, size, words, first, last):
    each = elements_per_block(T(0))
    for b in range(first, last):
        v0, v1, v2, v3 = elements(T(0), block_words(words[2], words[0], words[1], b))
        if each * b + each <= size:
            store_up_to_four(out, each * b, each, v0, v1, v2, v3)
        else:
            store_up_to_four(out, each * b, size - each * b, v0, v1, v2, v3)


@kernel(
    "x: in[T], out: out[T], size: int, scale: float, least_kept: int, words: in[int64], first: int, last: int", T=FLOATS
)
def drop(x, out, size, scale, least_kept, words, first, last):
    """Dropout: x times the scale where a drawn number is at least `least_kept`, else 0."""
    by, kept = T(scale), uint64(least_kept)
    for b in range(first, last):
        w0, w1, w2, w3 = block_words(words[2], words[0], words[1], b)
        at = 4 * b
        if at + 4 <= size:
            x0, x1, x2, x3 = x[at] * by, x[at + 1] * by, x[at + 2] * by, x[at + 3] * by
            x0, x1 = x0 if w0 >= kept else T(0), x1 if w1 >= kept else T(0)
            x2, x3 = x2 if w2 >= kept else T(0), x3 if w3 >= kept else T(0)
            store_up_to_four(out, at, 4, x0, x1, x2, x3)
        else:
            out[at] = x[at] * by if w0 >= kept else T(0)
            if at + 1 < size:
                out[at + 1] = x[at + 1] * by if w1 >= kept else T(0)
            if at + 2 < size:
                out[at + 2] = x[at + 2] * by if w2 >= kept else T(0)


def _device_draw(cpu_kernel: Kernel) -> DeviceKernel:
    """Returns the GPU kernel of a CPU kernel's random draw, with a thread for each block of the counter."""
    scope = {**globals(), "elements": cpu_kernel.function.__globals__["elements"]}
    function = types.FunctionType(_fill_with_draw.__code__, scope, cpu_kernel.function.__name__)
    function.__doc__ = cpu_kernel.function.__doc__
    dtypes = tuple([dtype.name for dtype in cpu_kernel.variables["T"]])
    return on_device(kernel("out: out[T], size: int, words: in[int64], first: int, last: int", T=dtypes)(function))


def _draw_replacement(gpu_kernel: DeviceKernel) -> Replacement:
    def replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        size: Any = launch.operands[1]
        each = 2 if dtypes["T"].endswith("64") else 4
        return [device_launch(gpu_kernel, dtypes, launch.operands, -(-size // each))]

    return replacement


def _dropout_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    operands: Any = launch.operands
    x, out, size, rate, words = operands
    numbers = size, 1.0 / (1.0 - rate), math.ceil(rate * 4294967296.0)
    return [device_launch(_dropout_kernel, dtypes, (x, out, *numbers, words), -(-size // 4))]


_dropout_kernel = on_device(drop)
_CPU_DRAW_KERNELS = (on_cpu.bits, on_cpu.uniform, on_cpu.normal, on_cpu.truncated_normal)

REPLACEMENTS: dict[Any, Replacement] = {
    **{fill.function: _draw_replacement(_device_draw(fill)) for fill in _CPU_DRAW_KERNELS},
    on_cpu.dropout.function: _dropout_replacement,
}
"""The table of `choice`."""
