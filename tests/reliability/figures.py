"""Figures of the suites in `tests/reliability`, a pytest plugin that `tests/conftest.py` loads.

A test reports what it tried with the fixture `figure`. `pytest --full tests/reliability/PART` adds up the figures of a part, also over the processes of
pytest-xdist. It writes them to `tests/reliability/PART/figures.json` if every test of the part ran and none failed.
`python -m tests.reliability.page` makes `docs/reliability.md` of these files.
"""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
COMBINE: dict[str, Callable[[float, float], float]] = {
    "sum": lambda x, y: x + y,
    "max": max,
    "min": min,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true", help="run the long form of tests/reliability, and write its figures"
    )


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the long form of a suite runs."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """A function that adds a figure to those of the part: `figure("programs", 300)`, `figure("worst ulp", 1.5, combine="max")`."""

    def add(name: str, value: float, *, combine: str = "sum") -> None:
        assert combine in COMBINE, combine
        request.node.user_properties.append(("reliability", [part_of(request.node.path), name, value, combine]))

    return add


def part_of(path: Path) -> str:
    """The part of a test file: the folder below `tests/reliability`."""
    return path.relative_to(FOLDER).parts[0]


class Totals:
    """Figures of a run, by part and name."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, float]] = {}
        self.seconds: dict[str, float] = {}
        self.tests: dict[str, dict[str, int]] = {}
        self.started = time.time()

    def add(self, report: pytest.TestReport) -> None:
        """Adds what a test said. Reports also arrive from the processes of pytest-xdist."""
        path = Path(report.nodeid.partition("::")[0])
        if path.parts[:2] != ("tests", "reliability") or len(path.parts) < 4:
            return
        part = path.parts[2]
        if report.when == "call" or not report.passed:
            outcomes = self.tests.setdefault(part, {})
            outcomes[report.outcome] = outcomes.get(report.outcome, 0) + 1
        if report.when != "teardown":
            return
        for kind, said in report.user_properties:
            if kind == "reliability":
                of_part, name, value, combine = said
                figures = self.values.setdefault(of_part, {})
                figures[name] = COMBINE[combine](figures[name], value) if name in figures else value

    def write(self, folder: Path) -> None:
        """Writes one file for each part without a failure."""
        for part, outcomes in self.tests.items():
            if "failed" in outcomes:
                print(f"\ntests/reliability/{part}/figures.json is left as it was: tests failed")
                continue
            content = {
                "tests": outcomes,
                "figures": dict(sorted(self.values.get(part, {}).items())),
                "seconds": round(time.time() - self.started),
                "machine": machine(),
            }
            (folder / part / "figures.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """What the figures were measured with."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line[:10] == "model name"]
        cpu = names[0] if names else cpu
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=FOLDER
    ).stdout.strip()
    versions = {package: version(package) for package in ("numpy", "numba", "llvmlite")}
    return {"cpu": cpu, "python": platform.python_version(), "commit": commit, **versions}


TOTALS = Totals()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    TOTALS.add(report)


def whole(config: pytest.Config) -> bool:
    """Whether all tests of the folders in the command line run: no file, no test and no part of them was chosen."""
    chosen = [config.getoption(name, None) for name in ("keyword", "deselect", "lf", "stepwise", "maxfail")]
    chosen.append(config.getoption("markexpr") not in ("", *config.getini("addopts")))
    return not any(chosen) and all((FOLDER.parents[1] / argument).is_dir() for argument in config.args)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)  # not interrupted
    if ended and config.getoption("--full") and not hasattr(config, "workerinput") and whole(config):
        TOTALS.write(FOLDER)
