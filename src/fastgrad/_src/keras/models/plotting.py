"""``plot_model``: a model as a picture of boxes and arrows, drawn by Graphviz."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastgrad._src.core.argument_checks import checked_path, require
from fastgrad._src.keras.callbacks.progress_bar import in_notebook
from fastgrad._src.keras.models.model import Model
from fastgrad._src.keras.models.sequential import Sequential
from fastgrad._src.keras.models.summary import listed_operations, shape_text, shape_texts

_TEXT_FILE_ENDINGS = (".dot", ".gv")


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
) -> Any:
    """Draws a model to a file.

    Args:
        model: a built model.
        to_file: a path; its ending selects the kind of picture: ``.png``, ``.svg``, ``.pdf``; ``.dot`` for Graphviz's text.
        show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable: what boxes show beside the layer's class.
        rankdir: ``"TB"`` from top to bottom, ``"LR"`` from left to right.
        expand_nested: whether inner models are drawn with their layers.
        dpi: dots per inch.

    Returns:
        The picture in a notebook, which shows it; else None.

    Raises:
        ValueError: the model is not built, or the path has no ending.
        TypeError: ``model`` is not a model, or ``to_file`` is not a path.
        ImportError: Graphviz's program ``dot`` is not installed; then nothing is written.
    """
    path = Path(checked_path("plot_model", "to_file", to_file))
    if not path.suffix:
        raise ValueError(f"plot_model: to_file={str(to_file)!r} needs an ending: .png, .svg, .pdf or .dot.")
    text = model_to_dot(
        model,
        show_shapes,
        show_dtype,
        show_layer_names,
        rankdir,
        expand_nested,
        dpi,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
    )
    if path.suffix in _TEXT_FILE_ENDINGS:
        path.write_text(text, encoding="utf-8")
        return None
    program = shutil.which("dot")
    if program is None:
        ways = "Install graphviz (`apt install graphviz`, `conda install graphviz`), or write to_file='model.dot'"
        raise ImportError(f"plot_model: Graphviz's program `dot` is not installed. {ways}.")
    command = [program, f"-T{path.suffix[1:]}"]
    process = subprocess.run(command, input=text.encode(), capture_output=True, check=False)  # noqa: S603  # Graphviz itself
    text = process.stderr.decode(errors="replace").strip()
    require(not process.returncode, "plot_model", f"Graphviz can't draw {str(path)!r}: {text}")
    path.write_bytes(process.stdout)
    if in_notebook() and path.suffix in (".png", ".svg", ".jpg"):
        from IPython import display

        return display.SVG(process.stdout) if path.suffix == ".svg" else display.Image(process.stdout)
    return None


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
) -> str:
    """Returns the Graphviz source of ``model``, with the options of ``plot_model``; ``subgraph`` makes a cluster.

    Raises:
        ValueError: the model is not built.
        TypeError: ``model`` is not a model.
    """
    require(hasattr(model, "built"), "model_to_dot", "`model` must be a model", TypeError, model=model)
    if not model.built:
        raise ValueError(f"Model '{model.name}': This model has not yet been built. Build it by `build()`, or call it.")

    def label(layer: Any, shape: str) -> str:
        label_lines = [f"{layer.name} ({type(layer).__name__})" if show_layer_names else type(layer).__name__]
        if show_layer_activations and callable(getattr(layer, "activation", None)):
            label_lines.append(f"Activation: {getattr(layer.activation, '__name__', layer.activation)}")
        label_lines += [f"Output shape: {shape}"] if show_shapes else []
        label_lines += [f"Dtype: {getattr(layer, 'compute_dtype', None) or layer.output.dtype}"] if show_dtype else []
        label_lines += [f"Trainable: {layer.trainable}"] if show_trainable and layer.weights else []
        return "\\n".join(map(_escaped, label_lines))

    def body(inner: Any) -> Iterator[str]:
        for layer, shape in _layers_and_shapes(inner):
            if expand_nested and _is_drawn_inside(layer):
                yield f'subgraph "cluster_{id(layer)}" {{ label="{_escaped(layer.name)}"; style=dashed;'
                yield from body(layer)
                yield "}"
            else:
                yield f'"{id(layer)}" [label="{label(layer, shape)}"];'
        for source, output_index, target, entry in _graph_edges(inner):
            tail, head = source, target
            if expand_nested:
                tail = _inner_layer_at_end(source, output_index, "outputs")
                head = _inner_layer_at_end(target, entry, "inputs")
            yield f'"{id(tail)}" -> "{id(head)}";'

    graph_header = f'subgraph "cluster_{id(model)}"' if subgraph else f'digraph "{_escaped(model.name)}"'
    head = [f"{graph_header} {{", f"rankdir={rankdir}; dpi={dpi}; node [shape=box, fontname=Helvetica];"]
    return "\n".join([*head, *body(model), "}\n"])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _is_drawn_inside(layer: Any) -> bool:
    return isinstance(layer, Sequential) or (isinstance(layer, Model) and layer._graph is not None)


def _layers_and_shapes(model: Any) -> list[tuple[Any, str]]:
    """Returns layers and their shapes; only the model itself if its calls are not known."""
    if not _is_drawn_inside(model):
        return [(model, shape_text(model))]
    return list(zip(listed_operations(model), shape_texts(model), strict=True))


def _graph_edges(model: Any) -> Iterator[tuple[Any, int, Any, int]]:
    """Yields the arrows: the source layer, the index of its result, the target layer, the index of its input."""
    if isinstance(model, Sequential):
        for source_layer, target_layer in zip(model.layers, model.layers[1:], strict=False):
            yield source_layer, 0, target_layer, 0
    elif _is_drawn_inside(model):
        for node in model._graph.nodes:
            for entry, tensor in enumerate(node.inputs):
                history = tensor._keras_history
                yield history.operation, history.tensor_index, node.operation, entry


def _inner_layer_at_end(layer: Any, index: int, end: str) -> Any:
    """Returns the layer inside a model where an arrow ends: at ``index`` of the model's inputs or outputs."""
    while _is_drawn_inside(layer):
        if isinstance(layer, Sequential):
            layer, index = layer.layers[0 if end == "inputs" else -1], 0
        else:
            history = getattr(layer._graph, f"flat_{end}")[index]._keras_history
            layer, index = history.operation, history.tensor_index
    return layer
