"""What a FUSED node does: the operations of a group, and how its loop reads what they take."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fastgrad.compiler.graph.graph import Graph
from fastgrad.compiler.graph.interpret import interpret
from fastgrad.operation import Operation


class Source(NamedTuple):
    """What a group reads from outside.

    Attributes:
        array: which of the node's inputs it is read from.
        offset: of the first element.
        strides: for each dimension of the loop; for a source that is kept, for each dimension that is not reduced.
        dtype: of the array.
        kept: whether it goes with what is left after the reduction.
    """

    array: int
    offset: int
    strides: tuple[int, ...]
    dtype: np.dtype
    kept: bool


class Step(NamedTuple):
    """One operation of a group.

    Attributes:
        row: the operation.
        operands: for each of its inputs a number: below the number of the group's inputs the input, from there on the step.
        attributes: of the operation.
        inputs, output: dtypes.
        kept: whether it has a value for each element that is left after the reduction, not for each of the loop.
        reduces: whether it is the reduction.
    """

    row: Operation
    operands: tuple[int, ...]
    attributes: dict[str, Any]
    inputs: tuple[np.dtype, ...]
    output: np.dtype
    kept: bool
    reduces: bool


@dataclass(frozen=True, eq=False)
class Fused:
    """What a FUSED node does.

    Attributes:
        sizes: of the dimensions of the loop, outermost first; at least one.
        roles: for each of them "r" if it is reduced, else "k".
        inputs: how each input is read.
        steps: in order; none for a copy of the only input.
        outputs: numbers of the steps whose results are the node's, counted as in ``Step.operands``.
        number: the dtype of the functions that are computed in one dtype; float32 where there are none.
        graph: the same as a program of its own, with the node's inputs as its arguments.
    """

    sizes: tuple[int, ...]
    roles: str
    inputs: tuple[Source, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    number: np.dtype
    graph: Graph

    @property
    def name(self) -> str:
        """The names of its steps."""
        return "+".join(step.row.name for step in self.steps) or "copy"

    @property
    def count(self) -> int:
        """How many elements the loop has."""
        return prod(self.sizes)

    def count_of(self, role: str) -> int:
        """How many elements the dimensions of a role have."""
        return prod([size for size, own in zip(self.sizes, self.roles, strict=True) if own == role])

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """What the node gives, step by step: the measure for its kernels."""
        return tuple(interpret(self.graph, arrays))
