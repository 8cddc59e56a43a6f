"""Seed 61079."""

import fastgrad as tf
from tests.reliability.random_programs.prelude import check_step, numbers


def make(function):
    def step(x0, x1):
        x0 = tf.convert_to_tensor(x0)
        a10 = tf.ones([3], tf.float64) + x1
        a11 = tf.reduce_sum(a10, axis=0)
        tf.debugging.assert_less(tf.reduce_max(a11), tf.constant(1000000000.0, a11.dtype))
        a13 = x0 * 0.5 if x1 > 1.0 else x0
        return [a13]

    step = function(step)
    return step, list


def calls():
    return [
        (
            numbers(287),
            1.0,
        ),
        (
            tf.constant(numbers(168)),
            2.0,
        ),
        (
            numbers(30),
            2.0,
        ),
    ]


check_step(make, calls(), 1e-09)
