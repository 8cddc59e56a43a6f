"""Cross-entropies. They use the logits that results of ``keras.activations.softmax`` and ``sigmoid`` remember."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import checked_number
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.losses.loss import NamedLoss, as_tensor
from fastgrad._src.keras.masks import attach_mask
from fastgrad._src.keras.settings import epsilon
from fastgrad._src.ops import namespace as ops


def _logits_or_output(name: str, activation: str, y_pred: Tensor, from_logits: bool) -> tuple[Tensor, bool]:
    """Returns the logits that ``y_pred`` was computed from, else ``y_pred``; and whether the result is logits."""
    logits = getattr(y_pred, "_keras_logits", None)
    if logits is None:
        return y_pred, from_logits
    if from_logits:
        warn(
            f'"`{name}` received `from_logits=True`, but the `output` argument was produced by a {activation} activation and '
            "thus does not represent logits. Was this intended?",
        )
    return logits, True


def _check_shapes(y_true: Tensor, y_pred: Tensor) -> None:
    if y_true.ndim != y_pred.ndim:
        raise ValueError(f"The ranks must be equal: target.shape={y_true.shape}, output.shape={y_pred.shape}")
    if y_true._array.shape != y_pred._array.shape:
        raise ValueError(f"The shapes must be equal: target.shape={y_true.shape}, output.shape={y_pred.shape}")


def _check_axis(axis: Any) -> None:
    if isinstance(axis, bool):
        raise ValueError(f"`axis` must be of type `int`. Received: axis={axis} of type {type(axis)}")


def _label_and_prediction_tensors(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    predictions = as_tensor(y_pred, None)
    return as_tensor(y_true, predictions.dtype), predictions


def _smoothed_class_labels(
    name: str, y_true: Any, y_pred: Any, label_smoothing: float, axis: int
) -> tuple[Tensor, Tensor]:
    """Returns smoothed one-hot labels, and predictions."""
    _check_axis(axis)
    labels, predictions = _label_and_prediction_tensors(y_true, y_pred)
    if predictions.ndim and predictions._array.shape[-1] == 1:
        warn(
            f"In loss {name}, expected y_pred.shape to be (batch_size, num_classes) with num_classes > 1. Received: "
            f"y_pred.shape={predictions.shape}. Consider using 'binary_crossentropy' if you only have 2 classes.",
            SyntaxWarning,
        )
    if label_smoothing:
        label_smoothing = checked_number(name, "label_smoothing", label_smoothing)
        labels = labels * (1.0 - label_smoothing) + label_smoothing / labels._array.shape[-1]
    return labels, predictions


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """``-sum(y_true * log(y_pred))`` along ``axis``.

    Args:
        y_true: distributions (one-hot labels), of the shape of ``y_pred``.
        y_pred: logits, or probabilities, which are divided by their sum and clipped to [``epsilon()``, 1 - ``epsilon()``].
        from_logits: True if ``y_pred`` holds logits.
        label_smoothing: this fraction of each label is spread evenly over all classes.
        axis: the axis of the classes.

    Returns:
        The losses, without ``axis``.

    Raises:
        ValueError: the shapes differ.
    """
    labels, predictions = _smoothed_class_labels("categorical_crossentropy", y_true, y_pred, label_smoothing, axis)
    if not labels.ndim:
        raise ValueError(f"`target` and `output` must be at least rank 1, got target.shape={labels.shape}")
    _check_shapes(labels, predictions)
    predictions, from_logits = _logits_or_output("categorical_crossentropy", "Softmax", predictions, from_logits)
    if from_logits:
        return ops.softmax_cross_entropy_with_logits(labels, predictions, axis)
    return -ops.reduce_sum(labels * ops.log(_clipped_probabilities(predictions, axis)), axis)


def _clipped_probabilities(y_pred: Tensor, axis: int) -> Tensor:
    probabilities = y_pred / ops.reduce_sum(y_pred, axis, keepdims=True)
    return ops.clip_by_value(probabilities, epsilon(), 1.0 - epsilon())


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """``-sum(alpha * (1 - y_pred)**gamma * y_true * log(y_pred))`` along ``axis`` (Lin et al. 2018).

    Args:
        y_true, y_pred, from_logits, label_smoothing, axis: as in ``categorical_crossentropy``.
        alpha: a factor, or one per class.
        gamma: the exponent that reduces the weight of easy samples.
    """
    factor: Any = alpha
    if factor is None or isinstance(factor, (str, bytes)):
        raise TypeError(f"categorical_focal_crossentropy: `alpha` must be a number or one a class, got {alpha!r}.")
    labels, predictions = _smoothed_class_labels(
        "categorical_focal_crossentropy", y_true, y_pred, label_smoothing, axis
    )
    if from_logits:
        predictions = ops.softmax(predictions, axis)
    probabilities = _clipped_probabilities(predictions, axis)
    return ops.reduce_sum(ops.pow(1.0 - probabilities, gamma) * alpha * -labels * ops.log(probabilities), axis)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Tensor:
    """``-log(y_pred[y_true])``.

    Args:
        y_true: class numbers; the shape of ``y_pred`` without the last dimension, or with 1 in its place.
        y_pred: logits, or probabilities, which are clipped to [``epsilon()``, 1 - ``epsilon()``] and divided by their sum.
        from_logits: True if ``y_pred`` holds logits.
        ignore_class: labels of this class have loss 0, and the mask of the result excludes them.
        axis: the last axis.

    Returns:
        The losses, of the shape of ``y_true``.

    Raises:
        ValueError: the shapes do not match, or another axis.
        InvalidArgumentError: a label is not a class.
    """
    predictions, labels = as_tensor(y_pred, None), as_tensor(y_true, None)
    rank = predictions.ndim
    if axis not in (-1, rank - 1):
        raise ValueError(f"Only axis=-1 is currently supported. Received: axis={axis}")
    if not rank:
        raise ValueError(f"Argument `output` must be at least rank 1. Received: output.shape={predictions.shape}")
    if labels.ndim == rank and labels._array.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    if labels.ndim != rank - 1:
        raise ValueError(f"`target` needs one rank less: target.shape={labels.shape}, output.shape={predictions.shape}")
    if labels._array.shape != predictions._array.shape[:-1]:
        raise ValueError(f"`target` needs the same shape up until the last axis: {labels.shape}, {predictions.shape}")
    if labels.dtype.name not in ("int32", "int64"):
        labels = ops.cast(labels, dtypes.int64)
    predictions, from_logits = _logits_or_output("sparse_categorical_crossentropy", "Softmax", predictions, from_logits)
    label_mask = None
    if ignore_class is not None:
        label_mask = ops.not_equal(labels, ignore_class)
        labels = ops.where(label_mask, labels, ops.zeros_like(labels))
        predictions = ops.where(ops.expand_dims(label_mask, -1), predictions, ops.zeros_like(predictions))
    if not from_logits:
        predictions = ops.log(ops.clip_by_value(predictions, epsilon(), 1.0 - epsilon()))
    losses = ops.sparse_softmax_cross_entropy_with_logits(labels, predictions)
    if label_mask is not None:
        losses = ops.where(label_mask, losses, ops.zeros_like(losses))
        attach_mask(losses, label_mask, to_layers=False)
    return losses


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """``-mean(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred))`` along ``axis``.

    Args:
        y_true: labels in [0, 1], of the shape of ``y_pred``.
        y_pred: logits, or probabilities, which are clipped to [``epsilon()``, 1 - ``epsilon()``].
        from_logits: True if ``y_pred`` holds logits.
        label_smoothing: labels move towards 1/2 by this fraction.
        axis: the axis of the mean.

    Returns:
        The losses, without ``axis``.

    Raises:
        ValueError: the shapes differ.
    """
    labels, predictions = _with_smoothed_labels(y_true, y_pred, label_smoothing)
    return ops.reduce_mean(binary_losses(labels, predictions, from_logits), axis)


def _with_smoothed_labels(y_true: Any, y_pred: Any, label_smoothing: float) -> tuple[Tensor, Tensor]:
    labels, predictions = _label_and_prediction_tensors(y_true, y_pred)
    if label_smoothing:
        label_smoothing = checked_number("binary_crossentropy", "label_smoothing", label_smoothing)
        labels = labels * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return labels, predictions


def binary_losses(labels: Tensor, predictions: Tensor, from_logits: bool) -> Tensor:
    """The loss of each element."""
    _check_shapes(labels, predictions)
    predictions, from_logits = _logits_or_output("binary_crossentropy", "Sigmoid", predictions, from_logits)
    if from_logits:
        return ops.sigmoid_cross_entropy_with_logits(labels, predictions)
    predictions = ops.clip_by_value(predictions, epsilon(), 1.0 - epsilon())
    return -(labels * ops.log(predictions) + (1.0 - labels) * ops.log(1.0 - predictions))


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """``binary_crossentropy`` times ``(1 - p)**gamma``, where ``p`` is the probability of the label (Lin et al. 2018).

    Args:
        y_true, y_pred, from_logits, label_smoothing, axis: as in ``binary_crossentropy``.
        apply_class_balancing: whether to weight class 1 by ``alpha`` and class 0 by ``1 - alpha``.
        alpha: the weight of class 1 with ``apply_class_balancing``.
        gamma: the exponent that reduces the weight of easy samples.
    """
    labels, predictions = _with_smoothed_labels(y_true, y_pred, label_smoothing)
    if from_logits:
        predictions = ops.sigmoid(predictions)
    true_class_probabilities = labels * predictions + (1.0 - labels) * (1.0 - predictions)
    losses = ops.pow(1.0 - true_class_probabilities, gamma) * binary_losses(labels, predictions, False)
    if apply_class_balancing:
        losses *= labels * alpha + (1.0 - labels) * (1.0 - alpha)
    return ops.reduce_mean(losses, axis)


class BinaryCrossentropy(NamedLoss, function=binary_crossentropy):
    """The loss ``binary_crossentropy``, reduced; arguments are those of the function and of ``Loss``.

    Example:
        >>> loss = tf.keras.losses.BinaryCrossentropy()
        >>> print(f"{loss([0.0, 1.0], [0.5, 0.5]).numpy():.4f}")
        0.6931
    """


class BinaryFocalCrossentropy(NamedLoss, function=binary_focal_crossentropy):
    """The loss ``binary_focal_crossentropy``, reduced; arguments are those of the function and of ``Loss``."""


class CategoricalCrossentropy(NamedLoss, function=categorical_crossentropy):
    """The loss ``categorical_crossentropy``, reduced; arguments are those of the function and of ``Loss``.

    Example:
        >>> loss = tf.keras.losses.CategoricalCrossentropy()
        >>> print(f"{loss([[0.0, 1.0]], [[0.5, 0.5]]).numpy():.4f}")
        0.6931
    """


class CategoricalFocalCrossentropy(NamedLoss, function=categorical_focal_crossentropy):
    """The loss ``categorical_focal_crossentropy``, reduced; arguments are those of the function and of ``Loss``."""


class SparseCategoricalCrossentropy(
    NamedLoss,
    function=sparse_categorical_crossentropy,
    order=("from_logits", "ignore_class", "reduction", "axis", "name", "dtype"),
):
    """The loss ``sparse_categorical_crossentropy``, reduced; arguments are those of the function and of ``Loss``. Ignored labels are not counted in the mean.

    Example:
        >>> loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> print(f"{loss([0, 1], [[2.0, 0.0], [0.0, 2.0]]).numpy():.4f}")
        0.1269
    """

    _keeps_integer_labels = True
