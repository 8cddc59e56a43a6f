"""Tests of core/recording.py: what runs outside of recordings."""

import numpy as np
import pytest

import fastgrad as tf


@pytest.mark.parametrize(
    "make",
    [
        lambda: tf.random.uniform([2]),
        lambda: tf.ones([2]) * 3.0,
        lambda: tf.py_function(lambda: np.random.rand(2), [], tf.float64),
    ],
)
def test_what_runs_in_init_scope_runs_once(make):
    kept = []

    @tf.function
    def scaled(x):
        if not kept:
            with tf.init_scope():
                kept.append(tf.cast(make(), tf.float32))
        return x * kept[0]

    results = [scaled(tf.ones([2])).numpy().tolist() for _ in range(3)]
    assert results == [kept[0].numpy().tolist()] * 3


def test_variables_made_and_read_in_init_scope():
    class Counter(tf.Module):
        total = None

        @tf.function
        def add(self, x):
            if self.total is None:
                with tf.init_scope():
                    self.total = tf.Variable(tf.zeros([2]))
            self.total.assign_add(x)
            return self.total * 2.0

    counter = Counter()
    assert [counter.add(tf.constant([1.0, 2.0])).numpy().tolist() for _ in range(3)] == [[2, 4], [4, 8], [6, 12]]


def test_a_value_read_in_init_scope_stays_and_the_variable_changes():
    variable, kept = tf.Variable(2.0), []

    @tf.function
    def total(x):
        y = variable * x
        if not kept:
            with tf.init_scope():
                kept.append(variable.read_value() + variable * 10.0)
        return y + kept[0]

    results = []
    for number in (2.0, 3.0, 4.0):
        variable.assign(number)
        results.append(float(total(tf.constant(1.0))))
    assert results == [24.0, 25.0, 26.0]


@pytest.mark.parametrize(
    "use",
    [
        lambda y, v: y + 1.0,
        lambda y, v: v.assign(y),
        lambda y, v: v.assign_add(y),
        lambda y, v: tf.numpy_function(np.abs, [y], tf.float32),
    ],
)
def test_init_scope_refuses_tensors_that_the_function_computes(use):
    variable = tf.Variable(0.0)

    @tf.function
    def wrong(x):
        y = x * 2.0
        with tf.init_scope():
            use(y, variable)
        return x

    with pytest.raises(TypeError, match=r"tf\.init_scope: .* Compute this outside of tf\.init_scope"):
        wrong(tf.constant(1.0))


def test_init_scope_pauses_tapes():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with tf.init_scope():
            y = x * x
        z = x * y
    assert float(tape.gradient(z, x)) == 9.0


def test_init_scope_within_another_and_a_function_in_it():
    kept = []
    doubled = tf.function(lambda x: x * 2.0)

    @tf.function
    def scaled(x):
        assert not tf.executing_eagerly()
        y = x + 1.0
        with tf.init_scope(), tf.init_scope():
            assert tf.executing_eagerly()
            kept.append(doubled(tf.constant(3.0)))
            with pytest.raises(TypeError, match="out of scope"):
                y + 1.0
        return y * kept[-1]

    assert [float(scaled(tf.constant(float(number)))) for number in range(3)] == [6.0, 12.0, 18.0]
    assert [float(x) for x in kept] == [6.0]
