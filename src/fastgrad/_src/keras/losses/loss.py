"""``Loss``: a loss for each sample, reduced over the batch."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.nest import flatten, map_structure
from fastgrad._src.core.replicas import current_step_rows, loss_weight
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor
from fastgrad._src.jit.made_classes import MADE_CLASSES
from fastgrad._src.keras import dtype_policy, settings
from fastgrad._src.keras.configured import Configured, FunctionOptionsMixin, SetByInit
from fastgrad._src.keras.masks import mask_of, mask_of_losses
from fastgrad._src.keras.naming import auto_name
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops import namespace as ops

_REDUCTIONS = ("sum_over_batch_size", "sum", "none", "mean", "mean_with_sample_weight", None)


def as_tensor(value: Any, dtype: DType | None) -> Tensor:
    """Returns ``value`` as a tensor, cast to ``dtype`` if needed; None keeps its dtype."""
    tensor = as_tensor_or_none(value)
    if tensor is None:
        tensor = convert_to_tensor(value, dtype if isinstance(value, np.ndarray) else None, dtype_hint=dtype)
    return tensor if dtype is None or tensor._array.dtype == dtype.numpy else ops.cast(tensor, dtype)


def as_operand(value: Any, dtype: DType | None) -> Any:
    """Returns labels or predictions as ``as_tensor`` does; a ragged or sparse tensor stays one."""
    if isinstance(value, Composite):
        return value if dtype is None else ops.cast(value, dtype)
    return as_tensor(value, dtype)


def holds_arrays(structure: Any) -> bool:
    """True if ``structure`` is a list, tuple or dict of tensors or arrays, not of numbers."""
    return any(isinstance(part, (Tensor, np.ndarray)) for part in flatten(structure))


def align_ranks(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Returns labels and predictions with one rank: if they differ by a last dimension of 1, drops it, or adds it to a vector."""
    if isinstance(x, Composite) or isinstance(y, Composite):
        return x, y
    ranks = x._array.ndim, y._array.ndim
    if ranks[0] == ranks[1] + 1 and x._array.shape[-1] == 1:
        return (x, ops.expand_dims(y, -1)) if ranks[1] == 1 else (ops.squeeze(x, -1), y)
    if ranks[1] == ranks[0] + 1 and y._array.shape[-1] == 1:
        return (ops.expand_dims(x, -1), y) if ranks[0] == 1 else (x, ops.squeeze(y, -1))
    return x, y


