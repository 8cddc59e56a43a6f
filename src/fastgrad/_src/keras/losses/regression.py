"""Regression losses: functions return one loss per sample (the mean over the last axis), classes reduce it."""

from __future__ import annotations

import math
from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.losses.loss import NamedLoss, labels_and_predictions
from fastgrad._src.keras.settings import epsilon
from fastgrad._src.ops import namespace as ops


def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """``mean((y_true - y_pred)**2)``.

    Args:
        y_true, y_pred: of one shape (..., n), also in the next functions; only one of them may have a trailing 1.

    Returns:
        Shape (...).
    """
    labels, predictions = labels_and_predictions(y_true, y_pred)
    return ops.reduce_mean(ops.squared_difference(labels, predictions), -1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """``mean(|y_true - y_pred|)``."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    return ops.reduce_mean(ops.abs(labels - predictions), -1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """``100 * mean(|y_true - y_pred| / max(|y_true|, epsilon()))`` over the last axis."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    error = ops.abs((labels - predictions) / ops.maximum(ops.abs(labels), epsilon()))
    return 100.0 * ops.reduce_mean(error, -1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """``mean((log(y_true + 1) - log(y_pred + 1))**2)`` over the last axis; smaller values count as ``epsilon()``."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    log_predictions = ops.log(ops.maximum(predictions, epsilon()) + 1.0)
    log_labels = ops.log(ops.maximum(labels, epsilon()) + 1.0)
    return ops.reduce_mean(ops.squared_difference(log_predictions, log_labels), -1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """The negative cosine of the angle between ``y_true`` and ``y_pred`` along ``axis``: -1 for the same direction, 0 for a zero vector."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    return -ops.reduce_sum(unit_vectors(labels, axis) * unit_vectors(predictions, axis), axis)


def unit_vectors(x: Tensor, axis: int) -> Tensor:
    """Returns ``x`` divided by its norm along ``axis``; the divisor is at least ``epsilon()``."""
    return ops.l2_normalize(x, axis, epsilon() ** 2)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """The mean over the last axis of ``e**2 / 2`` for ``|e| <= delta``, else ``delta * |e| - delta**2 / 2``; e is the error (Huber 1964)."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    error = predictions - labels
    size = ops.abs(error)
    return ops.reduce_mean(ops.where(size <= delta, 0.5 * ops.square(error), delta * size - 0.5 * delta**2), -1)


def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """``mean(log(cosh(y_pred - y_true)))``."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    error = predictions - labels
    return ops.reduce_mean(error + ops.softplus(error * -2.0) - math.log(2.0), -1)


def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """``sum(y_true * log(y_true / y_pred))`` of distributions, both clipped to [``epsilon()``, 1]."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    labels = ops.clip_by_value(labels, epsilon(), 1.0)
    predictions = ops.clip_by_value(predictions, epsilon(), 1.0)
    return ops.reduce_sum(labels * ops.log(labels / predictions), -1)


def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """``mean(y_pred - y_true * log(y_pred + epsilon()))`` over the last axis."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    return ops.reduce_mean(predictions - labels * ops.log(predictions + epsilon()), -1)


class MeanSquaredError(NamedLoss, function=mean_squared_error):
    """The loss ``mean_squared_error``, reduced; arguments are those of the function and of ``Loss``.

    Example:
        >>> print(tf.keras.losses.MeanSquaredError()([[0.0, 1.0]], [[2.0, 1.0]]).numpy())
        2.0
    """


class MeanAbsoluteError(NamedLoss, function=mean_absolute_error):
    """The loss ``mean_absolute_error``, reduced; arguments are those of the function and of ``Loss``."""


class MeanAbsolutePercentageError(NamedLoss, function=mean_absolute_percentage_error):
    """The loss ``mean_absolute_percentage_error``, reduced; arguments are those of the function and of ``Loss``."""


class MeanSquaredLogarithmicError(NamedLoss, function=mean_squared_logarithmic_error):
    """The loss ``mean_squared_logarithmic_error``, reduced; arguments are those of the function and of ``Loss``."""


class CosineSimilarity(NamedLoss, function=cosine_similarity):
    """The loss ``cosine_similarity`` along ``axis``, reduced; arguments are those of the function and of ``Loss``."""


class Huber(NamedLoss, function=huber, name="huber_loss"):
    """The loss ``huber``, reduced; arguments are those of the function and of ``Loss``."""


class LogCosh(NamedLoss, function=log_cosh):
    """The loss ``log_cosh``, reduced; arguments are those of the function and of ``Loss``."""


class KLDivergence(NamedLoss, function=kl_divergence):
    """The loss ``kl_divergence``, reduced; arguments are those of the function and of ``Loss``."""


class Poisson(NamedLoss, function=poisson):
    """The loss ``poisson``, reduced; arguments are those of the function and of ``Loss``."""
