import gc

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.dispatch import traces


def _compiled(monkeypatch, tree):
    """What `tree` is called with goes on; returns the results of three calls of a compiled function."""
    monkeypatch.setattr(traces, "CompiledTree", tree)
    step = tf.function(lambda x: tf.tanh(x) * 2.0)
    return [step(tf.constant([0.5, 1.0])).numpy() for _ in range(3)]


@pytest.mark.parametrize("before", [True, False])
def test_garbage_is_collected_after_a_compilation_as_before_it(monkeypatch, before):
    seen = []

    def tree(*args):
        seen.append(gc.isenabled())
        return original(*args)

    original = traces.CompiledTree
    (gc.enable if before else gc.disable)()
    try:
        for y in _compiled(monkeypatch, tree):
            np.testing.assert_allclose(y, 2 * np.tanh([0.5, 1.0]), rtol=1e-6)
        assert seen == [False]
        assert gc.isenabled() is before
    finally:
        gc.enable()


def test_a_compilation_that_fails_leaves_the_collector_on(monkeypatch):
    def tree(*args):
        raise ZeroDivisionError

    with pytest.warns(UserWarning, match="ZeroDivisionError"):
        found = _compiled(monkeypatch, tree)
    for y in found:
        np.testing.assert_allclose(y, 2 * np.tanh([0.5, 1.0]), rtol=1e-6)
    assert gc.isenabled()


def test_each_number_of_trips_of_a_python_loop_is_a_way_of_one_program():
    def program(n, x):
        for i in range(n):
            x = tf.sin(x) * tf.cast(i + 1, x.dtype)
        return x

    compiled = tf.function(program)
    for _ in range(3):
        for n in (3, 1, 4, 0):
            arguments = tf.constant(n), tf.constant([0.5, 2.0])
            np.testing.assert_allclose(compiled(*arguments), program(*arguments), rtol=1e-6)
    assert compiled.cache_info().recordings == 4
    assert "4 traces, 1 program:" in compiled.report()


def test_a_warning_says_what_to_write_for_loops_over_numbers_that_tensors_hold():
    @tf.function
    def written_out(n, x):
        for i in range(n):
            x += tf.cast(i, x.dtype)
        return x

    @tf.function
    def looped(n, x):
        return tf.while_loop(lambda i, _: i < n, lambda i, x: (i + 1, x + tf.cast(i, x.dtype)), (0, x))[1]

    line = written_out.python_function.__code__.co_firstlineno + 2
    for n in range(8):
        written_out(tf.constant(n), tf.constant(1.0))
    with pytest.warns(UserWarning, match=rf"test_traces.py:{line} .*now it is 8,.* 9 different ones.*tf.while_loop"):
        assert float(written_out(tf.constant(8), tf.constant(1.0))) == 29.0
    for n in range(12):
        assert float(looped(tf.constant(n), tf.constant(1.0))) == 1.0 + n * (n - 1) / 2
    assert looped.cache_info().recordings == 1


def test_many_numbers_of_one_call_are_no_reason_for_a_warning():
    summed = tf.function(lambda x, ns: x * sum(int(n) for n in ns))
    for _ in range(3):
        assert float(summed(tf.constant(2.0), tf.range(20))) == 380.0
