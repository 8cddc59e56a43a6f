"""One size of a problem: the tools' results are compared, then the tools are timed in turn."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.gradbench.comparison import mismatches
from benchmarks.gradbench.contestants import MANUAL, AbsentError, Answer, Contestant, FailedError
from benchmarks.gradbench.problem import Problem

Timed = tuple[str, str]  # a tool and a function


@dataclass
class Measured:
    """The results of one size.

    Attributes:
        seconds: by tool and function, the median of each round.
        problems: by tool and function, why there are no seconds.
    """

    seconds: dict[Timed, list[float]] = field(default_factory=dict)
    problems: dict[Timed, str] = field(default_factory=dict)

    def median(self, timed: Timed) -> float:
        """Returns the median seconds of a run."""
        return statistics.median(self.seconds[timed])

    def ratio(self, timed: Timed, base: Timed) -> float | None:
        """Returns the median over the rounds of the ratio of two times; None if one of both was not measured."""
        if not self.seconds.get(timed) or not self.seconds.get(base):
            return None
        pairs = zip(self.seconds[timed], self.seconds[base], strict=True)
        return statistics.median(mine / its for mine, its in pairs)


def measure(
    problem: Problem,
    size: str,
    contestants: Mapping[str, Contestant],
    rounds: int,
    slice_seconds: float,
    progress: Callable[[str], None],
) -> Measured:
    """Returns the times of all tools for one size of a problem; only results that agree are timed."""
    results = Measured()
    fields = problem.inputs(**problem.sizes[size])
    progress(f"{problem.name} {size}: comparing")
    outputs: dict[Timed, Any] = {}
    for name in sorted(contestants, key=lambda name: name != MANUAL):
        for function in problem.functions:
            answer = _evaluated((name, function), contestants, problem, _with_runs(fields, 0.0), results)
            if answer is not None:
                outputs[name, function] = answer.output
    for (name, function), output in outputs.items():
        reference = outputs.get((MANUAL, function))
        if problem.expected is not None and function in problem.derivatives:
            reference = problem.expected
        wrong = next(mismatches(reference, output), None) if reference is not None else None
        if wrong:
            results.problems[name, function] = f"disagrees: {wrong}"
        else:
            results.seconds[name, function] = []
    for round_ in range(rounds):
        progress(f"{problem.name} {size}: round {round_ + 1} of {rounds}")
        for timed in _turned(list(results.seconds), round_):
            answer = _evaluated(timed, contestants, problem, _with_runs(fields, slice_seconds), results)
            if answer is None:
                del results.seconds[timed]
            else:
                results.seconds[timed].append(answer.median)
    return results


def _evaluated(
    timed: Timed, contestants: Mapping[str, Contestant], problem: Problem, fields: Any, results: Measured
) -> Answer | None:
    name, function = timed
    try:
        return contestants[name].evaluate(problem, function, fields)
    except (AbsentError, FailedError) as error:
        results.problems[timed] = str(error)
        return None


def _with_runs(fields: Any, seconds: float) -> Any:
    # The input of `hello` is a number, which has no place for them.
    return fields | {"min_runs": 1, "min_seconds": seconds} if isinstance(fields, dict) else fields


def _turned(order: Sequence[Timed], round_: int) -> list[Timed]:
    turn = round_ % max(1, len(order))
    return [*order[turn:], *order[:turn]]
