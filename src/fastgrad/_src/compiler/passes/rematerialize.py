"""Rematerialization: the backward pass recomputes values that are cheap to compute.

Residuals of the forward pass stay in memory until the backward pass reads them; they are most of a deep network's arena. Some
residuals follow element by element from values that stay anyway: an activation from its argument, the result of a layer
normalization from its input and each row's mean, a cast from a variable. These are not kept: their late readers
read a second computation, with the same bits. Products, reductions and random draws are never repeated.

Chen et al. 2016, "Training deep nets with sublinear memory cost"; here only operations that cost next to nothing are repeated.

One file, because the choice of values and the rewriting of the graph share one model of memory.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value, size_of
from fastgrad._src.compiler.passes.decompose import OperationBuilder
from fastgrad._src.compiler.passes.drop_dead import drop_dead
from fastgrad._src.compiler.passes.graph_structure import structure_of
from fastgrad._src.compiler.passes.rewriting import is_pure, op_name
from fastgrad._src.core.operation import Form

LEAST_PEAK_BYTES = 16 << 20
"""The least peak in bytes for this pass: reading from the caches is faster than recomputing."""

SCARCE_MEMORY_SHARE_OF_PEAK = 0.5
"""A value is recomputed only if this share of the peak bytes is live at one time between two of its uses."""

LEAST_REUSE_DISTANCE_IN_VALUE_SIZES = 3
"""A value is recomputed only if this multiple of its bytes is made between two of its uses."""

LEAST_VALUE_SHARE_OF_PEAK = 1e-3
"""Values smaller than this share of the peak are kept."""

MOST_REPEATED_OPERATIONS_PER_BYTE = 8.0
"""The most operations that are repeated for a byte that is not kept; a gelu of float32 needs 5."""

_FUNCTION_COST_IN_SIMPLE_OPERATIONS = 20
# The cost of exp, erf and the like, in simple operations.

MOST_REUSE_SIZE_RATIO = 2
"""A decision is reused for graphs with at most this factor more or fewer bytes."""

_PRODUCT_DELAY_NODES = 8
# The most nodes by which a product is delayed, so that it reads a value that a map computes anyway.

_MOST_REPEATED_CHAIN_OPERATIONS = 8
# The longest chain of operations that is repeated for one value.

_UNCOMPUTED_NODE_KINDS = frozenset({Kind.ARGUMENT, Kind.CONSTANT, Kind.READ, Kind.GIVEN})


def is_memory_scarce(planned: Graph) -> bool:
    """True if a fused graph needs so much memory that recomputing values can pay."""
    return max(live_bytes(planned)) >= LEAST_PEAK_BYTES


def rematerialize(graph: Graph, planned: Graph) -> Graph:
    """Returns the graph with cheap values computed twice: for their early readers and for their late readers.

    Args:
        graph: the graph; it is not changed.
        planned: the same graph, fused: it shows which values would be kept in memory, and for how long.

    Returns:
        ``graph`` itself if no value is recomputed.
    """
    memory = MemoryTimeline(planned)
    if memory.peak < LEAST_PEAK_BYTES:
        return graph
    choice = _RecomputationSearch(graph, memory)
    if not choice.wanted:
        return graph
    key = structure_of(graph)
    if key is not None:
        if len(_decisions) >= MOST_CACHED_DECISIONS:
            _decisions.clear()
        _decisions[key] = choice.decision(graph)
    return _GraphRewriter(choice, graph, memory.at).rewritten_graph()


def rematerialized_by_known_decision(graph: Graph) -> Graph | None:
    """Returns the graph by an earlier decision for the same structure and similar sizes; None if there is none.

    A second computation gives the bits of the first at any position, and its possible positions follow from the structure alone;
    sizes only decide whether it pays. So for a new batch size nothing is fused for a search, and nothing is searched.

    Args:
        graph: the graph; it is not changed.
    """
    graph_bytes = _bytes_of(graph) if _decisions else 0
    if not any(_have_similar_sizes(graph_bytes, decision.bytes) for decision in _decisions.values()):
        return None  # before the search for the structure, which takes longer
    key = structure_of(graph)
    decision = None if key is None else _decisions.get(key)
    if decision is None or not _have_similar_sizes(graph_bytes, decision.bytes):
        return None
    values = [id(value) for node in graph.nodes for value in node.outputs]
    kept_ids = {values[i] for i in decision.kept}
    wanted_ids, second_uses = (
        {values[i]: reader for i, reader in positions.items()} for positions in (decision.wanted, decision.again)
    )
    at = {id(graph.nodes[i]): position for i, position in decision.at.items()}
    return _GraphRewriter(_RecomputedValues(graph, kept_ids, wanted_ids, second_uses), graph, at).rewritten_graph()


class _RecomputationDecision(NamedTuple):
    """The recomputed values in graphs of one structure, values and nodes by their numbers; see ``_RecomputedValues``."""

    bytes: int
    at: dict[int, int]
    kept: list[int]
    wanted: dict[int, int]
    again: dict[int, int]


MOST_CACHED_DECISIONS = 64
_decisions: dict[Hashable, _RecomputationDecision] = {}


def _have_similar_sizes(size: int, other: int) -> bool:
    return other <= MOST_REUSE_SIZE_RATIO * size <= MOST_REUSE_SIZE_RATIO * MOST_REUSE_SIZE_RATIO * other


def _bytes_of(graph: Graph) -> int:
    return sum([size_of(value) for node in graph.nodes for value in node.outputs])


def live_bytes(planned: Graph) -> list[int]:
    """Returns the bytes of computed values that are live at each position of a fused graph, and at its end."""
    last_uses: dict[int, int] = {}
    sizes: dict[int, int] = {}
    change = [0] * (len(planned.nodes) + 2)
    for position, node in enumerate(planned.nodes):
        for value in node.inputs:
            if id(value) in sizes:
                last_uses[id(value)] = position
        if node.kind not in _UNCOMPUTED_NODE_KINDS:
            for value in node.outputs:
                size = sizes[id(value)] = size_of(value)
                last_uses[id(value)] = position
                change[position] += size
    for value in planned.results:
        if id(value) in sizes:
            last_uses[id(value)] = len(planned.nodes)
    for value_id, position in last_uses.items():
        change[position + 1] -= sizes[value_id]
    return list(accumulate(change))


class MemoryTimeline:
    """The values in memory, in the order of the fused graph.

    Attributes:
        peak: most bytes live at one time.
        at: for each node, also of a group, by its id, its position.
        uses: for each value in memory, by its id, the positions of its readers.
        producer_positions: for each of them the position of its node.
    """

    def __init__(self, planned: Graph) -> None:
        self.at: dict[int, int] = {}
        self.uses: dict[int, list[int]] = {}
        self.producer_positions: dict[int, int] = {}
        born = [0] * (len(planned.nodes) + 2)
        for position, node in enumerate(planned.nodes):
            self.at[id(node)] = position
            if node.kind is Kind.FUSED:
                for inner_node in node.payload.graph.nodes:
                    self.at.setdefault(id(inner_node), position)  # several groups may read through one view
            for value in node.inputs:
                if id(value) in self.uses:
                    self.uses[id(value)].append(position)
            if node.kind not in _UNCOMPUTED_NODE_KINDS:
                for value in node.outputs:
                    self.producer_positions[id(value)], self.uses[id(value)] = position, []
                    born[position] += size_of(value)
        for value in planned.results:
            if id(value) in self.uses:
                self.uses[id(value)].append(len(planned.nodes))
        alive = live_bytes(planned)
        self.peak = max(alive)
        self._born_bytes = [0, *accumulate(born)]
        self._high_counts = [0, *accumulate([int(size >= SCARCE_MEMORY_SHARE_OF_PEAK * self.peak) for size in alive])]

    def last_reader(self, value: Value) -> int:
        """Returns the last position that reads a value; -1 if it is not in memory."""
        uses = self.uses.get(id(value))
        return uses[-1] if uses else -1

    def bytes_made_between(self, first: int, last: int) -> int:
        """Returns how many bytes are made between two positions."""
        return max(self._born_bytes[max(first, last)] - self._born_bytes[min(first, last) + 1], 0)

    def reader_after_longest_gap(self, value: Value) -> int | None:
        """Returns the position of the reader after the longest reuse distance at scarce memory; None if it is short."""
        if id(value) not in self.producer_positions or size_of(value) < LEAST_VALUE_SHARE_OF_PEAK * self.peak:
            return None
        last_use = self.producer_positions[id(value)]
        longest_distance, reader = LEAST_REUSE_DISTANCE_IN_VALUE_SIZES * size_of(value), None
        for use in self.uses[id(value)]:
            distance = self.bytes_made_between(last_use, use)
            if distance >= longest_distance and self._high_counts[use] > self._high_counts[last_use + 1]:
                longest_distance, reader = distance, use
            last_use = use
        return reader


_NeededValues = dict[int, tuple[Value, bool]]
# Values by their ids, and whether each is computed again; the others stay live longer.


class _RecomputedValues:
    """A choice of values to recompute, and the recomputation of each.

    Args:
        graph: the graph of the values.
        kept: the ids of the values that lie in memory.

    Attributes:
        wanted: the chosen values, by id: the position in the fused graph from which readers read the second computation.
        again: also the values that only other second computations need, and where they are first needed.
    """

    def __init__(self, graph: Graph, kept: Collection[int], wanted: dict[int, int], again: dict[int, int]) -> None:
        self._kept = kept
        self._producers = {id(value): node for node in graph.nodes for value in node.outputs}
        self.wanted = wanted
        self.again = again

    def is_recomputed_for(self, value: Value, position: int) -> bool:
        """True if a reader at a position of the fused graph reads a second computation of a value."""
        if id(value) in self.wanted:
            return position >= self.wanted[id(value)]
        if id(value) in self._kept:
            return False
        producer = self._producers[id(value)]
        if op_name(producer) is None or producer.payload.form is not Form.INDEX_MAP:
            return False  # only a view of a recomputed value must be made again
        return _can_repeat(producer, value) and self.is_recomputed_for(producer.inputs[0], position)

    def recomputation(self, value: Value) -> tuple[Node, tuple[Value, ...]] | None:
        """Returns a recomputed value's node, and what the second computation reads; None if the value is in memory."""
        if id(value) not in self.again and id(value) in self._kept:
            return None
        producer = self._producers[id(value)]
        return None if producer.kind in _UNCOMPUTED_NODE_KINDS else (producer, _inputs_of_recomputation(producer))


