"""Kernels of a program that are built by two threads."""

import os
import subprocess
import sys

PROGRAM = """
import numpy as np
import fastgrad as tf
from fastgrad.kernels.building import build
from fastgrad.trace.programs import native_form, plan

asked = []
together = native_form.build_side_by_side
plan.build_side_by_side = lambda nodes: (asked.append(len(nodes)), together(nodes))

x = tf.constant(np.linspace(-2, 2, 24, dtype=np.float32).reshape(4, 6))

@tf.function
def step(x):
    a = tf.tanh(x) * 3 + tf.reduce_sum(tf.exp(x), axis=1, keepdims=True)
    b = tf.nn.softmax(tf.matmul(a, tf.sin(x), transpose_b=True))
    return tf.reduce_max(tf.cumsum(b, axis=1), axis=0), tf.sort(tf.math.erf(a), axis=1)

for _ in range(4):
    results = step(x)
print(len(asked) > 0, build.compilations() > 3)
print([r.numpy().tobytes().hex() for r in results])
"""


def _run(folder, threads):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "FASTGRAD_CACHE_DIR": str(folder),
            "FASTGRAD_NUM_THREADS": threads,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_a_program_whose_kernels_two_threads_build_gives_the_same_bits(tmp_path):
    together, alone = _run(tmp_path / "together", "2"), _run(tmp_path / "alone", "1")
    assert together[0] == "True True"
    assert together[1] == alone[1]
    assert _run(tmp_path / "together", "2") == ["False False", together[1]]
