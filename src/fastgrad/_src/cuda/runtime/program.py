"""Programs on a GPU, the counterpart of `compiler/programs/program.py`.

The plan is the same as for a CPU, with GPU kernels, which are launched one after another. Kernels write status words to device memory; the
host reads them once, before the program changes variables. If a kernel has stopped the program, the program runs again from its
beginning, kernel by kernel, up to the failing kernel, which raises the error. Nodes without kernels run on the host, with copies. The
host runs loops and branches trip by trip. Sequences of launches are recorded as graphs and launched as one.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from fastgrad._src.compiler.control_flow.control_flow_operation import ControlFlowOperation
from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation
from fastgrad._src.compiler.fusion.fuse_to_fit import fuse_to_fit
from fastgrad._src.compiler.graph.graph import Graph, Kind, Value, size_of
from fastgrad._src.compiler.graph.interpret import outcome_of, run_node
from fastgrad._src.compiler.passes.expand_references import expand_references
from fastgrad._src.compiler.passes.join_losses import join_losses
from fastgrad._src.compiler.passes.merge_common import merge_common
from fastgrad._src.compiler.passes.tree import optimized_tree, tree_of
from fastgrad._src.compiler.programs.arena import Arena
from fastgrad._src.compiler.programs.buffers import Action, AsPythonObject, Place
from fastgrad._src.compiler.programs.pipeline import DECOMPOSE, SIMPLIFY, Pass, apply_passes
from fastgrad._src.compiler.programs.plan import make_plan
from fastgrad._src.compiler.programs.replay_writer import unrecorded_outcome_error
from fastgrad._src.core.errors import InternalError, InvalidArgumentError
from fastgrad._src.core.memory_sharing import memory_sharing
from fastgrad._src.core.operation import reason_to_run_in_python
from fastgrad._src.cuda.devices.blas import Blas, LibraryKernel
from fastgrad._src.cuda.devices.memory import Device, DeviceArray
from fastgrad._src.cuda.kernels.choice import GPU_TARGET
from fastgrad._src.cuda.kernels.library import with_blas_products
from fastgrad._src.cuda.runtime.frame import DeviceFrame, PreparedLaunch, first_failed_kernel
from fastgrad._src.cuda.runtime.structured import run_graph, run_structured
from fastgrad._src.jit.user_lines import warn


class ProgramStopped(Exception):
    """The error if a kernel has stopped the program."""


class DeviceProgram:
    """Recordings of one function and key, ready for replay on a GPU. Results are on the GPU.

    Args:
        device: the GPU.
        graphs: the recorded graphs, one for each trace.
        fixed: whether arguments are copied to the program's memory, so that its launches can be recorded as graphs; otherwise
            they are read in place.

    Attributes:
        plan: the plan.
        arena_bytes: the temporary memory of a replay.

    Raises:
        UnmergeableTracesError: the graphs are not traces of one tree.
    """

    exclusive_replay = None
    inlined = None

    def __init__(self, device: Device, *graphs: Graph, fixed: bool = True) -> None:
        self.device = device
        self.tree = optimized_tree(tree_of(graphs), partial(apply_passes, passes=_passes(device.driver.blas)))
        self.plan = make_plan(self.tree, GPU_TARGET)
        self.arena_bytes = self.plan.arena_bytes
        self._fixed = fixed
        self._frame = DeviceFrame(self.plan, device)
        self._steps = _steps_by_block(self._frame)
        self._places, self._size = self._memory_layout()
        self._memory: DeviceArray | None = None
        self._objects: list[int] = []
        self._results: list[Any] = []  # arrays, None for Python objects
        self._graphs: dict[tuple[int, int], Any] = {}  # by the number of the block and of the first step
        self._shared = -1
        self._lock = threading.RLock()
        nodes = [node for part in self.tree.parts() for node in part.graph.nodes]
        state_variables = [node.payload for node in nodes if node.kind in (Kind.READ, Kind.ASSIGN)]
        self._read = _host_arrays(state_variables)
        self._written = _host_arrays(self.plan.written)

    @property
    def graph(self) -> Graph:
        """The graph of the first part of the trace tree: the whole recording if there is one trace."""
        return self.tree.graph

    @property
    def source(self) -> str:
        """The program's launches in order, one kernel name and number of units a line."""
        lines = []
        for action in self.plan.actions:
            if action.launches is None:
                lines.append(f"on the host: {action.node}")
            else:
                lines += [f"{launch.kernel.kernel.name} x {launch.units}" for launch in action.launches.launches]  # type: ignore[attr-defined]
        return "\n".join(lines)

    def __call__(self, arguments: Sequence[Any]) -> list[Any]:
        """Replays the program; returns the results only."""
        return self.replay(arguments)[1]

    def replay(self, arguments: Sequence[Any]) -> tuple[int, list[Any]]:
        """Replays the program with new arguments.

        Args:
            arguments: an array of the same shape and dtype for each argument of the recording, on the host or a device.

        Returns:
            The number of the graph whose trace ran, and the results of that graph: new arrays on the device.

        Raises:
            GuardError: a guard's outcome is in none of the graphs. Nothing has changed.
            InvalidArgumentError: an array has another shape or dtype than in the recording.
        """
        with self._lock:
            if self._shared != memory_sharing.last:
                self.release()
            run = _ProgramRun(self, self._frame)
            self._bind(arguments, run)
            for array in self._read:
                self._frame.upload_variable(array)
            try:
                try:
                    number = run.run()
                except ProgramStopped:
                    run.carefully = True
                    run.run()
                    raise InternalError("a kernel stopped a program, and did not when that was run again") from None
            finally:
                results = self._results
                if not self._fixed:
                    self._memory, self._results = None, []
            for array in self._written:
                self._frame.download_variable(array)
            block = self.plan.blocks[number]
            assert block.leaf is not None
            trace_results: list[Any] = []
            for position, (result_number, value) in enumerate(zip(block.returned, block.values, strict=True)):
                if value.dtype.kind == "O":
                    trace_results.append(run.python[id(value)].copy())
                else:
                    is_own = not self._fixed and result_number not in block.returned[:position]
                    trace_results.append(results[result_number] if is_own else results[result_number].copy())
            return block.leaf, trace_results

    def release(self) -> None:
        """Copies the memory that tensors share with variables that the program changes."""
        last = memory_sharing.last
        for variable in self.plan.written:
            variable._detach_views()
        self._shared = last

    # ---- memory ------------------------------------------------------------------------------------------

    def _memory_layout(self) -> tuple[list[int], int]:
        """Returns the offsets of the objects in the program's memory, and its size."""
        arena = Arena()
        arena.grow(self.plan.arena_bytes)
        objects = [*[value for _, value in self.plan.arguments], *self.plan.results]
        return [arena.grow(size_of(value)) for value in objects], arena.size

    def _bind(self, arguments: Sequence[Any], run: _ProgramRun) -> None:
        """Copies arguments to the program's memory, or sets their addresses."""
        is_first = self._memory is None
        if is_first:
            self._memory = self.device.array((self._size,), np.uint8)
            self._objects = [self._memory.address + offset for offset in self._places]
            argument_count = len(self.plan.arguments)
            self._results = [
                self._result(*value_and_address)
                for value_and_address in zip(self.plan.results, self._objects[argument_count:], strict=True)
            ]
            self._objects[argument_count:] = [0 if array is None else array.address for array in self._results]
        assert self._memory is not None
        for index, (number, value) in enumerate(self.plan.arguments):
            array = arguments[number]
            if value.dtype.kind == "O":
                run.python[id(value)] = array
                continue
            if array.shape != value.shape or array.dtype != value.dtype:
                raise InvalidArgumentError(
                    f"A compiled program got {array.dtype.name}{list(array.shape)} for argument {number}; it was recorded with "
                    f"{value.type_text}. Record it again for other shapes and dtypes."
                )
            if self._fixed or isinstance(array, np.ndarray) or array.device is not self.device:
                DeviceArray(self.device, self._objects[index], value.shape, value.dtype, None).write(array)
            else:
                self._objects[index] = array.address
                run.kept.append(array)
        if is_first:
            self._frame.bind(self._memory.address, self._objects)

    def _result(self, value: Value, address: int) -> DeviceArray | None:
        """Returns the array of a result: a new array, or a view of the program's fixed memory."""
        if value.dtype.kind == "O":
            return None
        if not self._fixed:
            return self.device.array(value.shape, value.dtype)
        return DeviceArray(self.device, address, value.shape, value.dtype, self._memory)

    def view(self, place: Place, value: Value) -> DeviceArray:
        """Returns a view of a value of the current run."""
        assert self._memory is not None
        address = self._frame.address(place, self._memory.address, self._objects)
        return DeviceArray(self.device, address, value.shape, value.dtype, self._memory)

    def launch_or_replay(self, graph_key: tuple[int, int], launches: Sequence[PreparedLaunch]) -> None:
        """Launches kernels; with fixed memory, several kernels are recorded as a CUDA graph once, then replayed."""
        driver = self.device.driver

        def launch_all() -> None:
            for call in launches:
                driver.launch(call.loaded, call.words, call.units)

        if not self._fixed or len(launches) == 1:
            launch_all()
            return
        if graph_key not in self._graphs and any(isinstance(call.loaded, LibraryKernel) for call in launches):
            self._graphs[graph_key] = (
                None  # a library's lazy loading at the first launch would fail during graph capture
            )
            launch_all()
            return
        if self._graphs.get(graph_key) is None:
            self._graphs[graph_key] = driver.capture_graph(launch_all)
        driver.launch_graph(self._graphs[graph_key])


