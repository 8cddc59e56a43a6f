"""Compares derivatives of a recorded call with central differences: of all floats that the function returns or writes, with respect to all floats that it takes."""

from __future__ import annotations

import contextlib
import functools
import inspect
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numba
import numpy as np

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.check import Comparer, Comparison, Direction, FunctionRaises, is_float, unit_directions
from fastgrad._src.derivatives.codegen.random_states import copy_of_states, drawing_from
from fastgrad._src.derivatives.functions.argument_types import is_differentiable
from fastgrad._src.derivatives.package_check.noise import allow_for_noise
from fastgrad._src.derivatives.package_check.record import Call
from fastgrad._src.derivatives.transform_cache import copies, type_of
from fastgrad._src.jit.generated_source import generated_function
from fastgrad._src.jit.numba_internals import dispatcher

STATUSES = "disagrees", "failed", "refused", "right", "not smooth", "too slow", "skipped"
_MOST_ELEMENTS = 6
"""Of a larger array, so many elements are compared, and one direction in which all elements change."""
_MOST_SECONDS = 2.0


class Outcome(NamedTuple):
    """What the comparison of a call gave: one of ``STATUSES``, why, and how many directions are right and not smooth."""

    status: str
    reason: str
    directions: dict[str, int]


Explain = Callable[[Any, Comparer, Direction, Comparison], str]


def compare_derivatives_of_call(call: Call, explain: Explain = lambda *_: "") -> Outcome:
    """Compares reverse mode, forward mode and central differences of a recorded call. Arguments are copied.

    Args:
        call: the call.
        explain: returns why a right derivative of a compiled function disagrees, or an empty text. The reason of the outcome begins with it.
    """
    try:
        function = _WithFloatResults(call)
        if not function.positions:
            return _skipped_outcome("takes no floats")
        if not function.results:
            return _skipped_outcome("neither returns nor writes floats")
        if not function.is_deterministic():
            return _skipped_outcome("two runs differ")
        start = time.perf_counter()
        function.compiled(*copies(function.arguments))
        seconds = time.perf_counter() - start
    except Exception as error:  # noqa: BLE001  # whatever the package raises
        return _skipped_outcome(f"the call raises {type(error).__name__}: {error}")
    if seconds > _MOST_SECONDS:
        return Outcome("too slow", f"a call takes {seconds:.1f} s", {})
    try:
        return _outcome_of_directions(function, explain)
    except DifferentiationError as error:
        return Outcome("refused", str(error), {})
    except Exception as error:  # noqa: BLE001  # the report has it
        return Outcome("failed", f"{type(error).__name__}: {error}", {})


def _outcome_of_directions(function: _WithFloatResults, explain: Explain) -> Outcome:
    """Returns what the comparison in each direction gave. What raises here is fastgrad, not the function."""
    comparer = Comparer(function.compiled, function.arguments, function.positions)
    counts: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    for direction in function.directions_to_check():
        status: str = "not smooth"
        comparison: Comparison | None = None
        with np.errstate(all="ignore"), contextlib.suppress(FunctionRaises):  # near the point: the status stays
            comparison = comparer.compare(direction)
            status = comparison.status
            if status != "right":
                explanation = functools.partial(explain, function.compiled, comparer, direction)
                status, comparison = allow_for_noise(comparer, direction, comparison, explanation)
        text = "" if comparison is None else _comparison_text(function.names[direction.position], direction, comparison)
        if status == "disagrees":
            return Outcome("disagrees", text, dict(counts))
        counts[status] += 1
        reasons.setdefault(status, text)
    for status, text in reasons.items():
        if status not in ("right", "right within noise", "not smooth"):
            return Outcome("disagrees", f"{status}: {text}", dict(counts))
    if counts["right within noise"]:
        return Outcome("right", f"within noise: {reasons['right within noise']}", dict(counts))
    if counts["right"]:
        return Outcome("right", "", dict(counts))
    if counts["not smooth"]:
        return Outcome("not smooth", "differences do not converge in any direction", dict(counts))
    return _skipped_outcome("takes no finite floats")


def _skipped_outcome(reason: str) -> Outcome:
    return Outcome("skipped", reason, {})


def _comparison_text(name: str, direction: Direction, comparison: Comparison) -> str:
    index = "[...]" if direction.element is ... else str(list(direction.element)) if direction.element else ""
    return f"by {name}{index}: {comparison}"


