"""The trace tree of a program: the common prefix of several recordings is in it once.

Recordings of one function run the same operations up to the guard at which they differ. A part of the tree ends at such a
guard, with a branch for each recorded outcome. The last part of a trace has results and assignments. A guard with the same
outcome in all recordings stays inside a part. Each part is optimized separately: values of earlier parts are GIVEN nodes in
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad.compiler.passes.merge_common import plain_key
from fastgrad.compiler.passes.stage_state import stage_state


class Apart(Exception):
    """The recordings do not form one tree: they differ before any guard did."""


@dataclass(eq=False)
class Part:
    """A piece of a trace tree, from a guard or from the beginning to the next guard.

    Attributes:
        graph: its nodes. Its results are those of the trace in a last part, else the values that later parts need.
        guard: the guard at its end; None for the last part of a trace.
        ways: for each recorded outcome of the guard the next part.
        leaf: for the last part of a trace the number of the recording.
    """

    graph: Graph
    guard: Node | None = None
    ways: dict[Any, Part] = field(default_factory=dict)
    leaf: int | None = None

    def parts(self) -> Iterator[Part]:
        """Yields this part and all parts below it, each before its successors."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting += reversed(part.ways.values())


def tree_of(graphs: Sequence[Graph]) -> Part:
    """Returns the tree of several recordings, in their order.

    Args:
        graphs: the recorded graphs, of one function and one key; they are not changed.

    Raises:
        Apart: two of them are not traces of one program.
    """
    staged = [stage_state(graph) for graph in graphs]
    if len(staged) == 1:
        return Part(staged[0], leaf=0)
    root, *others = [_chain(graph, number) for number, graph in enumerate(staged)]
    for other in others:
        _insert(root, other)
    for part in list(root.parts()):
        _joined(part)
    return root


def optimized_tree(root: Part, optimize: Callable[[Graph], Graph]) -> Part:
    """Returns the tree with each part optimized, with the values that later parts need as results.

    Args:
        root: the tree; it is not changed.
        optimize: maps a graph to an equivalent one, with results in the same order.
    """
    if root.guard is None:
        return Part(optimize(root.graph), leaf=root.leaf)
    constants = {
        id(node.outputs[0]): node for part in root.parts() for node in part.graph.nodes if node.kind is Kind.CONSTANT
    }
    needed = _needed(root, constants)

    def made(part: Part, stands_for: dict[int, Value]) -> Part:
        """Returns the optimized part; ``stands_for`` replaces values of the parts before it."""
        own = {id(value) for node in part.graph.nodes for value in node.outputs}
        exports = part.graph.results if part.guard is None else needed[id(part)]
        read = [value for node in part.graph.nodes for value in node.inputs]
        outer = dict.fromkeys(value for value in (*read, *exports) if id(value) not in own)
        first = [constants[id(v)] if id(v) in constants else Node(Kind.GIVEN, None, (), (v,)) for v in outer]
        found = optimize(Graph([*first, *part.graph.nodes], exports))
        constants.update({id(node.outputs[0]): node for node in found.nodes if node.kind is Kind.CONSTANT})
        nodes = [
            replace(node, inputs=tuple([stands_for.get(id(v), v) for v in node.inputs]))
            for node in found.nodes
            if node.kind is not Kind.GIVEN
        ]
        results = [stands_for.get(id(value), value) for value in found.results]
        if part.guard is None:
            return Part(Graph(nodes, results), leaf=part.leaf)
        below = stands_for | {id(old): new for old, new in zip(exports, results, strict=True)}
        guard = replace(part.guard, inputs=tuple([below.get(id(v), v) for v in part.guard.inputs]))
        return Part(Graph(nodes, results), guard, {answer: made(way, below) for answer, way in part.ways.items()})

    return made(root, {})


def _chain(graph: Graph, number: int) -> Part:
    """Returns a recording cut at each of its guards."""
    pieces: list[tuple[list[Node], Node | None]] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.kind is Kind.GUARD:
            pieces.append((nodes, node))
            nodes = []
        else:
            nodes.append(node)
    part = Part(Graph(nodes, graph.results), leaf=number)
    for nodes, guard in reversed(pieces):
        assert guard is not None
        part = Part(Graph(nodes, []), guard, {guard.payload[1]: part})
    return part


