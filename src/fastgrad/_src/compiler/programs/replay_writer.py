"""The generated Python function of a program: takes arrays, returns the number of the trace and its results.

If all nodes of a program have kernels, the function is one native call. The driver then chooses the branches by itself.
Otherwise consecutive native steps alternate with nodes that run in Python, and Python chooses the branches.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.graph.graph import Kind, Node, Value
from fastgrad._src.compiler.graph.interpret import GuardError, outcome_of, run_node
from fastgrad._src.compiler.programs.buffers import (
    Action,
    AsPythonObject,
    Block,
    InCallerArray,
    InPermanent,
    Place,
    Plan,
    leading_elements_of,
)
from fastgrad._src.compiler.programs.cost import native_work_of
from fastgrad._src.compiler.programs.frame import Frame, nanoseconds_of
from fastgrad._src.core.operation import as_array
from fastgrad._src.jit.generated_source import temporary_function_from_source
from fastgrad._src.kernels.runtime import driver
from fastgrad._src.kernels.runtime.thread_pool import begin_on_free_pool, continue_on_free_pool

_source_file_numbers = itertools.count(1)
# Numbers in the file names of generated functions, one for each program.


def driver_functions_of(plan: Plan) -> tuple[Any, Any]:
    """Returns the driver functions ``begin`` and ``go_on`` for a program's work: with the GIL, without it, or threaded."""
    work = native_work_of(plan)
    if work.is_for_threads:
        return begin_on_free_pool, continue_on_free_pool
    if work.releases_gil:
        return driver.begin_without_gil[()], driver.continue_without_gil[()]
    return driver.begin_program[()], driver.continue_program[()]


def unrecorded_outcome_error(node: Node, array: np.ndarray | None) -> GuardError:
    """Returns the GuardError of a guard whose outcome is in no recorded trace."""
    assert array is not None
    return GuardError(node, outcome_of(node, array))


def argument_name(number: int) -> str:
    """Returns the name of an argument's array in generated code."""
    return f"x{number}"


class ReplayCode(NamedTuple):
    """The code of a replay for the body of another function.

    Attributes:
        lines: statements that run the program; they read the arrays ``argument_name(0)``, ``argument_name(1)`` and so on.
        results: for each result of the program an expression of its array, to be evaluated once.
        scope: the values of the other names.
    """

    lines: tuple[str, ...]
    results: tuple[str, ...]
    scope: dict[str, Any]


