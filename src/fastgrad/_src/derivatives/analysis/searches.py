"""Finds searches: loops whose results depend on a parameter only through comparisons, as in bisection. Their derivative is 0 and useless."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from numba import types

from fastgrad._src.derivatives.analysis.activity import Activity
from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, add_reachable
from fastgrad._src.derivatives.ir.operands import Location, Operand, Root, Scalar
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.statements import Compute, Store


class Search(NamedTuple):
    """A parameter on which a result depends by comparisons only, and the line of one in the loop that makes the result."""

    position: int
    location: Location


def find_searches(
    function: Function, flow: ControlFlow, positions: tuple[int, ...], leaf: int | None, is_partial: bool = False
) -> list[Search]:
    """Returns the parameters on which a result depends by the comparisons of a search only.

    A loop searches if a comparison in it chooses the next value of a float, or writes an array, and depends itself on that value and on the parameter. So
    neither counts nor functions that are piecewise constant, such as ``np.floor``, are searches.

    Args:
        function: the function.
        flow: its control flow.
        positions: the numbers of the parameters to look at.
        leaf: the number of the part of the result that is differentiated. None for all.
        is_partial: whether the result may depend on a parameter in other ways, too.
    """
    in_loops: set[Block] = set().union(*flow.loops.values())
    conditions = {block.end.condition for block in in_loops if block.end.condition is not None}
    conditions |= {operand for block in in_loops for _, operand in _selection_operations(block)}
    uses, found = _direct_dependents(flow.blocks) if conditions else {}, []
    parts: list[Any] = [*function.scalars, *function.roots]
    for position in positions:
        parameters = [part for part in parts if part.block is None and part.position == position and part.is_real]
        compared = _all_dependents(uses, parameters)
        if conditions.isdisjoint(compared):
            continue
        activity = Activity(function, flow.blocks, frozenset([position]), is_forward=False, leaf=leaf)
        if not is_partial and any(activity.is_varied(part) for part in _result_memory(flow.blocks, leaf)):
            continue
        for choice in _loop_selections(flow):
            if (
                choice.condition in compared
                and activity.is_useful(choice.chosen)
                and activity.is_useful(choice.carried)
            ):
                after = _all_dependents(uses, [choice.carried])
                if choice.condition in after and (choice.chosen is choice.carried or choice.chosen in after):
                    found.append(Search(position, choice.location))
                    break
    return found


class _Choice(NamedTuple):
    """What a condition chooses in a loop, and what carries it from one iteration to the next."""

    condition: Scalar
    chosen: Scalar | Root
    carried: Scalar | Root
    location: Location


def _loop_selections(flow: ControlFlow) -> Iterator[_Choice]:
    """Yields the choices in loops, apart from whether these end."""
    for head, body in flow.loops.items():
        blocks = sorted(body, key=flow.position)
        carried = [phi.target for phi in head.phis]
        ends = [(block, block.end) for block in blocks if body.issuperset(block.successors)]
        for place, end in ends:
            condition = end.condition
            if not isinstance(condition, Scalar) or condition.definition is None:
                continue
            for block in blocks:
                for chosen, other in _values_chosen_by_branch(flow, block, place, head, body):
                    yield _Choice(condition, chosen, other, condition.definition.location)
        for block in blocks:
            for statement, condition in _selection_operations(block):
                for other in carried:
                    yield _Choice(condition, statement.target, other, statement.location)


def _selection_operations(block: Block) -> Iterator[tuple[Compute, Scalar]]:
    """Yields the operations of a block that may choose between numbers, and the truth values they read."""
    for statement in block.statements:
        if isinstance(statement, Compute):
            for operand in statement.operands:
                if isinstance(operand, Scalar) and isinstance(operand.type, types.Boolean):
                    yield statement, operand


def _values_chosen_by_branch(
    flow: ControlFlow, block: Block, place: Block, head: Block, body: set[Block]
) -> Iterator[tuple[Scalar | Root, Scalar | Root]]:
    """Yields what the end of ``place`` chooses in ``block``, each with what may carry it to the next iteration."""
    if block is head:
        for phi in head.phis:  # several ways may lead back to the head, and give a phi different values
            if len({value for before, value in phi.incoming.items() if before in body}) > 1:
                yield phi.target, phi.target
    elif _depends_on_branch(flow, block, place):
        yield from itertools.product([phi.target for phi in block.phis], [phi.target for phi in head.phis])
    ways = [other for other in place.successors if flow.predecessors[other] == [place]]
    if any(way in flow.dominators[block] for way in ways):
        roots = [statement.root.memory_owner for statement in block.statements if isinstance(statement, Store)]
        yield from [(root, root) for root in roots]


def _depends_on_branch(flow: ControlFlow, block: Block, place: Block) -> bool:
    """True if the way that is taken at the end of ``place`` may decide from where ``block`` is entered, or how often."""
    # Numba makes two loops of one with ``continue``: the inner one ends where it goes on.
    if block in flow.dominators[place]:
        body = flow.loops.get(block, set())
        return place in body and not body.issuperset(place.successors)
    before = flow.nearest_dominators(block)[:1]
    return bool(before) and before[0] in flow.dominators[place]


def _result_memory(blocks: list[Block], leaf: int | None) -> Iterator[Operand | Root]:
    for block in blocks:
        results = block.results
        for value in results if leaf is None or not results else [results[leaf]]:
            yield value.memory_owner


def _direct_dependents(blocks: list[Block]) -> dict[Any, set[Any]]:
    """Returns the numbers and arrays that are computed from each, smoothly or not."""
    uses: dict[Any, set[Any]] = {}

    for block in blocks:
        for phi in block.phis:
            for value in phi.incoming.values():
                uses.setdefault(value.memory_owner, set()).add(phi.target.memory_owner)
        for statement in block.statements:
            for source, target in statement.dependences:
                uses.setdefault(source.memory_owner, set()).add(target.memory_owner)
    return uses


def _all_dependents(uses: dict[Any, set[Any]], parts: list[Any]) -> set[Any]:
    """Returns all that is computed from some numbers and arrays, with these."""
    return add_reachable(set(), [part.memory_owner for part in parts], lambda part: uses.get(part, ()))
