"""Every row with kernels compiled for vectors of 4, 8 and 16 float32 lanes, and which kernels the rows use.

Each run is a process of its own: fresh memory holds bytes that are not 0, and warnings are errors.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from tests.kernels.every_kernel import all_kernels
from tests.reliability.boundaries.sweep import kernel_name

ROOT = pathlib.Path(__file__).parents[3]
WITH_VECTORS = [
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
"""Rows whose kernels are written with vectors; these get more cases."""
NOT_USED = {
    **dict.fromkeys(
        [
            "runtime.loops.address_table",
            "runtime.loops.branch",
            "runtime.loops.run_branch",
            "runtime.loops.run_loop",
        ],
        "tf.cond, tf.while_loop and vectorized_map: tests/compiler/control_flow",
    ),
    **dict.fromkeys(
        [
            "runtime.copies_and_jumps.jump_by_truth",
            "runtime.copies_and_jumps.jump_by_value",
            "runtime.copies_and_jumps.end_program",
            "runtime.copies_and_jumps.check_truth",
        ],
        "branches and loops that depend on values: tests/compiler/control_flow",
    ),
    **dict.fromkeys(
        ["runtime.driver.clock_ticks", "runtime.driver.continue_without_gil", "runtime.driver.continue_on_pool"],
        "how long programs wait for threads",
    ),
    **dict.fromkeys(
        [
            "gemm.column_sums.add_blocks",
            "gemm.epilogue.run_row_blocks",
            "gemm.epilogue.run_two_maps",
            "convolution.block_moments.block_moments",
            "convolution.block_moments.moments_of_blocks",
        ],
        "what fused programs do after a product or a convolution: tests/compiler/fusion",
    ),
    "gemm.gemm.add_chains": "long sums of few rows on several threads: tests/kernels/gemm",
    "elementwise.checking.first_distant_element": "tf.debugging.assert_near: tests/ops/test_assertion.py",
    "optimizers.optimizers.decay_weights": "decoupled weight decay of optimizers: tests/keras/optimizers",
}
"""Kernels that no case uses, and why."""


def swept(lanes: int | None, *arguments: str) -> dict[str, Any]:
    """What `sweep.py` printed for kernels with a number of lanes, or with those of this processor."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.reliability.boundaries.sweep", *arguments],
        env={
            **os.environ,
            **({} if lanes is None else {"FASTGRAD_LANES": str(lanes)}),
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
    result: dict[str, Any] = json.loads(run.stdout)
    return result


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_rows_with_vectors_of_a_width(lanes, full, figure):
    if not full and lanes != 16:
        pytest.skip("kernels for other machines take minutes to compile; the long form has them")
    runs = (
        [swept(lanes, "1"), swept(lanes, "4", *WITH_VECTORS)] if full else [swept(lanes, "2", "softmax", "reduce_sum")]
    )
    figure(f"cases with vectors of {lanes} lanes", sum(run["cases"] for run in runs))
    assert [failure for run in runs for failure in run["failures"]] == []


def test_rows_use_every_kernel_of_the_library(full, figure):
    if not full:
        pytest.skip("the long form runs them")
    result = swept(None, "kernels")
    every = {
        kernel_name(kernel)
        for kernel in all_kernels()
        if str(kernel.function.__module__).startswith("fastgrad._src.kernels.")
    }
    assert result["failures"] == []
    figure("kernels of the library", len(every))
    figure("kernels that the rows use", len(every & set(result["kernels"])))
    assert sorted(every - set(result["kernels"]) - set(NOT_USED)) == []
    assert sorted(set(NOT_USED) - every) == []
