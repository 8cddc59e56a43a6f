"""A function of a row, done for all rows at once: ``vectorized_map``.

The function is written down once, on the first row, as branches and loops are (``control_flow.py``); then each operation that
depends on a row is done for all of them (``ops/batching.py``). These are operations like others: tapes and recordings
around hear of them, and not of the first row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastgrad.compiler.control_flow.control_flow import ControlFlow
from fastgrad.compiler.control_flow.graph_operation import called
from fastgrad.compiler.graph.graph import Graph, Kind, Node
from fastgrad.compiler.passes.decompose import decompose
from fastgrad.compiler.passes.drop_dead import drop_dead
from fastgrad.compiler.recording.host_call import HostCall
from fastgrad.ops.batching import Batched, NotBatched, rule_of, spread_rows
from fastgrad.recording import control_flow_of
from fastgrad.tensor import Tensor, constant_tensor


class _Nobody:
    """Stands for the recording around, where there is none."""

    def knows(self, tensor: Tensor) -> bool:
        """Whether the tensor may be another one in another run."""
        return False

    def disown(self, tensors: Sequence[Tensor]) -> None:
        """Nothing can use them."""

    def on_create(self, variable: Any) -> None:
        """Nobody asks which variables are made."""


def rows_at_once(function: Callable[[list[Tensor]], list[Tensor]], tensors: Sequence[Tensor]) -> list[Tensor] | None:
    """A function of one row of each tensor, for all rows.

    Args:
        function: takes and returns lists of tensors.
        tensors: as many rows in each, one or more.

    Returns:
        The results, stacked; None if the function can't be done for all rows at once: it changes state, draws numbers, goes by
        values of its row, or has an operation without a rule.
    """
    tracer = control_flow_of() or ControlFlow(_Nobody())  # type: ignore[arg-type]
    part = tracer.written_down(function, [Tensor(x._on_host()[0, ...]) for x in tensors])
    if part is None or part.state.written or part.looks.results:
        return None
    graph = drop_dead(decompose(part.graph))
    try:
        return _run(graph, tensors, part)
    except Exception:  # noqa: BLE001  # row by row it will succeed, or raise what there is to raise
        return None


def _run(graph: Graph, tensors: Sequence[Tensor], part: Any) -> list[Tensor]:
    rows = len(tensors[0]._array)
    known: dict[int, Batched] = {}
    if any(not _is_batchable(node, known_rows) for node, known_rows in _with_rows(graph, part.given)):
        raise NotBatched
    for node in graph.nodes:
        if node.kind is Kind.ARGUMENT:
            given = node.payload < part.given
            x = tensors[node.payload] if given else part.outside[node.payload - part.given]
            known[id(node.outputs[0])] = Batched(x, given)
        elif node.kind is Kind.CONSTANT:
            known[id(node.outputs[0])] = Batched(constant_tensor(node.payload), False)
        elif node.kind is Kind.READ:
            known[id(node.outputs[0])] = Batched(node.payload._read_as_stored(), False)
        else:
            inputs = [known[id(value)] for value in node.inputs]
            known.update(_results(node, inputs, rows))
    return [spread_rows(known[id(value)], rows) for value in graph.results]


def _with_rows(graph: Graph, given: int) -> list[tuple[Node, bool]]:
    """The nodes, each with whether it depends on a row."""
    depends: set[int] = set()
    found = []
    for node in graph.nodes:
        has_rows = any(id(value) in depends for value in node.inputs)
        if has_rows or (node.kind is Kind.ARGUMENT and node.payload < given):
            depends.update([id(value) for value in node.outputs])
        found.append((node, has_rows))
    return found


def _is_batchable(node: Node, has_rows: bool) -> bool:
    if node.kind is not Kind.OPERATION:
        return node.kind in {Kind.ARGUMENT, Kind.CONSTANT, Kind.READ}
    if not has_rows:
        return not isinstance(node.payload, HostCall)
    return rule_of(node.payload) is not None


def _results(node: Node, inputs: list[Batched], rows: int) -> dict[int, Batched]:
    if not any(x.has_rows for x in inputs):
        found = called(node.payload, tuple([x.tensor for x in inputs]), node.attributes)
        return {id(v): Batched(y, False) for v, y in zip(node.outputs, found, strict=False)}
    rule = rule_of(node.payload)
    if rule is None:
        raise NotBatched
    result = rule(node.payload.name, rows, *inputs, **node.attributes)
    outputs = result if type(result) is tuple else (result,)
    for value, y in zip(node.outputs, outputs, strict=True):
        if y._array.shape != (rows, *value.shape) or y._array.dtype != value.dtype:
            raise NotBatched
    return {id(v): Batched(y, True) for v, y in zip(node.outputs, outputs, strict=True)}
