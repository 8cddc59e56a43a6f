"""Joins optimizer updates to the products that compute their gradients: an update reads each part of a gradient from the cache."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from math import prod

from fastgrad._src.compiler.fusion.epilogues import ProductWithEpilogue, launches_of_product
from fastgrad._src.compiler.fusion.fused import Payload, graph_of, key_of
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value, uses_of
from fastgrad._src.compiler.passes.decompose_updates import split_updates
from fastgrad._src.compiler.passes.rewriting import is_matrix_product, op_name
from fastgrad._src.kernels.gemm.steps import product_launches
from fastgrad._src.kernels.optimizers.update_rule import FLOATS, RULES
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch

LEAST_UPDATED_ELEMENTS = 1 << 13
"""The smallest number of elements of a variable whose update is a separate step."""


@dataclass(frozen=True)
class UpdatedProduct(Payload):
    """The payload of a FUSED node that multiplies matrices and updates a variable by the product.

    The node's inputs are those of the product, the variable's weights and slots, and the rule's numbers. Its results are the new
    weights and slots.

    Attributes:
        product: the node of the product, perhaps with a map that follows it.
        rule: the name of the update's rule.
        again: pairs (state, input): a result, and an input of the product that is the result's old value, as in weight decay.
    """

    product: Node
    rule: str
    graph: Graph
    again: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        """The names of the product's operations and of the update, joined by "+"."""
        return f"{self.product.payload.name}+apply_update"

    @property
    def key(self) -> Hashable:
        return key_of(self.product), self.rule, self.again


def add_product_updates(graph: Graph) -> Graph:
    """Returns the graph with updates joined to the products of their gradients, if no other node reads the gradients.

    Args:
        graph: fused; it is not changed.
    """
    if not any(op_name(node) == "apply_update" for node in graph.nodes):
        return graph
    uses = uses_of(graph)
    products = {
        id(node.outputs[0]): node
        for node in graph.nodes
        if _is_single_product(node) and uses[id(node.outputs[0])] == 1 and _is_large(node)
    }
    joined_ids: set[int] = set()

    def join_update(update: Node, gradient: Value) -> list[Node]:
        product = products[id(gradient)]
        joined_ids.add(id(product))
        return [_joined_node(product, update)]

    new_graph = split_updates(graph, lambda gradient: id(gradient) in products, join_update)
    return Graph([node for node in new_graph.nodes if id(node) not in joined_ids], graph.results)


def _is_single_product(node: Node) -> bool:
    """True if a node is a product of matrices, alone or with an element-wise group of one result."""
    if isinstance(node.payload, ProductWithEpilogue):
        is_map = "r" not in node.payload.fused.roles
        return is_map and len(node.outputs) == 1 and _keeps_dtype(node.payload.node)
    return _keeps_dtype(node)


def _keeps_dtype(node: Node) -> bool:
    """True if a node is a product of matrices by itself, of the dtype of its inputs."""
    return is_matrix_product(node) and node.inputs[0].dtype == node.outputs[0].dtype


def _is_large(node: Node) -> bool:
    value = node.outputs[0]
    if prod(value.shape) < LEAST_UPDATED_ELEMENTS or value.dtype.name not in FLOATS:
        return False
    product = node.payload.node if isinstance(node.payload, ProductWithEpilogue) else node
    return product_launches(product.inputs, **product.attributes).launches[0].kernel.__name__ == "gemm"


def _joined_node(product: Node, update: Node) -> Node:
    state_count = len(RULES[update.attributes["rule"]].state)
    state, numbers = update.inputs[:state_count], update.inputs[state_count + 1 :]
    inputs = (*product.inputs, *state, *numbers)
    rereads = [(i, k) for i, old in enumerate(state) for k, value in enumerate(product.inputs) if value is old]
    graph = graph_of([product, update], inputs, update.outputs)
    payload = UpdatedProduct(product, update.attributes["rule"], graph, tuple(rereads))
    return Node(Kind.FUSED, payload, inputs, update.outputs)


def launches_with_update(payload: UpdatedProduct) -> Launches:
    """Returns the launches of a product with the optimizer's update of a variable."""
    rule, product = RULES[payload.rule], payload.product
    (gradient,) = product.outputs
    size, state_count, input_count = prod(gradient.shape), len(rule.state), len(product.inputs)
    pairs = tuple([(i, input_count + i) for i in range(state_count)])

    def update(place: Scratch) -> Launch:
        numbers = [Input(input_count + state_count + i) for i in range(len(rule.numbers))]
        operands = *[Output(i) for i in range(state_count)], place, *numbers
        return Launch(rule.element_kernel[gradient.dtype], operands, size, rule.nanoseconds)

    if isinstance(product.payload, ProductWithEpilogue):
        product_form = launches_of_product(product.payload, make_following_launch=update)
        beside = product.payload.inputs_read_in_order
        in_place = (*pairs, *[(i, k) for i, k in payload.again if k in beside])
        return Launches(product_form.launches, product_form.scratch, in_place, starts_as=pairs)

    def followed_by(following: Launch) -> Launches:
        return product_launches(product.inputs, **product.attributes, epilogue=following)

    place = Scratch(len(followed_by(update(Scratch(0))).scratch))  # after the product's own
    product_form = followed_by(update(place))
    launches = [
        launch.with_operands(tuple([place if type(operand) is Output else operand for operand in launch.operands]))
        for launch in product_form.launches
    ]
    return Launches(tuple(launches), (*product_form.scratch, (gradient.dtype, size)), in_place=pairs, starts_as=pairs)
