"""Programs: optimized, fused graphs, ready to be replayed in native calls.

A graph is planned (``plan.py``), the plan becomes a frame of words (``frame.py``), and a short generated function calls the
driver with the frame. If every node has kernels, that function is one native call. Nodes without kernels run eagerly,
between the native steps.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind
from fastgrad._src.compiler.graph.interpret import run_node
from fastgrad._src.compiler.passes.tree import optimized_tree, tree_of
from fastgrad._src.compiler.programs.buffers import InCallerArray, leading_elements_of
from fastgrad._src.compiler.programs.frame import Frame
from fastgrad._src.compiler.programs.pipeline import optimize_for_host
from fastgrad._src.compiler.programs.plan import make_plan
from fastgrad._src.compiler.programs.replay_writer import ReplayWriter, driver_functions_of, unrecorded_outcome_error
from fastgrad._src.core.errors import InternalError, InvalidArgumentError
from fastgrad._src.core.memory_sharing import memory_sharing
from fastgrad._src.jit.build import compile_kernels, is_compiled
from fastgrad._src.jit.phases import phase
from fastgrad._src.jit.processors import default_threads
from fastgrad._src.jit.progress import COMPILATION_PROGRESS
from fastgrad._src.kernels.collectives.world import finish_transfers
from fastgrad._src.kernels.runtime import driver
from fastgrad._src.kernels.runtime.loops import TOO_MANY_TRIPS

MOST_IDLE_BYTES = 2**26
"""Bytes of working memory that a program keeps after calls that overlapped; it always keeps that of one call."""


class Program:
    """The traces of one function and key, ready to be replayed. Threads may share a program, and calls may overlap.

    Args:
        graphs: the recorded graphs, one for each trace.
        optimize: the passes; by default all that serve a CPU.

    Attributes:
        plan: the plan.
        source: the generated function.
        arena_bytes: the working memory of one replay, without the memory that nodes without kernels allocate.
        inlined: the function that ``exclusive_replay`` returns first, as code for inlining; None unless it is one native call for one
            trace.

    Raises:
        UnmergeableTracesError: the graphs are not traces of one program.
    """

    def __init__(self, *graphs: Graph, optimize: Callable[[Graph], Graph] = optimize_for_host) -> None:
        with COMPILATION_PROGRESS.of_program() as progress, phase("planning"):
            self.tree = optimized_tree(tree_of(graphs), optimize)
            self.plan = make_plan(self.tree)
            progress.expect(self._uncompiled_kernels)
            compile_kernels(self._uncompiled_kernels, default_threads())
            first_frame = Frame(self.plan)
        self.arena_bytes = self.plan.arena_bytes
        writer = ReplayWriter(self, first_frame)
        self.source = writer.source
        self._make = writer.compiled()
        self._idle: list[Callable[..., tuple[int, list[np.ndarray]]]] = [self._make(first_frame)]
        self._shared = -1
        self.inlined = writer.code_for_inlining(first_frame)

    def _uncompiled_kernels(self) -> set[Any]:
        launches = [launch for action in self.plan.actions if action.launches for launch in action.launches.launches]
        kernels = {kernel for launch in launches for kernel in launch.kernels()}
        return {kernel for kernel in kernels if not is_compiled(kernel)}

    @property
    def graph(self) -> Graph:
        """The first part of the trace tree; the whole program if there is one trace."""
        return self.tree.graph

    def __call__(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Replays the program and returns the results; see ``replay``."""
        return self.replay(arguments)[1]

    def replay(self, arguments: Sequence[np.ndarray]) -> tuple[int, list[np.ndarray]]:
        """Replays the program; returns the number of the taken trace and its results.

        Args:
            arguments: for each argument of the recording an array of the same shape and dtype.

        Returns:
            The number of the graph whose trace it took, and that graph's results, in arrays of their own.

        Raises:
            GuardError: a guard has an outcome that is in none of the graphs; nothing has changed.
            InvalidArgumentError: an array has another shape or dtype than in the recording.
        """
        if self.plan.written:
            memory_sharing.has_single_thread()  # notes that this thread writes
        if self._shared != memory_sharing.last:
            self.release()
        try:
            run = self._idle.pop()  # atomic: another thread may do the same
        except IndexError:
            run = self._make(Frame(self.plan))
        try:
            return run(*arguments)
        except UnreadableLayout:
            return run(*self._contiguous_arguments(arguments))
        finally:
            if not self._idle or len(self._idle) * self.arena_bytes < MOST_IDLE_BYTES:
                self._idle.append(run)

    def exclusive_replay(self) -> Callable[..., tuple[int, list[np.ndarray]]]:
        """Returns a replay function that serves one caller at a time, for programs that are one native call.

        The function refuses arrays with a layout that kernels do not read (``UnreadableLayout``). It does not copy the tensors that share
        memory of the variables ``plan.written``: see ``release``.
        """
        return self._idle.pop() if self._idle else self._make(Frame(self.plan))

    def release(self) -> None:
        """Copies all tensors that share memory of variables that the program changes, so that they keep their values."""
        last_shared = memory_sharing.last
        for variable in self.plan.written:
            variable._detach_views()
        self._shared = last_shared

    @staticmethod
    def handle_stop(frame: Frame, status: int, objects: tuple[Any, ...], stop: int) -> int:
        """Handles native steps that stopped before the last one: raises the error of a step, or resumes.

        Signals are handled between two parts of a run that pauses: Ctrl-C raises here, and nothing has changed. The method is
        static, so that its caller keeps no reference to the program, which is freed, with its code, at the last use.

        Returns:
            The status that the driver returns.
        """
        begin, go_on = driver_functions_of(frame.plan)
        try:
            while status == driver.STOPPED:
                answer = int(frame.words[driver.STATUS])
                if answer == driver.PAUSED:
                    status = go_on(frame.words, int(frame.words[driver.STOPPED_AT]), stop)
                elif answer == driver.ABANDONED:
                    frame.clear_resume_point()
                    status = begin(objects, frame.words, stop)
                else:
                    Program._raise_step_error(frame, answer, objects)
        except BaseException:
            finish_transfers(frame)
            raise
        if status >= 0:
            raise UnreadableLayout
        return status

    @staticmethod
    def _raise_step_error(frame: Frame, answer: int, objects: tuple[Any, ...]) -> None:
        """Raises the error of the step that stopped."""
        step = int(frame.words[driver.STOPPED_AT])
        position = next(i for i, steps in enumerate(frame.steps) if step in steps)
        action = frame.plan.actions[position]
        arrays = [
            leading_elements_of(objects[place.number], value.shape)
            if isinstance(place, InCallerArray)
            else frame.array(place, value)
            for place, value in zip(action.inputs, action.node.inputs, strict=True)
        ]
        if action.node.kind is Kind.GUARD:
            raise unrecorded_outcome_error(action.node, arrays[0])
        if answer == TOO_MANY_TRIPS and hasattr(action.node.payload, "outgrown"):
            raise action.node.payload.outgrown()
        if action.node.is_collective:
            importlib.import_module("fastgrad._src.ops.collectives")._raise_failure()  # no second collective
        run_node(action.node, arrays)  # raises the error
        raise InternalError(f"{action.node}: its kernel answered {answer}, and nothing is wrong.")

    def _contiguous_arguments(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns the arguments, with copies of those that kernels can't read."""
        arrays = list(arguments)
        for number, value in self.plan.arguments:
            array = np.asarray(arrays[number])
            if array.shape != value.shape or array.dtype != value.dtype:
                raise InvalidArgumentError(
                    f"A compiled program got {array.dtype.name}{list(array.shape)} for argument {number}; it was recorded with "
                    f"{value.type_text}. Record it again for other shapes and dtypes."
                )
            flags = array.flags
            is_readable = flags.c_contiguous and flags.aligned and array.dtype.num == value.dtype.num
            arrays[number] = array if is_readable else np.array(array, dtype=value.dtype, order="C", copy=True)
        return arrays


class UnreadableLayout(Exception):
    """Raised for an argument with a layout that kernels can't read."""
