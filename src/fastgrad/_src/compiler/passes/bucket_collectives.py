"""Starts collectives as soon as their inputs are computed, and waits for them when their results are read.

A reduction of all gradients would wait for the last of them, and the program for the reduction. So the gradients are
computed as early as possible. As soon as those of one bucket are there, its reduction starts, and the backward pass goes on
meanwhile. The program waits for a bucket before it reads one of its results.

Buckets, and the order in which transfers start, follow from the recording alone, and eager code has the same. So a process
may run eagerly, record, or run a program for other shapes, while the others run a program. (Values are numbered in the order
of the recording; the order of nodes changes with fusion, which depends on shapes.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.passes.rewriting import is_pure, replace_inputs
from fastgrad._src.core.operation import Operation
from fastgrad._src.core.result_rules import specs_of


def bucket_collectives(graph: Graph) -> Graph:
    """Returns the graph with reductions split into buckets, with early starts and late waits.

    Args:
        graph: fused; it is not changed. Other nodes keep their order, but for those that only collectives read.
    """
    if not any(node.is_collective for node in graph.nodes):
        return graph
    for node in graph.nodes:
        if node.collective.stages:
            graph = _with_inputs_once(graph, node)
    return Graph(_Schedule(graph).scheduled_nodes(), graph.results)


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
    nodes = [single if node is reduction else replace_inputs(node, stands_for) for node in graph.nodes]
    return Graph(nodes, [stands_for.get(id(value), value) for value in graph.results])


class _Bucket:
    """Some inputs of a reduction, or the inputs of a collective that is not split.

    Attributes:
        node: the collective.
        inputs, outputs: those in the bucket.
    """

    def __init__(self, node: Node, positions: Sequence[int] | None = None) -> None:
        self.node = node
        self.inputs = node.inputs if positions is None else tuple([node.inputs[i] for i in positions])
        self.outputs = node.outputs if positions is None else tuple([node.outputs[i] for i in positions])


class _Schedule:
    """A new order of a graph's nodes.

    Args:
        graph: the graph.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.transfers: list[_Bucket] = []  # in the order in which they start
        for node in graph.nodes:
            if node.collective.stages:
                self.transfers += [_Bucket(node, positions) for positions in _positions_by_bucket(node.inputs)]
            elif node.is_collective and not node.collective.waits:
                self.transfers.append(_Bucket(node))
        self.transfers.sort(key=lambda bucket: bucket.node.outputs[0].number)
        self.next_transfer = 0
        self.producers = {id(value): node for node in graph.nodes for value in node.outputs}
        self.movable = [node for node in graph.nodes if node.collective.stages or node.collective.starts]
        self.early = _nodes_only_for(graph, self.movable)
        self.nodes: list[Node] = []
        self.placed: set[int] = set()  # ids of nodes
        self.computed_values: set[int] = set()  # ids of values
        self.readers: dict[int, list[Node]] = {}  # by value: the early nodes that read it
        self.missing: dict[int, int] = {}  # by early node: the number of its inputs that are not computed yet
        for node in graph.nodes:
            if id(node) in self.early:
                inputs = set(map(id, node.inputs))
                self.missing[id(node)] = len(inputs)
                for key in inputs:
                    self.readers.setdefault(key, []).append(node)
        self.pending_stages: list[Node] = []  # the nodes between the start of the last bucket and its end
        self.waits: dict[int, Node] = {}  # by result: the node that waits for it
        self.numbers = max((value.number for node in graph.nodes for value in node.outputs), default=0)

    def scheduled_nodes(self) -> list[Node]:
        """Returns the nodes of the new graph."""
        # Constants first, and reads of variables, which are assigned at the end: no early node waits for them.
        first = [node for node in self.graph.nodes if node.kind in {Kind.CONSTANT, Kind.READ}]
        others = [node for node in self.graph.nodes if node.kind not in {Kind.CONSTANT, Kind.READ}]
        for node in [*first, *others]:
            if node.collective.stages:
                while id(node) not in self.placed:
                    self._start_next_transfer()
            elif node.collective.waits:
                if id(node) not in self.placed:
                    self.waits.update({id(value): node for value in node.outputs})
            else:
                self._place(node)  # at the latest now: an early node comes as soon as its inputs are there
        for value in self.graph.results:
            self._ensure_computed(value)
        self._place_pending_stages()
        for node in dict.fromkeys(self.waits.values()):
            for value in node.outputs:
                self._ensure_computed(value)
        return self.nodes

    def _ensure_computed(self, value: Value) -> None:
        """Makes sure that a value is computed before the next node."""
        if id(value) in self.computed_values:
            return
        node = self.producers[id(value)]
        if node.collective.stages:
            while id(value) not in self.waits:
                self._start_next_transfer()
        if id(value) in self.waits or node.collective.waits:
            self._wait_for(value)
        else:
            self._place(node)

    def _place(self, node: Node) -> None:
        """Places a node after the nodes that compute its inputs, and a collective when it is next."""
        is_transfer = node.is_collective and not node.collective.waits
        while is_transfer and id(node) not in self.placed and not self._is_next(node):
            self._start_next_transfer()
        if id(node) not in self.placed:
            for value in node.inputs:
                self._ensure_computed(value)
            self._place_ready([node])

    def _start_next_transfer(self) -> None:
        """Starts the next transfer, whose inputs are computed before."""
        number, bucket = self.next_transfer, self.transfers[self.next_transfer]
        for value in bucket.inputs:
            self._ensure_computed(value)
        if self.next_transfer == number:
            is_started_here = bucket.node.collective.stages or bucket.node.collective.starts
            self._place_ready([] if is_started_here else [bucket.node])

    def _place_ready(self, ready: list[Node]) -> None:
        """Places nodes, and all early nodes and transfers that then have their inputs."""
        while True:
            outputs = self._start_transfers()
            for node in ready:
                if id(node) in self.placed:
                    continue
                for value in node.inputs:
                    self._ensure_computed(value)
                if id(node) in self.placed:
                    continue
                self.nodes.append(node)
                self.placed.add(id(node))
                self.computed_values.update(map(id, node.outputs))
                outputs += node.outputs
                if self._is_next(node):
                    self.next_transfer += 1
            if not outputs:
                return
            ready = []
            for value in outputs:
                for reader in self.readers.get(id(value), ()):
                    self.missing[id(reader)] -= 1
                    if self.missing[id(reader)] == 0:
                        ready.append(reader)

    def _is_next(self, node: Node) -> bool:
        return self.next_transfer < len(self.transfers) and self.transfers[self.next_transfer].node is node

    def _start_transfers(self) -> list[Value]:
        """Starts the transfers that are next and have all inputs; returns the outputs of nodes that start them."""
        outputs: list[Value] = []
        while self.next_transfer < len(self.transfers):
            bucket = self.transfers[self.next_transfer]
            if not (
                bucket.node.collective.stages or bucket.node.collective.starts
            ) or not self.computed_values.issuperset(map(id, bucket.inputs)):
                break
            self.next_transfer += 1
            if bucket.node.collective.stages:
                self._start_bucket(bucket)
                if self.next_transfer == len(self.transfers) or not self._is_next(bucket.node):
                    self.placed.add(id(bucket.node))
            else:
                self._place_pending_stages()
                self.nodes.append(bucket.node)
                self.placed.add(id(bucket.node))
                self.computed_values.update(map(id, bucket.outputs))
                outputs += bucket.outputs
        return outputs

    def _start_bucket(self, bucket: _Bucket) -> None:
        """Starts a bucket; the bucket before it comes to its next stage."""
        self._place_pending_stages()
        attributes = bucket.node.attributes
        first, *middle, last = bucket.node.collective.stages
        node = self._new_node(first, bucket.inputs, attributes)
        self.nodes.append(node)
        attributes = {**attributes, "shapes": tuple([value.shape for value in bucket.outputs])}
        for row in middle:
            node = self._new_node(row, node.outputs, attributes)
            self.pending_stages.append(node)
        wait = Node(Kind.OPERATION, last, node.outputs, bucket.outputs, attributes)
        self.waits.update({id(value): wait for value in bucket.outputs})

    def _place_pending_stages(self) -> None:
        self.nodes += self.pending_stages
        self.pending_stages = []

    def _new_node(self, row: Operation, inputs: Sequence[Value], attributes: dict[str, object]) -> Node:
        assert row.result is not None
        outputs = []
        for spec in specs_of(row.result(*inputs, **attributes)):
            self.numbers += 1
            outputs.append(Value(spec.shape, np.dtype(spec.dtype), self.numbers))
        return Node(Kind.OPERATION, row, tuple(inputs), tuple(outputs), attributes)

    def _wait_for(self, value: Value) -> None:
        """Places the node that waits for the transfer of a value that is about to be read."""
        wait = self.waits.get(id(value), self.producers[id(value)])
        for output in wait.outputs:
            self.waits.pop(id(output), None)
        for start_value in wait.inputs:
            if id(start_value) in self.producers:
                self._ensure_computed(start_value)
        self._place_pending_stages()
        self.nodes.append(wait)
        self.computed_values.update(map(id, wait.outputs))
        self.placed.add(id(wait))


def _positions_by_bucket(values: Sequence[Value]) -> list[list[int]]:
    from fastgrad._src.kernels.collectives.launches import positions_by_bucket

    return positions_by_bucket(values)


def _nodes_only_for(graph: Graph, collectives: Sequence[Node]) -> set[int]:
    """Returns the ids of nodes that only compute values, and that only these collectives depend on."""
    others = set(map(id, graph.results))
    nodes: set[int] = set()
    readers = set(map(id, collectives))
    wanted = {id(value) for node in collectives for value in node.inputs}
    for node in reversed(graph.nodes):
        if id(node) in readers:
            continue
        outputs = set(map(id, node.outputs))
        computes = node.kind is Kind.FUSED or is_pure(node)
        if computes and outputs & wanted and not outputs & others:
            nodes.add(id(node))
            wanted.update(map(id, node.inputs))
        else:
            others.update(map(id, node.inputs))
    return nodes
