"""Properties of rows that reduce, scan and attend."""

from __future__ import annotations

import colorsys
import functools
from typing import Any

import numpy as np
import scipy.special

import fastgrad._src.ops.composed.morphology  # noqa: F401  # its row
from fastgrad import image, sparse  # noqa: F401  # whose rows are in the table once they are imported
from fastgrad._src.image.resampling import resampling_weights
from fastgrad._src.ops.attention import MAX_HEAD_WIDTH
from tests.kernels.properties import F64, Property, ids, normal, of_sizes, one_array


def reducing(name: str, function: Any, ulps: float, empty: bool = True) -> list[Property]:
    def make(axes: tuple[int, ...], keepdims: bool) -> Any:
        def made(r: np.random.Generator, dtype: str, *sizes: int) -> Any:
            sizes = sizes if empty else tuple([max(1, size) for size in sizes])
            x = normal(r, dtype, *sizes) + np.dtype(dtype).type(1)  # long sums of numbers around 0 are all rounding
            return [x], {"axes": axes, "keepdims": keepdims}

        return made

    def exact(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        return function(x.astype(np.longdouble), axis=axes, keepdims=keepdims)

    return [
        Property(name, 3, make(axes, keepdims), exact, ulps)
        for axes, keepdims in (((2,), False), ((0, 1), True), ((1,), False), ((0, 2), False), ((0, 1, 2), False))
    ]


def mean(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    return x.sum(axis, keepdims=keepdims) / np.prod([F64(x.shape[one]) for one in axis])


def attended(q: Any, k: Any, v: Any, scale: float, causal: bool, **_: Any) -> Any:
    scores = np.einsum("bqhd,bkhd->bhqk", q, k) * scale
    if causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    return np.einsum("bhqk,bkhd->bqhd", scipy.special.softmax(scores, -1), v)


def multiply_sparse(indices: Any, values: Any, b: Any, rows: int) -> Any:
    out = np.zeros((rows, b.shape[1]), b.dtype)
    np.add.at(out, indices[:, 0], values[:, None] * b[indices[:, 1]])
    return out


def make_resampling(method: str, transposed: bool) -> Any:
    def made(r: np.random.Generator, dtype: str, batch: int, size: int, new_size: int, width: int) -> Any:
        sizes = size + 1, new_size + 1
        attributes = {"axis": 1, "sizes": sizes, "method": method, "antialias": False, "transposed": transposed}
        return [normal(r, dtype, batch, sizes[transposed], width)], attributes

    return made


def resampled(x: Any, sizes: tuple[int, int], method: str, antialias: bool, transposed: bool, axis: int) -> Any:
    weights = resampling_weights(*sizes, method, antialias).astype(F64)
    return np.einsum("bsw,sn->bnw", x, weights if transposed else weights.T)


def make_interpolation(r: np.random.Generator, dtype: str, batch: int, height: int, width: int, channels: int) -> Any:
    shape = batch + 1, height + 1, width + 1, channels
    places = [(r.integers(-512, 256 * size + 256, (3, 5)) / 256).astype(np.float32) for size in shape[1:3]]
    return [normal(r, dtype, *shape), r.integers(0, batch + 1, 3).astype(np.int32), *places], {
        "method": "bilinear",
        "fill": 0.5,
    }


def interpolated(x: Any, images: Any, rows: Any, columns: Any, method: str, fill: float) -> Any:
    padded = np.pad(x, [(0, 0), (3, 3), (3, 3), (0, 0)], constant_values=fill)
    total = 0
    for i in (0, 1):
        for j in (0, 1):
            weights = [part if one else 1 - part for one, part in ((i, rows % 1), (j, columns % 1))]
            pixels = padded[images[:, None], np.floor(rows).astype(int) + 3 + i, np.floor(columns).astype(int) + 3 + j]
            total = total + (weights[0] * weights[1])[..., None] * pixels
    return total


def make_dilation(r: np.random.Generator, dtype: str, batch: int, height: int, width: int, channels: int) -> Any:
    window = {"strides": (1, 1), "paddings": ((0, 1), (1, 0)), "dilations": (1, 1), "counts": (height + 1, width + 1)}
    shapes = (batch, height + 1, width + 1, channels), (2, 2, channels)
    return [normal(r, dtype, *shape) for shape in shapes], {**window, "lowest": -1e30}


def dilated(x: Any, filters: Any, paddings: Any, lowest: float, **window: Any) -> Any:
    padded = np.pad(x, [(0, 0), *paddings, (0, 0)], constant_values=-np.inf)
    height, width = x.shape[1:3]
    cells = [padded[:, i : i + height, j : j + width] + filters[i, j] for i in (0, 1) for j in (0, 1)]
    return np.maximum(np.max(cells, axis=0), lowest)


def make_windows(r: np.random.Generator, dtype: str, batch: int, room: int, taps: int, width: int) -> Any:
    weights = tuple(r.normal(size=taps + 1).tolist())
    return [normal(r, dtype, batch, room + taps + 1, width)], {"axis": 1, "weights": weights}


def in_windows(x: Any, axis: int, weights: tuple[float, ...]) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, len(weights), axis) @ np.array(weights)


def make_pixels(*numbers: float) -> Any:
    return lambda r, dtype, rows, columns: (
        [r.uniform(size=(rows, columns, 3)).astype(dtype), *[np.asarray(number, dtype) for number in numbers]],
        {},
    )


def by_pixel(function: Any) -> Any:
    """Applies a function of three channels and numbers to each pixel."""

    def applied(x: Any, *numbers: Any) -> Any:
        return np.array([function(*pixel, *numbers) for pixel in x.reshape(-1, 3)]).reshape(x.shape)

    return applied


def with_other_hue(red: float, green: float, blue: float, delta: float) -> tuple[float, ...]:
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    return colorsys.hsv_to_rgb(hue + delta, saturation, value)


def with_other_saturation(red: float, green: float, blue: float, factor: float) -> tuple[float, ...]:
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    return colorsys.hsv_to_rgb(hue, min(saturation * factor, 1.0), value)


def make_contrast(r: np.random.Generator, dtype: str, images: int, height: int, width: int, channels: int) -> Any:
    shapes = (images, height, width, channels), (images, 1, 1, channels), ()
    return [normal(r, dtype, *shape) for shape in shapes], {}


def make_suppression(r: np.random.Generator, dtype: str, boxes: int, count: int) -> Any:
    arrays = [r.uniform(size=(boxes, 4)).astype(dtype), r.uniform(size=boxes).astype(dtype)]
    numbers = [np.asarray(number, np.float32) for number in (0.25, 0.125, 0.0)]
    return [*arrays, *numbers], {"count": min(boxes, count)}


def suppressed(boxes: Any, scores: Any, threshold: Any, least: Any, sigma: Any, count: int) -> Any:
    corners = np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], 1)
    chosen: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] <= least or len(chosen) == count:
            break
        low, high = np.maximum(corners[i, :2], corners[chosen, :2]), np.minimum(corners[i, 2:], corners[chosen, 2:])
        common = np.prod(np.maximum(high - low, 0), axis=-1)
        areas = [np.prod(corners[which, 2:] - corners[which, :2], axis=-1) for which in (i, chosen)]
        if np.all(common <= threshold * (areas[0] + areas[1] - common)):
            chosen.append(int(i))
    empty = count - len(chosen)
    return np.pad(chosen, (0, empty)), np.pad(scores[chosen], (0, empty)), np.asarray(len(chosen))


