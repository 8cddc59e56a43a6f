"""`NUMBA_DISABLE_JIT` is read as Numba reads it, and the library's kernels are compiled under it."""

import warnings

import pytest

from fastgrad._src.jit.jit_switch import DISABLE_JIT_VARIABLE, jit_is_disabled
from tests.kernels.process import run_python

TRAINING = """
import fastgrad as tf
w = tf.Variable([[1.0, 2.0]])

@tf.function
def step(x):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.tanh(x @ w))
    w.assign_sub(tape.gradient(loss, w))
    return loss

for _ in range(3):
    loss = step(tf.constant([[1.0], [2.0]]))
print(float(loss), "define" in "".join(step.inspect_llvm().values()))
"""


def run(code, **variables):
    finished = run_python("-c", code, **variables)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


@pytest.fixture
def read(monkeypatch):
    def value(text):
        monkeypatch.delenv(DISABLE_JIT_VARIABLE, raising=False)
        if text is not None:
            monkeypatch.setenv(DISABLE_JIT_VARIABLE, text)
        return jit_is_disabled.__wrapped__()

    return value


@pytest.mark.parametrize(
    ("text", "disabled"), [(None, False), ("0", False), ("1", True), ("2", True), (" 1 ", True), ("-1", True)]
)
def test_whole_numbers_other_than_0_disable_compilation(read, text, disabled):
    assert read(text) is disabled


def test_other_values_are_reported_and_mean_nothing(read):
    with pytest.warns(RuntimeWarning, match="NUMBA_DISABLE_JIT is 'yes'"):
        assert read("yes") is False


@pytest.mark.parametrize("text", ["2", "yes"])
def test_numba_reads_the_same(read, text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert run("from numba.core import config; print(bool(config.DISABLE_JIT))", NUMBA_DISABLE_JIT=text) == str(
            read(text)
        )


def test_the_kernels_of_a_training_step_are_compiled():
    result = run(TRAINING, NUMBA_DISABLE_JIT="1")
    assert result == run(TRAINING, NUMBA_DISABLE_JIT="0")
    assert result.endswith("True")


def test_a_package_that_makes_derivatives_is_imported():
    program = """
import numba
from fastgrad import check_gradients, grad, vjp

slope = grad(numba.njit(lambda x: x * x))
try:
    slope(2.0)
except RuntimeError as error:
    print(error)
try:
    vjp(lambda x: x * x, 2.0)
except RuntimeError as error:
    print(error)
"""
    printed = run(program, NUMBA_DISABLE_JIT="1")
    remedy = "Numba compiles derivatives, and NUMBA_DISABLE_JIT forbids it; unset it."
    assert printed.count(remedy) == 2
    assert f"vjp of <lambda>: {remedy}" in printed
