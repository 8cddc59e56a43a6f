"""The seed of a run, and the samples that it draws: runs that are short meet every case in time.

`FASTGRAD_RANDOM_SEED=123` repeats a run; without it the seed follows from the time. `pytest --one-of 4` runs a quarter of the tests,
`--sampled` a quarter of the tests with the mark `sweep`, and all others. `python -m tests.sampling 3 folder` prints a pattern of a third of the modules
in a folder, for `asv --bench`.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from zlib import crc32

import pytest

SWEEP_PARTS = 4
VARIABLE = "FASTGRAD_RANDOM_SEED"


def run_seed() -> int:
    """Returns the seed of this run, which is that of its child processes, too."""
    return int(os.environ.setdefault(VARIABLE, str(time.time_ns() // 1_000_000 % 10**9)))


def once_in(parts: int, name: str) -> bool:
    """True for about one of `parts` names, which other names are with another seed."""
    return crc32(f"{run_seed()} {name}".encode()) % parts == 0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--one-of", type=int, default=1, help="run one of so many tests, drawn by FASTGRAD_RANDOM_SEED")
    parser.addoption("--sampled", action="store_true", help=f"run one of {SWEEP_PARTS} tests of each sweep")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that the seed does not draw."""
    parts, sampled = config.getoption("--one-of"), config.getoption("--sampled")
    drawn: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        of_sweep = SWEEP_PARTS if sampled and item.get_closest_marker("sweep") else 1
        (drawn if once_in(parts * of_sweep, item.nodeid) else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = drawn


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how a failure, or a sample, comes again."""
    parts, sampled = config.getoption("--one-of"), config.getoption("--sampled")
    if parts > 1 or sampled:
        terminalreporter.write_line(f"one of {parts} tests was drawn" if parts > 1 else "sweeps were sampled")
    if parts > 1 or sampled or "failed" in terminalreporter.stats:
        terminalreporter.write_line(f"{VARIABLE}={run_seed()} draws the same again")


def pattern_of_modules(parts: int, folder: str) -> str:
    """Returns a regular expression for about one of `parts` modules with benchmarks in a folder, at least one."""
    has_benchmark = re.compile(r"def (time|track|mem|peakmem|timeraw)_").search
    modules = sorted(
        path.stem for path in Path(folder).glob("[a-z]*.py") if has_benchmark(path.read_text(encoding="utf-8"))
    )
    drawn = [module for module in modules if once_in(parts, module)] or modules[:1]
    return rf"^({'|'.join(drawn)})\."


if __name__ == "__main__":
    print(pattern_of_modules(int(sys.argv[1]), sys.argv[2]))
