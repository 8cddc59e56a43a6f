"""Reductions in a warp and in a block, always in the same order, so that results are reproducible."""

from __future__ import annotations

from fastgrad.cuda.codegen.body import shuffle_xor, synchronize, thread, threads
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.math.vector_math import nan_greatest, nan_least


@scalar_function
def warp_sum(x):
    """Returns the sum of the 32 numbers of a warp, in all its threads: pairs, then pairs of pairs."""
    x += shuffle_xor(x, 16)
    x += shuffle_xor(x, 8)
    x += shuffle_xor(x, 4)
    x += shuffle_xor(x, 2)
    return x + shuffle_xor(x, 1)


@scalar_function
def warp_product(x):
    """Returns the product of the 32 numbers of a warp, in all its threads, in the order of `warp_sum`."""
    x *= shuffle_xor(x, 16)
    x *= shuffle_xor(x, 8)
    x *= shuffle_xor(x, 4)
    x *= shuffle_xor(x, 2)
    return x * shuffle_xor(x, 1)


@scalar_function
def warp_greatest(x):
    """Returns the greatest of the 32 numbers of a warp, in all its threads; NaN if there is one."""
    x = nan_greatest(x, shuffle_xor(x, 16))
    x = nan_greatest(x, shuffle_xor(x, 8))
    x = nan_greatest(x, shuffle_xor(x, 4))
    x = nan_greatest(x, shuffle_xor(x, 2))
    return nan_greatest(x, shuffle_xor(x, 1))


@scalar_function
def warp_least(x):
    """Returns the least of the 32 numbers of a warp, in all its threads; NaN if there is one."""
    x = nan_least(x, shuffle_xor(x, 16))
    x = nan_least(x, shuffle_xor(x, 8))
    x = nan_least(x, shuffle_xor(x, 4))
    x = nan_least(x, shuffle_xor(x, 2))
    return nan_least(x, shuffle_xor(x, 1))


@scalar_function
def block_sum(x, parts):
    """Returns the sum of a block's numbers, in all its threads. `parts` is a shared array of 32."""
    x = warp_sum(x)
    if thread() % 32 == 0:
        parts[thread() // 32] = x
    synchronize()
    total = parts[0]
    for i in range(1, threads() // 32):
        total += parts[i]
    synchronize()
    return total


@scalar_function
def block_product(x, parts):
    """Returns the product of a block's numbers, in all its threads. `parts` is a shared array of 32."""
    x = warp_product(x)
    if thread() % 32 == 0:
        parts[thread() // 32] = x
    synchronize()
    total = parts[0]
    for i in range(1, threads() // 32):
        total *= parts[i]
    synchronize()
    return total


@scalar_function
def block_greatest(x, parts):
    """Returns a block's greatest number, in all its threads; NaN if there is one. `parts` is a shared array of 32."""
    x = warp_greatest(x)
    if thread() % 32 == 0:
        parts[thread() // 32] = x
    synchronize()
    greatest = parts[0]
    for i in range(1, threads() // 32):
        greatest = nan_greatest(greatest, parts[i])
    synchronize()
    return greatest


@scalar_function
def block_least(x, parts):
    """Returns a block's least number, in all its threads; NaN if there is one. `parts` is a shared array of 32."""
    x = warp_least(x)
    if thread() % 32 == 0:
        parts[thread() // 32] = x
    synchronize()
    least = parts[0]
    for i in range(1, threads() // 32):
        least = nan_least(least, parts[i])
    synchronize()
    return least


@scalar_function
def lines_sum(x, parts):
    """Returns, in each thread, the sum over warps of the numbers of the threads with the same lane.

    `parts` is a shared array with an element for each thread.
    """
    parts[thread()] = x
    synchronize()
    total = parts[thread() % 32]
    for i in range(thread() % 32 + 32, threads(), 32):
        total += parts[i]
    synchronize()
    return total


@scalar_function
def lines_product(x, parts):
    """Returns, in each thread, the product over warps of the numbers of its lane. `parts` is as in `lines_sum`."""
    parts[thread()] = x
    synchronize()
    total = parts[thread() % 32]
    for i in range(thread() % 32 + 32, threads(), 32):
        total *= parts[i]
    synchronize()
    return total


@scalar_function
def lines_greatest(x, parts):
    """Returns, in each thread, the greatest number of its lane over warps, or NaN. `parts` is as in `lines_sum`."""
    parts[thread()] = x
    synchronize()
    greatest = parts[thread() % 32]
    for i in range(thread() % 32 + 32, threads(), 32):
        greatest = nan_greatest(greatest, parts[i])
    synchronize()
    return greatest


@scalar_function
def lines_least(x, parts):
    """Returns, in each thread, the least number of its lane over warps, or NaN. `parts` is as in `lines_sum`."""
    parts[thread()] = x
    synchronize()
    least = parts[thread() % 32]
    for i in range(thread() % 32 + 32, threads(), 32):
        least = nan_least(least, parts[i])
    synchronize()
    return least
