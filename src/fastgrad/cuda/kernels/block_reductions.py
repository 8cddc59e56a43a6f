"""Reductions in a warp and in a block, always in the same order, so that results are reproducible.

The reductions are sums, products, maxima and minima. A maximum or a minimum of numbers with a NaN is NaN.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any, NamedTuple

from fastgrad.cuda.codegen.body import shuffle_xor, synchronize, thread, threads
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.math.vector_math import nan_greatest, nan_least


@scalar_function
def combine(a, b):
    """Returns the reduction of two numbers: their sum, unless a copy of the functions below replaces it."""
    return a + b


def reduce_warp(x):
    """Reduces the 32 numbers of a warp, in all its threads: pairs, then pairs of pairs."""
    x = combine(x, shuffle_xor(x, 16))
    x = combine(x, shuffle_xor(x, 8))
    x = combine(x, shuffle_xor(x, 4))
    x = combine(x, shuffle_xor(x, 2))
    return combine(x, shuffle_xor(x, 1))


def reduce_block(x, parts):
    """Reduces a block's numbers, in all its threads. `parts` is a shared array of 32."""
    x = reduce_warp(x)
    if thread() % 32 == 0:
        parts[thread() // 32] = x
    synchronize()
    total = parts[0]
    for i in range(1, threads() // 32):
        total = combine(total, parts[i])
    synchronize()
    return total


def reduce_lane_over_warps(x, parts):
    """Reduces, in each thread, the numbers of the threads with the same lane over warps.

    `parts` is a shared array with an element for each thread.
    """
    parts[thread()] = x
    synchronize()
    total = parts[thread() % 32]
    for i in range(thread() % 32 + 32, threads(), 32):
        total = combine(total, parts[i])
    synchronize()
    return total


class Reduction(NamedTuple):
    """The copies of `reduce_warp`, `reduce_block` and `reduce_lane_over_warps` for one kind of reduction."""

    warp: Any
    block: Any
    lines: Any


def _reduction(name: str, combine: Any) -> Reduction:
    scope = {**globals(), "combine": combine}

    def specialized_copy(function: Any) -> Any:
        code = function.__code__.replace(co_name=f"{name}_{function.__name__}")  # fingerprints tell functions by code
        copy = FunctionType(code, scope)
        copy.__doc__ = function.__doc__
        return scalar_function(copy)

    scope["reduce_warp"] = specialized_copy(reduce_warp)
    return Reduction(scope["reduce_warp"], specialized_copy(reduce_block), specialized_copy(reduce_lane_over_warps))


@scalar_function
def _multiply(a, b):
    return a * b


REDUCTIONS = {
    "sum": _reduction("sum", combine),
    "product": _reduction("product", _multiply),
    "greatest": _reduction("greatest", nan_greatest),
    "least": _reduction("least", nan_least),
}
warp_sum, block_sum, lines_sum = REDUCTIONS["sum"]
warp_greatest, block_greatest, _ = REDUCTIONS["greatest"]
