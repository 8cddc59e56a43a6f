"""Updates that follow the products that make their gradients: each part of a gradient is used while it is in the cache."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from fastgrad.kernels.products.steps import product_launches
from fastgrad.kernels.running.launch import Input, Launch, Launches, Output, Scratch
from fastgrad.kernels.updating.optimizers import FLOATS, RULES
from fastgrad.trace.graphs.graph import Graph, Kind, Node, Value, uses_of
from fastgrad.trace.graphs.interpret import interpret
from fastgrad.trace.passes.expand_updates import with_updates_apart
from fastgrad.trace.passes.rewriting import row_name

LARGE = 1 << 13
"""Elements of a variable from which on it is worth a step of its own."""


@dataclass(frozen=True)
class UpdatedProduct:
    """What a FUSED node does that multiplies matrices and updates a variable by the product.

    The node's inputs are the matrices, the variable's weights and slots, and the rule's numbers; its results the new weights
    and slots.

    Attributes:
        product: the node of the product.
        rule: the name of the update's.
        graph: all of it as a program of its own, with the node's inputs as its arguments.
    """

    product: Node
    rule: str
    graph: Graph

    @property
    def name(self) -> str:
        """The names of its operations."""
        return f"{self.product.payload.name}+apply_update"

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """What the node gives, step by step: the measure for its kernels."""
        return tuple(interpret(self.graph, arrays))


def add_product_updates(graph: Graph) -> Graph:
    """The graph with updates as parts of the products that give their gradients, and nobody else anything.

    Args:
        graph: fused; left as it is.
    """
    if not any(row_name(node) == "apply_update" for node in graph.nodes):
        return graph
    uses = uses_of(graph)
    products = {
        id(node.outputs[0]): node
        for node in graph.nodes
        if row_name(node) == "matmul" and uses[id(node.outputs[0])] == 1 and _is_large(node)
    }
    taken: set[int] = set()

    def joined(update: Node, gradient: Value) -> list[Node] | None:
        product = products.get(id(gradient))
        if product is None:
            return None
        taken.add(id(product))
        return [_joined(product, update)]

    found = with_updates_apart(graph, joined)
    return Graph([node for node in found.nodes if id(node) not in taken], graph.results)


def _is_large(product: Node) -> bool:
    value = product.outputs[0]
    if value.dtype.name not in FLOATS or prod(value.shape) < LARGE:
        return False
    return product_launches(product.inputs, **product.attributes).launches[0].kernel.__name__ == "gemm"


def _joined(product: Node, update: Node) -> Node:
    kinds = len(RULES[update.attributes["rule"]].state)
    state, numbers = update.inputs[:kinds], update.inputs[kinds + 1 :]
    inputs = (*product.inputs, *state, *numbers)
    arguments = [Value(value.shape, value.dtype, value.number) for value in inputs]
    (gradient,) = product.outputs
    nodes = [Node(Kind.ARGUMENT, i, (), (value,)) for i, value in enumerate(arguments)]
    nodes.append(replace(product, inputs=tuple(arguments[:2])))
    nodes.append(replace(update, inputs=(*arguments[2 : 2 + kinds], gradient, *arguments[2 + kinds :])))
    payload = UpdatedProduct(product, update.attributes["rule"], Graph(nodes, update.outputs))
    return Node(Kind.FUSED, payload, inputs, update.outputs)


def launches_of_updated(payload: UpdatedProduct, apart: bool = False) -> Launches:
    """What a product with its update runs in a program; the update comes after the product's kernel if ``apart``, else within it."""
    rule, product = RULES[payload.rule], payload.product
    (gradient,) = product.outputs
    size, kinds = prod(gradient.shape), len(rule.state)
    state = [Output(i) for i in range(kinds)]
    numbers = [Input(2 + kinds + i) for i in range(len(rule.given))]

    def found_with(gradient_place: Scratch) -> tuple[Launch, Launches]:
        operands = *state, gradient_place, *numbers
        following = Launch(rule.elements[gradient.dtype], operands, size, rule.nanoseconds)
        return following, product_launches(product.inputs, **product.attributes, following=None if apart else following)

    gradient_place = Scratch(len(found_with(Scratch(0))[1].scratch))  # behind the product's own
    following, found = found_with(gradient_place)
    launches = [
        launch.on(tuple([gradient_place if type(operand) is Output else operand for operand in launch.operands]))
        for launch in found.launches
    ]
    launches += [following] if apart else []
    pairs = tuple([(i, 2 + i) for i in range(kinds)])
    return Launches(tuple(launches), (*found.scratch, (gradient.dtype, size)), in_place=pairs, starts_as=pairs)
