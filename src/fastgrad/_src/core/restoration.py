"""Restoration of checkpoint values into objects, including objects that are created later.

Matching follows the edges of the object graph, so an object takes the values of each path that leads to it. Values
for children that an object does not have yet are deferred: they stay in the object's ``_deferred`` until the object
calls ``restore_deferred_values`` after a child is added.
"""

from __future__ import annotations

import itertools
import logging
import weakref
from collections import Counter
from functools import wraps
from typing import Any

import numpy as np

from fastgrad._src.core.damaged_file import parser_errors_as_one
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.object_graph import ObjectNode, mismatch_messages, nodes_of_paths, saved_children
from fastgrad._src.core.variable import Variable

_logger = logging.getLogger("fastgrad")
_order_counter = itertools.count(1)


class Restoration:
    """The values of one checkpoint file, and the objects that have taken them.

    Args:
        values: the arrays by their names in the file.
        nodes: the object graph of the file; None for a file that has only names.
        source: the file name for error messages.
    """

    def __init__(
        self, values: dict[str, np.ndarray], nodes: list[ObjectNode] | None = None, source: str = "a checkpoint"
    ) -> None:
        self._source = source
        self.names = frozenset(values)
        self.unmatched = set(values)  # names of values that no object has taken
        self.order = next(_order_counter)
        self._values = dict(values)
        self._has_graph = nodes is not None
        self._nodes = nodes_of_paths(values) if nodes is None else nodes
        self._reference_counts = Counter(child for node in self._nodes for child in node.children.values())
        self._bound: dict[int, weakref.ref[Any]] = {}
        self._names_to_report = self.names.difference(["save_counter"])
        self._warning_finalizer = weakref.finalize(
            self, _warn_about_unmatched_values, self._names_to_report, self.unmatched
        )

    def __reduce__(self) -> Any:
        return Restoration, (self._values, self._nodes if self._has_graph else None, self._source)

    def expect_partial(self) -> None:
        """Disables the warning about values that no object has taken."""
        self._warning_finalizer.detach()

    def is_matched(self, obj: Any) -> bool:
        """True if ``obj`` is matched to a node."""
        return any(reference() is obj for reference in self._bound.values())

    def bind(self, root_object: Any, extra_children: dict[str, Any]) -> None:
        """Restores ``root_object`` and all objects reachable from it.

        Args:
            root_object: the object for the root node of the graph.
            extra_children: extra children of the root node that ``root_object`` itself does not hold, by name.

        Raises:
            ValueError: shapes of a value and its variable differ, or an object rejects its state; nothing is changed.
            InvalidArgumentError: dtypes of a value and its variable differ; nothing is changed.
        """
        children = self._nodes[0].children
        self._match_nodes(
            [
                (root_object, 0, ""),
                *((extra_children[name], children[name], name) for name in extra_children if name in children),
            ]
        )

    def resume(self, obj: Any, node: int, restored_edges: set[str]) -> bool:
        """Restores children that were added to ``obj`` since the last match.

        Args:
            obj: a matched object.
            node: the number of its node.
            restored_edges: the names of the matched edges; the call adds new ones.

        Returns:
            True if the file has more values for ``obj``.

        Raises:
            ValueError, InvalidArgumentError: as in ``bind``.
        """
        added_edges = [edge for edge in self._matching_children(obj, node) if edge[2] not in restored_edges]
        restored_edges.update(name for _, _, name in added_edges)
        self._match_nodes(added_edges)
        return bool(self._values) and len(restored_edges) < len(self._nodes[node].children)

    def _matching_children(self, obj: Any, node: int) -> list[tuple[Any, int, str]]:
        """Returns the children of ``obj`` for which the file has a node: child, node number and edge name."""
        children = self._nodes[node].children
        named_children = [
            (child, name if self._has_graph else name.replace(".S", "/"), name)
            for name, child in saved_children(obj).items()
        ]
        return [(child, children[edge], name) for child, edge, name in named_children if edge in children]

    def _match_nodes(self, queue: list[tuple[Any, int, str]]) -> None:
        matched: dict[int, tuple[Any, str]] = {}
        partly_matched: list[tuple[Any, int, set[str]]] = []
        for obj, node, path in queue:  # the loop extends the queue
            bound_object = matched[node][0] if node in matched else self._bound[node]() if node in self._bound else None
            if bound_object is not None:
                if bound_object is not obj:
                    _logger.warning(
                        "Inconsistent references when loading the checkpoint into this object graph: %r gets no value, as %r "
                        "is already what was saved as the same object.",
                        obj,
                        bound_object,
                    )
                continue
            matched[node] = obj, path
            child_edges = [] if isinstance(obj, Variable) else self._matching_children(obj, node)
            queue.extend((child, target, f"{path}/{name}" if path else name) for child, target, name in child_edges)
            if len(child_edges) < len(self._nodes[node].children):
                partly_matched.append((obj, node, {name for _, _, name in child_edges}))
        self._assign(matched)
        for obj, node, done in partly_matched:
            if self._values and not isinstance(obj, Variable):
                defer_values(obj, self, node, done)

    def _assign(self, matched: dict[int, tuple[Any, str]]) -> None:
        """Assigns values to matched objects: all, or none if one does not fit. Values of a later restoration stay."""
        variables: dict[str, Variable] = {}
        values: dict[str, np.ndarray] = {}
        states: list[tuple[Any, dict[str, np.ndarray]]] = []
        matched_sources: list[tuple[int, list[str]]] = []
        for node, (obj, path) in matched.items():
            source_names = self._nodes[node].values
            if isinstance(obj, Variable):
                matched_sources.append((node, [source for name, source in source_names.items() if not name]))
                if source_names.get("") in self._values and obj._restored < self.order:
                    variables[path], values[path] = obj, self._values[source_names[""]]
            elif hasattr(obj, "saves_state"):
                state_sources = {
                    name: source for name, source in source_names.items() if name and source in self._values
                }
                matched_sources.append((node, list(state_sources.values())))
                if state_sources:
                    states.append((obj, {name: self._values[source] for name, source in state_sources.items()}))
        misfit_messages = mismatch_messages(variables, values)
        if misfit_messages:
            has_shape_misfit = any(value.shape != variables[path]._array.shape for path, value in values.items())
            message = " ".join([*misfit_messages, "Nothing has been changed.", f"(The file is {self._source!r}.)"])
            raise ValueError(message) if has_shape_misfit else InvalidArgumentError(None, None, message)
        with parser_errors_as_one(self._source, "checkpoint of this program"):
            restore_states(states)
        for path, value in values.items():
            variables[path]._restore_value(value)
            variables[path]._restored = self.order
        self._bound.update({node: weakref.ref(obj) for node, (obj, _) in matched.items()})
        for node, sources in matched_sources:
            self.unmatched.difference_update(sources)
            if not self._has_graph or self._reference_counts[node] <= 1:  # no other path leads to these values
                for source in sources:
                    self._values.pop(source, None)


