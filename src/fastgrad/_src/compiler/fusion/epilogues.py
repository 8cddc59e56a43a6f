"""Epilogues: element-wise operations that run on parts of a product or convolution while they are in the cache."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import prod
from typing import Any

from fastgrad._src.compiler.fusion.column_sums import BlockKernels, block_kernels, is_map_with_column_sums
from fastgrad._src.compiler.fusion.emit import in_place_pairs, map_launch
from fastgrad._src.compiler.fusion.fused import Fused, Payload, graph_of, key_of
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, uses_of
from fastgrad._src.kernels.gemm.epilogue import combined_maps
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch


@dataclass(frozen=True)
class ProductWithEpilogue(Payload):
    """The payload of a FUSED node whose group begins with a product or convolution. Inputs: a, b, the group's others.

    Attributes:
        fused: the group.
        place: the number of the group's input that is the product.
        node: the product.
    """

    fused: Fused
    place: int
    node: Node
    graph: Graph

    @property
    def name(self) -> str:
        """The name of the product and the names of the group's operations, joined by "+"."""
        return f"{self.node.payload.name}+{self.fused.name}"

    @property
    def key(self) -> Hashable:
        return self.fused.key, self.place, key_of(self.node)

    @property
    def inputs_read_in_order(self) -> frozenset[int]:
        """The numbers of the node's inputs whose element i the group reads only for result i."""
        return frozenset(
            [self.node_input_number(number) for _, number in in_place_pairs(self.fused) if number != self.place]
        )

    def node_input_number(self, number: int) -> int:
        """Returns the number of the FUSED node's input that is the input ``number`` of the element-wise group."""
        return number + 2 - (number > self.place)


def add_epilogues(graph: Graph) -> Graph:
    """Returns the graph with element-wise groups (maps) joined to the products that they follow.

    Args:
        graph: fused; it is not changed.
    """
    uses = uses_of(graph)
    products: dict[int, Node] = {}  # products with a single reader, until the reader comes
    merged_ids: set[int] = set()
    nodes: list[Node] = []
    for node in graph.nodes:
        if has_epilogue(node) and uses[id(node.outputs[0])] == 1 and can_take_epilogue(node):
            products[id(node.outputs[0])] = node
        elif node.kind is Kind.FUSED:
            # The last product of several: the others are computed before it.
            for position in reversed(range(len(node.inputs))):
                product = products.get(id(node.inputs[position]))
                merged = None if product is None else join_epilogue_or_column_sums(product, node, position)
                if merged is not None:
                    node = merged
                    merged_ids.add(id(product))
                    break
        nodes.append(node)
    return Graph([node for node in nodes if id(node) not in merged_ids], graph.results)


def has_epilogue(node: Node) -> bool:
    """True if a node is a single product or convolution whose operation has launches with an epilogue."""
    return node.lowering.launches_with_epilogue is not None


def can_take_epilogue(product: Node) -> bool:
    """True if the CPU kernel of a product can apply an element-wise epilogue to its result."""
    candidate = launches_with_epilogue(product, None)
    return candidate is not None and candidate.launches[0].kernel.__name__ in (
        "gemm",
        "gemm_pairs",
        "slide",
        "slide_lanes",
    )


def launches_with_epilogue(product: Node, following: Launch | None) -> Launches | None:
    """Returns the launches of a product with an element-wise epilogue ``following``; None if its kernel takes none."""
    rule = product.lowering.launches_with_epilogue
    assert rule is not None
    return rule(product.inputs, product.outputs, following=following, **product.attributes)


def _is_elementwise_epilogue(fused: Any, product_input_number: int, product: Node) -> bool:
    """True if a group is element-wise and reads a product once, element i for element i."""
    if not isinstance(fused, Fused) or "r" in fused.roles or not fused.steps:
        return False
    if fused.count != prod(product.outputs[0].shape):
        return False  # only the first of its rows
    return fused.reads_in_order(product_input_number)


def join_epilogue_or_column_sums(product: Node, node: Node, product_input_number: int) -> Node | None:
    """Returns a product joined with a map, or with a map with column sums, as one node for a CPU; None if the node is neither."""
    follows = _is_elementwise_epilogue(node.payload, product_input_number, product) or is_map_with_column_sums(
        node.payload, product_input_number, product
    )
    return _joined_node(product, node, product_input_number) if follows else None


