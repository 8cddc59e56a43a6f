"""Computes slopes of gelu beside gelu, if memory is not scarce.

The gradient of gelu computes the same function of the same argument as gelu: most of the work of a loop over elements, twice
a step. One loop with both computes it once. The backward pass then reads the slope instead of the argument.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad.compiler.passes.rewriting import row_name
from fastgrad.core.operation import TABLE

_SLOPE_ROW_OF_ACTIVATION = {"gelu": "gelu_slope", "gelu_tanh": "gelu_tanh_slope"}
_SLOPE_ROW_OF_GRADIENT_ROW = {"gelu_gradient": "gelu_slope", "gelu_tanh_gradient": "gelu_tanh_slope"}

_FLOAT32_AND_FLOAT64 = frozenset([np.dtype(np.float32), np.dtype(np.float64)])
# Narrower floats would round the slope; their gradient does not round it.


def share_activation_gradients(graph: Graph) -> Graph:
    """Returns the graph with gradients of gelu as products with a slope computed beside gelu; bit for bit the same.

    Args:
        graph: the graph; it is not changed.

    Returns:
        ``graph`` itself if there is no such gradient.
    """
    needed_slopes = {
        (_SLOPE_ROW_OF_GRADIENT_ROW[node.payload.name], id(node.inputs[1]))
        for node in graph.nodes
        if row_name(node) in _SLOPE_ROW_OF_GRADIENT_ROW
    }
    slopes: dict[tuple[str, int], Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        name = row_name(node) or ""
        x = node.inputs[-1] if name in _SLOPE_ROW_OF_ACTIVATION or name in _SLOPE_ROW_OF_GRADIENT_ROW else None
        if x is not None and x.dtype in _FLOAT32_AND_FLOAT64:
            key = _SLOPE_ROW_OF_ACTIVATION.get(name) or _SLOPE_ROW_OF_GRADIENT_ROW[name], id(x)
            if name in _SLOPE_ROW_OF_GRADIENT_ROW and key in slopes and node.inputs[0].shape == x.shape:
                node = replace(node, payload=TABLE["multiply"], inputs=(node.inputs[0], slopes[key]))
            elif name in _SLOPE_ROW_OF_ACTIVATION and key in needed_slopes and key not in slopes:
                nodes.append(node)
                slopes[key] = Value(x.shape, x.dtype, node.outputs[0].number)
                node = Node(Kind.OPERATION, TABLE[key[0]], (x,), (slopes[key],))
        nodes.append(node)
    return Graph(nodes, graph.results) if slopes else graph
