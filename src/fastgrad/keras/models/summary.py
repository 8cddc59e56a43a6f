"""A model as a table: layers, shapes of their results, numbers of weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad.keras.layers.input_layer import InputLayer
from fastgrad.keras.models.model import Model


def summary_text(model: Model, expand_nested: bool = False, show_trainable: bool = False) -> str:
    """The table.

    Args:
        model: the model.
        expand_nested: whether the layers of models inside are listed, too.
        show_trainable: whether there is a column that says what is trained.
    """
    several = not _is_chain(model.layers)
    heads = ["Layer (type)", "Output Shape", "Param #"]
    heads += ["Connected to"] if several else []
    heads += ["Trainable"] if show_trainable else []
    rows = list(_rows(model, expand_nested, 0))
    table = [heads]
    for depth, layer in rows:
        cells = ["  " * depth + f"{layer.name} ({type(layer).__name__})", shape_text(layer), _parameters(layer)]
        cells += [", ".join(_sources(layer)) or "-"] if several else []
        cells += ["Y" if layer.trainable else "N"] if show_trainable else []
        table.append(cells)
    widths = [max(len(row[i]) for row in table) for i in range(len(heads))]
    number = heads.index("Param #")

    def line(row: list[str]) -> str:
        cells = [
            text.rjust(w) if i == number else text.ljust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    trained = _count(model.trainable_weights)
    frozen = _count(model.non_trainable_weights)
    sizes = {id(weight): weight._array.nbytes for weight in model.weights}
    trained_size = sum(sizes[id(weight)] for weight in model.trainable_weights)
    size = sum(sizes.values())
    lines = [f'Model: "{model.name}"', rule, line(heads), rule, *map(line, table[1:]), rule]
    lines += [
        f"Total params: {trained + frozen:,} ({_bytes(size)})",
        f"Trainable params: {trained:,} ({_bytes(trained_size)})",
        f"Non-trainable params: {frozen:,} ({_bytes(size - trained_size)})",
    ]
    return "\n".join(lines)


def _rows(model: Any, expand: bool, depth: int) -> Any:
    for layer in model.layers:
        yield depth, layer
        if expand and isinstance(layer, Model):
            yield from _rows(layer, expand, depth + 1)


def shape_text(layer: Any) -> str:
    """The shapes of what a layer gives, ``?`` where they are not known."""
    nodes = layer.__dict__.get("_inbound_nodes", ())
    if nodes:
        return _shapes(nodes[0].outputs)
    shapes = layer.get_build_config()
    if not layer.built or shapes is None or "input_shape" not in shapes:
        return "?"
    try:
        return str(layer.compute_output_shape(shapes["input_shape"])).replace("[", "").replace("]", "")
    except NotImplementedError:
        return "?"


def _shapes(outputs: Any) -> str:
    if hasattr(outputs, "shape"):
        return str(tuple(outputs.shape))
    values = outputs.values() if isinstance(outputs, dict) else outputs
    return ", ".join(map(_shapes, values))


def _sources(layer: Any) -> list[str]:
    return [f"{history.operation.name}[{history.tensor_index}]" for history in _histories(layer)]


def _is_chain(layers: list[Any]) -> bool:
    """Whether each layer gets what the one before gives, and no more."""
    found = [[history.operation for history in _histories(layer)] for layer in layers]
    chained = zip(layers, found[1:], strict=False)
    return not any(found) or (len(found[0]) < 2 and all(len(of) == 1 and of[0] is before for before, of in chained))


def _histories(layer: Any) -> list[Any]:
    return [tensor._keras_history for node in layer.__dict__.get("_inbound_nodes", ()) for tensor in node.inputs]


def _parameters(layer: Any) -> str:
    if isinstance(layer, InputLayer):
        return "0"
    return f"{_count(layer.weights):,}" if layer.built else "? (unbuilt)"


def _count(weights: Any) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} GB"
