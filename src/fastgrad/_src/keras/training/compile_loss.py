"""The losses of a compiled model as one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.argument_checks import named_argument
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.nest import flatten, is_nested, map_structure, pack_sequence_as
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import losses
from fastgrad._src.keras.layers.shapes import is_shape
from fastgrad._src.keras.losses.loss import Loss, LossFunctionWrapper, add_losses, track_loss
from fastgrad._src.keras.metrics.reduction import Mean
from fastgrad._src.keras.naming import to_snake_case
from fastgrad._src.keras.training.outputs import by_output, is_flat, labels_by_output, output_names_of


def is_binary_or_sparse(y_true: Any, y_pred: Any) -> tuple[bool, bool]:
    """Returns whether predictions are single probabilities and whether labels are class numbers, by the shapes."""
    labels, predictions = y_true.shape, y_pred.shape
    last_label = labels[-1] if labels else None
    last_prediction = predictions[-1] if predictions else None
    sparse = len(labels) < len(predictions) or (last_label == 1 and (last_prediction or 0) > 1)
    return last_prediction == 1, sparse


def name_of_function(function: Any) -> str:
    """Returns the name of a loss or metric: its own name, or that of the function or class in snake case."""
    name = getattr(function, "name", None) or to_snake_case(getattr(function, "__name__", type(function).__name__))
    return str(name)


def loss_of_identifier(identifier: Any, y_true: Any, y_pred: Any) -> Loss | None:
    """Returns the loss of an identifier from ``compile``; ``"crossentropy"`` selects the loss by the shapes."""
    if identifier is None:
        return None
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        binary, sparse = is_binary_or_sparse(y_true, y_pred)
        if binary:
            return losses.BinaryCrossentropy()
        return losses.SparseCategoricalCrossentropy() if sparse else losses.CategoricalCrossentropy()
    with named_argument("compile", "loss", "a loss of keras.losses, its name, or a function of labels and predictions"):
        loss = losses.get(identifier)
    return loss if isinstance(loss, Loss) else LossFunctionWrapper(loss, name=name_of_function(loss))


def takes_class_numbers(loss: Any, y: Any, output_shape: Any) -> bool:
    """True if each label in ``y`` is a class number: by the shape of the model's output, or by the loss if that is unknown."""
    if loss is None or isinstance(loss, (dict, list, tuple)) or not isinstance(y, np.ndarray):
        return False
    if is_shape(output_shape):
        return is_binary_or_sparse(y, SimpleNamespace(shape=output_shape))[1]
    return getattr(loss_of_identifier(loss, y, y), "fn", None) is losses.sparse_categorical_crossentropy


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
    resolved_loss = loss_of_identifier(loss, y, SimpleNamespace(shape=output_shape))
    if (
        not isinstance(resolved_loss, LossFunctionWrapper)
        or resolved_loss.fn is not losses.sparse_categorical_crossentropy
    ):
        return
    if type(resolved_loss) not in (losses.SparseCategoricalCrossentropy, LossFunctionWrapper):
        return  # a user's class
    classes = output_shape[resolved_loss._fn_kwargs.get("axis", -1)]
    ignored = resolved_loss._fn_kwargs.get("ignore_class")
    if classes is None or (y.min() >= 0 and y.max() < classes):
        return
    is_invalid = (y < 0) | (y >= classes)
    if ignored is not None:
        is_invalid &= y != ignored
    if is_invalid.any():
        row = np.argwhere(is_invalid)[0]
        raise InvalidArgumentError(
            f"{resolved_loss.name}: Received a label value of {y[tuple(row)]} at row {row[0]}, which is outside the valid range of "
            f"[0, {classes}) of the model's output with {classes} classes. Nothing is trained."
        )


class LossTerm(NamedTuple):
    """One summand of a compiled model's loss: a loss, its weight and its output.

    Attributes:
        path: the keys from the outputs to the part that ``loss`` compares.
        loss: the loss; None if there are no labels, which is an error.
        factor: the weight of the loss, or None.
        name: the path with the names of outputs; logs call the summand ``{name}_loss``.
    """

    path: tuple[Any, ...]
    loss: Loss | None
    factor: Any
    name: str


