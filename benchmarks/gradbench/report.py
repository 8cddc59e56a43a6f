"""The table of results for a terminal."""

from collections.abc import Sequence

from benchmarks.gradbench.contestants import MANUAL
from benchmarks.gradbench.problem import Problem
from benchmarks.gradbench.runner import Measured, Timed

UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def heading() -> str:
    """Returns the header line of the table."""
    return (
        f"{'problem':<9} {'size':<26} {'tool':<11} {'objective':>10} {'/ C++':>7}  {'derivative':<10} {'time':>10} "
        f"{'/ C++':>7} {'/ objective':>11}"
    )


def rows(problem: Problem, size: str, tools: Sequence[str], results: Measured) -> list[str]:
    """Returns the lines of one size, one for each tool and derivative; a tool without times has one line that says why."""
    lines = []
    for tool in tools:
        head = f"{problem.name:<9} {size:<26} {tool:<11}"
        reasons = {results.problems.get((tool, function)) for function in problem.functions}
        if len(reasons) == 1 and None not in reasons:
            lines.append(f"{head} {reasons.pop()}")
            continue
        objective = (tool, problem.objective_name)
        head += f" {_time(objective, results):>10} {_ratio(objective, (MANUAL, objective[1]), results):>7} "
        if objective in results.problems:
            head += f" {objective[1]}: {results.problems[objective]} "
        for function in problem.derivatives:
            derivative = (tool, function)
            line = f"{head} {function:<10} {_time(derivative, results):>10}"
            line += (
                f" {_ratio(derivative, (MANUAL, function), results):>7} {_ratio(derivative, objective, results):>11}"
            )
            lines.append(f"{line} {results.problems.get(derivative, '')}".rstrip())
    return lines


def _time(timed: Timed, results: Measured) -> str:
    if not results.seconds.get(timed):
        return "-"
    seconds = results.median(timed)
    unit, factor = next(((unit, factor) for unit, factor in UNITS if seconds >= factor), UNITS[-1])
    return f"{seconds / factor:.3g} {unit}"


def _ratio(timed: Timed, base: Timed, results: Measured) -> str:
    ratio = results.ratio(timed, base) if timed != base else None
    return f"{ratio:.2f}" if ratio is not None else "-"
