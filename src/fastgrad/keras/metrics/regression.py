"""Regression errors as metrics: the mean over all batches."""

from __future__ import annotations

from typing import Any

import fastgrad as tf
from fastgrad.core.recording import hidden_from_tapes
from fastgrad.core.tensor import Tensor
from fastgrad.keras.losses import regression as losses
from fastgrad.keras.losses.loss import as_tensor, same_rank
from fastgrad.keras.metrics.reduction import Mean, NamedMetric


class MeanSquaredError(NamedMetric):
    """The mean of ``mean_squared_error``; in this module, arguments are those of ``Metric``."""

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_error, locals())


class MeanAbsoluteError(NamedMetric):
    """The mean of ``mean_absolute_error``."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_error, locals())


class MeanAbsolutePercentageError(NamedMetric):
    """The mean of ``mean_absolute_percentage_error``."""

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_percentage_error, locals())


class MeanSquaredLogarithmicError(NamedMetric):
    """The mean of ``mean_squared_logarithmic_error``."""

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_logarithmic_error, locals())


class LogCoshError(NamedMetric):
    """The mean of ``log_cosh``."""

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.log_cosh, locals())


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Returns the cosine of the angle between ``y_true`` and ``y_pred`` along ``axis``: the loss of this name with the opposite sign."""
    return -losses.cosine_similarity(y_true, y_pred, axis)


class CosineSimilarity(NamedMetric):
    """The mean cosine between labels and predictions along ``axis``."""

    _direction = "up"

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(cosine_similarity, locals())


class RootMeanSquaredError(Mean):
    """The root of the mean squared error."""

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Adds a batch of labels and predictions."""
        with hidden_from_tapes():
            labels, predictions = same_rank(as_tensor(y_true, self._dtype), as_tensor(y_pred, self._dtype))
            errors = tf.math.squared_difference(labels, predictions)
        super().update_state(errors, sample_weight)

    def result(self) -> Tensor:
        """Returns the root."""
        return tf.sqrt(super().result())
