"""The trace tree of a program, which has the common prefix of several recordings once.

Recordings of one function run the same operations up to the guard at which they differ. A part of the tree ends at such a
guard, with a branch for each recorded outcome. The last part of a trace has results and assignments. A guard with the same
outcome in all recordings stays inside a part. Each part is optimized separately: values of earlier parts are GIVEN nodes in
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.passes.merge_common import plain_key
from fastgrad._src.compiler.passes.rewriting import replace_inputs
from fastgrad._src.compiler.passes.stage_state import stage_state


class UnmergeableTracesError(Exception):
    """Raised for recordings that differ without a guard, and so form no tree."""


@dataclass(eq=False)
class Part:
    """A piece of a trace tree without branches: the nodes from one guard, or from the beginning, to the next guard.

    Attributes:
        graph: its nodes. Its results are those of the trace in a last part, else the values that later parts need.
        guard: the guard at its end; None for the last part of a trace.
        successors: for each recorded outcome of the guard the next part.
        leaf: for the last part of a trace the number of the recording.
    """

    graph: Graph
    guard: Node | None = None
    successors: dict[Any, Part] = field(default_factory=dict)
    leaf: int | None = None

    def parts(self) -> Iterator[Part]:
        """Yields this part and all parts below it, each before its successors."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting += reversed(part.successors.values())


def tree_of(graphs: Sequence[Graph]) -> Part:
    """Returns the tree of several recordings, in their order.

    Args:
        graphs: the recorded graphs, of one function and one key; they are not changed.

    Raises:
        UnmergeableTracesError: two of them are not traces of one program.
    """
    staged = [stage_state(graph) for graph in graphs]
    if len(staged) == 1:
        return Part(staged[0], leaf=0)
    root, *chains = [_chain_of_parts(graph, number) for number, graph in enumerate(staged)]
    for chain in chains:
        _insert_recording(root, chain)
    for part in list(root.parts()):
        _merge_single_successors(part)
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
    needed = _values_for_later_parts(root, constants)

    def optimized_part(part: Part, stands_for: dict[int, Value]) -> Part:
        """Returns the optimized part; ``stands_for`` replaces values of the parts before it."""
        own_ids = {id(value) for node in part.graph.nodes for value in node.outputs}
        exports = part.graph.results if part.guard is None else needed[id(part)]
        read = [value for node in part.graph.nodes for value in node.inputs]
        outer_values = dict.fromkeys(value for value in (*read, *exports) if id(value) not in own_ids)
        leading_nodes = [
            constants[id(v)] if id(v) in constants else Node(Kind.GIVEN, None, (), (v,)) for v in outer_values
        ]
        optimized = optimize(Graph([*leading_nodes, *part.graph.nodes], exports))
        constants.update({id(node.outputs[0]): node for node in optimized.nodes if node.kind is Kind.CONSTANT})
        nodes = [replace_inputs(node, stands_for) for node in optimized.nodes if node.kind is not Kind.GIVEN]
        results = [stands_for.get(id(value), value) for value in optimized.results]
        if part.guard is None:
            return Part(Graph(nodes, results), leaf=part.leaf)
        below = stands_for | {id(old): new for old, new in zip(exports, results, strict=True)}
        successors = {outcome: optimized_part(successor, below) for outcome, successor in part.successors.items()}
        return Part(Graph(nodes, results), replace_inputs(part.guard, below), successors)

    return optimized_part(root, {})


def _chain_of_parts(graph: Graph, recording_number: int) -> Part:
    """Returns a recording cut at each of its guards."""
    pieces: list[tuple[list[Node], Node | None]] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.kind is Kind.GUARD:
            pieces.append((nodes, node))
            nodes = []
        else:
            nodes.append(node)
    part = Part(Graph(nodes, graph.results), leaf=recording_number)
    for nodes, guard in reversed(pieces):
        assert guard is not None
        part = Part(Graph(nodes, []), guard, {guard.payload[1]: part})
    return part


def _insert_recording(tree: Part, chain: Part) -> None:
    """Adds a recording to the tree; values that are the same in both become those of the tree."""
    same: dict[int, Value] = {}
    while True:
        if len(tree.graph.nodes) != len(chain.graph.nodes) or (tree.guard is None) != (chain.guard is None):
            raise UnmergeableTracesError
        for ours, theirs in zip(tree.graph.nodes, chain.graph.nodes, strict=True):
            if not _are_equal_nodes(ours, theirs, same):
                raise UnmergeableTracesError
            same.update({id(old): new for old, new in zip(theirs.outputs, ours.outputs, strict=True)})
        if tree.guard is None or chain.guard is None:
            raise UnmergeableTracesError  # the same trace twice
        if tree.guard.payload[0] != chain.guard.payload[0] or not _have_equal_inputs(tree.guard, chain.guard, same):
            raise UnmergeableTracesError
        ((outcome, rest_chain),) = chain.successors.items()
        successor = tree.successors.get(outcome)
        if successor is None:
            tree.successors[outcome] = _chain_with_values(rest_chain, same)
            return
        tree, chain = successor, rest_chain


def _are_equal_nodes(ours: Node, theirs: Node, equal_values: dict[int, Value]) -> bool:
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
    return _have_equal_inputs(ours, theirs, equal_values) and _have_equal_attributes(ours.attributes, theirs.attributes)


def _have_equal_inputs(ours: Node, theirs: Node, equal_values: dict[int, Value]) -> bool:
    return len(ours.inputs) == len(theirs.inputs) and all(
        equal_values.get(id(b), b) is a for a, b in zip(ours.inputs, theirs.inputs, strict=True)
    )


def _have_equal_attributes(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    if not ours and not theirs:
        return True
    key = plain_key(ours)
    return key is not None and key == plain_key(theirs)


def _chain_with_values(part: Part, equal_values: dict[int, Value]) -> Part:
    """Returns a chain of parts with the values of ``equal_values`` as inputs."""
    for link in part.parts():
        results = [equal_values.get(id(value), value) for value in link.graph.results]
        link.graph = Graph([replace_inputs(node, equal_values) for node in link.graph.nodes], results)
        link.guard = replace_inputs(link.guard, equal_values) if link.guard is not None else None
    return part


def _merge_single_successors(part: Part) -> None:
    """Merges successors of a part into it, while there is only one."""
    while part.guard is not None and len(part.successors) == 1:
        (successor,) = part.successors.values()
        part.graph = Graph([*part.graph.nodes, part.guard, *successor.graph.nodes], successor.graph.results)
        part.guard, part.successors, part.leaf = successor.guard, successor.successors, successor.leaf


def _values_for_later_parts(root: Part, constants: dict[int, Node]) -> dict[int, list[Value]]:
    """Returns, by the id of a part, the values that its guard or later parts read, without constants."""
    producers: dict[int, Part] = {}
    needed: dict[int, dict[int, Value]] = {}
    for part in root.parts():
        needed[id(part)] = {}
        for node in part.graph.nodes:
            producers.update({id(value): part for value in node.outputs})
        read = [value for node in part.graph.nodes for value in node.inputs]
        if part.guard is None:
            read += part.graph.results
        for value in read:
            producer = producers[id(value)]
            if producer is not part and id(value) not in constants:
                needed[id(producer)][id(value)] = value
        if part.guard is not None:
            (value,) = part.guard.inputs
            needed[id(producers[id(value)])][id(value)] = value
    return {key: list(values.values()) for key, values in needed.items()}
