"""Differentiable functions, and their gradients as float64 has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.core.operation import TABLE
from fastgrad._src.ops.attention import attention
from fastgrad._src.ops.normalization import layer_normalization

STEP = 1e-5


@dataclass(frozen=True)
class Differentiable:
    """A function, and what makes its arrays.

    Attributes:
        name: for the test's id.
        sizes: how many it is tried with.
        make: of a generator and the sizes: float64 arrays, and what else the function takes by name, which is not differentiated.
        function: of tensors and these, to a tensor or several.
    """

    name: str
    sizes: int
    make: Callable[..., tuple[list[np.ndarray], dict[str, Any]]]
    function: Callable[..., Any]


def arrays(*shapes: Callable[..., tuple[int, ...]], **more: Any) -> Callable[..., Any]:
    """Makes arrays of the shapes that these functions of the sizes give."""
    return lambda r, *sizes: ([r.normal(size=shape(*sizes)) for shape in shapes], more)


def grouped(r: np.random.Generator, a: int, b: int, c: int) -> Any:
    """Of an image or a row of channels, last or first; as many elements a group as it takes for a variance."""
    groups, each = 1 + c % 5, 1 + b % 7
    shape = [(1 + a % 4, 3, 2, groups * each), (1 + a % 4, groups * each, 5), (1 + a % 4, 2 + b % 40, groups * each)][
        c % 3
    ]
    axis = 1 if c % 3 == 1 else -1
    channels = [r.normal(size=groups * each) for _ in range(2)]
    return [r.normal(size=shape), *channels], {"groups": groups, "axis": axis}


def group_normalization(x: Any, gamma: Any, beta: Any, groups: int, axis: int) -> Any:
    """The layer, whose weights are the tensors."""
    layer = tf.keras.layers.GroupNormalization(groups, axis, dtype=x.dtype.name, center=False, scale=False)
    sizes = [1] * len(x.shape)
    sizes[axis] = -1
    return layer(x) * tf.reshape(gamma, sizes) + tf.reshape(beta, sizes)


def queries_and_keys(r: np.random.Generator, batch: int, queries: int, keys: int, depth: int) -> Any:
    heads, depth, keys = 1 + batch % 3, 1 + depth % 40, 1 + keys
    shapes = (
        (batch % 3, queries, heads, depth),
        (batch % 3, keys, heads, depth),
        (batch % 3, keys, heads, 1 + depth // 2),
    )
    return [r.normal(size=shape) for shape in shapes], {"scale": depth**-0.5, "causal": queries % 2 == 1}


def over_time(kind: str, gates: int, states: int) -> Differentiable:
    def make(r: np.random.Generator, steps: int, batch: int, units: int) -> Any:
        steps, units = 1 + steps % 6, 1 + units
        bias = (2, gates * units) if kind == "gru" else (gates * units,)
        shapes = [(steps, batch, gates * units), (units, gates * units), bias, *[(batch, units)] * states]
        mask = r.random((steps, batch)) > 0.3 if steps % 2 else None
        return [r.normal(size=shape) / (1 + np.sqrt(units)) for shape in shapes], {"mask": mask}

    def run(*tensors: Any, mask: Any) -> Any:
        found = TABLE[kind](*tensors, *([] if mask is None else [tf.constant(mask)]))
        return found[0], *found[
            -1 if kind != "lstm" else -2 :
        ]  # what layers read: the gates' cotangents go another way

    return Differentiable(kind, 3, make, run)


def dense(activation: str) -> Differentiable:
    return Differentiable(
        f"dense {activation}",
        3,
        arrays(lambda m, k, n: (m, k), lambda m, k, n: (k, n + 1), lambda m, k, n: (n + 1,), activation=activation),
        lambda x, kernel, bias, activation: TABLE["dense"](x, kernel, bias, activation=activation),
    )


def labelled(r: np.random.Generator, m: int, n: int) -> Any:
    return [r.normal(size=(m, n + 1))], {"labels": r.integers(0, n + 1, m)}


def with_distributions(r: np.random.Generator, m: int, n: int) -> Any:
    return [r.normal(size=(m, n + 1))], {"labels": r.dirichlet(np.ones(n + 1), m)}


def matrix(m: int, n: int) -> tuple[int, ...]:
    return m, n + 1


DIFFERENTIABLE = [
    Differentiable("group normalization", 3, grouped, group_normalization),
    Differentiable(
        "layer normalization",
        2,
        arrays(lambda m, n: (m, n + 2), lambda m, n: (n + 2,), lambda m, n: (n + 2,)),
        layer_normalization,
    ),
    Differentiable("attention", 4, queries_and_keys, attention),
    over_time("lstm", 4, 2),
    over_time("gru", 3, 1),
    over_time("simple_rnn", 1, 1),
    *[dense(activation) for activation in ("linear", "relu", "tanh")],
    Differentiable(
        "sparse cross-entropy",
        2,
        labelled,
        lambda x, labels: tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x),
    ),
    Differentiable(
        "cross-entropy",
        2,
        with_distributions,
        lambda x, labels: tf.nn.softmax_cross_entropy_with_logits(tf.cast(labels, x.dtype), x),
    ),
    Differentiable("softmax", 2, arrays(matrix), tf.nn.softmax),
    Differentiable("softmax of columns", 2, arrays(matrix), lambda x: tf.nn.softmax(x, 0) if len(x) else x),
    Differentiable("log_softmax", 2, arrays(matrix), tf.nn.log_softmax),
    Differentiable("logsumexp", 2, arrays(matrix), lambda x: tf.reduce_logsumexp(x, 1)),
    Differentiable("products", 2, arrays(matrix), lambda x: tf.reduce_prod(1.0 + 0.05 * x, 1)),
    Differentiable("running products", 2, arrays(matrix), lambda x: tf.math.cumprod(1.0 + 0.05 * x, 1)),
    Differentiable("running sums", 2, arrays(matrix), lambda x: tf.cumsum(x, 1, exclusive=True, reverse=True)),
    Differentiable(
        "recurrence",
        3,
        arrays(lambda a, b, c: (a, b, c), lambda a, b, c: (a, b, c)),
        lambda a, b: TABLE["linear_recurrence"](0.3 * a, b, axis=1, reverse=False),
    ),
    Differentiable("clip by norm", 2, arrays(matrix), lambda x: tf.clip_by_norm(x, 2.0, 1)),
    Differentiable("global norm", 2, arrays(matrix, matrix), lambda x, y: tf.linalg.global_norm([1.0 + x, y])),
    Differentiable(
        "products of matrices",
        3,
        arrays(lambda m, k, n: (m, k), lambda m, k, n: (k, n)),
        tf.matmul,
    ),
    Differentiable("mirror", 2, arrays(lambda m, n: (m + 4, n + 4)), lambda x: tf.pad(x, [[3, 1], [0, 2]], "REFLECT")),
    Differentiable("variance", 2, arrays(lambda m, n: (m + 1, n)), lambda x: tf.nn.moments(x, [0])),
]


def gradients(function: Callable[..., Any], tensors: list[Any], weights: Callable[..., Any], more: Any) -> list[Any]:
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        total = weighted(function(*tensors, **more), weights)
    return tape.gradient(total, tensors, unconnected_gradients="zero")


def weighted(found: Any, weights: Callable[..., Any]) -> Any:
    parts = [tf.reduce_sum(y * tf.cast(weights(y.shape), y.dtype)) for y in tf.nest.flatten(found)]
    return tf.add_n(parts)


def weights_of(shape: Any) -> np.ndarray:
    return np.sin(1.0 + np.arange(np.prod(shape, dtype=int))).reshape(shape)


def check_gradients(known: Differentiable, sizes: tuple[int, ...], seed: int) -> None:
    """Compares the gradients of a function with what it changes by, in float32 with float64, and those of programs."""
    r = np.random.default_rng(seed)
    values, more = known.make(r, *sizes)
    directions = [r.normal(size=x.shape) for x in values]
    found = gradients(known.function, [tf.constant(x) for x in values], weights_of, more)

    def along(step: float) -> float:
        moved = [tf.constant(x + step * d) for x, d in zip(values, directions, strict=True)]
        return float(weighted(known.function(*moved, **more), weights_of))

    change = (8 * (along(STEP) - along(-STEP)) - along(2 * STEP) + along(-2 * STEP)) / (12 * STEP)
    parts = [np.abs(g.numpy() * d) for g, d in zip(found, directions, strict=True)]
    product = sum(float((g.numpy() * d).sum()) for g, d in zip(found, directions, strict=True))
    size = 1 + sum(float(part.sum()) for part in parts)
    assert abs(product - change) <= 1e-7 * size

    narrow = gradients(known.function, [tf.constant(x, tf.float32) for x in values], weights_of, more)
    compiled = tf.function(lambda *tensors: gradients(known.function, list(tensors), weights_of, more))
    for _ in range(2):  # the first call records
        same = compiled(*[tf.constant(x) for x in values])
    for wide, one, other in zip(found, narrow, same, strict=True):
        largest = 1 + np.abs(wide.numpy()).max(initial=0)
        np.testing.assert_allclose(one, wide, rtol=0, atol=3e-5 * largest)
        np.testing.assert_allclose(other, wide, rtol=0, atol=1e-12 * largest)