def make_attention(r: np.random.Generator, dtype: str, batch: int, queries: int, keys: int, depth: int) -> Any:
    keys, depth, heads = max(keys, 1), min(max(depth, 1), MAX_HEAD_WIDTH), 1 + batch % 3
    shapes = (
        (batch % 4, queries, heads, depth),
        (batch % 4, keys, heads, depth),
        (batch % 4, keys, heads, 1 + depth // 2),
    )
    attributes = {"scale": depth**-0.5, "causal": queries % 2 == 1, "masked": False, "rate": 0.0, "blank": False}
    return [normal(r, dtype, *shape) for shape in shapes], attributes


def over_time(gates: int, rows_of_bias: int | None) -> Any:
    def made(r: np.random.Generator, dtype: str, steps: int, batch: int, units: int) -> Any:
        steps, units = max(1, steps % 9), max(1, units)
        shapes = [(steps, batch, gates * units), (units, gates * units)]
        shapes.append((gates * units,) if rows_of_bias is None else (rows_of_bias, gates * units))
        shapes += [(batch, units)] * (2 if gates == 4 else 1)
        x, w, *others = [normal(r, dtype, *shape) / 3 for shape in shapes]
        return [x, w / np.sqrt(units).astype(dtype), *others], {}  # so that errors do not grow from step to step

    return made


def lstm_end(x: Any, w: Any, b: Any, h: Any, c: Any) -> Any:
    sigmoid = scipy.special.expit
    for step in x:
        i, f, g, o = np.split(step + h @ w + b, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


def gru_end(x: Any, w: Any, b: Any, h: Any) -> Any:
    sigmoid, units = scipy.special.expit, h.shape[-1]
    for step in x:
        given, own = step + b[0], h @ w + b[1]
        z = sigmoid(given[:, :units] + own[:, :units])
        r = sigmoid(given[:, units : 2 * units] + own[:, units : 2 * units])
        h = z * h + (1.0 - z) * np.tanh(given[:, 2 * units :] + r * own[:, 2 * units :])
    return h


def simple_end(x: Any, w: Any, b: Any, h: Any) -> Any:
    for step in x:
        h = np.tanh(step + h @ w + b)
    return h


def make_segments(**more: Any) -> Any:
    def made(r: np.random.Generator, dtype: str, rows: int, columns: int, count: int) -> Any:
        return [normal(r, dtype, rows, columns), ids(r, max(count, 1), rows) - 1], {"num_segments": count, **more}

    return made


def segments(at: Any, start: float) -> Any:
    def exact(x: Any, ids: Any, num_segments: int, **_: Any) -> Any:
        y = np.full((num_segments, *x.shape[1:]), start)
        at(y, ids[ids >= 0], x[ids >= 0])
        return y

    return exact


def make_lines(r: np.random.Generator, dtype: str, *sizes: int) -> list[np.ndarray]:
    return [r.integers(-9, 9, sizes).astype(dtype)]


def summed(x: Any, axis: int, exclusive: bool, reverse: bool, function: Any = np.cumsum, neutral: float = 0.0) -> Any:
    x = np.flip(x, axis) if reverse else x
    if exclusive:
        first = np.full_like(np.take(x, [0], axis), neutral) if x.shape[axis] else x
        x = np.concatenate([first, np.delete(x, -1, axis)], axis) if x.shape[axis] else x
    y = function(x, axis=axis)
    return np.flip(y, axis) if reverse else y


PROPERTIES: list[Property] = [
    *reducing("reduce_sum", np.sum, 64),
    *reducing("reduce_mean", mean, 64),
    *reducing("reduce_max", np.max, 0, empty=False),
    *reducing("reduce_min", np.min, 0, empty=False),
    *reducing("reduce_logsumexp", scipy.special.logsumexp, 64, empty=False),
    *reducing("reduce_euclidean_norm", lambda x, **where: np.sqrt((x * x).sum(**where)), 64),
    *[
        Property(name, 3, of_sizes(count, axis=axis), exact, 256)
        for name, count, exact in (
            ("softmax_across", 1, scipy.special.softmax),
            ("log_softmax_across", 1, scipy.special.log_softmax),
            ("softmax_across_gradient", 2, lambda g, y, axis: y * (g - (g * y).sum(axis, keepdims=True))),
            ("log_softmax_across_gradient", 2, lambda g, y, axis: g - np.exp(y) * g.sum(axis, keepdims=True)),
        )
        for axis in (0, 1)
    ],
    Property(
        "batch_moments",
        2,
        lambda r, dtype, m, n: ([normal(r, dtype, 5 * m + 1, n) + np.dtype(dtype).type(100)], {}),
        lambda x: (x.mean(0), x.var(0)),
        16,
    ),
    Property("attention", 4, make_attention, attended, 64),
    Property("lstm", 3, over_time(4, None), lambda *given: (..., ..., ..., lstm_end(*given)), 256),
    Property("gru", 3, over_time(3, 2), lambda *given: (..., ..., ..., gru_end(*given)), 256),
    Property("simple_rnn", 3, over_time(1, None), lambda *given: (..., simple_end(*given)), 256),
    *[
        Property(name, 3, one_array(axis=axis, exclusive=exclusive, reverse=reverse), exact, 256)
        for name, exact in (
            ("cumsum", summed),
            ("cumprod", functools.partial(summed, function=np.cumprod, neutral=1.0)),
        )
        for axis, exclusive, reverse in ((0, False, False), (1, True, False), (2, False, True), (2, True, True))
    ],
    Property(
        "cumsum",
        3,
        lambda r, dtype, *sizes: (make_lines(r, dtype, *sizes), {"axis": 1, "exclusive": False, "reverse": True}),
        summed,
        0,
        dtypes=("int32", "int64", "uint8"),
    ),
    Property(
        "cumulative_logsumexp",
        3,
        one_array(axis=1, exclusive=False, reverse=False),
        lambda x, **_: np.logaddexp.accumulate(x, 1) if x.size else x,
        64,
    ),
    Property(
        "gather",
        4,
        lambda r, dtype, outer, rows, inner, n: (
            [normal(r, dtype, outer, rows + 1, inner), ids(r, rows + 1, n)],
            {"axis": 1, "batch_dims": 0},
        ),
        lambda x, at, **_: x[:, at],
    ),
    Property(
        "gather_nd",
        3,
        lambda r, dtype, a, b, n: (
            [normal(r, dtype, a + 1, b + 1, 3), np.stack([ids(r, a + 1, n), ids(r, b + 1, n)], -1)],
            {"strict": True},
        ),
        lambda x, at, **_: x[at[:, 0], at[:, 1]],
    ),
    Property("unsorted_segment_sum", 3, make_segments(), segments(np.add.at, 0.0), 64),
    Property("unsorted_segment_max", 3, make_segments(empty=-np.inf), segments(np.maximum.at, -np.inf)),
    Property("unsorted_segment_min", 3, make_segments(empty=np.inf), segments(np.minimum.at, np.inf)),
    Property(
        "take_along_axis",
        4,
        lambda r, dtype, a, b, c, n: ([normal(r, dtype, a, b + 1, c), ids(r, b + 1, a, n, c)], {"axis": 1}),
        np.take_along_axis,
    ),
    *[
        Property(
            "sort",
            3,
            lambda r, dtype, *sizes, axis=axis, down=down: (
                make_lines(r, dtype, *sizes),
                {"axis": axis, "descending": down},
            ),
            lambda x, axis, descending: np.flip(np.sort(x, axis), axis) if descending else np.sort(x, axis),
            dtypes=("float32", "float64", "int32"),
        )
        for axis, down in ((0, False), (1, True), (2, False))
    ],
    Property(
        "argsort",
        3,
        lambda r, dtype, *sizes: (make_lines(r, dtype, *sizes), {"axis": 1, "descending": False}),
        lambda x, **_: np.argsort(x, 1, kind="stable"),
        dtypes=("float32", "float64", "int32"),
    ),
    Property(
        "searchsorted",
        2,
        lambda r, dtype, n, m: (
            [np.sort(make_lines(r, dtype, 1, n)[0]), make_lines(r, dtype, 1, m)[0]],
            {"right": False, "out_type": "int64"},
        ),
        lambda x, values, **_: np.searchsorted(x[0], values[0])[None],
    ),
    Property("reverse", 3, one_array(axes=(0, 2)), lambda x, **given: np.flip(x, *given.values())),
    Property("roll", 3, one_array(shift=(2, -3), axis=(1, 2)), lambda x, **given: np.roll(x, *given.values())),
    *[
        Property("resample", 4, make_resampling(method, transposed), resampled, 8)
        for method in ("bilinear", "bicubic", "lanczos3")
        for transposed in (False, True)
    ],
    Property("interpolate_pixels", 4, make_interpolation, interpolated, 8),
    Property("rgb_to_hsv", 2, make_pixels(), by_pixel(colorsys.rgb_to_hsv), 8),
    Property("hsv_to_rgb", 2, make_pixels(), by_pixel(colorsys.hsv_to_rgb), 16),
    Property("adjust_hue", 2, make_pixels(0.375), by_pixel(with_other_hue), 16),
    Property("adjust_saturation", 2, make_pixels(1.5), by_pixel(with_other_saturation), 16),
    Property("adjust_contrast", 4, make_contrast, lambda x, mean, factor: (x - mean) * factor + mean, 8),
    Property("non_max_suppression", 2, make_suppression, suppressed, 0),
    Property("window_sums", 4, make_windows, in_windows, 64),
    Property("dilation2d", 4, make_dilation, dilated, 2),
    Property("transpose", 3, one_array(perm=(2, 0, 1)), lambda x, **given: np.transpose(x, *given.values())),
    Property(
        "matmul",
        3,
        lambda r, dtype, m, k, n: (
            [normal(r, dtype, m, k), normal(r, dtype, k, n)],
            {"transpose_a": False, "transpose_b": False},
        ),
        lambda a, b, **_: a @ b,
        64,
    ),
    Property(
        "sparse_dense_matmul",
        4,
        lambda r, dtype, m, k, n, count: (
            [
                np.stack([ids(r, m + 1, count), ids(r, k + 1, count)], 1),
                normal(r, dtype, count),
                normal(r, dtype, k + 1, n),
            ],
            {"rows": m + 1},
        ),
        multiply_sparse,
        64,
    ),
]
