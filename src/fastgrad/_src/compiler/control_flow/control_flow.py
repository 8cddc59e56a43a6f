"""The recording of branches and loops: each function is recorded once, as a separate graph.

A function runs on real values, as in all recordings. Then state is restored, and the operation made of the
graphs runs. Captured values become inputs of the operation: variables, and tensors that the outer recording knows or
a tape watches. Values that a function assigns to variables become results; the caller assigns them. Some functions can't
be recorded in this way: they read values in Python, fail on these values, make variables, or return other shapes or
dtypes than they must. Such functions run in Python, and their control flow becomes guards.

One file, because the recordings of branches and loops share their state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.control_flow.branch_gradient import branches_with_residuals
from fastgrad._src.compiler.control_flow.branches import Branches
from fastgrad._src.compiler.control_flow.custom_gradient import CustomGradient
from fastgrad._src.compiler.control_flow.explicit_state import StateVariables, state_of, with_explicit_state
from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation, run_nodes, with_argument_numbers
from fastgrad._src.compiler.control_flow.loops import Loop, trip_count
from fastgrad._src.compiler.control_flow.scan_gradient import loop_with_residuals
from fastgrad._src.compiler.control_flow.shared_operations import shared_operation
from fastgrad._src.compiler.control_flow.subgraph_operation import have_overflowed, loops_with_capacity
from fastgrad._src.compiler.graph.graph import Graph, Kind, Value
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.compiler.recording.record import Recording, hide_from_recordings
from fastgrad._src.compiler.recording.state import SavedVariables
from fastgrad._src.compiler.recording.unlisted_operation import is_differentiable
from fastgrad._src.core import nest
from fastgrad._src.core.backward import dense_gradient
from fastgrad._src.core.errors import TraceError
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.ops.random_draws import advance_generator


class _InnerRecording(Recording):
    """The recording of a function inside another recording.

    Attributes:
        outside: tensors of the surroundings that it reads: arguments after those given.
        tensors_created: the tensors that it has read and computed.
        drawn: states of generators after the draws for variables that it has made, which stay.
    """

    is_trial_run = True

    def __init__(self, arguments: Sequence[Tensor], outer: Recording, listeners: Sequence[Any]) -> None:
        super().__init__(arguments)
        self._argument_count = len(arguments)
        self._outer_recorder = outer
        self._listeners = listeners
        self.outside: list[Tensor] = []
        self.tensors_created: list[Tensor] = []
        self.drawn = SavedVariables()

    def may_vary(self, tensor: Tensor) -> bool:
        return super().may_vary(tensor) or self._varies_outside(tensor)

    def _varies_outside(self, tensor: Tensor) -> bool:
        return self._outer_recorder.may_vary(tensor) or any(listener.watches(tensor) for listener in self._listeners)

    def _value_of(self, tensor: Tensor) -> Value:
        if id(tensor) not in self._values and id(tensor) not in self._made_here and self._varies_outside(tensor):
            self._add_node(Kind.ARGUMENT, self._argument_count + len(self.outside), outputs=(tensor,))
            self.outside.append(tensor)
        return super()._value_of(tensor)

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        super().on_operation(operation, inputs, outputs, attributes)
        if self.has_custom_gradients:
            self._set_failure(f"{operation.name}: its gradient can't be written down")
        if operation.run is not None:
            self.tensors_created += outputs

    def on_create(self, variable: Variable) -> None:
        super().on_create(variable)
        draws = {
            id(value)
            for node in self._nodes
            if node.kind is Kind.OPERATION and node.payload is advance_generator
            for value in node.outputs
        }
        self.drawn = SavedVariables(
            node.payload for node in self._nodes if node.kind is Kind.ASSIGN and id(node.inputs[0]) in draws
        )

    def on_read(self, variable: Variable, tensor: Tensor) -> None:
        super().on_read(variable, tensor)
        self.tensors_created.append(tensor)


class _RecordedFunction(NamedTuple):
    """A function recorded as a graph, with what it reads and changes outside.

    Attributes:
        graph: its arguments are those given, then ``outside``.
        outside: tensors that it reads of its surroundings.
        state: that it reads and changes.
        outer_guards: the guards on values of the surroundings, and the nodes that compute these values.
        argument_count: number of the arguments given.
    """

    graph: Graph
    outside: list[Tensor]
    state: StateVariables
    outer_guards: Graph
    argument_count: int


class ControlFlow:
    """Records branches and loops as operations.

    Args:
        recorder: the recording of the surrounding program.
    """

    def __init__(self, recorder: Recording) -> None:
        self._recorder = recorder

    def record_custom_gradient(self, operation: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Any:
        """Records a user-defined gradient as the graph of a ``CustomGradient`` operation.

        Returns:
            The operation that has it, and the further values that it reads, after the results and the inputs; None if it can't be
            recorded.
        """
        needs = tuple([is_differentiable(x._array.dtype) for x in inputs])
        has_cotangent: list[bool] = []

        def backward(cotangent_tensors: list[Tensor]) -> list[Tensor]:
            cotangents_left = iter(cotangent_tensors)
            g = tuple([next(cotangents_left) if is_differentiable(y._array.dtype) else y for y in outputs])
            several = len(outputs) > 1
            input_cotangents = operation.gradient.function(
                needs, g if several else g[0], outputs if several else outputs[0], *inputs
            )
            dense = [
                dense_gradient(cotangent) if need else None
                for cotangent, need in zip(input_cotangents, needs, strict=True)
            ]
            has_cotangent.extend([cotangent is not None for cotangent in dense])
            return [cotangent for cotangent in dense if cotangent is not None]

        cotangents = [Tensor(np.ones_like(y._array)) for y in outputs if is_differentiable(y._array.dtype)]
        part = self.record_function(backward, cotangents)
        if part is None or part.state.written or not _add_outer_guards([part]):
            return None
        graph = with_explicit_state(part.graph, len(cotangents) + len(part.outside), part.state)
        gradient_operation = CustomGradient(
            operation.name, len(outputs), GraphOperation(graph, operation.name), has_cotangent
        )
        return gradient_operation, [*part.outside, *[v._read_as_stored() for v in part.state.read]]

    def varies(self, tensor: Tensor) -> bool:
        """True if the tensor may differ in another run."""
        return self._recorder.may_vary(tensor)

    def branch(
        self, index: Tensor, functions: Sequence[Callable[[], Any]], names: Sequence[str] = ()
    ) -> tuple[bool, Any]:
        """Records several functions as a ``Branches`` operation that runs one of them.

        Args:
            index: of the function, a boolean or integer of one element; any other integer means the last.
            functions: of no arguments; they return nested structures.
            names: the functions' names for errors, if they must return the same structures and dtypes. Else functions with
                other structures are not recorded.

        Returns:
            Whether it was recorded, and the result of the function.

        Raises:
            TypeError: functions with names return different structures or dtypes.
            ValueError: only one of them returns None.
        """
        if not self._recorder.may_vary(index) or index._array.dtype.kind not in "biufc":
            return False, None
        if index._array.dtype.kind in "fc":
            index = TABLE["not_equal"](index, convert_to_tensor(np.zeros((), index._array.dtype)))
        structures: list[Any] = []

        def with_flat_results(function: Callable[[], Any]) -> Callable[[list[Tensor]], list[Tensor]]:
            def run_and_flatten(arguments: list[Tensor]) -> list[Tensor]:
                structures.append(function())
                leaves = nest.flatten(structures[-1], expand_composites=True)
                return [convert_to_tensor(leaf) for leaf in leaves if leaf is not None]

            return run_and_flatten

        parts: list[_RecordedFunction] = []
        for function in functions:
            part = self.record_function(with_flat_results(function), [])
            if part is None:
                return False, None
            parts.append(part)
            if names:
                _check_results(names[0], structures[0], parts[0], names[len(parts) - 1], structures[-1], part)
            if not _have_same_result_structure(structures[0], structures[-1], parts[0], part):
                return False, None
        state = _union_of_states(part.state for part in parts)
        if not _add_outer_guards(parts):
            return False, None
        outside = _unique_tensors(x for part in parts for x in part.outside)
        inputs = [*outside, *[v._read_as_stored() for v in state.read]]
        graphs = [with_explicit_state(_renumbered_graph(part, outside), len(outside), state) for part in parts]
        operation = shared_operation(
            graphs,
            "cond",
            lambda: Branches([GraphOperation(graph, "branch") for graph in graphs], "cond", branches_with_residuals),
        )
        results = operation(index, *inputs)
        count = len(results) - len(state.written)
        for variable, value in zip(state.written, results[count:], strict=True):
            variable.assign(value)
        run_and_flatten = iter(results[:count])
        template = structures[0]
        leaves = nest.flatten(template, expand_composites=True)
        packed = [None if leaf is None else next(run_and_flatten) for leaf in leaves]
        return True, nest.pack_sequence_as(template, packed, expand_composites=True)

    def loop(
        self,
        run_iteration: Callable[[list[Tensor], list[Tensor]], tuple[list[Tensor], list[Tensor]]],
        carried: Sequence[Tensor],
        rows: Sequence[Tensor] = (),
        condition: Callable[[list[Tensor]], Any] | None = None,
        most_iterations: Tensor | None = None,
        reverse: bool = False,
        least_capacity: int = 0,
    ) -> tuple[list[Tensor], list[Tensor]] | None:
        """Records a loop as a ``Loop`` operation.

        Args:
            run_iteration: one iteration: maps the carried values and a row of each tensor to the next carried values and the stacked ones.
            carried: the carried values of the first iteration.
            rows: tensors of which each iteration takes a row; all have the same number, one or more.
            condition: maps the carried values to whether there is another iteration; None with ``rows``.
            most_iterations: the most iterations, an integer.
            reverse: whether the last row comes first.
            least_capacity: with a condition, the least capacity for stacked values.

        Returns:
            The carried values after the last iteration, and the stacked values; None if it was not recorded.
        """
        first_rows = [Tensor(x._on_host()[-1 if reverse else 0, ...]) for x in rows]
        if most_iterations is not None and most_iterations._array.dtype != np.int64:
            most_iterations = TABLE["cast"](most_iterations, dtype="int64")
        count = len(carried)

        def body(arguments: list[Tensor]) -> list[Tensor]:
            next_carried, stacked_values = run_iteration(arguments[:count], arguments[count:])
            return [*next_carried, *stacked_values]

        capacities: list[int] | None = None
        while True:
            part = self.record_function(body, [*carried, *first_rows])
            if part is None or not _match_carried_types(part.graph.results, carried):
                return None
            test = None
            if condition is not None:
                test = self.record_function(lambda arguments: [convert_to_tensor(condition(arguments))], carried)
                if test is None or test.state.written or int(np.prod(test.graph.results[0].shape)) != 1:
                    return None
            if not _add_outer_guards([part] if test is None else [part, test]):
                return None
            try:
                return self._make_and_run_loop(
                    part, test, list(carried), list(rows), most_iterations, bool(reverse), least_capacity
                )
            except GuardError:
                previous_capacities, capacities = capacities, [loop.most for loop in loops_with_capacity(part.graph)]
                if not have_overflowed(loops_with_capacity(part.graph)) or capacities == previous_capacities:
                    return None
                # A loop in it had too small a capacity for a later iteration: the next recording has more.

    def _make_and_run_loop(
        self,
        recorded_body: _RecordedFunction,
        recorded_condition: _RecordedFunction | None,
        carried: list[Tensor],
        rows: list[Tensor],
        most_iterations: Tensor | None,
        reverse: bool,
        least_capacity: int,
    ) -> tuple[list[Tensor], list[Tensor]]:
        recorded_parts = [recorded_body] if recorded_condition is None else [recorded_body, recorded_condition]
        outside = _unique_tensors(x for recorded in recorded_parts for x in recorded.outside)
        written = recorded_body.state.written
        read = _union_of_states(recorded.state for recorded in recorded_parts).read
        fixed = [v for v in read if not any(v is w for w in written)]
        # Gradients of reads of a variable that changes flow to the variable before the loop.
        handles = [
            v
            for v in written
            if is_differentiable(v._array.dtype) and any(v is other for other in recorded_body.state.read)
        ]
        layout = _LoopLayout(len(carried), len(rows), len(outside), len(written))
        state = StateVariables((*written, *fixed), written)
        body = layout.iteration_graph(
            with_explicit_state(_renumbered_graph(recorded_body, outside), layout.variables_start, state, handles)
        )
        condition = None
        if recorded_condition is not None:
            shown = with_explicit_state(
                _renumbered_graph(recorded_condition, outside),
                layout.variables_start,
                StateVariables(state.read, ()),
                handles,
            )
            condition = layout.with_operation_arguments(shown)
        form = {
            "carried": layout.carried + layout.written,
            "rows": layout.rows,
            "trips": len(rows[0]._array) if rows else None,
            "limited": most_iterations is not None,
            "reverse": reverse,
            "name": "scan" if condition is None else "while_loop",
        }

        def make_loop(most: int | None = None, origin: Loop | None = None) -> Loop:
            graphs = [body] if condition is None else [body, condition]
            loop: Loop = shared_operation(
                graphs,
                (*form.items(), most),
                lambda: Loop(
                    GraphOperation(body, "trip"),
                    None if condition is None else GraphOperation(condition, "condition"),
                    **form,  # type: ignore[arg-type]
                    most=most,
                    origin=origin,
                    residual_variant=loop_with_residuals,
                ),
            )
            return loop

        inputs = [
            *carried,
            *[v._read_as_stored() for v in written],
            *rows,
            *outside,
            *[v._read_as_stored() for v in (*fixed, *handles)],
        ]
        inputs += [] if most_iterations is None else [most_iterations]
        operation = make_loop()
        if condition is not None and len(body.results) > layout.carried + layout.written:
            trips = trip_count(operation, [x._array for x in inputs])
            operation = make_loop(max(least_capacity, trips, operation.needed_capacity), operation)
        results = operation(*inputs)
        for variable, value in zip(written, results[layout.carried :], strict=False):
            variable.assign(value)
        return list(results[: layout.carried]), list(results[layout.carried + layout.written :])

    def record_function(
        self, function: Callable[[list[Tensor]], list[Tensor]], arguments: Sequence[Tensor]
    ) -> _RecordedFunction | None:
        """Returns the recording of a function, whose side effects are undone; None if it can't be recorded.

        Args:
            function: takes and returns lists of tensors.
            arguments: its arguments for the recording.
        """
        listeners = recorders.active
        with hide_from_recordings():
            # The function may assign a variable that shares memory with a tensor.
            copies = [Tensor(x._on_host() if x._owner is None else x._on_host().copy()) for x in arguments]
            inner_recorder = _InnerRecording(copies, self._recorder, listeners)
            graph = None
            try:
                with inner_recorder:
                    graph = inner_recorder.graph(function(copies))
            except Exception:  # noqa: BLE001  # Python runs it then, and raises the error
                graph = None
            finally:
                inner_recorder.saved.restore()
                inner_recorder.drawn.restore()
        for variable in inner_recorder.created:
            self._recorder.on_create(variable)
        computed = [x for x, node in inner_recorder.varying_tensors() if node.kind is Kind.OPERATION]
        self._recorder.refuse_tensors(
            [*copies, *inner_recorder.tensors_created], [*copies, *computed, *inner_recorder.made_in_parts]
        )
        if graph is None or inner_recorder.created:
            return None
        looks = _guards_of_outer_values(graph, len(copies))
        if looks is None:
            return None
        graph = Graph([node for node in graph.nodes if node.kind is not Kind.GUARD], graph.results)
        try:
            return _RecordedFunction(graph, inner_recorder.outside, state_of(graph), looks, len(copies))
        except TraceError:
            return None


class _LoopLayout(NamedTuple):
    """The order of a loop's inputs: in the recorded graphs, and in the graphs of the operation."""

    carried: int
    rows: int
    outside: int
    written: int

    @property
    def variables_start(self) -> int:
        """The position of a recorded loop's first input for a variable."""
        return self.carried + self.rows + self.outside

    def with_operation_arguments(self, graph: Graph) -> Graph:
        """Returns a graph with renumbered arguments: variables that change come right after the carried values."""

        def new_position(position: int) -> int:
            if position < self.carried:
                return position
            if position < self.variables_start:
                return position + self.written
            if position < self.variables_start + self.written:
                return position - self.variables_start + self.carried
            return position

        return with_argument_numbers(graph, new_position)

    def iteration_graph(self, graph: Graph) -> Graph:
        """Returns the graph of an iteration with renumbered arguments, and results in the order of the carried values."""
        carried_end, written_start = self.carried, len(graph.results) - self.written
        results = [
            *graph.results[:carried_end],
            *graph.results[written_start:],
            *graph.results[carried_end:written_start],
        ]
        return Graph(self.with_operation_arguments(graph).nodes, results)


