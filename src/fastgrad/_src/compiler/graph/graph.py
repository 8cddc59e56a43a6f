"""The graph of a recorded program: its operations, in order, in static single assignment.

A graph is a list of nodes. The inputs of a node are values of earlier nodes. The outputs of a node are values of
fixed shape and dtype. Nodes that read or change state keep their order; all others depend on their inputs alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.lowering import NO_COLLECTIVE, NO_LOWERING, Collective, Lowering
from fastgrad._src.core.result_rules import ArraySpec, fits_spec, specs_of


class Kind:
    """The kind of a node. It is no `Enum`: passes name kinds thousands of times, and Python 3.11 is slow to find members of an `Enum`.

    Attributes:
        ARGUMENT: the value of an argument of the call; payload: its position among the tensors.
        CONSTANT: a value that never changes; payload: the array.
        READ: the value that a variable has now; payload: the variable.
        OPERATION: an operation of the table; payload: the operation.
        FUSED: element-wise operations in one loop; payload: what they are (see fuse.py).
        ASSIGN: gives a variable a value; payload: the variable.
        GUARD: the program goes on only if a scalar has the value that it had; payload: (kind of look, value).
        GIVEN: a value of an earlier part of the program; see tree.py.
        name: the name of the kind, as written here.
    """

    __slots__ = ("name",)

    ARGUMENT: ClassVar[Kind]
    CONSTANT: ClassVar[Kind]
    READ: ClassVar[Kind]
    OPERATION: ClassVar[Kind]
    FUSED: ClassVar[Kind]
    ASSIGN: ClassVar[Kind]
    GUARD: ClassVar[Kind]
    GIVEN: ClassVar[Kind]

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Kind.{self.name}"


ALL_KINDS = tuple(
    Kind(name) for name in ("ARGUMENT", "CONSTANT", "READ", "OPERATION", "FUSED", "ASSIGN", "GUARD", "GIVEN")
)
for _kind in ALL_KINDS:
    setattr(Kind, _kind.name, _kind)


@dataclass(eq=False, slots=True)
class Value:
    """One result of a node.

    Attributes:
        shape, dtype: fixed.
        number: its place in the order of creation, for text.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    number: int

    def __str__(self) -> str:
        return f"%{self.number}"

    @property
    def type_text(self) -> str:
        """The dtype and shape, as in ``float32[32, 10]``."""
        return f"{dtypes.DTYPE_OF_NUMPY[self.dtype].name}{list(self.shape)}"


def size_of(value: Value) -> int:
    """Returns the number of bytes of a value."""
    return prod(value.shape) * value.dtype.itemsize


