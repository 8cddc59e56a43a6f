"""Recording: a program runs eagerly, with real values, and its operations are written down as a graph.

One file, because it is one class.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple, Self

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.recording.host_call import HostCall
from fastgrad._src.compiler.recording.state import SavedVariables
from fastgrad._src.core import recording
from fastgrad._src.core.errors import TraceError as TraceError
from fastgrad._src.core.hooks import Hook, module_of
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.placement import device_of, placement
from fastgrad._src.core.tensor import Tensor, listeners, refuse_use, scalars
from fastgrad._src.core.variable import Variable
from fastgrad._src.jit.user_lines import line_text, user_line

_MOST_GUARDED_ELEMENTS = 64
"""Arrays with up to this number of elements become guards when an operation needs their values."""


class Comparison(NamedTuple):
    """The payload of a guard on several elements, which are compared with a constant."""

    kind: str
    wanted: bool


class Recording(recording.Recorder):
    """A recorder that writes down a program as a graph; used in a ``with`` statement around one run of it.

    An input of a recorded operation is one of: an argument, the value of a variable, the result of a recorded
    operation, a constant that was announced as such, or a tensor that existed before the run began. Any
    other tensor was computed from values without the recorder, and can't be replayed.

    Args:
        arguments: the tensors that each replay gets as inputs, in order.
        may_give_up: whether the caller runs the program eagerly for good if it can't be recorded.
        refuses: whether reading a number into Python is an error; else the rest of the run is not recorded.

    Attributes:
        failure: why the program can't be replayed, if it can't.
        gave_up: whether the program must run eagerly for good.
        has_custom_gradients: whether the program uses gradients of the user that the graph does not know.
        captured: tensors that existed before and are constants now.
        created: the variables that the program has made.
        saved: the values that the variables changed by the program had before.
        device: a GPU that operations ran on; None if all ran on the host.
        numbers: the numbers on which Python's control flow depended, with the user's lines.
        reached: what the users' operations in the program and in its branches and loops reach, by id.
        made_in_parts: tensors of branches and bodies of loops that may have other values in another run.
        generators: the random generators of operations with a seed, each of which has its own, as in TensorFlow; None if they share those
            of eager calls.
    """

    records_state = True

    def __init__(self, arguments: Sequence[Tensor], may_give_up: bool = False, refuses: bool = True) -> None:
        self._may_give_up, self._refuses = may_give_up, refuses
        self._nodes: list[Node] = []
        self._values: dict[int, Value] = {}
        # Tensors are keyed by id. Tensors die as in eager execution, and their ids are then removed; these are kept alive.
        self._kept: list[Any] = []
        self._alive: dict[int, _ReferenceWithId] = {}
        self._made_here: set[int] = set()
        self._announced: set[int] = set()
        self._forget = _DeletedTensorCallback(self._values, self._announced, self._alive)
        self._fixed: set[int] = set()  # ids of values that depend only on constants
        self._count = 0
        self._unrecorded_writes: list[Variable] = []
        self._outer_made_here: set[int] | None = None
        self._outer_reached: dict[int, Any] = {}
        self._lines: dict[int, tuple[str, int] | None] = {}
        self.failure: str | None = None
        self.device: Any = None
        self.gave_up = False
        self.has_custom_gradients = False
        self.captured: list[Tensor] = []
        self._looked_at: list[Tensor] = []
        self.created: list[Variable] = []
        self.saved = SavedVariables()
        self.numbers: list[tuple[tuple[str, int] | None, int]] = []
        self.reached: dict[int, Any] = {}
        self.made_in_parts: list[Tensor] = []
        self.generators: dict[Any, Any] | None = None
        self._seed: Any = None
        self._seeded_draws = 0
        for position, tensor in enumerate(arguments):
            self._add_node(Kind.ARGUMENT, position, outputs=(tensor,))
            self._kept.append(tensor)

    def graph(self, results: Sequence[Tensor]) -> Graph:
        """Returns the graph recorded so far, with these tensors as its results.

        Raises:
            TraceError: an event can't be replayed.
        """
        values = [self._value_of(tensor) for tensor in results]
        self._refuse_unrecorded_writes()
        if self.failure is not None:
            raise TraceError(self.failure)
        return Graph(_with_effects_last(self._nodes), values)

    def has_varying_value(self, tensor: Tensor) -> bool:
        value = self._values.get(id(tensor))
        return value is not None and id(value) not in self._fixed

    def may_vary(self, tensor: Tensor) -> bool:
        """True if the tensor may have another value in another run: it is not a constant."""
        return self.has_varying_value(tensor) or (id(tensor) in self._made_here and id(tensor) not in self._values)

    def symbol(self, tensor: Tensor) -> str | None:
        return str(self._values.get(id(tensor), "%")) if self.may_vary(tensor) else None

    def refuse_tensors(self, tensors: Sequence[Tensor], varying: Sequence[Tensor]) -> None:
        """Marks tensors of a separately recorded function: their use in this recording is an error.

        Args:
            tensors: of the function.
            varying: those of them that may have other values in another run.
        """
        self._kept += tensors
        self.made_in_parts += varying
        self._made_here.update([id(x) for x in tensors if id(x) not in self._values])

    def varying_tensors(self) -> list[tuple[Tensor, Node]]:
        """Returns the living tensors that have a value in the graph that is not a constant, with the nodes that give them."""
        makers = {id(value): node for node in self._nodes for value in node.outputs}
        pairs = [(reference(), self._values.get(reference.key)) for reference in list(self._alive.values())]
        return [
            (tensor, makers[id(value)])
            for tensor, value in pairs
            if tensor is not None and id(value) in makers and id(value) not in self._fixed
        ]

    def end_scope(self, results: Sequence[Tensor], name: str) -> list[Tensor]:
        """Returns results as tensors that may be used outside; the use of other tensors of the run is an error from now on.

        Those are tensors that the program has put elsewhere than into its results. A replay runs no Python, so they would
        keep the values of the recording. Constants and values of variables are none of them.

        Args:
            results: tensors of the run.
            name: the function's.
        """
        inside = {
            id(tensor): (tensor, node)
            for tensor, node in self.varying_tensors()
            if node.kind is not Kind.READ and type(tensor) is Tensor  # a variable's slice, a subclass, can be assigned
        }
        outside = [Tensor(x._array if x._owner is None else x._array.copy()) if id(x) in inside else x for x in results]
        origins = [
            (tensor, "an argument" if node.kind is Kind.ARGUMENT else f"made at {line_text(self._lines.get(id(node)))}")
            for tensor, node in inside.values()
        ]
        origins += [
            (tensor, "made in a branch or the body of a loop")
            for tensor in self.made_in_parts
            if type(tensor) is Tensor and id(tensor) not in self._values
        ]
        for tensor, origin in origins:
            refuse_use(
                tensor,
                f"{name}(): this tensor, {origin}, is out of scope: the function kept it outside while tf.function recorded, as in an attribute or "
                "a list. A replay runs no Python, so it would keep the value of that call. Return it, or keep it in a "
                "tf.Variable: v.assign(...).",
            )
        return outside

    @property
    def control_flow_recorder(self) -> Any:
        """The recorder of branches and loops as operations."""
        return module_of(Hook.CONTROL_FLOW).ControlFlow(self)

    def is_constant_result(self, tensor: Tensor) -> bool:
        """True if a returned tensor existed before, or is always the same."""
        if id(tensor) in self._values or self.may_vary(tensor) or tensor._owner is not None:
            return False
        if id(tensor) not in self._announced:
            self.captured.append(tensor)
        return True

    def constants_from_outside(self) -> list[Tensor]:
        """Returns the constants that the program has used or whose elements it has read; some were made before the run."""
        return [*self.captured, *self._looked_at]

    # ---- events --------------------------------------------------------------------------------------

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        if operation.run is None:
            self._record_custom_gradient(operation, inputs, outputs)
            return
        if operation.reached is not None:
            self.on_dependency(operation.reached)
        known = self._values.get
        values = tuple([known(id(x)) or self._value_of(x) for x in inputs])
        if operation.lowering.result_size is not None:
            self._guard_count(operation, values, attributes, len(outputs[0]._array))
        node = self._add_node(Kind.OPERATION, operation, values, outputs, attributes)
        self._lines[id(node)] = user_line()
        if not operation.lowering.checks and self._fixed.issuperset(map(id, values)):
            self._fixed.update([id(value) for value in node.outputs])
        for tensor in outputs:
            self.device = self.device or device_of(tensor._array)

    def _record_custom_gradient(self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """Records a user-defined gradient as a graph, for later gradients; the forward run is recorded already."""
        gradient = self.control_flow_recorder.record_custom_gradient(operation, inputs, outputs)
        if gradient is None:
            self.has_custom_gradients = True
            return
        own_operation, read = gradient
        values = tuple([self._value_of(x) for x in (*outputs, *inputs, *read)])
        self._add_node(Kind.OPERATION, own_operation, values, outputs)

    def on_constant(self, tensor: Tensor) -> None:
        """Notes a constant tensor, which becomes a node at its first use."""
        self._made_here.discard(id(tensor))
        self._announced.add(id(tensor))
        self.forget_id_on_deletion(tensor)

    def on_read(self, variable: Variable, tensor: Tensor) -> None:
        """Records a variable's value as a node at the first read after a change."""
        if id(tensor) not in self._values:
            self._add_node(Kind.READ, variable, outputs=(tensor,))
            self._kept.append(tensor)

    def on_create(self, variable: Variable) -> None:
        """Notes a variable that the program makes; the next call, when the variable exists, is recorded again."""
        if not variable._made_quietly:
            self.created.append(variable)

    def on_write(self, variable: Variable) -> None:
        """Saves a variable before a change; ``on_assign`` must follow before any other event."""
        self.saved.save(variable)
        self._unrecorded_writes.append(variable)

    def on_assign(self, variable: Variable, tensor: Tensor) -> None:
        self._unrecorded_writes = [other for other in self._unrecorded_writes if other is not variable]
        self._add_node(Kind.ASSIGN, variable, (self._value_of(tensor),))

    def on_dependency(self, reached: Any) -> None:
        """Notes what an operation's functions reach: the recording holds while nothing of it changes."""
        self.reached[id(reached)] = reached

    def on_effect(self, effect: str) -> None:
        """Fails the recording: a replay can't repeat this effect."""
        self._set_failure(
            f"{line_text(user_line())}: {effect} while tf.function recorded. A recorded function is replayed without its Python, which "
            "would not do this again. Do it outside of the function; or run everything eagerly: "
            "tf.config.run_functions_eagerly(True)."
        )

    def on_seed(self, seed: Any) -> bool:
        """Sets the seed of the function's later draws: as in TensorFlow, the global seed stays as it is."""
        if self.generators is None:
            return False
        self._seed = seed
        return True

    def generator_of(self, seed: int | None, make: Callable[[int, Any], Any]) -> Any:
        """Returns the generator of the next operation with a seed: another trace of the tree may have made it."""
        if self.generators is None or (seed is None and self._seed is None):
            return None
        key = self._seeded_draws, seed, self._seed, user_line()
        if key not in self.generators:
            self.generators[key] = make(self._seeded_draws if seed is None else seed, self._seed)
        self._seeded_draws += 1
        return self.generators[key]

    def iterations(self, elements: Iterator[Any]) -> Iterator[Any]:
        """Yields the elements of a tensor. An operation with a seed is the same one in each round of a loop over them, as in TensorFlow."""
        first_draw = self._seeded_draws
        for element in elements:
            self._seeded_draws = first_draw
            yield element

    def on_dataset_element(self) -> None:
        """Stops the recording at a loop over a dataset, which has an unknown number of elements."""
        if not self._may_give_up:
            self._set_failure(
                f"{line_text(user_line())}: this line takes an element of a dataset in a part of a program that is written down as an "
                "operation. Take it outside, and pass it as an argument."
            )
            raise TraceError(self.failure)
        self._stop_recording()

    def _stop_recording(self) -> None:
        self.gave_up = True
        recording.stop(self)

    def on_call(self, name: str, function: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], acts: bool) -> None:
        call = HostCall(name, function, acts, not outputs)
        values = tuple([self._value_of(x) for x in inputs])
        if not outputs:
            self._add_internal_node(Kind.OPERATION, call, values, np.ones((), bool))
            return
        node = self._add_node(Kind.OPERATION, call, values, outputs)
        self._lines[id(node)] = user_line()

    def on_value_use(self, tensor: Tensor, use: str) -> None:
        """Records control flow by a value as a guard; TraceError if the program reads a number, which a replay could not compute."""
        if not self.may_vary(tensor):
            self._looked_at.append(tensor)
            return  # a constant, the same each time
        value = self._value_of(tensor)
        if id(value) in self._fixed:
            return
        if use in {"bool", "int", "index"}:
            self._guard(value, {"bool": bool}.get(use, int)(tensor._on_host().reshape(())), use)
        elif use == "argument" and tensor._array.dtype.kind in "iubf" and tensor._array.size <= _MOST_GUARDED_ELEMENTS:
            if tensor._array.dtype.kind in "iu" and tensor._array.size == 1:
                self._guard(value, int(tensor._on_host().reshape(())), "int")
            else:
                self._guard_elements(value, tensor._on_host())
        elif self._refuses:
            self._refuse_read(tensor, value, use)
        else:
            self._stop_recording()

    def _guard(self, value: Value, recorded_value: Any, kind: str = "bool") -> None:
        self._add_node(Kind.GUARD, (kind, recorded_value), (value,))
        if kind != "bool":
            self.numbers.append((user_line(), recorded_value))

    def _guard_count(
        self, operation: Any, inputs: tuple[Value, ...], attributes: dict[str, Any], recorded_count: int
    ) -> None:
        """Adds a guard on the number of elements of an operation's result."""
        size_of_result = operation.lowering.result_size
        counting = HostCall(
            f"{operation.name}_count", lambda *arrays, **options: np.array(size_of_result.count(*arrays, **options))
        )
        counting.launches = size_of_result.launches
        counting.counts_results = True
        count = self._add_internal_node(Kind.OPERATION, counting, inputs, np.array(recorded_count), attributes)
        self._guard(count, recorded_count, "int")

    def _guard_elements(self, value: Value, recorded_elements: np.ndarray) -> None:
        """Adds a guard on all elements of a value: their comparison with a constant."""
        constant = self._add_internal_node(Kind.CONSTANT, np.array(recorded_elements), (), recorded_elements)
        is_equal = self._add_internal_node(
            Kind.OPERATION, TABLE["equal"], (value, constant), np.ones(recorded_elements.shape, bool)
        )
        if recorded_elements.ndim:
            axes = {"axes": tuple(range(recorded_elements.ndim)), "keepdims": False}
            is_equal = self._add_internal_node(
                Kind.OPERATION, TABLE["reduce_all"], (is_equal,), np.ones((), bool), axes
            )
        self._add_node(Kind.GUARD, Comparison("bool", True), (is_equal,))

    def _refuse_read(self, tensor: Tensor, value: Value, kind: str) -> None:
        maker = next((node for node in self._nodes if any(value is output for output in node.outputs)), None)
        if maker is None or maker.kind is not Kind.OPERATION:
            origin = (
                "an argument of the function" if maker and maker.kind is Kind.ARGUMENT else "the value of a variable"
            )
        else:
            origin = f"the result of {maker.payload.name!r} at {line_text(self._lines.get(id(maker)))}"
        descriptions = {
            "argument": "its elements",
            "format": "a formatted text",
            "numpy": "its elements as a NumPy array",
            "float": "a Python float",
            "complex": "a Python complex",
        }
        tensor_instead = ", as tf.cast(x, tf.float32) is one" if kind == "float" else ""
        self._set_failure(
            f"{line_text(user_line())}: this line asks a tensor for {descriptions.get(kind, kind)} while tf.function records it. The tensor, "
            f"of shape {list(tensor._array.shape)} and dtype {tensor.dtype.name}, is {origin}. "
            "A recorded function is replayed without its Python, so the number could not be read again. "
            f"Keep it a tensor{tensor_instead}; "
            "or return it and look at it outside; or show it with tf.print; or compute with it in tf.py_function; or run everything "
            "eagerly: tf.config.run_functions_eagerly(True)."
        )
        raise TraceError(self.failure)

    # ---- values --------------------------------------------------------------------------------------

    def _add_node(
        self,
        kind: Kind,
        payload: Any,
        inputs: tuple[Value, ...] = (),
        outputs: Sequence[Tensor] = (),
        attributes: dict[str, Any] | None = None,
    ) -> Node:
        """Adds a node whose results are the values of these tensors."""
        self._refuse_unrecorded_writes()
        values = []
        for tensor in outputs:
            array = tensor._array
            value = self._values[id(tensor)] = Value(array.shape, array.dtype, self._count)
            values.append(value)
            self._made_here.discard(id(tensor))
            self.forget_id_on_deletion(tensor)
            self._count += 1
        node = Node(kind, payload, inputs, tuple(values), attributes or {})
        self._nodes.append(node)
        return node

    def _add_internal_node(
        self,
        kind: Kind,
        payload: Any,
        inputs: tuple[Value, ...],
        result_array: np.ndarray,
        attributes: dict[str, Any] | None = None,
    ) -> Value:
        """Adds a node whose result is no tensor of the program; returns its value."""
        self._refuse_unrecorded_writes()
        value = Value(result_array.shape, result_array.dtype, self._count)
        self._count += 1
        self._nodes.append(Node(kind, payload, inputs, (value,), attributes or {}))
        return value

    def _refuse_unrecorded_writes(self) -> None:
        if self._unrecorded_writes and self.failure is None:
            names = ", ".join(variable.name for variable in self._unrecorded_writes)
            self._set_failure(f"the variables {names} were changed in a way that can't be replayed")

    def forget_id_on_deletion(self, tensor: Tensor) -> None:
        """Removes the tensor's id from the recording when the tensor is deleted."""
        if id(tensor) not in self._alive:
            alive = self._alive[id(tensor)] = _ReferenceWithId(tensor, self._forget)
            alive.key = id(tensor)

    def _value_of(self, tensor: Tensor) -> Value:
        value = self._values.get(id(tensor))
        if value is None:
            # Tensors of Python numbers are cached, and may have been made here while recorders were off.
            if id(tensor) in self._made_here and not any(tensor is scalar for scalar in scalars.values()):
                self._set_failure(
                    f"{line_text(user_line())}: this line makes a tensor from the values of others in a way that tf.function can't "
                    f"record: {tensor!r}. Make it with operations of fastgrad; or run everything eagerly: "
                    "tf.config.run_functions_eagerly(True)."
                )
            array = tensor._on_host()
            if tensor._owner is not None or not array.flags.c_contiguous:
                array = np.array(array, order="C")
            value = self._add_node(Kind.CONSTANT, array, outputs=(tensor,)).outputs[0]
            self._fixed.add(id(value))
            if id(tensor) not in self._announced:
                self.captured.append(tensor)
        return value

    def _set_failure(self, reason: str) -> None:
        if self.failure is None:
            self.failure = reason

    # ---- the run ---------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        recording.start(self)
        listeners.append(_new_tensor_listener.note)
        self._outer_made_here, _new_tensor_listener.made_here = _new_tensor_listener.made_here, self._made_here
        self._outer_reached, _new_tensor_listener.reached = _new_tensor_listener.reached, self.reached
        return self

    def __exit__(self, *exception: Any) -> None:
        _new_tensor_listener.made_here = self._outer_made_here
        _new_tensor_listener.reached = self._outer_reached
        self._outer_reached |= self.reached
        listeners.remove(_new_tensor_listener.note)
        recording.stop(self)


