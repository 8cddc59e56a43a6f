"""A running minimum or maximum of a loop: its reverse sweep needs only the iteration that gave the last value, not the choice of each iteration.

``least = min(least, x)`` selects ``x`` in some iterations. The cotangent of the last value of ``least`` goes to the ``x`` of the last of these
iterations. The forward sweep computes the number of that iteration together with the minimum. So a loop records one number instead of one for each iteration. If there
are no other cotangents, the reverse sweep begins at that iteration.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from numba import types

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.ir.operands import INDEX, Scalar, index_constant
from fastgrad._src.derivatives.ir.partials import Decision, decision_of
from fastgrad._src.derivatives.ir.representation import Block, Function, Phi
from fastgrad._src.derivatives.ir.statements import Compute
from fastgrad._src.derivatives.transform.simplification import new_loop_exit_copy
from fastgrad._src.scalars.formulas import OPERANDS, transform
from fastgrad._src.scalars.terms import EQUAL, NOT_EQUAL, SELECT


class _Choice(NamedTuple):
    """A statement that gives a phi of a loop its next value: the phi's value or another one.

    Attributes:
        phi, running: of the loop's head, and its number.
        statement: a minimum, a maximum, or a selection.
        decision: how the operand that is not the phi is taken.
        condition: the truth value that decides.
    """

    phi: Phi
    running: Scalar
    statement: Compute
    decision: Decision
    condition: Scalar


def record_last_choices(function: Function, flow: ControlFlow) -> None:
    """Makes running minima and maxima decide on the reverse sweep by a comparison of iterations, which the forward sweep does not compute.

    Args:
        function: a function whose reverse sweep comes next; ``last_choices`` has what is found. Several reverse sweeps of one function may.
        flow: its control flow.
    """
    for head in flow.counted:
        body = flow.loops[head]
        exits = {(block, after) for block in body for after in block.successors if after not in body}
        after = next((after for block, after in exits if block is head), None)
        if len(exits) != 1 or after is None or flow.predecessors[after] != [head]:
            continue
        iteration = flow.step_of(head).target
        places: dict[tuple[Scalar, bool], tuple[Scalar, Scalar]] = {}
        for phi in list(head.phis):
            choice = _find_choice(flow, head, phi)
            if choice is not None and choice.running not in function.last_choices:
                key = choice.condition, choice.decision.takes_if
                if key not in places:
                    places[key] = _add_last_iteration(function, choice, iteration, after)
                function.last_choices[choice.running], is_last = places[key]
                _set_condition(choice, is_last)


def _find_choice(flow: ControlFlow, head: Block, phi: Phi) -> _Choice | None:
    """Returns how a phi gets its next value, if by a choice, and if nothing else in the loop gives the phi a cotangent."""
    body = flow.loops[head]
    running, following = phi.target, {value for before, value in phi.incoming.items() if before in body}
    chosen = following.pop() if len(following) == 1 else None
    statement = chosen.definition if isinstance(chosen, Scalar) else None
    if not isinstance(running, Scalar) or not isinstance(statement, Compute) or statement.operands.count(running) != 1:
        return None
    block = statement.target.block
    if block is None or flow.is_in_inner_loop(block, head) or not flow.runs_each_iteration(block, head):
        return None
    readers = [*_cotangent_readers(body, running), *_cotangent_readers(body, statement.target)]
    if not all(reader in (statement, phi) for reader in readers):
        return None
    pairs = zip(statement.operands, statement.partials, strict=True)
    others = [partial for operand, partial in pairs if partial is not None and operand is not running]
    decision = decision_of(others[0]) if len(others) == 1 else None
    opposite = decision_of(statement.partials[statement.operands.index(running)])
    if decision is None or opposite != decision.opposite:
        return None
    condition = statement.operands[decision.position]
    if not isinstance(condition, Scalar) or condition.block not in body:
        return None
    return _Choice(phi, running, statement, decision, condition)


def _cotangent_readers(body: set[Block], scalar: Scalar) -> Iterator[object]:
    """Yields what reads a number in a loop and may give it a cotangent."""
    for block in body:
        yield from [phi for phi in block.phis if scalar in phi.incoming.values()]
        for statement in block.statements:
            if isinstance(statement, Compute):
                pairs = zip(statement.operands, statement.partials, strict=True)
                if any(operand is scalar and partial is not None for operand, partial in pairs):
                    yield statement
            elif scalar in statement.uses:
                yield statement


def _add_last_iteration(function: Function, choice: _Choice, iteration: Scalar, after: Block) -> tuple[Scalar, Scalar]:
    """Adds the number of the last iteration in which a choice takes the other value.

    Returns:
        The number after the loop, and the truth value whether an iteration is that one. No statement of the forward sweep computes the latter.
    """
    statement, decision, head = choice.statement, choice.decision, iteration.block
    block = statement.target.block
    assert block is not None
    assert head is not None
    name, location = statement.target.name, statement.location
    place, next_place = Scalar(f"{name}_place", INDEX, head), Scalar(f"{name}_next_place", INDEX, block)
    places_before: dict[Block, Any] = {
        before: next_place if value is statement.target else index_constant(-1)
        for before, value in choice.phi.incoming.items()
    }
    head.phis.append(Phi(place, location, places_before))
    places = [iteration, place] if decision.takes_if else [place, iteration]
    next_place.definition = Compute(location, next_place, SELECT, [choice.condition, *places])
    block.statements.insert(block.statements.index(statement) + 1, next_place.definition)
    last_place = new_loop_exit_copy(function, place, after)
    after.statements.insert(0, last_place.definition)  # type: ignore[arg-type]  # it has one
    is_last = Scalar(f"{name}_is_last", types.boolean, block)
    operation = EQUAL if decision.takes_if else NOT_EQUAL
    is_last.definition = Compute(location, is_last, operation, [iteration, last_place])
    function.scalars += [place, next_place, is_last]
    return last_place, is_last


def _set_condition(choice: _Choice, is_last: Scalar) -> None:
    """Makes the partials of a choice read another truth value."""
    statement = choice.statement
    before, after = OPERANDS[choice.decision.position], OPERANDS[len(statement.operands)]
    statement.partials = [
        None if partial is None else transform(partial, lambda node: after if node is before else None)
        for partial in (*statement.partials, None)
    ]
    statement.operands = [*statement.operands, is_last]
