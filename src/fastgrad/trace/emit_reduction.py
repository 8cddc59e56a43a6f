"""Kernels of groups with a reduction.

Elements go to lanes, 256 of them, so that the loop over them vectorises: where the innermost dimension is reduced, lanes are
every 256th element of it, which are combined in the end; where it is kept, a lane is an element of the
result. A lane takes at most 64 elements of a sum, then its content goes to a total in float64. Long reductions are cut
into parts of a size that the shape says; a second kernel combines the parts. So the bits of a result depend on the
shape alone.
"""

from __future__ import annotations

from math import prod

import numpy as np

from fastgrad.kernels.lanes import DEPTH, LANES
from fastgrad.kernels.launch import Launch, Operand, Scratch
from fastgrad.trace.group import Fused, Step
from fastgrad.trace.kernel_writer import Writer
from fastgrad.trace.reductions import BOOL, REDUCTIONS, lane_type, neutral, total_type

PART = 65536
"""Elements of a part."""

ENOUGH = 64
"""So many pieces of work need not be cut into parts."""

MANY = 1 << 19
"""Nor need fewer elements than these."""

FEW = 32
"""Rows of so few elements need no lanes."""

ROW = 1024
"""Rows of fewer elements than these share lanes, if several are reduced to one."""


def reduction_launches(fused: Fused) -> tuple[tuple[Launch, ...], tuple[tuple[np.dtype, int], ...]]:
    """The kernels of a group with a reduction, and the scratch that they use."""
    emitter = _Emitter(fused)
    launches = emitter.launches()
    return launches, emitter.scratch


