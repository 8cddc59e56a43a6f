"""The places of a program's values, and the parts of its plan."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.graph.graph import Node, Value
from fastgrad._src.jit.signature import Parameter, Signature
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launch, Launches, Output, Scratch


@dataclass(frozen=True, slots=True)
class InCallerArray:
    """Memory of a value: the caller's array of this number; arguments come first, then results."""

    number: int


@dataclass(frozen=True, slots=True)
class InArena:
    """Memory of a value: the bytes from this offset of the arena on."""

    offset: int


@dataclass(frozen=True, slots=True)
class InPermanent:
    """Memory of a value: the permanent array of a constant or a variable."""

    array: np.ndarray = field(compare=False)


@dataclass(frozen=True, slots=True)
class AsPythonObject:
    """Memory of a value: a Python object, for strings, which no kernel reads."""


Place = InCallerArray | InArena | InPermanent | AsPythonObject


class ByteExtent(NamedTuple):
    """The range of bytes that an array takes up in memory.

    Attributes:
        home: the memory that contains the array; different homes do not overlap.
        start, end: its first byte there, and the byte after its last.
    """

    home: Hashable
    start: int
    end: int

    def overlaps(self, other: ByteExtent) -> bool:
        """True if the two extents have a byte in common."""
        return self.home == other.home and self.start < other.end and other.start < self.end


def extent_of(place: Place, size: int) -> ByteExtent:
    """Returns the extent of an array of ``size`` bytes at a place."""
    if isinstance(place, InArena):
        return ByteExtent("arena", place.offset, place.offset + size)
    if isinstance(place, InPermanent):
        array: Any = place.array  # a NumPy array, or an array of a GPU
        start = int(array.__array_interface__["data"][0] if isinstance(array, np.ndarray) else array.address)
        return ByteExtent("memory", start, start + size)
    return ByteExtent(place, 0, size)


def operands_of(launch: Launch, signature: Signature) -> Iterator[tuple[int, Parameter, Any]]:
    """Yields each parameter of a kernel for which a launch has an operand: its number, the parameter, the operand."""
    for (number, parameter), operand in zip(signature.operand_parameters, launch.operands, strict=True):
        yield number, parameter, operand


@dataclass(slots=True)
class Action:
    """A plan's way to compute one node: its kernels, and the places of its arrays.

    Attributes:
        node: the node.
        launches: the kernels, None for a node that runs in Python.
        inputs, outputs: places of the arrays, in the node's order.
        scratch: places of the scratch memory.
    """

    node: Node
    launches: Launches | None
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]
    scratch: tuple[Place, ...] = ()

    def array_of(self, operand: Any) -> tuple[Place, int, np.dtype]:
        """Returns for the array of a launch's operand its ``Place`` in memory, the number of its elements, and their dtype."""
        kind = type(operand)
        if kind is Input:
            value = self.node.inputs[operand.number]
            return self.inputs[operand.number], prod(value.shape), value.dtype
        if kind is Output:
            place = self.outputs[operand.number]
            if type(place) is InPermanent:  # the output of an assignment is a variable, not a value
                return place, place.array.size, place.array.dtype
            value = self.node.outputs[operand.number]
            return place, prod(value.shape), value.dtype
        if kind is Scratch:
            assert self.launches is not None
            dtype, size = self.launches.scratch[operand.number]
            return self.scratch[operand.number], size, np.dtype(dtype)
        if kind is Constant:
            return InPermanent(operand.array), operand.array.size, operand.array.dtype
        raise AssertionError(f"{self.node}: {operand!r} is no array")

    def extent_of(self, operand: Any) -> ByteExtent:
        """Returns the extent of the array of a launch's operand."""
        place, count, dtype = self.array_of(operand)
        return extent_of(place, count * dtype.itemsize)


@dataclass(slots=True)
class Block:
    """The basic block of a plan: the actions of one part of the trace tree.

    Attributes:
        actions: in order; if other parts follow, the last action is the choice among them.
        successors: for each outcome of the choice the number of the next block.
        leaf: for the last block of a trace the number of its recording.
        returned: for each result of that recording the number of the array that holds it, in its shape.
        values: the results.
    """

    actions: list[Action] = field(default_factory=list)
    successors: dict[Any, int] = field(default_factory=dict)
    leaf: int | None = None
    returned: list[int] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """Where each value lies and which kernels run, before addresses are known.

    Attributes:
        blocks: of all parts, each before the blocks that follow it.
        arguments: for each array that the caller passes the number of the call's argument, and its value.
        results: values with the shapes and dtypes of the result arrays, which come after the arguments.
        constants: results that are strings and known, with their arrays.
        arena_bytes: size of the arena.
        written: variables that the program changes.
        native: whether all actions have kernels.
    """

    blocks: list[Block] = field(default_factory=list)
    arguments: list[tuple[int, Value]] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)
    constants: list[tuple[Value, np.ndarray]] = field(default_factory=list)
    arena_bytes: int = 0
    written: list[Any] = field(default_factory=list)
    native: bool = True

    @property
    def actions(self) -> list[Action]:
        """The actions of all blocks of the plan, in order."""
        return [action for block in self.blocks for action in block.actions]


def leading_elements_of(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the first elements of a contiguous array in ``shape``; a value may be a leading slice of an array."""
    return array.reshape(-1)[: prod(shape)].reshape(shape)
