"""Cases of convolutions, and what they give by definition."""

import hashlib

import numpy as np

from fastgrad._src.kernels.convolution.convolution import (
    convolution_filter_launches,
    convolution_input_launches,
    convolution_launches,
)
from fastgrad._src.kernels.runtime.launch import run_launches


def meetings(x, w, y, strides, padding, dilations):
    """For each cell of a window: its number, the windows that have it inside the input, and where those have it."""
    for cell in np.ndindex(w[:-2]):
        windows, places = [slice(None)], [slice(None)]
        for at, size, count, stride, pair, rate in zip(
            cell, x[1:-1], y[1:-1], strides, padding, dilations, strict=True
        ):
            inside = [i for i in range(count) if 0 <= i * stride - pair[0] + at * rate < size]
            first, stop = (inside[0], inside[-1] + 1) if inside else (0, 0)
            begin = first * stride - pair[0] + at * rate
            windows.append(slice(first, stop))
            places.append(slice(begin, begin + (stop - first - 1) * stride + 1, stride) if inside else slice(0, 0))
        yield cell, tuple(windows), tuple(places)


def by_definition(x, w, g, **window):
    """The convolution of x with w, and the cotangents of both from the result's, group by group."""
    groups = x.shape[-1] // w.shape[-2]
    y, dx, dw = np.zeros(g.shape, x.dtype), np.zeros_like(x), np.zeros_like(w)
    for cell, windows, places in meetings(x.shape, w.shape, g.shape, **window):
        for group in range(groups):
            i = slice(group * w.shape[-2], (group + 1) * w.shape[-2])
            o = slice(group * w.shape[-1] // groups, (group + 1) * w.shape[-1] // groups)
            part, given, filters = x[places][..., i], g[windows][..., o], w[cell][:, o]
            y[windows][..., o] += part @ filters
            dx[places][..., i] += given @ filters.T
            dw[cell][:, o] += part.reshape(-1, part.shape[-1]).T @ given.reshape(-1, given.shape[-1])
    return y, dx, dw


def computed(x, w, g, shares=1, **window):
    """The same from the kernels."""
    y, dx, dw = np.full_like(g, 7), np.full_like(x, 7), np.full_like(w, 7)
    run_launches(convolution_launches([x, w], [y], **window), [x, w], [y], shares)
    found = convolution_input_launches([g, w], [dx], input_shape=x.shape[1:], **window)
    run_launches(found, [g, w], [dx], shares)
    found = convolution_filter_launches([x, g], [dw], filter_shape=w.shape, **window)
    run_launches(found, [x, g], [dw], shares)
    return y, dx, dw


def arrays(x, w, strides, padding, dilations, dtype, seed=0):
    """An input, filters and a cotangent of the result, and the window."""
    r = np.random.default_rng(seed)
    counts = [
        max(0, (n + sum(pair) - (k - 1) * rate - 1) // stride + 1)
        for n, k, stride, pair, rate in zip(x[1:-1], w[:-2], strides, padding, dilations, strict=True)
    ]
    shapes = x, w, (x[0], *counts, w[-1])
    window = {"strides": strides, "padding": padding, "dilations": dilations}
    if dtype == "int32":
        return *[r.integers(-9, 9, shape).astype(dtype) for shape in shapes], window
    return *[r.normal(size=shape).astype(dtype) for shape in shapes], window


def random_case(seed):
    """Shapes of all kinds: one to three dimensions, any number of groups, with and without padding."""
    r = np.random.default_rng(seed)
    rank = int(r.integers(1, 4))
    numbers = [tuple(map(int, r.integers(1, top, rank))) for top in (4, 4, 3)]
    kernel, strides, dilations = numbers
    padding = tuple([tuple(map(int, r.integers(0, 3, 2) * (seed % 3 > 0))) for _ in range(rank)])
    sizes = [(k - 1) * d + int(r.integers(1, (40, 14, 7)[rank - 1])) for k, d in zip(kernel, dilations, strict=True)]
    kinds = [(1, int(r.integers(1, 40)), int(r.integers(1, 90))), (int(r.integers(1, 80)), 1, 1)]
    kinds.append(tuple(map(int, r.integers(1, 6, 3))))
    few, many = int(r.integers(1, 5)), int(r.integers(4, 40))
    kinds += [(1, few, many), (1, many, few)]
    groups, inside, outside = kinds[seed // 3 % 5]
    return (
        (int(r.integers(1, 5)), *sizes, groups * inside),
        (*kernel, inside, groups * outside),
        strides,
        padding,
        dilations,
    )


BOTH_SIDES = ((1, 1), (1, 1))
SPECIAL = {
    "no images": ((0, 5, 5, 2), (3, 3, 2, 4), (1, 1), BOTH_SIDES, (1, 1)),
    "no windows": ((2, 0, 5, 2), (1, 1, 2, 4), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    "windows outside of the input only": ((1, 1, 1, 2), (1, 1, 2, 3), (2, 2), ((3, 3), (3, 3)), (1, 1)),
    "cells that no window has": ((2, 7, 7, 3), (1, 1, 3, 4), (3, 3), ((0, 0), (0, 0)), (1, 1)),
    "a window too large for a patch": ((1, 4, 5, 9000), (2, 2, 9000, 3), (1, 1), BOTH_SIDES, (1, 1)),
    "a line too long for a patch": ((1, 3, 2500, 20), (3, 3, 20, 8), (1, 2), BOTH_SIDES, (1, 1)),
    "more columns than a panel": ((1, 5, 5, 30), (3, 3, 30, 150), (1, 1), BOTH_SIDES, (1, 1)),
    "long chains": ((2, 6, 6, 100), (3, 3, 100, 5), (1, 1), BOTH_SIDES, (1, 1)),
    "many small images": ((70, 3, 3, 4), (2, 2, 4, 5), (1, 1), ((1, 0), (0, 1)), (1, 1)),
    "few channels of large images": ((1, 70, 300, 2), (3, 5, 2, 30), (2, 1), BOTH_SIDES, (1, 1)),
    "few channels, cells that no window has": ((2, 9, 9, 2), (2, 2, 2, 9), (3, 3), ((0, 0), (0, 0)), (1, 1)),
    "few channels, long chains": ((1, 5, 5, 900), (2, 2, 900, 3), (1, 1), BOTH_SIDES, (1, 1)),
    "many filters a channel": ((2, 6, 6, 3), (3, 3, 1, 60), (1, 1), BOTH_SIDES, (1, 1)),
}


def hash_of_results():
    """A hash of what a few convolutions give."""
    found = hashlib.sha256()
    for seed in range(6):
        for result in computed(*(parts := arrays(*random_case(seed), "float32", seed))[:3], **parts[3]):
            found.update(result.tobytes())
    return found.hexdigest()
