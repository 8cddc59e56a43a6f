"""Sums in the bodies of kernels, which vectorise and are as accurate as NumPy's pairwise ones.

A sum has `LANES` partial sums, element i going to lane i % LANES, which are then added as a tree. The order of
additions depends on the number of elements alone, so results are the same on every CPU. Long sums are made of blocks
of `BLOCK` elements, whose totals are added in float64.
"""

from fastgrad.kernels.body import scalar_function

LANES = 256
BLOCK = 16384


@scalar_function
def lane_total(lanes, used):
    """The sum of the first `used` lanes, 1 <= used <= LANES; their memory is overwritten."""
    width = 1
    while width < used:
        width *= 2
    for i in range(used, width):
        lanes[i] = T(0)
    while width > 1:
        width //= 2
        for i in range(width):
            lanes[i] += lanes[i + width]
    return lanes[0]
