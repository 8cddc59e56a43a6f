"""The object graph: the variables that objects hold, named by their path: ``model/layers/dense/kernel``.

Layers, metrics and modules have the methods ``_saved_variables()`` and ``_saved_children()``, which return dicts by
name. ``_checkpointed_attributes()`` returns objects that only checkpoints save. The variables of an optimizer are
numbered. An item of a list, tuple or dict is named by the attribute and the position or key: ``blocks/0``.

Checkpoints also save the state of objects with ``saves_state = True``: iterators and the random state. Their method
``state()`` returns arrays by name, and ``restore(arrays)`` sets the state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.variable import Variable


def is_saved(obj: Any) -> bool:
    """True if checkpoints save ``obj``: a variable, or an object that holds variables or a state."""
    return isinstance(obj, Variable) or hasattr(obj, "_saved_variables") or is_checkpoint_only(obj)


def is_checkpoint_only(obj: Any) -> bool:
    """True if checkpoints save ``obj`` and weight files do not: an optimizer, an iterator or the random state."""
    return hasattr(obj, "apply_gradients") or hasattr(obj, "saves_state")


def nested_items(name: str, value: Any, selected: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    """Yields names and objects that ``selected`` accepts, in ``value`` and in its nested lists, tuples and dicts.

    A ``/`` in the key of a dict becomes ``.S``, as in TensorFlow.
    """
    if selected(value):
        yield name, value
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from nested_items(f"{name}/{str(key).replace('/', '.S')}", value[key], selected)
    elif nest.is_nested(value):
        for position, item in enumerate(value):
            yield from nested_items(f"{name}/{position}", item, selected)


def dict_of_unique_names(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a dict of ``items``; ValueError if two different objects have the same name."""
    objects: dict[str, Any] = {}
    for name, item in items:
        if objects.setdefault(name, item) is not item:
            raise ValueError(
                f"Two objects to save have the name {name!r}: {objects[name]!r} and {item!r}. Keys of dicts that hold variables must "
                "differ as strings."
            )
    return objects


def own_variables(obj: Any) -> dict[str, Variable]:
    """Returns the variables that ``obj`` itself holds, by name."""
    if hasattr(obj, "_saved_variables"):
        return obj._saved_variables()
    if hasattr(obj, "apply_gradients"):
        return {str(position): item for position, item in enumerate(obj.variables)}
    return {}


def children_with_variables(obj: Any) -> dict[str, Any]:
    """Returns the child objects of ``obj`` that may hold variables, by name."""
    if hasattr(obj, "_saved_children"):
        return obj._saved_children()
    inner_optimizer = getattr(obj, "inner_optimizer", None)
    return {} if inner_optimizer is None else {"inner_optimizer": inner_optimizer}


def saved_children(obj: Any) -> dict[str, Any]:
    """Returns the children of ``obj`` that checkpoints save, by their names in the object graph."""
    children: dict[str, Any] = {}
    checkpoint_children = obj._checkpointed_attributes() if hasattr(obj, "_checkpointed_attributes") else {}
    for named_children in (own_variables(obj), children_with_variables(obj), checkpoint_children):
        for name, child in named_children.items():
            edge = name
            while edge in children:  # a weight and a layer may have the same name
                edge += "."
            children[edge] = child
    return children


def named_variables(root_object: Any) -> dict[str, Variable]:
    """Returns all variables reachable from ``root_object`` by path; a variable with several paths has the first one."""
    variables: dict[str, Variable] = {}
    seen_ids: set[int] = set()

    def add_variables_below(obj: Any, prefix: str) -> None:
        if id(obj) in seen_ids:
            return
        seen_ids.add(id(obj))
        for name, variable in own_variables(obj).items():
            if id(variable) not in seen_ids:
                seen_ids.add(id(variable))
                variables[prefix + name] = variable
        for name, child in children_with_variables(obj).items():
            add_variables_below(child, f"{prefix}{name}/")

    add_variables_below(root_object, "")
    return variables


class ObjectNode(NamedTuple):
    """An object of an object graph.

    Attributes:
        children: the node numbers of its children, by edge name.
        values: the names in the file of its values, by their own names; a variable's value has the own name ``""``.
    """

    children: dict[str, int]
    values: dict[str, str]


class ObjectGraph(NamedTuple):
    """Nodes, their objects and the shortest paths to these, in the same order; ``nodes[0]`` is the root."""

    nodes: list[ObjectNode]
    objects: list[Any]
    names: list[str]


def object_graph(root_object: Any, extra_children: dict[str, Any]) -> ObjectGraph:
    """Returns the object graph of ``root_object``: all reachable objects; ``extra_children`` adds children by name."""
    graph = ObjectGraph([], [root_object], [""])
    node_numbers = {id(root_object): 0}
    for obj, name in zip(graph.objects, graph.names, strict=True):  # the loop extends both lists
        children: dict[str, int] = {}
        if not isinstance(obj, Variable):
            for edge, child in (
                {**saved_children(obj), **extra_children} if obj is root_object else saved_children(obj)
            ).items():
                if id(child) not in node_numbers:
                    node_numbers[id(child)] = len(graph.objects)
                    graph.objects.append(child)
                    graph.names.append(f"{name}/{edge}" if name else edge)
                children[edge] = node_numbers[id(child)]
        graph.nodes.append(ObjectNode(children, {"": name} if isinstance(obj, Variable) else {}))
    return graph


def parsed_nodes(graph: Any) -> list[ObjectNode]:
    """Returns the nodes of an object graph read from a file; ValueError if the graph is invalid."""
    nodes = [ObjectNode(*node) for node in graph]
    for node in nodes:
        children, names = dict(node.children), dict(node.values)
        if not all(type(number) is int and 0 <= number < len(nodes) for number in children.values()):
            raise ValueError(f"the object graph has no such nodes: {children!r:.200}")
        if not all(isinstance(name, str) for name in names.values()):
            raise ValueError(f"names of values in the object graph are no texts: {names!r:.200}")
    if not nodes:
        raise ValueError("the object graph is empty")
    return nodes


def nodes_of_paths(names: Iterable[str]) -> list[ObjectNode]:
    """Returns nodes for a file without an object graph: one node for each name and for each path prefix of a name."""
    paths = [name.split("/") for name in names]
    prefixes = sorted({tuple(path[:length]) for path in paths for length in range(len(path) + 1)})
    node_numbers = {path: number for number, path in enumerate(prefixes)}
    nodes = [ObjectNode({}, {}) for _ in prefixes]
    for path, number in node_numbers.items():
        for length in range(len(path)):
            nodes[node_numbers[path[:length]]].children["/".join(path[length:])] = number
    for path in map(tuple, paths):
        for length in range(len(path) + 1):
            nodes[node_numbers[path[:length]]].values["/".join(path[length:])] = "/".join(path)
    return nodes


def mismatch_messages(variables: dict[str, Variable], values: dict[str, np.ndarray]) -> list[str]:
    """Returns a message for each value whose shape or dtype differs from the variable of the same name."""
    messages = []
    for name, value in values.items():
        variable = variables.get(name)
        if variable is None:
            continue
        if value.shape != variable._array.shape:
            messages.append(
                f"The value of '{name}' has shape {TensorShape.of(value.shape)}, the variable has shape {variable.shape}."
            )
        elif value.dtype != variable._array.dtype:
            messages.append(
                f"The value of '{name}' has dtype {value.dtype}, the variable has dtype {variable._operand_dtype.name}."
            )
    return messages
