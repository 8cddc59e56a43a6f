"""Where the values of a program lie, and what a plan of a program consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from fastgrad.compiler.graph.graph import Node, Value
from fastgrad.kernels.runtime.launch import Constant, Input, Launches, Output, Scratch


@dataclass(frozen=True, slots=True)
class InObject:
    """In the array of this number that the program is called with: arguments first, results after them."""

    number: int


@dataclass(frozen=True, slots=True)
class InArena:
    """At this offset of the arena."""

    offset: int


@dataclass(frozen=True, slots=True)
class InMemory:
    """In an array that is there for good: a constant's, a variable's."""

    array: np.ndarray = field(compare=False)


@dataclass(frozen=True, slots=True)
class InPython:
    """A Python object: strings, which no kernel reads."""


Place = InObject | InArena | InMemory | InPython


@dataclass(slots=True)
class Action:
    """One thing that the program does.

    Attributes:
        node: for whom.
        launches: the kernels, None for a node that runs as Python.
        inputs, outputs: places of the arrays, in the node's order.
        scratch: places of the scratch memory.
    """

    node: Node
    launches: Launches | None
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]
    scratch: tuple[Place, ...] = ()

    def array_of(self, operand: Any) -> tuple[Place, int, np.dtype]:
        """Where the array of an operand of a launch lies, how many elements it has, and their dtype."""
        match operand:
            case Scratch(number):
                assert self.launches is not None
                dtype, size = self.launches.scratch[number]
                return self.scratch[number], size, np.dtype(dtype)
            case Input(number):
                value = self.node.inputs[number]
                return self.inputs[number], prod(value.shape), value.dtype
            case Output(number):
                place = self.outputs[number]
                if isinstance(place, InMemory):  # a variable is not among the outputs of its assignment
                    return place, place.array.size, place.array.dtype
                value = self.node.outputs[number]
                return place, prod(value.shape), value.dtype
            case Constant(array):
                return InMemory(array), array.size, array.dtype
        raise AssertionError(f"{self.node}: {operand!r} is no array")


@dataclass(slots=True)
class Stretch:
    """The actions of one part of the tree.

    Attributes:
        actions: in order; the last one of a part that others follow is the choice among them.
        ways: for each answer of the choice the number of the stretch that follows.
        leaf: for the last stretch of a way the number of its recording.
        returned: for each result of that recording the number of the array that holds it, in its shape.
        values: the results.
    """

    actions: list[Action] = field(default_factory=list)
    ways: dict[Any, int] = field(default_factory=dict)
    leaf: int | None = None
    returned: list[int] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """What ``plan`` finds out.

    Attributes:
        stretches: of all parts, each before those that follow it.
        arguments: for each array that the program is called with, which argument of the call it is, and its value.
        results: values of the shapes and dtypes of the arrays to be filled, which come after the arguments.
        constants: results that are strings and known, with their arrays.
        arena_bytes: size of the arena.
        written: variables that the program changes.
        native: whether all that it does has kernels.
    """

    stretches: list[Stretch] = field(default_factory=list)
    arguments: list[tuple[int, Value]] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)
    constants: list[tuple[Value, np.ndarray]] = field(default_factory=list)
    arena_bytes: int = 0
    written: list[Any] = field(default_factory=list)
    native: bool = True

    @property
    def actions(self) -> list[Action]:
        """Of all stretches, in order."""
        return [action for stretch in self.stretches for action in stretch.actions]


def leading(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The first elements of a contiguous array as one of ``shape``: a value may be a leading slice of what lies at its place."""
    return array.reshape(-1)[: prod(shape)].reshape(shape)
