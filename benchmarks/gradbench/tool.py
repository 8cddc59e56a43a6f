"""fastgrad as a tool of GradBench: `python -m benchmarks.gradbench.tool` answers its messages, a line of JSON each.

GradBench's own program takes it as a command: `gradbench run --eval … --tool "python -m benchmarks.gradbench.tool"`.
"""

import functools
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from benchmarks.gradbench.derivatives import derivative
from benchmarks.gradbench.problem import Problem
from benchmarks.gradbench.problems import PROBLEMS

NAME = "fastgrad"


def main() -> None:
    """Answers messages until there are no more; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        message = json.loads(line)
        try:
            answer = answer_to(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the protocol has a field for it
            traceback.print_exc()
            answer = {"success": False, "error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps({"id": message["id"]} | answer) + "\n")


def answer_to(message: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer to a message, without its id."""
    match message["kind"]:
        case "start":
            return {"tool": NAME}
        case "define":
            return {"success": message["module"] in PROBLEMS}
        case "evaluate":
            return evaluate(PROBLEMS[message["module"]], message["function"], message["input"])
    return {}


@functools.cache
def compiled(problem: str, function: str) -> Callable[..., Any]:
    """Returns the compiled objective or derivative of a problem.

    Raises:
        ValueError: the problem has no such function.
    """
    its = PROBLEMS[problem]
    if function == its.objective_name and its.objective is not None:
        return its.objective
    if function in its.derivatives:
        return derivative(its, function)
    raise ValueError(f"{problem} has no function {function!r}, but {', '.join(its.functions)}")


def evaluate(problem: Problem, function: str, fields: Any) -> dict[str, Any]:
    """Returns the result and the nanoseconds of each run, at least so many runs and seconds as the input asks for."""
    limits = fields if isinstance(fields, dict) else {}
    run = compiled(problem.name, function)
    arguments = problem.arguments(fields)
    nanoseconds: list[int] = []
    while len(nanoseconds) < limits.get("min_runs", 1) or sum(nanoseconds) < limits.get("min_seconds", 0) * 1e9:
        began = time.perf_counter_ns()
        result = run(*arguments)
        nanoseconds.append(time.perf_counter_ns() - began)
    to_json = problem.objective_output if function == problem.objective_name else problem.derivative_output
    return {
        "success": True,
        "output": to_json(result),
        "timings": [{"name": "evaluate", "nanoseconds": number} for number in nanoseconds],
    }


if __name__ == "__main__":
    main()
