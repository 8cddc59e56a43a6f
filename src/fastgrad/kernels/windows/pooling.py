"""Maxima and means over sliding windows, each result by itself. A unit of work is the channels of one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, prod
from typing import Any

import numpy as np

from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions.vector_math import nan_greatest
from fastgrad.kernels.mapping.half import through_float32
from fastgrad.kernels.running.launch import Input, Launch, Launches, Output, Scratch, Spec, only
from fastgrad.kernels.windows.sliding import WINDOW, cells_inside, end_cell, first_cell, window_of, window_sizes

FLOATS = ("float32", "float64")
ORDERED = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16")


@kernel(f"x: in[T], y: out[T], channels: int, lowest: float, {WINDOW}, first: int, last: int", T=ORDERED, noalias=True)
def largest_in_windows(
    x, y, channels, lowest, d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last
):
    """The largest element of each window; `lowest` where it has none."""
    for unit in range(first, last):
        c = unit % ow
        b = unit // ow % oh
        a = unit // (ow * oh) % od
        n = unit // (ow * oh * od)
        at_d, at_h, at_w = a * sd - pd, b * sh - ph, c * sw - pw
        target = unit * channels
        for o in range(channels):
            y[target + o] = T(lowest)
        for i in range(first_cell(at_d, ld), end_cell(at_d, ld, kd, d)):
            for j in range(first_cell(at_h, lh), end_cell(at_h, lh, kh, h)):
                for k in range(first_cell(at_w, lw), end_cell(at_w, lw, kw, w)):
                    source = (((n * d + at_d + i * ld) * h + at_h + j * lh) * w + at_w + k * lw) * channels
                    for o in range(channels):
                        y[target + o] = nan_greatest(y[target + o], x[source + o])


@kernel(
    f"x: in[T], y: in[T], winners: out[int32], channels: int, {WINDOW}, first: int, last: int", T=ORDERED, noalias=True
)
def winning_cells(
    x, y, winners, channels, d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last
):
    """Which of its cells is the first that has the window's result y, -1 if none has."""
    for unit in range(first, last):
        c = unit % ow
        b = unit // ow % oh
        a = unit // (ow * oh) % od
        n = unit // (ow * oh * od)
        at_d, at_h, at_w = a * sd - pd, b * sh - ph, c * sw - pw
        target = unit * channels
        for o in range(channels):
            winners[target + o] = -1
        for i in range(first_cell(at_d, ld), end_cell(at_d, ld, kd, d)):
            for j in range(first_cell(at_h, lh), end_cell(at_h, lh, kh, h)):
                for k in range(first_cell(at_w, lw), end_cell(at_w, lw, kw, w)):
                    source = (((n * d + at_d + i * ld) * h + at_h + j * lh) * w + at_w + k * lw) * channels
                    cell = (i * kh + j) * kw + k
                    for o in range(channels):
                        p, q = x[source + o], y[target + o]
                        same = p == q or (p != p and q != q)  # noqa: PLR0124 - of NaN
                        if same and winners[target + o] < 0:
                            winners[target + o] = cell


@kernel(
    f"winners: in[int32], g: in[T], x: out[T], channels: int, {WINDOW}, first: int, last: int", T=FLOATS, noalias=True
)
def from_winners(
    winners, g, x, channels, d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last
):
    """Numbers of the windows, added up at the cells that have won them."""
    for unit in range(first, last):
        c = unit % w
        b = unit // w % h
        a = unit // (w * h) % d
        n = unit // (w * h * d)
        target = unit * channels
        for q in range(channels):
            x[target + q] = T(0)
        for i in range(kd):
            at_d = window_of(a, pd, i, ld, sd, od)
            if at_d < 0:
                continue
            for j in range(kh):
                at_h = window_of(b, ph, j, lh, sh, oh)
                if at_h < 0:
                    continue
                for k in range(kw):
                    at_w = window_of(c, pw, k, lw, sw, ow)
                    if at_w < 0:
                        continue
                    source = (((n * od + at_d) * oh + at_h) * ow + at_w) * channels
                    cell = (i * kh + j) * kw + k
                    for q in range(channels):
                        if winners[source + q] == cell:
                            x[target + q] += g[source + q]


