"""Some kernels in another simulator than ours, that of Numba's CUDA target, in a process of its own."""

import os
import subprocess
import sys

import pytest


def test_kernels_give_the_same_in_numbas_simulator():
    pytest.importorskip("numba.cuda")
    files = [f"tests/cuda/numbas_simulator/{name}.py" for name in ("facts", "rows")]
    command = [sys.executable, "-m", "pytest", "-q", *files]
    # NumPy 1 computes with a float32 and a number of Python's in float64, if it is not told to do as NumPy 2.
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NPY_PROMOTION_STATE": "weak"}
    child = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=900)
    assert child.returncode == 0, child.stdout[-6000:]
