"""Softmax, cross-entropies, losses and normalisation: by every operand, at confident and undefined numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..case import REAL, Case, at, edge, normal, positive, sequence

inf, nan = np.inf, np.nan
FLOATS = ("float64", "float32")
LOGITS = np.array([[1e4, 0.0, -1e4], [800.0, 800.0, 0.0], [0.0, -inf, 1.0], [0.0, 0.0, 0.0]])
WILD = np.array([[inf, 0.0, 1.0], [nan, 0.0, 1.0], [-inf, -inf, -inf], [inf, -inf, 0.0]])
ONE_HOT = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
CHANCES = positive(3, 4) / positive(3, 4).sum(1, keepdims=True)
TRUE = np.array([[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]])
# Predictions at the borders of their range and equal to the truth.
BORDERS = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.5, 0.5]])
SIGNS = np.array([[1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, -1.0, -1.0], [1.0, 1.0, -1.0, 1.0]])

CASES: dict[str, Case] = {}
for name in ("softmax", "log_softmax"):
    for axis in (-1, 0, 1):
        CASES[f"nn.{name} on axis {axis}"] = at(
            lambda tf, x, name=name, axis=axis: getattr(tf.nn, name)(x, axis=axis), normal(2, 3, 2), dtypes=REAL
        )
    CASES[f"nn.{name} of confident logits"] = edge(
        lambda tf, x, name=name: getattr(tf.nn, name)(x), LOGITS, dtypes=FLOATS
    )
    CASES[f"nn.{name} of infinities and NaN"] = edge(lambda tf, x, name=name: getattr(tf.nn, name)(x), WILD, order=1)
    CASES[f"nn.{name} of nothing"] = edge(lambda tf, x, name=name: getattr(tf.nn, name)(x), np.zeros((0, 3)))
    CASES[f"keras.activations.{name}"] = at(
        lambda tf, x, name=name: getattr(tf.keras.activations, name)(x), normal(2, 3)
    )
CASES |= {
    "nn.gelu approximate": at(lambda tf, x: tf.nn.gelu(x, approximate=True), normal(5), dtypes=REAL, tolerance=1e-7),
    "nn.leaky_relu 0.3": at(lambda tf, x: tf.nn.leaky_relu(x, 0.25), normal(5)),
    "nn.leaky_relu above 1": edge(lambda tf, x: tf.nn.leaky_relu(x, 2.0), np.array([0.0, -0.0, -1.0, 2.0, nan])),
    "nn.silu of beta": at(lambda tf, x, b: tf.nn.silu(x, b), normal(4), np.array(1.5)),
    "keras.activations.glu": at(lambda tf, x: tf.keras.activations.glu(x), normal(2, 4)),
    "keras.activations.sparsemax": edge(lambda tf, x: tf.keras.activations.sparsemax(x), normal(2, 4), order=1),
    "keras.activations.threshold": at(lambda tf, x: tf.keras.activations.threshold(x, 0.3, 7.0), normal(5)),
    "keras.activations.relu of options": edge(
        lambda tf, x: tf.keras.activations.relu(x, negative_slope=0.1, max_value=1.0, threshold=0.5),
        np.array([0.5, 1.0, 0.0, -1.0, 0.7, 3.0]),
    ),
    "nn.bias_add": at(lambda tf, x, b: tf.nn.bias_add(x, b) ** 2, normal(2, 3), normal(3), dtypes=REAL),
    "nn.bias_add of channels first": at(
        lambda tf, x, b: tf.nn.bias_add(x, b, data_format="NCHW") ** 2, normal(1, 2, 2, 2), normal(2)
    ),
    # ---- cross-entropies of logits
    "nn.sparse_softmax_cross_entropy_with_logits": at(
        lambda tf, x: tf.nn.sparse_softmax_cross_entropy_with_logits([2, 0], x), normal(2, 3), dtypes=REAL
    ),
    "nn.sparse_softmax_cross_entropy_with_logits of confident logits": edge(
        lambda tf, x: tf.nn.sparse_softmax_cross_entropy_with_logits([1, 0, 2, 1], x), LOGITS, dtypes=FLOATS, order=1
    ),
    "nn.sparse_softmax_cross_entropy_with_logits of infinities": edge(
        lambda tf, x: tf.nn.sparse_softmax_cross_entropy_with_logits([1, 0, 2, 1], x), WILD, order=1
    ),
    "nn.sparse_softmax_cross_entropy_with_logits of no rows": edge(
        lambda tf, x: tf.nn.sparse_softmax_cross_entropy_with_logits(np.zeros(0, np.int32), x), np.zeros((0, 3))
    ),
    "nn.softmax_cross_entropy_with_logits": at(
        lambda tf, t, x: tf.nn.softmax_cross_entropy_with_logits(t, x), CHANCES, normal(3, 4), dtypes=REAL
    ),
    "nn.softmax_cross_entropy_with_logits on axis 0": at(
        lambda tf, t, x: tf.nn.softmax_cross_entropy_with_logits(t, x, axis=0), CHANCES, normal(3, 4)
    ),
    "nn.softmax_cross_entropy_with_logits of softmax": at(
        lambda tf, t, x: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(t), x),
        normal(2, 3),
        normal(2, 3, seed=1),
    ),
    "nn.softmax_cross_entropy_with_logits of confident logits": edge(
        lambda tf, t, x: tf.nn.softmax_cross_entropy_with_logits(t, x), ONE_HOT, LOGITS, dtypes=FLOATS, order=1
    ),
    "nn.softmax_cross_entropy_with_logits, labels stopped": edge(
        lambda tf, t, x: tf.nn.softmax_cross_entropy_with_logits(tf.stop_gradient(t), x), CHANCES, normal(3, 4)
    ),
    "nn.sigmoid_cross_entropy_with_logits": at(
        lambda tf, t, x: tf.nn.sigmoid_cross_entropy_with_logits(t, x), positive(4), normal(4), dtypes=REAL
    ),
    "nn.sigmoid_cross_entropy_with_logits at special values": edge(
        lambda tf, t, x: tf.nn.sigmoid_cross_entropy_with_logits(t, x),
        np.array([0.0, 1.0, 0.5, 1.0, 0.0, 1.0, 0.0, 1.0]),
        np.array([0.0, -0.0, 800.0, -800.0, inf, inf, -inf, nan]),
        dtypes=FLOATS,
    ),
    "nn.weighted_cross_entropy_with_logits": at(
        lambda tf, t, x, w: tf.nn.weighted_cross_entropy_with_logits(t, x, w), positive(4), normal(4), np.array(1.7)
    ),
    "nn.weighted_cross_entropy_with_logits at 0": edge(
        lambda tf, t, x: tf.nn.weighted_cross_entropy_with_logits(t, x, 2.0),
        np.array([0.0, 1.0, 1.0]),
        np.array([0.0, 0, 800]),
    ),
    "nn.log_poisson_loss": at(lambda tf, t, x: tf.nn.log_poisson_loss(t, x), positive(4), normal(4)),
    "nn.log_poisson_loss in full": at(
        lambda tf, t, x: tf.nn.log_poisson_loss(t, x, compute_full_loss=True), positive(4) + 1.5, normal(4)
    ),
    "nn.compute_average_loss": at(lambda tf, x: tf.nn.compute_average_loss(x, global_batch_size=4), normal(3)),
    "nn.scale_regularization_loss": at(lambda tf, x: tf.nn.scale_regularization_loss(x), normal(3)),
    # ---- normalisation
    "nn.batch_normalization": at(
        lambda tf, x, m, v, b, g: tf.nn.batch_normalization(x, m, v, b, g, 1e-3),
        *(normal(3, 2), normal(2, seed=1), positive(2), normal(2, seed=2), positive(2, seed=1)),
        dtypes=FLOATS,
    ),
    "nn.batch_normalization without scale": at(
        lambda tf, x, m, v: tf.nn.batch_normalization(x, m, v, None, None, 1e-3), normal(3, 2), normal(2), positive(2)
    ),
    "nn.local_response_normalization": at(
        lambda tf, x: tf.nn.local_response_normalization(x, 1, 1.0, 0.5, 0.5),
        normal(1, 1, 2, 4),
        dtypes=("float32",),
        order=1,
        smooth=False,
    ),
}
# ---- Keras losses: predictions first, which have gradients; then the truth.
SMOOTH_LOSSES = [
    *(
        "binary_crossentropy",
        "categorical_crossentropy",
        "poisson",
        "cosine_similarity",
        "huber",
        "hinge",
        "squared_hinge",
    ),
    *(
        "categorical_hinge",
        "mse",
        "mae",
        "mape",
        "msle",
        "kld",
        "logcosh",
        "binary_focal_crossentropy",
        "dice",
        "tversky",
    ),
    "categorical_focal_crossentropy",
]
for name in SMOOTH_LOSSES:

    def lost(tf: Any, p: Any, t: Any, name: str = name) -> Any:
        return getattr(tf.keras.losses, name)(t, p)

    truth = SIGNS if "hinge" in name else TRUE
    CASES[f"keras.losses.{name}"] = edge(lost, CHANCES, truth, dtypes=REAL)
    CASES[f"keras.losses.{name} at borders"] = edge(lost, BORDERS, truth, dtypes=FLOATS, order=1)
CASES |= {
    "keras.losses.sparse_categorical_crossentropy": at(
        lambda tf, p: tf.keras.losses.sparse_categorical_crossentropy(np.array([0, 3, 1]), p), CHANCES, dtypes=REAL
    ),
    "keras.losses.sparse_categorical_crossentropy of logits": at(
        lambda tf, x: tf.keras.losses.sparse_categorical_crossentropy(np.array([0, 3, 1]), x, from_logits=True),
        normal(3, 4),
    ),
    "keras.losses.sparse_categorical_crossentropy at borders": edge(
        lambda tf, p: tf.keras.losses.sparse_categorical_crossentropy(np.array([0, 2, 2]), p), BORDERS, dtypes=FLOATS
    ),
    "keras.losses.sparse_categorical_crossentropy ignoring": edge(
        lambda tf, p: tf.keras.losses.sparse_categorical_crossentropy(np.array([0, -1, 1]), p, ignore_class=-1), CHANCES
    ),
    "keras.losses.binary_crossentropy of logits": at(
        lambda tf, x, t: tf.keras.losses.binary_crossentropy(t, x, from_logits=True), normal(3, 4), TRUE
    ),
    "keras.losses.binary_crossentropy smoothed": at(
        lambda tf, p, t: tf.keras.losses.binary_crossentropy(t, p, label_smoothing=0.1), CHANCES, TRUE
    ),
    "keras.losses.categorical_crossentropy of logits": at(
        lambda tf, x, t: tf.keras.losses.categorical_crossentropy(t, x, from_logits=True), normal(3, 4), TRUE
    ),
    "keras.losses.ctc": edge(
        lambda tf, x: tf.keras.losses.ctc(np.array([[1, 2]]), x), normal(1, 5, 4), dtypes=("float32",), order=1
    ),
    "mse of equals": edge(lambda tf, p, t: tf.keras.losses.mse(t, p), np.ones((2, 3)), np.ones((2, 3))),
    "mae of equals": edge(lambda tf, p, t: tf.keras.losses.mae(t, p), np.ones((2, 3)), np.ones((2, 3)), dtypes=FLOATS),
    "huber at delta": edge(
        lambda tf, p, t: tf.keras.losses.huber(t, p), np.array([[1.0, -1.0, 0.0, 2.0]]), np.zeros((1, 4)), dtypes=FLOATS
    ),
    "hinge at the margin": edge(
        lambda tf, p, t: tf.keras.losses.hinge(t, p), np.array([[1.0, -1.0, 0.0]]), np.array([[1.0, -1.0, 1.0]])
    ),
    "cosine_similarity at 0": edge(
        lambda tf, p, t: tf.keras.losses.cosine_similarity(t, p),
        np.array([[0.0, 0.0], [1.0, 0.0]]),
        np.ones((2, 2)),
        order=1,
    ),
}
for name in (
    *(
        "BinaryCrossentropy",
        "BinaryFocalCrossentropy",
        "CategoricalCrossentropy",
        "CategoricalFocalCrossentropy",
        "Dice",
    ),
    *(
        "CategoricalHinge",
        "CosineSimilarity",
        "Hinge",
        "Huber",
        "KLDivergence",
        "LogCosh",
        "MeanAbsoluteError",
        "Poisson",
    ),
    *("MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "SquaredHinge", "Tversky"),
):
    for reduction in ("sum_over_batch_size", "sum", None):
        if reduction != "sum_over_batch_size" and name not in ("MeanSquaredError", "Huber"):
            continue
        CASES[f"keras.losses.{name} {reduction}"] = edge(
            lambda tf, p, t, name=name, reduction=reduction: getattr(tf.keras.losses, name)(reduction=reduction)(
                t, p, sample_weight=[1.0, 0.5, 2.0] if name not in ("Dice", "Tversky") else None
            ),
            CHANCES,
            sequence((3, 4), 0.1, 0.9, 3),
            dtypes=("float32",),
        )
CASES |= {
    "keras.losses.SparseCategoricalCrossentropy": edge(
        lambda tf, p: tf.keras.losses.SparseCategoricalCrossentropy()(np.array([0, 3, 1]), p),
        CHANCES,
        dtypes=("float32",),
    ),
    "keras.losses.CTC": edge(
        lambda tf, x: tf.keras.losses.CTC()(np.array([[1, 2]]), x), normal(1, 5, 4), dtypes=("float32",), order=1
    ),
    "keras.regularizers.L1L2": edge(
        lambda tf, w: tf.keras.regularizers.L1L2(0.1, 0.2)(w), np.array([0.0, -0.0, 1.0, -2.0]), dtypes=("float32",)
    ),
    "keras.regularizers.OrthogonalRegularizer": edge(
        lambda tf, w: tf.keras.regularizers.OrthogonalRegularizer(0.1)(w), normal(3, 4), dtypes=("float32",)
    ),
    "keras.constraints.MaxNorm": edge(
        lambda tf, w: tf.keras.constraints.MaxNorm(1.0)(w), normal(3, 2), dtypes=("float32",)
    ),
    "keras.constraints.MinMaxNorm": edge(
        lambda tf, w: tf.keras.constraints.MinMaxNorm(0.5, 1.0, 0.7)(w), normal(3, 2), dtypes=("float32",)
    ),
    "keras.constraints.UnitNorm": edge(
        lambda tf, w: tf.keras.constraints.UnitNorm()(w), normal(3, 2), dtypes=("float32",)
    ),
    "keras.constraints.NonNeg": edge(
        lambda tf, w: tf.keras.constraints.NonNeg()(w), np.array([0.0, 1.0, -1.0]), dtypes=("float32",)
    ),
}


def _nce_loss(tf: Any, weights: Any, biases: Any, inputs: Any) -> Any:
    counts = [tf.constant(value, weights.dtype) for value in ([[0.5], [0.25]], [0.5, 0.75])]
    samples = (tf.constant([0, 3], tf.int64), *counts)
    labels = tf.constant([[1], [3]], tf.int64)
    return tf.nn.nce_loss(weights, biases, labels, inputs, 2, 5, sampled_values=samples)


CASES["nn.nce_loss"] = at(_nce_loss, normal(5, 3), normal(5, seed=1), normal(2, 3, seed=2))