def _insert(tree: Part, chain: Part) -> None:
    """Adds a recording to the tree; values that are the same in both become those of the tree."""
    same: dict[int, Value] = {}
    while True:
        if len(tree.graph.nodes) != len(chain.graph.nodes) or (tree.guard is None) != (chain.guard is None):
            raise Apart
        for ours, theirs in zip(tree.graph.nodes, chain.graph.nodes, strict=True):
            if not _alike(ours, theirs, same):
                raise Apart
            same.update({id(old): new for old, new in zip(theirs.outputs, ours.outputs, strict=True)})
        if tree.guard is None or chain.guard is None:
            raise Apart  # the same trace twice
        if tree.guard.payload[0] != chain.guard.payload[0] or not _reads_alike(tree.guard, chain.guard, same):
            raise Apart
        ((answer, rest),) = chain.ways.items()
        found = tree.ways.get(answer)
        if found is None:
            tree.ways[answer] = _renamed(rest, same)
            return
        tree, chain = found, rest


def _alike(ours: Node, theirs: Node, same: dict[int, Value]) -> bool:
    if ours.kind is not theirs.kind or len(ours.outputs) != len(theirs.outputs):
        return False
    if any((a.shape, a.dtype) != (b.shape, b.dtype) for a, b in zip(ours.outputs, theirs.outputs, strict=True)):
        return False
    if ours.kind is Kind.CONSTANT:
        a, b = ours.payload, theirs.payload
        if a is not b and (a.dtype.kind == "O" or a.tobytes() != b.tobytes()):
            return False
    elif ours.payload is not theirs.payload and ours.payload != theirs.payload:
        return False
    return _reads_alike(ours, theirs, same) and _same_attributes(ours.attributes, theirs.attributes)


def _reads_alike(ours: Node, theirs: Node, same: dict[int, Value]) -> bool:
    return len(ours.inputs) == len(theirs.inputs) and all(
        same.get(id(b), b) is a for a, b in zip(ours.inputs, theirs.inputs, strict=True)
    )


def _same_attributes(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    if not ours and not theirs:
        return True
    key = plain_key(ours)
    return key is not None and key == plain_key(theirs)


def _renamed(part: Part, same: dict[int, Value]) -> Part:
    """Returns a chain of parts with the values of ``same`` as inputs."""

    def node_of(node: Node) -> Node:
        return replace(node, inputs=tuple([same.get(id(v), v) for v in node.inputs]))

    for one in part.parts():
        results = [same.get(id(value), value) for value in one.graph.results]
        one.graph = Graph(map(node_of, one.graph.nodes), results)
        one.guard = node_of(one.guard) if one.guard is not None else None
    return part


def _joined(part: Part) -> None:
    """Merges the parts that follow without a choice into this one."""
    while part.guard is not None and len(part.ways) == 1:
        (way,) = part.ways.values()
        part.graph = Graph([*part.graph.nodes, part.guard, *way.graph.nodes], way.graph.results)
        part.guard, part.ways, part.leaf = way.guard, way.ways, way.leaf


def _needed(root: Part, constants: dict[int, Node]) -> dict[int, list[Value]]:
    """Returns for each part with successors its values that these, or its guard, read; constants excluded."""
    home: dict[int, Part] = {}
    needed: dict[int, dict[int, Value]] = {}
    for part in root.parts():
        needed[id(part)] = {}
        for node in part.graph.nodes:
            home.update({id(value): part for value in node.outputs})
        read = [value for node in part.graph.nodes for value in node.inputs]
        if part.guard is None:
            read += part.graph.results
        for value in read:
            maker = home[id(value)]
            if maker is not part and id(value) not in constants:
                needed[id(maker)][id(value)] = value
        if part.guard is not None:
            (value,) = part.guard.inputs
            needed[id(home[id(value)])][id(value)] = value
    return {key: list(values.values()) for key, values in needed.items()}