def _guards_of_outer_values(graph: Graph, own_argument_count: int) -> Graph | None:
    """Returns a graph's guards on outer values, with the nodes that compute these; None if other values are guarded.

    A guard on another value may have another outcome in another iteration.
    """
    fixed: set[int] = set()
    needed: set[int] = set()
    results = []
    for node in graph.nodes:
        if node.kind is Kind.GUARD:
            if id(node.inputs[0]) not in fixed:
                return None
            results.append(node.inputs[0])
            needed.add(id(node))
        elif node.kind is not Kind.ARGUMENT or node.payload >= own_argument_count:
            pure = node.kind in {Kind.ARGUMENT, Kind.READ, Kind.CONSTANT, Kind.OPERATION} and not node.has_effect
            if pure and fixed.issuperset(map(id, node.inputs)):
                fixed.update(map(id, node.outputs))
    kept_nodes = []
    for node in reversed(graph.nodes):
        if id(node) in needed or any(id(value) in needed for value in node.outputs):
            needed.update(map(id, node.inputs))
            kept_nodes.append(node)
    return Graph(reversed(kept_nodes), results)


def _add_outer_guards(parts: Sequence[_RecordedFunction]) -> bool:
    """Adds the guards of recorded functions to the surrounding program; returns False if a function changes a guarded value."""
    written = {id(v) for part in parts for v in part.state.written}
    for part in parts:
        if any(node.kind is Kind.READ and id(node.payload) in written for node in part.outer_guards.nodes):
            return False
    for part in parts:
        tensors: dict[int, Tensor] = {}
        for node in part.outer_guards.nodes:
            if node.kind is Kind.ARGUMENT:
                tensors[id(node.outputs[0])] = part.outside[node.payload - part.argument_count]
            elif node.kind is Kind.READ:
                tensors[id(node.outputs[0])] = node.payload._read_as_stored()
        run_nodes(part.outer_guards, tensors)
        for node in part.outer_guards.nodes:
            if node.kind is Kind.GUARD:
                tensors[id(node.inputs[0])]._report_value_use(node.payload[0])
    return True