def restore_states(states: list[tuple[Any, dict[str, np.ndarray]]]) -> None:
    """Restores the states of objects: all, or none if an object rejects its state.

    Raises:
        ValueError: an array of a state differs in dtype or rank from the object's own state.
        Exception: an object rejects its state with this error.
    """
    old_states = [(obj, obj.state()) for obj, _ in states]
    for (obj, state), (_, own_state) in zip(states, old_states, strict=True):
        for name in state.keys() & own_state.keys():
            restored_array, own_array = state[name], own_state[name]
            if restored_array.dtype != own_array.dtype or restored_array.ndim != own_array.ndim:
                raise ValueError(
                    f"{name!r} of {type(obj).__name__} has dtype {restored_array.dtype} and shape {restored_array.shape}, expected {own_array.dtype} of {own_array.ndim} axes"
                )
    try:
        for obj, state in states:
            obj.restore(state)
    except Exception:
        for obj, state in old_states:
            obj.restore(state)
        raise


def _warn_about_unmatched_values(names: frozenset[str], unmatched: set[str]) -> None:
    unmatched_names = sorted(names & unmatched)
    if unmatched_names:
        _logger.warning(
            "A checkpoint was restored only in part. To silence this warning, use `status.expect_partial()`. No object was added "
            "for these values: %s",
            unmatched_names,
        )