class _WithFloatResults:
    """The function of a call as one that takes the numbers of tuples one by one, and returns all floats that the call returns or writes.

    Attributes:
        compiled: the function, compiled by Numba.
        arguments, names: its arguments and parameters.
        positions: which arguments are floats or arrays of floats.
        results: expressions of the results.
    """

    def __init__(self, call: Call) -> None:
        values, self._callee = call.arguments, call.function
        python_function = call.python_function
        self._name = python_function.__name__ if python_function.__name__.isidentifier() else "function"
        if call.keywords:
            bound = inspect.signature(python_function).bind(*values, **call.keywords)
            bound.apply_defaults()
            values = bound.args
        self.arguments: list[Any] = []
        self.names: list[str] = []
        self._constants: dict[str, Any] = {}
        names = list(inspect.signature(python_function).parameters)
        names += [f"{names[-1]}_{number}" for number in range(len(values) - len(names))] if names else []
        texts = [self._argument_expression(name, value) for name, value in zip(names, copies(values), strict=False)]
        self._call = f"callee({', '.join(texts)})"
        self.positions = tuple(number for number, value in enumerate(self.arguments) if _is_active(value))
        later = copies(self.arguments)
        result = self._compile_call("return result")(*later)
        leaves = list(_result_leaves("result", result))
        self.results = [text for text, value in leaves if _is_active(value)]
        for name, before, after in zip(self.names, self.arguments, later, strict=True):
            is_result = any(np.may_share_memory(value, after) for _, value in leaves if isinstance(value, np.ndarray))
            if (
                isinstance(after, np.ndarray)
                and is_float(after)
                and before.tobytes() != after.tobytes()
                and not is_result
            ):
                self.results.append(name)
        self.compiled: Any = self._compile_call(f"return ({', '.join(self.results)},)") if self.results else None

    def is_deterministic(self) -> bool:
        """True if two runs with the same arguments and random draws have the same results."""
        states, results = copy_of_states(), []
        for _ in range(2):
            with drawing_from(states):
                results.append(self.compiled(*copies(self.arguments)))
        return all(np.array_equal(first, second, equal_nan=True) for first, second in zip(*results, strict=True))

    def directions_to_check(self) -> Iterator[Direction]:
        """Yields directions at finite numbers: of each argument some elements, and all together."""
        random = np.random.default_rng(0)
        for position in self.positions:
            value = self.arguments[position]
            size = np.abs(value)
            axes = [
                axis
                for axis in unit_directions(value, position)
                if np.isfinite(size[axis.element] if axis.element else size)
            ]
            if len(axes) <= _MOST_ELEMENTS:
                yield from axes
                continue
            yield from (axes[number] for number in random.choice(len(axes), _MOST_ELEMENTS, replace=False))
            largest = np.max(size[np.isfinite(size)])
            change = np.where(np.isfinite(size), np.maximum(size, 0.01 * largest), 0.0) / (largest or 1.0)
            yield Direction(position, ..., (change * random.uniform(0.5, 1.0, size.shape)).astype(value.dtype))

    def _argument_expression(self, name: str, value: Any) -> str:
        """Returns the expression of an argument of the call."""
        if type(value) is tuple and is_differentiable(type_of(value)):
            parts = [self._argument_expression(f"{name}_{number}", part) for number, part in enumerate(value)]
            return f"({', '.join(parts)},)"
        name = f"{name}_" if name in ("callee", "result") else name
        if value is None or isinstance(value, (dispatcher.Dispatcher, type, np.dtype)):
            self._constants[name] = value
        else:
            self.names.append(name)
            self.arguments.append(value)
        return name

    def _compile_call(self, end: str) -> Any:
        source = f"def {self._name}({', '.join(self.names)}):\n    result = {self._call}\n    {end}\n"
        return numba.njit(generated_function(self._name, source, "call", {**self._constants, "callee": self._callee}))


def _is_active(value: Any) -> bool:
    return is_float(value) and is_differentiable(type_of(value))


def _result_leaves(text: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yields expressions and values of what a result that is a tuple of tuples has."""
    if isinstance(value, tuple):
        for number, part in enumerate(value):
            yield from _result_leaves(f"{text}[{number}]", part)
    else:
        yield text, value