def _renumbered_graph(recorded_function: _RecordedFunction, outside: list[Tensor]) -> Graph:
    """Returns the graph of a recorded function with arguments renumbered: those given, then the tensors of ``outside``."""
    number_of = {id(x): number for number, x in enumerate(outside, recorded_function.argument_count)}
    numbers = [*range(recorded_function.argument_count), *[number_of[id(x)] for x in recorded_function.outside]]
    return with_argument_numbers(recorded_function.graph, numbers.__getitem__)


def _unique_tensors(tensors: Iterable[Tensor]) -> list[Tensor]:
    return list({id(x): x for x in tensors}.values())


def _union_of_states(states: Iterable[StateVariables]) -> StateVariables:
    """Returns all variables of several states. Written variables are also read, for parts that do not write them."""
    read: dict[int, Variable] = {}
    written: dict[int, Variable] = {}
    for state in states:
        read |= {id(v): v for v in (*state.read, *state.written)}
        written |= {id(v): v for v in state.written}
    return StateVariables(tuple(read.values()), tuple(written.values()))


def _match_carried_types(results: Sequence[Value], carried: Sequence[Tensor]) -> bool:
    return all((y.shape, y.dtype) == (x._array.shape, x._array.dtype) for y, x in zip(results, carried, strict=False))


