"""Gradients of the user's own in a compiled function that is called under a tape outside: its Python does not run again."""

import numpy as np
import pytest

import fastgrad as tf


@tf.custom_gradient
def softplus(x):
    e = tf.exp(x)
    return tf.math.log(1.0 + e), lambda g: g * 10.0 * (1.0 - 1.0 / (1.0 + e))


@tf.custom_gradient
def two_results(x, y):
    return (x * y, x + y), lambda g, h: (g * y * 2.0, h * 3.0)


def with_variable(w):
    @tf.custom_gradient
    def scaled(x):
        return x * w, lambda g, variables: (g * 3.0, [g * 7.0 * x for _ in variables])

    return scaled


@tf.custom_gradient
def by_value(x):
    return x * 2.0, lambda g: g * float(tf.reduce_sum(x))


@tf.custom_gradient
def on_a_branch(x):
    return x * 2.0, lambda g: tf.cond(x > 1.0, lambda: g * 5.0, lambda: -g)


def derivatives(function, x, w):
    """The result, and gradients of first and second order."""
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = function(x)
        first = tape.gradient(y, x)
    return [y, first, tape.gradient(y, w), outer.gradient(first, x)]


def steps(w):
    scaled = with_variable(w)

    def two(x):
        product, total = two_results(x * x, x * w)
        return product + tf.sin(total)

    return {
        "a function": lambda x: softplus(x) * x,
        "of a variable": lambda x: scaled(x) * x,
        "two results": two,
        "one in the other": lambda x: softplus(scaled(x)),
        "a branch": on_a_branch,
    }


@pytest.mark.parametrize("name", list(steps(None)))
def test_the_gradient_is_that_of_the_user(name):
    w = tf.Variable(2.0, dtype=tf.float64)
    step = steps(w)[name]
    runs = []
    compiled = tf.function(lambda x: runs.append(0) or step(x))
    for number in (0.3, 0.3, 1.7, -0.4):
        x = tf.constant(number, tf.float64)
        for found, wanted in zip(derivatives(compiled, x, w), derivatives(step, x, w), strict=True):
            if wanted is None:
                assert found is None or not np.any(found)
            else:
                np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert len(runs) == 1


def test_a_gradient_that_looks_at_numbers_runs_as_python():
    compiled = tf.function(lambda x: by_value(x))  # noqa: PLW0108
    for number in (1.0, 2.0, 3.0):
        x = tf.constant(number)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = compiled(x)
        assert tape.gradient(y, x) == number


def test_with_a_tape_inside_no_kernel_is_for_it():
    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = softplus(x)
        return tape.gradient(y, x)

    for _ in range(2):
        np.testing.assert_allclose(step(tf.constant(0.0)), 5.0)
    assert "kernels: 1\n" in step.report()
