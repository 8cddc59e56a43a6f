"""Rematerialization: values that are cheap to compute are computed again where the backward pass reads them.

What the forward pass makes and the backward pass reads is kept in between, and a deep network's arena is mostly that. A
value that follows element by element from values that are there anyway (an activation from what it is applied to, the
result of a layer normalization from its input and each row's mean, a cast from a variable) need not be: its late readers
read a second computation of it, with the same bits. Products, reductions and random draws are never repeated.

Chen et al. 2016, "Training deep nets with sublinear memory cost"; here only what costs next to nothing is computed again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value, size_of
from fastgrad.compiler.passes.decompose import Parts
from fastgrad.compiler.passes.drop_dead import drop_dead
from fastgrad.compiler.passes.rewriting import is_pure, row_name
from fastgrad.compiler.passes.structure import structure_of
from fastgrad.operation import Form

LEAST = 16 << 20
"""Bytes that must be alive at one time: what fits in the caches is read faster than it is computed."""

NEAR_PEAK = 0.5
"""A value is given up where, while it waits, so much of the largest number of bytes is alive at one time."""

FAR = 3
"""How many times its own bytes are made while a value waits that is worth giving up."""

SMALL = 1e-3
"""Values that are less of the peak are kept."""

OPERATIONS_PER_BYTE = 8.0
"""What may be computed again for a byte that is not kept; a gelu of float32 is 5."""

_FUNCTION = 20
# Simple operations that exp, erf and the like are worth.

_SIMPLE = frozenset(
    ["where", "cast", "abs", "sign", "floor", "ceil", "rint", "maximum", "minimum", "isnan", "isinf", "isfinite"]
)

ALIKE = 2
"""What was decided is worth it for graphs of up to so many times the bytes, or as many times fewer."""

_BESIDE = 8
# So many nodes later at most a product is computed, to read what a group makes on its way.

_DEPTH = 8
# Operations in a row that are computed again for one value.

_GIVEN = frozenset({Kind.ARGUMENT, Kind.CONSTANT, Kind.READ, Kind.GIVEN})


def is_scarce(planned: Graph) -> bool:
    """Whether a fused graph needs so much memory that it is worth computing values again."""
    return Memory(planned).peak >= LEAST


def rematerialize(graph: Graph, planned: Graph) -> Graph:
    """The graph with cheap values computed twice: for those who read them soon, and for those who read them late.

    Args:
        graph: left as it is.
        planned: the same graph, fused: it tells which values would be kept in memory, and for how long.

    Returns:
        ``graph`` itself where nothing is worth it.
    """
    memory = Memory(planned)
    if memory.peak < LEAST:
        return graph
    choice = _Choice(graph, memory)
    if not choice.wanted:
        return graph
    key = structure_of(graph)
    if key is not None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[key] = choice.remembered(graph)
    return _Rewriting(choice, graph, memory.at).done()


def rematerialized_as_before(graph: Graph) -> Graph | None:
    """What ``rematerialize`` would make of a graph, if that has been decided for one of the same structure and about these sizes.

    A second computation gives the bits of the first one wherever it stands, and where it can stand follows from the structure
    alone; sizes only say whether it is worth it. So a new batch size is neither fused nor searched for what can be given up.

    Args:
        graph: left as it is.
    """
    key = structure_of(graph)
    decision = None if key is None else _known.get(key)
    if decision is None or not decision.bytes <= ALIKE * _bytes_of(graph) <= ALIKE * ALIKE * decision.bytes:
        return None
    values = [id(value) for node in graph.nodes for value in node.outputs]
    kept = {values[i] for i in decision.kept}
    wanted, again = ({values[i]: late for i, late in found.items()} for found in (decision.wanted, decision.again))
    at = {id(graph.nodes[i]): position for i, position in decision.at.items()}
    return _Rewriting(_Chosen(graph, kept, wanted, again), graph, at).done()


class _Decision(NamedTuple):
    """Which values are computed again in graphs of one structure, values and nodes by their numbers; see ``_Chosen``."""

    bytes: int
    at: dict[int, int]
    kept: list[int]
    wanted: dict[int, int]
    again: dict[int, int]


MOST_KNOWN = 64
_known: dict[Hashable, _Decision] = {}


def _bytes_of(graph: Graph) -> int:
    return sum([size_of(value) for node in graph.nodes for value in node.outputs])


class Memory:
    """What is kept, in the order of the fused graph.

    Attributes:
        peak: most bytes alive at one time.
        at: for each node, of a group too, by its id, its position.
        uses: for each value that is kept, by its id, the positions of those who read it.
        made: for each of them where it is made.
    """

    def __init__(self, planned: Graph) -> None:
        self.at: dict[int, int] = {}
        self.uses: dict[int, list[int]] = {}
        self.made: dict[int, int] = {}
        sizes: dict[int, int] = {}
        for position, node in enumerate(planned.nodes):
            self.at[id(node)] = position
            if node.kind is Kind.FUSED:
                for one in node.payload.graph.nodes:
                    self.at.setdefault(id(one), position)  # several groups may read through one view
            for value in node.inputs:
                if id(value) in self.uses:
                    self.uses[id(value)].append(position)
            if node.kind not in _GIVEN:
                for value in node.outputs:
                    self.made[id(value)], self.uses[id(value)] = position, []
                    sizes[id(value)] = size_of(value)
        for value in planned.results:
            if id(value) in self.uses:
                self.uses[id(value)].append(len(planned.nodes))
        born = [0] * (len(planned.nodes) + 2)
        change = born.copy()
        for value_id, size in sizes.items():
            first = self.made[value_id]
            born[first] += size
            change[first] += size
            change[max([first, *self.uses[value_id]]) + 1] -= size
        alive = list(accumulate(change))
        self.peak = max(alive)
        self._born = [0, *accumulate(born)]
        self._high = [0, *accumulate([int(size >= NEAR_PEAK * self.peak) for size in alive])]

    def last(self, value: Value) -> int:
        """Where a value is read last; -1 if it is not kept."""
        uses = self.uses.get(id(value))
        return uses[-1] if uses else -1

    def between(self, first: int, last: int) -> int:
        """How many bytes are made between two positions."""
        return max(self._born[max(first, last)] - self._born[min(first, last) + 1], 0)

    def gap(self, value: Value) -> int | None:
        """Where a value is read again after it has waited for long while memory was scarce; None if it never is."""
        if id(value) not in self.made or size_of(value) < SMALL * self.peak:
            return None
        before = self.made[id(value)]
        most, found = FAR * size_of(value), None
        for use in self.uses[id(value)]:
            waiting = self.between(before, use)
            if waiting >= most and self._high[use] > self._high[before + 1]:
                most, found = waiting, use
            before = use
        return found


_Needed = dict[int, tuple[Value, bool]]
# Values by their ids, and whether each is computed again; others wait longer.


class _Chosen:
    """Which values are computed again.

    Args:
        graph: whose.
        kept: the ids of the values that lie in memory.

    Attributes:
        wanted: for each of them, by its id, the position in the fused graph from which on readers read the second one.
        again: also of those that only others need, and where they are first needed.
    """

    def __init__(self, graph: Graph, kept: Collection[int], wanted: dict[int, int], again: dict[int, int]) -> None:
        self._kept = kept
        self._makers = {id(value): node for node in graph.nodes for value in node.outputs}
        self.wanted = wanted
        self.again = again

    def needs_second(self, value: Value, position: int) -> bool:
        """Whether who reads a value at a position of the fused graph reads a second one."""
        if id(value) in self.wanted:
            return position >= self.wanted[id(value)]
        if id(value) in self._kept:
            return False
        maker = self._makers[id(value)]
        if row_name(maker) is None or maker.payload.form is not Form.INDEX_MAP:
            return False  # a view of a value that is computed again is another view
        return _can_repeat(maker, value) and self.needs_second(maker.inputs[0], position)

    def parts(self, value: Value) -> tuple[Node, tuple[Value, ...]] | None:
        """What makes a value that is computed again, and what that reads; None if it is there."""
        if id(value) not in self.again and id(value) in self._kept:
            return None
        maker = self._makers[id(value)]
        return None if maker.kind in _GIVEN else (maker, _reads(maker))


class _Choice(_Chosen):
    """The search for them.

    Args:
        graph, memory: see ``rematerialize``.
    """

    def __init__(self, graph: Graph, memory: Memory) -> None:
        super().__init__(graph, memory.made, {}, {})
        self._memory = memory
        self._longer: dict[int, int] = {}  # values that wait longer, as they are read by a second computation
        for node in graph.nodes:
            for value in node.outputs:
                late = memory.gap(value) if _can_repeat(node, value) else None
                if late is not None and self._is_worth_it(value, late):
                    self.wanted[id(value)] = late

    def _is_worth_it(self, value: Value, late: int) -> bool:
        found = self._trace(value, late, {}, 0)
        if found is None:
            return False
        needed = [(key, one) for key, (one, repeated) in found.items() if repeated]
        longer = [(key, one) for key, (one, repeated) in found.items() if not repeated]
        saved = size_of(value) - sum([size_of(one) for _, one in longer])
        operations = sum([_cost(self._makers[key]) * _count(one) for key, one in needed])
        if 2 * saved < size_of(value) or operations > OPERATIONS_PER_BYTE * saved:
            return False
        for key, _ in needed:
            self.again[key] = min(late, self.again.get(key, late))
        for key, _ in longer:
            self._longer[key] = max(late, self._longer.get(key, late))
        return True

    def _trace(self, value: Value, late: int, known: _Needed, depth: int) -> _Needed | None:
        """What must be there for a value to be there again; None if that can't be.

        Args:
            value: the value.
            late: where it must be there.
            known: what must be there in any case.
            depth: of the operations in a row that lead from it to what is asked for.
        """
        if id(value) in known:
            return known
        if id(value) in self.again:  # its second computation is to be one of the same time, else it waits itself
            near = self._memory.between(late, self.again[id(value)]) <= FAR * size_of(value)
            return {**known, id(value): (value, True)} if near else None
        node = self._makers[id(value)]
        if depth > _DEPTH or not _can_repeat(node, value):
            return None
        found = {**known, id(value): (value, True)}
        for x in _reads(node):
            if self._makers[id(x)].kind in _GIVEN:
                continue
            kept = id(x) in self._memory.made
            if kept and id(x) not in self.wanted and max(self._memory.last(x), self._longer.get(id(x), 0)) >= late:
                continue
            more = self._trace(x, late, found, depth + 1)
            if more is None and not kept:
                return None
            found = more if more is not None else {**found, id(x): (x, False)}
        return found

    def remembered(self, graph: Graph) -> _Decision:
        """What was chosen, for graphs of the same structure."""
        values = [id(value) for node in graph.nodes for value in node.outputs]
        number = {key: i for i, key in enumerate(values)}
        at = {i: self._memory.at[id(node)] for i, node in enumerate(graph.nodes) if id(node) in self._memory.at}
        kept = [i for i, key in enumerate(values) if key in self._memory.made]
        wanted, again = ({number[key]: late for key, late in found.items()} for found in (self.wanted, self.again))
        return _Decision(_bytes_of(graph), at, kept, wanted, again)


class _Rewriting:
    """Puts second computations into a graph.

    A product that reads one of them waits for a map that soon reads it, too, so that one loop makes what both need.
    """

    def __init__(self, choice: _Chosen, graph: Graph, at: dict[int, int]) -> None:
        self._choice = choice
        self._old = graph
        self._at = at
        self._nodes: list[Node] = []
        self._second: dict[int, Value] = {}
        self._first_use: dict[int, int] = {}
        for position, node in enumerate(graph.nodes):
            for value in node.inputs:
                self._first_use.setdefault(id(value), position)

    def done(self) -> Graph:
        """The graph with the second computations, each where it is read first."""
        waiting: dict[int, list[Node]] = {}
        for position, node in enumerate(self._old.nodes):
            after = self._map_beside(position, node)
            if after is not None:
                waiting.setdefault(after, []).append(node)
                continue
            for one in (node, *waiting.pop(position, ())):
                self._take(one)
        return drop_dead(Graph(self._nodes, self._old.results))

    def _late(self, node: Node) -> list[Value]:
        """What a node reads that is computed again for it."""
        position = self._at.get(id(node), -1)
        return [x for x in node.inputs if self._choice.needs_second(x, position)]

    def _take(self, node: Node) -> None:
        late = {id(x): self._again(x) for x in self._late(node)}
        self._nodes.append(replace(node, inputs=tuple([late.get(id(x), x) for x in node.inputs])) if late else node)

    def _again(self, value: Value) -> Value:
        parts = self._choice.parts(value)
        if parts is None:
            return value
        if id(value) not in self._second:
            node, reads = parts
            made = _second(node, value, tuple([self._again(x) for x in reads]))
            self._nodes += made
            self._second[id(value)] = made[-1].outputs[0]
        return self._second[id(value)]

    def _map_beside(self, position: int, node: Node) -> int | None:
        """The position of the map that a node waits for."""
        late = self._late(node)
        if not late or _is_map(node) or not is_pure(node) or all(id(x) in self._second for x in late):
            return None
        needed: set[int] = set()
        while late:
            value = late.pop()
            parts = self._choice.parts(value)
            if parts is not None and id(value) not in needed:
                needed.add(id(value))
                late += parts[1]
        until = min(position + _BESIDE, *[self._first_use.get(id(y), 1 << 62) - 1 for y in node.outputs])
        for other, one in enumerate(self._old.nodes[position + 1 : until + 1], position + 1):
            if one.has_effect:
                return None
            if _is_map(one) and any(id(x) in needed for x in self._late(one)):
                return other
        return None


def _count(value: Value) -> int:
    return size_of(value) // value.dtype.itemsize


def _is_map(node: Node) -> bool:
    return is_pure(node) and node.payload.form is Form.ELEMENTWISE


def _can_repeat(node: Node, value: Value) -> bool:
    """Whether a node computes a value element by element, or could."""
    if not is_pure(node) or value.dtype.kind == "O":
        return False
    if row_name(node) == "layer_normalization":
        return value is node.outputs[0]
    if len(node.outputs) != 1:
        return False
    row = node.payload
    return (row.form is Form.ELEMENTWISE and row.code is not None) or (
        row.form is Form.INDEX_MAP and row.views is not None
    )


def _cost(node: Node) -> int:
    """About how many simple operations an element takes."""
    if row_name(node) == "layer_normalization":
        return 4
    if node.payload.form is Form.INDEX_MAP:
        return 1
    functions = [name for name in re.findall(r"(\w+)\(", node.payload.code) if name not in _SIMPLE]
    return 1 + _FUNCTION * len(functions)


def _reads(node: Node) -> tuple[Value, ...]:
    """What a second computation reads."""
    if row_name(node) != "layer_normalization":
        return node.inputs
    x, gamma, beta = node.inputs
    return x, gamma, beta, *node.outputs[1:]


def _second(node: Node, value: Value, inputs: tuple[Value, ...]) -> list[Node]:
    """The nodes of a second computation; the last one gives the value."""
    if row_name(node) != "layer_normalization":
        return [replace(node, inputs=inputs, outputs=(Value(value.shape, value.dtype, value.number),))]
    # As the kernel computes it (kernels/reduction/normalization.py), in its order.
    x, gamma, beta, mean, inverse = inputs
    parts = Parts(value.number)
    rows = x.shape[0], 1
    y = parts.of("subtract", x, parts.reshaped(mean, rows), shape=x.shape)
    y = parts.of("multiply", y, parts.reshaped(inverse, rows), shape=x.shape)
    y = parts.of("multiply", y, gamma, shape=x.shape)
    parts.of("add", y, beta, shape=x.shape)
    return parts.nodes
