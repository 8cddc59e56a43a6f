"""The summary of a model as a table: layers, output shapes, numbers of weights."""

from __future__ import annotations

import itertools
import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import require
from fastgrad._src.keras.layers.input_layer import InputLayer
from fastgrad._src.keras.models.model import Model
from fastgrad._src.keras.models.sequential import Sequential


def summary_text(
    model: Model,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> str:
    """Returns the summary as text: Keras's table, and the numbers of weights.

    Args:
        model: the model.
        line_length: the columns of a line; default as in Keras, at most the terminal's.
        positions: where each column of the table ends, as parts of the line.
        expand_nested: whether the layers of inner models are listed, too.
        show_trainable: whether a column says which layers are trained.
        layer_range: patterns of the names of the first and the last layer to list; default all layers.

    Raises:
        ValueError: no name begins with a pattern, or the line is too short.
    """
    has_connections = not _is_chain(listed_operations(model))
    headings = ["Layer (type)", "Output Shape", "Param #"]
    headings += ["Connected to"] if has_connections else []
    length = 108 if has_connections else 88
    places = list(positions or ([0.3, 0.56, 0.74, 1.0] if has_connections else [0.45, 0.8, 1.0]))
    if show_trainable:
        headings.append("Trainable")
        length, places = length + 12, [0.9 * place for place in places] + [1.0]
    rows = []
    for depth, layer, shape in _summary_rows(model, expand_nested, 0, layer_range):
        prefix = "   " * depth + "└ " if depth else ""
        cells = [f"{prefix}{layer.name} ({type(layer).__name__})", shape, _parameter_count_text(layer)]
        cells += [", ".join(_source_texts(layer)) or "-"] if has_connections else []
        cells += [("Y" if layer.trainable else "N") if layer.weights else "-"] if show_trainable else []
        rows.append(cells)
    length = line_length or min(length, shutil.get_terminal_size().columns - 4)
    alignments = "<<><"[: len(headings) - show_trainable] + "^" * show_trainable
    table = _table(headings, rows, _column_widths(length, places), alignments)
    trained_count = _scalar_count(model.trainable_weights)
    frozen_count = _scalar_count(model.non_trainable_weights)
    sizes = {id(weight): weight._array.nbytes for weight in model.weights}
    trained_size = sum(sizes[id(weight)] for weight in model.trainable_weights)
    size = sum(sizes.values())
    optimizer: Any = getattr(model, "optimizer", None)
    slots = optimizer.variables if getattr(optimizer, "built", False) else []
    slots_size = sum(slot._array.nbytes for slot in slots)
    lines = [f'Model: "{model.name}"', *table]
    lines += [
        f" Total params: {trained_count + frozen_count + _scalar_count(slots):,} ({_byte_count_text(size + slots_size)})",
        f" Trainable params: {trained_count:,} ({_byte_count_text(trained_size)})",
        f" Non-trainable params: {frozen_count:,} ({_byte_count_text(size - trained_size)})",
    ]
    lines += [f" Optimizer params: {_scalar_count(slots):,} ({_byte_count_text(slots_size)})"] if slots else []
    return "\n".join(lines)


def _column_widths(length: int, positions: Sequence[float]) -> list[int]:
    """Returns the columns' widths, each with a space at both sides; the last one ends with the line."""
    ends = [0, *[int(position * length) for position in positions]]
    widths = [end - begin for begin, end in itertools.pairwise(ends)]
    require(min(widths) >= 4, "summary", "Insufficient console width to print summary")
    excess = 3 * len(widths) + 1  # the spaces, and the rules between columns
    for number in range(len(widths)):
        share = round(excess / (len(widths) - number))
        widths[number] += 2 - share
        excess -= share
    return widths


def _table(headings: list[str], rows: list[list[str]], widths: list[int], alignments: str) -> list[str]:
    """Returns the lines of a table. Long texts take several lines."""

    def rule(left: str, line: str, middle: str, right: str) -> str:
        return left + middle.join(line * width for width in widths) + right

    def row(texts: list[str], edge: str) -> list[str]:
        cells = [_wrapped(text, width - 2) for text, width in zip(texts, widths, strict=True)]
        lines = []
        for parts in itertools.zip_longest(*cells, fillvalue=""):
            columns = zip(parts, alignments, widths, strict=True)
            lines.append(edge + edge.join([f" {part:{how}{width - 2}} " for part, how, width in columns]) + edge)
        return lines

    lines = [rule("┏", "━", "┳", "┓"), *row(headings, "┃"), rule("┡", "━", "╇", "┩")]
    for number, cells in enumerate(rows):
        lines += [rule("├", "─", "┼", "┤")] if number else []
        lines += row(cells, "│")
    return [*lines, rule("└", "─", "┴", "┘")]


def _wrapped(text: str, width: int) -> list[str]:
    """Returns the lines of a text between spaces; words that are too long are cut."""
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines]