@dataclass(frozen=True, slots=True)
class _WeightedLoss:
    """A loss with its weight, of a compiled model; a leaf for ``tf.nest``, unlike a named tuple."""

    loss: Any
    factor: Any


def _as_dict(list_or_dict: Any) -> dict[Any, Any]:
    """Returns the parts of a list, tuple or dict by their keys."""
    return dict(list_or_dict) if isinstance(list_or_dict, dict) else dict(enumerate(list_or_dict))


def _part_at_path(path: tuple[Any, ...], structure: Any) -> Any:
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
        for factor in flatten(loss_weights):
            if factor is not None and (not hasattr(factor, "__float__") or np.ndim(factor)):
                text = "compile: Expected `loss_weights` argument to be a number, or a list, tuple or dict of numbers"
                raise ValueError(f"{text}, got loss_weights={loss_weights!r:.200}. Give metrics as metrics=[...].")
        self._given = loss
        self._weights = loss_weights
        self._output_names = output_names
        self._terms: list[LossTerm] | None = None
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
        names = output_names_of(y_pred, self._output_names)
        labels = self._labels(y_true, y_pred, names)
        terms = self._loss_terms(
            self._weighted_losses(y_pred, names), labels, y_pred, pack_sequence_as(y_pred, names), ()
        )
        self._check_labels(terms, labels, y_pred, names)
        self.metrics = [Mean(name=f"{term.name}_loss") for term in terms] if len(terms) > 1 else []
        self._terms = terms

    def _weighted_losses(self, y_pred: Any, names: list[str]) -> Any:
        """Returns each loss with its factor, in the structure of the ``loss`` argument of ``compile``."""
        loss, factors = self._given, self._weights
        loss_items = loss.values() if isinstance(loss, dict) else loss if isinstance(loss, (list, tuple)) else ()
        if not any(is_nested(item) for item in loss_items) and is_flat(y_pred):
            unknown = [key for key in loss if key not in names] if isinstance(loss, dict) else []
            if unknown and isinstance(y_pred, dict):
                raise KeyError(f"The path: {(unknown[0],)} can't be found in either y_pred or y_true: {names}.")
            losses_of_outputs = by_output(loss, y_pred, names, "loss")
            factors = by_output(factors, y_pred, names, "loss_weights")
            if any(map(is_nested, factors)):
                raise ValueError(f"`loss_weights` must have a number for each of {names}, got {self._weights}.")
            pairs = [_WeightedLoss(*pair) for pair in zip(losses_of_outputs, factors, strict=True)]
            packed_losses = pack_sequence_as(y_pred, pairs)
            # Logs and results keep the order of the dict that `compile` got.
            return (
                {key: packed_losses[key] for key in loss}
                if isinstance(loss, dict) and isinstance(packed_losses, dict)
                else packed_losses
            )
        if not is_nested(loss):
            loss = map_structure(lambda _: self._given, y_pred)
        flat_losses = flatten(loss)
        flat_factors = [None] * len(flat_losses) if factors is None else flatten(factors)
        if len(flat_factors) != len(flat_losses):
            raise ValueError(f"`loss_weights` must match the number of losses: {flat_factors}, {flat_losses}.")
        pairs = [_WeightedLoss(*pair) for pair in zip(flat_losses, flat_factors, strict=True)]
        packed_losses = pack_sequence_as(loss, pairs)
        if isinstance(packed_losses, dict) and not isinstance(y_pred, dict) and set(packed_losses) <= set(names):
            items = [packed_losses.get(name) for name in names]
            return pack_sequence_as(y_pred, items)
        return packed_losses

    def _loss_terms(self, loss: Any, y_true: Any, y_pred: Any, names: Any, path: tuple[Any, ...]) -> list[LossTerm]:
        """Returns the summands of ``loss`` for the part of the outputs at ``path``."""
        if loss is None:
            return []
        if not is_nested(loss):
            if loss.loss is None:
                return []
            has_labels = all(label is not None for label in flatten(y_true))
            resolved_loss = loss_of_identifier(loss.loss, y_true, y_pred) if has_labels else None
            if is_nested(names):
                joined_names = "_".join(flatten(names))
                label = "/".join(map(str, path)) or joined_names
            else:
                keys = (names,) if not path else (*path[:-1], names) if isinstance(path[-1], int) else path
                label = "/".join(map(str, keys))
            return [LossTerm(path, resolved_loss, loss.factor, label)]
        is_list = isinstance(loss, (list, tuple))
        if is_list and not any(map(is_nested, loss)) and len(loss) == len(flatten(y_pred)):
            loss = pack_sequence_as(y_pred, list(loss))
            if not is_nested(loss):
                return self._loss_terms(loss, y_true, y_pred, names, path)
        elif is_list and not isinstance(y_pred, type(loss)):
            return [term for item_loss in loss for term in self._loss_terms(item_loss, y_true, y_pred, names, path)]
        if not isinstance(loss, type(y_pred)):
            raise KeyError(f"The path: {path} in the `loss` argument, can't be found in the model's output (`y_pred`).")
        outputs, labels = _as_dict(y_pred), _as_dict(y_true)
        terms = []
        for key, item_loss in _as_dict(loss).items():
            if item_loss is not None and key not in outputs:
                raise KeyError(f"The path: {(*path, key)} in `loss`, can't be found in {list(outputs)}.")
            if item_loss is not None:
                terms += self._loss_terms(item_loss, labels[key], outputs[key], names[key], (*path, key))
        return terms

    def _labels(self, y_true: Any, y_pred: Any, names: list[str]) -> Any:
        """Returns the labels in the structure of the outputs; None for an output without labels."""
        return pack_sequence_as(y_pred, labels_by_output(y_true, y_pred, names, self._given))

    def _check_labels(self, terms: Sequence[LossTerm], labels: Any, y_pred: Any, names: list[str]) -> None:
        """Raises ValueError if an output that has a loss lacks its labels."""
        names_in_structure = pack_sequence_as(y_pred, names)
        missing: list[str] = []
        for term in terms:
            parts = flatten(_part_at_path(term.path, labels))
            part_names = flatten(_part_at_path(term.path, names_in_structure))
            missing += [name for name, part in zip(part_names, parts, strict=True) if part is None]
        if missing:
            missing = list(dict.fromkeys(missing))
            given = [name for name, part in zip(names, flatten(labels), strict=True) if part is not None]
            raise ValueError(
                f"Outputs {missing} have a loss but no labels: `y` has labels for the outputs {given}. Give labels for {missing}, "
                "too, or set the loss of an output that is not trained to None in `compile`."
            )

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor | None:
        """Returns the loss of a batch, a scalar; None if no output has a loss.

        Raises:
            ValueError: labels or weights do not match the outputs.
        """
        if self._terms is None:
            self.build(y_true, y_pred)
        assert self._terms is not None
        names = output_names_of(y_pred, self._output_names)
        labels = self._labels(y_true, y_pred, names)
        self._check_labels(self._terms, labels, y_pred, names)
        weights = pack_sequence_as(y_pred, by_output(sample_weight, y_pred, names, "sample_weight"))
        total = None
        trackers = iter(self.metrics)
        for path, loss, factor, _ in self._terms:
            output = _part_at_path(path, y_pred)
            weight = _part_at_path(path, weights)
            if is_nested(weight):
                weight_items = flatten(weight)
                weight = (
                    weight_items[0] if all(weight_item is weight_items[0] for weight_item in weight_items) else weight
                )
            assert loss is not None
            value = loss(_part_at_path(path, labels), output, weight)
            if self.metrics:
                track_loss(next(trackers), value, flatten(output)[0].shape[0])
            total = add_losses(total, value if factor is None else value * factor)
        return total
