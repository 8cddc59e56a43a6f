"""Ways, branches and loops of compiled functions on a simulated GPU."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf

pytestmark = pytest.mark.usefixtures("simulated_gpu")


def on_both(function, *arguments, calls=3):
    """What a compiled function gives on the GPU and on the CPU, the last time that it is called."""
    found = []
    for device in ("GPU:0", "CPU:0"):
        with tf.device(device):
            compiled = tf.function(function)
            tensors = [tf.constant(x) for x in arguments]
            for _ in range(calls):
                results = tf.nest.flatten(compiled(*tensors))
        assert all(y.device.endswith(device) for y in results)
        found.append([y.numpy() for y in results])
    return found


def same(found):
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def test_python_goes_on_by_a_value():
    def function(x):
        return x * 2.0 if tf.reduce_sum(x) > 0 else x - 1.0

    with tf.device("GPU:0"):
        compiled = tf.function(function)
        for _ in range(3):
            for x in (X, -X):
                wanted = x * 2 if x.sum() > 0 else x - 1
                np.testing.assert_allclose(compiled(tf.constant(x)), wanted, rtol=1e-6)
        assert compiled.cache_info().programs == 2


def test_a_guard_that_finds_something_new_changes_nothing():
    with tf.device("GPU:0"):
        counter = tf.Variable(0.0)

        @tf.function
        def function(x):
            counter.assign_add(tf.reduce_sum(x))
            return x * 2.0 if counter > 10.0 else x

        total = 0.0
        for _ in range(6):
            x = tf.constant([1.0, 2.0])
            total += 3.0
            np.testing.assert_array_equal(function(x), [2.0, 4.0] if total > 10 else [1.0, 2.0])
            assert float(counter) == total


@pytest.mark.parametrize("x", [X, -X])
def test_branches_and_their_gradient(x):
    def function(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.reduce_sum(x * x), lambda: tf.reduce_sum(tf.exp(x)))
        return y, tape.gradient(y, x)

    same(on_both(function, x))


def test_a_loop_with_a_condition_and_its_gradient():
    def function(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            _, y = tf.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, tf.tanh(y * 1.1)), [0, x])
            loss = tf.reduce_sum(y)
        return y, tape.gradient(loss, x)

    same(on_both(function, X))


def test_a_loop_over_rows_and_its_gradient():
    def function(xs, w):
        with tf.GradientTape() as tape:
            tape.watch(w)
            ys = tf.scan(lambda state, x: tf.tanh(state * w + x), xs, initializer=tf.zeros(3))
            loss = tf.reduce_sum(ys * ys)
        return ys, tape.gradient(loss, w)

    same(on_both(function, X, np.float32(0.5)))


def test_a_function_under_a_tape_is_one_operation_on_it():
    def grown(device):
        with tf.device(device):
            inner = tf.function(lambda x: tf.reduce_sum(tf.sin(x) * x))
            x = tf.constant(X)
            for _ in range(3):
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = inner(x)
                g = tape.gradient(y, x)
            return y.numpy(), g.numpy()

    same([grown("GPU:0"), grown("CPU:0")])


@pytest.mark.filterwarnings("ignore:.*has no kernel for GPUs")
def test_operations_without_kernels_stand_between_those_that_have_some():
    def function(x):
        square = tf.matmul(x, x, transpose_a=True) + 3.0 * tf.eye(3)
        return tf.reduce_sum(tf.linalg.cholesky(square), axis=0) * 2.0

    same(on_both(function, X))


def test_results_whose_size_depends_on_values():
    def function(x):
        return tf.boolean_mask(x, x > 0.0) * 2.0

    same(on_both(function, X))


def test_texts_stay_on_the_host():
    with tf.device("GPU:0"):
        function = tf.function(lambda text, x: (tf.reverse(text, [0]), x * 2.0))
        for _ in range(3):
            text, y = function(tf.constant(["a", "b"]), tf.constant([1.0]))
    assert text.device.endswith("CPU:0")
    assert y.device.endswith("GPU:0")
    assert text.numpy().tolist() == [b"b", b"a"]


def test_variables_of_the_host_are_read_and_written_there():
    counter = tf.Variable(np.zeros(2, np.float32))

    @tf.function
    def function(x):
        counter.assign_add(x)
        return counter * 2.0

    for calls in range(1, 4):
        with tf.device("GPU:0"):
            y = function(tf.constant([1.0, 2.0]))
        np.testing.assert_array_equal(counter, [calls, 2 * calls])
        np.testing.assert_array_equal(y, [2 * calls, 4 * calls])
    assert counter.device.endswith("CPU:0")
    assert y.device.endswith("GPU:0")
