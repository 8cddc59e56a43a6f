"""Reasons why a correct derivative and central differences disagree in spite of rounding: a search, or a branch for this one point.

Each reason is tested by measurements near the point. A wrong derivative does not pass these tests. As a program, this is ``python -m fastgrad.differentiate`` with these reasons.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
from numba import types

from fastgrad._src.commands.differentiate import main
from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.analysis.searches import find_searches
from fastgrad._src.derivatives.check import (
    Comparer,
    Comparison,
    Direction,
    FunctionRaises,
    central_difference,
    first_step_size,
    zeros_of,
)
from fastgrad._src.derivatives.derivation import lowered_function
from fastgrad._src.derivatives.ir.operands import Scalar
from fastgrad._src.derivatives.ir.representation import Function
from fastgrad._src.derivatives.ir.statements import COST_OF_EFFECTS, Compute, Statement
from fastgrad._src.derivatives.package_check.compare import compare_derivatives_of_call
from fastgrad._src.derivatives.package_check.noise import with_noise
from fastgrad._src.derivatives.package_check.record import TimeIsOver, python_function_of, replaced_calls, time_limit
from fastgrad._src.derivatives.transform.forward_mode import ForwardMode
from fastgrad._src.derivatives.transform_cache import copies, type_of
from fastgrad._src.jit.numba_internals import DUFunc
from fastgrad._src.scalars.formulas import ScalarOperation
from tests.derivatives.plain_python import interpreted_function

_SECONDS_IN_PYTHON = 30.0
"""The limit of runs in Python, which tell what a disagreement is: where they do not end the derivative counts as wrong, also on a slow machine."""


def explain(function: Any, comparer: Comparer, direction: Direction, comparison: Comparison) -> str:
    """Returns why a right derivative disagrees with differences, or an empty text.

    Args:
        function: the function that Numba compiled, of which ``comparer`` compares derivatives.
        comparer: at the arguments of the call.
        direction: what changes.
        comparison: what ``comparer`` says there.

    Returns:
        "search": the function jumps because a loop searches by comparisons. Between jumps differences agree; or the result depends on the argument by
        comparisons only, and its derivative is 0.
        "at a branch": the Python function takes another way at this point than on both sides of it, and the derivatives on both sides are right.

    Raises:
        FunctionRaises: the function raises near the point.
    """
    if _is_due_to_search(function, comparer, direction, comparison):
        return "search"
    return "at a branch" if _is_at_branch(function, comparer, direction) else ""


compare_and_explain = functools.partial(compare_derivatives_of_call, explain=explain)
"""Compares derivatives of a call; the reason of a disagreement begins with what ``explain`` says of it."""


def category_of(status: str, reason: str) -> str:
    """Returns the category of an outcome of ``compare_and_explain``: "wrong" for a disagreement that nothing explains."""
    kind = reason.partition(":")[0]
    if status == "disagrees":
        return kind if kind in ("search", "at a branch") else "wrong"
    return f"right {kind}" if status == "right" and kind == "within noise" else status


def _is_due_to_search(function: Any, comparer: Comparer, direction: Direction, comparison: Comparison) -> bool:
    """True if a loop of the function searches, and the derivative is right between the jumps of the result."""
    lowered, flow = lowered_function(function, tuple(map(type_of, comparer.shifted_arguments(direction, 0.0)[0])))
    positions = (direction.position,)
    if find_searches(lowered, flow, positions, None):
        return comparison.reverse == comparison.forward == 0.0
    if not find_searches(lowered, flow, positions, None, is_partial=True):
        return False
    return _agrees_with_fixed_branches(lowered, flow, comparer, direction, comparison)


def _agrees_with_fixed_branches(
    lowered: Function, flow: ControlFlow, comparer: Comparer, direction: Direction, comparison: Comparison
) -> bool:
    """True if derivatives agree with differences of the function that decides everywhere as at the arguments themselves.

    Such a function has no jumps, however near to each other those of the search are. It runs in Python.
    """
    decisions: list[Any] = []
    kept: list[Any] = []

    def decide(value: Any) -> Any:
        """Returns a truth value of the first run in all runs."""
        decisions.append(kept[len(decisions)] if kept else value)
        return decisions[-1]

    lowered.globals["decide"] = decide
    for block in flow.blocks:
        block.statements = [part for statement in block.statements for part in _with_fixed_decision(statement)]
    run = interpreted_function(ForwardMode(lowered, flow, (direction.position,)).derivative())

    def results_at(step: float) -> np.ndarray:
        arguments, _ = comparer.shifted_arguments(direction, step)
        decisions.clear()
        try:
            results, _ = run(*arguments, zeros_of(arguments[direction.position]))
        except (ArithmeticError, ValueError, IndexError) as error:  # by decisions or numbers that Numba does not have
            raise FunctionRaises from error
        return comparer.apply_weights(results)

    try:
        with time_limit(_SECONDS_IN_PYTHON), np.errstate(all="ignore"):
            here = results_at(0.0)
            kept += decisions
            difference, error = central_difference(results_at, comparer.size(direction), comparer.eps)
    except TimeIsOver:
        return False
    scale = max(abs(comparison.reverse), abs(difference))
    gap = abs(comparison.reverse - comparison.difference)
    is_same = np.allclose(here, comparer.results_at(direction, 0.0), rtol=1e3 * comparer.eps, atol=0.0)
    return bool(is_same and abs(difference - comparison.reverse) <= min(10 * error + 1e-6 * scale, 0.01 * gap))


def _with_fixed_decision(statement: Statement) -> list[Statement]:
    """Returns a statement of a loop, if its result is a truth value with one that makes this the one of the first run."""
    if not isinstance(statement, Compute) or not isinstance(statement.target.type, types.Boolean):
        return [statement]
    found = Scalar(f"{statement.target.name}_found", types.boolean, statement.target.block)
    decision = Compute(
        statement.location, statement.target, ScalarOperation("decide({0})", 1, name="decide"), [found], COST_OF_EFFECTS
    )
    statement.target.definition, found.definition = decision, statement
    statement.target = found
    return [statement, decision]


def _is_at_branch(function: Any, comparer: Comparer, direction: Direction) -> bool:
    """True if the function takes a way of its own at this point, and its derivatives on both sides are right."""
    first = first_step_size(comparer.size(direction), comparer.eps)
    for sign in (-1.0, 1.0):
        sides = [
            _status_with_noise(comparer.shift(direction, sign * factor * first), direction) for factor in (4.0, 9.0)
        ]
        if "wrong" in sides or "right" not in sides:
            return False
    here = _execution_path_hash(function, comparer.shifted_arguments(direction, 0.0)[0])
    return here is not None and all(
        way is not None and way != here
        for way in (
            _execution_path_hash(function, comparer.shifted_arguments(direction, sign * first / 64)[0])
            for sign in (-1, 1)
        )
    )


def _status_with_noise(comparer: Comparer, direction: Direction) -> str:
    comparison = comparer.compare(direction)
    return comparison.status if comparison.status == "right" else with_noise(comparer, direction, comparison).status


def _execution_path_hash(function: Any, arguments: list[Any]) -> int | None:
    """Returns a hash of the instructions that Python runs for a call; None if that raises or takes too long."""
    way: list[Any] = []

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        frame.f_trace_opcodes = True
        if event == "opcode":
            way.append((frame.f_code, frame.f_lasti))
        return trace

    before = sys.gettrace()
    try:
        with _calls_in_python(), time_limit(_SECONDS_IN_PYTHON), np.errstate(all="ignore"):
            sys.settrace(trace)
            python_function_of(function)(*copies(arguments))
    except (Exception, TimeIsOver):  # noqa: BLE001  # Python does not run all that Numba compiles
        return None
    finally:
        sys.settrace(before)
    return hash(tuple(way))


def _calls_in_python() -> contextlib.AbstractContextManager[None]:
    """Runs functions of Numba that Python calls in its block as Python."""

    def call_of(kind: Any) -> Callable[..., Any]:
        def call(function: Any, *arguments: Any, **keywords: Any) -> Any:
            python_function: Any = python_function_of(function)
            return (np.vectorize(python_function) if kind is DUFunc else python_function)(*arguments, **keywords)

        return call

    return replaced_calls(call_of)


if __name__ == "__main__":
    sys.exit(main(compare=compare_and_explain))
