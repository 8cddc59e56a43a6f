"""``tf.compat.v1.losses``: losses with weights, as one number by default."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.ops import namespace as ops


class Reduction:
    """How the losses of elements become one number."""

    NONE = "none"
    SUM = "weighted_sum"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"
    MEAN = "weighted_mean"
    SUM_BY_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"
    SUM_OVER_NONZERO_WEIGHTS = SUM_BY_NONZERO_WEIGHTS

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """Returns all of them."""
        return cls.NONE, cls.SUM, cls.MEAN, cls.SUM_OVER_BATCH_SIZE, cls.SUM_BY_NONZERO_WEIGHTS

    @classmethod
    def validate(cls, key: Any) -> None:
        """Raises ValueError for another value."""
        if key not in cls.all():
            raise ValueError(f"Invalid Reduction Key {key}. Key should be one of {cls.all()}.")


_BY_WEIGHTS = Reduction.SUM_BY_NONZERO_WEIGHTS


def compute_weighted_loss(
    losses: Any, weights: Any = 1.0, scope: Any = None, loss_collection: Any = "losses", reduction: str = _BY_WEIGHTS
) -> Any:
    """Returns the losses of elements, times their weights, as one number.

    Args:
        losses: numbers of any shape.
        weights: a number; or numbers of the same rank, whose sizes are those of ``losses`` or 1.
        scope, loss_collection: kept for TensorFlow's signature; eager code has no collections.
        reduction: one of ``Reduction``; by default the sum divided by the number of elements with a weight.

    Raises:
        ValueError: another reduction, or a shape of ``weights`` that does not fit.
    """
    Reduction.validate(reduction)
    losses = convert_to_tensor(losses)
    dtype = losses.dtype
    losses, weights = ops.cast(losses, dtypes.float32), ops.cast(weights, dtypes.float32)
    sizes = [tuple(losses.shape), tuple(weights.shape)]
    if sizes[1] and (len(sizes[0]) != len(sizes[1]) or any(w not in (1, n) for n, w in zip(*sizes, strict=True))):
        raise ValueError(f"weights can not be broadcast to values. values.shape={sizes[0]}. weights.shape={sizes[1]}.")
    weighted = losses * weights
    if reduction == Reduction.NONE:
        return ops.cast(weighted, dtype)
    total = ops.reduce_sum(weighted)
    if reduction == Reduction.MEAN:
        total = ops.divide_no_nan(total, ops.reduce_sum(ops.ones_like(losses) * weights))
    elif reduction == Reduction.SUM_BY_NONZERO_WEIGHTS:
        present = ops.cast(ops.broadcast_to(weights, losses.shape) != 0.0, dtypes.float32)
        total = ops.divide_no_nan(total, ops.reduce_sum(present))
    elif reduction == Reduction.SUM_OVER_BATCH_SIZE:
        total = ops.divide_no_nan(total, ops.cast(ops.size(losses), dtypes.float32))
    return ops.cast(total, dtype)


def _float_pair(name: str, labels: Any, predictions: Any) -> tuple[Any, Any]:
    """Returns both as float32 of one shape."""
    for key, value in (("labels", labels), ("predictions", predictions)):
        if value is None:
            raise ValueError(f"{name}: Argument `{key}` must not be None.")
    labels, predictions = ops.cast(labels, dtypes.float32), ops.cast(predictions, dtypes.float32)
    if labels.shape != predictions.shape:
        raise ValueError(f"{name}: Shapes {predictions.shape} and {labels.shape} are incompatible")
    return labels, predictions


def _weighted_loss_function(losses_of: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a loss of a function of labels, predictions and options that returns the losses of elements: with weights, and as one number."""
    labels, predictions, *options = inspect.signature(losses_of).parameters.values()
    more = inspect.signature(compute_weighted_loss).parameters
    last = [more[name] for name in ("scope", "loss_collection", "reduction")]
    signature = inspect.Signature([labels, predictions, more["weights"], *options, *last], return_annotation=Any)
    names = [labels.name, predictions.name, *[option.name for option in options]]

    @functools.wraps(losses_of)
    def loss(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        values = given.arguments
        losses = losses_of(*[values[name] for name in names])
        return compute_weighted_loss(losses, values["weights"], reduction=values["reduction"])

    loss.__signature__ = signature  # type: ignore[attr-defined]
    return loss


@_weighted_loss_function
def absolute_difference(labels: Any, predictions: Any) -> Any:
    """Returns ``abs(predictions - labels)`` as one number; see ``compute_weighted_loss``."""
    labels, predictions = _float_pair("absolute_difference", labels, predictions)
    return ops.abs(predictions - labels)


def cosine_distance(  # TensorFlow's arguments
    labels: Any,
    predictions: Any,
    axis: Any = None,
    weights: Any = 1.0,
    scope: Any = None,
    loss_collection: Any = "losses",
    reduction: str = _BY_WEIGHTS,
    dim: Any = None,
) -> Any:
    """Returns ``1 - sum(labels * predictions)`` over ``axis`` (or ``dim``) as one number; both should have length 1 along it.

    Raises:
        ValueError: there is no axis, or the shapes differ.
    """
    axis = dim if axis is None else axis
    if axis is None:
        raise ValueError("You must specify argument `axis`.")
    labels, predictions = _float_pair("cosine_distance", labels, predictions)
    distances = 1.0 - ops.reduce_sum(labels * predictions, axis, keepdims=True)
    return compute_weighted_loss(distances, weights, reduction=reduction)


@_weighted_loss_function
def hinge_loss(labels: Any, logits: Any) -> Any:
    """Returns ``max(0, 1 - (2 labels - 1) logits)`` for labels 0 and 1 as one number; see ``compute_weighted_loss``."""
    labels, logits = _float_pair("hinge_loss", labels, logits)
    return ops.relu(1.0 - (2.0 * labels - 1.0) * logits)


@_weighted_loss_function
def huber_loss(labels: Any, predictions: Any, delta: float = 1.0) -> Any:
    """Returns Huber's loss as one number: quadratic up to ``delta``, linear from there; see ``compute_weighted_loss``."""
    labels, predictions = _float_pair("huber_loss", labels, predictions)
    error = ops.abs(predictions - labels)
    quadratic = ops.minimum(error, delta)
    return 0.5 * quadratic * quadratic + delta * (error - quadratic)


@_weighted_loss_function
def log_loss(labels: Any, predictions: Any, epsilon: float = 1e-7) -> Any:
    """Returns the binary cross-entropy of probabilities as one number; see ``compute_weighted_loss``."""
    labels, predictions = _float_pair("log_loss", labels, predictions)
    return -labels * ops.log(predictions + epsilon) - (1.0 - labels) * ops.log(1.0 - predictions + epsilon)


@_weighted_loss_function
def mean_squared_error(labels: Any, predictions: Any) -> Any:
    """Returns ``(predictions - labels) ** 2`` as one number; see ``compute_weighted_loss``."""
    labels, predictions = _float_pair("mean_squared_error", labels, predictions)
    return ops.squared_difference(predictions, labels)


@_weighted_loss_function
def sigmoid_cross_entropy(multi_class_labels: Any, logits: Any, label_smoothing: float = 0) -> Any:
    """Returns the cross-entropy of logits of independent classes as one number; see ``compute_weighted_loss``.

    Args:
        multi_class_labels: 0 and 1, of the shape of ``logits``.
        label_smoothing: how far labels move to 1/2, from 0 to 1.
        logits: numbers of any size.

    The other arguments are those of the other losses.
    """
    logits = convert_to_tensor(logits)
    labels, _ = _float_pair("sigmoid_cross_entropy", multi_class_labels, logits)
    labels = ops.cast(labels * (1.0 - label_smoothing) + 0.5 * label_smoothing, logits.dtype)
    return ops.sigmoid_cross_entropy_with_logits(labels, logits)


@_weighted_loss_function
def softmax_cross_entropy(onehot_labels: Any, logits: Any, label_smoothing: float = 0) -> Any:
    """Returns the cross-entropy of logits and probabilities as one number; see ``compute_weighted_loss``.

    Args:
        onehot_labels: probabilities, of the shape of ``logits``; they get no gradient.
        label_smoothing: how far labels move to equal probabilities, from 0 to 1.
        logits: numbers of any size.

    The other arguments are those of the other losses.
    """
    logits = convert_to_tensor(logits)
    labels, _ = _float_pair("softmax_cross_entropy", onehot_labels, logits)
    labels = labels * (1.0 - label_smoothing) + label_smoothing / labels.shape[1] if label_smoothing > 0 else labels
    return ops.softmax_cross_entropy_with_logits(ops.stop_gradient(ops.cast(labels, logits.dtype)), logits)


@_weighted_loss_function
def sparse_softmax_cross_entropy(labels: Any, logits: Any) -> Any:
    """Returns the cross-entropy of logits and numbers of classes as one number; see ``compute_weighted_loss``."""
    if labels is None or logits is None:
        raise ValueError("sparse_softmax_cross_entropy: Arguments `labels` and `logits` must not be None.")
    labels = convert_to_tensor(labels)
    if labels.ndim == convert_to_tensor(logits).ndim:
        labels = ops.squeeze(labels, [-1])
    return ops.sparse_softmax_cross_entropy_with_logits(labels, logits)
