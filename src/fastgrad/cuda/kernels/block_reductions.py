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
def join(a, b):
    """Returns two numbers reduced to one. Each reduction has its own."""
    return a + b


def of_warp(x):
    """Reduces the 32 numbers of a warp, in all its threads: pairs, then pairs of pairs."""
    x = join(x, shuffle_xor(x, 16))
    x = join(x, shuffle_xor(x, 8))
    x = join(x, shuffle_xor(x, 4))
    x = join(x, shuffle_xor(x, 2))
    return join(x, shuffle_xor(x, 1))


def of_block(x, parts):
    """Reduces a block's numbers, in all its threads. `parts` is a shared array of 32."""
    x = of_warp(x)
    if thread() % 32 == 0:
        parts[thread() // 32] = x
    synchronize()
    total = parts[0]
    for i in range(1, threads() // 32):
        total = join(total, parts[i])
    synchronize()
    return total


def of_lines(x, parts):
    """Reduces, in each thread, the numbers of the threads with the same lane over warps.

    `parts` is a shared array with an element for each thread.
    """
    parts[thread()] = x
    synchronize()
    total = parts[thread() % 32]
    for i in range(thread() % 32 + 32, threads(), 32):
        total = join(total, parts[i])
    synchronize()
    return total


class Reduction(NamedTuple):
    """A reduction of the numbers of a warp (`of_warp`), of a block (`of_block`), and of lanes over warps (`of_lines`)."""

    warp: Any
    block: Any
    lines: Any


def _reduction(name: str, join: Any) -> Reduction:
    scope = {**globals(), "join": join}

    def own(function: Any) -> Any:
        code = function.__code__.replace(co_name=f"{name}_{function.__name__}")  # fingerprints tell functions by code
        copy = FunctionType(code, scope)
        copy.__doc__ = function.__doc__
        return scalar_function(copy)

    scope["of_warp"] = own(of_warp)
    return Reduction(scope["of_warp"], own(of_block), own(of_lines))


@scalar_function
def _multiply(a, b):
    return a * b


REDUCTIONS = {
    "sum": _reduction("sum", join),
    "product": _reduction("product", _multiply),
    "greatest": _reduction("greatest", nan_greatest),
    "least": _reduction("least", nan_least),
}
warp_sum, block_sum, lines_sum = REDUCTIONS["sum"]
warp_greatest, block_greatest, _ = REDUCTIONS["greatest"]
