"""Properties of attention, recurrent layers and dense layers with masks, groups and gradients: against the same composed of plain rows in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.ops import recurrent
from fastgrad._src.ops.attention import MAX_HEAD_WIDTH, unfused_attention
from tests.kernels.properties import Property, normal, results_of
from tests.kernels.random.draw_properties import words
from tests.kernels.row_properties import over_time

Made = tuple[list[np.ndarray], dict[str, Any]]


# ---- attention -----------------------------------------------------------------------------------------


def make_attention(rate: bool) -> Callable[..., Made]:
    """Queries, keys and values with groups of heads, masks of any shape that broadcasts, and dropout."""

    def make(r: np.random.Generator, dtype: str, queries: int, keys: int, depth: int, width: int) -> Made:
        groups, batch = int(r.integers(1, 4)), int(r.integers(1, 3))
        heads, keys, queries = groups * int(r.integers(1, 3)), max(keys, 1), max(queries, 1)
        depth, width = min(max(depth, 1), MAX_HEAD_WIDTH), min(max(width, 1), MAX_HEAD_WIDTH)
        shapes = (batch, queries, heads, depth), (batch, keys, groups, depth), (batch, keys, groups, width)
        arrays = [normal(r, dtype, *shape) for shape in shapes]
        masked = bool(r.integers(0, 2))
        if masked:
            shape = [size if r.random() < 0.7 else 1 for size in (batch, heads, queries, keys)]
            arrays.append(r.random(shape) < 0.6)
        attributes = {"scale": float(depth**-0.5), "causal": bool(r.integers(0, 2)), "masked": masked}
        if rate:
            arrays.append(words(r))
        return arrays, {**attributes, "rate": 0.4 if rate else 0.0, "blank": bool(r.integers(0, 2))}

    return make


def in_parts(
    q: Any, k: Any, v: Any, *more: Any, scale: float, causal: bool, masked: bool, rate: float, blank: bool
) -> Any:
    mask = tf.constant(more[0]) if masked else None
    drawn = tf.constant(more[-1]) if rate else None
    return unfused_attention(*map(tf.constant, (q, k, v)), mask, drawn, scale, causal, rate, blank)[0].numpy()


def make_attention_gradient(rate: bool) -> Callable[..., Made]:
    forward = make_attention(rate)

    def make(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
        arrays, attributes = forward(r, dtype, *sizes)
        results = results_of("attention", arrays, attributes)
        return [normal(r, dtype, *results[0].shape), *results, *arrays], attributes

    return make


def gradient_in_parts(
    g: Any, y: Any, peaks: Any, shares: Any, q: Any, k: Any, v: Any, *more: Any, **attributes: Any
) -> Any:
    mask = tf.constant(more[0]) if attributes.pop("masked") else None
    drawn = tf.constant(more[-1]) if attributes["rate"] else None
    sources, options = (
        [tf.constant(x) for x in (q, k, v)],
        [attributes[name] for name in ("scale", "causal", "rate", "blank")],
    )
    with tf.GradientTape() as tape:
        tape.watch(sources)
        target = unfused_attention(*sources, mask, drawn, *options)[0]
    return tuple([x.numpy() for x in tape.gradient(target, sources, tf.constant(g))])


# ---- recurrent layers ----------------------------------------------------------------------------------


def composed(steps: Callable[..., Any]) -> Callable[..., Any]:
    """The results of a function of tensors, as arrays."""
    return lambda *arrays, **attributes: tuple([y.numpy() for y in steps(*map(tf.constant, arrays), **attributes)])


def masked(gates: int, rows_of_bias: int | None) -> Callable[..., Made]:
    """What `over_time` makes, and which steps count."""
    forward = over_time(gates, rows_of_bias)

    def make(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
        arrays, attributes = forward(r, dtype, *sizes)
        return [*arrays, r.random(arrays[0].shape[:2]) < 0.6], attributes

    return make


def backward(
    name: str, gates: int, rows_of_bias: int | None, residuals: tuple[int, ...], states: int
) -> Callable[..., Made]:
    """Makes the arrays of a gradient over time: what its forward row gives, and cotangents of some of its results.

    Args:
        name: of the forward row.
        gates, rows_of_bias: as for `over_time`.
        residuals: which results of the forward row come first.
        states: how many states are carried.
    """
    forward = over_time(gates, rows_of_bias)

    def make(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
        arrays, _ = forward(r, dtype, *sizes)
        steps, batch = arrays[0].shape[:2]
        units = arrays[1].shape[0]
        mask = [r.random((steps, batch)) < 0.6] if r.random() < 0.5 else []
        results = results_of(name, [*arrays, *mask], {})
        has = [bool(mask), *[bool(r.random() < 0.7) for _ in range(1 + states)]]
        if name == "simple_rnn":
            has[2:] = has[2:3]
        shapes = [(steps + 1, batch, units)] + [(batch, units)] * states
        given = [normal(r, dtype, *shape) for shape, there in zip(shapes, has[1:], strict=False) if there]
        return [*[results[i] for i in residuals], arrays[1], *mask, *given], {"has": tuple(has)}

    return make


# ---- dense layers --------------------------------------------------------------------------------------

ACTIVATIONS: dict[str, tuple[Any, Any]] = {
    "linear": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0), lambda y: (y > 0) * 1.0),
    "tanh": (np.tanh, lambda y: 1 - y * y),
}


def make_dense(r: np.random.Generator, dtype: str, m: int, k: int, n: int) -> Made:
    k, n = max(k, 1), max(n, 1)
    w = (normal(r, "float64", k, n) / np.sqrt(k)).astype(dtype)
    return [normal(r, dtype, m, k), w, normal(r, dtype, n)], {
        "activation": sorted(ACTIVATIONS)[r.integers(0, len(ACTIVATIONS))]
    }


def make_dense_gradient(r: np.random.Generator, dtype: str, m: int, n: int) -> Made:
    name = sorted(ACTIVATIONS)[r.integers(0, len(ACTIVATIONS))]
    y = ACTIVATIONS[name][0](normal(r, dtype, m, max(n, 1))).astype(dtype)
    return [normal(r, dtype, m, max(n, 1)), y], {"activation": name}


def dense_gradient(g: Any, y: Any, activation: str) -> Any:
    dz = g * ACTIVATIONS[activation][1](y)
    return dz, dz.sum(0)


def recurrence(a: np.ndarray, b: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    a, b = (np.moveaxis(np.flip(x, axis) if reverse else x, axis, 0) for x in (a, b))
    y = np.array(b)
    for t in range(1, len(y)):
        y[t] = a[t] * y[t - 1] + b[t]
    y = np.moveaxis(y, 0, axis)
    return np.flip(y, axis) if reverse else y


def make_recurrence(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    arrays = [(0.5 * normal(r, "float64", *sizes)).astype(dtype), normal(r, dtype, *sizes)]
    return arrays, {"axis": int(r.integers(0, len(sizes))), "reverse": bool(r.integers(0, 2))}


def terms(r: np.random.Generator, count: int, *shape: int) -> np.ndarray:
    """Factors of products that are summed; long sums have positive terms, as those of numbers around 0 are mostly rounding."""
    x = normal(r, "float64", *shape)
    return x if count < 1 << 12 else (1 + 0.5 * x) / np.sqrt(count)


def make_wide_product(r: np.random.Generator, dtype: str, m: int, k: int, n: int) -> Made:
    turned = [bool(r.integers(0, 2)) for _ in range(2)]
    shapes = (k, m) if turned[0] else (m, k), (n, k) if turned[1] else (k, n)
    half = tf.as_dtype(dtype).numpy
    arrays = [terms(r, k, *shape).astype(half) for shape in shapes]
    return arrays, {"transpose_a": turned[0], "transpose_b": turned[1]}


def make_product(r: np.random.Generator, dtype: str, m: int, k: int, n: int) -> Made:
    """Matrices, transposed or not, alone or in batches that broadcast."""
    turned = [bool(r.integers(0, 2)) for _ in range(2)]
    shapes = (k, m) if turned[0] else (m, k), (n, k) if turned[1] else (k, n)
    batches = [((), ()), ((2,), (2,)), ((3,), ()), ((), (2,)), ((2, 1), (3,))][
        r.integers(0, 5) if m * k * n < 1 << 16 else 0
    ]
    kind = tf.as_dtype(dtype).numpy
    arrays = [terms(r, 1 if kind.kind == "i" else k, *b, *shape) for b, shape in zip(batches, shapes, strict=True)]
    if kind.kind == "i":
        arrays = [np.rint(3 * x) for x in arrays]
    return [x.astype(kind) for x in arrays], {"transpose_a": turned[0], "transpose_b": turned[1]}


def product(a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> Any:
    return (a.swapaxes(-1, -2) if transpose_a else a) @ (b.swapaxes(-1, -2) if transpose_b else b)


PROPERTIES = [
    Property("attention", 4, make_attention(False), in_parts, 64),
    Property("attention", 4, make_attention(True), in_parts, 64, ("float64",)),
    Property("attention_gradient", 4, make_attention_gradient(False), gradient_in_parts, 1024),
    Property("attention_gradient", 4, make_attention_gradient(True), gradient_in_parts, 1024, ("float64",)),
    Property("lstm", 3, masked(4, None), composed(recurrent._lstm_steps), 256),
    Property("gru", 3, masked(3, 2), composed(recurrent._gru_steps), 256),
    Property("lstm_gradient", 3, backward("lstm", 4, None, (2, 1), 2), composed(recurrent._lstm_gradient_steps), 256),
    Property("gru_gradient", 3, backward("gru", 3, 2, (2, 1, 0), 1), composed(recurrent._gru_gradient_steps), 256),
    Property(
        "simple_rnn_gradient",
        3,
        backward("simple_rnn", 1, None, (0,), 1),
        composed(recurrent._simple_rnn_gradient_steps),
        256,
    ),
    Property("dense", 3, make_dense, lambda x, w, b, activation: ACTIVATIONS[activation][0](x @ w + b), 64),
    Property("dense_gradient", 2, make_dense_gradient, dense_gradient, 256),
    Property(
        "linear_recurrence", 3, make_recurrence, recurrence, 64, ("float32", "float64", "complex64", "complex128")
    ),
    Property("wide_product", 3, make_wide_product, product, 64, ("bfloat16", "float16")),
    Property("matmul", 3, make_product, product, 64, ("float32", "float64", "bfloat16", "float16")),
    Property("matmul", 3, make_product, product, 64, ("complex64", "complex128", "int32", "int64")),
]
