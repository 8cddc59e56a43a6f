"""Checkpoints that TensorFlow wrote: their values by name, and their object graph with the names of objects here.

In TensorFlow's graph lists and dicts are objects; here their items are children of the owning object. In TensorFlow's graph the names of
Keras's variables begin with an underscore, optimizers have a list of variables, and models have a list of layers.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastgrad._src.core.damaged_file import parser_errors_as_one
from fastgrad._src.core.object_graph import ObjectNode, saved_children
from fastgrad._src.core.variable import Variable
from fastgrad._src.files.checkpoints.tensor_bundle import TensorBundle
from fastgrad._src.files.records.saved_model_messages import parse_message

VALUE_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
"""The end of TensorFlow's names of the values of variables."""

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The name of the object graph in a checkpoint."""

_DEEPEST_CONTAINERS = 3
_MOST_EDGES = 1 << 20


def has_tensorflow_checkpoint(prefix: str) -> bool:
    """True if TensorFlow's checkpoint ``prefix`` exists."""
    return os.path.lexists(prefix + ".index")


def tensorflow_values(prefix: str) -> dict[str, np.ndarray]:
    """Returns the values of a checkpoint by TensorFlow's names; the object graph is one of them.

    Raises:
        OSError: a file can't be opened.
        ValueError: a file is damaged.
    """
    bundle = TensorBundle(prefix)
    return {key: bundle.read(key) for key in bundle.keys()}  # noqa: SIM118  # a bundle is no dict


def tensorflow_nodes(prefix: str, root_object: Any, extra_children: dict[str, Any]) -> list[ObjectNode] | None:
    """Returns the object graph of a checkpoint; None if it has names only.

    Args:
        prefix: the path without ``.index``.
        root_object: the object for the first node; models below it tell the names of their layers.
        extra_children: further children of the first node, by name.

    Raises:
        OSError, ValueError: as ``tensorflow_values``.
    """
    bundle = TensorBundle(prefix)
    if OBJECT_GRAPH not in bundle:
        return None
    with parser_errors_as_one(f"{prefix}.index", "checkpoint of TensorFlow"):
        saved = parse_message("TrackableObjectGraph", bundle.read(OBJECT_GRAPH).item()).nodes
        children = [{child.local_name: child.node_id for child in node.children} for node in saved]
        if not children or any(not 0 <= child < len(saved) for edges in children for child in edges.values()):
            raise ValueError("its object graph has a child that is no object")
        values = [_values_of(node) for node in saved]
        nodes = [ObjectNode(_named_children(children, values, number), values[number]) for number in range(len(saved))]
        if sum(len(node.children) for node in nodes) > _MOST_EDGES:
            raise ValueError(f"its lists have more than {_MOST_EDGES} items")
        _add_layers_by_name(nodes, children, root_object, extra_children)
    return nodes


def _values_of(node: Any) -> dict[str, str]:
    keys = [attribute.checkpoint_key for attribute in node.attributes if attribute.name == "VARIABLE_VALUE"]
    return {"": keys[0]} if keys else {}


def _named_children(children: list[dict[str, int]], values: list[dict[str, str]], number: int) -> dict[str, int]:
    """Returns the children of an object, and the items of its lists and dicts, under the names that they have here."""
    edges = dict(children[number])
    level = list(edges.items())
    for _ in range(_DEEPEST_CONTAINERS):
        level = [
            (f"{name}/{item}", target)
            for name, child in level
            if not values[child] and not name.startswith("_")
            for item, target in children[child].items()
        ]
        if len(level) > _MOST_EDGES:
            raise ValueError(f"its lists have more than {_MOST_EDGES} items")
        for name, target in level:
            edges.setdefault(name, target)
    for name, target in children[number].items():
        edges.setdefault(name.removeprefix("_"), target)
    if "_iterations" in edges and "_variables" in edges:  # an optimizer of Keras
        edges.update(children[edges["_variables"]])
    return edges


def _add_layers_by_name(
    nodes: list[ObjectNode], children: list[dict[str, int]], root_object: Any, extra_children: dict[str, Any]
) -> None:
    """Adds the layers of models to the children of their nodes, under the names of the layers here, in the order of both."""
    queue = [(root_object, 0), *[(child, nodes[0].children.get(name, -1)) for name, child in extra_children.items()]]
    seen: set[tuple[int, int]] = set()
    for obj, number in queue:  # the loop extends the queue
        if number < 0 or isinstance(obj, Variable) or (id(obj), number) in seen:
            continue
        seen.add((id(obj), number))
        edges, own = nodes[number].children, saved_children(obj)
        layers = {name: child for name, child in own.items() if name.startswith("layers/") and saved_children(child)}
        inner = children[number].get("_functional", number)
        operations = [
            child
            for _, child in sorted(_list_items(children, children[inner].get("_operations", -1)).items())
            if _reaches_variable(nodes, child)
        ]
        if len(layers) == len(operations):
            edges.update(zip(layers, operations, strict=True))
        queue += [(child, edges.get(name, -1)) for name, child in own.items()]


def _list_items(children: list[dict[str, int]], number: int) -> dict[int, int]:
    return {} if number < 0 else {int(name): child for name, child in children[number].items() if name.isdecimal()}


def _reaches_variable(nodes: list[ObjectNode], number: int) -> bool:
    """True if a variable can be reached from an object."""
    reached, queue = {number}, [number]
    for current in queue:  # the loop extends the queue
        if nodes[current].values:
            return True
        added = set(nodes[current].children.values()) - reached
        reached |= added
        queue += added
    return False
