"""Index maps that only read elements in another order.

They cost nothing where their reader is a fused group, which reads through the layout. Others need a copy, which the
operation's own kernels make.
"""

from __future__ import annotations

from fastgrad.kernels.layout import Layout
from fastgrad.trace.graph import Node
from fastgrad.trace.passes.rewriting import row_name


def views_of(node: Node, layout: Layout) -> list[Layout] | None:
    """How the results of an operation are read from what its input is read from.

    Args:
        node: an operation.
        layout: of its first input, which has elements.

    Returns:
        A layout for each result; None if one of them is no view.
    """
    if node.payload.views is None or row_name(node) is None:
        return None
    results = [value.shape for value in node.outputs]
    if any(0 in shape for shape in results):
        return None
    found: list[Layout] | None = node.payload.views(layout, node.inputs[0].shape, results, **node.attributes)
    return found


def keeps_order(node: Node) -> bool:
    """Whether an index map gives the elements of its input in their order."""
    return row_name(node) in {"reshape", "stop_gradient"}