# Losses are joined first, while their gradients are rows.
_FUSING_PASSES = (*SIMPLIFY, join_losses, expand_references, merge_common, *DECOMPOSE, fuse_to_fit)


def _passes(blas: Blas | None) -> tuple[Pass, ...]:
    """Returns the passes from a recording to a plannable graph for a GPU."""
    if blas is None:
        return _FUSING_PASSES

    def use_blas_products(graph: Graph) -> Graph:
        return with_blas_products(graph, blas)

    return (*_FUSING_PASSES, use_blas_products)


class _ProgramRun:
    """One run of a program.

    Attributes:
        carefully: whether each kernel's status is checked before the next launch.
        python: values that are Python objects, by id.
        kept: arrays that must live until the run ends.
    """

    def __init__(self, program: DeviceProgram, frame: DeviceFrame) -> None:
        self._program, self._frame, self._plan = program, frame, program.plan
        self.carefully = False
        self.python: dict[int, Any] = {}
        self.kept: list[Any] = []

    def run(self) -> int:
        """Runs the program; returns the number of its last block.

        Raises:
            ProgramStopped: a kernel has stopped the program. If ``carefully``, the kernel's own error is raised instead.
        """
        self._frame.clear_statuses()
        number = 0
        while True:
            for step_number, step in enumerate(self._program._steps[number]):
                if isinstance(step, Action):
                    self._run_on_host(step)
                else:
                    self._launch_sequence((number, step_number), step)
            block = self._plan.blocks[number]
            if block.leaf is not None:
                return number
            guard = block.actions[-1]
            array = self.array(guard.inputs[0], guard.node.inputs[0])
            successor = block.successors.get(outcome_of(guard.node, array))
            if successor is None:
                raise unrecorded_outcome_error(guard.node, array)
            number = successor

    def _launch_sequence(self, key: tuple[int, int], step: _LaunchSequence) -> None:
        if self.carefully:
            for action, call in step.calls:
                self._program.launch_or_replay((-1, -1), [call])
                if call.status_index is not None and first_failed_kernel(self._frame.kernel_statuses()) is not None:
                    self._raise_error_of(action)
            return
        self._program.launch_or_replay(key, [call for _, call in step.calls])
        if step.checks_status and first_failed_kernel(self._frame.kernel_statuses()) is not None:
            raise ProgramStopped

    def _raise_error_of(self, action: Action) -> None:
        """Raises the error of the action whose kernel stopped the program."""
        arrays = [
            self.array(*place_and_value) for place_and_value in zip(action.inputs, action.node.inputs, strict=True)
        ]
        if action.node.kind is Kind.GUARD:
            raise unrecorded_outcome_error(action.node, arrays[0])
        run_node(action.node, arrays)  # raises the error
        raise InternalError(f"{action.node}: its kernel stopped the program, and nothing is wrong.")

    # ---- on the host -------------------------------------------------------------------------------------

    def _run_on_host(self, action: Action) -> None:
        node = action.node
        if node.kind is Kind.GUARD:
            array = self.array(action.inputs[0], node.inputs[0])
            if outcome_of(node, array) != node.payload[1]:
                raise unrecorded_outcome_error(node, array)
        elif node.kind is Kind.ASSIGN:
            node.payload._array[...] = self.array(action.inputs[0], node.inputs[0])
        elif isinstance(node.payload, GraphOperation):
            inputs = [
                self._on_device(*place_and_value) for place_and_value in zip(action.inputs, node.inputs, strict=True)
            ]
            self._store_host_results(action, run_graph(self._program.device, node.payload, inputs))
        elif isinstance(node.payload, ControlFlowOperation):
            inputs = [
                self._on_device(*place_and_value) for place_and_value in zip(action.inputs, node.inputs, strict=True)
            ]
            self._store_host_results(action, run_structured(self._program.device, node.payload, inputs))
        else:
            warn_of_host_fallback(node.payload.name)
            self._store_host_results(
                action,
                run_node(
                    node,
                    [self.array(*place_and_value) for place_and_value in zip(action.inputs, node.inputs, strict=True)],
                ),
            )

    def _store_host_results(self, action: Action, host_results: Sequence[Any]) -> None:
        for place, value, array in zip(action.outputs, action.node.outputs, host_results, strict=True):
            if isinstance(place, AsPythonObject):
                self.python[id(value)] = np.asarray(array, object)
            elif isinstance(array, DeviceArray):
                self._program.view(place, value).write(array.reshape(value.shape))
            else:
                self._program.view(place, value).write(np.asarray(array, value.dtype).reshape(value.shape))

    def _on_device(self, place: Place, value: Value) -> Any:
        """Returns a value of the run: an array on the device, or an array of Python objects."""
        return self.python[id(value)] if isinstance(place, AsPythonObject) else self._program.view(place, value)

    def array(self, place: Place, value: Value) -> np.ndarray:
        """Returns a value of the run as an array on the host."""
        stored_value = self._on_device(place, value)
        array: np.ndarray = stored_value if isinstance(stored_value, np.ndarray) else stored_value.on_host()
        return array