class _Emitter:
    def __init__(self, fused: Fused) -> None:
        self.fused = fused
        dims = range(len(fused.sizes))
        self.kept = [dim for dim in dims if fused.roles[dim] == "k"]
        self.reduced = [dim for dim in dims if fused.roles[dim] == "r"]
        self.along_rows = fused.roles[-1] == "r"
        self.kept_count = prod([fused.sizes[dim] for dim in self.kept])
        self.reduced_count = prod([fused.sizes[dim] for dim in self.reduced])
        inner = fused.sizes[-1]
        self.tiles = 1 if self.along_rows else -(-inner // LANES)
        pieces = self.kept_count if self.along_rows else self.kept_count // inner * self.tiles
        # Parts are runs of elements along rows, of rows across them.
        self.part = PART if self.along_rows else max(DEPTH, PART // min(inner, LANES) // DEPTH * DEPTH)
        self.parts = -(-self.reduced_count // self.part)
        if pieces >= ENOUGH or prod(fused.sizes) < MANY:
            self.parts = 1
        self.short = self.along_rows and len(self.reduced) == 1 and inner <= FEW
        self.units = pieces * self.parts
        steps = enumerate(fused.steps, len(fused.inputs))
        self.reductions = [(number, step) for number, step in steps if step.reduces]
        size = self.kept_count * self.parts
        self.scratch: tuple[tuple[np.dtype, int], ...] = ()
        if self.parts > 1:
            self.scratch = tuple([(np.dtype(_total(step)), size) for _, step in self.reductions])

    def launches(self) -> tuple[Launch, ...]:
        """One, or one for the parts and one for what becomes of them."""
        writer = Writer(self.fused)
        dims = range(len(self.fused.sizes))
        writer.load(writer.split_by_level(kept=False)[0], dims, "0")
        for number, step in self.reductions if not self.short else ():
            writer.line(f"lanes{number} = local_array({_lane(step)}, {LANES})")
            if not self.along_rows:
                writer.line(f"totals{number} = local_array({_total(step)}, {LANES})")
        if self.along_rows and not self.short:
            writer.line(f"used = padded(least({LANES}, {writer.size(self.reduced[-1])}))")
        if self.along_rows:
            self._along_rows(writer)
        else:
            self._across_rows(writer)
        first = writer.launch(self.units)
        return (first,) if self.parts == 1 else (first, self._combination())

    # ---- the loops ---------------------------------------------------------------------------------------------

    def _along_rows(self, writer: Writer) -> None:
        n, outer = writer.size(self.reduced[-1]), self.reduced[:-1]
        with writer.block("for u in range(first, last)"):
            start, stop = self._part(writer, "u", "p")
            writer.decode("p", self.kept)
            for number, step in self.reductions:
                kind = _lane(step) if self.short else _total(step)
                writer.line(f"total{number} = {neutral(_combine(step), kind)}")
            if not outer:
                self._long_row(writer, start, stop)
            elif self.fused.sizes[self.reduced[-1]] >= ROW:
                with writer.block(f"for q in range({start} // {n}, ({stop} + {n} - 1) // {n})"):
                    writer.decode("q", outer)
                    self._long_row(writer, *_inside(start, stop, n))
            else:
                # Rows are short: some of them go to the same lanes.
                rows = writer.number("together", max(1, DEPTH // -(-self.fused.sizes[-1] // LANES)))
                writer.line(f"rows = ({stop} + {n} - 1) // {n}")
                writer.line(f"top = {start} // {n}")
                with writer.block(f"for band in range((rows - top + {rows} - 1) // {rows})"):
                    self._fill(writer)
                    writer.line(f"here = top + band * {rows}")
                    with writer.block(f"for q in range(here, least(here + {rows}, rows))"):
                        writer.decode("q", outer)
                        self._rounds(writer, *_inside(start, stop, n))
                    self._flush(writer)
            self._finish(writer, "u", "0")

    def _long_row(self, writer: Writer, start: str, stop: str) -> None:
        """Writes the loop over a run of elements in which lanes are filled and emptied."""
        if self.short:
            _, outer, inner = writer.split_by_level(kept=False)
            writer.load(outer, range(len(self.fused.sizes)), "0")
            with writer.block(f"for j in range({stop})"):
                self._elements(writer, inner)
            return
        writer.line(f"stop = {stop}")
        with writer.block(f"for block in range({start}, stop, {LANES * DEPTH})"):
            self._fill(writer)
            self._rounds(writer, "block", f"least(block + {LANES * DEPTH}, stop)")
            self._flush(writer)

    def _rounds(self, writer: Writer, start: str, stop: str) -> None:
        """Writes the loop over a run of elements that go to lanes."""
        _, outer, inner = writer.split_by_level(kept=False)
        writer.load(outer, range(len(self.fused.sizes)), "0")
        writer.line(f"end = {stop}")
        rounds = writer.block(f"for start in range({start}, end, {LANES})")
        with rounds, writer.block(f"for lane in range(least({LANES}, end - start))"):
            writer.line("j = start + lane")
            self._elements(writer, inner)

    def _fill(self, writer: Writer) -> None:
        for number, step in self.reductions:
            writer.line(f"fill(lanes{number}, used, {neutral(_combine(step), _lane(step))})")

    def _flush(self, writer: Writer) -> None:
        for number, step in self.reductions:
            writer.line(_combined(_combine(step), f"total{number}", f"lanes_{_combine(step)}(lanes{number}, used)"))

    def _across_rows(self, writer: Writer) -> None:
        inner = len(self.fused.sizes) - 1
        n = writer.size(inner)
        writer.line(f"tiles = ({n} + {LANES - 1}) // {LANES}")
        with writer.block("for u in range(first, last)"):
            writer.line("band = u // tiles")
            writer.line(f"left = (u - band * tiles) * {LANES}")
            writer.line(f"used = least({LANES}, {n} - left)")
            start, stop = self._part(writer, "band", "p")
            writer.decode("p", self.kept[:-1])
            for number, step in self.reductions:
                writer.line(f"fill(totals{number}, used, {neutral(_combine(step), _total(step))})")
            with writer.block(f"for block in range({start}, {stop}, {DEPTH})"):
                for number, step in self.reductions:
                    writer.line(f"fill(lanes{number}, used, {neutral(_combine(step), _lane(step))})")
                with writer.block(f"for q in range(block, least(block + {DEPTH}, {stop}))"):
                    writer.decode("q", self.reduced)
                    dims = range(len(self.fused.sizes))
                    _, outer, inside = writer.split_by_level(kept=False)
                    writer.load(outer, dims, "0")
                    with writer.block("for lane in range(used)"):
                        writer.line("j = left + lane")
                        self._elements(writer, inside)
                with writer.block("for lane in range(used)"):
                    for number, step in self.reductions:
                        writer.line(_combined(_combine(step), f"totals{number}[lane]", f"lanes{number}[lane]"))
            with writer.block("for lane in range(used)"):
                writer.line("j = left + lane")
                for number, _ in self.reductions:
                    writer.line(f"total{number} = totals{number}[lane]")
                self._finish(writer, f"band * {n} + j", "j")

    def _part(self, writer: Writer, unit: str, piece: str) -> tuple[str, str]:
        """Writes which piece a unit is of, and gives the bounds of its part."""
        count = writer.number("reduced", self.reduced_count)
        if self.parts == 1:
            writer.line(f"{piece} = {unit}")
            return "0", count
        parts = writer.number("parts", self.parts)
        if self.along_rows:
            # The parts of a piece are side by side.
            writer.line(f"{piece} = {unit} // {parts}")
            writer.line(f"begin = ({unit} - {piece} * {parts}) * {writer.number('part', self.part)}")
        else:
            # All pieces' first parts come first, so that a total is found at unit * columns + column.
            pieces = writer.number("pieces", self.kept_count // self.fused.sizes[-1])
            writer.line(f"{piece} = {unit} % {pieces}")
            writer.line(f"begin = {unit} // {pieces} * {writer.number('part', self.part)}")
        writer.line(f"end = least(begin + part, {count})")
        return "begin", "end"

    def _elements(self, writer: Writer, inner: list[int]) -> None:
        dims = range(len(self.fused.sizes))
        writer.load(inner, dims, "j")
        for number, step in writer.full_steps():
            if step.reduces:
                (operand,) = step.operands
                found = REDUCTIONS[step.row.name].before.format(f"v{operand}")
                lane = f"total{number}" if self.short else f"lanes{number}[lane]"
                writer.line(_combined(_combine(step), lane, found))
            else:
                writer.step(number, step)
        if any(number in self.fused.outputs and not step.kept for number, step in writer.full_steps()):
            place = writer.place("y", dims, writer.natural(), 0, "j")
            for number, step in writer.full_steps():
                if not step.kept:
                    writer.store(number, place)

    # ---- what becomes of totals ----------------------------------------------------------------------------------

    def _finish(self, writer: Writer, place: str, inner: str) -> None:
        """Writes what is done with the totals of an element of the result, whose number is ``place``."""
        if self.parts > 1:
            for k, (number, step) in enumerate(self.reductions):
                scratch: Operand = Scratch(k)
                writer.line(
                    f"{writer.array(f'parts{number}', f'out[{_total(step)}]', scratch)}[{place}] = total{number}"
                )
            return
        self._results(writer, place, inner)

    def _results(self, writer: Writer, place: str, inner: str) -> None:
        dims = [*self.kept]
        for number, step in self.reductions:
            dtype = step.output.name
            total = f"total{number}" if step.output == BOOL else f"{dtype}(total{number})"
            writer.line(f"v{number} = {total}")
            after = REDUCTIONS[step.row.name].after
            if "reduced" in after:
                writer.number("reduced", self.reduced_count)
            if after != "{0}":
                writer.line(f"v{number} = {after.format(f'v{number}', number=dtype)}")
        if self.along_rows:
            inner = f"k{dims[-1]}" if dims else "0"
        writer.load([i for i, source in enumerate(self.fused.inputs) if source.kept], dims, inner)
        for number, step in writer.kept_steps():
            if not step.reduces:
                writer.step(number, step)
        for number, _ in writer.kept_steps():
            writer.store(number, place)

    def _combination(self) -> Launch:
        """The kernel that combines parts; its units are elements of the result."""
        writer = Writer(self.fused)
        for number, step in self.reductions:
            writer.line(f"lanes{number} = local_array({_total(step)}, {LANES})")
        parts = writer.number("parts", self.parts)
        across = 1 if self.along_rows else self.kept_count
        beside = self.parts if self.along_rows else 1
        with writer.block("for p in range(first, last)"):
            writer.line(f"used = padded(least({LANES}, {parts}))")
            writer.line(f"at = p * {writer.number('beside', beside)}")
            for k, (number, step) in enumerate(self.reductions):
                writer.line(f"fill(lanes{number}, used, {neutral(_combine(step), _total(step))})")
                name = writer.array(f"parts{number}", f"in[{_total(step)}]", Scratch(k))
                rounds = writer.block(f"for start in range(0, {parts}, {LANES})")
                with rounds, writer.block(f"for lane in range(least({LANES}, {parts} - start))"):
                    found = f"{name}[at + (start + lane) * {writer.number('across', across)}]"
                    writer.line(_combined(_combine(step), f"lanes{number}[lane]", found))
                writer.line(f"total{number} = lanes_{_combine(step)}(lanes{number}, used)")
            writer.decode("p", self.kept)
            self._results(writer, "p", f"k{self.kept[-1]}" if self.kept else "0")
        return writer.launch(self.kept_count)


def _combine(step: Step) -> str:
    return REDUCTIONS[step.row.name].combine


def _lane(step: Step) -> str:
    return lane_type(step.inputs[0])


def _total(step: Step) -> str:
    return total_type(_combine(step), step.inputs[0])


def _inside(start: str, stop: str, n: str) -> tuple[str, str]:
    """The part of the row q, of n elements, that is between two elements."""
    return f"greatest({start} - q * {n}, 0)" if start != "0" else "0", f"least({stop} - q * {n}, {n})"


def _combined(combine: str, target: str, found: str) -> str:
    """The statement that adds to a lane or total."""
    if combine == "sum":
        return f"{target} += {found}"
    if combine == "product":
        return f"{target} *= {found}"
    return f"{target} = nan_{combine}({target}, {found})"
