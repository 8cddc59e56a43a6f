"""Seed 50846."""

import fastgrad as tf
from tests.reliability.random_programs.prelude import check_map, numbers


def make(function):
    v6 = tf.Variable(numbers(49, 3, 4, dtype="float64"))

    def step(x0, x1):
        x0 = tf.convert_to_tensor(x0)
        x1 = tf.convert_to_tensor(x1)
        with tf.GradientTape() as tape:
            tape.watch([x0, x1, v6])
            a4 = x0[-1, :-1]
            a5 = tf.nn.gelu(a4)
            loss = tf.reduce_sum(a5)
        slopes = tape.gradient(loss, [x0, x1, v6], unconnected_gradients="zero")
        return [a5, loss, *slopes]

    step = function(step)
    return step, lambda: [v6]


def calls():
    return [
        (
            numbers(987, 3, 4),
            numbers(915, 3, 3),
        ),
    ]


check_map(make, calls(), 1e-09)
