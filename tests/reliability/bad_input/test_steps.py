"""Compiled functions whose indices, labels, sizes and divisors change from call to call: each call does what the eager one does, right or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .attempts import ROOT
from .changing_indices import LINES, check_line


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", LINES)
def test_each_call_of_a_compiled_function_does_what_the_eager_one_does(line: str, full: bool, figure: Any) -> None:
    calls, refused = check_line(line, (np.int32, np.int64) if full else (np.int32,), 120 if full else 9)
    figure("compiled calls with changing indices", calls)
    figure("of these refused", refused)


def test_compiled_functions_with_checked_memory(full: bool, figure: Any, tmp_path: Path) -> None:
    """With `FASTGRAD_CHECK_BOUNDS=1` a kernel that accesses an element that is not there ends with an error of its own."""
    report = tmp_path / "report"
    each, count = ("1", "60") if full else ("6", "9")
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.reliability.bad_input.changing_indices"]
    finished = subprocess.run(
        [*command, str(report), each, count],
        cwd=ROOT,
        env=os.environ | {"FASTGRAD_CHECK_BOUNDS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    calls, wrong = json.loads(report.read_text(encoding="utf-8"))
    assert wrong == []
    figure("compiled calls with changing indices and checked memory", calls)
