"""Properties of convolutions and pooling: against their definition in NumPy, cell by cell of a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.kernels.convolution.convolutions import by_definition, meetings
from tests.kernels.properties import FLOATS, HALVES, Property, dtype_of, normal

Made = tuple[list[np.ndarray], dict[str, Any]]
ORDERED = (*FLOATS, *HALVES, "int8", "int16", "int32", "int64", "uint8", "uint16")


def windows_of(r: np.random.Generator, width: int, whole: bool) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Sizes of an input of one or two dimensions, of which one is given, and windows.

    Args:
        r: what draws.
        width: the size that is given.
        whole: whether each window must have a cell in the input, as pooling has it.
    """
    rank = int(r.integers(1, 3))
    if whole and r.random() < 0.25:
        return side_by_side(r, width, rank)
    sizes, kernel, strides, padding, dilations = [], [], [], [], []
    for axis in range(rank):
        cells, rate = int(r.integers(1, 4)), int(r.integers(1, 3))
        kernel.append(cells)
        dilations.append(rate)
        strides.append(int(r.integers(1, 4)))
        most = cells if not whole else cells if rate == 1 else 1
        padding.append((int(r.integers(0, most)), int(r.integers(0, most))))
        sizes.append(max(width if axis == 0 else int(r.integers(1, 6)), (cells - 1) * rate + 1))
    if r.random() < 0.5:
        sizes, kernel, strides, padding, dilations = (
            list(reversed(one)) for one in (sizes, kernel, strides, padding, dilations)
        )
    window = {"strides": tuple(strides), "padding": tuple(padding), "dilations": tuple(dilations)}
    return tuple(sizes), {"kernel": tuple(kernel), **window}


def side_by_side(r: np.random.Generator, width: int, rank: int) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Sizes of an input that windows without gaps, overlaps and padding cover, of which the first is given, and these windows."""
    first = int(r.choice([cells for cells in (1, 2, 3) if width % cells == 0]))
    others = [int(cells) for cells in r.integers(1, 4, rank - 1)]
    kernel = (first, *others)
    sizes = (width, *[cells * int(r.integers(1, 4)) for cells in others])
    return sizes, {"kernel": kernel, "strides": kernel, "padding": ((0, 0),) * rank, "dilations": (1,) * rank}


def counts_of(sizes: tuple[int, ...], window: dict[str, Any]) -> tuple[int, ...]:
    """How many windows there are along each dimension."""
    parts = [window[name] for name in ("kernel", "strides", "padding", "dilations")]
    return tuple(
        [
            (size + sum(pair) - (cells - 1) * rate - 1) // stride + 1
            for size, cells, stride, pair, rate in zip(sizes, *parts, strict=True)
        ]
    )


def some(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    return (
        r.integers(-9, 9, shape).astype(dtype)
        if dtype == "int32"
        else normal(r, "float64", *shape).astype(dtype_of(dtype))
    )


def convolved(which: str) -> Callable[..., Made]:
    """Makes the arrays of a convolution, or of one of its gradients."""

    def make(r: np.random.Generator, dtype: str, images: int, width: int, inside: int, outside: int) -> Made:
        sizes, window = windows_of(r, max(width, 1), False)
        kernel, inside, outside = window.pop("kernel"), max(inside, 1), max(outside, 1)
        groups = int(r.choice([1, 1, 1, 2, 3]))
        if r.random() < 0.15 and inside < 300:
            groups, inside = inside, 1  # a filter for each channel
        counts = counts_of(sizes, {"kernel": kernel, **window})
        x, w = (images, *sizes, groups * inside), (*kernel, inside, groups * outside)
        g = (images, *counts, groups * outside)
        if which == "input":
            return [some(r, dtype, *g), some(r, dtype, *w)], {"input_shape": x[1:], **window}
        if which == "filter":
            return [some(r, dtype, *x), some(r, dtype, *g)], {"filter_shape": w, **window}
        return [some(r, dtype, *x), some(r, dtype, *w)], window

    return make


def convolution(x: np.ndarray, w: np.ndarray, **window: Any) -> np.ndarray:
    counts = counts_of(x.shape[1:-1], {"kernel": w.shape[:-2], **window})
    return by_definition(x, w, np.zeros((len(x), *counts, w.shape[-1]), x.dtype), **window)[0]


def of_input(g: np.ndarray, w: np.ndarray, input_shape: tuple[int, ...], **window: Any) -> np.ndarray:
    return by_definition(np.zeros((len(g), *input_shape), g.dtype), w, g, **window)[1]


def of_filters(x: np.ndarray, g: np.ndarray, filter_shape: tuple[int, ...], **window: Any) -> np.ndarray:
    return by_definition(x, np.zeros(filter_shape, x.dtype), g, **window)[2]


def image(r: np.random.Generator, dtype: str, images: int, width: int, channels: int) -> tuple[np.ndarray, Any]:
    """Whole numbers, so that windows have several maxima, NaNs among them; and windows."""
    sizes, window = windows_of(r, max(width, 1), True)
    x = r.integers(0 if dtype.startswith("u") else -3, 4, (images, *sizes, max(channels, 1))).astype(dtype_of(dtype))
    if x.dtype.kind in "fV" and r.random() < 0.5:
        x.reshape(-1)[5::97] = np.nan
    return x, window


def pooled(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    x, window = image(r, dtype, *sizes)
    return [x], window


def cells(x_shape: tuple[int, ...], window: dict[str, Any]) -> Any:
    """For each cell of a window the windows that have it in the input, and where."""
    window = dict(window)
    kernel = window.pop("kernel")
    counts = counts_of(x_shape[1:-1], {"kernel": kernel, **window})
    shape = (x_shape[0], *counts, x_shape[-1])
    return shape, [(windows, places) for _, windows, places in meetings(x_shape, (*kernel, 1, 1), shape, **window)]


def first_maxima(x: np.ndarray, window: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The maximum of each window, and the place of the first of them among the input's elements; NaN is greater than all."""
    shape, each = cells(x.shape, window)
    places = np.arange(x.size).reshape(x.shape)
    best, where = np.zeros(shape, x.dtype), np.full(shape, -1)
    for windows, cell in each:
        value, old = x[cell], best[windows]
        takes = (where[windows] < 0) | (value > old) | (np.isnan(value) & ~np.isnan(old))
        best[windows] = np.where(takes, value, old)
        where[windows] = np.where(takes, places[cell], where[windows])
    return best, where


