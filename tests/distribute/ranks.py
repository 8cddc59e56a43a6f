"""Tests that run in several processes under MPI's launcher.

    @on_ranks(2, 4)
    def test_sum(rank, size):
        assert all_reduce([1.0])[0] == size

pytest runs the test once for each number of ranks. The test starts `mpiexec -n N python -m tests.distribute.ranks MODULE FUNCTION`
and fails if a process fails; the function itself runs in these processes only.
"""

from __future__ import annotations

import functools
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 600.0
"""Seconds until a test's processes are killed."""


def launcher() -> str:
    """Returns the path of MPI's launcher; skips the test if there is none."""
    path = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if path is None:
        pytest.skip("no mpiexec: pip install fastgrad[mpi]")
    return path


def start_ranks(count: int, arguments: Sequence[str], **environment: str) -> subprocess.Popen[str]:
    """Starts `python ARGUMENTS` in `count` processes under the launcher, with one thread each."""
    settings = {"FASTGRAD_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.Popen(
        [launcher(), "-n", str(count), sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run_ranks(count: int, arguments: Sequence[str], timeout: float = TIMEOUT, **environment: str) -> tuple[int, str]:
    """Runs `python ARGUMENTS` in `count` processes; returns the launcher's exit status and all output."""
    process = start_ranks(count, arguments, **environment)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        pytest.fail(f"{count} ranks did not end within {timeout:.0f} s:\n{output[-5000:]}")
    return process.returncode, output


def on_ranks(
    *counts: int, timeout: float = TIMEOUT, **environment: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a test of a function ``(rank, size)`` that runs in `counts` processes, with variables of the environment."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @pytest.mark.parametrize("ranks", counts)
        @functools.wraps(function)
        def test(ranks: int) -> None:
            module = ".".join(Path(function.__code__.co_filename).relative_to(ROOT).with_suffix("").parts)
            arguments = ["-m", "tests.distribute.ranks", module, function.__qualname__]
            status, output = run_ranks(ranks, arguments, timeout, **environment)
            assert status == 0, f"{function.__name__} on {ranks} ranks:\n{output[-8000:]}"

        del test.__wrapped__  # type: ignore[attr-defined]  # pytest would read the function's own arguments
        test.on_rank = function  # type: ignore[attr-defined]
        return test

    return decorate


def main() -> None:
    """Runs a function of a test module in this rank."""
    from fastgrad._src.kernels.collectives.world import world

    module, name = sys.argv[1:3]
    function: Any = getattr(importlib.import_module(module), name)
    group = world()
    function.on_rank(group.rank, group.size)


if __name__ == "__main__":
    main()
