"""Kernels of one element-wise operation, for eager execution of large arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad._src.compiler.fusion.emit import launches_of_group
from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.fusion.fused import Fused
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.passes.keep_eager_bits import has_bits_of_eager
from fastgrad._src.core.operation import Operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.kernels.runtime.launch import Launches, Spec


def single_operation_launches(
    row: Operation, inputs: Sequence[Spec], output: ArraySpec, attributes: dict[str, Any]
) -> tuple[Launches, tuple[int, ...]] | None:
    """Returns the launches of an element-wise operation, and the numbers of the inputs that they take, in order.

    Args:
        row: the operation.
        inputs: its inputs, C-contiguous.
        output: its result.
        attributes: its attributes.

    Returns:
        None if there is no kernel with the bits of ``row.run``.
    """
    values = [Value(tuple(x.shape), x.dtype, number) for number, x in enumerate(inputs)]
    result = Value(tuple(output.shape), output.dtype, len(values))
    node = Node(Kind.OPERATION, row, tuple(values), (result,), attributes)
    if not has_bits_of_eager(node):
        return None
    arguments = [Node(Kind.ARGUMENT, number, (), (value,)) for number, value in enumerate(values)]
    last = fuse(Graph([*arguments, node], [result])).nodes[-1]
    if last.kind is not Kind.FUSED or not isinstance(last.payload, Fused):
        return None
    return launches_of_group(last.payload), tuple([values.index(value) for value in last.inputs])
