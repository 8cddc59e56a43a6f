"""Margin losses for labels -1 and 1 (0 and 1 are converted)."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.losses.loss import NamedLoss, labels_and_predictions
from fastgrad._src.ops import namespace as ops


def _hinge_margins(y_true: Any, y_pred: Any) -> Tensor:
    """``max(1 - y_true * y_pred, 0)``."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    binary = ops.reduce_all(ops.logical_or(ops.equal(labels, 0.0), ops.equal(labels, 1.0)))
    labels = ops.where(binary, 2.0 * labels - 1.0, labels)
    return ops.maximum(1.0 - labels * predictions, 0.0)


def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``mean(max(1 - y_true * y_pred, 0))`` over the last axis."""
    return ops.reduce_mean(_hinge_margins(y_true, y_pred), -1)


def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``mean(max(1 - y_true * y_pred, 0)**2)`` over the last axis."""
    return ops.reduce_mean(ops.square(_hinge_margins(y_true, y_pred)), -1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0)`` over the last axis; labels are one-hot."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    positive_score = ops.reduce_sum(labels * predictions, -1)
    negative_score = ops.reduce_max((1.0 - labels) * predictions, -1)
    return ops.maximum(negative_score - positive_score + 1.0, 0.0)


class Hinge(NamedLoss, function=hinge):
    """The loss ``hinge``, reduced; arguments are those of the function and of ``Loss``."""


class SquaredHinge(NamedLoss, function=squared_hinge):
    """The loss ``squared_hinge``, reduced; arguments are those of the function and of ``Loss``."""


class CategoricalHinge(NamedLoss, function=categorical_hinge):
    """The loss ``categorical_hinge``, reduced; arguments are those of the function and of ``Loss``."""