class _RecomputationSearch(_RecomputedValues):
    """The search for the values to recompute.

    Args:
        graph, memory: see ``rematerialize``.
    """

    def __init__(self, graph: Graph, memory: MemoryTimeline) -> None:
        super().__init__(graph, memory.producer_positions, {}, {})
        self._memory = memory
        self._extended_uses: dict[int, int] = {}  # values that stay live longer, as a second computation reads them
        for node in graph.nodes:
            for value in node.outputs:
                reader = memory.reader_after_longest_gap(value) if _can_repeat(node, value) else None
                if reader is not None and self._pays_off(value, reader):
                    self.wanted[id(value)] = reader

    def _pays_off(self, value: Value, reader_position: int) -> bool:
        values = self._values_to_recompute(value, reader_position, {}, 0)
        if values is None:
            return False
        needed = [(key, operand) for key, (operand, repeated) in values.items() if repeated]
        longer = [(key, operand) for key, (operand, repeated) in values.items() if not repeated]
        saved = size_of(value) - sum([size_of(operand) for _, operand in longer])
        operations = sum(
            [_operations_per_element(self._producers[key]) * _element_count(operand) for key, operand in needed]
        )
        if 2 * saved < size_of(value) or operations > MOST_REPEATED_OPERATIONS_PER_BYTE * saved:
            return False
        for key, _ in needed:
            self.again[key] = min(reader_position, self.again.get(key, reader_position))
        for key, _ in longer:
            self._extended_uses[key] = max(reader_position, self._extended_uses.get(key, reader_position))
        return True

    def _values_to_recompute(
        self, value: Value, reader_position: int, already_needed: _NeededValues, depth: int
    ) -> _NeededValues | None:
        """Returns the values needed to compute a value again; None if it can't be.

        Args:
            value: the value.
            reader_position: the position that needs it.
            already_needed: the values that are needed in any case.
            depth: the number of operations between it and the first value of the search.
        """
        if id(value) in already_needed:
            return already_needed
        if id(value) in self.again:  # its second computation must be near, else it would stay in memory
            near = self._memory.bytes_made_between(
                reader_position, self.again[id(value)]
            ) <= LEAST_REUSE_DISTANCE_IN_VALUE_SIZES * size_of(value)
            return {**already_needed, id(value): (value, True)} if near else None
        node = self._producers[id(value)]
        if depth > _MOST_REPEATED_CHAIN_OPERATIONS or not _can_repeat(node, value):
            return None
        values = {**already_needed, id(value): (value, True)}
        for x in _inputs_of_recomputation(node):
            if self._producers[id(x)].kind in _UNCOMPUTED_NODE_KINDS:
                continue
            is_stored = id(x) in self._memory.producer_positions
            if (
                is_stored
                and id(x) not in self.wanted
                and max(self._memory.last_reader(x), self._extended_uses.get(id(x), 0)) >= reader_position
            ):
                continue
            extended = self._values_to_recompute(x, reader_position, values, depth + 1)
            if extended is None and not is_stored:
                return None
            values = extended if extended is not None else {**values, id(x): (x, False)}
        return values

    def decision(self, graph: Graph) -> _RecomputationDecision:
        """Returns the choice of recomputed values, by their numbers, for all graphs of the same structure."""
        values = [id(value) for node in graph.nodes for value in node.outputs]
        number = {key: i for i, key in enumerate(values)}
        at = {i: self._memory.at[id(node)] for i, node in enumerate(graph.nodes) if id(node) in self._memory.at}
        stored = [i for i, key in enumerate(values) if key in self._memory.producer_positions]
        recomputed, second_uses = (
            {number[key]: reader for key, reader in positions.items()} for positions in (self.wanted, self.again)
        )
        return _RecomputationDecision(_bytes_of(graph), at, stored, recomputed, second_uses)