def means(x: np.ndarray, **window: Any) -> np.ndarray:
    shape, each = cells(x.shape, window)
    total, count = np.zeros(shape), np.zeros(shape)
    for windows, cell in each:
        total[windows] += x[cell]
        count[windows] += 1
    return total / count


def shares(g: np.ndarray, input_shape: tuple[int, ...], **window: Any) -> np.ndarray:
    found = np.zeros((len(g), *input_shape))
    _, each = cells(found.shape, window)
    count = np.zeros(g.shape)
    for windows, _ in each:
        count[windows] += 1
    for windows, cell in each:
        found[cell] += (g / count)[windows]
    return found


def scattered(x: np.ndarray, y: np.ndarray, g: np.ndarray, **window: Any) -> np.ndarray:
    found = np.zeros(x.size)
    np.add.at(found, first_maxima(x, window)[1].reshape(-1), g.reshape(-1))
    return found.reshape(x.shape)


def with_maxima(r: np.random.Generator, dtype: str, *sizes: int, gather: bool) -> Made:
    x, window = image(r, dtype, *sizes)
    y = first_maxima(x.astype(np.float64), window)[0].astype(x.dtype)
    more = normal(r, "float64", *(x.shape if gather else y.shape)).astype(x.dtype)
    return [x, y, more], window


def positions(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    x, window = image(r, dtype, *sizes)
    y = first_maxima(x.astype(np.float64 if x.dtype.kind in "fV" else x.dtype), window)[0].astype(x.dtype)
    more = {"dtype": ["int32", "int64"][r.integers(0, 2)], "with_batch": bool(r.integers(0, 2))}
    return [x, y], {**more, **window}


def argmax(x: np.ndarray, y: np.ndarray, dtype: str, with_batch: bool, **window: Any) -> np.ndarray:
    where = first_maxima(x, window)[1]
    return where if with_batch else where % max(1, int(np.prod(x.shape[1:])))


def to_share(r: np.random.Generator, dtype: str, images: int, width: int, channels: int) -> Made:
    sizes, window = windows_of(r, max(width, 1), True)
    shape = (images, *counts_of(sizes, window), max(channels, 1))
    return [normal(r, "float64", *shape).astype(dtype_of(dtype))], {"input_shape": (*sizes, max(channels, 1)), **window}


CONVOLVED = (*FLOATS, *HALVES, "int32")
PROPERTIES = [
    Property("convolution", 4, convolved(""), convolution, 256, CONVOLVED),
    Property("convolution_backprop_input", 4, convolved("input"), of_input, 256, CONVOLVED),
    Property("convolution_backprop_filter", 4, convolved("filter"), of_filters, 256, CONVOLVED),
    Property("max_pool", 3, pooled, lambda x, **window: first_maxima(x, window)[0], dtypes=ORDERED),
    Property("avg_pool", 3, pooled, means, 16, (*FLOATS, *HALVES)),
    Property("avg_pool_gradient", 3, to_share, shares, 16, (*FLOATS, *HALVES)),
    Property(
        "max_pool_scatter",
        3,
        lambda r, dtype, *sizes: with_maxima(r, dtype, *sizes, gather=False),
        scattered,
        16,
        (*FLOATS, *HALVES),
    ),
    Property(
        "max_pool_gather",
        3,
        lambda r, dtype, *sizes: with_maxima(r, dtype, *sizes, gather=True),
        lambda x, y, v, **window: v.reshape(-1)[first_maxima(x, window)[1]],
        0,
        (*FLOATS, *HALVES),
    ),
    Property("max_pool_argmax", 3, positions, argmax, dtypes=ORDERED),
]
