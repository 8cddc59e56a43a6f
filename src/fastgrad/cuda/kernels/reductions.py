"""GPU kernels of groups with a reduction.

If the innermost dimension is reduced, a block computes an element of the result: each thread sums strided elements, then warps reduce by
shuffles, then the block through shared memory. If the innermost dimension is kept, the threads of a warp have neighbouring columns,
and each warp has its own rows. More than `MOST_TERMS_OF_A_THREAD` terms a thread are cut into parts, which a second kernel combines; the shape
decides their size. So float32 sums are as accurate as pairwise ones, and their bits depend on the shape alone.
"""

from __future__ import annotations

import contextlib
from typing import Any

from fastgrad.compiler.fusion.emit import in_place_pairs
from fastgrad.compiler.fusion.emit_reduction import ReductionEmitter, combine_code, combine_of, lane_dtype_of
from fastgrad.compiler.fusion.fused import Fused, Step
from fastgrad.compiler.fusion.phases import Phase
from fastgrad.compiler.fusion.reductions import neutral_element
from fastgrad.cuda.codegen.kernel import DEFAULT_THREADS_PER_BLOCK
from fastgrad.cuda.kernels.groups import DeviceWriter
from fastgrad.cuda.kernels.replacement import thread_count
from fastgrad.kernels.runtime.launch import Launch, Launches

MOST_TERMS_OF_A_THREAD = 64
"""The largest number of terms that a thread adds to a total; longer sums are cut into parts."""

MOST_COLUMNS_OF_ONE_THREAD = 8
"""The largest row that one thread reduces alone."""

_DTYPES_IN_SHARED_MEMORY = {"int8": "int32", "int16": "int32", "uint8": "int32", "uint16": "int32"}
"""The dtypes in which threads exchange totals of narrow dtypes."""


def gpu_reduction_launches(fused: Fused) -> Launches:
    """Returns the GPU launches of a group with a reduction."""
    emitter = (_RowReduction if fused.roles[-1] == "r" else _ColumnReduction)(fused)
    launches = emitter.launches()
    first = len(fused.inputs)
    free = {o for o in emitter.schedule.last if not fused.steps[fused.outputs[o] - first].kept}
    pairs = [pair for pair in in_place_pairs(fused) if pair[0] in free and pair not in emitter.separate]
    return Launches(launches, tuple(emitter.scratch), tuple(pairs))


