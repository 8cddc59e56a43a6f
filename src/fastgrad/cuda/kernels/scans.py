"""Running totals along an axis: a block for each line, 1024 elements at a time; a thread for each of very many lines.

In a block a thread adds four neighbours. These sums are added in shared memory over distances of 1, 2, 4 ..., and the total is carried
to the next stretch. So the order of float sums differs from a CPU's, and is always the same.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from typing import Any

from fastgrad.cuda.codegen.body import shared_array, synchronize, thread
from fastgrad.cuda.codegen.kernel import DeviceKernel, OnDevice, on_device
from fastgrad.cuda.kernels.instead import Instead, Memory
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.codegen.signature import parse_signature
from fastgrad.kernels.reduction import scanning
from fastgrad.kernels.reduction.scanning import FLOATS, INTEGERS, log_add_exp
from fastgrad.kernels.runtime.launch import Launch

MANY_LINES = 1 << 15
"""The number of threads that is enough for a GPU."""
SHORT = 32
"""The largest line that a thread scans alone."""

_SIGNATURE = "x: in[T], y: out[T], size: int, inner: int, exclusive: int, reverse: int, first: int, last: int"


@scalar_function
def joined(a, b):
    """Returns the total of two totals. Each kernel has its own version."""
    return a


@scalar_function
def nothing(x):
    """Returns the total of no elements. Each kernel has its own version."""
    return x


def _of_blocks(x, y, size, inner, exclusive, reverse, first, last):
    totals = shared_array(T, 256)
    step = -inner if reverse != 0 else inner
    for line in range(first, last):
        outer = line // inner
        start = outer * size * inner + line - outer * inner + ((size - 1) * inner if reverse != 0 else 0)
        before = T(nothing(T(0)))
        for stretch in range(0, size, 1024):
            k = stretch + 4 * thread()
            at = start + k * step
            a = x[at] if k < size else T(nothing(T(0)))
            b = x[at + step] if k + 1 < size else T(nothing(T(0)))
            c = x[at + 2 * step] if k + 2 < size else T(nothing(T(0)))
            d = x[at + 3 * step] if k + 3 < size else T(nothing(T(0)))
            two = T(joined(a, b))
            three = T(joined(two, c))
            total = T(joined(three, d))
            totals[thread()] = total
            synchronize()
            for power in range(8):
                distance = 1 << power
                other = totals[thread() - distance] if thread() >= distance else T(nothing(T(0)))
                synchronize()
                total = T(joined(other, total))
                totals[thread()] = total
                synchronize()
            left = T(joined(before, totals[thread() - 1])) if thread() > 0 else before
            if k < size:
                y[at] = left if exclusive != 0 else T(joined(left, a))
            if k + 1 < size:
                y[at + step] = T(joined(left, a if exclusive != 0 else two))
            if k + 2 < size:
                y[at + 2 * step] = T(joined(left, two if exclusive != 0 else three))
            if k + 3 < size:
                y[at + 3 * step] = T(joined(left, three if exclusive != 0 else T(joined(three, d))))
            before = T(joined(before, totals[255]))
            synchronize()


def _of_threads(x, y, size, inner, exclusive, reverse, first, last):
    step = -inner if reverse != 0 else inner
    for line in range(first, last):
        outer = line // inner
        at = outer * size * inner + line - outer * inner + ((size - 1) * inner if reverse != 0 else 0)
        total = T(nothing(T(0)))
        for _ in range(size):
            value = x[at]
            if exclusive != 0:
                y[at] = total
            total = T(joined(total, value))
            if exclusive == 0:
                y[at] = total
            at += step


@scalar_function
def _sum(a, b):
    return a + b


@scalar_function
def _product(a, b):
    return a * b


@scalar_function
def _zero(x):
    return x


@scalar_function
def _one(x):
    return x + T(1)


@scalar_function
def _none(x):
    return T(-math.inf)


def _made(name: str, joined: Any, nothing: Any, dtypes: tuple[str, ...]) -> tuple[DeviceKernel, DeviceKernel]:
    """Returns the kernels of a total for blocks and for threads. y may be x."""
    names = {**globals(), "joined": joined, "nothing": nothing}
    blocks = types.FunctionType(_of_blocks.__code__, names, f"running_{name}_of_blocks")
    threads = types.FunctionType(_of_threads.__code__, names, f"running_{name}_of_threads")
    signature, variables = parse_signature(_SIGNATURE), {"T": dtypes}
    together = DeviceKernel(blocks, signature, variables, together=True, noalias=False, exact=True)
    return together, DeviceKernel(threads, signature, variables, noalias=False)


RUNNING = {
    scanning.running_sum.function: _made("sum", _sum, _zero, INTEGERS),
    scanning.running_sum_of_floats.function: _made("sum_of_floats", _sum, _zero, FLOATS),
    scanning.running_product.function: _made("product", _product, _one, (*FLOATS, *INTEGERS)),
    scanning.running_logsumexp.function: _made("logsumexp", log_add_exp, _none, FLOATS),
}


@kernel(
    "a: in[T], b: in[T], y: out[T], size: int, inner: int, reverse: int, first: int, last: int",
    T=FLOATS,
)
def recurrence_of_threads(a, b, y, size, inner, reverse, first, last):
    """The CPU's `recurrence`. Units are lines."""
    step = -inner if reverse != 0 else inner
    for line in range(first, last):
        outer = line // inner
        at = outer * size * inner + line - outer * inner + ((size - 1) * inner if reverse != 0 else 0)
        before = T(0)
        for k in range(size):
            before = b[at] + a[at] * before if k > 0 else b[at]
            y[at] = before
            at += step


_recurrence = on_device(recurrence_of_threads)


def _running(kernels: tuple[DeviceKernel, DeviceKernel]) -> Instead:
    def instead(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
        operands: Any = launch.operands
        size, inner = operands[2:4]
        lines = launch.units * inner
        found: Any = OnDevice(kernels[size <= SHORT or lines >= MANY_LINES], dtypes)
        return [Launch(found, operands, lines)]

    return instead


def _recurrent(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    found: Any = OnDevice(_recurrence, dtypes)
    return [Launch(found, operands, launch.units * operands[4])]


INSTEAD: dict[Any, Instead] = {
    **{function: _running(kernels) for function, kernels in RUNNING.items()},
    scanning.recurrence.function: _recurrent,
}
"""The table of `choice`."""
