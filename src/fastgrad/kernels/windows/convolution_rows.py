"""Convolutions of floats as products of matrices: rows of windows times the filters' cells, with nothing unfolded.

A line is the last spatial dimension of one image. Every sum is made in an order that depends on sizes alone.
"""

from fastgrad.kernels.building.body import masked_loads, multiply_rows, panel_columns, scalar_function, vector_lanes
from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions.vector_math import greatest, least
from fastgrad.kernels.windows.sliding import WINDOW, end_cell, first_cell, window_of

FLOATS = ("float32", "float64")
INPUTS = 16  # channels of the input that one unit of the filters' gradient takes


@scalar_function
def add_product(a, a_at, a_row, a_k, b, b_at, b_k, c, c_at, c_row, depth, rows, columns):
    """c += a b, for rows of any length."""
    if rows <= 0 or depth <= 0:
        return
    width = panel_columns(T)
    for left in range(0, columns, width):
        some = least(width, columns - left)
        if masked_loads(T) != 0 or some % vector_lanes(T) == 0:
            multiply_rows(a, a_at, a_row, a_k, b, b_at + left, b_k, c, c_at + left, c_row, 1, depth, rows, some)
            continue
        for r in range(rows):
            to = c_at + r * c_row + left
            for k in range(depth):
                value = a[a_at + r * a_row + k * a_k]
                at = b_at + k * b_k + left
                for j in range(some):
                    c[to + j] += value * b[at + j]


@scalar_function
def first_window(offset, stride):
    """The first window whose cell at this offset from its start is not before the input."""
    return 0 if offset >= 0 else (-offset + stride - 1) // stride


@scalar_function
def end_window(offset, stride, windows, size):
    """The end of the windows whose cell at this offset is not behind the input."""
    return greatest(0, least(windows, (size - offset + stride - 1) // stride))


@kernel(
    f"x: in[T], filters: in[T], y: out[T], channels: int, group: int, outs: int, {WINDOW}, first: int, last: int",
    T=FLOATS,
    noalias=True,
)
def convolve_lines(
    x, filters, y, channels, group, outs,
    d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last,
):  # fmt: skip
    """y = the convolution of x with filters, as `convolution.convolve`. A unit of work is a line of windows.

    Where a window's cells lie side by side in x, those of the windows that are inside the input count as one.
    """
    groups = channels // group
    each = outs // groups
    whole = lw == 1 and groups == 1
    for unit in range(first, last):
        b = unit % oh
        a = unit // oh % od
        n = unit // (oh * od)
        at_d, at_h = a * sd - pd, b * sh - ph
        target = unit * ow * outs
        for o in range(target, target + ow * outs):
            y[o] = T(0)
        inside = least(first_window(-pw, sw), ow) if whole else 0
        outside = greatest(inside, end_window((kw - 1) * lw - pw, sw, ow, w)) if whole else 0
        for i in range(first_cell(at_d, ld), end_cell(at_d, ld, kd, d)):
            for j in range(first_cell(at_h, lh), end_cell(at_h, lh, kh, h)):
                line = ((n * d + at_d + i * ld) * h + at_h + j * lh) * w
                weights = (i * kh + j) * kw * group * outs
                if outside > inside:
                    source = (line + inside * sw - pw) * channels
                    to = target + inside * outs
                    add_product(
                        x, source, sw * channels, 1, filters, weights, outs, y, to, outs,
                        kw * channels, outside - inside, outs,
                    )  # fmt: skip
                for k in range(kw):
                    offset = k * lw - pw
                    left, right = first_window(offset, sw), end_window(offset, sw, ow, w)
                    cell = weights + k * group * outs
                    for part in range(groups):
                        at = cell + part * each
                        column = part * each
                        channel = part * group
                        # What the product above has not done: the windows before and behind those.
                        end = least(right, inside) if outside > inside else right
                        add_product(
                            x, (line + left * sw + offset) * channels + channel, sw * channels, 1, filters, at, outs,
                            y, target + left * outs + column, outs, group, end - left, each,
                        )  # fmt: skip
                        start = greatest(left, outside)
                        if outside > inside:
                            add_product(
                                x, (line + start * sw + offset) * channels + channel, sw * channels, 1, filters, at,
                                outs, y, target + start * outs + column, outs, group, right - start, each,
                            )  # fmt: skip


@kernel(
    f"g: in[T], turned: in[T], x: out[T], channels: int, group: int, outs: int, {WINDOW}, first: int, last: int",
    T=FLOATS,
    noalias=True,
)
def convolve_input_lines(
    g, turned, x, channels, group, outs,
    d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last,
):  # fmt: skip
    """The cotangent of `convolve_lines`' x, with the filters of `convolution.turn_filters`. A unit is a line of x."""
    groups = channels // group
    each = outs // groups
    for unit in range(first, last):
        b = unit % h
        a = unit // h % d
        n = unit // (h * d)
        target = unit * w * channels
        for q in range(target, target + w * channels):
            x[q] = T(0)
        for i in range(kd):
            at_d = window_of(a, pd, i, ld, sd, od)
            for j in range(kh):
                at_h = window_of(b, ph, j, lh, sh, oh)
                if at_d < 0 or at_h < 0:
                    continue
                line = ((n * od + at_d) * oh + at_h) * ow
                for k in range(kw):
                    offset = k * lw - pw
                    left, right = first_window(offset, sw), end_window(offset, sw, ow, w)
                    for part in range(groups):
                        add_product(
                            g, (line + left) * outs + part * each, outs, 1,
                            turned, ((i * kh + j) * kw + k) * group * outs + part * each * group, group,
                            x, target + (left * sw + offset) * channels + part * group, sw * channels,
                            each, right - left, group,
                        )  # fmt: skip


@kernel(
    f"x: in[T], g: in[T], filters: out[T], sums: inout[T], batch: int, channels: int, group: int, outs: int, {WINDOW}, "
    "first: int, last: int",
    T=FLOATS,
    noalias=True,
)
def convolve_filters_lines(
    x, g, filters, sums, batch, channels, group, outs,
    d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last,
):  # fmt: skip
    """The cotangent of `convolve_lines`' filters: a sum for each image, and of those.

    A unit of work is `INPUTS` of the rows of a cell; `sums` is as large as the filters.
    """
    groups = channels // group
    each = outs // groups
    tiles = (group + INPUTS - 1) // INPUTS
    for unit in range(first, last):
        cell = unit // tiles
        top = (unit - cell * tiles) * INPUTS
        rows = least(INPUTS, group - top)
        k = cell % kw
        j = cell // kw % kh
        i = cell // (kw * kh)
        start = (cell * group + top) * outs
        stop = start + rows * outs
        offset = k * lw - pw
        left, right = first_window(offset, sw), end_window(offset, sw, ow, w)
        for o in range(start, stop):
            filters[o] = T(0)
        for n in range(batch):
            for o in range(start, stop):
                sums[o] = T(0)
            for a in range(od):
                at_d = a * sd - pd + i * ld
                for b in range(oh):
                    at_h = b * sh - ph + j * lh
                    if at_d < 0 or at_d >= d or at_h < 0 or at_h >= h:
                        continue
                    source = (((n * d + at_d) * h + at_h) * w + left * sw + offset) * channels + top
                    given = (((n * od + a) * oh + b) * ow + left) * outs
                    for part in range(groups):
                        add_product(
                            x, source + part * group, 1, sw * channels, g, given + part * each, outs,
                            sums, start + part * each, outs, right - left, rows, each,
                        )  # fmt: skip
            for o in range(start, stop):
                filters[o] += sums[o]
