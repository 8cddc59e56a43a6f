"""Kernels of groups with a reduction.

Elements go to 256 accumulators, called lanes, so that the loop over them vectorises. If the innermost dimension is reduced,
a lane takes every 256th element of it, and the lanes are combined at the end. If it is kept, a lane is an element of the result.
A lane takes at most 64 elements of a sum; then its content is added to a total in float64. Long reductions are cut
into parts of a size that depends on the shape; a second kernel combines the parts. So the bits of a result depend on the
shape alone. If reduced values are operands of element-wise steps, there are several loops, see phases.py.

One file, because the kinds of reductions share their loops.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np

from fastgrad._src.compiler.fusion.fused import Fused, Step
from fastgrad._src.compiler.fusion.kernel_writer import KernelWriter
from fastgrad._src.compiler.fusion.phases import Phase, Schedule
from fastgrad._src.compiler.fusion.reductions import lane_dtype, neutral_element, reduction_result, total_dtype
from fastgrad._src.compiler.fusion.scalar_casts import BOOL
from fastgrad._src.compiler.fusion.stages import ElementLoops, is_costly_function
from fastgrad._src.kernels.reduction.lanes import (
    ENOUGH_UNITS,
    LANE_DEPTH,
    LANES,
    LEAST_SPLIT_ELEMENTS,
    PART_ELEMENTS,
    SHORT_ROW_ELEMENTS,
)
from fastgrad._src.kernels.runtime.launch import Launch, Operand, Scratch

LEAST_LONG_ROW_ELEMENTS = 1024
"""Rows with fewer elements share lanes, if several rows are reduced to one value."""


class _ReductionLaunches(NamedTuple):
    """The kernels of a group with a reduction.

    Attributes:
        launches, scratch: see ``Launches``.
        free: the outputs that may take inputs' memory.
        separate: pairs (output, array) that must not share memory.
    """

    launches: tuple[Launch, ...]
    scratch: tuple[tuple[np.dtype, int], ...]
    free: frozenset[int]
    separate: set[tuple[int, int]]


def reduction_launches(fused: Fused, part: int | None = None) -> _ReductionLaunches:
    """Returns the kernels of a group with a reduction.

    Args:
        fused: the group.
        part: the length of the parts into which the reductions of a single phase are cut; by default it depends on the size.
    """
    emitter = _InnermostReductionEmitter(fused, part) if fused.roles[-1] == "r" else _OuterReductionEmitter(fused, part)
    launches = emitter.launches()
    return _ReductionLaunches(launches, tuple(emitter.scratch), frozenset(emitter.schedule.last), emitter.separate)


def combiner_of(step: Step) -> str:
    """Returns the combination of a reduction: "sum", "product", "greatest" or "least"."""
    return step.reducer.combine


def lane_dtype_of(step: Step) -> str:
    """Returns the dtype of the lanes, in which a kernel accumulates the elements of a reduction."""
    return lane_dtype(step.inputs[0])


class ReductionEmitter:
    """The base of the writers of reduction kernels, for CPUs and GPUs.

    Attributes:
        kept, reduced: dimensions.
        part, parts: the length of a reduction's parts, and their number.
    """

    kind_of_writer = KernelWriter
    staged = True
    """Whether the loop over elements is cut into several loops, see ``ElementLoops``."""

    def __init__(self, fused: Fused, part: int | None = None) -> None:
        self.fused = fused
        self.schedule = Schedule(fused)
        self.first = len(fused.inputs)
        self.dims = range(len(fused.sizes))
        self.kept = [dim for dim in self.dims if fused.roles[dim] == "k"]
        self.reduced = [dim for dim in self.dims if fused.roles[dim] == "r"]
        self.count = prod(fused.sizes)
        self.reduced_count = prod([fused.sizes[dim] for dim in self.reduced])
        self.kept_count = self.count // self.reduced_count
        self.unsplit_units = self._unsplit_units()
        self.part = part or self._elements_of_part()
        self.parts = 1 if part is None and self.has_unsplit_reductions() else -(-self.reduced_count // self.part)
        self.writer = self.kind_of_writer(fused)
        self.separate: set[tuple[int, int]] = set()
        self.scratch = [(fused.steps[i - self.first].output, self.count) for i in self.schedule.stashed]
        self.partial: dict[int, Operand] = {}
        if self.parts > 1:
            for number in self.schedule.phases[0].reductions:
                self.partial[number] = Scratch(len(self.scratch))
                self.scratch.append((np.dtype(self.total_dtype_of(self.step(number))), self.kept_count * self.parts))

    def step(self, number: int) -> Step:
        """Returns the step with a number; steps are counted after the group's inputs."""
        return self.fused.steps[number - self.first]

    def has_unsplit_reductions(self) -> bool:
        """True if no reduction is split into parts that several threads compute."""
        return self.unsplit_units >= ENOUGH_UNITS or self.count < LEAST_SPLIT_ELEMENTS or len(self.schedule.phases) > 1

    def total_dtype_of(self, step: Step) -> str:
        """Returns the dtype in which a reduction combines the totals of blocks of elements."""
        return total_dtype(combiner_of(step), step.inputs[0])

    def launches(self) -> tuple[Launch, ...]:
        """Returns the launches: one, or one for parts of reductions and one that combines the parts."""
        writer = self.writer
        writer.load(writer.inputs_by_loop_level()[0], self.dims, "0")
        self._write_kernel()
        part_launch = writer.launch(self.unsplit_units * self.parts)
        return (part_launch,) if self.parts == 1 else (part_launch, self._combination())

    def _unsplit_units(self) -> int:
        """Returns the number of units of work of a kernel that splits no reduction into parts."""
        return self.kept_count

    def _elements_of_part(self) -> int:
        raise NotImplementedError

    def _write_kernel(self) -> None:
        raise NotImplementedError

    def _part_strides(self) -> tuple[int, int]:
        """Returns the strides in the array of partial results: between results, and between the parts of one result."""
        return self.parts, 1

    # ---- elements ----------------------------------------------------------------------------------------------

    def _write_place(self) -> tuple[str, str]:
        """Writes which result a unit computes, and which part of it; returns the bounds of the part's elements."""
        writer = self.writer
        start, stop = "0", writer.integer_parameter("reduced", self.reduced_count)
        if self.parts > 1:  # the parts of a result are side by side
            parts = writer.integer_parameter("parts", self.parts)
            writer.line(f"p = u // {parts}")
            writer.line(f"begin = (u - p * {parts}) * {writer.integer_parameter('part', self.part)}")
            writer.line(f"finish = least(begin + part, {stop})")
            start, stop = "begin", "finish"
        else:
            writer.line("p = u")
        writer.write_dimension_indices("p", self.kept)
        return start, stop

    def _write_row_values(self, phase: Phase) -> None:
        """Writes the loads and steps of a phase that are the same for all elements of the innermost dimension."""
        _, row_inputs, _ = self.writer.inputs_by_loop_level()
        self.writer.load([i for i in row_inputs if i in phase.inputs], self.dims, "0")
        for number in self._row_steps(phase):
            self.writer.step(number, self.step(number))

    def _row_steps(self, phase: Phase) -> list[int]:
        constant_inputs, row_inputs, _ = self.writer.inputs_by_loop_level()
        known = [*constant_inputs, *row_inputs, *self._reduced_values_of_row(phase)]
        return self.fused.steps_that_read_only(known, phase.steps)

    def _reduced_values_of_row(self, phase: Phase) -> list[int]:
        """Returns the steps of reduced values that the loops of a phase find in variables."""
        earlier = self.schedule.phases[: self.schedule.phases.index(phase)]
        return [number for other in earlier for number in other.kept]

    def _write_elements(
        self, phase: Phase, head: str, index: str | None, lane: str, position: int = 0, store_only: bool = False
    ) -> None:
        """Writes the loop over the elements of the innermost dimension.

        Args:
            phase: the phase of the loop.
            head, index: see ``ElementLoops.write``.
            lane: the target of a reduction's elements; ``{0}`` stands for the number of its step.
            position: of the phase.
            store_only: whether elements are only stored there, to be combined later.
        """
        writer = self.writer
        _, _, element_inputs = writer.inputs_by_loop_level()
        inputs = [i for i in element_inputs if i in phase.inputs]
        of_row = set(self._row_steps(phase))
        steps = [number for number in phase.steps if number not in of_row]
        targets = [i for number in phase.reductions for i in self.step(number).operands]

        def combine() -> None:
            self._load_earlier_values(position, phase.reductions)
            for number in phase.reductions:
                step = self.step(number)
                (operand,) = step.operands
                operand_text = step.reducer.element_code.format(f"v{operand}")
                target = lane.format(number)
                writer.line(
                    f"{target} = {operand_text}"
                    if store_only
                    else combine_code(combiner_of(step), target, operand_text)
                )

        def load_earlier(steps: list[int]) -> None:
            self._load_earlier_values(position, steps)

        elements = ElementLoops(
            writer, inputs, phase.reads, steps, targets, phase.writes, load_earlier, combine, LANES, self.separate
        )
        if index is None or not self.staged:
            elements.stages = [steps]
        elements.write(head, index)

    def _load_earlier_values(self, position: int, steps: list[int]) -> None:
        """Writes the loads of reduced values of earlier phases that steps read."""

    def _write_fill(self, phase: Phase, array: str = "lanes", dtype_of: Callable[[Step], str] = lane_dtype_of) -> None:
        """Writes the neutral element to the lanes, or to another array, of a phase's reductions."""
        for number in phase.reductions:
            step = self.step(number)
            self.writer.line(f"fill({array}{number}, used, {neutral_element(combiner_of(step), dtype_of(step))})")

    # ---- totals ----------------------------------------------------------------------------------------------------

    def _write_results(self, writer: KernelWriter, phase: Phase, place: str, inner: str) -> None:
        """Writes the steps of a phase after its loop, for the element of the result whose number is ``place``."""
        for number in phase.reductions:
            step = self.step(number)
            if "reduced" in step.reducer.result_code:
                writer.integer_parameter("reduced", self.reduced_count)
            writer.line(f"v{number} = {reduction_result(step.reducer, f'total{number}', step.output)}")
        read = {i for number in phase.kept if not self.step(number).reduces for i in self.step(number).operands}
        writer.load([i for i in sorted(read) if i < self.first], self.kept, inner)
        for number in phase.kept:
            if not self.step(number).reduces:
                writer.step(number, self.step(number))
        self._store_results(writer, phase, place)

    def _store_results(self, writer: KernelWriter, phase: Phase, place: str) -> None:
        """Writes the stores of a phase's values for an element of the result."""
        for number in phase.kept:
            writer.store_result(number, place)

    def _combination(self) -> Launch:
        """Returns the kernel that combines parts; its units are elements of the result."""
        writer = self.kind_of_writer(self.fused)
        (phase,) = self.schedule.phases
        for number in phase.reductions:
            writer.line(f"lanes{number} = local_array({self.total_dtype_of(self.step(number))}, {LANES})")
        parts = writer.integer_parameter("parts", self.parts)
        beside, across = self._part_strides()
        with writer.block("for p in range(first, last)"):
            writer.line(f"used = padded(least({LANES}, {parts}))")
            writer.line(f"at = p * {writer.integer_parameter('beside', beside)}")
            for number in phase.reductions:
                step = self.step(number)
                writer.line(
                    f"fill(lanes{number}, used, {neutral_element(combiner_of(step), self.total_dtype_of(step))})"
                )
                name = writer.array_parameter(
                    f"parts{number}", f"in[{self.total_dtype_of(step)}]", self.partial[number]
                )
                rounds = writer.block(f"for start in range(0, {parts}, {LANES})")
                with rounds, writer.block(f"for lane in range(least({LANES}, {parts} - start))"):
                    partial_text = f"{name}[at + (start + lane) * {writer.integer_parameter('across', across)}]"
                    writer.line(combine_code(combiner_of(step), f"lanes{number}[lane]", partial_text))
                writer.line(f"total{number} = lanes_{combiner_of(step)}(lanes{number}, used)")
            writer.write_dimension_indices("p", self.kept)
            self._write_results(writer, phase, "p", f"k{self.kept[-1]}" if self.kept else "0")
        return writer.launch(self.kept_count)

    def _store_part(self, number: int, place: str) -> None:
        name = self.writer.array_parameter(
            f"parts{number}", f"out[{self.total_dtype_of(self.step(number))}]", self.partial[number]
        )
        self.writer.line(f"{name}[{place}] = total{number}")


