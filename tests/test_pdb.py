"""Python's debugger steps through a training step; what it changes is what is trained with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = str(Path(__file__).parents[1] / "src")

PROGRAM = """\
import fastgrad as tf

w = tf.Variable([1.0, 2.0], name="w")
x = tf.constant([3.0, 4.0])
optimizer = tf.keras.optimizers.SGD(learning_rate=0.5)


def train(x):
    with tf.GradientTape() as tape:
        y = w * x
        loss = tf.reduce_sum(y)
    gradient = tape.gradient(loss, w)
    optimizer.apply_gradients([(gradient, w)])
    return loss


print("result", train(x).numpy(), w.numpy())
"""


def line_of(text):
    return PROGRAM.splitlines().index(text) + 1


@pytest.fixture
def debug(tmp_path):
    """What a session of ``python -m pdb program.py`` prints that is given these commands."""
    (tmp_path / "program.py").write_text(PROGRAM)

    def debug(*commands):
        finished = subprocess.run(
            [sys.executable, "-m", "pdb", "program.py"],
            input="\n".join([*commands, "q", ""]),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": SOURCE},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert "Traceback" not in finished.stdout + finished.stderr, finished.stdout + finished.stderr
        return finished.stdout

    return debug


def test_a_step_that_is_only_watched_gives_its_usual_result(debug):
    printed = debug(f"b {line_of('        y = w * x')}", "c", "n", "n", "n", "n", "p gradient.shape", "c")
    assert "TensorShape([2])" in printed
    assert "result 11.0 [-0.5  0. ]" in printed


def test_tensors_are_printed_as_they_are_computed(debug):
    printed = debug(f"b {line_of('        loss = tf.reduce_sum(y)')}", "c", "p y", "p float(y[1])", "n", "p loss", "c")
    assert "<tf.Tensor: shape=(2,), dtype=float32, numpy=array([3., 8.], dtype=float32)>" in printed
    assert "(Pdb) 8.0" in printed
    assert "<tf.Tensor: shape=(), dtype=float32, numpy=11.0>" in printed


def test_a_tensor_changed_inside_the_tape_is_differentiated_as_changed(debug):
    printed = debug(f"b {line_of('        loss = tf.reduce_sum(y)')}", "c", "!y = y * 10.0", "c")
    assert "result 110.0 [-14. -18.]" in printed


def test_a_changed_gradient_is_what_is_applied(debug):
    apply = line_of("    optimizer.apply_gradients([(gradient, w)])")
    printed = debug(f"b {apply}", "c", "p gradient", "!gradient = tf.zeros(2)", "c")
    assert "numpy=array([3., 4.], dtype=float32)" in printed
    assert "result 11.0 [1. 2.]" in printed


def test_a_changed_variable_is_what_is_trained_with(debug):
    printed = debug(f"b {line_of('        y = w * x')}", "c", "!_ = w.assign([10.0, 20.0])", "p w", "c")
    assert "<tf.Variable 'w:0' shape=(2,) dtype=float32, numpy=array([10., 20.], dtype=float32)>" in printed
    assert "result 110.0 [ 8.5 18. ]" in printed


def test_the_debugger_steps_into_the_library_and_back(debug):
    printed = debug(f"b {line_of('        y = w * x')}", "c", "s", "w", "r", "r", "c")
    assert "fastgrad" in printed.split("(Pdb) ", 2)[2]
    assert "result 11.0 [-0.5  0. ]" in printed
