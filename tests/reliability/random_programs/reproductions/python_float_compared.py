"""Seed 61079."""

import numpy as np

import fastgrad as tf


def numbers(seed, *shape, dtype="float64"):
    return np.clip(np.random.default_rng(seed).normal(size=shape), -3, 3).astype(dtype)


def whole(seed, limit, *shape):
    return np.random.default_rng(seed).integers(0, limit, size=shape, dtype=np.int32)


def filled(layer, *shapes):
    layer.build(*shapes)
    for k, weight in enumerate(layer.weights):
        count = int(np.prod(weight.shape))
        if "int" not in str(weight.dtype):
            wave = 0.4 * np.sin(np.arange(count) * 1.7 + k)
            weight.assign(np.reshape(abs(wave) + 0.5 if "variance" in weight.name else wave, weight.shape))
    return layer


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


def flat(result):
    result = [x for x in tf.nest.flatten(result) if x is not None]
    return [np.asarray(tf.cast(tf.convert_to_tensor(x), tf.float64)) for x in result]


plain, plain_state = make(lambda function: function)
compiled, compiled_state = make(tf.function)
for number, arguments in enumerate(calls()):
    wanted, got = flat(plain(*arguments)), flat(compiled(*arguments))
    for position, (a, b) in enumerate(zip(got + flat(compiled_state()), wanted + flat(plain_state()), strict=True)):
        np.testing.assert_allclose(a, b, rtol=1e-09, atol=1e-09, err_msg=f"call {number}, value {position}")
print("the same")
