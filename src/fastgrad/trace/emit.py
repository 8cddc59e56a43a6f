"""From a group of operations to its kernels: Python source for loops, compiled by the kernel builder.

The source says nothing of sizes, so that a new batch size finds the kernel that is there; and groups that do the same
get the same source, and share one kernel. A group without a reduction is one loop over its elements, which can be cut
anywhere; reductions are in emit_reduction.py.
"""

from __future__ import annotations

from math import prod

from fastgrad.kernels.launch import Launch, Launches
from fastgrad.trace.emit_reduction import reduction_launches
from fastgrad.trace.group import Fused, Source
from fastgrad.trace.kernel_writer import Writer


def launches_of_group(fused: Fused) -> Launches:
    """What a group runs in a program."""
    if "r" in fused.roles:
        launches, scratch = reduction_launches(fused)
    else:
        launches, scratch = (map_launch(fused),), ()
    return Launches(launches, scratch, in_place_pairs(fused))


def map_launch(fused: Fused) -> Launch:
    """The kernel of a group without a reduction; its units are elements."""
    writer = Writer(fused)
    dims = range(len(fused.sizes))
    same, outer, inner = writer.split_by_level(kept=False)
    writer.load(same, dims, "0")

    def body(index: str) -> None:
        writer.load(inner, dims, index)
        for number, step in writer.full_steps():
            writer.step(number, step)
        place = writer.place("y", dims, writer.natural(), 0, index)
        for number, _ in writer.full_steps():
            writer.store(number, place)

    if len(dims) == 1:
        with writer.block("for j in range(first, last)"):
            body("j")
    else:
        n = writer.size(dims[-1])
        with writer.block(f"for r in range(first // {n}, (last + {n} - 1) // {n})"):
            writer.line(f"start = r * {n}")
            writer.decode("r", dims[:-1])
            writer.load(outer, dims, "0")
            with writer.block(f"for j in range(greatest(first - start, 0), least(last - start, {n}))"):
                body("j")
    return writer.launch(prod(fused.sizes))


def in_place_pairs(fused: Fused) -> tuple[tuple[int, int], ...]:
    """Which output may be written over which input: one whose element is read just before, and for it, and not elsewhere."""
    first = len(fused.inputs)
    found = []
    readers: dict[int, list[int]] = {}
    for i, source in enumerate(fused.inputs):
        readers.setdefault(source.array, []).append(i)
    needs: list[frozenset[int]] = [frozenset([i]) for i in range(first)]
    for step in fused.steps:
        needs.append(frozenset().union(*[needs[i] for i in step.operands]))
    for array, sources in readers.items():
        (i, *others) = sources
        source = fused.inputs[i]
        if others or not _is_natural(fused, source):
            continue
        for output, number in enumerate(fused.outputs):
            step = fused.steps[number - first]
            if step.kept is source.kept and step.output.itemsize == source.dtype.itemsize and i in needs[number]:
                found.append((output, array))
    return tuple(found)


def _is_natural(fused: Fused, source: Source) -> bool:
    sizes = [size for size, role in zip(fused.sizes, fused.roles, strict=True) if role == "k" or not source.kept]
    return source.offset == 0 and source.strides == tuple([prod(sizes[dim + 1 :]) for dim in range(len(sizes))])
