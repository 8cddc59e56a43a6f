"""Index maps that only read elements in another order.

They cost nothing if their reader is a fused group, which reads through the layout. Other readers need a copy, which the
operation's own kernels make.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgrad._src.compiler.fusion.fused import Fused, Source, graph_of
from fastgrad._src.compiler.graph.graph import Kind, Node, Value
from fastgrad._src.kernels.movement.layout import Layout, contiguous, strides_after_split
from fastgrad._src.kernels.movement.strided import strided_copy_launch
from fastgrad._src.kernels.runtime.launch import Input, Output


class View(NamedTuple):
    """A view: a value that is its base read through a layout.

    Attributes:
        base: the other value.
        layout: how it is read.
        nodes: the index maps from the base to the value.
    """

    base: Value
    layout: Layout
    nodes: tuple[Node, ...]


def view_layouts(node: Node, layout: Layout) -> list[Layout] | None:
    """Returns the layouts by which the results of an operation are read from the base of its input.

    Args:
        node: an operation.
        layout: of its first input, which has elements.

    Returns:
        A layout for each result; None if one of them is no view.
    """
    if node.lowering.index_map.views is None:
        return None
    results = [value.shape for value in node.outputs]
    if any(0 in shape for shape in results):
        return None
    layouts: list[Layout] | None = node.lowering.index_map.views(
        layout, node.inputs[0].shape, results, **node.attributes
    )
    return layouts


def has_copy_kernel(layout: Layout, value: Value) -> bool:
    """True if there is a kernel that copies the elements of a layout."""
    return strided_copy_launch(Input(0), Output(0), value.dtype, layout, contiguous(layout.total)) is not None


def copy_node(value: Value, view: View) -> Node:
    """Returns the node that copies a view's elements to an array."""
    sizes = tuple([size for size, _ in view.layout.dims]) or (1,)
    source = Source(0, view.layout.offset, strides_after_split(view.layout, sizes), value.dtype, False)
    graph = graph_of(view.nodes, (view.base,), (value,))
    payload = Fused(sizes, "k" * len(sizes), (source,), (), (0,), np.dtype(np.float32), graph)
    return Node(Kind.FUSED, payload, (view.base,), (value,))