class _LaunchSequence:
    """Prepared launches that run one after another without the host.

    Attributes:
        calls: the calls, each with its action.
        checks_status: whether their statuses are checked after them.
    """

    def __init__(self, calls: list[tuple[Action, PreparedLaunch]], checks_status: bool) -> None:
        self.calls, self.checks_status = calls, checks_status


def _steps_by_block(frame: DeviceFrame) -> list[list[_LaunchSequence | Action]]:
    """Returns the steps of each block of the plan: runs of launches, and the host's actions between them.

    Statuses are checked after the last kernel that may stop the program, before the first one that changes a variable, and before the
    host reads a value to decide.
    """
    block_steps: list[list[_LaunchSequence | Action]] = []
    calls_of = iter(frame.calls)
    for block in frame.plan.blocks:
        steps: list[_LaunchSequence | Action] = []
        pending_calls: list[tuple[Action, PreparedLaunch]] = []
        for action in block.actions:
            calls = next(calls_of)
            if action.launches is not None:
                pending_calls += [(action, call) for call in calls]
                continue
            steps += _launch_sequences(pending_calls, checks_at_end=True)
            pending_calls = []
            if block.successors and action is block.actions[-1]:
                continue
            steps.append(action)
        block_steps.append([*steps, *_launch_sequences(pending_calls, checks_at_end=False)])
    return block_steps


