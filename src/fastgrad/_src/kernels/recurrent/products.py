"""Products with a recurrent kernel that is the same at all time steps: it is packed once and used at each step.

Each element is a sum of chains of fused multiply-adds in the order of the terms, as in `gemm`. So its bits depend only
on its row and its column, not on the rows that are computed together.
"""

from __future__ import annotations

import numpy as np

from fastgrad._src.jit.body import multiply_rows, panel_columns, scalar_function, vector_lanes
from fastgrad._src.jit.build import kernel
from fastgrad._src.jit.isa import host_isa
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.runtime.launch import Input, Launch, Scratch

FLOATS = ("float32", "float64")
MOST_CHAIN_TERMS = 384  # the longest chain


@kernel("matrix: in[T], packed: out[T], k: int, n: int, row: int, column: int, first: int, last: int", T=FLOATS)
def pack_matrix(matrix, packed, k, n, row, column, first, last):
    """Copies the panels [first, last) of a matrix of shape (k, n) with these strides, one of which is 1."""
    width = panel_columns(T)
    lanes = vector_lanes(T)
    for panel in range(first, last):
        columns = least(width, n - panel * width)
        stride = (columns + lanes - 1) // lanes * lanes
        for term in range(0, k, MOST_CHAIN_TERMS):
            depth = least(MOST_CHAIN_TERMS, k - term)
            at = panel * width * column + term * row
            pack_panel_at(matrix, at, row, column, packed, panel * width * k + term * stride, stride, depth, columns)


@scalar_function
def pack_panel_at(matrix, at, row_stride, column_stride, packed, packed_at, packed_stride, depth, columns):
    """Copies a matrix's columns, from `at` on, to rows of `packed`, from `packed_at` on, padded to whole vectors."""
    lanes = vector_lanes(T)
    for i in range(depth):
        for j in range(columns):
            packed[packed_at + i * packed_stride + j] = matrix[at + i * row_stride + j * column_stride]
        for j in range(columns, (columns + lanes - 1) // lanes * lanes):
            packed[packed_at + i * packed_stride + j] = T(0)


@scalar_function
def multiply_packed(a, a_at, a_row, packed, c, c_at, accumulate, rows, k, n):
    """C = A B, or C += A B: A has `rows` contiguous rows of k elements, B is packed, C has rows of n."""
    width = panel_columns(T)
    lanes = vector_lanes(T)
    for column in range(0, n, width):
        columns = least(width, n - column)
        stride = (columns + lanes - 1) // lanes * lanes
        for term in range(0, k, MOST_CHAIN_TERMS):
            depth = least(MOST_CHAIN_TERMS, k - term)
            more = accumulate + term
            multiply_rows(
                a, a_at + term, a_row, 1, packed, column * k + term * stride, stride, c, c_at + column, n, more,
                depth, rows, columns,
            )  # fmt: skip


def packed_size(dtype: np.dtype, k: int, n: int) -> int:
    """Returns the number of elements of a packed matrix of shape (k, n)."""
    width = host_isa().panel_bytes // dtype.itemsize
    return k * -(-n // width) * width


def pack_launch(dtype: np.dtype, input_number: int, k: int, n: int, transposed: bool) -> Launch:
    """Returns the launch that packs an input, of shape (k, n), or (n, k) if `transposed`, into `Scratch(0)`."""
    strides = (1, k) if transposed else (n, 1)
    panels = -(-n * dtype.itemsize // host_isa().panel_bytes)
    return Launch(pack_matrix[dtype], (Input(input_number), Scratch(0), k, n, *strides), panels, 0.3 * k * n / panels)
