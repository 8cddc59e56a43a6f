"""Arguments drawn by hypothesis in the place of good ones: a result or a documented error, never an end of the process, eager or compiled.

Calls run in a process of their own, with `faulthandler` and a limit of memory and time. A call that ends it is named by the report, and left out of the next try.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.selection import run_seed

from .attempts import ROOT


def fuzzed(examples: int, seed: int, report: Path, environment: dict[str, str]) -> tuple[int, dict[str, str]]:
    """How many calls were made, and what is wrong with which."""
    wrong: dict[str, str] = {}
    left, made = examples, 0
    for _ in range(20):
        report.write_text("")
        command = [
            sys.executable,
            "-X",
            "faulthandler",
            "-m",
            "tests.reliability.bad_input.fuzz",
            str(left),
            str(seed),
            str(report),
        ]
        finished = subprocess.run(
            [*command, json.dumps(list(wrong))],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
        wrong |= {text: what for kind, text, *rest in lines if kind == "wrong" for what in rest}
        made += sum(kind == "call" for kind, *_ in lines)
        if lines and lines[-1][0] == "done":
            return made, wrong
        assert lines, finished.stderr[-3000:]
        wrong[lines[-1][1]] = f"ended the process with {finished.returncode}: {finished.stderr[:3000]}"
        left, seed = max(left - len(lines), 10), seed + 1000
    return made, wrong


LONG = range(100, 108)
"""The seeds of the long form; the short one draws a seed, or takes that of FASTGRAD_RANDOM_SEED."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "part" in metafunc.fixturenames:
        metafunc.parametrize("part", range(len(LONG) if metafunc.config.getoption("--full") else 1))


def test_wrong_arguments_are_refused_or_right(part: int, full: bool, figure: Any, tmp_path: Path) -> None:
    seed = LONG[part] if full else run_seed()
    print(f"FASTGRAD_RANDOM_SEED={seed}")  # pytest shows it if the test fails
    made, wrong = fuzzed(10_000 if full else 600, seed, tmp_path / "report", {"FASTGRAD_NUM_THREADS": "1"})
    assert wrong == {}, f"seed {seed}: {wrong}"
    figure("calls with drawn arguments", made)
