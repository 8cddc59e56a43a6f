"""The variables that objects hold, under names that say where: ``model/layers/dense/kernel``.

An object says what it holds by ``_saved_variables()`` and ``_saved_children()``, dicts by name (layers, metrics and modules
do), and what only checkpoints save by ``_saved_in_checkpoints()``; an optimizer holds its ``variables``, numbered. The names
of items of lists, tuples and dicts have the attribute and the position or key: ``blocks/0``.

What a checkpoint holds beside variables comes from objects that say ``saves_state = True`` and have the methods ``state()``, which
gives arrays by name, and ``restore(arrays)``: iterators, the random state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastgrad import nest
from fastgrad.shape import TensorShape
from fastgrad.variable import Variable


def is_saved(obj: Any) -> bool:
    """True if checkpoints save ``obj``: a variable, or an object that holds variables or a state."""
    return isinstance(obj, Variable) or hasattr(obj, "_saved_variables") or saves_in_checkpoints(obj)


def saves_in_checkpoints(obj: Any) -> bool:
    """True for what checkpoints save and files of weights do not: optimizers, iterators, the random state."""
    return hasattr(obj, "apply_gradients") or hasattr(obj, "saves_state")


def items_within(name: str, value: Any, selected: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    """The selected objects in ``value`` and in the lists, tuples and dicts it is made of, with their names.

    A ``/`` in the key of a dict becomes ``.S``, as in TensorFlow.
    """
    if selected(value):
        yield name, value
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from items_within(f"{name}/{str(key).replace('/', '.S')}", value[key], selected)
    elif nest.is_nested(value):
        for position, item in enumerate(value):
            yield from items_within(f"{name}/{position}", item, selected)


def by_name(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of ``items``; ValueError if two different objects have the same name."""
    found: dict[str, Any] = {}
    for name, item in items:
        if found.setdefault(name, item) is not item:
            raise ValueError(
                f"Two objects to save have the name {name!r}: {found[name]!r} and {item!r}. Keys of dicts that hold variables must "
                "differ as strings."
            )
    return found


def own_variables(obj: Any) -> dict[str, Variable]:
    """The variables that ``obj`` itself holds, by name."""
    if hasattr(obj, "_saved_variables"):
        return obj._saved_variables()
    if hasattr(obj, "apply_gradients"):
        return {str(position): item for position, item in enumerate(obj.variables)}
    return {}


def own_children(obj: Any) -> dict[str, Any]:
    """The objects that ``obj`` holds and that may hold variables, by name."""
    if hasattr(obj, "_saved_children"):
        return obj._saved_children()
    inner = getattr(obj, "inner_optimizer", None)
    return {} if inner is None else {"inner_optimizer": inner}


def edges(obj: Any) -> dict[str, Any]:
    """All that ``obj`` holds and checkpoints save, by name: an edge of the object graph each."""
    found: dict[str, Any] = {}
    more = obj._saved_in_checkpoints() if hasattr(obj, "_saved_in_checkpoints") else {}
    for group in (own_variables(obj), own_children(obj), more):
        for name, child in group.items():
            edge = name
            while edge in found:  # a weight and a layer of one name
                edge += "."
            found[edge] = child
    return found


def named_variables(root: Any) -> dict[str, Variable]:
    """All variables in ``root`` and the objects it holds, each once, under the first name that leads to it."""
    variables: dict[str, Variable] = {}
    seen: set[int] = set()

    def walk(obj: Any, prefix: str) -> None:
        if id(obj) in seen:
            return
        seen.add(id(obj))
        for name, variable in own_variables(obj).items():
            if id(variable) not in seen:
                seen.add(id(variable))
                variables[prefix + name] = variable
        for name, child in own_children(obj).items():
            walk(child, f"{prefix}{name}/")

    walk(root, "")
    return variables


class Node(NamedTuple):
    """An object of an object graph: the numbers of what it holds by name, the names of its values in the file by their own names.

    The value of a variable has the name ``""``.
    """

    children: dict[str, int]
    values: dict[str, str]


class ObjectGraph(NamedTuple):
    """``nodes[0]`` is the root's; ``objects`` and ``names``, the shortest that lead to them, stand in the same order."""

    nodes: list[Node]
    objects: list[Any]
    names: list[str]


def object_graph(root: Any, more: dict[str, Any]) -> ObjectGraph:
    """What ``root`` and all that it holds hold, each object once; ``more`` is what stands beside it at the top, by name."""
    graph = ObjectGraph([], [root], [""])
    numbers = {id(root): 0}
    for obj, name in zip(graph.objects, graph.names, strict=True):  # both grow meanwhile
        children: dict[str, int] = {}
        if not isinstance(obj, Variable):
            for edge, child in ({**edges(obj), **more} if obj is root else edges(obj)).items():
                if id(child) not in numbers:
                    numbers[id(child)] = len(graph.objects)
                    graph.objects.append(child)
                    graph.names.append(f"{name}/{edge}" if name else edge)
                children[edge] = numbers[id(child)]
        graph.nodes.append(Node(children, {"": name} if isinstance(obj, Variable) else {}))
    return graph


def nodes_of(graph: Any) -> list[Node]:
    """The nodes of an object graph in a file; ValueError for one that no program writes."""
    nodes = [Node(*node) for node in graph]
    for node in nodes:
        children, names = dict(node.children), dict(node.values)
        if not all(type(number) is int and 0 <= number < len(nodes) for number in children.values()):
            raise ValueError(f"the object graph has no such nodes: {children!r:.200}")
        if not all(isinstance(name, str) for name in names.values()):
            raise ValueError(f"names of values in the object graph are no texts: {names!r:.200}")
    if not nodes:
        raise ValueError("the object graph is empty")
    return nodes


def tree_of(names: Iterable[str]) -> list[Node]:
    """The nodes of a file that has no object graph: each name, and each beginning of one, is an object of its own."""
    paths = [name.split("/") for name in names]
    beginnings = sorted({tuple(path[:length]) for path in paths for length in range(len(path) + 1)})
    numbers = {path: number for number, path in enumerate(beginnings)}
    nodes = [Node({}, {}) for _ in beginnings]
    for path, number in numbers.items():
        for length in range(len(path)):
            nodes[numbers[path[:length]]].children["/".join(path[length:])] = number
    for path in map(tuple, paths):
        for length in range(len(path) + 1):
            nodes[numbers[path[:length]]].values["/".join(path[length:])] = "/".join(path)
    return nodes


def misfits(variables: dict[str, Variable], values: dict[str, np.ndarray]) -> list[str]:
    """Says of each value that has another shape or dtype than the variable of its name what both have."""
    found = []
    for name, value in values.items():
        variable = variables.get(name)
        if variable is None:
            continue
        if value.shape != variable._array.shape:
            found.append(
                f"The value of '{name}' has shape {TensorShape.of(value.shape)}, the variable has shape {variable.shape}."
            )
        elif value.dtype != variable._array.dtype:
            found.append(
                f"The value of '{name}' has dtype {value.dtype}, the variable has dtype {variable.dtype.name}."
            )
    return found
