"""Prologues: the rows of a product's first matrix are made just before they are read, and stay in the cache until then.

A prologue is a map, a normalization of rows, or a gather of rows from a table. If other nodes read the matrix, it is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from fastgrad.compiler.fusion.epilogues import ProductWithEpilogue, can_take_epilogue
from fastgrad.compiler.fusion.fused import Payload, graph_of
from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value, uses_of
from fastgrad.compiler.passes.rewriting import is_matrix_product, row_name, row_of
from fastgrad.kernels.codegen.build import signature_of
from fastgrad.kernels.codegen.signature import ARRAY_KINDS
from fastgrad.kernels.gemm.prologue import needs_no_row_memory, product_with_prologue, takes_prologue
from fastgrad.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch

LaunchesOfNode = Callable[[Node], Launches | None]
"""Returns the kernels of a node."""


@dataclass(frozen=True)
class ProductWithPrologue(Payload):
    """The payload of a FUSED node of a product with its prologue, the node that makes its first matrix.

    The node's inputs are those of both, each once. Its results are the product's; the first node's results come before them if
    other nodes read these.

    Attributes:
        before: the node that makes the matrix.
        place: the number of its result that is the matrix.
        kept: whether other nodes read it; if not, it is no result of the node, and need not be in memory.
        product: the node that multiplies it, whose first input is the matrix, perhaps under another shape.
    """

    before: Node
    place: int
    kept: bool
    product: Node
    graph: Graph

    @property
    def name(self) -> str:
        """The names of the operations of the prologue and the product, joined by "+"."""
        return f"{self.before.payload.name}+{self.product.payload.name}"


def add_prologues(graph: Graph, launches_of: LaunchesOfNode) -> Graph:
    """Returns the graph with prologues: nodes that make a matrix, joined to the products that read it first.

    Args:
        graph: fused, with its epilogues; it is not changed.
        launches_of: gives the kernels of a node.
    """
    makers: dict[int, tuple[Node, int]] = {}  # by value without a reader so far: its node, and the result's number
    reshapes: dict[int, list[Node]] = {}  # by the node that makes their input
    uses = uses_of(graph)
    replacements: dict[int, list[Node]] = {}  # by product: the nodes that replace it
    moved_ids: set[int] = set()
    for node in graph.nodes:
        if row_name(node) == "reshape" and id(node.inputs[0]) in makers:
            maker, position = makers[id(node.outputs[0])] = makers[id(node.inputs[0])]
            reshapes.setdefault(id(maker), []).append(node)
            continue
        if node.inputs and id(node.inputs[0]) in makers and _takes_prologue(node):
            maker, position = makers[id(node.inputs[0])]
            views = reshapes.get(id(maker), [])
            values = [*maker.outputs, *[view.outputs[0] for view in views]]
            is_kept = len(maker.outputs) > 1 or any(uses[id(value)] != 1 for value in values)
            merged = _joined_node(maker, position, is_kept, views, node, launches_of)
            if merged is not None:
                replacements[id(node)] = [merged, *(views if is_kept else [])]
                moved_ids.update(map(id, (maker, *views)))
        for value in node.inputs:
            if id(value) in makers:
                maker, _ = makers[id(value)]
                makers = {key: entry for key, entry in makers.items() if entry[0] is not maker}
        is_unplaced = node.kind is Kind.FUSED or (node.kind is Kind.OPERATION and not node.has_effect)
        if is_unplaced and id(node) not in replacements:
            makers.update({id(value): (node, position) for position, value in enumerate(node.outputs)})
    nodes = [
        new_node for node in graph.nodes if id(node) not in moved_ids for new_node in replacements.get(id(node), [node])
    ]
    return Graph(nodes, graph.results)


def _takes_prologue(node: Node) -> bool:
    """True if a node is a product of matrices whose kernel can call a prologue."""
    product = node.payload.node if isinstance(node.payload, ProductWithEpilogue) else node
    if not is_matrix_product(product) or not can_take_epilogue(product):
        return False
    return takes_prologue(product.inputs, **product.attributes, followed=product is not node)


def _joined_node(
    maker: Node,
    matrix_result_number: int,
    keeps_matrix: bool,
    reshapes: Sequence[Node],
    product: Node,
    launches_of: LaunchesOfNode,
) -> Node | None:
    """Returns a product and its prologue as one node; None if they can't be joined."""
    matrix, *other_inputs = product.inputs
    made_ids = {id(value) for node in (maker, *reshapes) for value in node.outputs}
    if (
        any(id(value) in made_ids for value in other_inputs)
        or _row_prologue_launches(maker, matrix_result_number, matrix, launches_of) is None
    ):
        return None
    inputs = tuple(dict.fromkeys((*maker.inputs, *other_inputs)))
    outputs = (*maker.outputs, *product.outputs) if keeps_matrix else product.outputs
    graph = graph_of([maker, *reshapes, product], inputs, outputs)
    return Node(
        Kind.FUSED, ProductWithPrologue(maker, matrix_result_number, keeps_matrix, product, graph), inputs, outputs
    )


