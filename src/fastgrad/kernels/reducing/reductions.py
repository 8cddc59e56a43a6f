"""Sums and maxima in the bodies of kernels, which vectorise, and whose sums are as accurate as NumPy's pairwise ones.

A sum has `LANES` partial sums, element i going to lane i % LANES, which are then added as a tree. The order of
additions depends on the number of elements alone, so results are the same on every CPU. Long sums are made of blocks
of `BLOCK` elements, whose totals are added in float64. Sums over rows are made of blocks of `ROW_BLOCK` rows.
"""

from fastgrad.kernels.building.body import scalar_function
from fastgrad.kernels.functions.vector_math import greatest, least

LANES = 256
BLOCK = 16384
ROW_BLOCK = 64
FEW = 16  # so many numbers are added one after the other


@scalar_function
def lane_total(lanes, used):
    """The sum of the first `used` lanes, 0 <= used <= LANES; their memory is overwritten."""
    if used <= FEW:
        total = T(0)
        for i in range(used):
            total += lanes[i]
        return total
    width = 2 * FEW
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
def sum_of(x, first, count, lanes):
    """The sum of `count` elements of x from `first` on, for rows of moderate length; lanes has `LANES` elements."""
    used = least(LANES, count)
    for i in range(used):
        lanes[i] = x[first + i]
    for start in range(LANES, count, LANES):
        for i in range(least(LANES, count - start)):
            lanes[i] += x[first + start + i]
    return lane_total(lanes, used)


@scalar_function
def maximum_of(x, first, count, lanes):
    """The greatest of `count` >= 1 elements of x from `first` on; NaN may be passed over."""
    used = least(LANES, count)
    for i in range(used):
        lanes[i] = x[first + i]
    for start in range(LANES, count, LANES):
        for i in range(least(LANES, count - start)):
            lanes[i] = greatest(x[first + start + i], lanes[i])
    if used <= FEW:
        peak = lanes[0]
        for i in range(1, used):
            peak = greatest(lanes[i], peak)
        return peak
    width = 2 * FEW
    while width < used:
        width *= 2
    for i in range(used, width):
        lanes[i] = lanes[0]
    while width > 1:
        width //= 2
        for i in range(width):
            lanes[i] = greatest(lanes[i], lanes[i + width])
    return lanes[0]
