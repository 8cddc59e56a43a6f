"""The frequency of correct predictions: functions return 1 or 0 per sample, classes the mean."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import settings
from fastgrad._src.keras.losses.loss import align_ranks, as_tensor
from fastgrad._src.keras.metrics.reduction import NamedMetric
from fastgrad._src.ops import namespace as ops


def _matches_as_numbers(matches: Tensor) -> Tensor:
    return ops.cast(matches, settings.default_dtype())


def accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Returns 1 where ``y_true`` and ``y_pred`` are equal, 0 elsewhere."""
    predictions = as_tensor(y_pred, None)
    labels, predictions = align_ranks(as_tensor(y_true, predictions.dtype), predictions)
    return _matches_as_numbers(ops.equal(labels, predictions))


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """Returns 1 where ``y_pred > threshold`` equals ``y_true`` (0 or 1), 0 elsewhere."""
    labels, predictions = align_ranks(as_tensor(y_true, None), as_tensor(y_pred, None))
    if not predictions.dtype.is_floating:
        predictions = ops.cast(predictions, settings.default_dtype())
    return _matches_as_numbers(ops.equal(labels, ops.cast(predictions > threshold, labels.dtype)))


def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Returns 1 where the greatest elements of ``y_true`` and ``y_pred`` along the last axis have one position, 0 elsewhere."""
    labels, predictions = as_tensor(y_true, None), as_tensor(y_pred, None)
    return _matches_as_numbers(ops.equal(ops.argmax(labels, -1), ops.argmax(predictions, -1)))


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Returns 1 where the greatest element of ``y_pred`` along the last axis is number ``y_true``, 0 elsewhere.

    Args:
        y_true: class numbers; the shape of ``y_pred`` without the last dimension, or with 1 in its place.
        y_pred: scores, shape (..., classes).
    """
    predictions = as_tensor(y_pred, None)
    labels = as_tensor(y_true, None)
    if labels.ndim == predictions.ndim and labels._array.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    predicted_classes = ops.argmax(predictions, -1)
    labels = ops.cast(labels, predicted_classes.dtype if labels.dtype.is_integer else labels.dtype)
    matches = _matches_as_numbers(ops.equal(labels, ops.cast(predicted_classes, labels.dtype)))
    return ops.squeeze(matches, -1) if matches.ndim > 1 and matches._array.shape[-1] == 1 else matches


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """Returns 1 where the class of ``y_true`` (one-hot) is among the ``k`` greatest of ``y_pred``, 0 elsewhere."""
    return sparse_top_k_categorical_accuracy(ops.argmax(as_tensor(y_true, None), -1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Tensor:
    """Returns 1 where class number ``y_true`` is among the ``k`` greatest of ``y_pred``, 0 elsewhere.

    Args:
        y_true: class numbers, shape (...).
        y_pred: scores, shape (..., classes), finite; a score equal to the k-th greatest counts too.
        k: the number of greatest scores.
        from_sorted_ids: whether ``y_pred`` already holds class numbers, best first.
    """
    predictions = as_tensor(y_pred, None)
    labels = as_tensor(y_true, predictions.dtype if from_sorted_ids else dtypes.int32)
    shape = labels.shape
    rows = ops.reshape(predictions, [-1, predictions.shape[-1]])
    flat = ops.reshape(labels, [-1])
    if from_sorted_ids:
        matches = ops.reduce_any(ops.equal(ops.expand_dims(flat, 1), rows[:, :k]), 1)
    else:
        matches = ops.in_top_k(flat, ops.cast(rows, dtypes.float32), k)
    return ops.reshape(_matches_as_numbers(matches), shape)


class Accuracy(NamedMetric, function=accuracy):
    """The mean of ``accuracy`` over samples; arguments are those of the function and of ``Metric``."""

    _direction = "up"


class BinaryAccuracy(NamedMetric, function=binary_accuracy):
    """The mean of ``binary_accuracy`` over samples; arguments are those of the function and of ``Metric``."""

    _direction = "up"


class CategoricalAccuracy(NamedMetric, function=categorical_accuracy):
    """The mean of ``categorical_accuracy`` over samples; arguments are those of the function and of ``Metric``."""

    _direction = "up"


class SparseCategoricalAccuracy(NamedMetric, function=sparse_categorical_accuracy):
    """The mean of ``sparse_categorical_accuracy`` over samples; arguments are those of the function and of ``Metric``.

    Example:
        >>> accuracy = tf.keras.metrics.SparseCategoricalAccuracy()
        >>> accuracy.update_state([0, 1], [[0.8, 0.2], [0.6, 0.4]])
        >>> print(accuracy.result().numpy())
        0.5
    """

    _direction = "up"


class TopKCategoricalAccuracy(NamedMetric, function=top_k_categorical_accuracy, order=("k", "name", "dtype")):
    """The mean of ``top_k_categorical_accuracy`` over samples; arguments are those of the function and of ``Metric``."""

    _direction = "up"


class SparseTopKCategoricalAccuracy(
    NamedMetric, function=sparse_top_k_categorical_accuracy, order=("k", "name", "dtype", "from_sorted_ids")
):
    """The mean of ``sparse_top_k_categorical_accuracy`` over samples; arguments are those of the function and of ``Metric``."""

    _direction = "up"
