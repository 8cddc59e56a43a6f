"""Moves transposes of the results of convolutions and pools below the operations that follow, so that they cancel.

Convolution and pooling have their channels last; with ``"NCHW"`` each of them is between two transposes. Later element-wise operations
and reductions are computed in its layout. So the transpose after a layer meets the transpose before the next layer,
and both cancel: a network of such layers transposes only at its ends. Element-wise operations and moments fuse with convolutions, as with
channels last.

Results change by rounding at most: a sum may be added up in another order. Other transposes stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value, uses_of
from fastgrad._src.compiler.passes.drop_dead import drop_dead
from fastgrad._src.compiler.passes.rewriting import is_pure, op_name
from fastgrad._src.core.operation import TABLE, Form
from fastgrad._src.ops.shaping import inverse_permutation, permuted_back

Perm = tuple[int, ...]
Shape = tuple[int, ...]


_CONVOLUTION_FORMS = (Form.CONVOLVE, Form.POOL)


class DeferredTranspose(NamedTuple):
    """A value that is a deferred transpose of another value.

    Attributes:
        base: the other value.
        perm: dimension i of the value is dimension ``perm[i]`` of the base.
    """

    base: Value
    perm: Perm


def sink_transposes(graph: Graph) -> Graph:
    """Returns the graph with transposes of the results of convolutions and pools moved down or removed.

    Args:
        graph: its composites expanded; it is not changed.

    Returns:
        ``graph`` itself if more elements would be moved than before.
    """
    if not any(_is_convolution_or_pool(node) for node in graph.nodes) or not any(
        op_name(node) == "transpose" for node in graph.nodes
    ):
        return graph
    sinker = _TransposeSinker(graph)
    for node in graph.nodes:
        sinker.add_node(node)
    better = drop_dead(Graph(sinker.nodes, [sinker.new_value(value) for value in graph.results]))
    # If many readers need a value transposed, one transpose at the value costs less than several after it.
    return better if _transposed_element_count(better) <= _transposed_element_count(graph) else graph


def _transposed_element_count(graph: Graph) -> int:
    return sum([prod(node.outputs[0].shape) for node in graph.nodes if op_name(node) == "transpose"])


def _is_convolution_or_pool(node: Node) -> bool:
    return node.kind is Kind.OPERATION and node.payload.form in _CONVOLUTION_FORMS and op_name(node) is not None


def _keeps_layout(node: Node) -> bool:
    return is_pure(node) and (node.payload.form is Form.ELEMENTWISE or node.payload.name == "reshape")


class _TransposeSinker:
    """One pass over a graph that defers transposes as far down as possible.

    Attributes:
        nodes: the nodes of the new graph so far.
    """

    def __init__(self, graph: Graph) -> None:
        self.nodes: list[Node] = []
        self._uses = uses_of(graph)
        self._transposed_later = _values_transposed_later(graph)
        self._stands_for: dict[int, Value] = {}
        self._channels_last_ids: set[int] = set()  # results of windows, and values computed in their layout
        self._deferred: dict[int, DeferredTranspose] = {}
        self._producers: dict[int, Node] = {}
        self._known_transposes: dict[tuple[int, Perm], Value] = {}  # transposes in the new graph

    def add_node(self, node: Node) -> None:
        """Adds the next node to the new graph, or defers its transpose."""
        inputs = tuple([self._stands_for.get(id(value), value) for value in node.inputs])
        rule = self._sinking_rule(node)
        if rule is not None and rule(replace(node, inputs=inputs)):
            return
        inputs = tuple(map(self.new_value, inputs))
        self._add(node if inputs == node.inputs else replace(node, inputs=inputs))
        if _is_convolution_or_pool(node) or (_keeps_layout(node) and self._is_channels_last(inputs, node.outputs[0])):
            self._channels_last_ids.update(map(id, node.outputs))
        elif op_name(node) == "transpose":
            self._known_transposes[id(inputs[0]), node.attributes["perm"]] = node.outputs[0]

    def new_value(self, value: Value) -> Value:
        """Returns the value of the new graph for a value of the old one; adds its deferred transpose."""
        value = self._stands_for.get(id(value), value)
        if id(value) in self._deferred and id(value) not in self._producers:
            base, perm = self._deferred[id(value)]
            self._add(_operation_node("transpose", (base,), (value,), perm=perm))
        return value

    def _is_channels_last(self, inputs: tuple[Value, ...], result: Value) -> bool:
        return any(id(x) in self._channels_last_ids and prod(x.shape) == prod(result.shape) for x in inputs)

    def _sinking_rule(self, node: Node) -> Callable[[Node], bool] | None:
        """Returns the rule that moves the transposes of a node's inputs below the node; None if there is none."""
        if not is_pure(node):
            return None
        name, form = op_name(node), node.payload.form
        if form is Form.ELEMENTWISE:
            return self._sink_below_elementwise
        if form is Form.REDUCE and node.attributes.keys() == {"axes", "keepdims"}:
            return self._sink_below_reduction
        if node.lowering.index_map.transposed is not None:
            return self._sink_below_index_map
        if name == "transpose":
            return self._merge_transpose
        return self._sink_below_reshape if name == "reshape" else None

    def _add(self, node: Node) -> None:
        self.nodes.append(node)
        for value in node.outputs:
            self._producers[id(value)] = node

    def _add_and_defer_transpose(self, node: Node, perm: Perm, **attributes: Any) -> bool:
        """Adds a node in the layout before the deferred transpose, and defers the transpose of its results.

        Args:
            node: the node, with its inputs in that layout, and its old attributes and results.
            perm: of the transpose.
            **attributes: the new attributes.
        """
        outputs = tuple([Value(permuted_back(y.shape, perm), y.dtype, y.number) for y in node.outputs])
        self._add(replace(node, outputs=outputs, attributes={**node.attributes, **attributes}))
        for value, base in zip(node.outputs, outputs, strict=True):
            self._deferred[id(value)] = DeferredTranspose(base, perm)
            self._channels_last_ids.add(id(base))
        return True

    # ---- rules -------------------------------------------------------------------------------------------

    def _merge_transpose(self, node: Node) -> bool:
        (x,), (y,), perm = node.inputs, node.outputs, node.attributes["perm"]
        base, earlier_perm = self._deferred.get(id(x), (x, None))
        if earlier_perm is None and id(x) not in self._channels_last_ids:
            return False
        perm = perm if earlier_perm is None else tuple([earlier_perm[axis] for axis in perm])
        if perm == tuple(range(len(perm))):
            self._stands_for[id(y)] = base
        else:
            self._deferred[id(y)] = DeferredTranspose(base, perm)
        return True

    def _sink_below_elementwise(self, node: Node) -> bool:
        shape = node.outputs[0].shape
        perm = next(
            (self._deferred[id(x)].perm for x in node.inputs if id(x) in self._deferred and x.shape == shape), None
        )
        if perm is None:
            return False
        other_inputs = [x for x in node.inputs if x.shape == shape and id(x) not in self._deferred]
        may_transpose = len(other_inputs) == 1 and id(node.outputs[0]) in self._transposed_later
        inputs = self._operands_before_transpose(node.inputs, perm, shape, may_transpose)
        return inputs is not None and self._add_and_defer_transpose(replace(node, inputs=inputs), perm)

    def _sink_below_reduction(self, node: Node) -> bool:
        (x,), (y,) = node.inputs, node.outputs
        if id(x) not in self._deferred:
            return False
        base, perm = self._deferred[id(x)]
        axes = tuple(sorted([perm[axis] for axis in node.attributes["axes"]]))
        kept_axes = [axis for i, axis in enumerate(perm) if i not in node.attributes["axes"]]
        if kept_axes != sorted(kept_axes):
            return False
        small = tuple([base.shape[axis] for axis in kept_axes])
        result = y if small == y.shape else Value(small, y.dtype, y.number)
        self._add(replace(node, inputs=(base,), outputs=(result,), attributes={"axes": axes, "keepdims": False}))
        if result is not y:
            self._add(_operation_node("reshape", (result,), (y,), shape=y.shape))
        return True

    def _sink_below_index_map(self, node: Node) -> bool:
        """Applies the rule ``transposed`` of a node's row, if all inputs are transposed in the same way."""
        perms = {self._deferred[id(x)].perm for x in node.inputs if id(x) in self._deferred}
        if len(perms) != 1:
            return False
        (perm,) = perms
        assert node.lowering.index_map.transposed is not None
        attributes = node.lowering.index_map.transposed(perm, node.inputs[0].shape, **node.attributes)
        if attributes is None:
            return False
        inputs = self._operands_before_transpose(node.inputs, perm, None, may_transpose=False)
        return inputs is not None and self._add_and_defer_transpose(replace(node, inputs=inputs), perm, **attributes)

    def _sink_below_reshape(self, node: Node) -> bool:
        transposed, shape = self._deferred.get(id(node.inputs[0])), node.outputs[0].shape
        perm = None if transposed is None else _perm_below_reshape(node.inputs[0].shape, shape, transposed.perm)
        if transposed is None or perm is None:
            return False
        return self._add_and_defer_transpose(
            replace(node, inputs=(transposed.base,)), perm, shape=permuted_back(shape, perm)
        )

    # ---- values before a transpose -------------------------------------------------------------------------

    def _operands_before_transpose(
        self, values: tuple[Value, ...], perm: Perm, shape: Shape | None, may_transpose: bool
    ) -> tuple[Value, ...] | None:
        """Returns the untransposed operands of an operation; None if an operand has no untransposed value.

        Args:
            values: the operands.
            perm: of the transpose.
            shape: the shape that the operands are broadcast to; None if they keep their shapes.
            may_transpose: whether an operand may be transposed for this.
        """
        operands = []
        for value in values:
            operand = self._operand_before_transpose(
                value, perm, value.shape if shape is None else shape, may_transpose
            )
            if operand is None:
                return None
            operands.append(operand)
        return tuple(operands)

    def _operand_before_transpose(self, value: Value, perm: Perm, shape: Shape, may_transpose: bool) -> Value | None:
        """Returns the value to use before a transpose in place of an operand after it.

        Args:
            value: the operand.
            perm: of the transpose.
            shape: the shape that the operand is broadcast to.
            may_transpose: whether the operand may be transposed for this.

        Returns:
            None if there is none, or only at the cost of a transpose.
        """
        if not value.shape:
            return self.new_value(value)
        deferred = self._deferred.get(id(value))
        if deferred is not None and deferred.perm == perm:
            return deferred.base
        producer = self._producers.get(id(value))
        if producer is not None and op_name(producer) == "transpose" and producer.attributes["perm"] == perm:
            return producer.inputs[0]
        transposed = self._known_transposes.get((id(value), inverse_permutation(perm)))
        if transposed is not None:
            return transposed
        if deferred is None and value.shape == shape:
            repeated = self._transposed_copy(value, perm, may_transpose)
            return self._transposed_value(value, perm) if repeated is None and may_transpose else repeated
        return self._reshape_for_transpose(self.new_value(value), perm)

    def _reshape_for_transpose(self, value: Value, perm: Perm) -> Value | None:
        """Returns a reshape in place of the transpose, if ``perm`` only moves axes of size 1; else None."""
        padded = (1,) * (len(perm) - len(value.shape)) + value.shape
        order = [axis for axis, size in zip(perm, padded, strict=True) if size != 1]
        return self._reshape_value(value, permuted_back(padded, perm)) if order == sorted(order) else None

    def _reshape_value(self, value: Value, shape: Shape) -> Value:
        producer = self._producers.get(id(value))
        while producer is not None and op_name(producer) == "reshape":
            (value,) = producer.inputs
            producer = self._producers.get(id(value))
        trimmed = shape
        while trimmed[:1] == (1,) and trimmed != value.shape:
            trimmed = trimmed[1:]
        if trimmed == value.shape:
            return value
        result = Value(shape, value.dtype, value.number)
        self._add(_operation_node("reshape", (value,), (result,), shape=shape))
        return result

    def _transposed_value(self, value: Value, perm: Perm) -> Value:
        result = Value(permuted_back(value.shape, perm), value.dtype, value.number)
        self._add(_operation_node("transpose", (value,), (result,), perm=inverse_permutation(perm)))
        self._known_transposes[id(value), inverse_permutation(perm)] = result
        return result

    def _transposed_copy(self, value: Value, perm: Perm, may_transpose: bool) -> Value | None:
        """Returns a transposed copy of a constant, a broadcast, or an element-wise result with one reader; else None."""
        producer = self._producers.get(id(value))
        if producer is None:
            return None
        result = Value(permuted_back(value.shape, perm), value.dtype, value.number)
        if producer.kind is Kind.CONSTANT:
            array = np.ascontiguousarray(producer.payload.transpose(inverse_permutation(perm)))
            self._add(Node(Kind.CONSTANT, array, (), (result,)))
            return result
        if producer.lowering.index_map.broadcasts:
            source = producer.inputs[0]
            shape, axes = source.shape, producer.attributes.get("axes", ())
            if axes and len(shape) != len(perm):
                sizes = iter(shape)
                shape = tuple([1 if axis in axes else next(sizes) for axis in range(len(perm))])
            source = self._reshape_value(source, shape)
            small = self._reshape_for_transpose(source, perm)
            if small is None:
                return None
            self._add(_operation_node("broadcast_to", (small,), (result,), shape=result.shape))
            return result
        if not is_pure(producer) or producer.payload.form is not Form.ELEMENTWISE or self._uses[id(value)] != 1:
            return None
        inputs = self._operands_before_transpose(producer.inputs, perm, value.shape, may_transpose)
        if inputs is None:
            return None
        self._add(replace(producer, inputs=inputs, outputs=(result,)))
        return result


