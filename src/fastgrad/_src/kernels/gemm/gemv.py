"""The product of a row with a large matrix, at the speed of memory."""

from __future__ import annotations

from fastgrad._src.jit.body import call_step, fused_multiply_add, local_array, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.gemm.gemm import chains_of
from fastgrad._src.kernels.math.vector_math import least

UNIT_COLUMNS = 64  # columns of a unit of work
SEGMENT_COLUMNS = 1024  # columns whose sums stay in the first cache during the loop over rows of B
DOT_LANES = 128


@scalar_function
def dot(x, b, start, count, lanes):
    """Returns the dot product of x and b[start:], as `DOT_LANES` chains of fused multiply-adds, added as a tree."""
    for i in range(DOT_LANES):
        lanes[i] = T(0)
    whole = count // DOT_LANES * DOT_LANES
    for t in range(0, whole, DOT_LANES):
        for i in range(DOT_LANES):
            lanes[i] = fused_multiply_add(x[t + i], b[start + t + i], lanes[i])
    for i in range(count - whole):
        lanes[i] = fused_multiply_add(x[whole + i], b[start + whole + i], lanes[i])
    width = DOT_LANES // 2
    while width > 0:
        for i in range(width):
            lanes[i] += lanes[i + width]
        width //= 2
    return lanes[0]


@kernel(
    "x: in[T], b: in[T], y: out[T], n: int, k: int, b_k: int, b_column: int, step: int, words: int, first: int, last: int",
    T=("float32", "float64"),
)
def gemv(x, b, y, n, k, b_k, b_column, step, words, first, last):
    """y = x B for B of shape (k, n), k >= 1; one of its strides `b_k` and `b_column` is 1.

    If rows of B are contiguous, the bits are those of `gemm`. `step` and `words` are an epilogue, as in `gemm`; units
    are `UNIT_COLUMNS` columns.
    """
    sums = local_array(T, 1024)
    start, end = first * UNIT_COLUMNS, least(n, last * UNIT_COLUMNS)
    if b_column != 1:
        for j in range(start, end):
            y[j] = dot(x, b, j * b_column, k, sums)
    else:
        chains = chains_of(k)
        for left in range(start, end, SEGMENT_COLUMNS):
            width = least(SEGMENT_COLUMNS, end - left)
            for chain in range(chains):
                term, stop = k * chain // chains, k * (chain + 1) // chains
                for j in range(width):
                    sums[j] = T(0)
                whole = term + (stop - term) // 4 * 4
                for t in range(term, whole, 4):
                    at = t * b_k + left
                    for j in range(width):
                        total = fused_multiply_add(x[t], b[at + j], sums[j])
                        total = fused_multiply_add(x[t + 1], b[at + b_k + j], total)
                        total = fused_multiply_add(x[t + 2], b[at + 2 * b_k + j], total)
                        sums[j] = fused_multiply_add(x[t + 3], b[at + 3 * b_k + j], total)
                for t in range(whole, stop):
                    for j in range(width):
                        sums[j] = fused_multiply_add(x[t], b[t * b_k + left + j], sums[j])
                for j in range(width):
                    y[left + j] = sums[j] if chain == 0 else y[left + j] + sums[j]
    if step != 0:
        call_step(step, words, start, end)
