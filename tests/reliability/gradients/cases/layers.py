"""Every Keras layer by its inputs and weights, which are those of the conformance programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.conformance.programs.every_layer import LAYERS, X2, X3, X4
from tests.conformance.weights import with_weights

from ..case import Case, edge

# Their values are random; `test_central_differences.py` has dropout from a seed.
RANDOM = (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "AlphaDropout",
    "GaussianNoise",
)


def called(layer: Any, xs: Any, form: Any, **options: Any) -> Any:
    """The layer's result for inputs in the form that it takes: one, several arguments, or a list."""
    if isinstance(form, tuple):
        return layer(*xs, **options)
    return layer(list(xs) if isinstance(form, list) else xs[0], **options)


def of(make: Callable[[Any], Any], form: Any, forward: bool = True, **options: Any) -> Case:
    """The case of a layer in float32; `options` are those of its call."""

    def function(tf: Any) -> tuple[Any, Callable[..., Any]]:
        layer = make(tf.keras.layers)
        arrays = form if isinstance(form, tuple | list) else [form]
        called(layer, [tf.constant(x) for x in arrays], form)
        if type(layer).__name__ != "Normalization":
            with_weights(layer)
        return layer, lambda *xs: called(layer, xs, form, **options)

    inputs = tuple(np.asarray(x) for x in (form if isinstance(form, tuple | list) else [form]))
    return Case(function, inputs, dtypes=("float32",), smooth=False, forward=forward, layer=True, tolerance=1e-4)


CASES: dict[str, Case] = {
    # TensorFlow's forward accumulator gives None for what is resized.
    name: of(make, form, forward=not name.startswith(("UpSampling2D", "Resizing")))
    for name, (make, form) in LAYERS.items()
    if name not in ("Normalization", "AveragePooling2D")
}
CASES |= {
    "AveragePooling2D": of(lambda k: k.AveragePooling2D(2), X4),
    "BatchNormalization in training": of(lambda k: k.BatchNormalization(), X3, training=True),
    "BatchNormalization of images in training": of(lambda k: k.BatchNormalization(), X4, training=True),
    "BatchNormalization without scale": of(
        lambda k: k.BatchNormalization(scale=False, center=False), X2, training=True
    ),
    "LayerNormalization of two axes": of(lambda k: k.LayerNormalization(axis=(1, 2)), X3),
    "LSTM of sequences, backwards": of(lambda k: k.LSTM(3, go_backwards=True, return_sequences=True), X3),
    "GRU, reset before": of(lambda k: k.GRU(2, reset_after=False, return_state=True), X3),
    "LSTM, unrolled": of(lambda k: k.LSTM(2, unroll=True), X3),
    "SimpleRNN of states": of(lambda k: k.SimpleRNN(2, return_state=True), X3),
    "Attention, scaled": of(lambda k: k.Attention(use_scale=True), [X3, X3 + 1]),
    "Attention, causal": of(lambda k: k.Attention(), [X3, X3 + 1], use_causal_mask=True),
    "MultiHeadAttention, causal": of(lambda k: k.MultiHeadAttention(2, 3), (X3, X3 + 1), use_causal_mask=True),
    "Dense of zeros": of(lambda k: k.Dense(3, "relu", use_bias=False), 0 * X2),
    "Conv2D of groups": of(lambda k: k.Conv2D(4, 2, groups=2), X4),
    "Masked LSTM": of(lambda k: k.LSTM(2), X3, mask=np.array([[True, True, False, False], [True, False, True, True]])),
}
for name in ("add", "average", "maximum", "minimum", "multiply", "subtract", "concatenate"):
    CASES[f"keras.layers.{name}"] = edge(
        lambda tf, x, y, name=name: getattr(tf.keras.layers, name)([x, y]), X2, 0.5 - X2, dtypes=("float32",)
    )
CASES["keras.layers.dot"] = edge(lambda tf, x, y: tf.keras.layers.dot([x, y], 1), X2, 0.5 - X2, dtypes=("float32",))
CASES["Lambda"] = of(lambda k: k.Lambda(lambda x: x * x * x), X2)
for activation in (
    "relu",
    "gelu",
    "silu",
    "tanh",
    "sigmoid",
    "selu",
    "elu",
    "softplus",
    "softmax",
    "leaky_relu",
    "relu6",
):
    CASES[f"Dense of {activation}"] = of(lambda k, activation=activation: k.Dense(3, activation), X2)
    CASES[f"Conv2D of {activation}"] = of(lambda k, activation=activation: k.Conv2D(2, 2, activation=activation), X4)
for name in RANDOM:
    CASES[f"{name} outside of training"] = CASES.pop(name)
