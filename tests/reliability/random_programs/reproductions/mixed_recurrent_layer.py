"""Seed 647."""

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


def flat(result):
    result = [x for x in tf.nest.flatten(result) if x is not None]
    return [np.asarray(tf.cast(tf.convert_to_tensor(x), tf.float64)) for x in result]


plain, plain_state = make(lambda function: function)
compiled, compiled_state = make(tf.function)
for number, arguments in enumerate(calls()):
    wanted, got = flat(plain(*arguments)), flat(compiled(*arguments))
    for position, (a, b) in enumerate(zip(got + flat(compiled_state()), wanted + flat(plain_state()), strict=True)):
        np.testing.assert_allclose(a, b, rtol=0.05, atol=0.05, err_msg=f"call {number}, value {position}")
print("the same")
