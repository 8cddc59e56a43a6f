"""A check of plans: the results of a node lie in memory of their own, or in that of an input over which its kernels may write them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fastgrad.errors import InternalError
from fastgrad.kernels.running.launch import Launches
from fastgrad.trace.graphs.graph import Node, Value, size_of
from fastgrad.trace.programs.places import InArena, Place


def check_apart(node: Node, form: Launches | None, inputs: Sequence[Place], outputs: Sequence[Place]) -> None:
    """Refuses a plan in which two results share memory, or a result and an input that its kernels do not write it over.

    Args:
        node: of the graph.
        form: its kernels.
        inputs, outputs: where its values lie.

    Raises:
        InternalError: the plan is wrong.
    """
    results = _in_arena(outputs, node.outputs)
    for (_, _, end), (_, start, _) in pairwise(sorted(results, key=lambda one: one[1])):
        if start < end:
            raise InternalError(f"{node}: two of its results would lie in the same memory.")
    allowed = () if form is None else form.in_place
    for given, first, last in _in_arena(inputs, node.inputs):
        for number, start, end in results:
            if start < last and first < end and ((number, given) not in allowed or (start, end) != (first, last)):
                raise InternalError(f"{node}: its result {number} would lie in the memory of its input {given}.")


def _in_arena(places: Sequence[Place], values: Sequence[Value]) -> list[tuple[int, int, int]]:
    """Of each value in the arena its number, its first byte, and the byte after its last."""
    pairs = enumerate(zip(places, values, strict=True))
    return [(i, p.offset, p.offset + size_of(v)) for i, (p, v) in pairs if isinstance(p, InArena) and size_of(v)]
