"""The losses of a compiled model as one number."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad.errors import InvalidArgumentError
from fastgrad.keras import losses
from fastgrad.keras.layers.shapes import is_shape
from fastgrad.keras.losses.loss import Loss, LossFunctionWrapper
from fastgrad.keras.metrics.reduction import Mean
from fastgrad.keras.naming import to_snake_case
from fastgrad.keras.training.outputs import by_output, names_of
from fastgrad.tensor import Tensor


def is_binary_or_sparse(y_true: Any, y_pred: Any) -> tuple[bool, bool]:
    """Whether predictions are one probability, and whether labels are class numbers, by their shapes."""
    labels, predictions = y_true.shape, y_pred.shape
    last_label = labels[-1] if labels else None
    last_prediction = predictions[-1] if predictions else None
    sparse = len(labels) < len(predictions) or (last_label == 1 and (last_prediction or 0) > 1)
    return last_prediction == 1, sparse


def name_of(function: Any) -> str:
    """The name of a loss or metric: its own, that of a function, or of a class."""
    found = getattr(function, "name", None) or getattr(function, "__name__", None)
    return str(found or to_snake_case(type(function).__name__))


def loss_of(identifier: Any, y_true: Any, y_pred: Any) -> Loss | None:
    """The loss that a model was compiled with; ``"crossentropy"`` is the one that fits the shapes."""
    if identifier is None:
        return None
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        binary, sparse = is_binary_or_sparse(y_true, y_pred)
        if binary:
            return losses.BinaryCrossentropy()
        return losses.SparseCategoricalCrossentropy() if sparse else losses.CategoricalCrossentropy()
    found = losses.get(identifier)
    return found if isinstance(found, Loss) else LossFunctionWrapper(found, name=name_of(found))


def check_classes(loss: Any, y: np.ndarray, output_shape: Any) -> None:
    """Looks at all labels before the first step: one step would only see those of its batch.

    Args:
        loss: the loss of ``compile``; labels of losses other than the sparse cross-entropy may be anything.
        y: an array of labels; other data are left to the steps.
        output_shape: that of the model's output; nothing is checked if there are several.

    Raises:
        InvalidArgumentError: a label that is no class.
    """
    if loss is None or isinstance(loss, (dict, list, tuple)) or not is_shape(output_shape) or not y.size:
        return
    found = loss_of(loss, y, SimpleNamespace(shape=output_shape))
    if not isinstance(found, LossFunctionWrapper) or found.fn is not losses.sparse_categorical_crossentropy:
        return
    if type(found) not in (losses.SparseCategoricalCrossentropy, LossFunctionWrapper):
        return  # a class of the program's own
    classes = output_shape[found._fn_kwargs.get("axis", -1)]
    ignored = found._fn_kwargs.get("ignore_class")
    if classes is None or (y.min() >= 0 and y.max() < classes):
        return
    wrong = (y < 0) | (y >= classes)
    if ignored is not None:
        wrong &= y != ignored
    if wrong.any():
        row = np.argwhere(wrong)[0]
        raise InvalidArgumentError(
            f"{found.name}: Received a label value of {y[tuple(row)]} at row {row[0]}, which is outside the valid range of "
            f"[0, {classes}) of the model's output with {classes} classes. Nothing is trained."
        )


class CompileLoss:
    """The weighted sum of the losses of all outputs.

    Args:
        loss: a loss, function or name; for several outputs a list or dict of them.
        loss_weights: numbers in the same form; default 1.
        output_names: those of the model's outputs, if it gives them names.
    """

    def __init__(self, loss: Any, loss_weights: Any, output_names: Sequence[str] | None) -> None:
        self._given = loss
        self._weights = loss_weights
        self._output_names = output_names
        self._losses: list[Loss | None] | None = None
        self._factors: list[Any] = []
        self.trackers: list[Mean] = []

    @property
    def built(self) -> bool:
        """Whether the losses are there."""
        return self._losses is not None

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Makes the losses, for outputs like these.

        Raises:
            ValueError: losses, weights or labels that do not go with the outputs.
        """
        names = names_of(y_pred, self._output_names)
        labels = by_output(y_true, y_pred, names, "y")
        given = by_output(self._given, y_pred, names, "loss")
        flat = tf.nest.flatten(y_pred)
        losses_found = [
            None if one is None or label is None else loss_of(one, label, output)
            for one, label, output in zip(given, labels, flat, strict=True)
        ]
        factors = by_output(self._weights, y_pred, names, "loss_weights")
        count = sum(loss is not None for loss in losses_found)
        if count > 1:
            self.trackers = [
                Mean(name=f"{name}_loss") for name, loss in zip(names, losses_found, strict=True) if loss is not None
            ]
        self._losses, self._factors = losses_found, factors

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor | None:
        """The loss of a batch, a scalar; None if there is no label for any output."""
        if self._losses is None:
            self.build(y_true, y_pred)
        assert self._losses is not None
        names = names_of(y_pred, self._output_names)
        labels = by_output(y_true, y_pred, names, "y")
        weights = by_output(sample_weight, y_pred, names, "sample_weight")
        total = None
        trackers = iter(self.trackers)
        parts = zip(self._losses, labels, tf.nest.flatten(y_pred), weights, self._factors, strict=True)
        for loss, label, output, weight, factor in parts:
            if loss is None:
                continue
            value = loss(label, output, weight)
            if self.trackers:
                next(trackers).update_state(value, sample_weight=output.shape[0])
            value = value if factor is None else value * factor
            total = value if total is None else total + value
        return total
