"""Turns a group of operations into kernels: Python source for loops, compiled by the kernel builder.

The source contains no sizes, so a new batch size reuses the compiled kernel. Groups with the same operations have the same
source, and share one kernel. A group without a reduction is one loop over its elements, which threads can share
at any element; reductions are in emit_reduction.py.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from fastgrad._src.compiler.fusion.emit_reduction import reduction_launches
from fastgrad._src.compiler.fusion.fused import Fused, Payload, Source, contiguous_strides
from fastgrad._src.compiler.fusion.kernel_writer import KernelWriter
from fastgrad._src.compiler.fusion.stages import BLOCK_ELEMENTS, ElementLoops
from fastgrad._src.kernels.movement.layout import Layout, contiguous, merged_dimensions
from fastgrad._src.kernels.movement.strided import strided_copy_launch
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output


def launches_of_group(fused: Fused) -> Launches:
    """Returns the launches of a group; equal groups with equal sizes share them."""
    return cached_launches(fused, _make_launches)


def cached_launches(payload: Payload, make: Callable[[Any], Launches]) -> Launches:
    """Returns the launches that ``make`` makes for a payload; equal payloads with equal sizes share them."""
    key = make, payload.key
    launches = _launches_by_group.get(key)
    if launches is None:
        if len(_launches_by_group) >= MOST_CACHED_GROUPS:
            _launches_by_group.clear()
        launches = _launches_by_group[key] = make(payload)
    return launches


MOST_CACHED_GROUPS = 1024
_launches_by_group: dict[tuple[Any, ...], Launches] = {}


def _make_launches(fused: Fused) -> Launches:
    if not fused.steps:
        return _copy_launches(fused)
    if "r" in fused.roles:
        launches, scratch, free, separate = reduction_launches(fused)
    else:
        launch, separate = map_launch(fused)
        launches, scratch, free = (launch,), (), frozenset(range(len(fused.outputs)))
    pairs = [pair for pair in in_place_pairs(fused) if pair[0] in free and pair not in separate]
    return Launches(launches, scratch, tuple(pairs))


def _copy_launches(fused: Fused) -> Launches:
    (source,) = fused.inputs
    layout = Layout(source.offset, merged_dimensions(zip(fused.sizes, source.strides, strict=True)))
    launch = strided_copy_launch(Input(0), Output(0), source.dtype, layout, contiguous(layout.total))
    assert launch is not None  # a group without steps is a copy that this kernel can do
    return Launches((launch,))


def map_launch(fused: Fused) -> tuple[Launch, set[tuple[int, int]]]:
    """Returns the launch of a group without a reduction, and pairs (output, array) that must not share memory."""
    writer = KernelWriter(fused)
    dims = range(len(fused.sizes))
    constant_inputs, row_inputs, element_inputs = writer.inputs_by_loop_level()
    steps = range(len(fused.inputs), len(fused.inputs) + len(fused.steps))
    invariant = fused.steps_that_read_only(constant_inputs, steps)
    rest = [number for number in steps if number not in invariant]
    of_rows = fused.steps_that_read_only([*constant_inputs, *invariant, *row_inputs], rest)
    writer.load(constant_inputs, dims, "0")
    for number in invariant:
        writer.step(number, fused.steps[number - len(fused.inputs)])
    writes = [(number, Output(output)) for output, number in enumerate(fused.outputs)]
    element_steps = [number for number in rest if number not in of_rows]
    elements = ElementLoops(writer, element_inputs, {}, element_steps, [], [*writes])

    def loop(start: str, stop: str) -> None:
        if len(elements.stages) == 1:
            elements.write(f"for j in range({start}, {stop})", None)
            return
        writer.line(f"end = {stop}")
        with writer.block(f"for low in range({start}, end, {BLOCK_ELEMENTS})"):
            elements.write(f"for lane in range(least({BLOCK_ELEMENTS}, end - low))", "j = low + lane")

    if len(dims) == 1:
        loop("first", "last")
    else:
        n = writer.size_parameter(dims[-1])
        with writer.block(f"for r in range(first // {n}, (last + {n} - 1) // {n})"):
            writer.line(f"start = r * {n}")
            writer.write_dimension_indices("r", dims[:-1])
            writer.load(row_inputs, dims, "0")
            for number in of_rows:
                writer.step(number, fused.steps[number - len(fused.inputs)])
            loop("greatest(first - start, 0)", f"least(last - start, {n})")
    sources: dict[int, list[Source]] = {}
    for source in fused.inputs:
        sources.setdefault(source.array, []).append(source)
    in_order = [
        Input(array) for array, readers in sources.items() if all(_is_in_order(fused, reader) for reader in readers)
    ]
    return writer.launch(prod(fused.sizes), [*in_order, *map(Output, range(len(fused.outputs)))]), elements.separate


def in_place_pairs(fused: Fused) -> tuple[tuple[int, int], ...]:
    """Returns pairs (output, input) that may share memory: each input element is read once, for the same element."""
    input_count = len(fused.inputs)
    pairs = []
    readers: dict[int, list[int]] = {}
    for i, source in enumerate(fused.inputs):
        readers.setdefault(source.array, []).append(i)
    needs: list[frozenset[int]] = [frozenset([i]) for i in range(input_count)]
    for step in fused.steps:
        needs.append(frozenset().union(*[needs[i] for i in step.operands]))
    for array, sources in readers.items():
        (i, *others) = sources
        source = fused.inputs[i]
        if others or not _is_in_order(fused, source):
            continue
        for output, number in enumerate(fused.outputs):
            step = fused.steps[number - input_count]
            if step.kept is source.kept and step.output.itemsize == source.dtype.itemsize and i in needs[number]:
                pairs.append((output, array))
    return tuple(pairs)


def _is_in_order(fused: Fused, source: Source) -> bool:
    """True if a source is read in order: element i for result i."""
    sizes = [size for size, role in zip(fused.sizes, fused.roles, strict=True) if role == "k" or not source.kept]
    dimensions = zip(sizes, source.strides, contiguous_strides(sizes), strict=True)
    return source.offset == 0 and all(size == 1 or stride == c_stride for size, stride, c_stride in dimensions)
