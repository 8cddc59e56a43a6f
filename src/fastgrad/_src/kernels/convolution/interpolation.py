"""Pixels of images at places between pixels."""

from numpy import float32, int64

from fastgrad._src.jit.body import round_down, scalar_function
from fastgrad._src.jit.build import kernel

FLOATS = ("float32", "float64")
NEAREST, BILINEAR, CLAMPED_BILINEAR = 0, 1, 2
"""The methods of ``interpolated_pixels``."""


@scalar_function
def is_pixel(row, column, height, width):
    """True if a place is in an image; `&` evaluates both sides, without branches."""
    return (row >= 0) & (row < height) & (column >= 0) & (column < width)


@kernel(
    "x: in[T], images: in[int32], rows: in[float32], columns: in[float32], out: out[T], height: int, width: int, "
    "channels: int, points: int, method: int, fill: float, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def interpolated_pixels(x, images, rows, columns, out, height, width, channels, points, method, fill, first, last):
    """Writes the pixels of images at (rows[i, p], columns[i, p]) of the image images[i]. A unit is a point.

    Pixels outside of an image are `fill`. CLAMPED_BILINEAR takes no points between the outermost pixels and the border,
    and does not read pixels of weight 0.
    """
    for unit in range(first, last):
        row, column = rows[unit], columns[unit]
        source, target = int64(images[unit // points]) * height * width, unit * channels
        if not ((row > float32(-1)) & (row < float32(height)) & (column > float32(-1)) & (column < float32(width))):
            # NaN and infinity have no place between pixels; `fill` else.
            value = T(fill) if method != BILINEAR else T(fill) + T((row - row) + (column - column))
            for c in range(channels):
                out[target + c] = value
        else:
            above, before = round_down(row), round_down(column)
            top, left = int64(above), int64(before)
            at = (source + top * width + left) * channels
            if method == NEAREST:
                inside = is_pixel(top, left, height, width)
                for c in range(channels):
                    out[target + c] = x[at + c] if inside else T(fill)
            else:
                down, right = T(row - above), T(column - before)
                if method == CLAMPED_BILINEAR:
                    below = at + width * channels if down > 0 else at
                    step = channels if right > 0 else 0
                    for c in range(channels):
                        upper = x[at + c] + (x[at + step + c] - x[at + c]) * right
                        lower = x[below + c] + (x[below + step + c] - x[below + c]) * right
                        out[target + c] = upper + (lower - upper) * down
                else:
                    has_upper, has_lower = top >= 0, top + 1 < height
                    has_left, has_right = left >= 0, left + 1 < width
                    below = at + width * channels
                    for c in range(channels):
                        a = x[at + c] if has_upper and has_left else T(fill)
                        b = x[at + channels + c] if has_upper and has_right else T(fill)
                        lower_a = x[below + c] if has_lower and has_left else T(fill)
                        lower_b = x[below + channels + c] if has_lower and has_right else T(fill)
                        upper = (T(1) - right) * a + right * b
                        lower = (T(1) - right) * lower_a + right * lower_b
                        out[target + c] = (T(1) - down) * upper + down * lower
