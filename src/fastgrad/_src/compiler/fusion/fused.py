"""The payload of a FUSED node: the operations of a group, and how its loop reads its inputs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.core.lowering import Reducer
from fastgrad._src.core.operation import Operation


class Source(NamedTuple):
    """An input of a group: an array of the node, and the layout by which the loop reads it.

    Attributes:
        array: the number of the node's input that it reads.
        offset: of the first element.
        strides: for each dimension of the loop; for a source that is kept, for each dimension that is not reduced.
        dtype: of the array.
        kept: whether it has a value for each element that is left after the reduction, not for each of the loop.
    """

    array: int
    offset: int
    strides: tuple[int, ...]
    dtype: np.dtype
    kept: bool


class Step(NamedTuple):
    """A step of a group: an operation and its operands.

    Attributes:
        row: the operation.
        operands: for each of its inputs a number. Numbers below the count of the group's inputs are inputs, others are steps.
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

    @property
    def is_sum(self) -> bool:
        """True if the step is a plain sum of elements."""
        return self.row.lowering.reducer is not None and self.row.lowering.reducer.is_sum

    @property
    def reducer(self) -> Reducer:
        """The ``Reducer`` of a reduction step."""
        reducer = self.row.lowering.reducer
        assert reducer is not None, f"{self.row.name} is no reduction"
        return reducer


class Payload:
    """The payload of a FUSED node: a computation that one kernel, or a few, compute.

    Attributes:
        graph: the whole computation as a graph, with the node's inputs as its arguments.
    """

    graph: Graph

    @property
    def key(self) -> Hashable:
        """A key that payloads share if they have the same launches."""
        raise NotImplementedError

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns the node's results, computed step by step: the reference for its kernels."""
        return tuple(interpret(self.graph, arrays))


def key_of(node: Node) -> Hashable:
    """Returns a key that nodes, operations or FUSED, share if they have the same launches."""
    if node.kind is Kind.FUSED:
        key: Hashable = node.payload.key
        return key
    specs = tuple([(value.shape, value.dtype) for value in (*node.inputs, *node.outputs)])
    return node.payload, repr(node.attributes), specs


def contiguous_strides(sizes: Sequence[int]) -> tuple[int, ...]:
    """Returns the strides of a C-contiguous array, in elements."""
    return tuple([prod(sizes[dim + 1 :]) for dim in range(len(sizes))])


def graph_of(nodes: Iterable[Node], inputs: Sequence[Value], results: Iterable[Value]) -> Graph:
    """Returns a graph of nodes with ``inputs`` as its arguments, in their order."""
    positions = {value: position for position, value in enumerate(inputs)}
    return Graph([*[Node(Kind.ARGUMENT, i, (), (value,)) for value, i in positions.items()], *nodes], results)


@dataclass(frozen=True, eq=False)
class Fused(Payload):
    """The payload of a FUSED node: a computation that one kernel, or a few, compute.

    Attributes:
        sizes: of the dimensions of the loop, outermost first; at least one.
        roles: for each of them "r" if it is reduced, else "k".
        inputs: how each input is read.
        steps: in order; none for a copy of the only input.
        outputs: numbers of the steps whose results are the node's, counted as in ``Step.operands``.
        number: the dtype of the functions that are computed in one dtype; float32 where there are none.
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
        """The names of the group's operations, joined by "+"."""
        return "+".join(step.row.name for step in self.steps) or "copy"

    @property
    def key(self) -> Hashable:
        steps = [
            (step.row, step.operands, repr(step.attributes), step.inputs, step.output, step.kept, step.reduces)
            for step in self.steps
        ]
        return self.sizes, self.roles, self.inputs, tuple(steps), self.outputs, self.number

    @property
    def count(self) -> int:
        """The number of elements of the loop."""
        return prod(self.sizes)

    @property
    def c_strides(self) -> tuple[int, ...]:
        """The strides of a C-contiguous array with one element for each element of the loop."""
        return contiguous_strides(self.sizes)

    def steps_that_read_only(self, known: Iterable[int], among: Iterable[int]) -> list[int]:
        """Returns those among some steps that depend only on known inputs and steps, so that an inner loop need not repeat them.

        LLVM 20 needs exponential time for a loop of many such steps: its ``vputils::isUniformAcrossVFsAndUFs`` follows each operand of
        each operation, and does not cache its results.
        """
        available = set(known)
        steps = []
        for number in among:
            if available.issuperset(self.steps[number - len(self.inputs)].operands):
                available.add(number)
                steps.append(number)
        return steps

    def reads_in_order(self, array: int) -> bool:
        """True if the group reads an input once, element i for element i of the loop."""
        sources = [source for source in self.inputs if source.array == array]
        return [(source.offset, source.strides) for source in sources] == [(0, self.c_strides)]

    def element_count_of_dims(self, dims_role: str) -> int:
        """Returns the product of the sizes of the dimensions with a role: "r" (reduced) or "k" (kept)."""
        return prod([size for size, role in zip(self.sizes, self.roles, strict=True) if role == dims_role])
