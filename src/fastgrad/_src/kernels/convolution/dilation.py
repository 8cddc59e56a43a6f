"""Grayscale dilation: the greatest sum of a pixel and the filter's element over each window."""

from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.convolution.sliding import end_cell, first_cell
from fastgrad._src.kernels.movement.ordering import REAL_DTYPES


@kernel(
    "x: in[T], filters: in[T], out: out[T], lowest: float, channels: int, height: int, width: int, rows: int, "
    "columns: int, out_height: int, out_width: int, stride_h: int, stride_w: int, pad_h: int, pad_w: int, "
    "dilation_h: int, dilation_w: int, first: int, last: int",
    noalias=True,
    T=REAL_DTYPES,
)
def greatest_sums(
    x, filters, out, lowest, channels, height, width, rows, columns, out_height, out_width, stride_h, stride_w,
    pad_h, pad_w, dilation_h, dilation_w, first, last,
):  # fmt: skip
    """Writes the greatest sum of each window, or `lowest` if no sum is above it. A unit is a line of windows.

    Cells outside of the image do not count. The filters have the shape (rows, columns, channels).
    """
    for line in range(first, last):
        image = line // out_height
        top = (line - image * out_height) * stride_h - pad_h
        i0, i1 = first_cell(top, dilation_h), end_cell(top, dilation_h, rows, height)
        for place in range(out_width):
            left = place * stride_w - pad_w
            j0, j1 = first_cell(left, dilation_w), end_cell(left, dilation_w, columns, width)
            to = (line * out_width + place) * channels
            for c in range(channels):
                out[to + c] = T(lowest)
            for i in range(i0, i1):
                row_at = (image * height + top + i * dilation_h) * width + left
                for j in range(j0, j1):
                    at, filter_at = (row_at + j * dilation_w) * channels, (i * columns + j) * channels
                    for c in range(channels):
                        total = T(x[at + c] + filters[filter_at + c])
                        out[to + c] = total if total > out[to + c] else out[to + c]
