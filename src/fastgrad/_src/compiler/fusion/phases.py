"""The phases of a group: consecutive loops, if a reduced value is an operand of operations on the reduced elements.

A softmax has three such phases over a row: the maximum; the exponentials and their sum; the quotients. If a later phase
needs a value again, a cheap value is recomputed. Another value is stored, if possible in the memory of a result that is not
written yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fastgrad._src.compiler.fusion.fused import Fused, Step
from fastgrad._src.compiler.fusion.scalar_code import scalar_code
from fastgrad._src.kernels.runtime.launch import Operand, Output, Scratch

MOST_RECOMPUTED_SIMPLE_OPERATIONS = 12
"""The most simple operations of a value that is recomputed."""

_FUNCTION_COST_IN_SIMPLE_OPERATIONS = 16
# The cost of a function like exp, in simple operations.


@dataclass
class Phase:
    """A phase of a group: a loop over all elements, and the steps on reduced values after it.

    Attributes:
        inputs: inputs that the loop reads.
        reads: steps of earlier phases whose values it reads, and where.
        steps: steps that it computes.
        writes: steps whose values it writes, and where.
        reductions: steps that it makes totals of.
        kept: steps of reduced values, after the loop; the reductions are among them.
    """

    inputs: list[int] = field(default_factory=list)
    reads: dict[int, Operand] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    writes: list[tuple[int, Operand]] = field(default_factory=list)
    reductions: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)


class Schedule:
    """The schedule of a group: its phases, and the memory of values between them.

    Attributes:
        phases: in order.
        later: numbers of steps of reduced values that later phases read.
        stashed: numbers of steps that need scratch memory; their places in this list are the numbers of the scratch memory.
        last: outputs that are written in the last phase, and whose memory holds no other value before.
    """

    def __init__(self, fused: Fused) -> None:
        self._fused = fused
        self._first = len(fused.inputs)
        self._phase = self._phase_numbers()
        count = max(self._phase.values(), default=0) + 1
        self._made: dict[int, int] = {}
        self._memory: dict[int, Operand] = {}
        self.stashed: list[int] = []
        borrowed = self._assign_memory(self._values_needed_later(count), count)
        self.phases = [self._phase_of(number) for number in range(count)]
        self.later = sorted({i for number in range(1, count) for i in self._reduced_steps_read(number)})
        self.last = {
            output
            for output, number in enumerate(fused.outputs)
            if self._phase[number] == count - 1 and output not in borrowed
        }

    def _step(self, number: int) -> Step:
        return self._fused.steps[number - self._first]

    def _phase_numbers(self) -> dict[int, int]:
        phase_of: dict[int, int] = {}
        for number, step in enumerate(self._fused.steps, self._first):
            phase = 0
            for i in step.operands:
                if i >= self._first:
                    goes_back = self._step(i).kept and (step.reduces or not step.kept)
                    phase = max(phase, phase_of[i] + goes_back)
            phase_of[number] = phase
        return phase_of

    def _cost(self, number: int, known_costs: dict[int, int]) -> int:
        if number < self._first:
            return 1
        if number not in known_costs:
            step = self._step(number)
            if step.kept:
                known_costs[number] = 0
            else:
                code = scalar_code(step.row.name, ["x"] * len(step.inputs), step.inputs, step.output, step.attributes)
                step_cost = _FUNCTION_COST_IN_SIMPLE_OPERATIONS if code is not None and code[1] else 1
                known_costs[number] = step_cost + sum([self._cost(i, known_costs) for i in step.operands])
        return known_costs[number]

    def _element_steps_to_compute(self, phase: int) -> list[int]:
        """Returns the element-wise steps that a phase must compute: for its reductions and results."""
        targets: list[int] = []
        for number, step in enumerate(self._fused.steps, self._first):
            if self._phase[number] == phase:
                if step.reduces:
                    targets += step.operands
                elif not step.kept and number in self._fused.outputs:
                    targets.append(number)
        return targets

    def _values_needed_later(self, count: int) -> dict[int, int]:
        """Returns the values to store between phases, each with the last phase that reads it."""
        costs: dict[int, int] = {}
        needed: dict[int, int] = {}

        def visit(number: int, phase: int, seen: set[int]) -> None:
            if number < self._first or number in seen or self._step(number).kept:
                return
            seen.add(number)
            made_in = self._made.setdefault(number, phase)
            if made_in < phase and (
                number in self._fused.outputs or self._cost(number, costs) > MOST_RECOMPUTED_SIMPLE_OPERATIONS
            ):
                needed[number] = phase
                return
            for i in self._step(number).operands:
                visit(i, phase, seen)

        for phase in range(count):
            seen: set[int] = set()
            for number in self._element_steps_to_compute(phase):
                visit(number, phase, seen)
        return needed

    def _assign_memory(self, needed: dict[int, int], count: int) -> set[int]:
        """Assigns memory to stored values; returns the outputs whose memory they borrow."""
        borrowed: set[int] = set()
        for number, last_phase in sorted(needed.items()):
            if number in self._fused.outputs:
                self._memory[number] = Output(self._fused.outputs.index(number))
                continue
            for output, output_step in enumerate(self._fused.outputs):
                step = self._step(output_step)
                fits = (
                    not step.kept
                    and step.output == self._step(number).output
                    and self._phase[output_step] >= last_phase
                )
                if fits and output not in borrowed:
                    self._memory[number] = Output(output)
                    borrowed.add(output)
                    break
            else:
                self._memory[number] = Scratch(len(self.stashed))
                self.stashed.append(number)
        return borrowed

    def _phase_of(self, number: int) -> Phase:
        phase = Phase()
        visited: set[int] = set()

        def visit(i: int) -> None:
            if i in visited:
                return
            visited.add(i)
            if i < self._first:
                phase.inputs.append(i)
                return
            step = self._step(i)
            if step.kept:
                return
            if self._made[i] < number and i in self._memory:
                phase.reads[i] = self._memory[i]
                return
            for operand in step.operands:
                visit(operand)
            phase.steps.append(i)

        for target in self._element_steps_to_compute(number):
            visit(target)
        phase.inputs.sort()
        phase.steps.sort()
        for i, step in enumerate(self._fused.steps, self._first):
            if step.kept and self._phase[i] == number:
                phase.kept.append(i)
                if step.reduces:
                    phase.reductions.append(i)
            elif not step.kept and self._made.get(i) == number:
                if i in self._fused.outputs:
                    phase.writes.append((i, Output(self._fused.outputs.index(i))))
                elif i in self._memory:
                    phase.writes.append((i, self._memory[i]))
        return phase

    def _reduced_steps_read(self, phase_number: int) -> list[int]:
        """Returns the numbers of the steps on reduced values that a phase reads from earlier phases."""
        phase = self.phases[phase_number]
        read = [i for j in (*phase.steps, *phase.kept) for i in self._step(j).operands]
        return [i for i in read if i >= self._first and self._step(i).kept and self._phase[i] < phase_number]
