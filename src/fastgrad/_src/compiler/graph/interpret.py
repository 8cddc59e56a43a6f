"""The interpreter: runs a graph operation by operation; slower than compiled, and the reference for correct results."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node
from fastgrad._src.core.floating_errors import QUIET, reset_float_errors, set_float_errors
from fastgrad._src.core.placement import device_of, run_on_host


class GuardError(Exception):
    """A guard has another value than in the recording; nothing has been changed.

    Attributes:
        node: the guard.
        found: the new value.
    """

    def __init__(self, node: Node, found: Any) -> None:
        super().__init__(f"{node}: found {found}")
        self.node = node
        self.found = found


def outcome_of(guard: Node, array: np.ndarray) -> bool | int:
    """Returns the value that a guard checks, as a bool or an int."""
    scalar = array.reshape(())
    return bool(scalar) if guard.payload[0] == "bool" else int(scalar)


def run_node(node: Node, arrays: Sequence[Any]) -> tuple[Any, ...]:
    """Returns the results of one operation on arrays."""
    token = set_float_errors(QUIET)
    try:
        results = node.payload.run(*arrays, **node.attributes)
    finally:
        reset_float_errors(token)
    return results if type(results) is tuple else (results,)


def interpret(graph: Graph, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Runs a graph on arrays.

    Args:
        graph: the graph.
        arguments: for each argument of the recording an array of the same shape and dtype.

    Returns:
        The results, none of which shares memory with a variable.

    Raises:
        GuardError: a guard has another value than in the recording. In a graph with guards after changes of state, these
            changes have happened by then; programs make them at the end (``passes/stage_state.py``).
    """
    if any(map(device_of, arguments)):
        return run_on_host(functools.partial(interpret, graph), arguments)
    token = set_float_errors(QUIET)
    try:
        return _run_nodes(graph, arguments)
    finally:
        reset_float_errors(token)


def _run_nodes(graph: Graph, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
    values: dict[int, np.ndarray] = {}
    for node in graph.nodes:
        result: Any = ()
        match node.kind:
            case Kind.ARGUMENT:
                result = arguments[node.payload]
            case Kind.CONSTANT:
                result = node.payload
            case Kind.READ:
                result = node.payload._array.copy()  # a later assignment must not change it or its views
            case Kind.OPERATION:
                inputs = [values[id(value)] for value in node.inputs]
                result = node.payload.run(*inputs, **node.attributes)
            case Kind.FUSED:
                result = node.payload.run(*[values[id(value)] for value in node.inputs])
            case Kind.ASSIGN:
                node.payload.assign(values[id(node.inputs[0])].copy())
            case Kind.GUARD:
                outcome = outcome_of(node, values[id(node.inputs[0])])
                if outcome != node.payload[1]:
                    raise GuardError(node, outcome)
        outputs = result if type(result) is tuple else (result,)
        for value, array in zip(node.outputs, outputs, strict=False):
            values[id(value)] = array if type(array) is np.ndarray else np.asarray(array)
    return [values[id(value)].copy() for value in graph.results]
