"""Computes the derivative of an activation together with the activation, if memory is not scarce.

The gradient of gelu computes the same function of the same argument as gelu. That is most of the work of the loop, and it is done twice in each
step. One loop for both computes the function once. The backward pass then reads the derivative instead of the argument.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.core.operation import TABLE, Operation

_FLOAT32_AND_FLOAT64 = frozenset([np.dtype(np.float32), np.dtype(np.float64)])
# Narrower floats would round the slope; their gradient does not round it.


def share_activation_gradients(graph: Graph) -> Graph:
    """Returns the graph with gradients of activations as products with slopes, with the same bits.

    The slope is computed beside the activation.

    Args:
        graph: the graph; it is not changed.

    Returns:
        ``graph`` itself if there is no such gradient.
    """
    needed_slopes = {
        (slope_operation, id(node.inputs[1]))
        for node in graph.nodes
        if (slope_operation := node.lowering.elementwise.derivative) is not None and len(node.inputs) == 2
    }
    slopes: dict[tuple[Operation, int], Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        slope_operation, x = node.lowering.elementwise.derivative, node.inputs[-1] if node.inputs else None
        if slope_operation is not None and x is not None and x.dtype in _FLOAT32_AND_FLOAT64:
            key = slope_operation, id(x)
            if len(node.inputs) == 2:
                if key in slopes and node.inputs[0].shape == x.shape:
                    node = replace(node, payload=TABLE["multiply"], inputs=(node.inputs[0], slopes[key]))
            elif key in needed_slopes and key not in slopes:
                nodes.append(node)
                slopes[key] = Value(x.shape, x.dtype, node.outputs[0].number)
                node = Node(Kind.OPERATION, slope_operation, (x,), (slopes[key],))
        nodes.append(node)
    return Graph(nodes, graph.results) if slopes else graph
