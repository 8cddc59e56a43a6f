"""`python -m benchmarks.gradbench --gradbench FOLDER`: the derivatives of GradBench's problems by fastgrad and its tools."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gradbench.contestants import MANUAL, Contestant, ToolError, contestant
from benchmarks.gradbench.problems import PROBLEMS
from benchmarks.gradbench.report import heading, rows
from benchmarks.gradbench.runner import measure
from benchmarks.gradbench.tool import NAME as OURS
from benchmarks.machine import provenance
from benchmarks.peers.__main__ import names_type, peers_python, positive_number, progress, warn_if_busy
from benchmarks.peers.record import write_json
from benchmarks.peers.worker import limit_threads

TOOLS = (MANUAL, OURS, "jax", "pytorch", "tensorflow")
FORMAT = 1


def arguments(command: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gradbench", description=__doc__)
    add = parser.add_argument
    add("--gradbench", type=Path, metavar="FOLDER", help="a copy of GradBench, whose C++ tools have been built")
    add(
        "--problems",
        type=names_type(PROBLEMS, "problem"),
        default=list(PROBLEMS),
        metavar="NAMES",
        help=f"default: all, which are {', '.join(PROBLEMS)}",
    )
    add(
        "--tools",
        type=lambda text: [name.strip() for name in text.split(",") if name.strip()],
        default=list(TOOLS),
        metavar="NAMES",
        help=f"fastgrad, and folders in GradBench's tools (default: {', '.join(TOOLS)})",
    )
    add("--all-sizes", action="store_true", help="all sizes of GradBench, not one to three of each problem")
    add("--rounds", type=positive_number(int), default=5, help="timed slices of each function (default 5)")
    add("--slice", type=positive_number(float), default=0.2, metavar="SECONDS", help="least length of a slice")
    add(
        "--timeout",
        type=positive_number(float),
        default=120.0,
        metavar="SECONDS",
        help="the most that an answer may take, with all its runs (default 120)",
    )
    add(
        "--python",
        default=peers_python(),
        metavar="PATH",
        help="the Python of GradBench's Python tools; default: the environment that make peers-env makes, where it is",
    )
    add("--json", type=Path, metavar="FILE", help="write all rounds to this file")
    return parser.parse_args(command)


def main(command: Sequence[str] | None = None) -> int:
    """Measures the problems, prints a table, and returns 0, or 1 if fastgrad failed or disagreed anywhere."""
    words = sys.argv[1:] if command is None else list(command)
    chosen = arguments(words)
    facts = provenance(shlex.join(["python", "-m", "benchmarks.gradbench", *words]))
    warn_if_busy()
    limit_threads(1)  # the tools' processes inherit it
    folder = chosen.gradbench.resolve() if chosen.gradbench else None
    tools: dict[str, Contestant | str] = {}
    for name in chosen.tools:
        try:
            tools[name] = contestant(name, folder, chosen.python, chosen.timeout)
        except ToolError as error:
            tools[name] = str(error)
    measured: list[dict[str, Any]] = []
    failed = False
    print(heading())
    try:
        for problem in map(PROBLEMS.__getitem__, chosen.problems):
            for size in problem.sizes if chosen.all_sizes else problem.standard:
                results = measure(problem, size, tools, chosen.rounds, chosen.slice, progress)
                progress("")
                print("\n".join(rows(problem, size, chosen.tools, results)), flush=True)
                failed |= any(name == OURS for name, _ in results.problems)
                measured += [
                    {"problem": problem.name, "size": size, "tool": name, "function": function, "seconds": seconds}
                    for (name, function), seconds in results.seconds.items()
                ]
    finally:
        for tool in tools.values():
            if not isinstance(tool, str):
                tool.close()
        if chosen.json:
            write_json(chosen.json, {"format": FORMAT, "facts": facts, "measured": measured})
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