@kernel(
    f"winners: in[int32], x: in[T], y: out[T], channels: int, {WINDOW}, first: int, last: int", T=FLOATS, noalias=True
)
def at_winners(
    winners, x, y, channels, d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last
):
    """The numbers of the cells that have won the windows; 0 for a window without one."""
    for unit in range(first, last):
        c = unit % ow
        b = unit // ow % oh
        a = unit // (ow * oh) % od
        n = unit // (ow * oh * od)
        for o in range(unit * channels, (unit + 1) * channels):
            cell = winners[o]
            if cell < 0:
                y[o] = T(0)
                continue
            at_w = c * sw - pw + cell % kw * lw
            at_h = b * sh - ph + cell // kw % kh * lh
            at_d = a * sd - pd + cell // (kw * kh) * ld
            y[o] = x[(((n * d + at_d) * h + at_h) * w + at_w) * channels + o - unit * channels]


@kernel(
    f"winners: in[int32], y: out[T], with_batch: int, channels: int, {WINDOW}, first: int, last: int",
    T=("int32", "int64"),
    noalias=True,
)
def winner_positions(
    winners, y, with_batch, channels, d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last
):
    """Where the cells are that have won the windows, counted from the start of the image, or of the batch."""
    for unit in range(first, last):
        c = unit % ow
        b = unit // ow % oh
        a = unit // (ow * oh) % od
        n = unit // (ow * oh * od) if with_batch != 0 else 0
        for o in range(unit * channels, (unit + 1) * channels):
            cell = winners[o]
            at_w = c * sw - pw + cell % kw * lw
            at_h = b * sh - ph + cell // kw % kh * lh
            at_d = a * sd - pd + cell // (kw * kh) * ld
            place = (((n * d + at_d) * h + at_h) * w + at_w) * channels + o - unit * channels
            y[o] = place if cell >= 0 else 0


@kernel(f"x: in[T], y: out[T], channels: int, {WINDOW}, first: int, last: int", T=FLOATS, noalias=True)
def mean_of_windows(x, y, channels, d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last):
    """The mean of each window's cells inside the input."""
    for unit in range(first, last):
        c = unit % ow
        b = unit // ow % oh
        a = unit // (ow * oh) % od
        n = unit // (ow * oh * od)
        at_d, at_h, at_w = a * sd - pd, b * sh - ph, c * sw - pw
        target = unit * channels
        count = 0
        for o in range(channels):
            y[target + o] = T(0)
        for i in range(first_cell(at_d, ld), end_cell(at_d, ld, kd, d)):
            for j in range(first_cell(at_h, lh), end_cell(at_h, lh, kh, h)):
                for k in range(first_cell(at_w, lw), end_cell(at_w, lw, kw, w)):
                    source = (((n * d + at_d + i * ld) * h + at_h + j * lh) * w + at_w + k * lw) * channels
                    count += 1
                    for o in range(channels):
                        y[target + o] += x[source + o]
        for o in range(channels):
            y[target + o] /= T(count)


@kernel(f"g: in[T], x: out[T], channels: int, {WINDOW}, first: int, last: int", T=FLOATS, noalias=True)
def spread_means(g, x, channels, d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last):
    """The cotangent of `mean_of_windows`' x, from the result's."""
    for unit in range(first, last):
        c = unit % w
        b = unit // w % h
        a = unit // (w * h) % d
        n = unit // (w * h * d)
        target = unit * channels
        for q in range(channels):
            x[target + q] = T(0)
        for i in range(kd):
            at_d = window_of(a, pd, i, ld, sd, od)
            if at_d < 0:
                continue
            for j in range(kh):
                at_h = window_of(b, ph, j, lh, sh, oh)
                if at_h < 0:
                    continue
                for k in range(kw):
                    at_w = window_of(c, pw, k, lw, sw, ow)
                    if at_w < 0:
                        continue
                    count = cells_inside(at_d * sd - pd, ld, kd, d) * cells_inside(at_h * sh - ph, lh, kh, h)
                    count *= cells_inside(at_w * sw - pw, lw, kw, w)
                    source = (((n * od + at_d) * oh + at_h) * ow + at_w) * channels
                    for q in range(channels):
                        x[target + q] += g[source + q] / T(count)


