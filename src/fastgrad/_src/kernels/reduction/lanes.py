"""Combining lanes: partial results, element i of which has gone to lane i % 256.

Lanes 16 apart are combined in order, which gives 16 chains, and then the 16 results are combined. The order depends
only on the number of lanes, which is rounded up to a multiple of 16 with neutral lanes. The chains advance side by side
in the first 16 lanes. If one chain ran after another, each would read every 16th lane, and LLVM would make thousands of
shuffles of that for lanes of bytes. (The number of results is written so that LLVM does not know it, and does not
unroll their loop.)
"""

from fastgrad._src.jit.body import scalar_function, specialized
from fastgrad._src.kernels.math.vector_math import least, nan_greatest, nan_least

LANES = 256
LANE_DEPTH = 64  # elements that are added in a lane, one after the other
SHORT_ROW_ELEMENTS = 32  # most elements of rows that need no lanes
PART_ELEMENTS = 65536  # elements of a part of a long reduction
ENOUGH_UNITS = 64  # least pieces of work that need no cut into parts
LEAST_SPLIT_ELEMENTS = 1 << 19  # least elements of a reduction that is cut into parts


@scalar_function
def padded_lane_count(used):
    """Returns the number of lanes that `lanes_sum` and the like need for `used` lanes: a multiple of 16."""
    return (used + 15) // 16 * 16


@scalar_function
def fill_lanes(lanes, count, neutral):
    """Sets the first `count` lanes to the neutral element."""
    for i in range(count):
        lanes[i] = neutral


@scalar_function
def plus(a, b):
    """Returns the sum of two numbers."""
    return a + b


@scalar_function
def times(a, b):
    """Returns the product of two numbers."""
    return a * b


def _combined_lanes(lanes, count):
    for k in range(16, count, 16):
        for i in range(16):
            lanes[i] = combine_pair(lanes[i], lanes[k + i])
    total = lanes[0]
    for i in range(1, least(16, count)):
        total = combine_pair(total, lanes[i])
    return total


combine_pair = plus  # each function is compiled with its own
_LANES_DOCSTRING = "of the first `count` lanes, a multiple of 16"
lanes_sum, lanes_product, lanes_greatest, lanes_least = [
    scalar_function(specialized(_combined_lanes, name, f"Returns the {what}; overwrites lanes.", combine_pair=function))
    for name, what, function in (
        ("lanes_sum", f"sum {_LANES_DOCSTRING}", plus),
        ("lanes_product", f"product {_LANES_DOCSTRING}", times),
        ("lanes_greatest", f"greatest {_LANES_DOCSTRING}, NaN if any is NaN", nan_greatest),
        ("lanes_least", f"least {_LANES_DOCSTRING}, NaN if any is NaN", nan_least),
    )
]