@dataclass(eq=False, slots=True)
class Node:
    """One operation of a graph.

    Attributes:
        kind: what it does.
        payload: the object of the operation; see ``Kind``.
        inputs: values of earlier nodes.
        outputs: its values.
        attributes: of an operation, plain Python values.
    """

    kind: Kind
    payload: Any
    inputs: tuple[Value, ...] = ()
    outputs: tuple[Value, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def lowering(self) -> Lowering:
        """The lowering of the node's operation; no part of it is set if the node only copies or ends a trace."""
        is_operation = self.kind is Kind.OPERATION and self.payload is not None
        return self.payload.lowering if is_operation else NO_LOWERING

    @property
    def is_collective(self) -> bool:
        """Whether all processes of a job run the node together."""
        return self.lowering.collective is not None

    @property
    def collective(self) -> Collective:
        """How all processes run the node together; empty if they do not."""
        return self.lowering.collective or NO_COLLECTIVE

    @property
    def has_effect(self) -> bool:
        """Whether the node must stay even if nothing reads its values."""
        if self.kind is Kind.OPERATION:
            return self.is_collective or self.lowering.checks
        return self.kind is Kind.ASSIGN or self.kind is Kind.GUARD

    def __str__(self) -> str:
        results = ", ".join(f"{v}: {v.type_text}" for v in self.outputs)
        inputs = ", ".join(map(str, self.inputs))
        attributes = "".join(f", {key}={value!r}" for key, value in self.attributes.items())
        name = self.payload.name if self.kind is Kind.OPERATION else self.kind.name.lower()
        detail = {
            Kind.ARGUMENT: lambda: f" {self.payload}",
            Kind.CONSTANT: lambda: f" {self.payload}" if self.payload.size == 1 else "",
            Kind.READ: lambda: f" {self.payload.name}",
            Kind.ASSIGN: lambda: f" {self.payload.name}",
            Kind.FUSED: lambda: f" {self.payload.name}",
            Kind.GUARD: lambda: f" {self.payload[0]} is {self.payload[1]}",
        }.get(self.kind, lambda: "")()
        return f"{results}{' = ' if results else ''}{name}{detail}({inputs}{attributes})"


class Graph:
    """A program: nodes in order, and the values that the caller gets.

    Attributes:
        nodes: in the order in which they run.
        results: the returned values, in order; the same value may occur twice.
    """

    def __init__(self, nodes: Iterable[Node], results: Iterable[Value]) -> None:
        self.nodes = list(nodes)
        self.results = list(results)

    def variables(self) -> Iterator[Any]:
        """Yields the variables that the program reads or changes, each once, in order."""
        seen: set[int] = set()
        for node in self.nodes:
            if node.kind in {Kind.READ, Kind.ASSIGN} and id(node.payload) not in seen:
                seen.add(id(node.payload))
                yield node.payload

    def __str__(self) -> str:
        lines = []
        for node in self.nodes:
            lines.append(str(node))
            for label, subgraph in getattr(node.payload, "graphs", {}).items() if node.kind is Kind.OPERATION else ():
                lines += [f"  {label}:", *[f"    {line}" for line in str(subgraph).splitlines()]]
        return "\n".join([*lines, f"return {', '.join(map(str, self.results))}"])


def uses_of(graph: Graph) -> Counter[int]:
    """Returns how often each value is read, by its id: by nodes, and as a result."""
    uses: Counter[int] = Counter([id(value) for node in graph.nodes for value in node.inputs])
    uses.update([id(value) for value in graph.results])
    return uses


def validate(graph: Graph) -> None:
    """Checks that a graph is valid: for tests, and after each pass.

    Raises:
        AssertionError: a value is read before it is made or made twice, or a node has the wrong number of inputs or outputs
            for its kind; a constant has another shape or dtype than its value, or an operation's values do not follow its
            result rule.
    """
    made_ids: set[int] = set()
    for node in graph.nodes:
        for value in node.inputs:
            assert id(value) in made_ids, f"{node}: {value} is read before it is made"
        counts = {
            Kind.ARGUMENT: (0, 1),
            Kind.GIVEN: (0, 1),
            Kind.CONSTANT: (0, 1),
            Kind.READ: (0, 1),
            Kind.ASSIGN: (1, 0),
            Kind.GUARD: (1, 0),
        }.get(node.kind)
        if counts is not None:
            assert (len(node.inputs), len(node.outputs)) == counts, f"{node}: inputs and outputs"
        if node.kind is Kind.CONSTANT:
            constant, value = node.payload, node.outputs[0]
            assert (constant.shape, constant.dtype) == (value.shape, value.dtype), (
                f"{node}: holds {constant.dtype}{constant.shape}"
            )
        if node.kind is Kind.OPERATION and node.payload.result is not None:
            inputs = [ArraySpec(value.shape, value.dtype) for value in node.inputs]
            specs = specs_of(node.payload.result(*inputs, **node.attributes))
            agrees = len(specs) == len(node.outputs) and all(map(fits_spec, specs, node.outputs))
            assert agrees, f"{node}: the rule gives {specs}"
        for value in node.outputs:
            assert id(value) not in made_ids, f"{node}: {value} is made twice"
            made_ids.add(id(value))
    for value in graph.results:
        assert id(value) in made_ids, f"the result {value} is never made"