class _DeviceReduction(ReductionEmitter):
    """The base class of the generators of GPU kernels for a group with a reduction."""

    kind_of_writer = DeviceWriter
    staged = False
    writer: DeviceWriter
    whose = "block"

    def has_unsplit_reductions(self) -> bool:
        return self.reduced_count <= self.part or len(self.schedule.phases) > 1

    def total_dtype_of(self, step: Step) -> str:
        return lane_dtype_of(step)

    def _combine_threads(self, phase: Phase, length: int) -> None:
        """Generates the reduction of the threads' totals to the block's."""
        for number in phase.reductions:
            kind = self.total_dtype_of(self.step(number))
            exchanged = _DTYPES_IN_SHARED_MEMORY.get(kind, kind)
            self.writer.line_at_top(f"shared_{exchanged} = shared_array({exchanged}, {length})")
            taken = f"{self.whose}_{combine_of(self.step(number))}({exchanged}(total{number}), shared_{exchanged})"
            self.writer.line(f"total{number} = {taken if exchanged == kind else f'{kind}({taken})'}")

    def _write_neutral_totals(self, phase: Phase) -> None:
        for number in phase.reductions:
            step = self.step(number)
            self.writer.line(f"total{number} = {neutral_element(combine_of(step), self.total_dtype_of(step))}")

    def _write_part_bounds(self, unit: str, pieces_first: bool) -> tuple[str, str]:
        """Generates the selection of a unit's part of the reduction; returns the part's begin and end."""
        writer = self.writer
        reduced = writer.integer_parameter("reduced", self.reduced_count)
        if self.parts == 1:
            writer.line(f"p = {unit}")
            return "0", reduced
        if pieces_first:
            parts = writer.integer_parameter("parts", self.parts)
            writer.line(f"p = {unit} // {parts}")
            writer.line(f"begin = ({unit} - p * {parts}) * {writer.integer_parameter('part', self.part)}")
        else:
            bands = writer.integer_parameter("bands", self.kept_count // self.fused.sizes[-1])
            writer.line(f"p = {unit} % {bands}")
            writer.line(f"begin = {unit} // {bands} * {writer.integer_parameter('part', self.part)}")
        writer.line(f"finish = least(begin + part, {reduced})")
        return "begin", "finish"

    owner = "thread() == 0"
    """The condition for the thread that stores a value which all threads of a block have."""

    def _in_one_thread(self, writer: DeviceWriter) -> Any:
        """A context in which the written code is for one thread of the block."""
        return writer.block(f"if {self.owner}") if writer.together else contextlib.nullcontext()

    def _store_results(self, writer: Any, phase: Phase, place: str) -> None:
        if any(number in self.fused.outputs for number in phase.kept):
            with self._in_one_thread(writer):
                super()._store_results(writer, phase, place)

    def _store_parts(self, phase: Phase, place: str) -> None:
        with self._in_one_thread(self.writer):
            for number in phase.reductions:
                self._store_part(number, place)

    def _combination(self) -> Launch:
        """Returns the launch that combines parts: by blocks if an element's parts are contiguous, else by threads."""
        beside, across = self._part_strides()
        (phase,) = self.schedule.phases
        self.writer = writer = DeviceWriter(self.fused)
        writer.together, writer.threads = (
            across == 1,
            thread_count(self.parts) if across == 1 else DEFAULT_THREADS_PER_BLOCK,
        )
        parts = writer.integer_parameter("parts", self.parts)
        with writer.block("for p in range(first, last)"):
            self._write_neutral_totals(phase)
            head = f"range(thread(), {parts}, threads())" if writer.together else f"range({parts})"
            with writer.block(f"for part in {head}"):
                for number in phase.reductions:
                    step = self.step(number)
                    name = writer.array_parameter(
                        f"parts{number}", f"in[{self.total_dtype_of(step)}]", self.partial[number]
                    )
                    place = f"p * {writer.integer_parameter('beside', beside)} + part * {writer.integer_parameter('across', across)}"
                    writer.line(combine_code(combine_of(step), f"total{number}", f"{name}[{place}]"))
            if writer.together:
                self._combine_threads(phase, 32)
            writer.write_dimension_indices("p", self.kept)
            self._write_results(writer, phase, "p", f"k{self.kept[-1]}" if self.kept else "0")
        return writer.launch(self.kept_count)


class _RowReduction(_DeviceReduction):
    """Generates kernels that reduce the innermost dimension. A unit is a result, or a part of a result."""

    def _unsplit_units(self) -> int:
        return self.kept_count

    def _elements_of_part(self) -> int:
        return MOST_TERMS_OF_A_THREAD * DEFAULT_THREADS_PER_BLOCK

    def _part_strides(self) -> tuple[int, int]:
        return self.parts, 1

    def _write_kernel(self) -> None:
        writer = self.writer
        writer.together = self.reduced_count > MOST_COLUMNS_OF_ONE_THREAD
        writer.threads = thread_count(min(self.reduced_count, self.part) if self.parts > 1 else self.reduced_count)
        writer.set_width()
        with writer.block("for u in range(first, last)"):
            bounds = self._write_part_bounds("u", pieces_first=True)
            writer.write_dimension_indices("p", self.kept)
            if len(self.reduced) == 1 and self.kept == [*self.dims[:-1]]:
                writer.line(f"row = p * {writer.size_parameter(self.dims[-1])}")
                writer.linear = f"row + here * {writer.width} + i"
            for phase in self.schedule.phases:
                self._write_neutral_totals(phase)
                if phase.reductions or phase.writes:
                    with writer.scope():
                        self._write_element_loop(phase, *bounds)
                if writer.together:
                    self._combine_threads(phase, 32)
                if self.parts > 1:
                    self._store_parts(phase, "u")
                else:
                    self._write_results(writer, phase, "p", f"k{self.kept[-1]}" if self.kept else "0")

    def _write_element_loop(self, phase: Phase, begin: str, finish: str) -> None:
        """Generates the loop over elements: each thread takes a few, then strides by the number of threads."""
        writer = self.writer
        width, outer = writer.width, self.reduced[:-1]
        start, stop = (f"{bound} // {width}" if width > 1 and bound != "0" else bound for bound in (begin, finish))
        if writer.together:
            head = f"for s in range({f'{start} + ' if start != '0' else ''}thread(), {stop}, threads())"
        else:
            head = f"for s in range({start}, {stop})"
        with writer.block(head):
            if outer:
                writer.line(f"q = s // {writer.pieces()}")
                writer.line(f"here = s - q * {writer.pieces()}")
                writer.write_dimension_indices("q", outer)
            else:
                writer.line("here = s")
            self._write_outer_loads(phase)
            self._write_elements(phase, f"for i in range({width})", f"j = here * {width} + i", "total{0}")


class _ColumnReduction(_DeviceReduction):
    """Generates kernels that keep the innermost dimension. A unit has as many columns as a warp has threads."""

    whose = "lines"
    owner = "inside and thread() < 32"

    def _unsplit_units(self) -> int:
        inner = self.fused.sizes[-1]
        return self.kept_count // inner * -(-inner // 32)

    def _elements_of_part(self) -> int:
        return MOST_TERMS_OF_A_THREAD * DEFAULT_THREADS_PER_BLOCK // 32

    def _part_strides(self) -> tuple[int, int]:
        return 1, self.kept_count

    def _write_kernel(self) -> None:
        writer = self.writer
        writer.together = True
        n = writer.size_parameter(self.dims[-1])
        with writer.block("for u in range(first, last)"):
            writer.line(f"tiles = ({n} + 31) // 32")
            writer.line("band = u // tiles")
            writer.line("column = (u - band * tiles) * 32 + thread() % 32")
            writer.line(f"inside = column < {n}")
            writer.line(f"j = least(column, {n} - 1)")
            begin, finish = self._write_part_bounds("band", pieces_first=False)
            writer.write_dimension_indices("p", self.kept[:-1])
            for position, phase in enumerate(self.schedule.phases):
                self._write_neutral_totals(phase)
                if phase.reductions or phase.writes:
                    head = f"for q in range({begin} + thread() // 32, {finish}, threads() // 32)"
                    with writer.scope(), writer.block(head):
                        writer.write_dimension_indices("q", self.reduced)
                        self._write_outer_loads(phase)
                        self._write_elements(phase, "if inside", None, "total{0}", position)
                self._combine_threads(phase, DEFAULT_THREADS_PER_BLOCK)
                if self.parts > 1:
                    self._store_parts(phase, f"band * {n} + j")
                else:
                    self._write_results(writer, phase, f"band * {n} + j", "j")
