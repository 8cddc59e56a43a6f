"""Rows whose kernels have vectors of their own, around their blocks, with vectors of each width, and memory that is never zero by itself."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
ROWS = [
    "matmul",
    "dense",
    "convolution",
    "convolution_backprop_filter",
    "attention_gradient",
    "lstm_gradient",
    "gru",
    "softmax",
    "layer_normalization",
    "reduce_sum",
    "reduce_max",
    "transpose",
]


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_rows_around_blocks_with_vectors_of_a_width(lanes, full, figure):
    if not full and lanes != 16:
        pytest.skip("kernels for other machines take minutes to compile; the long form has them")
    count, rows = (4, ROWS) if full else (3, ["softmax"])
    run = subprocess.run(
        [sys.executable, "-m", "tests.reliability.boundaries.sweep", str(count), *rows],
        env={
            **os.environ,
            "FASTGRAD_LANES": str(lanes),
            "MALLOC_PERTURB_": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    figure(f"cases with vectors of {lanes} lanes", found["cases"])
    assert found["failures"] == []