class _NewTensorListener(threading.local):
    """A listener that notes the id of each tensor that a thread makes during a recording.

    ``reached`` is that of the thread's innermost recording, also where its operations are hidden.
    """

    made_here: set[int] | None = None
    hidden_ids: set[int] | None = None

    def __init__(self) -> None:
        self.reached: dict[int, Any] = {}

    def note(self, tensor: Tensor) -> None:
        """Notes a new tensor."""
        if self.made_here is not None:
            self.made_here.add(id(tensor))
        if self.hidden_ids is not None:
            self.hidden_ids.add(id(tensor))


_new_tensor_listener = _NewTensorListener()


@contextmanager
def hide_from_recordings() -> Iterator[None]:
    """A context hidden from outer recordings: they do not see this thread's operations and new tensors, which stay on the host."""
    outer_made_here, outer_hidden_ids = _new_tensor_listener.made_here, _new_tensor_listener.hidden_ids
    _new_tensor_listener.made_here, _new_tensor_listener.hidden_ids = None, set()
    try:
        with recording.hide_from_recorders(), placement.device_scope(None) if placement.active else nullcontext():
            yield
    finally:
        made_ids = _new_tensor_listener.hidden_ids
        if outer_made_here is not None:
            outer_made_here -= made_ids  # some have the ids of deleted tensors
        if outer_hidden_ids is not None:
            outer_hidden_ids |= made_ids
        _new_tensor_listener.made_here, _new_tensor_listener.hidden_ids = outer_made_here, outer_hidden_ids


class _ReferenceWithId(weakref.ref):
    """A weak reference that knows the id of its referent."""

    __slots__ = ("key",)

    key: int


class _DeletedTensorCallback:
    """A callback of deleted tensors that removes the id of the tensor from a recording."""

    __slots__ = ("_alive", "_announced", "_values")

    def __init__(self, values: dict[int, Value], announced: set[int], alive: dict[int, _ReferenceWithId]) -> None:
        self._values, self._announced, self._alive = values, announced, alive

    def __call__(self, reference: Any) -> None:
        self._values.pop(reference.key, None)
        self._announced.discard(reference.key)
        self._alive.pop(reference.key, None)


def _with_effects_last(nodes: list[Node]) -> list[Node]:
    """Returns the nodes with prints and other effects moved after the last guard, which may restart the run."""
    last_guard = max([position for position, node in enumerate(nodes) if node.kind is Kind.GUARD], default=-1)
    effects = [
        node for node in nodes[:last_guard] if isinstance(node.payload, HostCall) and node.payload.computes_nothing
    ]
    if last_guard < 0 or not effects:
        return nodes
    early = set(map(id, effects))
    return [*[node for node in nodes[: last_guard + 1] if id(node) not in early], *effects, *nodes[last_guard + 1 :]]