def _joined_node(product: Node, node: Node, product_input_number: int) -> Node:
    fused = node.payload
    inputs = (*product.inputs, *[value for i, value in enumerate(node.inputs) if i != product_input_number])
    steps = [inner_node for inner_node in fused.graph.nodes if inner_node.kind is not Kind.ARGUMENT]
    graph = graph_of([product, *steps], inputs, fused.graph.results)
    return Node(Kind.FUSED, ProductWithEpilogue(fused, product_input_number, product, graph), inputs, node.outputs)


def _memory_of_results(
    payload: ProductWithEpilogue, blocks: BlockKernels | None, separate: set[tuple[int, int]], is_last: bool
) -> tuple[tuple[tuple[int, int], ...], int | None]:
    """Returns the pairs (result, input) that share memory, and the result in whose memory the product lies, else None.

    Results of a map may take the memory of the group's other inputs, as updated weights do, if no launch follows. Else the product
    lies in the memory of the first result that may take it, or in scratch memory. Sums of columns always prefer the product's memory,
    as the same kernel does where it does not follow a product: so small and large batches share one compiled kernel.
    """
    pairs = [pair for pair in in_place_pairs(payload.fused) if pair not in separate]
    pairs = [pair for pair in pairs if blocks is None or pair[0] in blocks.free]
    home_output = next((output for output, number in pairs if number == payload.place), None)
    if is_last and (blocks is None or home_output is None):
        others = [(output, payload.node_input_number(number)) for output, number in pairs if number != payload.place]
        return tuple(others), None if others else home_output
    return (), home_output


def launches_of_product(
    payload: ProductWithEpilogue,
    make_following_launch: Callable[[Scratch], Launch] | None = None,
) -> Launches:
    """Returns the launches of a product with its epilogue.

    Args:
        payload: both of them.
        make_following_launch: for an epilogue with a single result that has no other reader: the launch that follows it on each part of the
            result, given the result's place.
    """
    fused, place, node = payload.fused, payload.place, payload.node
    blocks = block_kernels(fused, node) if "r" in fused.roles else None
    following, separate = map_launch(fused) if blocks is None else (blocks.first, blocks.separate)
    in_place, home_output = _memory_of_results(payload, blocks, separate, make_following_launch is None)
    plain_launches = launches_with_epilogue(node, following if blocks is None else blocks.with_row_units(following))
    assert plain_launches is not None
    last_scratch = Scratch(len(plain_launches.scratch))
    result: Any = Output if make_following_launch is None else lambda _: last_scratch
    has_follower = make_following_launch is not None
    product = Scratch(last_scratch.number + has_follower) if home_output is None else result(home_output)
    scratch_offset = last_scratch.number + has_follower + (home_output is None)

    def group_operand(operand: Any) -> Any:
        if isinstance(operand, Input):
            return product if operand.number == place else Input(payload.node_input_number(operand.number))
        if isinstance(operand, Output):
            return result(operand.number)
        if isinstance(operand, Scratch):
            return Scratch(scratch_offset + operand.number)
        return tuple(map(group_operand, operand)) if type(operand) is tuple else operand

    def placed_launch(launch: Launch) -> Launch:
        return launch.with_operands(tuple(map(group_operand, launch.operands)))

    def product_operand(operand: Any) -> Any:
        return product if isinstance(operand, Output) and operand.number == 0 else operand

    following = placed_launch(following)
    followers = () if make_following_launch is None else (make_following_launch(last_scratch),)
    epilogue = combined_maps(following, *followers) if blocks is None else blocks.with_row_units(following)
    product_form = launches_with_epilogue(node, epilogue)
    assert product_form is not None
    launches = [launch.with_operands(tuple(map(product_operand, launch.operands))) for launch in product_form.launches]
    size = prod(node.outputs[0].shape)
    assert fused.count == size, "the kernel of a product writes all of it"
    scratch = [(payload.graph.results[0].dtype, size)] if has_follower else []
    scratch += [(node.outputs[0].dtype, size)] if home_output is None else []
    if blocks is not None:
        launches += map(placed_launch, blocks.later)
        scratch += blocks.scratch
    return Launches(tuple(launches), (*product_form.scratch, *scratch), in_place)
