"""Constant folding: computes operations on constants at compile time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import prod

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.graph.interpret import outcome_of, run_node
from fastgrad._src.compiler.passes.rewriting import is_pure, rewritten

MOST_FOLDED_BYTES = 1 << 16
"""The most bytes of a folded constant; it may also be as large as the largest constant that it is computed from."""


def fold_constants(graph: Graph) -> Graph:
    """Returns the graph with constants in place of operations whose inputs are all constants.

    Operations with an effect or several results, operations on strings, and operations with a large result stay. Guards on
    constants are removed.

    Args:
        graph: the graph; it is not changed.
    """
    constants: dict[int, Callable[[], np.ndarray]] = {}

    def fold(node: Node) -> Node | tuple[Value, ...]:
        if node.kind is Kind.CONSTANT:
            constants[id(node.outputs[0])] = lambda: node.payload
            return node
        for value in node.inputs:  # `all` of a generator takes three times as long
            if id(value) not in constants:
                return node
        if node.kind is Kind.GUARD:
            passes = outcome_of(node, constants[id(node.inputs[0])]()) == node.payload[1]
            return () if passes else node
        if not is_pure(node) or len(node.outputs) != 1:
            return node
        (output,) = node.outputs
        inputs = [constants[id(value)]() for value in node.inputs]
        if node.lowering.index_map.broadcasts:
            # It stays at any size: its reader evaluates it, so that it costs no memory. It is computed at each use.
            constants[id(output)] = partial(_folded_node, node, inputs)
            return node
        if not _is_small(output, inputs):
            return node
        result = _folded_node(node, inputs)
        if result.base is not None or any(result is array for array in inputs):
            result = result.copy()  # a view would keep a larger array alive
        constants[id(output)] = lambda: result
        return replace(node, kind=Kind.CONSTANT, payload=result, inputs=(), attributes={})

    return rewritten(graph, fold)


def _is_small(output: Value, inputs: list[np.ndarray]) -> bool:
    if output.dtype.kind == "O":
        return False  # the lengths of strings are unknown
    size = prod(output.shape) * output.dtype.itemsize
    # A broadcast array (with a stride of 0) does not count: its memory is as small as a scalar.
    return size <= max([MOST_FOLDED_BYTES, *[array.nbytes for array in inputs if 0 not in array.strides]])


def _folded_node(node: Node, inputs: list[np.ndarray]) -> np.ndarray:
    return np.asarray(run_node(node, inputs)[0])