def _perm_below_reshape(shape: Shape, parts: Shape, perm: Perm) -> Perm | None:
    """Returns the transpose to defer below a reshape.

    Args:
        shape, parts: the shapes before and after the reshape.
        perm: the transpose that is deferred above it.

    Returns:
        None if the reshape merges dimensions that are not adjacent before the transpose. None also if the channels, which are
        last there, do not stay together: groups of them are contiguous only after the transpose.
    """
    if 0 in shape or not shape:
        return None
    anchors: list[int] = []  # for each new dimension one that it is a part of, before the transpose
    i = 0
    while i < len(shape) and len(anchors) < len(parts):
        start, size, new_size, count = i, shape[i], parts[len(anchors)], 1
        i += 1
        while size != new_size:
            if size < new_size:
                size *= shape[i]
                i += 1
            else:
                new_size *= parts[len(anchors) + count]
                count += 1
        axes = [perm[axis] for axis in range(start, i) if shape[axis] != 1] or [perm[start]]
        if axes != list(range(axes[0], axes[0] + len(axes))):
            return None
        if (
            axes[-1] == len(shape) - 1
            and max(parts[len(anchors) : len(anchors) + count]) != shape[perm.index(axes[-1])]
        ):
            return None
        anchors += [axes[0]] * count
    anchors += anchors[-1:] * (len(parts) - len(anchors))
    order = sorted(range(len(parts)), key=anchors.__getitem__)
    return inverse_permutation(tuple(order))


def _values_transposed_later(graph: Graph) -> set[int]:
    """Returns the ids of values that reach a transpose through element-wise operations only."""
    values: set[int] = set()
    for node in reversed(graph.nodes):
        if op_name(node) == "transpose" or (
            is_pure(node) and node.payload.form is Form.ELEMENTWISE and id(node.outputs[0]) in values
        ):
            values.update(map(id, node.inputs))
    return values


def _operation_node(name: str, inputs: tuple[Value, ...], outputs: tuple[Value, ...], **attributes: Any) -> Node:
    return Node(Kind.OPERATION, TABLE[name], inputs, outputs, attributes)
