"""Sums and means over all batches."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import checked_callable
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.recording import hide_from_tapes
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.keras.configured import FunctionOptionsMixin
from fastgrad._src.keras.losses.loss import align_ranks, as_tensor, masked_weight
from fastgrad._src.keras.masks import mask_of, mask_of_losses
from fastgrad._src.keras.metrics.metric import Metric
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops import namespace as ops


def weighted_values_per_sample(
    metric: Metric,
    values: Any,
    sample_weight: Any,
    reduce: Callable[..., Tensor],
    mask: Any = None,
) -> tuple[Tensor, Tensor | None]:
    """Returns one weighted value and one weight for each sample of a batch, in the dtype of the metric.

    Args:
        metric: the metric that the values are for.
        values: shape (batch, ...) or ().
        sample_weight: shape (), for all samples, (batch,) or (batch, ...), or None; the mask of a loss function sets weights to
            zero.
        reduce: ``reduce_sum`` or ``reduce_mean``, for all dimensions but the first.
        mask: the mask of the predictions, or None; it sets weights to zero.

    Raises:
        InvalidArgumentError: the weights or the mask do not fit the values.
    """
    dtype = metric._dtype
    mask_of_values = mask_of_losses(values)
    values = as_tensor(values, dtype)
    weights = None if sample_weight is None else as_tensor(sample_weight, dtype)
    try:
        if mask is not None:
            weights = masked_weight(weights, mask, dtype, "sum")
        if weights is not None:
            if mask_of_values is not None:
                weights = masked_weight(weights, mask_of_values, dtype, "sum")
            per_element, weights = align_ranks(values, weights)
            if weights.ndim == 0:  # a batch with one weight counts by its samples, as without weights
                weights = ops.broadcast_to(weights, per_element.shape[:1])
            rank = weights.ndim
            if per_element.ndim > rank:
                per_element = reduce(per_element, list(range(rank, per_element.ndim)))
            weights = ops.broadcast_to(weights, per_element.shape)
            values = per_element * weights
            if rank > 1:
                weights = reduce(weights, list(range(1, rank)))
    except InvalidArgumentError as error:
        given = [] if sample_weight is None else [f"`sample_weight` of shape {np.shape(sample_weight)}"]
        given += [f"the mask of shape {np.shape(m)}" for m in (mask, mask_of_values) if m is not None]
        raise InvalidArgumentError(
            f"Metric '{metric.name}': {' and '.join(given)} cannot weigh values of shape {tuple(values.shape)}. "
            + (
                "Give a weight for each sample or value, or let the metric's function return a value for each weight."
                if mask is None and mask_of_values is None
                else "Let the metric's function return a value for each element of the mask, without a mean over its axes."
            )
        ) from error
    if values.ndim > 1:
        values = reduce(values, list(range(1, values.ndim)))
    return values, weights


def weights_of_elements(metric: Metric, sample_weight: Any, shape: Any, y_pred: Any = None) -> Tensor:
    """Returns the weight of each element of a batch, in the dtype of the metric.

    Args:
        metric: the metric that the elements are for.
        sample_weight: a number; or weights of the first dimensions, where 1 stands for all; None for ones.
        shape: the shape of labels and predictions.
        y_pred: the predictions; elements outside their mask have the weight 0.

    Raises:
        InvalidArgumentError: the weights or the mask do not fit the shape.
    """
    shape = tuple(shape)
    weights = as_tensor(1.0 if sample_weight is None else sample_weight, metric._dtype)
    weight_shape = tuple(weights.shape)
    if len(weight_shape) == len(shape) + 1 and weight_shape[-1] == 1:
        weight_shape = weight_shape[:-1]
    weight_shape += (1,) * (len(shape) - len(weight_shape))
    sizes = zip(weight_shape, shape, strict=False)
    if len(weight_shape) != len(shape) or any(size not in (1, wanted) for size, wanted in sizes):
        text = f"`sample_weight` of shape {tuple(weights.shape)} cannot weigh labels of shape {shape}"
        raise InvalidArgumentError(f"Metric '{metric.name}': {text}. Give a weight for each sample or element.")
    weights, mask = ops.broadcast_to(ops.reshape(weights, weight_shape), shape), mask_of(y_pred)
    return weights if mask is None else weights * weights_of_elements(metric, mask, shape)


class Sum(Metric):
    """The sum of all values.

    Args:
        name, dtype: as in ``Metric``.
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", self._dtype, name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        with hide_from_tapes():
            values, _ = weighted_values_per_sample(self, values, sample_weight, ops.reduce_sum)
            total = ops.reduce_sum(values)
        self.total.assign_add(total)

    def result(self) -> Tensor:
        """Returns the weighted sum of all values so far, initially 0."""
        return self.total.read_value()


class Mean(Metric):
    """The weighted mean of all values; arguments as in ``Metric``.

    Example:
        >>> mean = tf.keras.metrics.Mean()
        >>> mean.update_state([1.0, 3.0])
        >>> mean.update_state(8.0)
        >>> print(mean.result().numpy())
        4.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), "zeros", self._dtype, name="total")
        self.count = self.add_variable((), "zeros", self._dtype, name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds ``values`` (batch, ...), weighted by ``sample_weight``; a scalar counts as one sample. InvalidArgumentError if weights do not fit."""
        self._add(values, sample_weight)

    def _add(self, values: Any, sample_weight: Any, mask: Any = None) -> None:
        """Adds ``values``, weighted by ``sample_weight`` and by ``mask``, that of the predictions."""
        with hide_from_tapes():
            values, weights = weighted_values_per_sample(self, values, sample_weight, ops.reduce_mean, mask)
            total = ops.reduce_sum(values) if values.ndim else values
            if weights is not None:
                count: Any = ops.reduce_sum(weights)
            else:
                count = constant_tensor(np.array(len(values) if values.ndim else 1, self._dtype.numpy))
        self.total.assign_add(total)
        self.count.assign_add(count)

    def result(self) -> Tensor:
        """Returns the weighted mean of all values so far, 0 if there were none."""
        return ops.divide_no_nan(self.total, self.count)


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
        """Adds a batch; samples outside the mask of ``y_pred`` have no weight. InvalidArgumentError if the weights or the mask do not fit."""
        with hide_from_tapes():
            values = self._fn(y_true, y_pred, **self._fn_kwargs)
        self._add(values, sample_weight, mask_of(y_pred))

    def get_config(self) -> dict[str, Any]:
        options = {key: serialize_keras_object(value) for key, value in self._fn_kwargs.items()}
        return {**super().get_config(), "fn": serialize_keras_object(self._fn), **options}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**deserialize_keras_object(config) if "fn" in config else config)


class NamedMetric(FunctionOptionsMixin, MeanMetricWrapper):
    """The base of the built-in means; ``get_config`` returns the arguments of the subclass, without ``fn``.

    The arguments are also attributes.
    """

    _direction = "down"
    _order = ("name", "dtype", "*options")
    _shared_parameters = signature(MeanMetricWrapper.__init__).parameters

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), **self._fn_kwargs}
