"""Fusion: element-wise operations over elements of one shape become one node, which one loop will compute.

Groups grow in the order of the program. A node joins the group that is open for its shape; a node outside a group that
reads one of its values closes it, and so does a change of state. So everything that a group reads is
there before it runs, and everything that reads from it comes after: no node is looked at twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import numpy as np

from fastgrad.operation import Form, Operation
from fastgrad.trace.graph import Graph, Kind, Node, Value
from fastgrad.trace.passes.rewriting import row_name
from fastgrad.trace.scalar_code import DTYPES, translated

MOST_STEPS = 64
MOST_INPUTS = 24
"""Bounds of a group, which keep its values near the registers, and its compilation short."""

_REPEATING = frozenset({"broadcast_to", "spread"})


@dataclass(frozen=True)
class Step:
    """One operation of a group.

    Attributes:
        row: the operation.
        operands: for each of its inputs a number: below the number of the group's inputs the input, from there on the step.
        attributes: of the operation.
        inputs, output: dtypes.
    """

    row: Operation
    operands: tuple[int, ...]
    attributes: dict[str, Any]
    inputs: tuple[np.dtype, ...]
    output: np.dtype


@dataclass(frozen=True)
class Fused:
    """What a FUSED node does: steps over the elements of one shape.

    Attributes:
        shape: of every result.
        columns: elements of a row, where some input is the same for all rows or for all of a row; else None.
        places: for each input how its elements are found: "full" (an element each), "scalar" (one for all), "row" (an
            element a column, the same in all rows), "column" (an element a row).
        dtypes: of the inputs.
        steps: in order.
        outputs: numbers of the steps whose results are the node's, counted as in ``Step.operands``.
        number: the dtype of the functions that are computed in one dtype; float32 where there are none.
    """

    shape: tuple[int, ...]
    columns: int | None
    places: tuple[str, ...]
    dtypes: tuple[np.dtype, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    number: np.dtype

    @property
    def name(self) -> str:
        """The names of its steps."""
        return "+".join(step.row.name for step in self.steps)

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """What the node gives, step by step: the measure for its kernel."""
        values = list(arrays)
        for step in self.steps:
            values.append(np.asarray(step.row.run(*[values[i] for i in step.operands], **step.attributes)))
        return tuple([values[i] for i in self.outputs])


def place_of(shape: tuple[int, ...], whole: tuple[int, ...]) -> tuple[str, int | None] | None:
    """How the elements of an array lie in a larger shape that it is broadcast to.

    Args:
        shape: of the array; broadcasts to ``whole``.
        whole: the shape of the loop.

    Returns:
        The place (see ``Fused.places``) and the number of columns that it asks for; None if two levels do not do.
    """
    shape = (1,) * (len(whole) - len(shape)) + shape
    if shape == whole:
        return "full", None
    if prod(shape) == 1:
        return "scalar", None
    repeated = [axis for axis, size in enumerate(shape) if size != whole[axis]]
    kept = [axis for axis, size in enumerate(shape) if size != 1]
    if repeated[-1] < kept[0]:
        return "row", prod(shape)
    if repeated[0] > kept[-1]:
        return "column", prod(whole[axis] for axis in repeated)
    return None


def fuse(graph: Graph) -> Graph:
    """The graph with groups of element-wise operations as FUSED nodes.

    Args:
        graph: left as it is.
    """
    uses: Counter[int] = Counter(id(value) for node in graph.nodes for value in node.inputs)
    uses.update(id(value) for value in graph.results)
    groups: dict[tuple[int, ...], _Group] = {}
    home: dict[int, _Group] = {}
    nodes: list[Node] = []

    def close(group: _Group) -> None:
        del groups[group.shape]
        for value in group.made:
            home.pop(value, None)
        nodes.extend(group.finished(uses))

    for node in graph.nodes:
        member = _member(node)
        group = None
        if member is not None:
            shape = node.outputs[0].shape
            group = groups.get(shape)
            if group is not None and not group.fits(node, member):
                close(group)
                group = None
            if group is None:
                group = _Group(shape)
                if not group.fits(node, member):
                    group = None
        if node.kind in {Kind.ASSIGN, Kind.UPDATE}:
            for other in list(groups.values()):
                close(other)
        for value in node.inputs:
            found = home.get(id(value))
            if found is not None and found is not group:
                close(found)
        if group is None:
            nodes.append(node)
            continue
        assert member is not None
        groups[group.shape] = group
        group.add(node, member)
        home[id(node.outputs[0])] = group
    for group in list(groups.values()):
        close(group)
    return Graph(nodes, graph.results)


class _Member(NamedTuple):
    """What a group wants to know of a node.

    Attributes:
        shapes: those with which its inputs lie under its result.
        number: the dtype in which its functions compute, if it has any that are computed in one dtype.
    """

    shapes: list[tuple[int, ...]]
    number: np.dtype | None


def _member(node: Node) -> _Member | None:
    """What a node is for a group; None for nodes that are not fused."""
    name = row_name(node)
    if name is None or len(node.outputs) != 1:
        return None
    output = node.outputs[0]
    if output.dtype not in DTYPES or not prod(output.shape):
        return None
    if name in _REPEATING:
        x = node.inputs[0]
        if name == "spread" and len(x.shape) != len(output.shape):
            axes = node.attributes["axes"]
            return _Member([tuple([1 if axis in axes else size for axis, size in enumerate(output.shape)])], None)
        return _Member([x.shape], None)
    inputs = [value.dtype for value in node.inputs]
    if node.payload.form is not Form.ELEMENTWISE or not DTYPES.issuperset(inputs):
        return None
    found = translated(name, ["x"] * len(inputs), inputs, output.dtype, node.attributes)
    if found is None:
        return None
    return _Member([value.shape for value in node.inputs], inputs[0] if found[1] else None)


@dataclass
class _Group:
    """A group that may still grow."""

    shape: tuple[int, ...]
    nodes: list[Node] = field(default_factory=list)
    made: dict[int, int] = field(default_factory=dict)
    inputs: dict[tuple[int, str], int] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    reads: list[list[tuple[str, int]]] = field(default_factory=list)
    columns: int | None = None
    number: np.dtype | None = None

    def fits(self, node: Node, member: _Member) -> bool:
        """Whether a node can join."""
        if len(self.nodes) >= MOST_STEPS or len(self.values) + len(member.shapes) > MOST_INPUTS:
            return False
        columns = self.columns
        for shape, value in zip(member.shapes, node.inputs, strict=True):
            found = None if id(value) in self.made else place_of(shape, self.shape)
            if found is None and id(value) not in self.made:
                return False
            wanted = found[1] if found else None
            if wanted is not None:
                if columns not in {None, wanted}:
                    return False
                columns = wanted
        return member.number is None or self.number in {None, member.number}

    def add(self, node: Node, member: _Member) -> None:
        """Takes a node that fits."""
        reads: list[tuple[str, int]] = []
        for shape, value in zip(member.shapes, node.inputs, strict=True):
            if id(value) in self.made:
                reads.append(("step", self.made[id(value)]))
                continue
            found = place_of(shape, self.shape)
            assert found is not None
            place, columns = found
            self.columns = self.columns if columns is None else columns
            key = id(value), place
            if key not in self.inputs:
                self.inputs[key] = len(self.values)
                self.values.append(value)
            reads.append(("input", self.inputs[key]))
        self.number = self.number if member.number is None else member.number
        self.made[id(node.outputs[0])] = len(self.nodes)
        self.nodes.append(node)
        self.reads.append(reads)

    def finished(self, uses: Counter[int]) -> list[Node]:
        """One FUSED node; the nodes themselves where one loop would be no gain."""
        if len(self.nodes) < 2 or all(row_name(node) in _REPEATING for node in self.nodes):
            return self.nodes
        inside: Counter[int] = Counter(id(value) for node in self.nodes for value in node.inputs)
        first = len(self.values)
        steps = tuple(
            Step(
                node.payload,
                tuple([i if kind == "input" else first + i for kind, i in reads]),
                node.attributes,
                tuple([value.dtype for value in node.inputs]),
                node.outputs[0].dtype,
            )
            for node, reads in zip(self.nodes, self.reads, strict=True)
        )
        outside = [i for i, node in enumerate(self.nodes) if uses[id(node.outputs[0])] > inside[id(node.outputs[0])]]
        payload = Fused(
            self.shape,
            self.columns,
            tuple(place for _, place in self.inputs),
            tuple([value.dtype for value in self.values]),
            steps,
            tuple([first + i for i in outside]),
            self.number or np.dtype(np.float32),
        )
        outputs = tuple([self.nodes[i].outputs[0] for i in outside])
        return [Node(Kind.FUSED, payload, tuple(self.values), outputs)]
