"""Compiled steps whose work is shared by threads: results, forks, exits, interrupts, and cores that others have taken."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import fastgrad as tf

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).normal(size=(256, 512)).astype(np.float32)


@pytest.fixture
def threads():
    before = tf.config.get_num_threads()
    yield tf.config.set_num_threads
    tf.config.set_num_threads(before)


def made_step():
    """A step with a product, maps and sums that are all large enough to be shared, and its variable."""
    v = tf.Variable(tf.zeros((512, 512)))

    @tf.function
    def step(x):
        y = tf.nn.softmax(tf.tanh(tf.matmul(x, v) + x))
        v.assign(v * 0.5 + tf.matmul(x, y, transpose_a=True) / 256.0)
        return tf.reduce_sum(v * v)

    return step, v


def after_steps(count=10):
    step, v = made_step()
    for _ in range(count):
        step(tf.constant(X))
    return v.numpy()


def run_program(program, tmp_path, **variables):
    """What a new Python prints that runs a program, and how long it took."""
    path = tmp_path / "program.py"
    path.write_text("from tests.compiler.test_team import *\n" + textwrap.dedent(program))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), **variables}
    run = subprocess.run(
        [sys.executable, str(path)], env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout


def test_the_number_of_threads_can_be_set(threads):
    expected = None
    for count in (1, 2, 3, 5):
        threads(count)
        assert tf.config.get_num_threads() == count
        found = after_steps()
        expected = found if expected is None else expected
        np.testing.assert_array_equal(found, expected)
    threads(1000)
    assert tf.config.get_num_threads() == 64
    for bad, error in ((0, ValueError), (-2, ValueError), (1.5, TypeError), ("2", TypeError)):
        with pytest.raises(error):
            threads(bad)
    assert tf.config.get_num_threads() == 64


def test_the_variable_of_the_environment_sets_it(tmp_path):
    for count in ("1", "3"):
        program = "after_steps(3); print(tf.config.get_num_threads(), threading.active_count())"
        assert run_program(program, tmp_path, FASTGRAD_NUM_THREADS=count).split() == [count, count]


def test_two_threads_of_python_at_once(threads):
    threads(2)
    expected, found = after_steps(30), []
    workers = [threading.Thread(target=lambda: found.append(after_steps(30))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 2
    for one in found:
        np.testing.assert_array_equal(one, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_a_fresh_team(tmp_path):
    printed = run_program(
        """
        first = after_steps()
        def tell():
            os.write(1, f"{np.array_equal(after_steps(), first)} {threading.active_count()}\\n".encode())
        child = os.fork()
        tell()
        if child == 0:
            grandchild = os.fork()  # from a process that is a child itself
            tell()
            if grandchild:
                assert os.waitpid(grandchild, 0)[1] == 0
        else:
            assert os.waitpid(child, 0)[1] == 0
        """,
        tmp_path,
        FASTGRAD_NUM_THREADS="2",
    )
    assert printed.splitlines() == ["True 2"] * 4


@pytest.mark.parametrize(
    "program",
    [
        "after_steps()",
        "after_steps(); raise SystemExit(0)",
        # A thread that runs steps while the interpreter ends:
        "threading.Thread(target=lambda: after_steps(10**9), daemon=True).start(); time.sleep(1.5)",
    ],
)
def test_the_interpreter_exits(tmp_path, program):
    run_program(program, tmp_path, FASTGRAD_NUM_THREADS="3")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers of signals")
def test_steps_go_on_after_interrupts(tmp_path):
    printed = run_program(
        """
        step, v = made_step()
        other, w = made_step()
        x = tf.constant(X)
        for _ in range(3):
            step(x)
            other(x)
        def interrupt(number, frame):
            raise KeyboardInterrupt
        signal.signal(signal.SIGALRM, interrupt)
        interrupted = 0
        for delay in np.random.default_rng(0).uniform(0.001, 0.02, 40):
            try:
                signal.setitimer(signal.ITIMER_REAL, delay)
                while True:
                    step(x)
            except KeyboardInterrupt:
                interrupted += 1
        # A step is done or it is not: both variables converge to the same bits.
        for _ in range(200):
            step(x), other(x)
        print(interrupted, np.isfinite(v.numpy()).all(), np.allclose(v, w, rtol=1e-4, atol=1e-5))
        """,
        tmp_path,
        FASTGRAD_NUM_THREADS="2",
    )
    assert printed.split() == ["40", "True", "True"]


@pytest.mark.timed
def test_cores_that_others_have_taken_cost_at_most_three_times_one_thread(threads):
    """In the total time of some seconds, as the worst single step may wait long."""
    step, _ = made_step()
    x = tf.constant(X)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        taken = {1: 0.0, 2: 0.0}
        threads(1)
        for _ in range(3):
            step(x)
        while taken[2] < 2.0 and taken[1] < 2.0:
            for count in taken:
                threads(count)
                start = time.perf_counter()
                for _ in range(40):
                    step(x)
                taken[count] += time.perf_counter() - start
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert taken[2] <= 3 * taken[1], taken
