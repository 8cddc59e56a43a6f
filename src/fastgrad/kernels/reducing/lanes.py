"""Combining lanes: partial results, element i of which has gone to lane i % 256.

Every 16th lane is combined one after the other, and then these 16 results: the order depends on the number of lanes
alone, which is rounded up to a multiple of 16 by lanes that change nothing. (That the number of chains looks like one
that is not known keeps LLVM from unrolling them.)
"""

from fastgrad.kernels.building.body import scalar_function
from fastgrad.kernels.functions.vector_math import least, nan_greatest, nan_least

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
    """The sum of the first `count` lanes, a multiple of 16."""
    total = lanes[0]
    for k in range(16, count, 16):
        total += lanes[k]
    for i in range(1, least(16, count)):
        part = lanes[i]
        for k in range(i + 16, count, 16):
            part += lanes[k]
        total += part
    return total


@scalar_function
def lanes_product(lanes, count):
    """The product likewise."""
    total = lanes[0]
    for k in range(16, count, 16):
        total *= lanes[k]
    for i in range(1, least(16, count)):
        part = lanes[i]
        for k in range(i + 16, count, 16):
            part *= lanes[k]
        total *= part
    return total


@scalar_function
def lanes_greatest(lanes, count):
    """The greatest likewise; NaN if there is one."""
    total = lanes[0]
    for k in range(16, count, 16):
        total = nan_greatest(total, lanes[k])
    for i in range(1, least(16, count)):
        part = lanes[i]
        for k in range(i + 16, count, 16):
            part = nan_greatest(part, lanes[k])
        total = nan_greatest(total, part)
    return total


@scalar_function
def lanes_least(lanes, count):
    """The least likewise."""
    total = lanes[0]
    for k in range(16, count, 16):
        total = nan_least(total, lanes[k])
    for i in range(1, least(16, count)):
        part = lanes[i]
        for k in range(i + 16, count, 16):
            part = nan_least(part, lanes[k])
        total = nan_least(total, part)
    return total
