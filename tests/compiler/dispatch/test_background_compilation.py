"""With background compilation a call runs Python until another thread has compiled its program."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.dispatch.background_compilation import BackgroundCompilation
from fastgrad._src.compiler.dispatch.traces import TraceTree
from fastgrad._src.core.repeated_backward import RUNS_BEFORE_PROGRAM, programs
from fastgrad._src.jit.jit_switch import compiling_threads

X = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)


@pytest.fixture
def compiler(monkeypatch):
    """Holds each compilation until the event is set."""
    go_on = threading.Event()
    compiled = TraceTree._compile

    def held(self):
        if threading.current_thread() is not threading.main_thread():
            assert go_on.wait(60)
        compiled(self)

    monkeypatch.setattr(TraceTree, "_compile", held)
    tf.config.set_background_compilation(True)
    yield go_on
    tf.config.set_background_compilation(False)
    go_on.set()
    BackgroundCompilation.wait_for_all()


def test_it_is_off_and_can_be_asked():
    assert not tf.config.get_background_compilation()


def test_calls_run_python_until_the_program_is_ready(compiler):
    runs, weights = [], tf.Variable(X)

    @tf.function
    def step(x):
        runs.append(len(runs))
        weights.assign_sub(0.1 * tf.tanh(weights * x))
        return tf.reduce_sum(weights)

    expected = X.copy()
    for call in range(5):
        result = step(X)
        expected -= 0.1 * np.tanh(expected * X)
        np.testing.assert_allclose(result, expected.sum(), rtol=1e-4)
        assert len(runs) == call + 1
    compiler.set()
    BackgroundCompilation.wait_for_all()
    for _ in range(3):
        result = step(X)
        expected -= 0.1 * np.tanh(expected * X)
        np.testing.assert_allclose(result, expected.sum(), rtol=1e-4)
    assert len(runs) == 5
    np.testing.assert_allclose(weights, expected, rtol=1e-5)
    assert step.experimental_get_tracing_count() == 1


def test_tapes_do_not_wait_for_the_compiler_either(compiler):
    weights = tf.Variable(X)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.tanh(weights * x) ** 2)
        weights.assign_sub(0.1 * tape.gradient(loss, weights))
        return loss

    programs.clear()
    losses = [float(step(X)) for _ in range(RUNS_BEFORE_PROGRAM + 5)]
    assert [structure.program for structure in programs] == [None]
    compiler.set()
    BackgroundCompilation.wait_for_all()
    assert compiling_threads == set()
    assert float(step(X)) < losses[-1] < losses[0]


def test_another_branch_runs_python_while_its_trace_is_compiled(compiler):
    runs = []

    @tf.function
    def branching(x):
        runs.append(1)
        return x * 2.0 if tf.reduce_sum(x) > 0 else x - 1.0

    compiler.set()
    positive, negative = np.ones(3, np.float32), -np.ones(3, np.float32)
    for x, expected in ((positive, 2.0), (negative, -2.0)):
        for _ in range(3):
            np.testing.assert_array_equal(branching(x), np.full(3, expected, np.float32))
            BackgroundCompilation.wait_for_all()
    compiled = len(runs)
    np.testing.assert_array_equal(branching(positive), [2, 2, 2])
    np.testing.assert_array_equal(branching(negative), [-2, -2, -2])
    assert len(runs) == compiled


def test_a_failure_of_the_compiler_is_told_by_the_next_call(compiler, monkeypatch):
    def fails(self):
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(TraceTree, "_compiled_with_waiting", fails)
    doubled = tf.function(lambda x: x * 2.0)
    doubled(X)
    doubled(X)
    compiler.set()
    BackgroundCompilation.wait_for_all()
    with pytest.warns(UserWarning, match="on purpose"):
        np.testing.assert_array_equal(doubled(X), X * 2)
    np.testing.assert_array_equal(doubled(X), X * 2)


def test_calls_whose_bits_must_be_equal_wait(compiler, monkeypatch):
    from fastgrad._src.compiler.dispatch import eager_execution

    monkeypatch.setattr(eager_execution, "_op_determinism", [True])
    runs = []

    @tf.function
    def step(x):
        runs.append(1)
        return tf.reduce_sum(tf.exp(x))

    assert len({float(step(X)) for _ in range(4)}) == 1
    assert len(runs) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_waits_for_the_compiler(compiler):
    squared = tf.function(lambda x: x * x + 1.0)
    squared(X)
    squared(X)
    threading.Timer(0.3, compiler.set).start()
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(squared(X).numpy(), X * X + 1) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_process_that_ends_at_once_ends_well():
    program = (
        "import numpy as np, fastgrad as tf\n"
        "tf.config.set_background_compilation(True)\n"
        "f = tf.function(lambda x: tf.reduce_sum(tf.tanh(x) * 3.0 + tf.exp(x)))\n"
        "x = np.ones((5, 7), np.float32)\n"
        "print(abs(float(f(x)) - float(f(x))) < 1e-4)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=False)
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr
