"""Sums and means over all batches."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad.core.argument_checks import checked_callable
from fastgrad.core.recording import hidden_from_tapes
from fastgrad.core.tensor import Tensor, constant_tensor
from fastgrad.dtypes import DType
from fastgrad.keras.configured import FunctionOptionsMixin
from fastgrad.keras.losses.loss import align_ranks, as_tensor, masked_weight
from fastgrad.keras.masks import mask_of, mask_of_losses
from fastgrad.keras.metrics.metric import Metric
from fastgrad.keras.saving.objects import deserialize_keras_object, serialize_keras_object


def weighted_values_per_sample(
    values: Any, sample_weight: Any, reduce: Callable[..., Tensor], dtype: DType
) -> tuple[Tensor, Tensor | None]:
    """Returns one weighted value and one weight for each sample of a batch.

    Args:
        values: shape (batch, ...) or ().
        sample_weight: shape (), (batch,) or (batch, ...), or None; the mask of a loss function sets weights to zero.
        reduce: ``reduce_sum`` or ``reduce_mean``, for all dimensions but the first.
        dtype: the dtype of the results.
    """
    mask = mask_of_losses(values)
    values = as_tensor(values, dtype)
    weights = None
    if sample_weight is not None:
        weights = as_tensor(sample_weight, dtype)
        if mask is not None:
            weights = masked_weight(weights, mask, dtype, "sum")
        values, weights = align_ranks(values, weights)
        rank = weights.ndim
        if values.ndim > rank:
            values = reduce(values, list(range(rank, values.ndim)))
        weights = tf.broadcast_to(weights, values.shape)
        values = values * weights
        if rank > 1:
            weights = reduce(weights, list(range(1, rank)))
    if values.ndim > 1:
        values = reduce(values, list(range(1, values.ndim)))
    return values, weights


class Sum(Metric):
    """The sum of all values.

    Args:
        name, dtype: as in ``Metric``; also in the next classes.
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", self._dtype, name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds ``values`` times ``sample_weight``."""
        with hidden_from_tapes():
            values, _ = weighted_values_per_sample(values, sample_weight, tf.reduce_sum, self._dtype)
            total = tf.reduce_sum(values)
        self.total.assign_add(total)

    def result(self) -> Tensor:
        """Returns the weighted sum of all values so far, initially 0."""
        return self.total.read_value()


class Mean(Metric):
    """The weighted mean of all values."""

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", self._dtype, name="total")
        self.count = self.add_variable((), "zeros", self._dtype, name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds ``values`` (batch, ...), weighted by ``sample_weight``; a scalar counts as one sample."""
        with hidden_from_tapes():
            values, weights = weighted_values_per_sample(values, sample_weight, tf.reduce_mean, self._dtype)
            total = tf.reduce_sum(values) if values.ndim else values
            if weights is not None:
                count: Any = tf.reduce_sum(weights)
            else:
                count = constant_tensor(np.array(len(values) if values.ndim else 1, self._dtype.numpy))
        self.total.assign_add(total)
        self.count.assign_add(count)

    def result(self) -> Tensor:
        """Returns the weighted mean of all values so far, 0 if there were none."""
        return tf.math.divide_no_nan(self.total, self.count)


class MeanMetricWrapper(Mean):
    """The mean of a function of labels and predictions.

    Args:
        fn: ``fn(y_true, y_pred, **kwargs)`` returns one value per sample.
        name, dtype: as in ``Metric``.
        **kwargs: options of ``fn``.

    Raises:
        TypeError: ``fn`` cannot be called.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name, dtype)
        self._fn = checked_callable("MeanMetricWrapper", "fn", fn)
        self._fn_kwargs = kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Adds a batch of labels and predictions; samples outside the mask of ``y_pred`` have no weight."""
        with hidden_from_tapes():
            values = self._fn(y_true, y_pred, **self._fn_kwargs)
            mask = mask_of(y_pred)
            if mask is not None:
                weight = None if sample_weight is None else as_tensor(sample_weight, self._dtype)
                sample_weight = masked_weight(weight, mask, self._dtype, "sum")
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        options = {key: serialize_keras_object(value) for key, value in self._fn_kwargs.items()}
        return {**super().get_config(), "fn": serialize_keras_object(self._fn), **options}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Returns a metric made from ``config``, the result of ``get_config``."""
        return cls(**deserialize_keras_object(config) if "fn" in config else config)


class NamedMetric(FunctionOptionsMixin, MeanMetricWrapper):
    """The base of the built-in means; ``get_config`` returns the arguments of the subclass, without ``fn``.

    The arguments are also attributes.
    """

    _direction = "down"
    _order = ("name", "dtype", "*options")
    _shared_parameters = signature(MeanMetricWrapper.__init__).parameters

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**Metric.get_config(self), **self._shown_options}