class ReplayWriter:
    """Writes the replay function of a program.

    Args:
        program: has the plan; its ``handle_stop`` handles native steps that stopped before the last one.
        frame: a frame of the plan; the maker is called once for each frame.

    Attributes:
        source: the source of ``make(frame)``, which returns the replay function.
    """

    def __init__(self, program: Any, frame: Frame) -> None:
        self.plan: Plan = program.plan
        begin, go_on = driver_functions_of(self.plan)
        self.scope: dict[str, Any] = {
            "empty": np.empty,
            "copyto": np.copyto,
            "leading": leading_elements_of,
            "run_node": run_node,
            "left": unrecorded_outcome_error,
            "outcome_of": outcome_of,
            "as_array": as_array,
            "handle_stop": program.handle_stop,
            "begin": begin,
            "go_on": go_on,
        }
        self._lines: list[str] = []
        self._views: list[str] = []
        self._held: dict[int, str] = {}  # by value: the name of a frame's array that Python reads
        count = len(self.plan.arguments) + len(self.plan.results)
        self._objects = [argument_name(number) for number, _ in self.plan.arguments]
        self._objects += [f"o{number}" for number in range(len(self._objects), count)]
        for number, value in enumerate(self.plan.results, len(self.plan.arguments)):
            self.scope[f"dtype{number}"] = value.dtype
            self._lines.append(f"o{number} = empty({value.shape}, dtype{number})")
        for number, value in self.plan.arguments:
            if value.dtype.kind == "O":
                self._lines.append(f"v{value.number} = {argument_name(number)}")
        for value, array in self.plan.constants:
            self.scope[f"constant{value.number}"] = array.reshape(value.shape)
            self._lines.append(f"v{value.number} = constant{value.number}")
        self._lines.append(f"objects = ({''.join(f'{name}, ' for name in self._objects)})")
        if self.plan.native:
            self._write_native_replay(frame)
        else:
            self._write_mixed_replay(frame)
        names = [argument_name(i) for i in range(max([number for number, _ in self.plan.arguments], default=-1) + 1)]
        lines = ["def make(frame):", "    words = frame.words", *[f"    {line}" for line in self._views]]
        lines += [f"    def replay({', '.join([*names, '*unused'])}):", *[f"        {line}" for line in self._lines]]
        self.source = "\n".join([*lines, "    return replay"]) + "\n"

    def code_for_inlining(self, frame: Frame) -> ReplayCode | None:
        """Returns the replay on a frame as code for inlining; None unless the program is one native call for one trace."""
        leaves = [block for block in self.plan.blocks if block.leaf is not None]
        if not self.plan.native or len(leaves) > 1 or any(value.dtype.kind == "O" for _, value in self.plan.arguments):
            return None
        lines = tuple(self._lines[:-1])  # all but the return statement
        return ReplayCode(lines, self._results(leaves[0]), {**self.scope, "frame": frame, "words": frame.words})

    def compiled(self) -> Callable[[Frame], Callable[..., tuple[int, list[np.ndarray]]]]:
        """Returns the compiled function ``make(frame)``, which makes the replay function for a frame."""
        make_replay: Callable[[Frame], Callable[..., tuple[int, list[np.ndarray]]]]
        make_replay = temporary_function_from_source(
            "make", self.source, f"<fastgrad program {next(_source_file_numbers)}>", self.scope
        )
        return make_replay

    # ---- one native call ---------------------------------------------------------------------------------

    def _write_native_replay(self, frame: Frame) -> None:
        total = frame.steps[-1].stop if frame.steps else 0
        first_stop, *later_stops = [*self._signal_check_steps(frame), total]
        self._write_driver_call(f"begin(objects, words, {first_stop})", first_stop)
        for start, stop in itertools.pairwise([first_stop, *later_stops]):
            self._write_driver_call(f"go_on(words, {start}, {stop})", stop)
        ends = [block for block in self.plan.blocks if block.leaf is not None]
        for block in ends[:-1]:
            self._lines.append(f"if status == {-1 - self._trace_number(block)}: {self._return_statement(block)}")
        self._lines.append(self._return_statement(ends[-1]))

    def _signal_check_steps(self, frame: Frame) -> list[int]:
        """Returns the steps before which a long program returns to Python, which then handles signals.

        None comes after a step that changes a variable.
        """
        if len(self.plan.blocks) > 1:
            return []
        memory = {id(variable._array) for variable in self.plan.written}
        pauses, spent = [], 0.0
        for action, steps in zip(self.plan.actions, frame.steps, strict=True):
            if spent > driver.LOOP_PAUSE_INTERVAL_NANOSECONDS and steps.start and steps.start not in frame.inside:
                pauses.append(steps.start)
                spent = 0.0
            if any(isinstance(place, InPermanent) and id(place.array) in memory for place in action.outputs):
                break
            spent += sum(map(nanoseconds_of, action.launches.launches)) if action.launches else 0.0
        return pauses

    @staticmethod
    def _trace_number(block: Block) -> int:
        assert block.leaf is not None
        return block.leaf

    def _write_driver_call(self, text: str, stop: int) -> None:
        self._lines.append(f"status = {text}")
        self._lines.append(f"if status >= 0: status = handle_stop(frame, status, objects, {stop})")

    def _return_statement(self, block: Block) -> str:
        return f"return {block.leaf}, [{', '.join(self._results(block))}]"

    def _results(self, block: Block) -> tuple[str, ...]:
        """Returns the expressions of the results at the end of a trace; an array that is returned twice is copied."""
        first_use = {number: i for i, number in reversed(list(enumerate(block.returned)))}
        names = []
        for i, (number, value) in enumerate(zip(block.returned, block.values, strict=True)):
            name = f"v{value.number}.copy()" if value.dtype.kind == "O" else f"o{len(self.plan.arguments) + number}"
            names.append(name if first_use[number] == i else f"{name}.copy()")
        return tuple(names)

    # ---- native steps and Python -------------------------------------------------------------------------

    def _write_mixed_replay(self, frame: Frame) -> None:
        self._write_driver_call("begin(objects, words, 0)", 0)  # sets the addresses of the caller's arrays
        position = 0
        alone = len(self.plan.blocks) == 1
        if not alone:
            self._lines += ["part = 0", "while True:"]
        for number, block in enumerate(self.plan.blocks):
            earlier_lines, self._lines = self._lines, []
            self._write_block(number, block, frame, position)
            position += len(block.actions)
            if alone:
                self._lines = earlier_lines + self._lines
            else:
                self._lines = [
                    *earlier_lines,
                    f"    if part == {number}:",
                    *[f"        {line}" for line in self._lines],
                ]

    def _write_block(self, number: int, block: Block, frame: Frame, position: int) -> None:
        first_step = frame.steps[position].start if position < len(frame.steps) else 0
        steps = range(first_step, first_step)
        for action_number, action in enumerate(block.actions, position):
            if action.launches is not None:
                steps = range(steps.start, frame.steps[action_number].stop)
                continue
            if steps:
                self._write_driver_call(f"go_on(words, {steps.start}, {steps.stop})", steps.stop)
            steps = range(steps.stop, steps.stop)
            if block.successors and action is block.actions[-1]:
                self._write_choice(number, block, action)
            else:
                self._write_python_node(action_number, action)
        if steps:
            self._write_driver_call(f"go_on(words, {steps.start}, {steps.stop})", steps.stop)
        if block.leaf is not None:
            self._lines.append(self._return_statement(block))

    def _write_choice(self, number: int, block: Block, action: Action) -> None:
        self.scope[f"guard{number}"], self.scope[f"successors{number}"] = action.node, block.successors
        array = self._array_expression(action.inputs[0], action.node.inputs[0])
        self._lines.append(f"part = successors{number}.get(outcome_of(guard{number}, {array}))")
        self._lines.append(f"if part is None: raise left(guard{number}, {array})")
        self._lines.append("continue")

    def _write_python_node(self, position: int, action: Action) -> None:
        node = action.node
        self.scope[f"node{position}"] = node
        inputs = [self._array_expression(p, v) for p, v in zip(action.inputs, node.inputs, strict=True)]
        if node.kind is Kind.GUARD:
            self._lines.append(f"if outcome_of(node{position}, {inputs[0]}) != {node.payload[1]!r}:")
            self._lines.append(f"    raise left(node{position}, {inputs[0]})")
            return
        if node.kind is Kind.ASSIGN:
            self.scope[f"variable{position}"] = node.payload
            self._lines.append(f"copyto(variable{position}._array, {inputs[0]})")
            return
        self._lines.append(f"found = run_node(node{position}, ({''.join(f'{x}, ' for x in inputs)}))")
        for number, (place, value) in enumerate(zip(action.outputs, node.outputs, strict=True)):
            name = self._array_expression(place, value)
            if isinstance(place, AsPythonObject):
                self._lines.append(f"{name} = as_array(found[{number}])")
            else:
                self._lines.append(f"copyto({name}, found[{number}])")

    def _array_expression(self, place: Place, value: Value) -> str:
        """Returns the expression of a value's array."""
        if isinstance(place, AsPythonObject):
            return f"v{value.number}"
        if isinstance(place, InCallerArray):
            return f"leading({self._objects[place.number]}, {value.shape})"
        if id(value) not in self._held:
            name = self._held[id(value)] = f"m{len(self._held)}"
            self.scope[f"place_{name}"], self.scope[f"value_{name}"] = place, value
            self._views.append(f"{name} = frame.array(place_{name}, value_{name})")
        return self._held[id(value)]
