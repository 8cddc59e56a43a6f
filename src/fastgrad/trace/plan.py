"""The plan of a program: what runs natively, where every value lies, and for how long.

A value lies in an array of the caller's (an argument or a result), in memory that is there for good (a constant, a
variable), or in the arena. What a variable is assigned is computed in the variable's own memory where nobody needs the
old value any more and the program can't leave after that; otherwise it is copied there at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from fastgrad.kernels.launch import Launches
from fastgrad.trace.arena import Arena
from fastgrad.trace.graph import Graph, Kind, Node, Value
from fastgrad.trace.native_form import copies, launches_of, may_stop


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


@dataclass(frozen=True, slots=True)
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


@dataclass
class Plan:
    """What ``plan`` finds out.

    Attributes:
        actions: in order.
        places: of each value, by its id.
        arguments: for each array that the program is called with, which argument of the call it is, and its value.
        results: values for which there are arrays to fill, after those.
        returned: for each result of the graph the number of the array that holds it, in its shape.
        arena_bytes: size of the arena.
        written: variables that the program changes.
        graph: what was planned.
    """

    graph: Graph
    actions: list[Action] = field(default_factory=list)
    places: dict[int, Place] = field(default_factory=dict)
    arguments: list[tuple[int, Value]] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    arena_bytes: int = 0
    written: list[Any] = field(default_factory=list)


def plan(graph: Graph) -> Plan:
    """Plans a program.

    Args:
        graph: optimized, fused, and with its assignments at the end (``passes/stage_state.py``).
    """
    return _Planner(graph).planned()


def size_of(value: Value) -> int:
    """Bytes of a value."""
    return prod(value.shape) * value.dtype.itemsize


def _same(place: Place, other: Place) -> bool:
    if isinstance(place, InMemory) and isinstance(other, InMemory):
        return place.array is other.array
    return type(place) is type(other) and place == other


class _Planner:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.plan = Plan(graph)
        self.forms = [self._form(node) for node in graph.nodes]
        self.root: dict[int, Value] = {}
        self.made: dict[int, int] = {}
        for position, (node, form) in enumerate(zip(graph.nodes, self.forms, strict=True)):
            for value in node.outputs:
                self.root[id(value)] = value
                self.made[id(value)] = position
            if form is not None and form.alias:
                self.root[id(node.outputs[0])] = self.root[id(node.inputs[0])]
        self.end = self._ends()
        self.places = self.plan.places
        self.copied: list[tuple[Value, int]] = []  # results that lie elsewhere, with their numbers
        self.assignments = [node for node in graph.nodes if node.kind is Kind.ASSIGN]
        self.late: set[int] = set()  # roots that are read after all nodes
        self.arena = Arena()

    def planned(self) -> Plan:
        graph = self.graph
        self._place_arguments()
        self._place_results()
        self._place_assigned()
        self.late = {id(self.root[id(value)]) for value, _ in self.copied}
        self.late |= {id(self.root[id(node.inputs[0])]) for node in self.assignments}
        ending: dict[int, list[tuple[int, int]]] = {}  # what can be given back after a position
        for position, (node, form) in enumerate(zip(graph.nodes, self.forms, strict=True)):
            if node.kind is Kind.ASSIGN:
                continue  # below
            for value in node.outputs:
                self._place(value, position, ending)
            if node.kind not in {Kind.ARGUMENT, Kind.CONSTANT, Kind.READ} and not (form and form.alias):
                self._act(node, form)
            if node.kind is Kind.READ:
                self._copy_out(node.outputs[0])
            for offset, size in ending.pop(position, ()):
                self.arena.give_back(offset, size)
        self._finish()
        self.plan.arena_bytes = self.arena.size
        return self.plan

    # ---- what is known before anything is placed --------------------------------------------------------

    @staticmethod
    def _form(node: Node) -> Launches | None:
        if node.kind in {Kind.OPERATION, Kind.FUSED, Kind.GUARD}:
            return launches_of(node)
        return None

    def _ends(self) -> dict[int, int]:
        """For each root the position of the last node that reads it; a result that is held elsewhere is copied earlier."""
        end: dict[int, int] = {}
        for position, node in enumerate(self.graph.nodes):
            for value in node.inputs:
                end[id(self.root[id(value)])] = position
        return end

    def _may_leave(self, position: int) -> bool:
        node, form = self.graph.nodes[position], self.forms[position]
        if node.kind is Kind.GUARD or (node.has_effect and node.kind is Kind.OPERATION):
            return True
        if node.kind in {Kind.OPERATION, Kind.FUSED}:
            return form is None or may_stop(form)
        return False

    # ---- places ------------------------------------------------------------------------------------------

    def _place_arguments(self) -> None:
        for node in self.graph.nodes:
            if node.kind is Kind.ARGUMENT:
                value = node.outputs[0]
                self.places[id(value)] = InPython() if value.dtype.kind == "O" else InObject(len(self.plan.arguments))
                self.plan.arguments.append((node.payload, value))

    def _place_results(self) -> None:
        """A value that is computed for the caller is computed in the caller's array; the others are copied there."""
        numbers: dict[int, int] = {}
        for value in self.graph.results:
            if id(value) not in numbers:
                numbers[id(value)] = len(self.plan.results)
                self.plan.results.append(value)
            self.plan.returned.append(numbers[id(value)])
        assigned = {id(self.root[id(node.inputs[0])]) for node in self.assignments}
        for number, value in enumerate(self.plan.results):
            root = self.root[id(value)]
            place = InObject(len(self.plan.arguments) + number)
            maker = self.graph.nodes[self.made[id(root)]]
            computed = maker.kind in {Kind.OPERATION, Kind.FUSED}
            if value.dtype.kind == "O":
                self.places[id(root)] = InPython()
            elif computed and id(root) not in self.places and id(root) not in assigned:
                self.places[id(root)] = place
            else:
                self.copied.append((value, number))

    def _place_assigned(self) -> None:
        """Finds what can be computed in the memory of the variable that gets it."""
        nodes = self.graph.nodes
        leaves = max([i for i in range(len(nodes)) if self._may_leave(i)], default=-1)
        reads: dict[int, list[Value]] = {}
        for node in nodes:
            if node.kind is Kind.READ:
                reads.setdefault(id(node.payload), []).append(node.outputs[0])
        for node in self.assignments:
            variable = node.payload
            self.plan.written.append(variable)
            root = self.root[id(node.inputs[0])]
            position = self.made[id(root)]
            form = self.forms[position]
            if id(root) in self.places or form is None or position <= leaves or root.dtype.kind == "O":
                continue
            if nodes[position].kind not in {Kind.OPERATION, Kind.FUSED}:
                continue
            if all(self._is_free(position, root, old) for old in reads.get(id(variable), ())):
                self.places[id(root)] = InMemory(variable._array)

    def _is_free(self, position: int, new: Value, old: Value) -> bool:
        """Whether the node at a position may write ``new`` over ``old``."""
        last = self.end.get(id(old), -1)
        if last != position:
            return last < position
        node, form = self.graph.nodes[position], self.forms[position]
        assert form is not None
        output = next(i for i, value in enumerate(node.outputs) if value is new)
        inputs = [i for i, value in enumerate(node.inputs) if self.root[id(value)] is old]
        return all((output, i) in form.in_place for i in inputs)

    def _place(self, value: Value, position: int, ending: dict[int, list[tuple[int, int]]]) -> None:
        root = self.root[id(value)]
        if root is not value:
            self.places[id(value)] = self.places[id(root)]
            return
        if id(value) in self.places:
            return
        node = self.graph.nodes[position]
        if node.kind is Kind.CONSTANT:
            self.places[id(value)] = InMemory(np.ascontiguousarray(node.payload).reshape(value.shape))
        elif node.kind is Kind.READ:
            self.places[id(value)] = InMemory(node.payload._array)
        elif value.dtype.kind == "O":
            self.places[id(value)] = InPython()
        else:
            end = self.end.get(id(value), position)
            if self._needed_at_end(value):
                end = len(self.graph.nodes)
            offset = self._inherited(value, position, end, ending)
            if offset is None:
                offset = self.arena.take(size_of(value))
            self.places[id(value)] = InArena(offset)
            ending.setdefault(end, []).append((offset, size_of(value)))

    def _inherited(self, value: Value, position: int, end: int, ending: dict[int, list[tuple[int, int]]]) -> int | None:
        """The place of an input that is not needed after this node, which may write over it."""
        node, form = self.graph.nodes[position], self.forms[position]
        if form is None:
            return None
        output = next(i for i, other in enumerate(node.outputs) if other is value)
        for out, i in form.in_place:
            if out != output:
                continue
            old = self.root[id(node.inputs[i])]
            place = self.places[id(old)]
            if not isinstance(place, InArena) or self.end.get(id(old)) != position or self._needed_at_end(old):
                continue
            found = place.offset, size_of(old)
            same = [j for j, other in enumerate(node.inputs) if self.root[id(other)] is old]
            if (
                size_of(old) == size_of(value)
                and found in ending.get(position, ())
                and all((output, j) in form.in_place for j in same)
            ):
                ending[position].remove(found)
                return place.offset
        return None

    def _needed_at_end(self, root: Value) -> bool:
        return id(root) in self.late

    # ---- what is done ------------------------------------------------------------------------------------

    def _act(self, node: Node, form: Launches | None) -> None:
        inputs = tuple([self.places[id(value)] for value in node.inputs])
        outputs = tuple([self.places[id(value)] for value in node.outputs])
        sizes = [np.dtype(dtype).itemsize * count for dtype, count in form.scratch] if form is not None else []
        offsets = [self.arena.take(size) for size in sizes]
        for output, given in form.starts_as if form is not None else ():
            if size_of(node.outputs[output]) and not _same(outputs[output], inputs[given]):
                self._copy(node.inputs[given], outputs[output])
        self.plan.actions.append(Action(node, form, inputs, outputs, tuple([InArena(offset) for offset in offsets])))
        for offset, size in zip(offsets, sizes, strict=True):
            self.arena.give_back(offset, size)

    def _copy(self, value: Value, to: Place) -> None:
        node = Node(Kind.OPERATION, None, (value,), (value,))
        self.plan.actions.append(Action(node, copies(value), (self.places[id(value)],), (to,)))

    def _copy_out(self, value: Value) -> None:
        """Results that are the value of a variable are copied before the variable changes."""
        for result, number in self.copied:
            if self.root[id(result)] is value:
                self.places.setdefault(id(result), self.places[id(value)])
                self._copy(result, InObject(len(self.plan.arguments) + number))

    def _finish(self) -> None:
        """Copies what is left to the caller's arrays and to variables."""
        for value, number in self.copied:
            if not self._is_read(value):
                self._copy(value, InObject(len(self.plan.arguments) + number))
        written = {id(variable._array) for variable in self.plan.written}
        pending = []
        for node in self.assignments:
            value, target = node.inputs[0], InMemory(node.payload._array)
            place = self.places[id(value)]
            if isinstance(place, InMemory) and place.array is target.array:
                continue
            if isinstance(place, InMemory) and id(place.array) in written and self._is_read(value):
                shadow = InArena(self.arena.take(size_of(value)))  # before any variable changes
                self._copy(value, shadow)
                place = shadow
            pending.append((node, place, target))
        for node, place, target in pending:
            self.plan.actions.append(Action(node, self._assigning(node.inputs[0]), (place,), (target,)))

    def _is_read(self, value: Value) -> bool:
        return self.graph.nodes[self.made[id(self.root[id(value)])]].kind is Kind.READ

    @staticmethod
    def _assigning(value: Value) -> Launches | None:
        return copies(value) if value.dtype.kind != "O" else None
