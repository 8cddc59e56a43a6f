"""Alias analysis of a program: proves that a kernel with ``noalias`` gets no overlapping arrays.

A result may reuse the memory of an operand (`Launches.in_place`). A kernel with ``noalias`` is then
compiled with a single pointer for both (`build.in_place_variant`). A plan is refused if other arrays overlap and one of them
is written.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

from fastgrad._src.compiler.graph.graph import Node, Value, size_of
from fastgrad._src.compiler.programs.buffers import Action, ByteExtent, InArena, Place, operands_of
from fastgrad._src.core.errors import InternalError
from fastgrad._src.jit.build import in_place_variant, signature_of, source_of
from fastgrad._src.jit.signature import ARRAY_KINDS, LIST_KINDS, Signature
from fastgrad._src.kernels.runtime.launch import KernelEntry, Launch, Launches


class KernelCompiler(NamedTuple):
    """The compiler of kernels for a kind of machine, as functions.

    Attributes:
        signature_of: the parameters of a kernel.
        is_noalias: whether a kernel is compiled for arrays that do not overlap.
        for_arrays: the kernel for arrays of which some are the same, given pairs of the numbers of their parameters.
    """

    signature_of: Callable[[Any], Signature]
    is_noalias: Callable[[Any], bool]
    for_arrays: Callable[[Any, tuple[tuple[int, int], ...]], Any]


def _is_noalias(native: Any) -> bool:
    source = source_of(native)
    return source is not None and source.noalias


HOST_KERNEL_COMPILER = KernelCompiler(signature_of, _is_noalias, in_place_variant)


class _KernelArray(NamedTuple):
    """An array that a launch passes to a kernel.

    Attributes:
        parameter: its number in the kernel's signature; None in a list of arrays, and for a kernel that the kernel calls.
        name: the name of the parameter.
        written: whether the kernel writes it.
        extent: its bytes.
    """

    parameter: int | None
    name: str
    written: bool
    extent: ByteExtent


def compiled_for_places(action: Action, compiler: KernelCompiler) -> Action:
    """Returns an action with kernels compiled for the arrays that the plan assigns to them.

    Args:
        action: an action of a plan; it is not changed.
        compiler: compiles its kernels.

    Raises:
        InternalError: the plan is wrong: arrays of a kernel overlap that must not.
    """
    if action.launches is None:
        return action
    form = action.launches
    launches = tuple([_launch_for_places(action, launch, compiler) for launch in form.launches])
    if all(map(operator.is_, launches, form.launches)):
        return action
    return dataclasses.replace(action, launches=form.with_launches(launches))


def _launch_for_places(action: Action, launch: Launch, compiler: KernelCompiler) -> Launch:
    operands: list[Any] = list(launch.operands)
    for position, operand in enumerate(operands):
        if type(operand) is not Launch:
            continue
        new_operand = _launch_for_places(action, operand, compiler)
        if new_operand is not operand:
            assert isinstance(operands[position - 1], KernelEntry), (
                f"{launch.kernel.__name__} calls a kernel by its address"
            )
            operands[position - 1 : position + 1] = KernelEntry(new_operand.kernel), new_operand
    kernel = launch.kernel
    if compiler.is_noalias(kernel):
        in_place = _aliased_parameters(action, launch, compiler)
        kernel = compiler.for_arrays(kernel, in_place) if in_place else kernel
    if kernel is launch.kernel and all(map(operator.is_, operands, launch.operands)):
        return launch
    return Launch(kernel, tuple(operands), launch.units, launch.unit_cost, launch.parts, launch.waits)


def _aliased_parameters(action: Action, launch: Launch, compiler: KernelCompiler) -> tuple[tuple[int, int], ...]:
    """Returns pairs of parameters of a kernel that are the same array, if the kernel writes one of them.

    Raises:
        InternalError: arrays overlap in part, or one overlaps with an array of a kernel that this one calls.
    """
    arrays = _arrays_of(action, launch, compiler)
    for operand in launch.operands:
        if isinstance(operand, Launch):
            arrays += [array._replace(parameter=None) for array in _arrays_of(action, operand, compiler)]
    shared_extents: list[ByteExtent] = []
    for first_array, second_array in combinations(arrays, 2):
        if not (first_array.written or second_array.written) or not first_array.extent.overlaps(second_array.extent):
            continue
        if first_array.parameter is None and second_array.parameter is None:
            continue
        if first_array.extent != second_array.extent or first_array.parameter is None or second_array.parameter is None:
            raise InternalError(
                f"{action.node}: {first_array.name} and {second_array.name} of kernel {launch.kernel} would overlap in memory."
            )
        shared_extents.append(first_array.extent)
    pairs: list[tuple[int, int]] = []
    for extent in dict.fromkeys(shared_extents):
        kept_number, *equal_numbers = [a.parameter for a in arrays if a.parameter is not None and a.extent == extent]
        pairs += [(number, kept_number) for number in equal_numbers]
    return tuple(sorted(pairs))


def _arrays_of(action: Action, launch: Launch, compiler: KernelCompiler) -> list[_KernelArray]:
    """Returns the arrays of a kernel that have elements."""
    arrays = []
    for number, parameter, operand in operands_of(launch, compiler.signature_of(launch.kernel)):
        if type(operand) is int:
            continue
        listed = parameter.kind in LIST_KINDS
        for array_operand in operand if listed else [operand] if parameter.kind in ARRAY_KINDS else ():
            extent = action.extent_of(array_operand)
            if extent.start < extent.end:
                arrays.append(_KernelArray(None if listed else number, parameter.name, parameter.written, extent))
    return arrays


def check_no_overlap(node: Node, launches: Launches | None, inputs: Sequence[Place], outputs: Sequence[Place]) -> None:
    """Raises an error if two results share memory, or if a result shares an input's memory without permission.

    Only the pairs in ``launches.in_place`` are permitted, if both have the same bytes, and the parts in
    ``launches.packed`` and ``launches.unpacked``.

    Args:
        node: a node of the graph.
        launches: its kernels.
        inputs, outputs: places of its values.

    Raises:
        InternalError: the plan is wrong.
    """
    results = sorted(_ranges_in_arena(outputs, node.outputs))
    for (_, end, _), (next_start, _, _) in pairwise(results):
        if next_start < end:
            raise InternalError(f"{node}: two of its results would lie in the same memory.")
    launches = launches or Launches(())
    for old_start, old_end, input_number in _ranges_in_arena(inputs, node.inputs):
        for start, end, number in results:
            if end <= old_start or old_end <= start:
                continue
            if (number, input_number, old_start - start) in launches.packed and old_end <= end:
                continue
            if (number, input_number, start - old_start) in launches.unpacked and end <= old_end:
                continue
            if (number, input_number) not in launches.in_place or (start, end) != (old_start, old_end):
                raise InternalError(f"{node}: its result {number} would lie in the memory of its input {input_number}.")


def _ranges_in_arena(places: Sequence[Place], values: Sequence[Value]) -> list[tuple[int, int, int]]:
    """Returns for each value in the arena that has elements its first byte, the byte after its last, and its number."""
    ranges = []
    for number, place in enumerate(places):
        if type(place) is InArena:
            size = size_of(values[number])
            if size:
                ranges.append((place.offset, place.offset + size, number))
    return ranges
