"""Reductions in a block, always in the same order, so that results are reproducible.

The reductions are sums, products, maxima and minima. A maximum or a minimum of numbers with a NaN is NaN.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

from fastgrad._src.cuda.codegen.body import block_size, synchronize, thread_index
from fastgrad._src.jit.body import scalar_function
from fastgrad._src.kernels.math.vector_math import nan_greatest, nan_least


@scalar_function
def combine(a, b):
    """Returns the sum of two numbers; copies of `reduce_block` have another reduction of two numbers in its place."""
    return a + b


def reduce_block(x, parts):
    """Returns the reduction of x over all threads of a block, a power of two of threads.

    `parts` is a shared array with an element for each thread.
    """
    parts[thread_index()] = x
    synchronize()
    half = block_size() // 2
    while half > 0:
        if thread_index() < half:
            parts[thread_index()] = combine(parts[thread_index()], parts[thread_index() + half])
        synchronize()
        half //= 2
    total = parts[0]
    synchronize()
    return total


def _reduction(name: str, combine: Any) -> Any:
    """Returns the copy of `reduce_block` for one kind of reduction."""
    code = reduce_block.__code__.replace(co_name=f"{name}_reduce_block")
    copy = FunctionType(code, {**globals(), "combine": combine})
    copy.__doc__ = reduce_block.__doc__
    return scalar_function(copy)


@scalar_function
def _multiply(a, b):
    return a * b


BLOCK_REDUCTIONS = {
    "sum": _reduction("sum", combine),
    "product": _reduction("product", _multiply),
    "greatest": _reduction("greatest", nan_greatest),
    "least": _reduction("least", nan_least),
}
