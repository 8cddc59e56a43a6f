"""Gradients of gradients: functions whose results are squared, and functions that are gradients themselves.

The rule of a gradient by its cotangent runs only if the cotangent depends on the inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.conformance.programs.every_layer import X3
from tests.conformance.weights import with_weights

from ..case import Case, at, normal, positive

Function = Callable[..., Any]


def squared(function: Function) -> Function:
    """The squares of a function's results."""
    return lambda tf, *xs: [y * y for y in tf.nest.flatten(function(tf, *xs))]


def gradient(function: Function) -> Function:
    """The squares of the gradient of the sum of the cubes of a function's results, by its first input."""

    def differentiated(tf: Any, x: Any, *xs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(tf, x, *xs)
            total = tf.reduce_sum(y * y * y)
        return tf.convert_to_tensor(tape.gradient(total, x)) ** 2

    return differentiated


SQUARED: dict[str, tuple[Function, float]] = {
    "nn.gelu": (lambda tf, x: tf.nn.gelu(x), 1e-7),
    "nn.gelu approximate": (lambda tf, x: tf.nn.gelu(x, approximate=True), 1e-7),
    "nn.leaky_relu": (lambda tf, x: tf.nn.leaky_relu(x, 0.25), 0.0),
    "nn.softmax on axis 0": (lambda tf, x: tf.nn.softmax(x, axis=0), 0.0),
    "nn.log_softmax": (lambda tf, x: tf.nn.log_softmax(x), 0.0),
    "nn.log_softmax on axis 0": (lambda tf, x: tf.nn.log_softmax(x, axis=0), 0.0),
    "nn.softmax_cross_entropy_with_logits": (
        lambda tf, x: tf.nn.softmax_cross_entropy_with_logits(
            tf.constant([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]], x.dtype), x
        ),
        0.0,
    ),
    "nn.sparse_softmax_cross_entropy_with_logits": (
        lambda tf, x: tf.nn.sparse_softmax_cross_entropy_with_logits([2, 0], x),
        0.0,
    ),
    "stack of six": (lambda tf, x: tf.stack([x, x * x, x + 1, -x, x * 0.5, x**3], 1), 0.0),
}
GRADIENTS: dict[str, tuple[Function, tuple[int, ...]]] = {
    "sort": (lambda tf, x: tf.sort(x, axis=0), (4, 2)),
    "math.top_k": (lambda tf, x: tf.math.top_k(x, 2)[0], (2, 4)),
    "gather": (lambda tf, x: tf.gather(x, [2, 0, 2]), (4, 2)),
    "nn.max_pool2d": (lambda tf, x: tf.nn.max_pool2d(x, 2, 1, "VALID"), (1, 3, 3, 2)),
    "nn.avg_pool2d": (lambda tf, x: tf.nn.avg_pool2d(x, 2, 1, "VALID"), (1, 3, 3, 2)),
    "nn.conv2d": (lambda tf, x: tf.nn.conv2d(x, tf.ones([2, 2, 2, 1], x.dtype), 1, "VALID"), (1, 3, 3, 2)),
    "nn.softmax": (lambda tf, x: tf.nn.softmax(x), (2, 3)),
    "tanh": (lambda tf, x: tf.tanh(x), (4,)),
    "reduce_max": (lambda tf, x: tf.reduce_max(x, axis=1), (2, 3)),
    "cumsum": (lambda tf, x: tf.cumsum(x), (4,)),
    "pad": (lambda tf, x: tf.pad(x, [[1, 2]], constant_values=0.5), (4,)),
}


def of_states(make: Callable[[Any], Any], count: int) -> Case:
    """The case of a recurrent layer by its inputs, initial states and weights."""

    def function(tf: Any) -> tuple[Any, Function]:
        layer = make(tf.keras.layers)
        layer.build(X3.shape)
        with_weights(layer)
        return layer, lambda x, *states: [y * y for y in layer(x, initial_state=list(states))]

    states = [normal(len(X3), 2, seed=place + 1).astype(np.float32) for place in range(count)]
    inputs = (np.asarray(X3), *states)
    return Case(function, inputs, dtypes=("float32",), smooth=False, layer=True, tolerance=1e-4)


def normalised(**options: Any) -> Case:
    """The case of the squares of a layer normalization in the inputs and weights."""

    def function(tf: Any) -> tuple[Any, Function]:
        layer = tf.keras.layers.LayerNormalization(**options)
        layer.build(X3.shape)
        with_weights(layer)
        return layer, lambda x: layer(x) ** 2

    return Case(function, (np.asarray(X3),), dtypes=("float32",), smooth=False, layer=True, tolerance=1e-4)


CASES: dict[str, Case] = {
    f"{name}, squared": at(
        squared(function),
        normal(2, 3),
        dtypes=("float64", "float32"),
        tolerance=tolerance,
    )
    for name, (function, tolerance) in SQUARED.items()
}
CASES |= {
    f"squared gradient of {name}": at(gradient(function), normal(*shape))
    for name, (function, shape) in GRADIENTS.items()
}
CASES |= {
    "pad with a tensor": at(
        lambda tf, x, c: tf.pad(x, [[1, 1]], constant_values=c) ** 2, normal(3), positive(), dtypes=("float64",)
    ),
    "LSTM of initial states, squared": of_states(lambda k: k.LSTM(2, return_sequences=True, return_state=True), 2),
    "GRU of initial states, squared": of_states(lambda k: k.GRU(2, return_sequences=True, return_state=True), 1),
    "SimpleRNN of initial states, squared": of_states(
        lambda k: k.SimpleRNN(2, return_sequences=True, return_state=True), 1
    ),
    "LayerNormalization, squared": normalised(),
}
