"""From a group of operations to its kernels: Python source for loops, compiled by the kernel builder.

The source says nothing of sizes, so that a new batch size finds the kernel that is there; and groups that do the same
get the same source, and share one kernel. A group without a reduction is one loop over its elements, which can be cut
anywhere; reductions are in emit_reduction.py.
"""

from __future__ import annotations

from math import prod

from fastgrad.kernels.launch import Input, Launch, Launches, Output
from fastgrad.kernels.layout import Layout, collapsed, contiguous
from fastgrad.kernels.strided import moved
from fastgrad.trace.emit_reduction import reduction_launches
from fastgrad.trace.group import Fused, Source
from fastgrad.trace.kernel_writer import Writer


def launches_of_group(fused: Fused) -> Launches:
    """What a group runs in a program."""
    if not fused.steps:
        return _copy(fused)
    if "r" in fused.roles:
        launches, scratch, free = reduction_launches(fused)
    else:
        launches, scratch, free = (map_launch(fused),), (), frozenset(range(len(fused.outputs)))
    pairs = [pair for pair in in_place_pairs(fused) if pair[0] in free]
    return Launches(launches, scratch, tuple(pairs))


def _copy(fused: Fused) -> Launches:
    (source,) = fused.inputs
    layout = Layout(source.offset, collapsed(zip(fused.sizes, source.strides, strict=True)))
    launch = moved(Input(0), Output(0), source.dtype, layout, contiguous(layout.count))
    assert launch is not None  # as ``can_be_copied`` has said
    return Launches((launch,))


def map_launch(fused: Fused) -> Launch:
    """The kernel of a group without a reduction; its units are elements."""
    writer = Writer(fused)
    dims = range(len(fused.sizes))
    same, outer, inner = writer.split_by_level(kept=False)
    writer.load(same, dims, "0")

    def body(index: str) -> None:
        writer.load(inner, dims, index)
        for number, step in enumerate(fused.steps, len(fused.inputs)):
            writer.step(number, step)
        place = writer.place("y", dims, writer.natural(), 0, index)
        for number in fused.outputs:
            writer.store_result(number, place)

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