def _launch_sequences(
    calls: list[tuple[Action, PreparedLaunch]], checks_at_end: bool
) -> list[_LaunchSequence | Action]:
    last_check = max([number for number, (_, call) in enumerate(calls, 1) if call.status_index is not None], default=0)
    if not last_check:
        return [_LaunchSequence(calls, False)] if calls else []
    cut_index = len(calls) if checks_at_end else last_check
    remaining_calls = calls[cut_index:]
    return [
        _LaunchSequence(calls[:cut_index], True),
        *([_LaunchSequence(remaining_calls, False)] if remaining_calls else []),
    ]


_warned: set[str] = set()


def warn_of_host_fallback(name: str) -> None:
    """Warns once that an operation runs on the host, if users would expect it on the GPU."""
    reason = reason_to_run_in_python(name)
    if reason is not None and name not in _warned:
        _warned.add(name)
        warn(
            f"{name} has no kernel for GPUs ({reason}): it runs on the host, and its arrays are copied there and back.",
            RuntimeWarning,
        )


def _host_arrays(variables: Sequence[Any]) -> list[np.ndarray]:
    """Returns the host arrays of variables, without arrays of Python objects."""
    arrays = {id(variable._array): variable._array for variable in variables}
    return [array for array in arrays.values() if isinstance(array, np.ndarray) and array.dtype.kind != "O"]