def _have_same_result_structure(
    first_result: Any, last_result: Any, first_branch: _RecordedFunction, last_branch: _RecordedFunction
) -> bool:
    """True if two branches return results of the same structure, shapes and dtypes."""
    try:
        nest.assert_same_structure(first_result, last_result)
    except (TypeError, ValueError):
        return False
    forms = [[_form_of_leaf(leaf) for leaf in nest.flatten(side)] for side in (first_result, last_result)]
    types = [[(value.shape, value.dtype) for value in side.graph.results] for side in (first_branch, last_branch)]
    return forms[0] == forms[1] and types[0] == types[1]


def _form_of_leaf(leaf: Any) -> Any:
    """Returns the type and the structure of a composite tensor; of other leaves, whether they are None."""
    return (type(leaf), leaf._to_components()[0]) if hasattr(leaf, "_to_components") else leaf is None


def _check_results(
    first_name: str,
    first_result: Any,
    first_branch: _RecordedFunction,
    name: str,
    result: Any,
    branch: _RecordedFunction,
) -> None:
    """Checks that two functions return the same structures and dtypes, as TensorFlow asks of both while it traces.

    Raises:
        TypeError: they do not.
        ValueError: only one of them returns None.
    """
    texts = [_dtype_names(*one) for one in ((first_result, first_branch), (result, branch))]
    if texts[0] != texts[1] or type(texts[0]) is not type(texts[1]):
        error = ValueError if (first_result is None) is not (result is None) else TypeError
        raise error(
            f"tf.cond, tf.case, tf.switch_case: {first_name} and {name} must return the same structure and dtypes in a "
            f"tf.function, got {texts[0]} and {texts[1]}. Cast or reorder the results of one of them."
        )


def _dtype_names(result: Any, branch: _RecordedFunction) -> Any:
    """Returns the structure of a branch's result with names of dtypes as leaves; None stays."""
    dtypes = iter([value.dtype.name for value in branch.graph.results])

    def name(leaf: Any) -> str | None:
        if hasattr(leaf, "_to_components"):
            for _ in nest.flatten(leaf, expand_composites=True):
                next(dtypes)
            return f"{type(leaf).__name__} of {leaf.dtype.name}" if hasattr(leaf, "dtype") else type(leaf).__name__
        return None if leaf is None else next(dtypes)

    return nest.map_structure(name, result)
