"""``enable_check_numerics`` names the user's line where the first NaN or infinity is made.

In eager code, under ``tf.function``, and in functions that were compiled before: the checks run the Python of all of them.
"""

import re
from pathlib import Path

import numpy as np
import pytest

import fastgrad as tf

layers = tf.keras.layers


@pytest.fixture(autouse=True)
def _checked():
    tf.debugging.enable_check_numerics()
    yield
    tf.debugging.disable_check_numerics()


def forward(x):
    y = x + 1.0
    return tf.math.log(y - 1.0)  # HERE


def nested(x):
    @tf.function
    def inner(x):
        return tf.sqrt(-x - 1.0)  # HERE

    return inner(x) * 2.0


def gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.sqrt(x)
    return tape.gradient(y, x)  # HERE


def second_gradient(x):
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x**1.5
        first = tape.gradient(y, x)
    return outer.gradient(first, x)  # HERE


def branch(x):
    if tf.reduce_sum(x) >= 0.0:
        return 1.0 / x  # HERE
    return x


def loop(x):
    for _ in range(3):
        x = tf.exp(x * 100.0 + 1.0)  # HERE
    return x


class Layer(layers.Layer):
    def call(self, x):
        return tf.math.log(x)  # HERE


class Nested(layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = Layer()

    def call(self, x):
        return self.inner(x) + 1.0


NESTED = Nested()
INPUTS = tf.keras.Input((2,))
MODEL = tf.keras.Model(INPUTS, Layer()(INPUTS))
VARIABLE = tf.Variable([3e38])


def in_layer(x):
    return NESTED(x)


def in_model(x):
    return MODEL(x[None])


def in_fit(x):
    model = tf.keras.Sequential([Layer()])
    model.compile("sgd", "mse")
    model.fit(np.zeros((2, 2), "float32"), np.zeros((2, 2), "float32"), verbose=0)


def updated(x):
    VARIABLE.assign(x[1:] * 1.5e38)
    VARIABLE.assign_add([3e38])  # HERE


def in_map(x):
    return tf.map_fn(
        lambda row: tf.math.log(row * 1.0),  # HERE
        x,
    )


def vectorised(x):
    return tf.vectorized_map(
        lambda row: tf.math.log(row * 1.0),  # HERE
        x,
    )


CASES = [
    forward, nested, gradient, second_gradient, branch, loop, in_layer, in_model, in_fit, updated, in_map, vectorised
]  # fmt: skip


def lines():
    """The numbers of the lines of this file that are marked, by the function or class around them."""
    marked, around = {}, ""
    for number, line in enumerate(Path(__file__).read_text(encoding="utf-8").splitlines(), 1):
        if head := re.match(r"(?:def|class) (\w+)", line):
            around = head[1]
        if line.rstrip().endswith("# HERE"):
            marked[around] = number
    return marked


BAD, GOOD = [0.0, 2.0], [1.0, 0.25]


def check(function, case):
    """The error of a call names the line of a case."""
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Detected (Inf|NaN)") as error:
        function(tf.constant(BAD))
    wanted = lines().get(case.__name__, lines()["Layer"])
    assert f"{__file__}:{wanted})" in str(error.value).replace("line ", ""), str(error.value)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_line_is_named(case, compiled, figure):
    if compiled and case is in_fit:
        pytest.skip("fit compiles its step itself")
    check(tf.function(case) if compiled else case, case)
    figure("places of NaN named", 1)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case not in (nested, loop, in_fit)], ids=lambda case: case.__name__
)
def test_the_line_is_named_in_a_function_that_was_compiled_before(case, figure):
    tf.debugging.disable_check_numerics()
    function = tf.function(case)
    for _ in range(3):
        function(tf.constant(GOOD))
    tf.debugging.enable_check_numerics()
    check(function, case)
    figure("places of NaN named", 1)