# ---- the rows of the table that they are ---------------------------------------------------------------


def _window(x: tuple[int, ...], y: tuple[int, ...], window: dict[str, Any]) -> tuple[int, ...] | None:
    """The channels and `WINDOW` for windows over x that give y."""
    kernel, strides, padding, dilations = (window[key] for key in ("kernel", "strides", "padding", "dilations"))
    sizes = window_sizes(x[1:-1], kernel, y[1:-1], strides, padding, dilations)
    return None if sizes is None else (x[-1], *sizes)


def _cost(sizes: tuple[int, ...]) -> float:
    """Nanoseconds for one place: its channels in each cell of a window."""
    return 0.3 * sizes[0] * prod(sizes[4:7])


@through_float32
def max_pool_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """The maxima of windows."""
    (x,), (y,) = inputs, outputs
    sizes = _window(x.shape, y.shape, window)
    if sizes is None or x.dtype.name not in ORDERED:
        return None
    lowest = -inf if x.dtype.kind == "f" else float(np.iinfo(x.dtype).min)
    found = largest_in_windows[x.dtype]
    return only(
        found, Input(0), Output(0), sizes[0], lowest, *sizes[1:], units=prod(y.shape[:-1]), unit_cost=_cost(sizes)
    )


def _won(x: Spec, y: Spec, sizes: tuple[int, ...]) -> Launch:
    """The launch that finds the winning cells, in `Scratch(0)`, for an input and a result that come first."""
    return Launch(winning_cells[x.dtype], (Input(0), Input(1), Scratch(0), *sizes), prod(y.shape[:-1]), _cost(sizes))


def _by_winners(kernel: Any, over_input: bool) -> Callable[..., Launches | None]:
    @through_float32
    def launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
        x, y, v = inputs
        sizes = _window(x.shape, y.shape, window)
        if sizes is None or x.dtype.name not in ORDERED or v.dtype.name not in FLOATS:
            return None
        units = prod((x if over_input else y).shape[:-1])
        use = Launch(kernel[v.dtype], (Scratch(0), Input(2), Output(0), *sizes), units, _cost(sizes))
        return Launches((_won(x, y, sizes), use), ((np.dtype(np.int32), prod(y.shape)),))

    return launches


max_pool_scatter_launches = _by_winners(from_winners, True)
max_pool_gather_launches = _by_winners(at_winners, False)


@through_float32
def max_pool_argmax_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], dtype: str, with_batch: bool, **window: Any
) -> Launches | None:
    """The positions of the maxima of windows, from the input and the maxima."""
    x, y = inputs
    sizes = _window(x.shape, y.shape, window)
    if sizes is None or x.dtype.name not in ORDERED:
        return None
    tell = Launch(
        winner_positions[outputs[0].dtype], (Scratch(0), Output(0), int(with_batch), *sizes), prod(y.shape[:-1])
    )
    return Launches((_won(x, y, sizes), tell), ((np.dtype(np.int32), prod(y.shape)),))


@through_float32
def avg_pool_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """The means of windows."""
    (x,), (y,) = inputs, outputs
    sizes = _window(x.shape, y.shape, window)
    if sizes is None or x.dtype.name not in FLOATS:
        return None
    return only(mean_of_windows[x.dtype], Input(0), Output(0), *sizes, units=prod(y.shape[:-1]), unit_cost=_cost(sizes))


@through_float32
def avg_pool_gradient_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], input_shape: tuple[int, ...], **window: Any
) -> Launches | None:
    """The cotangent of the input, from the result's."""
    (g,), (x,) = inputs, outputs
    sizes = _window(x.shape, g.shape, window)
    if sizes is None or g.dtype.name not in FLOATS:
        return None
    return only(spread_means[g.dtype], Input(0), Output(0), *sizes, units=prod(x.shape[:-1]), unit_cost=_cost(sizes))