def _summary_rows(model: Any, expand: bool, depth: int, layer_range: Any = None) -> Iterator[tuple[int, Any, str]]:
    """Yields depth, layer and shape of each row."""
    rows = list(zip(listed_operations(model), shape_texts(model), strict=True))
    first, last = _index_range([layer.name for layer, _ in rows], layer_range)
    for layer, shape in rows[first:last]:
        yield depth, layer, shape
        if expand and isinstance(layer, Model):
            yield from _summary_rows(layer, expand, depth + 1)


def _index_range(names: list[str], layer_range: Any) -> tuple[int, int]:
    if layer_range is None:
        return 0, len(names)
    if len(layer_range) != 2 or not all(isinstance(pattern, str) for pattern in layer_range):
        raise ValueError(f"summary: layer_range must be the names of two layers, got {layer_range!r}.")
    matches = [[i for i, name in enumerate(names) if re.match(pattern, name)] for pattern in layer_range]
    for pattern, indices in zip(layer_range, matches, strict=True):
        require(indices, "summary", f"no layer's name begins with layer_range's {pattern!r}; there are {names}")
    return min(map(min, matches)), max(map(max, matches)) + 1


def listed_operations(model: Any) -> list[Any]:
    """Returns the rows of a summary: a functional model's operations, otherwise the layers."""
    return list(model.layers if getattr(model, "_graph", None) is None else model.operations)


def shape_texts(model: Any) -> list[str]:
    """Returns the output shapes of a model's layers as texts; in a ``Sequential``, computed layer by layer."""
    if not (isinstance(model, Sequential) and model.built and model._bottom is not None):
        return [shape_text(layer) for layer in listed_operations(model)]
    texts: list[str] = []
    shape = model.input_shape
    for layer in model.layers:
        try:
            shape = layer.compute_output_shape(shape)
        except NotImplementedError:
            return texts + ["?"] * (len(model.layers) - len(texts))
        texts.append(_shape_text(shape))
    return texts


def shape_text(layer: Any) -> str:
    """Returns the output shapes of a layer, ``?`` if they are not known."""
    nodes = layer.__dict__.get("_inbound_nodes", ())
    if nodes:
        return _shapes_text(nodes[0].outputs)
    shapes = layer.get_build_config()
    if not layer.built or shapes is None or "input_shape" not in shapes:
        return "?"
    try:
        return _shape_text(layer.compute_output_shape(shapes["input_shape"]))
    except NotImplementedError:
        return "?"


def _shape_text(shape: Any) -> str:
    return str(shape).replace("[", "").replace("]", "")


def _shapes_text(outputs: Any) -> str:
    if hasattr(outputs, "shape"):
        return str(tuple(outputs.shape))
    values = outputs.values() if isinstance(outputs, dict) else outputs
    return ", ".join(map(_shapes_text, values))


def _source_texts(layer: Any) -> list[str]:
    return [
        f"{history.operation.name}[{history.node_index}][{history.tensor_index}]" for history in _input_histories(layer)
    ]


def _is_chain(layers: list[Any]) -> bool:
    """True if each layer's only input is the output of the previous layer."""
    source_layers = [[history.operation for history in _input_histories(layer)] for layer in layers]
    chained = zip(layers, source_layers[1:], strict=False)
    return not any(source_layers) or (
        len(source_layers[0]) < 2 and all(len(sources) == 1 and sources[0] is previous for previous, sources in chained)
    )


def _input_histories(layer: Any) -> list[Any]:
    return [tensor._keras_history for node in layer.__dict__.get("_inbound_nodes", ()) for tensor in node.inputs]


def _parameter_count_text(layer: Any) -> str:
    if isinstance(layer, InputLayer):
        return "0"
    return f"{_scalar_count(layer.weights):,}" if layer.built else "0 (unbuilt)"


def _scalar_count(weights: Any) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


def _byte_count_text(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} GB"
