"""Filters of PNG files: rows of bytes as differences from their neighbours, which compress better."""

from numpy import int64, uint8

from fastgrad._src.jit.body import scalar_function
from fastgrad._src.jit.build import kernel


@scalar_function
def paeth_predictor(left, above, corner):
    """Returns the neighbour that is nearest to left + above - corner; left before above before corner."""
    from_left, from_above, from_corner = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
    other = above if from_above <= from_corner else corner
    return left if (from_left <= from_above) & (from_left <= from_corner) else other


@scalar_function
def size_of_byte(difference):
    """Returns the absolute value of the least significant byte of an integer as a number with a sign."""
    byte = difference & 255
    return byte if byte < 128 else 256 - byte


@kernel("padded: in[uint8], out: out[uint8], width: int, pixel: int, rows: int", noalias=True)
def filter_png_rows(padded, out, width, pixel, rows):
    """Writes each row of `width` bytes by the filter with the least sum of absolute values, after the filter's number.

    A pixel has `pixel` bytes. `padded` has a row and a pixel of zeros before the image.
    """
    line = width + pixel
    for row in range(rows):
        at, to = (row + 1) * line + pixel, row * (width + 1) + 1
        none, sub, up, average, paeth = int64(0), int64(0), int64(0), int64(0), int64(0)
        for i in range(width):
            value, left = int64(padded[at + i]), int64(padded[at + i - pixel])
            above, corner = int64(padded[at + i - line]), int64(padded[at + i - line - pixel])
            none += size_of_byte(value)
            sub += size_of_byte(value - left)
            up += size_of_byte(value - above)
            average += size_of_byte(value - ((left + above) >> 1))
            paeth += size_of_byte(value - paeth_predictor(left, above, corner))
        kind, best = 0, none
        kind, best = (1, sub) if sub < best else (kind, best)
        kind, best = (2, up) if up < best else (kind, best)
        kind, best = (3, average) if average < best else (kind, best)
        kind = 4 if paeth < best else kind
        out[to - 1] = uint8(kind)
        for i in range(width):
            value, left = int64(padded[at + i]), int64(padded[at + i - pixel])
            above, corner = int64(padded[at + i - line]), int64(padded[at + i - line - pixel])
            predicted = paeth_predictor(left, above, corner) if kind == 4 else int64(0)
            predicted = (left + above) >> 1 if kind == 3 else predicted
            predicted = above if kind == 2 else predicted
            predicted = left if kind == 1 else predicted
            out[to + i] = uint8((value - predicted) & 255)