def defer_values(obj: Any, restoration: Restoration, node: int, restored_edges: set[str]) -> None:
    """Stores in ``obj`` which values of ``node`` are still to restore: all edges except ``restored_edges``."""
    obj.__dict__.setdefault("_deferred", []).append((restoration, node, restored_edges))
    if isinstance(obj, DeferredRestorationOwner):
        for name in vars(obj).keys() - {"_deferred"}:
            obj.__dict__[name] = watch_containers(vars(obj)[name], obj)


def restore_deferred_values(obj: Any) -> None:
    """Restores deferred values to children that were added to ``obj``; the last restoration comes first.

    Raises:
        ValueError, InvalidArgumentError: as in ``Restoration.bind``.
    """
    records = obj.__dict__.get("_deferred")
    if records:
        for record in sorted(records, key=lambda record: -record[0].order):
            restoration, node, done = record
            if not restoration.resume(obj, node, done):
                records[:] = [other for other in records if other is not record]


class DeferredRestorationOwner:
    """The base of objects that restore checkpoint values to attributes, and items of lists and dicts, added later."""

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__dict__.get("_deferred"):
            object.__setattr__(self, name, watch_containers(value, self))
            restore_deferred_values(self)
        else:
            object.__setattr__(self, name, value)


def watch_containers(value: Any, owner: Any) -> Any:
    """Returns ``value`` with each list and dict replaced by a view that notifies ``owner`` of changes."""
    container_type = type(value)
    if container_type is list:
        return WatchedList(value, owner)
    if container_type is dict:
        return WatchedDict(value, owner)
    if container_type is tuple:
        items = tuple([watch_containers(item, owner) for item in value])
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


class _WatchedContainer:
    """A view of a list or dict and a subclass of its type; the inherited storage is a copy, for C code."""

    _owner: weakref.ref[Any] | None
    _origin: Any

    def __init__(self, origin: Any = (), owner: Any = None) -> None:
        self._owner = None if owner is None else weakref.ref(owner)
        self._origin = type(self).__mro__[2](origin) if owner is None else origin
        self._update_copy()

    def __reduce_ex__(self, protocol: Any) -> Any:
        builtin_type = type(self).__mro__[2]
        return builtin_type, (builtin_type(self._origin),)

    def _update_copy(self) -> Any:
        """Updates the inherited copy after a change, and wraps new lists and dicts in views; returns the owner."""
        owner = None if self._owner is None else self._owner()
        if owner is not None:
            for key in range(len(self._origin)) if isinstance(self, list) else list(self._origin):
                self._origin[key] = watch_containers(self._origin[key], owner)
        if isinstance(self, list):
            list.__setitem__(self, slice(None), self._origin)
        elif isinstance(self, dict):
            dict.clear(self)
            dict.update(self, self._origin)
        return owner


class WatchedList(_WatchedContainer, list):
    """A list that notifies its owner of changes."""


class WatchedDict(_WatchedContainer, dict):
    """A dict that notifies its owner of changes."""


_CHANGING_METHODS = frozenset(
    ["append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse", "update", "setdefault", "popitem"]
).union(["__setitem__", "__delitem__", "__iadd__", "__imul__", "__ior__"])
_INHERITED_METHODS = frozenset(
    ["__new__", "__init__", "__getattribute__", "__hash__", "__class_getitem__", "__sizeof__", "__doc__", "fromkeys"]
)


def _forwarding_method(method: Any, changes: bool) -> Any:
    """Returns a list or dict method for ``_WatchedContainer``: ``method`` of the original container, then an update."""

    @wraps(method)
    def forwarded(self: _WatchedContainer, *args: Any, **kwargs: Any) -> Any:
        result = method(self._origin, *args, **kwargs)
        owner = self._update_copy() if changes else None
        if owner is not None:
            restore_deferred_values(owner)
        return self if result is self._origin else result

    return forwarded


for _kind, _base in ((WatchedList, list), (WatchedDict, dict)):
    for _name in vars(_base).keys() - _INHERITED_METHODS:
        setattr(_kind, _name, _forwarding_method(vars(_base)[_name], _name in _CHANGING_METHODS))
