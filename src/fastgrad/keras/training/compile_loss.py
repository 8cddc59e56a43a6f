"""The losses of a compiled model as one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

import fastgrad as tf
from fastgrad.errors import InvalidArgumentError
from fastgrad.keras import losses
from fastgrad.keras.layers.shapes import is_shape
from fastgrad.keras.losses.loss import Loss, LossFunctionWrapper
from fastgrad.keras.metrics.reduction import Mean
from fastgrad.keras.naming import to_snake_case
from fastgrad.keras.training.outputs import by_output, is_flat, names_of
from fastgrad.tensor import Tensor


def is_binary_or_sparse(y_true: Any, y_pred: Any) -> tuple[bool, bool]:
    """Returns whether predictions are single probabilities and whether labels are class numbers, by the shapes."""
    labels, predictions = y_true.shape, y_pred.shape
    last_label = labels[-1] if labels else None
    last_prediction = predictions[-1] if predictions else None
    sparse = len(labels) < len(predictions) or (last_label == 1 and (last_prediction or 0) > 1)
    return last_prediction == 1, sparse


def name_of(function: Any) -> str:
    """Returns the name of a loss or metric: its own name, or that of the function or class."""
    found = getattr(function, "name", None) or getattr(function, "__name__", None)
    return str(found or to_snake_case(type(function).__name__))


def loss_of(identifier: Any, y_true: Any, y_pred: Any) -> Loss | None:
    """Returns the loss of an identifier from ``compile``; ``"crossentropy"`` selects the loss by the shapes."""
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
    """Checks all labels before the first step, because a step only sees its own batch.

    Args:
        loss: the loss of ``compile``; only labels of the sparse cross-entropy are checked.
        y: an array of labels; other data are checked by the steps.
        output_shape: the shape of the model's output; nothing is checked if there are several outputs.

    Raises:
        InvalidArgumentError: a label is not a class.
    """
    if loss is None or isinstance(loss, (dict, list, tuple)) or not is_shape(output_shape) or not y.size:
        return
    found = loss_of(loss, y, SimpleNamespace(shape=output_shape))
    if not isinstance(found, LossFunctionWrapper) or found.fn is not losses.sparse_categorical_crossentropy:
        return
    if type(found) not in (losses.SparseCategoricalCrossentropy, LossFunctionWrapper):
        return  # a user's class
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


class Term(NamedTuple):
    """One summand of the loss.

    Attributes:
        path: the keys from the outputs to the part that ``loss`` compares.
        loss: the loss.
        factor: the weight of the loss, or None.
        name: the path with the names of outputs; logs call the summand ``{name}_loss``.
    """

    path: tuple[Any, ...]
    loss: Loss
    factor: Any
    name: str


@dataclass(frozen=True, slots=True)
class _Weighted:
    """A loss with its factor; a leaf for ``tf.nest``, unlike a named tuple."""

    loss: Any
    factor: Any


def _children(structure: Any) -> dict[Any, Any]:
    """Returns the parts of a list, tuple or dict by their keys."""
    return dict(structure) if isinstance(structure, dict) else dict(enumerate(structure))


def _at(path: tuple[Any, ...], structure: Any) -> Any:
    for key in path:
        structure = structure[key]
    return structure


class CompileLoss:
    """The weighted sum of the losses of all outputs.

    Args:
        loss: a loss, function or name; for several outputs a list or dict of them, nested as the outputs are. If the loss is a
            list but that part of the outputs is not, all losses of the list apply to that part.
        loss_weights: numbers in the same structure; default 1.
        output_names: the names of the model's outputs, or None.
    """

    def __init__(self, loss: Any, loss_weights: Any, output_names: Sequence[str] | None) -> None:
        self._given = loss
        self._weights = loss_weights
        self._output_names = output_names
        self._terms: list[Term] | None = None
        self.metrics: list[Mean] = []

    @property
    def built(self) -> bool:
        """Whether the losses have been made."""
        return self._terms is not None

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Makes the losses for outputs like ``y_pred``.

        Raises:
            ValueError: losses, weights or labels do not match the outputs.
            KeyError: a loss has a key that the outputs do not have.
        """
        names = names_of(y_pred, self._output_names)
        labels = self._like_outputs(y_true, y_pred, names, "y")
        terms = self._terms_of(
            self._weighted(y_pred, names), labels, y_pred, tf.nest.pack_sequence_as(y_pred, names), ()
        )
        self.metrics = [Mean(name=f"{term.name}_loss") for term in terms] if len(terms) > 1 else []
        self._terms = terms

    def _weighted(self, y_pred: Any, names: list[str]) -> Any:
        """Returns each loss with its factor, in the structure of the ``loss`` argument of ``compile``."""
        loss, factors = self._given, self._weights
        inner = loss.values() if isinstance(loss, dict) else loss if isinstance(loss, (list, tuple)) else ()
        if not any(tf.nest.is_nested(part) for part in inner) and is_flat(y_pred):
            unknown = [key for key in loss if key not in names] if isinstance(loss, dict) else []
            if unknown and isinstance(y_pred, dict):
                raise KeyError(
                    f"The path: {(unknown[0],)} in the `loss` argument, can't be found in either the model's output (`y_pred`) "
                    f"or in the labels (`y_true`). The outputs are {names}."
                )
            losses_of_outputs = by_output(loss, y_pred, names, "loss")
            factors = by_output(factors, y_pred, names, "loss_weights")
            pairs = [_Weighted(*pair) for pair in zip(losses_of_outputs, factors, strict=True)]
            packed = tf.nest.pack_sequence_as(y_pred, pairs)
            # Logs and results keep the order of the dict that `compile` got.
            return {key: packed[key] for key in loss} if isinstance(loss, dict) and isinstance(packed, dict) else packed
        if not tf.nest.is_nested(loss):
            loss = tf.nest.map_structure(lambda _: self._given, y_pred)
        flat = tf.nest.flatten(loss)
        flat_factors = [None] * len(flat) if factors is None else tf.nest.flatten(factors)
        if len(flat_factors) != len(flat):
            raise ValueError(
                f"`loss_weights` must match the number of losses, got {len(flat)} losses and {len(flat_factors)} weights."
            )
        pairs = [_Weighted(*pair) for pair in zip(flat, flat_factors, strict=True)]
        packed = tf.nest.pack_sequence_as(loss, pairs)
        if isinstance(packed, dict) and not isinstance(y_pred, dict) and set(packed) <= set(names):
            parts = [packed.get(name) for name in names]
            return tf.nest.pack_sequence_as(y_pred, parts)
        return packed

    def _terms_of(self, loss: Any, y_true: Any, y_pred: Any, names: Any, path: tuple[Any, ...]) -> list[Term]:
        """Returns the summands of ``loss`` for the part of the outputs at ``path``."""
        if loss is None:
            return []
        if not tf.nest.is_nested(loss):
            if loss.loss is None or any(label is None for label in tf.nest.flatten(y_true)):
                return []
            resolved = loss_of(loss.loss, y_true, y_pred)
            assert resolved is not None
            if tf.nest.is_nested(names):
                joined = "_".join(tf.nest.flatten(names))
                label = "/".join(map(str, path)) or joined
            else:
                keys = (names,) if not path else (*path[:-1], names) if isinstance(path[-1], int) else path
                label = "/".join(map(str, keys))
            return [Term(path, resolved, loss.factor, label)]
        several = isinstance(loss, (list, tuple))
        if several and not any(map(tf.nest.is_nested, loss)) and len(loss) == len(tf.nest.flatten(y_pred)):
            loss = tf.nest.pack_sequence_as(y_pred, list(loss))
            if not tf.nest.is_nested(loss):
                return self._terms_of(loss, y_true, y_pred, names, path)
        elif several and not isinstance(y_pred, type(loss)):
            return [term for part in loss for term in self._terms_of(part, y_true, y_pred, names, path)]
        if not isinstance(loss, type(y_pred)):
            raise KeyError(f"The path: {path} in the `loss` argument, can't be found in the model's output (`y_pred`).")
        outputs, labels = _children(y_pred), _children(y_true)
        terms = []
        for key, part in _children(loss).items():
            if part is not None and key not in outputs:
                raise KeyError(
                    f"The path: {(*path, key)} in the `loss` argument, can't be found in either the model's output (`y_pred`) "
                    f"or in the labels (`y_true`). The keys there are {list(outputs)}."
                )
            if part is not None:
                terms += self._terms_of(part, labels[key], outputs[key], names[key], (*path, key))
        return terms

    def _like_outputs(self, value: Any, y_pred: Any, names: list[str], what: str) -> Any:
        """Returns labels or weights in the structure of the outputs."""
        if isinstance(value, (list, tuple)) and isinstance(self._given, (list, tuple)) and is_flat(y_pred):
            # Labels may omit the outputs without a loss.
            count = sum(loss is not None for loss in self._given)
            if len(value) == count < len(self._given) == len(names):
                items = iter(value)
                value = [None if loss is None else next(items) for loss in self._given]
        return tf.nest.pack_sequence_as(y_pred, by_output(value, y_pred, names, what))

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor | None:
        """Returns the loss of a batch, a scalar; None if no output has a label."""
        if self._terms is None:
            self.build(y_true, y_pred)
        assert self._terms is not None
        names = names_of(y_pred, self._output_names)
        labels = self._like_outputs(y_true, y_pred, names, "y")
        weights = self._like_outputs(sample_weight, y_pred, names, "sample_weight")
        total = None
        trackers = iter(self.metrics)
        for path, loss, factor, _ in self._terms:
            output = _at(path, y_pred)
            weight = _at(path, weights)
            if tf.nest.is_nested(weight):
                parts = tf.nest.flatten(weight)
                weight = parts[0] if all(part is parts[0] for part in parts) else weight
            value = loss(_at(path, labels), output, weight)
            if self.metrics:
                next(trackers).update_state(value, sample_weight=tf.nest.flatten(output)[0].shape[0])
            value = value if factor is None else value * factor
            total = value if total is None else total + value
        return total
