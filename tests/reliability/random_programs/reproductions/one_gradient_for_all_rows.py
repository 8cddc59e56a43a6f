"""Seed 50846."""

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


def flat(result):
    result = [x for x in tf.nest.flatten(result) if x is not None]
    return [np.asarray(tf.cast(tf.convert_to_tensor(x), tf.float64)) for x in result]


plain, _ = make(lambda function: function)
mapped = tf.function(lambda *rows: tf.vectorized_map(lambda row: plain(*row), rows))
for number, arguments in enumerate(calls()):
    stacked = [np.stack([x, np.asarray(x) // 2 if x.dtype.kind == "i" else -0.5 * np.asarray(x)]) for x in arguments]
    rows = [flat(plain(*[x[i] for x in stacked])) for i in range(2)]
    wanted = [np.stack(pair) for pair in zip(*rows, strict=True)]
    for run in (mapped, lambda *rows: tf.vectorized_map(lambda row: plain(*row), rows)):
        for position, (a, b) in enumerate(zip(flat(run(*map(tf.constant, stacked))), wanted, strict=True)):
            np.testing.assert_allclose(a, b, rtol=1e-09, atol=1e-09, err_msg=f"call {number}, value {position}")
print("the same")
