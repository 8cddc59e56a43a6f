"""Matrix products that the tiles of `gemm` do not support: integers, complex numbers, batches that broadcast both ways.

Rows of C are units of work. `offsets` has, for each matrix of the batch, the start of its A and of its B.
"""

from __future__ import annotations

from fastgrad._src.jit.build import kernel

_SIGNATURE = (
    "a: in[T], b: in[T], c: out[T], offsets: in[int64], m: int, n: int, k: int, a_row: int, a_k: int, b_k: int, "
    "b_column: int, first: int, last: int"
)


@kernel(_SIGNATURE, T=("int32", "int64", "float32", "float64"))
def plain_product(a, b, c, offsets, m, n, k, a_row, a_k, b_k, b_column, first, last):
    """Computes the matrix product C = A B in batches, term by term; whole numbers wrap around."""
    for row in range(first, last):
        batch = row // m
        a_at, b_at, c_at = offsets[2 * batch] + (row - batch * m) * a_row, offsets[2 * batch + 1], row * n
        for j in range(n):
            c[c_at + j] = T(0)
        for term in range(k):
            x = a[a_at + term * a_k]
            for j in range(n):
                c[c_at + j] += x * b[b_at + term * b_k + j * b_column]


@kernel(_SIGNATURE, T=("float32", "float64"))
def complex_product(a, b, c, offsets, m, n, k, a_row, a_k, b_k, b_column, first, last):
    """C = A B of complex numbers, which are pairs of T in memory; offsets and strides count complex numbers."""
    for row in range(first, last):
        batch = row // m
        a_at, b_at, c_at = offsets[2 * batch] + (row - batch * m) * a_row, offsets[2 * batch + 1], row * n
        for j in range(2 * n):
            c[2 * c_at + j] = T(0)
        for term in range(k):
            x, y = a[2 * (a_at + term * a_k)], a[2 * (a_at + term * a_k) + 1]
            for j in range(n):
                at = 2 * (b_at + term * b_k + j * b_column)
                c[2 * (c_at + j)] += x * b[at] - y * b[at + 1]
                c[2 * (c_at + j) + 1] += x * b[at + 1] + y * b[at]
