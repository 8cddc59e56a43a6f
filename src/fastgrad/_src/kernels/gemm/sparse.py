"""The product of a sparse matrix, given by the positions of its elements, with a dense one."""

from __future__ import annotations

from collections.abc import Sequence

from numpy import int64

from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output, Spec, single_launch

DTYPES = ("float32", "float64", "int32", "int64")
TILE_COLUMNS = 64


@kernel(
    "indices: in[int64], values: in[T], b: in[T], out: out[T], rows: int, inner: int, count: int, width: int, first: int, "
    "last: int -> int",
    T=DTYPES,
)
def sparse_product(indices, values, b, out, rows, inner, count, width, first, last):
    """out[indices[k, 0]] += values[k] * b[indices[k, 1]] in order of k, on zeros.

    A unit of work is `TILE_COLUMNS` columns of the result. A position outside of the matrix stops the kernel.
    """
    for tile in range(first, last):
        left = tile * TILE_COLUMNS
        columns = least(TILE_COLUMNS, width - left)
        for r in range(rows):
            at = r * width + left
            for j in range(columns):
                out[at + j] = T(0)
        for k in range(count):
            row, column = int64(indices[2 * k]), int64(indices[2 * k + 1])
            if row < 0 or row >= rows or column < 0 or column >= inner:
                return k
            value, at, source = values[k], row * width + left, column * width + left
            for j in range(columns):
                out[at + j] += value * b[source + j]
    return -1


@with_half_floats
def sparse_product_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], rows: int) -> Launches | None:
    """Returns the launch of the product of a sparse matrix with ``rows`` rows."""
    _, values, b = inputs
    if b.dtype.name not in DTYPES:
        return None
    (inner, width), count = b.shape, values.shape[0]
    tile = min(width, TILE_COLUMNS)
    return single_launch(
        sparse_product[b.dtype], Input(0), Input(1), Input(2), Output(0), rows, inner, count, width,
        units=-(-width // TILE_COLUMNS), unit_cost=0.1 * tile * rows + count * (1.0 + 0.1 * tile),
    )  # fmt: skip