def _row_prologue_launches(
    maker: Node, matrix_result_number: int, matrix: Value, launches_of: LaunchesOfNode
) -> tuple[Launches, Launch | None] | None:
    """Returns the launches of a node as a prologue that makes rows of a matrix.

    Returns:
        The launches of the node, with one kernel, which makes each row from units of its own; and the launch that checks the
        ids first, if a check is needed. None if rows are made in another way.
    """
    if any(size == 0 for size in matrix.shape) or maker.outputs[matrix_result_number].dtype != matrix.dtype:
        return None
    maker_launches = launches_of(maker)
    if maker_launches is None or maker_launches.alias or maker_launches.starts_as or len(maker_launches.launches) != 1:
        return None
    (launch,) = maker_launches.launches
    signature = signature_of(launch.kernel)
    ids_check = None
    if signature.returns_status:
        row = row_of(maker)
        if row is None or row.index_check is None:
            return None
        checks = row.index_check(maker.inputs, maker.outputs, **maker.attributes)
        assert checks is not None
        (ids_check,) = checks.launches
    if not signature.takes_shares or launch.waits or launch.units % prod(matrix.shape[:-1]):
        return None
    parameters = [p for p in signature.parameters if not p.is_share]
    for position, (parameter, operand) in enumerate(zip(parameters, launch.operands, strict=True)):
        if isinstance(operand, Launch) or type(operand) is tuple:
            return None
        if parameter.kind in ARRAY_KINDS and parameter.kind != "in":
            if not isinstance(operand, Output):
                return None
            value = maker.outputs[operand.number]
            if launch.parts.get(position) != prod(value.shape):
                return None
    return maker_launches, ids_check


def launches_with_prologue(payload: ProductWithPrologue, launches_of: LaunchesOfNode) -> Launches:
    """Returns the launches of a product with its prologue.

    Args:
        payload: both of them.
        launches_of: gives the kernels of a node.
    """
    before, product = payload.before, payload.product
    matrix, *other_inputs = product.inputs
    row_launches, product_form = (
        _row_prologue_launches(before, payload.place, matrix, launches_of),
        launches_of(product),
    )
    assert row_launches is not None
    assert product_form is not None
    maker_form, ids_check = row_launches
    (preceding,) = maker_form.launches
    multiply, *later_launches = product_form.launches
    inputs = list(dict.fromkeys((*before.inputs, *other_inputs)))
    numbers = [inputs.index(value) for value in other_inputs]
    shift, scratch = (len(before.outputs) if payload.kept else 0), [*maker_form.scratch, *product_form.scratch]
    place: Any = Output(payload.place)
    alone = None if payload.kept else next(i for i, operand in enumerate(preceding.operands) if type(operand) is Output)
    if alone is not None:
        place = Scratch(len(scratch))
        if not needs_no_row_memory(multiply, preceding):
            scratch.append((matrix.dtype, prod(matrix.shape)))

    def ahead(launch: Launch) -> Launch:
        return _relocated_launch(
            launch,
            [Input(inputs.index(value)) for value in before.inputs],
            lambda number: place if alone is not None else Output(number),
            0,
        )

    def behind(launch: Launch) -> Launch:
        return _relocated_launch(
            launch, [place, *map(Input, numbers)], lambda number: Output(number + shift), len(maker_form.scratch)
        )

    launches = [] if ids_check is None else [ahead(ids_check)]
    launches.append(product_with_prologue(behind(multiply), ahead(preceding), prod(matrix.shape[:-1]), alone))
    launches += map(behind, later_launches)
    # An input of both nodes must not be overwritten before the product has read it.
    pairs = [
        (i, inputs.index(before.inputs[k]))
        for i, k in maker_form.in_place
        if payload.kept and before.inputs[k] not in other_inputs
    ]
    pairs += [
        (i + shift, numbers[k - 1])
        for i, k in product_form.in_place
        if k > 0 and product.inputs[k] not in before.inputs
    ]
    return Launches(tuple(launches), tuple(scratch), tuple(pairs))


def _relocated_launch(launch: Launch, inputs: Sequence[Any], output: Callable[[int], Any], scratch: int) -> Launch:
    """Returns a launch on other inputs and results, with higher numbers of scratch memory."""

    def placed_operand(operand: Any) -> Any:
        if isinstance(operand, Launch):
            return operand.with_operands(tuple(map(placed_operand, operand.operands)))
        if isinstance(operand, Input):
            return inputs[operand.number]
        if isinstance(operand, Output):
            return output(operand.number)
        if isinstance(operand, Scratch):
            return Scratch(operand.number + scratch)
        return tuple(map(placed_operand, operand)) if type(operand) is tuple else operand

    return launch.with_operands(tuple(map(placed_operand, launch.operands)))
