"""Combining lanes: partial results, element i of which has gone to lane i % 256, are combined as a tree.

The order depends on the number of lanes alone. `neutral` is what changes nothing that it is combined with, in the dtype
of the lanes.
"""

from fastgrad.kernels.body import scalar_function
from fastgrad.kernels.vector_math import nan_greatest, nan_least

LANES = 256
DEPTH = 64  # so many elements are added in a lane, one after the other
FEW = 16


@scalar_function
def fill(lanes, used, neutral):
    """Sets the first `used` lanes."""
    for i in range(used):
        lanes[i] = neutral


@scalar_function
def _width(lanes, used, neutral):
    """A power of two that the tree begins with; the lanes up to it are filled."""
    width = FEW
    while width < used:
        width *= 2
    for i in range(used, width):
        lanes[i] = neutral
    return width


@scalar_function
def lanes_sum(lanes, used, neutral):
    """The sum of the first `used` lanes; their memory is overwritten."""
    width = _width(lanes, used, neutral)
    while width > 1:
        width //= 2
        for i in range(width):
            lanes[i] += lanes[i + width]
    return lanes[0]


@scalar_function
def lanes_product(lanes, used, neutral):
    """The product likewise."""
    width = _width(lanes, used, neutral)
    while width > 1:
        width //= 2
        for i in range(width):
            lanes[i] *= lanes[i + width]
    return lanes[0]


@scalar_function
def lanes_greatest(lanes, used, neutral):
    """The greatest likewise; NaN if there is one."""
    width = _width(lanes, used, neutral)
    while width > 1:
        width //= 2
        for i in range(width):
            lanes[i] = nan_greatest(lanes[i], lanes[i + width])
    return lanes[0]


@scalar_function
def lanes_least(lanes, used, neutral):
    """The least likewise."""
    width = _width(lanes, used, neutral)
    while width > 1:
        width //= 2
        for i in range(width):
            lanes[i] = nan_least(lanes[i], lanes[i + width])
    return lanes[0]
