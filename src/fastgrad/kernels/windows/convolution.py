"""Convolutions. Here are those of integers and of single channels: every output by itself, in an order that never changes.

A unit of work is what lies behind the channels of one place, unless something else is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad.kernels.building.body import by_dtype, fused_multiply_add, scalar_function
from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions.vector_math import least
from fastgrad.kernels.mapping.half import through_float32
from fastgrad.kernels.running.launch import Input, Launch, Launches, Operand, Output, Scratch, Spec, only
from fastgrad.kernels.windows.convolution_rows import (
    INPUTS,
    convolve_filters_lines,
    convolve_input_lines,
    convolve_lines,
)
from fastgrad.kernels.windows.sliding import WINDOW, end_cell, first_cell, window_of, window_sizes

SUMS = ("float32", "float64", "int32")
PRODUCT, PLAIN_PRODUCT = 0.02, 0.15  # nanoseconds of a multiplication and addition, about


def _fused(a, b, c):
    return fused_multiply_add(a, b, c)


def _plain(a, b, c):
    return a * b + c


_multiply_add = by_dtype(float32=_fused, float64=_fused, int32=_plain)


@kernel(
    f"x: in[T], filters: in[T], y: out[T], channels: int, group: int, outs: int, {WINDOW}, first: int, last: int",
    T=SUMS,
    noalias=True,
)
def convolve(
    x, filters, y, channels, group, outs,
    d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last,
):  # fmt: skip
    """y = the convolution of x, `channels` of it in groups of `group`, with filters (kd, kh, kw, group, outs)."""
    groups = channels // group
    each = outs // groups
    for unit in range(first, last):
        c = unit % ow
        b = unit // ow % oh
        a = unit // (ow * oh) % od
        n = unit // (ow * oh * od)
        at_d, at_h, at_w = a * sd - pd, b * sh - ph, c * sw - pw
        target = unit * outs
        for o in range(outs):
            y[target + o] = T(0)
        for i in range(first_cell(at_d, ld), end_cell(at_d, ld, kd, d)):
            for j in range(first_cell(at_h, lh), end_cell(at_h, lh, kh, h)):
                for k in range(first_cell(at_w, lw), end_cell(at_w, lw, kw, w)):
                    source = (((n * d + at_d + i * ld) * h + at_h + j * lh) * w + at_w + k * lw) * channels
                    weights = ((i * kh + j) * kw + k) * group * outs
                    if group == 1 and each == 1:
                        for o in range(outs):
                            y[target + o] = _multiply_add(x[source + o], filters[weights + o], y[target + o])
                        continue
                    for part in range(groups):
                        into = target + part * each
                        for q in range(group):
                            value = x[source + part * group + q]
                            row = weights + q * outs + part * each
                            for o in range(each):
                                y[into + o] = _multiply_add(value, filters[row + o], y[into + o])


@kernel("filters: in[T], turned: out[T], cells: int, group: int, groups: int, each: int, first: int, last: int", T=SUMS)
def turn_filters(filters, turned, cells, group, groups, each, first, last):
    """turned[cell, part, o, q] = filters[cell, q, part, o]."""
    for unit in range(first, last):
        cell = unit // groups
        part = unit - cell * groups
        for o in range(each):
            for q in range(group):
                turned[(unit * each + o) * group + q] = filters[((cell * group + q) * groups + part) * each + o]


@kernel(
    f"g: in[T], turned: in[T], x: out[T], channels: int, group: int, outs: int, {WINDOW}, first: int, last: int",
    T=SUMS,
    noalias=True,
)
def convolve_input(
    g, turned, x, channels, group, outs,
    d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last,
):  # fmt: skip
    """The cotangent of `convolve`'s x, from the result's, with the filters of `turn_filters`."""
    groups = channels // group
    each = outs // groups
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
                    source = (((n * od + at_d) * oh + at_h) * ow + at_w) * outs
                    weights = ((i * kh + j) * kw + k) * group * outs
                    if group == 1 and each == 1:
                        for q in range(channels):
                            x[target + q] = _multiply_add(g[source + q], turned[weights + q], x[target + q])
                        continue
                    for part in range(groups):
                        into = target + part * group
                        for o in range(each):
                            value = g[source + part * each + o]
                            row = weights + (part * each + o) * group
                            for q in range(group):
                                x[into + q] = _multiply_add(value, turned[row + q], x[into + q])


@scalar_function
def add_products(x, source, g, given, sums, cell, left, right, channels, group, outs):
    """Adds the products of the channels [left, right) of each group in one place with the results' cotangents there."""
    each = outs // (channels // group)
    if group == 1 and each == 1:
        row = cell * outs
        for o in range(outs):
            sums[row + o] = _multiply_add(x[source + o], g[given + o], sums[row + o])
        return
    for part in range(channels // group):
        for q in range(left, right):
            value = x[source + part * group + q]
            row = (cell * group + q) * outs
            for o in range(part * each, (part + 1) * each):
                sums[row + o] = _multiply_add(value, g[given + o], sums[row + o])


@kernel(
    f"x: in[T], g: in[T], filters: out[T], sums: inout[T], batch: int, channels: int, group: int, outs: int, {WINDOW}, "
    "first: int, last: int",
    T=SUMS,
    noalias=True,
)
def convolve_filters(
    x, g, filters, sums, batch, channels, group, outs,
    d, h, w, kd, kh, kw, od, oh, ow, sd, sh, sw, pd, ph, pw, ld, lh, lw, first, last,
):  # fmt: skip
    """The cotangent of `convolve`'s filters: a sum for each image, and of those.

    A unit of work is `INPUTS` of the rows of a cell; `sums` is as large as the filters.
    """
    tiles = (group + INPUTS - 1) // INPUTS
    for unit in range(first, last):
        cell = unit // tiles
        left = (unit - cell * tiles) * INPUTS
        right = least(left + INPUTS, group)
        k = cell % kw
        j = cell // kw % kh
        i = cell // (kw * kh)
        start, stop = (cell * group + left) * outs, (cell * group + right) * outs
        for o in range(start, stop):
            filters[o] = T(0)
        for n in range(batch):
            for o in range(start, stop):
                sums[o] = T(0)
            for a in range(od):
                at_d = a * sd - pd + i * ld
                if at_d < 0 or at_d >= d:
                    continue
                for b in range(oh):
                    at_h = b * sh - ph + j * lh
                    if at_h < 0 or at_h >= h:
                        continue
                    for c in range(ow):
                        at_w = c * sw - pw + k * lw
                        if at_w < 0 or at_w >= w:
                            continue
                        source = (((n * d + at_d) * h + at_h) * w + at_w) * channels
                        given = (((n * od + a) * oh + b) * ow + c) * outs
                        add_products(x, source, g, given, sums, cell, left, right, channels, group, outs)
            for o in range(start, stop):
                filters[o] += sums[o]


# ---- the rows of the table that they are ---------------------------------------------------------------


def _in_lines(dtype: np.dtype, channels: int, group: int, outs: int) -> bool:
    """Whether matrix products do; not for integers, nor where each channel has a filter of its own."""
    return dtype.kind == "f" and not (group == 1 and outs == channels)


@through_float32
def convolution_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """``tf.nn.convolution`` of an input and filters, in as many groups as its channels say."""
    x, filters = inputs
    y = outputs[0]
    sizes = window_sizes(x.shape[1:-1], filters.shape[:-2], y.shape[1:-1], **window)
    if sizes is None or x.dtype.name not in SUMS:
        return None
    channels = x.shape[-1], *filters.shape[-2:]
    arrays = Input(0), Input(1), Output(0)
    if _in_lines(x.dtype, *channels):
        cost = PRODUCT * prod(filters.shape) * y.shape[-2]
        return only(convolve_lines[x.dtype], *arrays, *channels, *sizes, units=prod(y.shape[:-2]), unit_cost=cost)
    cost = PLAIN_PRODUCT * prod(filters.shape)
    return only(convolve[x.dtype], *arrays, *channels, *sizes, units=prod(y.shape[:-1]), unit_cost=cost)


@through_float32
def convolution_input_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], input_shape: tuple[int, ...], **window: Any
) -> Launches | None:
    """The cotangent of the input, from the result's and the filters."""
    g, filters = inputs
    kernel, (group, outs) = filters.shape[:-2], filters.shape[-2:]
    sizes = window_sizes(input_shape[:-1], kernel, g.shape[1:-1], **window)
    if sizes is None or g.dtype.name not in SUMS:
        return None
    channels = input_shape[-1]
    groups = channels // group
    turn = Launch(
        turn_filters[g.dtype],
        (Input(1), Scratch(0), prod(kernel), group, groups, outs // groups),
        prod(kernel) * groups,
    )
    operands: tuple[Operand, ...] = (Input(0), Scratch(0), Output(0), channels, group, outs, *sizes)
    places = outputs[0].shape[:-1]
    if _in_lines(g.dtype, channels, group, outs):
        spread = Launch(
            convolve_input_lines[g.dtype], operands, prod(places[:-1]), PRODUCT * prod(filters.shape) * places[-1]
        )
    else:
        spread = Launch(convolve_input[g.dtype], operands, prod(places), PLAIN_PRODUCT * prod(filters.shape))
    return Launches((turn, spread), ((g.dtype, prod(filters.shape)),))


@through_float32
def convolution_filter_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], filter_shape: tuple[int, ...], **window: Any
) -> Launches | None:
    """The cotangent of the filters, from the input and the result's."""
    x, g = inputs
    kernel, (group, outs) = filter_shape[:-2], filter_shape[-2:]
    sizes = window_sizes(x.shape[1:-1], kernel, g.shape[1:-1], **window)
    if sizes is None or x.dtype.name not in SUMS:
        return None
    arrays = Input(0), Input(1), Output(0), Scratch(0)
    numbers = x.shape[0], x.shape[-1], group, outs, *sizes
    kernels = convolve_filters_lines if _in_lines(x.dtype, x.shape[-1], group, outs) else convolve_filters
    cost = PRODUCT * prod(g.shape) * min(group, INPUTS)
    gather = Launch(kernels[x.dtype], (*arrays, *numbers), prod(kernel) * -(-group // INPUTS), cost)
    return Launches((gather,), ((x.dtype, prod(filter_shape)),))
