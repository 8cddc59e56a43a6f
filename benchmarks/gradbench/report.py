"""The table of results for a terminal."""

from collections.abc import Sequence

from benchmarks.gradbench.contestants import MANUAL
from benchmarks.gradbench.problem import Problem
from benchmarks.gradbench.runner import Measured, Timed

UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def duration(seconds: float) -> str:
    """Returns a time with three digits and its unit."""
    unit, factor = next(((unit, factor) for unit, factor in UNITS if seconds >= factor), UNITS[-1])
    return f"{seconds / factor:.3g} {unit}"


def heading() -> str:
    """Returns the header line of the table."""
    return (
        f"{'problem':<9} {'size':<26} {'tool':<11} {'objective':>10} {'/ C++':>7}  {'derivative':<10} {'time':>10} "
        f"{'/ C++':>7} {'/ its objective':>15}"
    )


def rows(problem: Problem, size: str, names: Sequence[str], results: Measured) -> list[str]:
    """Returns the lines of one size, one for each tool and derivative; what is not there is told in its place."""
    lines = []
    for name in names:
        for position, function in enumerate(problem.derivatives):
            line = f"{problem.name:<9} {size:<26} {name:<11} "
            objective: Timed = (name, problem.objective_name)
            derivative: Timed = (name, function)
            line += f"{_time(objective, results):>10} {_ratio(objective, (MANUAL, objective[1]), results):>7}  "
            if derivative in results.seconds:
                line += f"{function:<10} {_time(derivative, results):>10} "
                line += f"{_ratio(derivative, (MANUAL, function), results):>7} "
                line += f"{_ratio(derivative, objective, results):>15}"
            else:
                line += f"{function:<10} {results.problems[derivative]}"
            if objective in results.problems and not position and problem.objective_name:
                line += f"; {problem.objective_name}: {results.problems[objective]}"
            lines.append(line.rstrip())
    return lines


def _time(timed: Timed, results: Measured) -> str:
    return duration(results.median(timed)) if results.seconds.get(timed) else "-"


def _ratio(timed: Timed, base: Timed, results: Measured) -> str:
    ratio = results.ratio(timed, base) if timed != base else None
    return f"{ratio:.2f}" if ratio is not None else "-"
