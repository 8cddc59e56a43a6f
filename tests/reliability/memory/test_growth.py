"""Resident memory stays flat, whatever a program repeats."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.memory.workloads import WORKLOADS

ROOT = Path(__file__).parents[3]
MOST_PERCENT = 2.0

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="resident memory is read from /proc")


def measured(name: str, rounds: int, warm: int, threads: int, *options: str) -> dict[str, Any]:
    """What `measure` prints, of a process of its own."""
    command = [sys.executable, "-m", "tests.reliability.memory.measure", name, str(rounds), str(warm), *options]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "FASTGRAD_NUM_THREADS": str(threads)}
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", WORKLOADS)
def test_resident_memory_is_flat(name, full, figure):
    workload = WORKLOADS[name]
    rounds = workload.full if full else workload.short
    options = () if full else ("--collect",)
    for _ in range(1 if full else 2):  # the first process may compile a kernel late, the second finds it on disk
        result = measured(name, rounds, rounds // (4 if full else 2), workload.threads, *options)
        growth = 100.0 * (result["end"] - result["warm"]) / result["warm"]
        if growth <= MOST_PERCENT:
            break
    figure(workload.counted, result["rounds"])
    figure(f"growth with {workload.counted}, percent", round(growth, 2), combine="max")
    assert growth <= MOST_PERCENT, result