def align_weight(values: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Returns values and weights of one rank, where weights of the first dimensions stand for all elements of those after.

    Values without dimensions are for all weights.

    Raises:
        InvalidArgumentError: the weights do not fit the values.
    """
    values, weight = align_ranks(values, weight)
    if isinstance(values, Composite) or isinstance(weight, Composite) or not values.ndim:
        return values, weight
    shape, weight_shape = values._array.shape, weight._array.shape
    padded_shape = weight_shape + (1,) * (len(shape) - len(weight_shape))
    is_leading = all(size in (1, whole) for size, whole in zip(weight_shape, shape, strict=False))
    if is_leading and len(padded_shape) == len(shape):
        return values, weight if padded_shape == weight_shape else ops.reshape(weight, padded_shape)
    last_dimensions = shape[len(shape) - len(weight_shape) :]
    if len(weight_shape) > len(shape) or any(
        n not in (1, m) for n, m in zip(weight_shape, last_dimensions, strict=True)
    ):
        text = f"`sample_weight` of shape {tuple(weight_shape)} cannot weigh losses of shape {tuple(shape)}"
        raise InvalidArgumentError(f"{text}. Give a weight for each sample, {tuple(shape[:1])}, or for each loss.")
    return values, weight


def labels_and_predictions(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    """Returns labels and predictions as tensors of one rank, in the dtype of ``y_pred`` (``floatx()`` for integers)."""
    predictions = as_operand(y_pred, None)
    if not predictions.dtype.is_floating:
        predictions = ops.cast(predictions, settings.default_dtype())
    return align_ranks(as_operand(y_true, predictions.dtype), predictions)


class Reduction:
    """The older names of reductions."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


class Loss(Configured):
    """The base of losses: subclasses define ``call(y_true, y_pred)``, which returns one loss per sample.

    Args:
        name: default the class's name, numbered.
        reduction: ``"sum_over_batch_size"`` (or ``"mean"``) divides the sum by the number of losses, even if they are
            weighted; ``"mean_with_sample_weight"`` divides by the sum of the weights; ``"sum"``; ``"none"`` or None.
        dtype: the dtype of the computation; default ``floatx()``.

    Raises:
        ValueError: another reduction.
    """

    _keeps_integer_labels = False
    name: Any = SetByInit()
    _dtype: Any = SetByInit()

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        require(reduction in _REDUCTIONS, self, f"`reduction` must be one of {set(_REDUCTIONS)}", reduction=reduction)
        MADE_CLASSES.add(type(self).__name__)
        self.name = name or auto_name(type(self).__name__)
        self.reduction = reduction
        self._dtype = dtype_policy.get(dtype or settings.floatx()).compute

    @property
    def dtype(self) -> str:
        """The name of the dtype of the computation."""
        return self._dtype.name

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        """Returns the reduced loss.

        Args:
            y_true: the labels.
            y_pred: the predictions.
            sample_weight: factors of the losses: a number, or of shape (batch,), or with the shape of the losses, or with a shape
                that broadcasts to it.

        Returns:
            A scalar, or one loss per sample if the reduction is ``"none"``.

        Raises:
            ValueError, InvalidArgumentError: the shapes do not match.
        """
        if isinstance(y_pred, (list, tuple, dict)) and holds_arrays(y_pred):
            return self._loss_of_structures(y_true, y_pred, sample_weight)
        predictions = as_operand(y_pred, self._dtype)
        labels = None
        if self._keeps_integer_labels:
            labels = as_operand(y_true, None)
        if labels is None or labels.dtype.is_floating:
            labels = as_operand(y_true, self._dtype)
        losses = self.call(labels, predictions)
        mask, prediction_mask = mask_of_losses(losses), mask_of(y_pred)
        if prediction_mask is not None:
            mask = prediction_mask if mask is None else ops.logical_and(mask, prediction_mask)
        return reduce_losses(as_tensor(losses, self._dtype), sample_weight, mask, self.reduction)

    def _loss_of_structures(self, y_true: Any, y_pred: Any, sample_weight: Any) -> Tensor:
        """Returns the reduced loss of lists, tuples or dicts of tensors; ``call`` gets them unchanged."""
        predictions = map_structure(lambda part: as_tensor(part, self._dtype), y_pred)
        labels = map_structure(lambda part: as_tensor(part, self._dtype), y_true)
        losses = self.call(labels, predictions)
        return reduce_losses(as_tensor(losses, self._dtype), sample_weight, mask_of_losses(losses), self.reduction)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns one loss per sample."""
        raise NotImplementedError(f"Loss {type(self).__name__} does not have a `call` method implemented.")

    def get_config(self) -> dict[str, Any]:
        """Returns the name and the reduction."""
        return {"name": self.name, "reduction": self.reduction}


def scale_loss(loss: Tensor) -> Tensor:
    """Returns a mean loss times its weight among the replicas of a strategy; unchanged for a single replica."""
    weight = loss_weight()
    return loss if weight is None else loss * weight


def unscale_loss(loss: Tensor) -> Tensor:
    """Returns the loss of this replica's rows from a result of ``scale_loss``; losses of single rows are not scaled."""
    weight = loss_weight()
    return loss if not weight or getattr(loss, "ndim", 0) > 0 else loss * (1.0 / weight)


def add_losses(total: Any, loss: Any) -> Any:
    """Returns ``total`` plus a loss; a scalar that is added to each row's loss is not scaled. ``total`` may be None."""
    if total is None:
        return loss
    if total.ndim != loss.ndim:
        total, loss = unscale_loss(total), unscale_loss(loss)
    return total + loss


def track_loss(tracker: Any, loss: Any, rows: int) -> None:
    """Adds the loss of a batch to the mean of a model.

    Args:
        tracker: a ``Mean``.
        loss: a scalar, or the losses of the rows.
        rows: the number of rows of this replica, the weight of their mean.
    """
    tracker.update_state(ops.reduce_mean(unscale_loss(loss)) if rows else ops.reduce_sum(loss), sample_weight=rows)


def _total_of_replicas(divisor: Tensor) -> Tensor:
    """Returns the divisor of a weighted mean in a step of ``fit``: the sum over replicas times this replica's share.

    So the means of all replicas, times their weights, add up to the mean over all rows. Elsewhere the divisor stays local.
    """
    weight, step = loss_weight(), current_step_rows()
    if weight is None or step is None or step.total is None:
        return divisor
    return ops.all_reduce([divisor])[0] * weight


def masked_weight(weight: Tensor | None, mask: Tensor, dtype: DType, reduction: str | None) -> Tensor:
    """Returns ``weight`` or ones, zero where ``mask`` is False, scaled so that a mean ignores masked elements."""
    mask_weight = ops.cast(mask, dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        count = _total_of_replicas(ops.reduce_sum(mask_weight))
        mask_weight *= ops.divide_no_nan(ops.cast(ops.size(mask), dtype), count)
    if weight is None:
        return mask_weight
    mask_weight, weight = align_ranks(mask_weight, weight)
    return weight * mask_weight


def reduce_losses(losses: Tensor, sample_weight: Any, mask: Tensor | None, reduction: str | None) -> Tensor:
    """Returns ``losses`` times ``sample_weight``, masked by ``mask``, and reduced as in ``Loss``."""
    weight = None if sample_weight is None else as_tensor(sample_weight, losses.dtype)
    if mask is not None:
        weight = masked_weight(weight, mask, losses.dtype, reduction)
    if weight is not None:
        losses, weight = align_weight(losses, weight)
        losses *= weight
    shape = losses._array.shape
    if reduction in (None, "none") or (shape in ((), (0,)) and loss_weight() is None):
        return losses
    if reduction == "sum":
        return ops.reduce_sum(losses)
    if reduction == "mean_with_sample_weight" and weight is not None:
        return scale_loss(ops.divide_no_nan(ops.reduce_sum(losses), _total_of_replicas(ops.reduce_sum(weight))))
    return scale_loss(ops.reduce_mean(losses) if losses._array.size else ops.reduce_sum(losses))


class LossFunctionWrapper(Loss):
    """A function ``(y_true, y_pred, **options)`` as a loss.

    Args:
        fn: returns one loss per sample.
        reduction, name, dtype: as in ``Loss``.
        **kwargs: options of ``fn``.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns ``fn(y_true, y_pred)``, after both get one rank."""
        if isinstance(y_true, Tensor):
            y_true, y_pred = align_ranks(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        options = {key: serialize_keras_object(value) for key, value in self._fn_kwargs.items()}
        return {**super().get_config(), "fn": serialize_keras_object(self.fn), **options}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**deserialize_keras_object(config) if "fn" in config else config)

    def __repr__(self) -> str:
        return f"<LossFunctionWrapper({self.fn}, kwargs={self._fn_kwargs})>"


class NamedLoss(FunctionOptionsMixin, LossFunctionWrapper):
    """The base of the built-in losses; ``get_config`` returns the arguments of the subclass, without ``fn``.

    The arguments are also attributes.
    """

    _order = ("*options", "reduction", "name", "dtype")
    _shared_parameters = signature(LossFunctionWrapper.__init__).parameters

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments; the dtype only if it is not ``floatx()``, as readers of Keras's files expect."""
        own_dtype = {} if self.dtype == settings.floatx() else {"dtype": self.dtype}
        return {**Loss.get_config(self), **own_dtype, **self._fn_kwargs}
