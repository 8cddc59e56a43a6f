"""Vectorization of a function of a row: ``vectorized_map``.

The function is recorded once, on the first row, as branches and loops are (``control_flow.py``). Then each operation that
depends on a row runs once for all rows (``ops/batching.py``). These are ordinary operations: surrounding tapes and recordings
see them, and do not see the first row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastgrad._src.compiler.control_flow.control_flow import ControlFlow
from fastgrad._src.compiler.control_flow.graph_operation import call_primitive
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node
from fastgrad._src.compiler.passes.decompose import decompose
from fastgrad._src.compiler.passes.drop_dead import drop_dead
from fastgrad._src.compiler.passes.expand_references import expand_references
from fastgrad._src.compiler.recording.host_call import HostCall
from fastgrad._src.compiler.recording.record import Recording
from fastgrad._src.core.recording import control_flow_handler
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops.batching import BatchArg, NotBatched, batching_rule_of, broadcast_rows


def vectorized(function: Callable[[list[Tensor]], list[Tensor]], tensors: Sequence[Tensor]) -> list[Tensor] | None:
    """Returns the stacked results of a function of one row, run for all rows of the tensors at once.

    Args:
        function: takes and returns lists of tensors.
        tensors: with the same number of rows, one or more.

    Returns:
        The results, stacked; None if the function can't be run for all rows at once: it changes state, draws random numbers,
        depends on values of its row in Python, or has an operation without a batching rule.
    """
    tracer = control_flow_handler() or ControlFlow(
        Recording([])
    )  # without a surrounding recording no tensor varies between runs
    part = tracer.record_function(function, [Tensor(x._on_host()[0, ...]) for x in tensors])
    if part is None or part.state.written or part.outer_guards.results:
        return None
    expanded = expand_references(decompose(part.graph), lambda row: batching_rule_of(row) is None)
    graph = drop_dead(expanded)
    try:
        return _run_batched(graph, tensors, part)
    except Exception:  # noqa: BLE001  # the run row by row succeeds, or raises the error
        return None


def _run_batched(graph: Graph, tensors: Sequence[Tensor], recorded_function: Any) -> list[Tensor]:
    rows = len(tensors[0]._array)
    batched: dict[int, BatchArg] = {}
    if any(
        not _is_batchable(node, known_rows)
        for node, known_rows in _nodes_with_row_dependence(graph, recorded_function.argument_count)
    ):
        raise NotBatched
    for node in graph.nodes:
        if node.kind is Kind.ARGUMENT:
            is_row = node.payload < recorded_function.argument_count
            x = (
                tensors[node.payload]
                if is_row
                else recorded_function.outside[node.payload - recorded_function.argument_count]
            )
            batched[id(node.outputs[0])] = BatchArg(x, is_row)
        elif node.kind is Kind.CONSTANT:
            batched[id(node.outputs[0])] = BatchArg(constant_tensor(node.payload), False)
        elif node.kind is Kind.READ:
            batched[id(node.outputs[0])] = BatchArg(node.payload._read_as_stored(), False)
        else:
            inputs = [batched[id(value)] for value in node.inputs]
            batched.update(_batched_results(node, inputs, rows))
    return [broadcast_rows(batched[id(value)], rows) for value in graph.results]


def _nodes_with_row_dependence(graph: Graph, row_argument_count: int) -> list[tuple[Node, bool]]:
    """Returns each node of a graph, paired with whether one of its inputs depends on a row of the batch."""
    depends: set[int] = set()
    dependence = []
    for node in graph.nodes:
        has_rows = any(id(value) in depends for value in node.inputs)
        if has_rows or (node.kind is Kind.ARGUMENT and node.payload < row_argument_count):
            depends.update([id(value) for value in node.outputs])
        dependence.append((node, has_rows))
    return dependence


def _is_batchable(node: Node, has_row_inputs: bool) -> bool:
    if node.kind is not Kind.OPERATION:
        return node.kind in {Kind.ARGUMENT, Kind.CONSTANT, Kind.READ}
    if not has_row_inputs:
        return not isinstance(node.payload, HostCall)
    return batching_rule_of(node.payload) is not None


def _batched_results(node: Node, inputs: list[BatchArg], rows: int) -> dict[int, BatchArg]:
    if not any(x.has_rows for x in inputs):
        tensors = call_primitive(node.payload, tuple([x.tensor for x in inputs]), node.attributes)
        return {id(v): BatchArg(y, False) for v, y in zip(node.outputs, tensors, strict=False)}
    rule = batching_rule_of(node.payload)
    if rule is None:
        raise NotBatched
    result = rule(node.payload.name, rows, *inputs, **node.attributes)
    outputs = result if type(result) is tuple else (result,)
    for value, y in zip(node.outputs, outputs, strict=True):
        if y._array.shape != (rows, *value.shape) or y._array.dtype != value.dtype:
            raise NotBatched
    return {id(v): BatchArg(y, True) for v, y in zip(node.outputs, outputs, strict=True)}
