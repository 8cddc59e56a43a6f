"""Sums in the bodies of kernels, which vectorise and are as accurate as NumPy's pairwise sums.

A sum has `LANES` partial sums; element i goes to lane i % LANES. The lanes are then added as a tree. The order of
additions depends on the number of elements alone, so results are the same on every CPU. Long sums are made of blocks of
`BLOCK_ELEMENTS` elements, whose totals are added in float64. Sums over rows are made of blocks of `BLOCK_ROWS` rows.
"""

from fastgrad._src.jit.body import scalar_function
from fastgrad._src.kernels.math.vector_math import least

LANES = 256
BLOCK_ELEMENTS = 16384
BLOCK_ROWS = 64
MOST_SUMMED_IN_ORDER = 16  # most numbers that are added one after the other


@scalar_function
def lane_total(lanes, used):
    """Returns the sum of the first `used` lanes, 0 <= used <= LANES; overwrites lanes."""
    if used <= MOST_SUMMED_IN_ORDER:
        total = T(0)
        for i in range(used):
            total += lanes[i]
        return total
    width = 2 * MOST_SUMMED_IN_ORDER
    while width < used:
        width *= 2
    for i in range(used, width):
        lanes[i] = T(0)
    while width > 1:
        width //= 2
        for i in range(width):
            lanes[i] += lanes[i + width]
    return lanes[0]


@scalar_function
def sum_of_block_squares(x, start, end, lanes):
    """Returns the sum of the squares of the elements [start, end), a block."""
    for i in range(least(LANES, end - start)):
        lanes[i] = x[start + i] * x[start + i]
    for at in range(start + LANES, end, LANES):
        for i in range(least(LANES, end - at)):
            lanes[i] += x[at + i] * x[at + i]
    return lane_total(lanes, least(LANES, end - start))
