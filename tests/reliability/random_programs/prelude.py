"""What random programs call beside the package, and how a program that stands for itself is checked."""

import numpy as np

import fastgrad as tf


def numbers(seed, *shape, dtype="float64"):
    return np.clip(np.random.default_rng(seed).normal(size=shape), -3, 3).astype(dtype)


def whole(seed, limit, *shape, dtype="int32"):
    return np.random.default_rng(seed).integers(0, limit, size=shape, dtype=dtype)


def filled(layer, *shapes):
    layer.build(*shapes)
    for k, weight in enumerate(layer.weights):
        count = int(np.prod(weight.shape))
        if "int" not in str(weight.dtype):
            wave = 0.4 * np.sin(np.arange(count) * 1.7 + k)
            weight.assign(np.reshape(abs(wave) + 0.5 if "variance" in weight.name else wave, weight.shape))
    return layer


PARALLEL = True  # jacobians at once, not row by row


def flat(result):
    result = [x for x in tf.nest.flatten(result) if x is not None]
    return [np.asarray(tf.cast(tf.convert_to_tensor(x), tf.float64)) for x in result]


def check_step(make, calls, tolerance):
    """Compares the program's compiled step with its eager one."""
    plain, plain_state = make(lambda function: function)
    compiled, compiled_state = make(tf.function)
    for number, arguments in enumerate(calls):
        wanted, got = flat(plain(*arguments)), flat(compiled(*arguments))
        for position, (a, b) in enumerate(zip(got + flat(compiled_state()), wanted + flat(plain_state()), strict=True)):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=f"call {number}, value {position}")
    print("the same")


def check_map(make, calls, tolerance):
    """Compares the program over rows at once with itself, row by row."""
    plain, _ = make(lambda function: function)
    mapped = tf.function(lambda *rows: tf.vectorized_map(lambda row: plain(*row), rows))
    for number, arguments in enumerate(calls):
        stacked = [
            np.stack([x, np.asarray(x) // 2 if x.dtype.kind == "i" else -0.5 * np.asarray(x)]) for x in arguments
        ]
        rows = [flat(plain(*[x[i] for x in stacked])) for i in range(2)]
        wanted = [np.stack(pair) for pair in zip(*rows, strict=True)]
        for run in (mapped, lambda *rows: tf.vectorized_map(lambda row: plain(*row), rows)):
            for position, (a, b) in enumerate(zip(flat(run(*map(tf.constant, stacked))), wanted, strict=True)):
                np.testing.assert_allclose(
                    a, b, rtol=tolerance, atol=tolerance, err_msg=f"call {number}, value {position}"
                )
    print("the same")