class _GraphRewriter:
    """Adds recomputations of values to a graph.

    A product that reads one is delayed until a map that soon reads it, too, so that one loop computes the operands of both.
    """

    def __init__(self, choice: _RecomputedValues, graph: Graph, at: dict[int, int]) -> None:
        self._choice = choice
        self._old_graph = graph
        self._at = at
        self._nodes: list[Node] = []
        self._recomputed: dict[int, Value] = {}
        self._first_use: dict[int, int] = {}
        for position, node in enumerate(graph.nodes):
            for value in node.inputs:
                self._first_use.setdefault(id(value), position)

    def rewritten_graph(self) -> Graph:
        """Returns the graph with the second computations, each before its first reader."""
        waiting: dict[int, list[Node]] = {}
        for position, node in enumerate(self._old_graph.nodes):
            delayed_to = self._delay_position(position, node)
            if delayed_to is not None:
                waiting.setdefault(delayed_to, []).append(node)
                continue
            for ready in (node, *waiting.pop(position, ())):
                self._add_with_recomputed_inputs(ready)
        return drop_dead(Graph(self._nodes, self._old_graph.results))

    def _recomputed_inputs(self, node: Node) -> list[Value]:
        """Returns those inputs of a node that are recomputed for the node."""
        position = self._at.get(id(node), -1)
        return [x for x in node.inputs if self._choice.is_recomputed_for(x, position)]

    def _add_with_recomputed_inputs(self, node: Node) -> None:
        replacements = {id(x): self._recomputed_value(x) for x in self._recomputed_inputs(node)}
        self._nodes.append(
            replace(node, inputs=tuple([replacements.get(id(x), x) for x in node.inputs])) if replacements else node
        )

    def _recomputed_value(self, value: Value) -> Value:
        parts = self._choice.recomputation(value)
        if parts is None:
            return value
        if id(value) not in self._recomputed:
            node, reads = parts
            nodes = _recomputation_nodes(node, value, tuple([self._recomputed_value(x) for x in reads]))
            self._nodes += nodes
            self._recomputed[id(value)] = nodes[-1].outputs[0]
        return self._recomputed[id(value)]

    def _delay_position(self, position: int, node: Node) -> int | None:
        """Returns the position of the element-wise operation that a node is delayed to; None if it is not delayed."""
        recomputed = self._recomputed_inputs(node)
        if (
            not recomputed
            or _is_elementwise(node)
            or not is_pure(node)
            or all(id(x) in self._recomputed for x in recomputed)
        ):
            return None
        needed: set[int] = set()
        while recomputed:
            value = recomputed.pop()
            parts = self._choice.recomputation(value)
            if parts is not None and id(value) not in needed:
                needed.add(id(value))
                recomputed += parts[1]
        until = min(position + _PRODUCT_DELAY_NODES, *[self._first_use.get(id(y), 1 << 62) - 1 for y in node.outputs])
        for later_position, later_node in enumerate(self._old_graph.nodes[position + 1 : until + 1], position + 1):
            if later_node.has_effect:
                return None
            if _is_elementwise(later_node) and any(id(x) in needed for x in self._recomputed_inputs(later_node)):
                return later_position
        return None


