"""The transpose of a product computed as its transpose, with the tiles that transpose B for products."""

from __future__ import annotations

from fastgrad._src.jit.body import pack_panel, panel_array, panel_columns, vector_lanes
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import least


@kernel("x: in[T], y: out[T], rows: int, columns: int, first: int, last: int", T=("float32", "float64"), noalias=True)
def transpose_matrix(x, y, rows, columns, first, last):
    """y, of shape (rows, columns), is the transpose of x; units are panels of columns of y."""
    packed = panel_array(T, 64)
    width = panel_columns(T)
    lanes = vector_lanes(T)
    for panel in range(first, last):
        column = panel * width
        count = least(width, columns - column)
        stride = (count + lanes - 1) // lanes * lanes
        for row in range(0, rows, 64):
            depth = least(64, rows - row)
            pack_panel(x, column * rows + row, 1, rows, packed, stride, depth, count)
            for i in range(depth):
                at, here = (row + i) * columns + column, i * stride
                for j in range(count):
                    y[at + j] = packed[here + j]
