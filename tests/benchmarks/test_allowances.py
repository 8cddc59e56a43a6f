"""Step times by width and by processors allowed: a short run, and control groups with a quota."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.peers import allowances
from benchmarks.peers.allowances import ALLOWANCES, group_with_quota, main

QUOTA_OF_PROCESS = """
import os, sys
sys.stdin.readline()
from fastgrad._src.jit.processors import control_group_quota
print(control_group_quota())
"""


@pytest.mark.parametrize(("quota", "processors"), [(1.0, 1), (1.5, 2)])
def test_a_process_in_a_group_has_its_quota(quota: float, processors: int) -> None:
    command = [sys.executable, "-c", QUOTA_OF_PROCESS]
    try:
        with group_with_quota(quota) as members:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            members.write_text(str(process.pid), encoding="ascii")
            printed, _ = process.communicate("\n", timeout=120)
    except OSError as error:
        pytest.skip(f"this user makes no control groups: {error}")
    assert printed.strip() == str(processors)


def test_a_short_run_writes_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowances, "ALLOWANCES", ALLOWANCES[:2])  # without control groups
    file = tmp_path / "allowances.json"
    options = ["--widths", "8", "--peers", "fastgrad.function", "--rounds", "2", "--slice", "0.01"]
    assert main([*options, "--results", os.fspath(file)]) in (0, 1)  # by the times, which are short
    stored = json.loads(file.read_text(encoding="utf-8"))
    (point,) = stored["points"]
    assert point["width"] == 8
    times = point["microseconds"]["fastgrad.function"]
    assert list(times) == ["1 processor", "2 processors"]
    assert all(len(one) == 2 and min(one) > 0.0 for one in times.values())
