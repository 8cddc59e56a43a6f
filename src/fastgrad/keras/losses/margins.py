"""Losses of margins: labels are -1 and 1, or 0 and 1, which are read as them."""

from __future__ import annotations

from typing import Any

import fastgrad as tf
from fastgrad.keras.losses.loss import NamedLoss, labels_and_predictions
from fastgrad.tensor import Tensor


def _margins(y_true: Any, y_pred: Any) -> Tensor:
    """``max(1 - y_true * y_pred, 0)``."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    binary = tf.reduce_all(tf.logical_or(tf.equal(labels, 0.0), tf.equal(labels, 1.0)))
    labels = tf.where(binary, 2.0 * labels - 1.0, labels)
    return tf.maximum(1.0 - labels * predictions, 0.0)


def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``mean(max(1 - y_true * y_pred, 0))`` over the last axis."""
    return tf.reduce_mean(_margins(y_true, y_pred), -1)


def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``mean(max(1 - y_true * y_pred, 0)**2)`` over the last axis."""
    return tf.reduce_mean(tf.square(_margins(y_true, y_pred)), -1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0)`` over the last axis; labels are one-hot."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    right = tf.reduce_sum(labels * predictions, -1)
    wrong = tf.reduce_max((1.0 - labels) * predictions, -1)
    return tf.maximum(wrong - right + 1.0, 0.0)


class Hinge(NamedLoss):
    """``hinge``, reduced; arguments as ``Loss``, here and below."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "hinge", dtype: Any = None
    ) -> None:
        super().__init__(hinge, reduction, name, dtype)


class SquaredHinge(NamedLoss):
    """``squared_hinge``, reduced."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "squared_hinge", dtype: Any = None
    ) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


class CategoricalHinge(NamedLoss):
    """``categorical_hinge``, reduced."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "categorical_hinge", dtype: Any = None
    ) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)
