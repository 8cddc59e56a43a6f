"""A recorded graph as one operation, whose gradient is such an operation again.

Called with tensors, a ``GraphOperation`` runs its program and is one entry on the tapes that watch an input. For
these tapes it runs a variant with more results: the intermediate values that the gradient reads
(residuals). They are ordinary tensors, held only by the tapes' entries. The gradient of the
variant, and so of the graph, is the operation of another graph (the pullback). It is recorded by a second run of the graph's
nodes, backwards. Its inputs are inputs and results of the variant, and cotangents; so gradients of gradients work the same.
All graphs are made at their first use, once for each set of inputs and results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.control_flow.explicit_state import StateVariables, state_of, with_explicit_state
from fastgrad._src.compiler.control_flow.subgraph_operation import (
    Flags,
    SubgraphOperation,
    cache_value,
    differentiable_args,
    loops_with_capacity,
)
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.graph.interpret import GuardError, interpret
from fastgrad._src.compiler.passes.drop_dead import drop_dead
from fastgrad._src.compiler.programs.pipeline import simplify_graph
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.compiler.recording.record import Recording, TraceError, hide_from_recordings
from fastgrad._src.compiler.recording.unlisted_operation import UnlistedOperation, is_differentiable
from fastgrad._src.core import recording
from fastgrad._src.core.backward import TapeEntry, backward_pass
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operation import Form, Operation
from fastgrad._src.core.result_rules import ArraySpec, same_as_first
from fastgrad._src.core.tape import GradientTape
from fastgrad._src.core.tensor import Tensor, constant_tensor


class GraphOperation(SubgraphOperation):
    """A graph of arguments, constants, operations and guards as an operation.

    Args:
        graph: without state (see ``with_explicit_state``); its arguments are the operation's inputs, its results, in order, the
            operation's: a tuple, also for one result. It must not be changed later.
        name: shown in graphs, errors and reports.

    Attributes:
        graph: as given.
        arity: the number of inputs.

    Raises:
        TraceError: the graph holds state.
        GuardError: when it is run; as ``interpret``.
    """

    def __init__(self, graph: Graph, name: str = "graph") -> None:
        super().__init__(name)
        self.arity = 0
        for node in graph.nodes:
            if node.kind is Kind.ARGUMENT:
                self.arity = max(self.arity, node.payload + 1)
            elif node.kind not in {Kind.CONSTANT, Kind.OPERATION, Kind.GUARD}:
                raise TraceError(f"{node} has an effect: a graph as an operation has none")
        self.graph = graph
        self.checks = any(node.has_effect for node in graph.nodes)
        self._optimized: Graph | None = None
        self._program: Program | None = None
        self.loops_with_capacity = loops_with_capacity(graph)
        self._pullbacks: dict[tuple[Flags, Flags, bool], Pullback] = {}

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns the graph's results for given arrays, in new arrays."""
        if any(recorder.records_state for recorder in recording.recorders.active):
            # A recorded run is eager: nothing is compiled before the second call.
            if self._optimized is None:
                self._optimized = simplify_graph(self.graph)
            return tuple(interpret(self._optimized, arrays))
        return tuple(self.program()(arrays))

    def result(self, *inputs: Any) -> tuple[ArraySpec, ...]:
        """The result rule: the shapes and dtypes of the graph's results."""
        return tuple([same_as_first(value) for value in self.graph.results])

    def program(self) -> Program:
        """Returns the compiled program of the graph, compiled at the first call."""
        if self._program is None:
            self._program = Program(self.graph)
        return self._program

    # ---- the gradient ------------------------------------------------------------------------------------

    @property
    def result_count(self) -> int:
        return len(self.graph.results)

    def with_residuals(self, flags: Flags, inputs: Sequence[Tensor]) -> GraphOperation:
        return _variant_with_residuals(self, flags, inputs)

    def _cotangents(self, needs: Flags, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        needs, have, cotangents = differentiable_args(needs, g, inputs)
        tensors = [*inputs, *(y if type(y) is tuple else (y,)), *cotangents]
        pullback = self.pullback(needs, have, tensors)
        try:
            return pullback(tensors)
        except GuardError:
            # A gradient rule read a value in Python, which has changed: its new trace is recorded.
            return self.pullback(needs, have, tensors, rebuild=True)(tensors)

    def pullback(
        self, needs: Flags, have: Flags, tensors: Sequence[Tensor], *, dense: bool = False, rebuild: bool = False
    ) -> Pullback:
        """Returns the function from cotangents of results to cotangents of inputs.

        Args:
            needs: which inputs' cotangents are wanted.
            have: which results have a cotangent.
            tensors: inputs, results and cotangents, any that fit.
            dense: whether all cotangents are tensors, none of them rows.
            rebuild: whether to make it again even if there is one.
        """
        key = needs, have, dense
        gradient = None if rebuild else self._pullbacks.get(key)
        if gradient is None:
            gradient = make_pullback(self, needs, have, tensors, dense)
            cache_value(self._pullbacks, key, gradient)
        return gradient


class Pullback(NamedTuple):
    """The gradient of a graph: from cotangents of its results to cotangents of its inputs.

    Attributes:
        operation: computes all parts of the cotangents; None if there are none.
        used: the numbers of the inputs, results and cotangents that are the operation's inputs.
        forms: for each input of the graph: None, "dense", or for rows of a tensor (two results, the rows and their
            positions) the tensor's shape.
    """

    operation: GraphOperation | None
    used: tuple[int, ...]
    forms: tuple[Any, ...]

    def __call__(self, tensors: Sequence[Tensor]) -> list[Any]:
        """Returns the cotangent of each input: a tensor, an ``IndexedSlices``, or None."""
        cotangents = iter(() if self.operation is None else self.operation(*[tensors[i] for i in self.used]))
        return [
            None
            if form is None
            else next(cotangents)
            if form == "dense"
            else IndexedSlices(next(cotangents), next(cotangents), form)
            for form in self.forms
        ]


# ---- running a graph's nodes on tensors ------------------------------------------------------------------


def run_nodes(
    graph: Graph, tensors_by_value: dict[int, Tensor], watched_tensors: Sequence[Tensor] = (), run_guards: bool = False
) -> list[TapeEntry]:
    """Runs a graph's nodes as operations on tensors, under the active recorders.

    Args:
        graph: its nodes run.
        tensors_by_value: tensors by the ids of values; new tensors are added. Known values are not computed again.
        watched_tensors: tensors with respect to which there will be gradients.
        run_guards: whether guards run, too, so that they are recorded.

    Returns:
        The entries of a tape that watches ``watched_tensors``.

    Raises:
        GuardError: a guard has another outcome.
    """
    entries = []
    tracked = set(map(id, watched_tensors))
    for node in graph.nodes:
        if node.kind is Kind.CONSTANT:
            tensors_by_value[id(node.outputs[0])] = constant_tensor(node.payload)
        elif node.kind is Kind.GUARD and run_guards:
            kind, expected = node.payload
            scalar = tensors_by_value[id(node.inputs[0])]
            outcome = bool(scalar) if kind == "bool" else int(scalar)
            if outcome != expected:
                raise GuardError(node, outcome)
        elif node.kind is Kind.OPERATION:
            inputs = tuple([tensors_by_value[id(value)] for value in node.inputs])
            if not all(id(value) in tensors_by_value for value in node.outputs):
                results = call_primitive(node.payload, inputs, node.attributes)
                for value, tensor in zip(node.outputs, results, strict=False):
                    tensors_by_value.setdefault(id(value), tensor)
            outputs = tuple([tensors_by_value[id(value)] for value in node.outputs])
            if node.payload.gradient is not None and any(id(x) in tracked for x in inputs):
                reached = [id(y) for y in outputs if is_differentiable(y._array.dtype)]
                if reached:
                    tracked.update(reached)
                    entries.append((node.payload, inputs, outputs, node.attributes))
    return entries


def call_primitive(operation: Any, inputs: tuple[Tensor, ...], attributes: dict[str, Any]) -> tuple[Tensor, ...]:
    """Calls an operation directly, without the public function that a row of the table may also be; returns the results."""
    is_made_operation = isinstance(operation, UnlistedOperation)
    results = (
        operation(*inputs, **attributes) if is_made_operation else Operation.__call__(operation, *inputs, **attributes)
    )
    return results if type(results) is tuple else (results,)


def _new_argument(tensor: Tensor) -> Tensor:
    """Returns a new tensor of the same values, unknown to recorders, as the argument of a recording."""
    return Tensor(tensor._on_host())


def arguments_of(graph: Graph, tensors: Sequence[Tensor]) -> dict[int, Tensor]:
    """Returns the tensors of a graph's arguments, by the ids of their values."""
    return {id(node.outputs[0]): tensors[node.payload] for node in graph.nodes if node.kind is Kind.ARGUMENT}


# ---- making variants ---------------------------------------------------------------------------------------


class _InputCollector(recording.Recorder):
    """A recorder that collects the inputs of operations."""

    def __init__(self) -> None:
        self.read: dict[int, Tensor] = {}

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        self.read.update([(id(x), x) for x in inputs])


def _variant_with_residuals(operation: GraphOperation, flags: Flags, inputs: Sequence[Tensor]) -> GraphOperation:
    with hide_from_recordings():
        arguments = [_new_argument(x) for x in inputs]
        with Recording(arguments) as recorder, GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([x for x, flag in zip(arguments, flags, strict=True) if flag])
            tensors_by_value = arguments_of(operation.graph, arguments)
            run_nodes(operation.graph, tensors_by_value, run_guards=True)
        results = [tensors_by_value[id(value)] for value in operation.graph.results]
        listener = _InputCollector()
        recording.start(listener)
        try:
            tape.gradient(results, [x for x, flag in zip(arguments, flags, strict=True) if flag])
        finally:
            recording.stop(listener)
        visible_ids = {id(x) for x in (*arguments, *results)}
        read = [x for x in listener.read.values() if recorder.has_varying_value(x) and id(x) not in visible_ids]
        graph = recorder.graph([*results, *read])
    count = len(results)
    residuals = _residuals_worth_keeping(graph, count)
    if not residuals and not any(isinstance(node.payload, UnlistedOperation) for node in graph.nodes):
        return operation
    return GraphOperation(Graph(graph.nodes, [*graph.results[:count], *residuals]), operation.name)


def _residuals_worth_keeping(graph: Graph, first_residual: int) -> list[Value]:
    """Returns the results from number ``first_residual`` on that can't be computed cheaply from inputs and other results."""
    residual_ids = {id(value) for value in graph.results[first_residual:]}
    residuals = []
    at_hand = {id(value) for value in graph.results[:first_residual]}
    for node in graph.nodes:
        cheap = node.kind in {Kind.ARGUMENT, Kind.CONSTANT} or (
            _is_cheap_to_recompute(node) and all(id(value) in at_hand for value in node.inputs)
        )
        for value in node.outputs:
            if id(value) in residual_ids and not cheap and id(value) not in at_hand:
                residuals.append(value)
                at_hand.add(id(value))
            elif cheap:
                at_hand.add(id(value))
    return residuals


def _is_cheap_to_recompute(node: Node) -> bool:
    return node.kind is Kind.OPERATION and (node.payload.form is Form.INDEX_MAP or node.lowering.is_cheap)


# ---- making pullbacks ---------------------------------------------------------------------------------------


def make_pullback(
    operation: GraphOperation,
    needs: Flags,
    have: Flags,
    tensors: Sequence[Tensor],
    dense: bool,
    returned_values: Sequence[Value] | None = None,
) -> Pullback:
    """Returns a new gradient of an operation; see ``GraphOperation.pullback``.

    Args:
        operation, needs, have, dense: as there.
        tensors: inputs, results and cotangents.
        returned_values: the values of the results among ``tensors``; all of the operation's if None.
    """
    graph, count = operation.graph, len(needs)
    returned_values = graph.results if returned_values is None else returned_values
    with hide_from_recordings():
        arguments = [_new_argument(x) for x in tensors]
        inputs, cotangents = arguments[:count], arguments[count + len(returned_values) :]
        with Recording(arguments) as recorder:
            tensors_by_value = arguments_of(graph, inputs)
            for value, tensor in zip(returned_values, arguments[count:], strict=False):
                tensors_by_value.setdefault(id(value), tensor)
            sources = [x for x, need in zip(inputs, needs, strict=True) if need]
            entries = run_nodes(graph, tensors_by_value, sources)
            targets = [
                tensors_by_value[id(value)]
                for value, has_cotangent in zip(graph.results, have, strict=True)
                if has_cotangent
            ]
            input_cotangents = iter(backward_pass(entries, targets, [[id(x)] for x in sources], list(cotangents)))
            forms: list[Any] = []
            results: list[Tensor] = []
            for need in needs:
                cotangent = next(input_cotangents) if need else None
                if cotangent is None:
                    forms.append(None)
                elif isinstance(cotangent, IndexedSlices) and cotangent.dense_shape is not None and not dense:
                    forms.append(tuple(cotangent.dense_shape._array.tolist()))
                    results += [cotangent.values, cotangent.indices]
                else:
                    forms.append("dense")
                    results.append(cotangent.to_dense() if isinstance(cotangent, IndexedSlices) else cotangent)
        backward = drop_dead(recorder.graph(results))
    if not results:
        return Pullback(None, (), tuple(forms))
    backward, used = without_unread_arguments(backward)
    return Pullback(GraphOperation(backward, f"{operation.name}_gradient"), tuple(used), tuple(forms))


def variant_and_pullback(
    operation: GraphOperation, watched_inputs: Flags, results_with_cotangent: Flags, arrays: Sequence[np.ndarray]
) -> tuple[GraphOperation, Pullback] | None:
    """Returns a variant with residuals and its dense pullback; None if the gradient depends on values in Python.

    Args:
        operation: the operation.
        watched_inputs: for each input whether its cotangent is wanted.
        results_with_cotangent: for each result whether it has a cotangent.
        arrays: inputs that the operation takes.
    """
    with hide_from_recordings():
        tensors = [Tensor(x) for x in arrays]
        variant, results = operation.run_variant(
            watched_inputs, tensors, lambda forward: interpret(forward.graph, arrays)
        )
        have = (*results_with_cotangent, *[False] * (len(results) - len(results_with_cotangent)))
        cotangents = [np.ones_like(y) for y in compress(results, have)]
        tensors += [Tensor(x) for x in (*results, *cotangents)]
        pullback = make_pullback(variant, watched_inputs, have, tensors, dense=True)
    has_guards = pullback.operation is not None and any(n.kind is Kind.GUARD for n in pullback.operation.graph.nodes)
    return None if has_guards else (variant, pullback)


def residuals_read_by_pullback(
    graph: Graph, pullback: Pullback, input_count: int, results: Sequence[Value]
) -> list[Value]:
    """Returns the results of a graph that its pullback reads, other than arguments and the given ``results``.

    Args:
        graph: of a variant with residuals.
        pullback: of the variant.
        input_count: the number of the graph's inputs.
        results: values that are at hand anyway.
    """
    at_hand = {id(node.outputs[0]) for node in graph.nodes if node.kind is Kind.ARGUMENT}
    at_hand |= {id(value) for value in results}
    read = [graph.results[i - input_count] for i in pullback.used if 0 <= i - input_count < len(graph.results)]
    return list({id(value): value for value in read if id(value) not in at_hand}.values())


def without_unread_arguments(graph: Graph, first: int = 0) -> tuple[Graph, list[int]]:
    """Removes unread arguments with numbers from ``first`` on; returns the graph and the numbers of the other arguments."""
    read = {id(value) for node in graph.nodes for value in node.inputs} | {id(value) for value in graph.results}
    arguments = [node for node in graph.nodes if node.kind is Kind.ARGUMENT]
    stay = sorted([n.payload for n in arguments if n.payload >= first and id(n.outputs[0]) in read])
    numbers = {number: position for position, number in enumerate([*range(first), *stay])}
    return with_argument_numbers(graph, numbers.get), stay


def with_argument_numbers(graph: Graph, new_number: Callable[[int], int | None]) -> Graph:
    """Returns the graph with its arguments renumbered by ``new_number``, and without those for which it returns None."""
    nodes = []
    for node in graph.nodes:
        number = new_number(node.payload) if node.kind is Kind.ARGUMENT else node.payload
        if node.kind is not Kind.ARGUMENT or number == node.payload:
            nodes.append(node)
        elif number is not None:
            nodes.append(replace(node, payload=number))
    return Graph(nodes, graph.results)


# ---- graphs with state ----------------------------------------------------------------------------------------


class StatefulCall:
    """A recorded graph, called as one operation: state is read before it and assigned after it.

    Gradients flow to the variables that the graph reads. Nothing is changed if it fails.

    Args:
        graph: the recorded graph; it is not changed.
        count: the number of its arguments.
        name: shown in graphs, errors and reports.

    Raises:
        TraceError: the graph can't be an operation: it holds an optimizer's step that is not written in operations.
    """

    def __init__(self, graph: Graph, count: int, name: str = "graph") -> None:
        self._state: StateVariables = state_of(graph)
        self._count = len(graph.results)
        self.operation = GraphOperation(with_explicit_state(graph, count, self._state), name)

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Returns the results of the graph on its arguments.

        Raises:
            GuardError: a guard has another outcome; nothing has been changed.
        """
        results = self.operation(*inputs, *[v._read_as_stored() for v in self._state.read])
        for variable, value in zip(self._state.written, results[self._count :], strict=True):
            variable.assign(value)
        return list(results[: self._count])
