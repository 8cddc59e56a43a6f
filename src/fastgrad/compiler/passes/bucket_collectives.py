"""Starts collectives as soon as their inputs are computed, and waits for them when their results are read.

A reduction of all gradients would wait for the last of them, and the program for the reduction. So the gradients are
computed as early as possible. As soon as some megabytes of them are there, their reduction starts, and the backward pass
goes on meanwhile. The program waits for a bucket before it reads one of its results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value, size_of
from fastgrad.compiler.passes.rewriting import is_pure, operation_of, with_inputs
from fastgrad.core.operation import Operation
from fastgrad.core.result_rules import specs_of

BUCKET_BYTES = 2 << 20
"""The bytes from which on a bucket is full; see benchmarks/distributed.py."""


def bucket_collectives(graph: Graph) -> Graph:
    """Returns the graph with reductions split into buckets, with early starts and late waits.

    Args:
        graph: fused; it is not changed. Other nodes keep their order, but for those that only collectives read.
    """
    starts = [node for node in graph.nodes if _part_of_row(node, "is_start")]
    if starts:
        graph = Graph(_Schedule(graph, starts).nodes(), graph.results)
    for node in graph.nodes:
        if _part_of_row(node, "stages"):
            graph = _with_inputs_once(graph, node)
            (node,) = [one for one in graph.nodes if one.outputs and one.outputs[0] is node.outputs[0]]
            graph = Graph(_Schedule(graph, [node], node).nodes(), graph.results)
    return graph


def _part_of_row(node: Node, part: str) -> object:
    row = operation_of(node)
    return None if row is None else getattr(row, part)


def _with_inputs_once(graph: Graph, reduction: Node) -> Graph:
    """Returns the graph with a reduction that has no value as two inputs."""
    pairs: dict[int, tuple[Value, Value]] = {}
    stands_for: dict[int, Value] = {}
    for x, y in zip(reduction.inputs, reduction.outputs, strict=True):
        _, first = pairs.setdefault(id(x), (x, y))
        if first is not y:
            stands_for[id(y)] = first
    if not stands_for:
        return graph
    inputs, outputs = zip(*pairs.values(), strict=True)
    single = Node(reduction.kind, reduction.payload, inputs, outputs, reduction.attributes)
    nodes = [single if node is reduction else with_inputs(node, stands_for) for node in graph.nodes]
    return Graph(nodes, [stands_for.get(id(value), value) for value in graph.results])


class _Schedule:
    """A new order of a graph's nodes.

    Args:
        graph: the graph.
        collectives: the nodes whose inputs are computed as early as possible.
        reduction: the one of them that is split into buckets; the others start as early as possible.
    """

    def __init__(self, graph: Graph, collectives: Sequence[Node], reduction: Node | None = None) -> None:
        self.graph = graph
        self.reduction = reduction
        self.early = set().union(*[_nodes_only_for(graph, node) for node in collectives])
        self.early.update(id(node) for node in collectives if node is not reduction)
        self.result_of = {}
        if reduction is not None:
            self.result_of = {id(x): y for x, y in zip(reduction.inputs, reduction.outputs, strict=True)}
        self.open: list[Value] = []  # the inputs of the bucket that is being filled
        self.stages: list[Node] = []  # the nodes between the start of the last bucket and its end
        self.waits: dict[int, Node] = {}  # by result: the node that waits for it
        self.numbers = max((value.number for node in graph.nodes for value in node.outputs), default=0)

    def nodes(self) -> Iterator[Node]:
        """Yields the nodes of the new graph."""
        readers: dict[int, list[Node]] = {}  # by value: the early nodes that read it
        missing: dict[int, int] = {}  # by early node: the number of its inputs that are not computed yet
        moved: set[int] = set()
        for node in self.graph.nodes:
            if id(node) in self.early:
                missing[id(node)] = len(set(map(id, node.inputs)))
                for key in set(map(id, node.inputs)):
                    readers.setdefault(key, []).append(node)
        # Constants first, and reads of variables, which are assigned at the end: no early node waits for them.
        first = [node for node in self.graph.nodes if node.kind in {Kind.CONSTANT, Kind.READ}]
        others = [node for node in self.graph.nodes if node.kind not in {Kind.CONSTANT, Kind.READ}]
        for node in [*first, *others]:
            if node is self.reduction:
                yield from self._close()
                continue
            if _part_of_row(node, "is_wait") and readers.keys().isdisjoint(map(id, node.outputs)):
                self.waits.update({id(value): node for value in node.outputs})
                continue
            if id(node) in moved or missing.get(id(node)):
                continue  # an early node comes as soon as its inputs are there
            ready = [node]
            while ready:
                one = ready.pop(0)
                for value in one.inputs:
                    yield from self._wait_for(value)
                yield one
                moved.add(id(one))
                yield from self._fill(one)
                for value in one.outputs:
                    for reader in readers.get(id(value), ()):
                        missing[id(reader)] -= 1
                        if missing[id(reader)] == 0:
                            ready.append(reader)
        for value in self.graph.results:
            yield from self._wait_for(value)
        yield from dict.fromkeys(self.waits.values())

    def _fill(self, node: Node) -> Iterator[Node]:
        """Adds the results of a node that are reduced to the open bucket; starts the bucket if it is full."""
        for value in node.outputs:
            if id(value) in self.result_of and value not in self.open:
                self.open.append(value)
                if sum(map(size_of, self.open)) >= BUCKET_BYTES:
                    yield from self._close()

    def _close(self) -> Iterator[Node]:
        """Starts the open bucket; the bucket before it comes to its next stage."""
        if not self.open:
            return
        assert self.reduction is not None
        yield from self._continue()
        inputs, self.open = tuple(self.open), []
        attributes = self.reduction.attributes
        outputs = tuple([self.result_of[id(value)] for value in inputs])
        first, *middle, last = self.reduction.payload.stages
        node = self._new_node(first, inputs, attributes)
        yield node
        attributes = {**attributes, "shapes": tuple([value.shape for value in outputs])}
        for row in middle:
            node = self._new_node(row, node.outputs, attributes)
            self.stages.append(node)
        wait = Node(Kind.OPERATION, last, node.outputs, outputs, attributes)
        self.waits.update({id(value): wait for value in outputs})

    def _continue(self) -> Iterator[Node]:
        """Yields the further stages of the bucket that was started last."""
        yield from self.stages
        self.stages = []

    def _new_node(self, row: Operation, inputs: Sequence[Value], attributes: dict[str, object]) -> Node:
        assert row.result is not None
        outputs = []
        for spec in specs_of(row.result(*inputs, **attributes)):
            self.numbers += 1
            outputs.append(Value(spec.shape, np.dtype(spec.dtype), self.numbers))
        return Node(Kind.OPERATION, row, tuple(inputs), tuple(outputs), attributes)

    def _wait_for(self, value: Value) -> Iterator[Node]:
        """Waits for the bucket of a value that is about to be read, once."""
        wait = self.waits.get(id(value))
        if wait is not None:
            for output in wait.outputs:
                del self.waits[id(output)]
            for before in wait.inputs:
                yield from self._wait_for(before)
            yield from self._continue()
            yield wait


def _nodes_only_for(graph: Graph, reader: Node) -> set[int]:
    """Returns the ids of nodes that only compute values, and that no other node than ``reader`` depends on."""
    others = set(map(id, graph.results))
    nodes: set[int] = set()
    wanted = set(map(id, reader.inputs))
    for node in reversed(graph.nodes):
        if node is reader:
            continue
        outputs = set(map(id, node.outputs))
        computes = node.kind is Kind.FUSED or is_pure(node)
        if computes and outputs & wanted and not outputs & others:
            nodes.add(id(node))
            wanted.update(map(id, node.inputs))
        else:
            others.update(map(id, node.inputs))
    return nodes
