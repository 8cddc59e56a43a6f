"""Losses for segmentation, by the overlap of regions."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.losses.loss import NamedLoss, labels_and_predictions
from fastgrad._src.keras.settings import epsilon
from fastgrad._src.ops.reduction import reduce_sum


def _check_factor(name: str, factor: Any) -> None:
    if factor is None or isinstance(factor, (str, bytes)):
        raise TypeError(f"tversky: `{name}` must be a number, got {factor!r}.")


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Tensor:
    """``1 - overlap / (overlap + alpha * only_true + beta * only_predicted)`` (Salehi et al. 2017).

    Args:
        y_true, y_pred: fractions in [0, 1], of one shape.
        alpha, beta: the weights of ``only_true`` (missed parts) and of ``only_predicted`` (wrongly predicted parts).
        axis: the axes of a region; default all.

    Raises:
        TypeError: ``alpha`` or ``beta`` is not a number.
    """
    _check_factor("alpha", alpha)
    _check_factor("beta", beta)
    labels, predictions = labels_and_predictions(y_true, y_pred)
    overlap = reduce_sum(labels * predictions, axis)
    only_true = reduce_sum(labels * (1 - predictions), axis)
    only_predicted = reduce_sum(predictions * (1 - labels), axis)
    return 1 - overlap / (overlap + only_true * alpha + only_predicted * beta + epsilon())


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Tensor:
    """``1 - 2 sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))``; arguments as in ``tversky``."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    total = reduce_sum(labels, axis) + reduce_sum(predictions, axis)
    return 1 - 2.0 * reduce_sum(labels * predictions, axis) / (total + epsilon())


class Dice(NamedLoss, function=dice, order=("reduction", "name", "axis", "dtype")):
    """The loss ``dice``, reduced; arguments are those of the function and of ``Loss``."""


class Tversky(NamedLoss, function=tversky, order=("alpha", "beta", "reduction", "name", "axis", "dtype")):
    """The loss ``tversky``, reduced; arguments are those of the function and of ``Loss``."""
