"""Operators with Python numbers, which compiled programs fold and simplify, at zeros, infinities and NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..case import Case, edge, sequence

inf, nan = np.inf, np.nan
FLOATS = ("float64", "float32")
VALUES = np.array([0.0, -0.0, 0.5, 1.0, -1.0, 2.0, -3.0, 4.0, 0.1, inf, -inf, nan])
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "x ** 0": lambda tf, x: x**0,
    "x ** 1": lambda tf, x: x**1,
    "x ** 2": lambda tf, x: x**2,
    "x ** 3": lambda tf, x: x**3,
    "x ** 4": lambda tf, x: x**4,
    "x ** 0.5": lambda tf, x: x**0.5,
    "x ** -0.5": lambda tf, x: x**-0.5,
    "x ** -1": lambda tf, x: x**-1,
    "x ** -2": lambda tf, x: x**-2,
    "x ** 1.5": lambda tf, x: x**1.5,
    "2 ** x": lambda tf, x: 2.0**x,
    "0 ** x": lambda tf, x: 0.0**x,
    "1 ** x": lambda tf, x: 1.0**x,
    "-2 ** x": lambda tf, x: (-2.0) ** x,
    "x * 0": lambda tf, x: x * 0.0,
    "x * 1": lambda tf, x: x * 1.0,
    "x * -1": lambda tf, x: x * -1.0,
    "x + 0": lambda tf, x: x + 0.0,
    "x - x": lambda tf, x: x - x,
    "x / x": lambda tf, x: x / x,
    "x * x": lambda tf, x: x * x,
    "x / 2": lambda tf, x: x / 2.0,
    "1 / x": lambda tf, x: 1.0 / x,
    "0 / x": lambda tf, x: 0.0 / x,
    "x / 0": lambda tf, x: x / 0.0,
    "x // 2": lambda tf, x: x // 2.0,
    "x % 2": lambda tf, x: x % 2.0,
    "2 % x": lambda tf, x: 2.0 % x,
    "abs(x)": lambda tf, x: abs(x),
    "-x": lambda tf, x: -x,
    "maximum(x, 0)": lambda tf, x: tf.maximum(x, 0.0),
    "maximum(0, x)": lambda tf, x: tf.maximum(0.0, x),
    "minimum(x, 1)": lambda tf, x: tf.minimum(x, 1.0),
    "maximum(x, x)": lambda tf, x: tf.maximum(x, x),
    "where(x > 0, x, 0)": lambda tf, x: tf.where(x > 0.0, x, 0.0),
    "where(x > 0, x, x)": lambda tf, x: tf.where(x > 0.0, x, x),
    "where(x == x, x, 0)": lambda tf, x: tf.where(tf.equal(x, x), x, 0.0),
    "exp(log(x))": lambda tf, x: tf.exp(tf.math.log(x)),
    "log(exp(x))": lambda tf, x: tf.math.log(tf.exp(x)),
    "sqrt(square(x))": lambda tf, x: tf.sqrt(tf.square(x)),
    "square(sqrt(x))": lambda tf, x: tf.square(tf.sqrt(x)),
    "1 / sqrt(x)": lambda tf, x: 1.0 / tf.sqrt(x),
    "sqrt(x) / x": lambda tf, x: tf.sqrt(x) / x,
    "sigmoid(log(x))": lambda tf, x: tf.sigmoid(tf.math.log(x)),
    "log(sigmoid(x))": lambda tf, x: tf.math.log(tf.sigmoid(x)),
    "log(softmax(x))": lambda tf, x: tf.math.log(tf.nn.softmax(x)),
    "log(1 + exp(x))": lambda tf, x: tf.math.log(1.0 + tf.exp(x)),
    "tanh(x) * cosh(x)": lambda tf, x: tf.tanh(x) * tf.cosh(x),
    "reduce_sum(x * 0)": lambda tf, x: tf.reduce_sum(x * 0.0),
    "reduce_mean(square(x))": lambda tf, x: tf.reduce_mean(tf.square(x)),
    "stop_gradient(x) * x": lambda tf, x: tf.stop_gradient(x) * x,
    "x * mask": lambda tf, x: x * tf.cast(x > 0.0, x.dtype),
    "xlogy(x, x)": lambda tf, x: tf.math.xlogy(x, x),
    "divide_no_nan(x, x)": lambda tf, x: tf.math.divide_no_nan(x, x),
    "x ** 2 * x ** -1": lambda tf, x: x**2.0 * x**-1.0,
    "atan2(x, 0)": lambda tf, x: tf.atan2(x, 0.0),
    "atan2(0, x)": lambda tf, x: tf.atan2(0.0, x),
    "transpose twice": lambda tf, x: tf.transpose(tf.transpose(tf.reshape(x, [3, -1]))) * 2.0,
    "concat and split": lambda tf, x: tf.split(tf.concat([x, x * 2.0], 0), 2)[1],
    "reverse twice": lambda tf, x: tf.reverse(tf.reverse(x, [0]), [0]) ** 2,
    "slices put together": lambda tf, x: tf.concat([x[:5], x[5:]], 0) ** 2,
}
CASES: dict[str, Case] = {name: edge(function, VALUES, dtypes=FLOATS) for name, function in OPERATORS.items()}
# In matrices of more elements than a vector has lanes, also at its end.
ROWS = np.concatenate([sequence((2, 30), -2.0, 2.0), np.array([[0.0, inf, nan], [1.0, -inf, 0.0]])], axis=1)
for name in (
    "x ** 2",
    "1 / x",
    "abs(x)",
    "maximum(x, 0)",
    "sqrt(square(x))",
    "log(softmax(x))",
    "x * mask",
    "x ** 0.5",
):
    CASES[f"{name} of rows"] = edge(OPERATORS[name], ROWS, dtypes=FLOATS)
