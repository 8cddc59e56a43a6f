"""GPU kernels of groups with a reduction.

A block computes an element of the result: each thread combines strided elements, then the block combines the threads' totals in
shared memory. More than `MOST_TERMS_OF_A_THREAD` terms a thread are cut into parts, which a second kernel combines; the shape
decides their size. So float32 sums are as accurate as pairwise ones, and their bits depend on the shape alone.
"""

from __future__ import annotations

import contextlib
from typing import Any

from fastgrad._src.compiler.fusion.emit import in_place_pairs
from fastgrad._src.compiler.fusion.emit_reduction import ReductionEmitter, combine_code, combiner_of, lane_dtype_of
from fastgrad._src.compiler.fusion.fused import Fused, Step
from fastgrad._src.compiler.fusion.phases import Phase
from fastgrad._src.compiler.fusion.reductions import neutral_element
from fastgrad._src.cuda.codegen.kernel import DEFAULT_THREADS_PER_BLOCK
from fastgrad._src.cuda.kernels.groups import DeviceWriter
from fastgrad._src.kernels.runtime.launch import Launch, Launches

MOST_TERMS_OF_A_THREAD = 64
"""The largest number of terms that a thread adds to a total; longer sums are cut into parts."""


_LEAST_PARTS_OF_A_BLOCK = 32


def gpu_reduction_launches(fused: Fused) -> Launches:
    """Returns the GPU launches of a group with a reduction."""
    emitter = _BlockReduction(fused)
    launches = emitter.launches()
    first = len(fused.inputs)
    free = {o for o in emitter.schedule.last if not fused.steps[fused.outputs[o] - first].kept}
    pairs = [pair for pair in in_place_pairs(fused) if pair[0] in free and pair not in emitter.separate]
    return Launches(launches, tuple(emitter.scratch), tuple(pairs))


class _BlockReduction(ReductionEmitter):
    """Generates GPU kernels for a group with a reduction. A unit is a result, or a part of a result."""

    kind_of_writer = DeviceWriter
    staged = False
    writer: DeviceWriter

    def has_unsplit_reductions(self) -> bool:
        return self.reduced_count <= self.part or len(self.schedule.phases) > 1

    def total_dtype_of(self, step: Step) -> str:
        return lane_dtype_of(step)

    def _elements_of_part(self) -> int:
        return MOST_TERMS_OF_A_THREAD * DEFAULT_THREADS_PER_BLOCK

    def _write_kernel(self) -> None:
        writer = self.writer
        writer.together = True
        with writer.block("for u in range(first, last)"):
            begin, finish = self._write_place()
            for phase in self.schedule.phases:
                for number in phase.reductions:
                    step = self.step(number)
                    writer.line(f"total{number} = {neutral_element(combiner_of(step), self.total_dtype_of(step))}")
                if phase.reductions or phase.writes:
                    self._write_element_loop(phase, begin, finish)
                for number in phase.reductions:
                    kind = self.total_dtype_of(self.step(number))
                    writer.line_at_top(f"shared_{kind} = shared_array({kind}, {DEFAULT_THREADS_PER_BLOCK})")
                    writer.line(f"total{number} = block_{combiner_of(self.step(number))}(total{number}, shared_{kind})")
                if self.parts == 1:
                    self._write_results(writer, phase, "p", f"k{self.kept[-1]}" if self.kept else "0")
                elif phase.reductions:
                    with self._in_one_thread(writer):
                        for number in phase.reductions:
                            self._store_part(number, "u")

    def _combination(self) -> Launch:
        """Returns the kernel that combines parts; a block computes an element of the result, or a thread if it has few parts."""
        if self.parts < _LEAST_PARTS_OF_A_BLOCK:
            return super()._combination()
        writer = self.kind_of_writer(self.fused)
        writer.together = True
        (phase,) = self.schedule.phases
        parts = writer.integer_parameter("parts", self.parts)
        with writer.block("for p in range(first, last)"):
            for number in phase.reductions:
                step = self.step(number)
                combine, kind = combiner_of(step), self.total_dtype_of(step)
                name = writer.array_parameter(f"parts{number}", f"in[{kind}]", self.partial[number])
                writer.line(f"total{number} = {neutral_element(combine, kind)}")
                with writer.block(f"for part in range(thread_index(), {parts}, block_size())"):
                    writer.line(combine_code(combine, f"total{number}", f"{name}[p * {parts} + part]"))
                writer.line_at_top(f"shared_{kind} = shared_array({kind}, {DEFAULT_THREADS_PER_BLOCK})")
                writer.line(f"total{number} = block_{combine}(total{number}, shared_{kind})")
            writer.write_dimension_indices("p", self.kept)
            self._write_results(writer, phase, "p", f"k{self.kept[-1]}" if self.kept else "0")
        return writer.launch(self.kept_count)

    def _write_element_loop(self, phase: Phase, begin: str, finish: str) -> None:
        """Generates the loop over elements, in which a thread takes strided elements."""
        writer, inner = self.writer, f"k{self.dims[-1]}"
        with writer.block(f"for s in range({begin} + thread_index(), {finish}, block_size())"):
            writer.write_dimension_indices("s", self.reduced)
            self._write_row_values(phase)
            self._write_elements(phase, f"for j in range({inner}, {inner} + 1)", None, "total{0}")

    def _in_one_thread(self, writer: Any) -> Any:
        """Returns a context whose generated code runs in one thread of each block."""
        return writer.block("if thread_index() == 0") if writer.together else contextlib.nullcontext()

    def _store_results(self, writer: Any, phase: Phase, place: str) -> None:
        if any(number in self.fused.outputs for number in phase.kept):
            with self._in_one_thread(writer):
                super()._store_results(writer, phase, place)
