"""One size of a problem: the tools' results are compared, then the tools are timed in turn."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.gradbench.comparison import mismatches
from benchmarks.gradbench.contestants import MANUAL, Contestant, ToolError
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
        return statistics.median(numerator / denominator for numerator, denominator in pairs)


def measure(
    problem: Problem,
    size: str,
    tools: Mapping[str, Contestant | str],
    rounds: int,
    slice_seconds: float,
    progress: Callable[[str], None],
) -> Measured:
    """Returns the times of all tools for one size of a problem; only results that agree are timed.

    Args:
        problem: the problem.
        size: one of its sizes.
        tools: by name, each tool, or why it is not there.
        rounds: slices of each function of each tool.
        slice_seconds: the least length of a slice.
        progress: is told what is measured now.
    """
    results = Measured()
    fields = problem.inputs(**problem.sizes[size])

    def evaluate(timed: Timed, seconds: float) -> Any:
        tool = tools[timed[0]]
        # The input of `hello` is a number, which has no place for limits.
        limits = {"min_runs": 1, "min_seconds": seconds} if isinstance(fields, dict) else None
        try:
            if isinstance(tool, str):
                raise ToolError(tool)
            return tool.evaluate(problem, timed[1], fields | limits if limits else fields)
        except ToolError as error:
            results.problems[timed] = str(error)
            results.seconds.pop(timed, None)
            return None

    progress(f"{problem.name} {size}: comparing")
    references = dict.fromkeys(problem.derivatives, problem.expected) if problem.expected is not None else {}
    for tool in sorted(tools, key=lambda name: name != MANUAL):
        for function in problem.functions:
            answer = evaluate((tool, function), 0.0)
            if answer is None:
                continue
            if tool == MANUAL:
                references.setdefault(function, answer.output)
            wrong = next(mismatches(references.get(function, answer.output), answer.output), None)
            if wrong:
                results.problems[tool, function] = f"disagrees: {wrong}"
            else:
                results.seconds[tool, function] = []
    for round_ in range(rounds):
        progress(f"{problem.name} {size}: round {round_ + 1} of {rounds}")
        order = list(results.seconds)
        turn = round_ % max(1, len(order))
        for timed in order[turn:] + order[:turn]:
            answer = evaluate(timed, slice_seconds)
            if answer is not None:
                results.seconds[timed].append(answer.seconds)
    return results
