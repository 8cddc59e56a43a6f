"""Suppression of boxes that overlap boxes of greater scores."""

from fastgrad._src.jit.body import scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import exp, greatest, least

FLOATS = ("float32", "float64")


@scalar_function
def intersection_over_union(boxes, i, j):
    """Returns the overlap of two boxes, whose corners have any order; 0 for a box without an area."""
    i, j = 4 * i, 4 * j
    top, bottom = least(boxes[i], boxes[i + 2]), greatest(boxes[i], boxes[i + 2])
    left, right = least(boxes[i + 1], boxes[i + 3]), greatest(boxes[i + 1], boxes[i + 3])
    other_top, other_bottom = least(boxes[j], boxes[j + 2]), greatest(boxes[j], boxes[j + 2])
    other_left, other_right = least(boxes[j + 1], boxes[j + 3]), greatest(boxes[j + 1], boxes[j + 3])
    area, other_area = (bottom - top) * (right - left), (other_bottom - other_top) * (other_right - other_left)
    height = greatest(least(bottom, other_bottom) - greatest(top, other_top), T(0))
    width = greatest(least(right, other_right) - greatest(left, other_left), T(0))
    intersection = height * width
    return intersection / (area + other_area - intersection) if (area > 0) & (other_area > 0) else T(0)


@kernel(
    "boxes: in[T], scores: in[T], threshold: in[float32], score_threshold: in[float32], sigma: in[float32], "
    "left: inout[T], is_candidate: inout[int32], indices: out[int32], selected: out[T], valid: out[int32], size: int, "
    "count: int",
    noalias=True,
    T=FLOATS,
)
def select_boxes(
    boxes,
    scores,
    threshold,
    score_threshold,
    sigma,
    left,
    is_candidate,
    indices,
    selected,
    valid,
    size,
    count,
):
    """Writes the indices and scores of at most `count` boxes, the greatest score first, then zeros; and their number.

    A box that overlaps a selected one by more than the threshold is left out. With a sigma above 0, an overlap lowers
    its score instead. `boxes` has the shape (size, 4). `left` and `is_candidate` are scratch memory.
    """
    least_overlap, least_score, scale = T(threshold[0]), T(score_threshold[0]), T(0)
    is_soft = sigma[0] > 0
    if is_soft:
        scale = T(-0.5) / T(sigma[0])
    best = -1
    for i in range(size):
        left[i] = scores[i]
        is_candidate[i] = 1 if scores[i] > least_score else 0
        if is_candidate[i] != 0 and (best < 0 or left[i] > left[best]):
            best = i
    found = 0
    while best >= 0 and found < count:
        indices[found] = best
        selected[found] = left[best]
        found += 1
        is_candidate[best] = 0
        following = -1
        for i in range(size):
            if is_candidate[i] != 0:
                overlap = intersection_over_union(boxes, best, i)
                if is_soft:
                    left[i] = left[i] * exp(scale * overlap * overlap)
                    is_candidate[i] = 1 if left[i] > least_score else 0
                elif overlap > least_overlap:
                    is_candidate[i] = 0
                if is_candidate[i] != 0 and (following < 0 or left[i] > left[following]):
                    following = i
        best = following
    valid[0] = found
    for place in range(found, count):
        indices[place] = 0
        selected[place] = T(0)