class _InnermostReductionEmitter(ReductionEmitter):
    """Kernels that reduce the innermost dimension; a unit of work is a result, or a part of a result."""

    def __init__(self, fused: Fused, part: int | None = None) -> None:
        super().__init__(fused, part)
        # A sum of all elements has lanes at any size, so that the mean loss of another batch needs no other kernel.
        self.short = len(self.reduced) == 1 and fused.sizes[-1] <= SHORT_ROW_ELEMENTS and self.kept_count > 1

    def _elements_of_part(self) -> int:
        return PART_ELEMENTS

    def _write_kernel(self) -> None:
        writer = self.writer
        n = writer.size_parameter(self.dims[-1])
        reductions = [number for phase in self.schedule.phases for number in phase.reductions]
        if not self.short:
            for number in reductions:
                writer.line(f"lanes{number} = local_array({lane_dtype_of(self.step(number))}, {LANES})")
            writer.line(f"used = padded(least({LANES}, {n}))")
        with writer.block("for u in range(first, last)"):
            start, stop = self._write_place()
            last_kept_index = f"k{self.kept[-1]}" if self.kept else "0"
            for phase in self.schedule.phases:
                for number in phase.reductions:
                    kind = lane_dtype_of(self.step(number)) if self.short else self.total_dtype_of(self.step(number))
                    writer.line(f"total{number} = {neutral_element(combiner_of(self.step(number)), kind)}")
                if phase.reductions or phase.writes:
                    with writer.scope():
                        self._write_phase_loops(phase, start, stop)
                if self.parts > 1:
                    for number in phase.reductions:
                        self._store_part(number, "u")
                else:
                    self._write_results(writer, phase, "p", last_kept_index)

    def _write_phase_loops(self, phase: Phase, start: str, stop: str) -> None:
        writer, outer_dims = self.writer, self.reduced[:-1]
        n = writer.size_parameter(self.dims[-1])
        if not outer_dims:
            self._write_row_loop(phase, start, stop)
        elif self.fused.sizes[-1] >= LEAST_LONG_ROW_ELEMENTS or not phase.reductions:
            with writer.block(f"for q in range({start} // {n}, ({stop} + {n} - 1) // {n})"):
                writer.write_dimension_indices("q", outer_dims)
                self._write_row_loop(phase, *_bounds_within_row_text(start, stop, n))
        else:
            # Rows are short: several rows share the lanes.
            rows = writer.integer_parameter("together", max(1, LANE_DEPTH // -(-self.fused.sizes[-1] // LANES)))
            writer.line(f"rows = ({stop} + {n} - 1) // {n}")
            writer.line(f"top = {start} // {n}")
            with writer.block(f"for band in range((rows - top + {rows} - 1) // {rows})"):
                self._write_fill(phase)
                writer.line(f"here = top + band * {rows}")
                with writer.block(f"for q in range(here, least(here + {rows}, rows))"):
                    writer.write_dimension_indices("q", outer_dims)
                    self._write_lane_loop(phase, *_bounds_within_row_text(start, stop, n))
                self._write_lane_totals(phase)

    def _write_row_loop(self, phase: Phase, start: str, stop: str) -> None:
        """Writes the loop over a run of elements, which fills the lanes and adds them to totals."""
        writer = self.writer
        if self.short or not phase.reductions:
            self._write_row_values(phase)
            # Sums of few elements do not vectorise; functions of the elements do, in a separate loop.
            store_only = bool(phase.reductions) and any(is_costly_function(self.step(i)) for i in phase.steps)
            lane = "row{0}[j]" if store_only else "total{0}"
            self._write_elements(phase, f"for j in range({start}, {stop})", None, lane, store_only=store_only)
            if store_only:
                with writer.block(f"for j in range({start}, {stop})"):
                    for number in phase.reductions:
                        row = writer.stack_array(f"row{number}", lane_dtype_of(self.step(number)), SHORT_ROW_ELEMENTS)
                        writer.line(combine_code(combiner_of(self.step(number)), f"total{number}", f"{row}[j]"))
            return
        writer.line(f"stop = {stop}")
        with writer.block(f"for block in range({start}, stop, {LANES * LANE_DEPTH})"):
            self._write_fill(phase)
            self._write_lane_loop(phase, "block", f"least(block + {LANES * LANE_DEPTH}, stop)")
            self._write_lane_totals(phase)

    def _write_lane_loop(self, phase: Phase, start: str, stop: str) -> None:
        """Writes the loop over a run of elements that go to lanes."""
        writer = self.writer
        self._write_row_values(phase)
        writer.line(f"end = {stop}")
        with writer.block(f"for start in range({start}, end, {LANES})"):
            head = f"for lane in range(least({LANES}, end - start))"
            self._write_elements(phase, head, "j = start + lane", "lanes{0}[lane]")

    def _write_lane_totals(self, phase: Phase) -> None:
        for number in phase.reductions:
            combine = combiner_of(self.step(number))
            self.writer.line(combine_code(combine, f"total{number}", f"lanes_{combine}(lanes{number}, used)"))


class _OuterReductionEmitter(ReductionEmitter):
    """Kernels that keep the innermost dimension; a unit of work is a tile of the innermost dimension."""

    def _reduced_values_of_row(self, phase: Phase) -> list[int]:
        return []

    def _unsplit_units(self) -> int:
        innermost_size = self.fused.sizes[-1]
        return self.kept_count // innermost_size * -(-innermost_size // LANES)

    def _elements_of_part(self) -> int:
        return max(LANE_DEPTH, PART_ELEMENTS // min(self.fused.sizes[-1], LANES) // LANE_DEPTH * LANE_DEPTH)

    def _part_strides(self) -> tuple[int, int]:
        return 1, self.kept_count

    def _write_kernel(self) -> None:
        writer = self.writer
        n = writer.size_parameter(self.dims[-1])
        for phase in self.schedule.phases:
            for number in phase.reductions:
                writer.line(f"lanes{number} = local_array({lane_dtype_of(self.step(number))}, {LANES})")
                writer.line(f"totals{number} = local_array({self.total_dtype_of(self.step(number))}, {LANES})")
        for number in self.schedule.later:
            writer.line(f"values{number} = local_array({lane_dtype(self.step(number).output)}, {LANES})")
        writer.line(f"tiles = ({n} + {LANES - 1}) // {LANES}")
        with writer.block("for u in range(first, last)"):
            writer.line("band = u // tiles")
            writer.line(f"left = (u - band * tiles) * {LANES}")
            writer.line(f"used = least({LANES}, {n} - left)")
            start, stop = "0", writer.integer_parameter("reduced", self.reduced_count)
            if self.parts > 1:  # all first parts come first, so that a total is at band * n + j
                bands = writer.integer_parameter("bands", self.kept_count // self.fused.sizes[-1])
                writer.line(f"p = band % {bands}")
                writer.line(f"begin = band // {bands} * {writer.integer_parameter('part', self.part)}")
                writer.line(f"finish = least(begin + part, {stop})")
                start, stop = "begin", "finish"
            else:
                writer.line("p = band")
            writer.write_dimension_indices("p", self.kept[:-1])
            for number, phase in enumerate(self.schedule.phases):
                with writer.scope():
                    self._write_phase(number, phase, start, stop)

    def _write_phase(self, position: int, phase: Phase, start: str, stop: str) -> None:
        writer = self.writer
        n = writer.size_parameter(self.dims[-1])
        self._write_fill(phase, "totals", self.total_dtype_of)
        with writer.block(f"for block in range({start}, {stop}, {LANE_DEPTH})"):
            self._write_fill(phase)
            with writer.block(f"for q in range(block, least(block + {LANE_DEPTH}, {stop}))"):
                writer.write_dimension_indices("q", self.reduced)
                self._write_row_values(phase)
                self._write_elements(phase, "for lane in range(used)", "j = left + lane", "lanes{0}[lane]", position)
            if phase.reductions:
                with writer.block("for lane in range(used)"):
                    for number in phase.reductions:
                        combine = combiner_of(self.step(number))
                        writer.line(combine_code(combine, f"totals{number}[lane]", f"lanes{number}[lane]"))
        if not phase.kept:
            return
        with writer.block("for lane in range(used)"):
            writer.line("j = left + lane")
            for number in phase.reductions:
                writer.line(f"total{number} = totals{number}[lane]")
            if self.parts > 1:
                for number in phase.reductions:
                    self._store_part(number, f"band * {n} + j")
                return
            self._load_earlier_values(position, phase.kept)
            self._write_results(writer, phase, f"band * {n} + j", "j")
            for number in phase.kept:
                if number in self.schedule.later:
                    value = f"1 if v{number} else 0" if self.step(number).output == BOOL else f"v{number}"
                    writer.line(f"values{number}[lane] = {value}")

    def _load_earlier_values(self, position: int, steps: list[int]) -> None:
        kept_now = {i for phase in self.schedule.phases[position:] for i in phase.kept}
        read = {i for number in steps for i in self.step(number).operands}
        for i in sorted(read - kept_now):
            if i >= self.first and self.step(i).kept:
                test = " != 0" if self.step(i).output == BOOL else ""
                self.writer.line(f"v{i} = values{i}[lane]{test}")


def _bounds_within_row_text(start: str, stop: str, row_length: str) -> tuple[str, str]:
    """Returns the first and the end index of row q, of ``row_length`` elements, between the elements ``start`` and ``stop``."""
    return (
        f"greatest({start} - q * {row_length}, 0)" if start != "0" else "0",
        f"least({stop} - q * {row_length}, {row_length})",
    )


def combine_code(combine: str, target: str, element: str) -> str:
    """Returns the statement that combines an element with a lane or total."""
    if combine == "sum":
        return f"{target} += {element}"
    if combine == "product":
        return f"{target} *= {element}"
    return f"{target} = nan_{combine}({target}, {element})"
