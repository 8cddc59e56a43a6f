"""Regression errors as metrics: the mean over all batches."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.recording import hide_from_tapes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.losses import regression as losses
from fastgrad._src.keras.losses.loss import align_ranks, as_tensor
from fastgrad._src.keras.metrics.reduction import Mean, NamedMetric
from fastgrad._src.ops.arithmetic import squared_difference
from fastgrad._src.ops.power import sqrt


class MeanSquaredError(NamedMetric, function=losses.mean_squared_error):
    """The mean of ``mean_squared_error`` over samples; arguments are those of the function and of ``Metric``."""


class MeanAbsoluteError(NamedMetric, function=losses.mean_absolute_error):
    """The mean of ``mean_absolute_error`` over samples; arguments are those of the function and of ``Metric``."""


class MeanAbsolutePercentageError(NamedMetric, function=losses.mean_absolute_percentage_error):
    """The mean of ``mean_absolute_percentage_error`` over samples; arguments are those of the function and of ``Metric``."""


class MeanSquaredLogarithmicError(NamedMetric, function=losses.mean_squared_logarithmic_error):
    """The mean of ``mean_squared_logarithmic_error`` over samples; arguments are those of the function and of ``Metric``."""


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Returns the cosine of the angle between ``y_true`` and ``y_pred`` along ``axis``: the loss of this name with the opposite sign."""
    return -losses.cosine_similarity(y_true, y_pred, axis)


class CosineSimilarity(NamedMetric, function=cosine_similarity):
    """The mean over samples of the cosine between labels and predictions along ``axis``; other arguments as in ``Metric``."""

    _direction = "up"


class RootMeanSquaredError(Mean):
    """The root of the mean squared error; arguments as in ``Metric``."""

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Adds a batch of labels and predictions."""
        with hide_from_tapes():
            labels, predictions = align_ranks(as_tensor(y_true, self._dtype), as_tensor(y_pred, self._dtype))
            errors = squared_difference(labels, predictions)
        super().update_state(errors, sample_weight)

    def result(self) -> Tensor:
        """Returns the root of the mean squared error so far."""
        return sqrt(super().result())
