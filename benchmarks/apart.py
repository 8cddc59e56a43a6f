"""Measurements in separate processes, so that none affects another."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LAST_CHARACTERS = 2000
THREADS = 2
TIMEOUT = 900.0


def apart(
    module: str, *arguments: str, python: str = sys.executable, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Runs `python -m module arguments…` at the root of the repository and reads the JSON in its last line.

    Raises:
        RuntimeError: the process failed, or took too long; the end of what it printed is in the message.
    """
    told = " ".join((module, *arguments))
    try:
        finished = subprocess.run(
            [python, "-m", module, *arguments],
            cwd=ROOT,
            env=os.environ | thread_settings(THREADS) | dict(environment or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{told} was ended after {TIMEOUT:.0f} s") from error
    if finished.returncode:
        printed = f"{finished.stdout}\n{finished.stderr}"[-LAST_CHARACTERS:]
        raise RuntimeError(f"{told} ended with exit code {finished.returncode}:\n{printed}")
    return json.loads(finished.stdout.splitlines()[-1])


def thread_settings(threads: int) -> dict[str, str]:
    """Returns environment variables for libraries: the size of thread pools, no accelerator, few log messages."""
    return {
        **{f"{pool}_NUM_THREADS": str(threads) for pool in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM")},
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",  # else it keeps only what took a second
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # in the process itself: no children that outlive it
    }
