"""The outputs of a model: the label, weight, loss and metrics that belong to each output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad._src.core import nest


def is_flat(y_pred: Any) -> bool:
    """True if ``y_pred`` is one output, or a list, tuple or dict of outputs; False if it is nested deeper."""
    outputs = y_pred.values() if isinstance(y_pred, dict) else y_pred if isinstance(y_pred, (list, tuple)) else ()
    return not any(nest.is_nested(output) for output in outputs)


def output_names_of(y_pred: Any, output_names: Sequence[str] | None) -> list[str]:
    """Returns the names of a model's outputs: keys of a flat dict, the model's names, else ``output_1`` and so on."""
    if isinstance(y_pred, dict) and is_flat(y_pred):
        return sorted(y_pred)  # the order of nest.flatten
    count = len(nest.flatten(y_pred))
    if output_names is not None and len(output_names) == count:
        return list(output_names)
    return [f"output_{number}" for number in range(1, count + 1)]


def labels_by_output(labels: Any, y_pred: Any, names: Sequence[str], loss: Any) -> list[Any]:
    """Returns the label of each output; labels in a list, or a single label, may omit the outputs without a loss.

    Args:
        labels, y_pred, names: as in ``by_output``.
        loss: the losses of ``compile``.

    Raises:
        ValueError: unknown names, or another number of labels.
    """
    if (
        isinstance(loss, (list, tuple, dict))
        and not isinstance(labels, dict)
        and labels is not None
        and is_flat(y_pred)
    ):
        losses = [loss.get(name) for name in names] if isinstance(loss, dict) else loss
        labels_given = list(labels) if isinstance(labels, (list, tuple)) else [labels]
        count = sum(item is not None for item in losses)
        if len(labels_given) == count < len(losses) == len(names):
            items = iter(labels_given)
            labels = [None if item is None else next(items) for item in losses]
    return by_output(labels, y_pred, names, "y")


def by_output(value: Any, y_pred: Any, names: Sequence[str], argument_name: str) -> list[Any]:
    """Returns the items of ``value``, one for each output.

    Args:
        value: one item for a single output; for several a list in their order, or a dict by their names, which may omit
            some. None for no items. A value that is neither is for all outputs, if it is no label.
        y_pred: the outputs.
        names: the names of the outputs.
        argument_name: the name of ``value``, for errors.

    Raises:
        ValueError: unknown names, or another number of items.
    """
    if value is None:
        return [None] * len(names)
    if argument_name == "y" and len(names) > 1 and not nest.is_nested(value):
        text = (
            f"`y` has labels for one output, of shape {getattr(value, 'shape', ())}, but there are {len(names)} outputs"
        )
        raise ValueError(f"{text} ({list(names)}). Give a list of labels in their order, or a dict by their names.")
    if not is_flat(y_pred):
        return _items_of_nested_outputs(value, names, argument_name)
    if isinstance(value, dict):
        unknown = [name for name in value if name not in names]
        if unknown:
            key = f"In the dict argument `{argument_name}`, key {unknown[0]!r}"
            raise ValueError(f"{key} does not correspond to any model output. The outputs are {list(names)}.")
        return [value.get(name) for name in names]
    if len(names) == 1 and not isinstance(y_pred, dict) and not isinstance(y_pred, (list, tuple)):
        if argument_name == "loss" and isinstance(value, (list, tuple)) and len(value) != 1:
            raise ValueError(
                f"For a model with a single output, `loss` is one loss, or a list of one. Received: loss={value} of length "
                f"{len(value)}. (Keras takes the first and trains by nothing else; add several up in a function of your own.)"
            )
        if isinstance(value, (list, tuple)) and len(value) == 1:
            return [value[0]]
        if argument_name == "loss_weights" and isinstance(value, (list, tuple)):
            raise ValueError(f"`loss_weights` must match the number of losses, got 1 losses and {len(value)} weights.")
        return [value]
    if isinstance(value, (list, tuple)):
        if len(value) != len(names):
            wanted = f"`{argument_name}` as a list must have as many entries as the model has outputs, {list(names)}"
            raise ValueError(f"{wanted}. Received: {argument_name}={value} of length {len(value)}.")
        return list(value)
    return [value] * len(names)


def _items_of_nested_outputs(value: Any, output_names: Sequence[str], argument_name: str) -> list[Any]:
    """Returns one item of ``value`` for each output of a model whose outputs are nested lists, tuples or dicts."""
    if not nest.is_nested(value):
        return [value] * len(output_names)
    if isinstance(value, dict) and set(value) == set(output_names):
        return [value[name] for name in output_names]
    items = nest.flatten(value)
    if len(items) != len(output_names):
        outputs = f"the model has {len(output_names)} outputs ({list(output_names)})"
        raise ValueError(f"`{argument_name}` has a different structure: {len(items)} items, {outputs}.")
    return items