def _element_count(value: Value) -> int:
    return size_of(value) // value.dtype.itemsize


def _is_elementwise(node: Node) -> bool:
    return is_pure(node) and node.payload.form is Form.ELEMENTWISE


def _can_repeat(node: Node, value: Value) -> bool:
    """True if a node computes a value element by element, or could."""
    if not is_pure(node) or value.dtype.kind == "O":
        return False
    row = node.payload
    if row.lowering.recomputation is not None:
        return value is node.outputs[0]
    if len(node.outputs) != 1:
        return False
    return (row.form is Form.ELEMENTWISE and row.lowering.elementwise.term is not None) or (
        row.form is Form.INDEX_MAP and row.lowering.index_map.views is not None
    )


def _operations_per_element(node: Node) -> int:
    """Returns about how many simple operations an element takes."""
    if node.lowering.recomputation is not None:
        nodes = _recomputation_nodes(node, node.outputs[0], _inputs_of_recomputation(node))
        return sum([_operations_per_element(part) for part in nodes if _is_elementwise(part)])
    return 1 + _FUNCTION_COST_IN_SIMPLE_OPERATIONS * node.lowering.function_calls


def _inputs_of_recomputation(node: Node) -> tuple[Value, ...]:
    """Returns the inputs that the second computation of a node's value reads."""
    return node.inputs if node.lowering.recomputation is None else (*node.inputs, *node.outputs[1:])


def _recomputation_nodes(node: Node, value: Value, inputs: tuple[Value, ...]) -> list[Node]:
    """Returns the nodes that compute a node's value a second time; the last one makes the value."""
    rule = node.lowering.recomputation
    if rule is None:
        return [replace(node, inputs=inputs, outputs=(Value(value.shape, value.dtype, value.number),))]
    builder, count = OperationBuilder(value.number), len(node.inputs)
    rule(builder, inputs[count:], *inputs[:count], **node.attributes)
    return builder.nodes
