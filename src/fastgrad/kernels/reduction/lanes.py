"""Combining lanes: partial results, element i of which has gone to lane i % 256.

Every 16th lane is combined one after the other, and then these 16 results: the order depends on the number of lanes
alone, which is rounded up to a multiple of 16 by lanes that change nothing. The first 16 lanes hold the chains, which go on
side by side: one chain after another would read every 16th lane, which LLVM makes thousands of shuffles of where lanes are
bytes. (That the number of results looks like one that is not known keeps LLVM from unrolling their loop.)
"""

from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.math.vector_math import least, nan_greatest, nan_least

LANES = 256
DEPTH = 64  # so many elements are added in a lane, one after the other
FEW = 32  # rows of so few elements need no lanes
PART = 65536  # elements of a part of a long reduction
ENOUGH = 64  # so many pieces of work need not be cut into parts
MANY = 1 << 19  # nor need fewer elements than these


@scalar_function
def padded(used):
    """The number of lanes that combining looks at, for `used` lanes."""
    return (used + 15) // 16 * 16


@scalar_function
def fill(lanes, count, neutral):
    """Sets the first `count` lanes to what changes nothing that it is combined with."""
    for i in range(count):
        lanes[i] = neutral


@scalar_function
def lanes_sum(lanes, count):
    """The sum of the first `count` lanes, a multiple of 16; overwrites lanes."""
    for k in range(16, count, 16):
        for i in range(16):
            lanes[i] += lanes[k + i]
    total = lanes[0]
    for i in range(1, least(16, count)):
        total += lanes[i]
    return total


@scalar_function
def lanes_product(lanes, count):
    """The product likewise."""
    for k in range(16, count, 16):
        for i in range(16):
            lanes[i] *= lanes[k + i]
    total = lanes[0]
    for i in range(1, least(16, count)):
        total *= lanes[i]
    return total


@scalar_function
def lanes_greatest(lanes, count):
    """The greatest likewise; NaN if there is one."""
    for k in range(16, count, 16):
        for i in range(16):
            lanes[i] = nan_greatest(lanes[i], lanes[k + i])
    total = lanes[0]
    for i in range(1, least(16, count)):
        total = nan_greatest(total, lanes[i])
    return total


@scalar_function
def lanes_least(lanes, count):
    """The least likewise."""
    for k in range(16, count, 16):
        for i in range(16):
            lanes[i] = nan_least(lanes[i], lanes[k + i])
    total = lanes[0]
    for i in range(1, least(16, count)):
        total = nan_least(total, lanes[i])
    return total
