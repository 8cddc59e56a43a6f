"""Moves a common scale of all gradients, as from clipping by their global norm, into the update that reads them.

An update of several variables is one kernel, which takes no map before it: the scaling would be a pass over each gradient.
A gradient with no other reader stays as it is: it may be scaled where it is made, and its update may follow there
(fusion/product_updates.py).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fastgrad.compiler.graph.graph import Graph, Node, Value, uses_of
from fastgrad.compiler.passes.drop_dead import drop_dead
from fastgrad.compiler.passes.rewriting import row_name
from fastgrad.kernels.optimizers.update_rule import FLOATS, RULES

NodeByValue = dict[int, Node]
"""The node of each value, by the value's `id`."""


def scale_in_updates(graph: Graph) -> Graph:
    """Returns the graph with the scale in the updates; bit for bit the same.

    Args:
        graph: the graph; it is not changed.
    """
    uses, makers = uses_of(graph), {id(value): node for node in graph.nodes for value in node.outputs}
    nodes = [_scaled_update(node, makers, uses) if row_name(node) == "apply_update" else node for node in graph.nodes]
    changed = any(new is not old for new, old in zip(nodes, graph.nodes, strict=True))
    return drop_dead(Graph(nodes, graph.results)) if changed else graph


def _scaled_update(update: Node, makers: NodeByValue, uses: dict[int, int]) -> Node:
    """Returns the update that scales its gradients, if one number scales all of them for this update alone."""
    count = update.attributes["count"]
    gradients_start = len(RULES[update.attributes["rule"]].state) * count
    unscaled = [
        _gradient_and_scale(value, makers)
        for value in update.inputs[gradients_start : gradients_start + count]
        if uses[id(value)] == 1
    ]
    scaled_gradients = [pair for pair in unscaled if pair is not None and uses[id(pair[0])] > 1]
    if len(scaled_gradients) < count or len({id(factor) for _, factor in scaled_gradients}) > 1:
        return update
    gradients, factor = [gradient for gradient, _ in scaled_gradients], scaled_gradients[0][1]
    inputs = (*update.inputs[:gradients_start], *gradients, factor, *update.inputs[gradients_start + count :])
    return replace(update, inputs=inputs, attributes=update.attributes | {"scaled": True})


def _gradient_and_scale(value: Value, makers: NodeByValue) -> tuple[Value, Value] | None:
    """Returns the gradient and the float64 scale whose product is a value; None if it is no such product."""
    node = makers[id(value)]
    if row_name(node) != "multiply" or value.dtype.name not in FLOATS:
        return None
    gradient, number = node.inputs
    if number.shape or gradient.shape != value.shape:
        return None
    if number.dtype != np.float64:
        cast = makers[id(number)]
        if row_name(cast) != "cast" or cast.inputs[0].dtype != np.float64:
            return None
        number = cast.inputs[0]
    return gradient, number
