"""Native programs that run long return to Python now and then: Ctrl-C ends them, with state as it was before the call."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.control_flow import native_loops
from fastgrad._src.kernels.runtime import driver

X = np.random.default_rng(2).normal(size=(5, 3))


def while_trips(x, n):
    return tf.while_loop(lambda i, _: i < n, lambda i, y: (i + 1, tf.tanh(y) * 1.1 + x[0]), (0, x))[1]


def within_one_another(x, n):
    def outer(i, y):
        y = tf.while_loop(lambda j, _: j < i, lambda j, z: (j + 1, tf.sin(z) + x), (0, y))[1]
        return i + 1, y + tf.foldl(lambda total, row: total * 0.5 + row, y)

    return tf.while_loop(lambda i, _: i < n, outer, (0, x))[1]


def in_a_branch_of_a_trip(x, n):
    def body(i, y):
        often = lambda: tf.scan(lambda s, row: tf.tanh(s + row), y)
        return i + 1, tf.cond(tf.reduce_sum(y) > 0.0, often, lambda: y + 1.0)

    return tf.while_loop(lambda i, _: i < n, body, (0, x))[1]


def with_a_loop_in_its_condition(x, n):
    def goes_on(i, y):
        return tf.foldl(lambda total, row: total + tf.reduce_sum(row) * 0.0, y, tf.cast(i, tf.float64)) < tf.cast(
            n, tf.float64
        )

    return tf.while_loop(goes_on, lambda i, y: (i + 1, y * 0.9 + 0.1), (0, x))[1]


@pytest.mark.parametrize(
    "function", [while_trips, within_one_another, in_a_branch_of_a_trip, with_a_loop_in_its_condition]
)
def test_loops_that_pause_before_every_trip(function, monkeypatch):
    monkeypatch.setattr(native_loops, "cost_without_loops", lambda plan: 2 * driver.LOOP_PAUSE_INTERVAL_NANOSECONDS)

    def step(x, n):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x, n)
        return y, tape.gradient(y, x)

    compiled, forward = tf.function(step), tf.function(function)
    for n in (4, 4, 3, 6, 1):
        x = tf.constant(X + n / 10)
        wanted, count = step(x, tf.constant(n)), tf.constant(n)
        for found, want in zip((*compiled(x, count), forward(x, count)), (*wanted, wanted[0]), strict=True):
            np.testing.assert_allclose(found, want, rtol=1e-11, atol=1e-12)
    assert "no Python between them" in forward.report()


def interrupted(function, *args):
    """How many seconds a call goes on after Ctrl-C, which comes a while after it has begun."""
    script = "import os, signal, sys, time; sys.stdin.read(1); time.sleep(0.4); print(time.time()); os.kill(int(sys.argv[1]), signal.SIGINT)"
    sender = subprocess.Popen(
        [sys.executable, "-c", script, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with sender:
        sender.stdin.write("x")
        sender.stdin.flush()
        with pytest.raises(KeyboardInterrupt):
            function(*args)
        ended = time.time()
        sent = float(sender.communicate()[0])
    return ended - sent


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Ctrl-C is sent in another way there")
@pytest.mark.parametrize("size", [4, 40_000])
def test_ctrl_c_ends_a_long_loop_within_a_moment(size):
    v = tf.Variable(tf.ones(size))

    @tf.function
    def step(trips):
        v.assign_add(tf.ones(size))

        def outer(i, y):
            return i + 1, tf.while_loop(lambda j, _: j < trips, lambda j, z: (j + 1, tf.tanh(z) + 0.1), (0, y))[1]

        v.assign(tf.while_loop(lambda i, _: i < trips, outer, (0, v.value()))[1])
        return tf.reduce_sum(v)

    few = tf.constant(3)
    for _ in range(3):
        step(few)
    before = v.numpy()
    assert interrupted(step, tf.constant(50_000)) < 100.0  # the loop itself takes hours; about 0.02 on an idle machine
    np.testing.assert_array_equal(v, before)
    w = tf.Variable(before)
    wanted = w + 1.0
    for _ in range(9):
        wanted = tf.tanh(wanted) + 0.1
    step(few)
    np.testing.assert_allclose(v, wanted, rtol=1e-6)


def test_a_long_table_of_steps_pauses_before_variables_change():
    v = tf.Variable(tf.ones([600, 600]) / 600.0)

    @tf.function
    def step(x):
        for _ in range(8):
            x = tf.tanh(x @ v)
        v.assign(v * 0.5 + x)
        return tf.reduce_sum(x)

    x = tf.ones([600, 600])
    for _ in range(3):
        step(x)
    calls = [line for line in step.source().splitlines() if "go_on(words" in line]
    assert calls
