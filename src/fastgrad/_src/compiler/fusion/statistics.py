"""Mean and variance of a convolution's channels, for batch normalization, computed while each part is in the cache."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from fastgrad._src.compiler.fusion.epilogues import (
    ProductWithEpilogue,
    has_epilogue,
    launches_of_product,
    launches_with_epilogue,
)
from fastgrad._src.compiler.fusion.fused import Payload, graph_of, key_of
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.passes.rewriting import op_name
from fastgrad._src.core.operation import Form
from fastgrad._src.kernels.convolution.block_moments import launches_with_moments
from fastgrad._src.kernels.reduction.batch_moments import FLOATS
from fastgrad._src.kernels.runtime.launch import Launches, Output, Scratch


@dataclass(frozen=True)
class ConvolutionWithMoments(Payload):
    """The payload of a FUSED node that convolves and computes the moments of one of the results.

    The node's inputs are the convolution's. Its results are the convolution's, then mean and variance.

    Attributes:
        convolution: the node of the convolution, perhaps with a map that follows it.
        place: the number of the result that is measured.
    """

    convolution: Node
    place: int
    graph: Graph

    @property
    def name(self) -> str:
        """The names of the convolution's operations and of the moments, joined by "+"."""
        return f"{self.convolution.payload.name}+batch_moments"

    @property
    def key(self) -> Hashable:
        return key_of(self.convolution), self.place


def add_statistics(graph: Graph) -> Graph:
    """Returns the graph with the moments (mean, variance) of channels joined to their convolutions.

    Args:
        graph: fused, with its epilogues; it is not changed.
    """
    if not any(op_name(node) == "batch_moments" for node in graph.nodes):
        return graph
    convolutions: dict[int, tuple[Node, int]] = {}  # by value: its node, and the number of the node's result
    reshaped: dict[int, Node] = {}
    measured: dict[int, Node] = {}  # by convolution
    left_out: set[int] = set()
    for node in graph.nodes:
        if _is_convolution(node):
            convolutions.update({id(value): (node, position) for position, value in enumerate(node.outputs)})
        elif op_name(node) == "reshape":
            source = node.inputs[0]
            if id(source) in convolutions and node.outputs[0].shape[-1:] == source.shape[-1:]:
                convolutions[id(node.outputs[0])] = convolutions[id(source)]
                reshaped[id(node.outputs[0])] = node
        elif op_name(node) == "batch_moments" and id(node.inputs[0]) in convolutions:
            convolution, position = convolutions[id(node.inputs[0])]
            if id(convolution) in measured or not _has_convolution_layout(convolution, convolution.outputs[position]):
                continue
            measured[id(convolution)] = _joined_node(convolution, position, reshaped.get(id(node.inputs[0])), node)
            left_out.add(id(node))
    nodes = [measured.get(id(node), node) for node in graph.nodes if id(node) not in left_out]
    return Graph(nodes, graph.results)


def _is_convolution(node: Node) -> bool:
    """True if a node is a convolution whose kernel calls the operation after the convolution."""
    if isinstance(node.payload, ProductWithEpilogue):
        node = node.payload.node
        return node.payload.form is Form.CONVOLVE
    if not has_epilogue(node) or node.payload.form is not Form.CONVOLVE or 0 in node.outputs[0].shape:
        return False
    launches = launches_with_epilogue(node, None)
    return launches is not None and launches.launches[0].kernel.__name__ in ("slide", "slide_lanes")


def _has_convolution_layout(convolution: Node, value: Value) -> bool:
    """True if a value has the convolution's shape and layout, and a dtype that moments support."""
    plain_convolution = (
        convolution.payload.node if isinstance(convolution.payload, ProductWithEpilogue) else convolution
    )
    return value.shape == plain_convolution.outputs[0].shape and value.dtype.name in FLOATS and 0 not in value.shape


def _joined_node(convolution: Node, measured_result_number: int, reshape: Node | None, moments: Node) -> Node:
    nodes = [convolution, moments] if reshape is None else [convolution, reshape, moments]
    outputs = (*convolution.outputs, *moments.outputs)
    payload = ConvolutionWithMoments(convolution, measured_result_number, graph_of(nodes, convolution.inputs, outputs))
    return Node(Kind.FUSED, payload, convolution.inputs, outputs)


def launches_of_convolution_with_moments(payload: ConvolutionWithMoments) -> Launches:
    """Returns the launches of a convolution with its moments."""
    node = payload.convolution
    if isinstance(node.payload, ProductWithEpilogue):
        form = launches_of_product(node.payload)
    else:
        plain_launches = launches_with_epilogue(node, None)
        assert plain_launches is not None
        form = plain_launches
    value, results = node.outputs[payload.place], (Output(len(node.outputs)), Output(len(node.outputs) + 1))
    columns, scratch = value.shape[-1], Scratch(len(form.scratch))
    launches, size = launches_with_moments(
        form.launches[0], Output(payload.place), value.dtype, columns, scratch, results
    )
    return Launches(launches, (*form.scratch, (np.dtype(np.float64), size)), form.in_place)
