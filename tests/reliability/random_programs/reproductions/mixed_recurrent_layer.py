"""Seed 647."""

import fastgrad as tf
from tests.reliability.random_programs.prelude import check_step, filled, numbers


def make(function):
    layer7 = filled(tf.keras.layers.GRU(2, return_sequences=True, dtype="mixed_bfloat16"), (None, None, 3))

    def step(x0, x1, x2):
        x0 = tf.convert_to_tensor(x0)
        x1 = tf.convert_to_tensor(x1)
        a8 = tf.cast(layer7(x0), x0.dtype)
        return [a8]

    step = function(step)
    return step, lambda: [*layer7.weights]


def calls():
    return [
        (
            tf.constant(numbers(99, 2, 2, 3, dtype="float32")),
            numbers(492, 2, 3, dtype="float32").T,
            1.0,
        ),
        (
            numbers(871, 2, 2, 3, dtype="float32") * 0.1,
            numbers(492, 2, 3, dtype="float32").T,
            1.0,
        ),
    ]


check_step(make, calls(), 0.05)
