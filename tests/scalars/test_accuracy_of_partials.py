"""The partials of the scalar functions keep their digits: each is computed in float32 and compared with 50-digit arithmetic.

The functions in a partial are exact here, but for one rounding. What is tested is the form of the partial: whether it cancels, overflows or
amplifies the rounding of the result.
"""

import itertools
import math
import operator
import warnings

import numpy as np
import pytest
from mpmath import mp
from scipy import special

import fastgrad as tf
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import COTANGENT, OPERANDS, RESULT, Number, arity_of, expand, partials_of, trace
from tests.gradients import gradient_of
from tests.scalars.operations import OPERATIONS

_SIZES = (
    *(1e-30, 1e-20, 1e-6, 0.1, 0.5, 0.99, 0.99999, 1.0, 1.00001, 1.5, 3.0, 9.0, 18.0, 40.0, 86.0, 300.0, 1e6),
    *(1e20, 1e30),
)
_NUMBERS = [np.float32(sign * size) for size in _SIZES for sign in (1, -1)]
_LEAST = 2.0**-120
"""Numbers near the least normal float32 have fewer digits."""
_ROUNDING = 2.0**-23

_ABSOLUTE_ERRORS = {
    "({0} % {1})": lambda x, y: 1.0 + 1e-5 * abs(x / y),  # the rounded quotient may be the next whole number
    # The tail of these needs an exponential function more (docs/accuracy.md).
    "sigmoid": lambda x: _ROUNDING,
    "tanh": lambda x: _ROUNDING,
    "gelu_tanh_slope": lambda x: 8 * _ROUNDING,
    "gelu_tanh_gradient": lambda g, x: 8 * _ROUNDING * abs(g),
    # Where the label is neither 0 nor 1, the gradient has a zero.
    "sigmoid_cross_entropy_of": lambda x, z: 0 if z in (0, 1) else _ROUNDING * (1 + abs(z)),
}
"""The absolute errors of the partials that cancel."""

_IS_LEFT_OUT = {
    # float32 has no odd numbers there.
    "({0} ** {1})": lambda x, y: x < 0 and abs(y) > 2**24,
    "pow": lambda x, y: x < 0 and abs(y) > 2**24,
    "clip": lambda x, low, high: low == high,
}
"""The points where float32 does not decide the derivative."""


def _exact(name):
    return {
        "where": lambda c, x, y: x if c else y,
        "sign": mp.sign,
        "abs": abs,
        "square": lambda x: x * x,
        "maximum": max,
        "minimum": min,
        "clip": lambda x, low, high: min(max(x, low), high),
        "exp2": lambda x: mp.mpf(2) ** x,
        "log2": lambda x: mp.log(x, 2),
        "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
        "logaddexp2": lambda x, y: mp.log(mp.mpf(2) ** x + mp.mpf(2) ** y, 2),
        "lgamma": mp.loggamma,
        "pow": operator.pow,
        "nextafter": lambda x, y: x,
        "copysign": lambda x, y: abs(x) if y > 0 else -abs(x),
        "fmod": lambda x, y: x - y * (mp.floor(x / y) if x / y > 0 else mp.ceil(x / y)),
        "trunc": lambda x: mp.floor(x) if x > 0 else mp.ceil(x),
        "log_of_base": lambda x: mp.log(x) if x > 0 else mp.mpf(0),
    }.get(name) or getattr(mp, name)


def _rounded(name):
    function = {
        "where": lambda c, x, y: x if c else y,
        "sign": np.sign,
        "abs": abs,
        "square": lambda x: x * x,
        "maximum": max,
        "minimum": min,
        "digamma": special.digamma,
        "erf": special.erf,
        "erfc": special.erfc,
        "lgamma": special.gammaln,
        "pow": np.power,
    }.get(name) or getattr(np, {"asin": "arcsin", "acosh": "arccosh"}.get(name, name))
    return lambda *operands: np.float32(function(*[np.float64(x) for x in operands]))


_PYTHON = {operation: function for function, operation in terms.OPERATORS.items()} | {
    terms.SELECT: lambda condition, x, y: x if condition else y,
    terms.AND: lambda x, y: x and y,
    terms.OR: lambda x, y: x or y,
}


def _evaluate(term, values, number, function_of):
    if isinstance(term, Number):
        return number(term.value)
    if term in values:
        return values[term]
    operands = [_evaluate(operand, values, number, function_of) for operand in term.operands]
    if term.operation in _PYTHON:
        return _PYTHON[term.operation](*operands)
    return function_of(term.operation.name)(*operands)


def _points(arity):
    numbers = _NUMBERS if arity < 3 else [np.float32(x) for x in (-30.0, -0.7, 0.2, 0.99, 20.0)]
    return itertools.product(*[numbers] * arity)


def errors_of_partials(name):
    """Returns (position, point, partial, exact partial) of each point where the function and the derivative are numbers."""
    operation = OPERATIONS[name]
    formula, partials = expand(trace(operation)), partials_of(operation)
    results = []
    for point in _points(arity_of(operation)):
        if name in _IS_LEFT_OUT and _IS_LEFT_OUT[name](*point):
            continue
        exact = [mp.mpf(float(x)) for x in point]

        def value_at(*numbers):
            return _evaluate(formula, dict(zip(OPERANDS, numbers, strict=False)), mp.mpf, _exact)

        for position, partial in enumerate(partials):
            if partial is None:
                continue
            try:
                result = value_at(*exact)
                step = abs(exact[position]) * mp.mpf(10) ** -90
                above, below = (
                    value_at(*[x + s * step * (i == position) for i, x in enumerate(exact)]) for s in (1, -1)
                )
                derivative = (above - below) / (2 * step)
                has_kink = abs(above - result - (result - below)) > step * (abs(derivative) + 1) / 10**6
                float(derivative), float(result)
            except (ValueError, ZeroDivisionError, TypeError, OverflowError):
                continue
            if has_kink or not mp.isfinite(derivative) or abs(result) > 1e38 or abs(derivative) > 1e37:
                continue
            values = {
                COTANGENT: np.float32(1),
                RESULT: np.float32(float(result)),
                **dict(zip(OPERANDS, point, strict=False)),
            }
            computed = _evaluate(expand(partial), values, np.float32, _rounded)
            results.append((position, tuple(map(float, point)), float(computed), float(derivative)))
    return results


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_partial_keeps_the_digits(name):
    with mp.workdps(250), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        errors = errors_of_partials(name)
    assert len(errors) >= 10
    absolute_error = _ABSOLUTE_ERRORS.get(name, lambda *point: 0)
    for position, point, computed, exact in errors:
        assert computed == pytest.approx(exact, rel=1e-5, abs=_LEAST + absolute_error(*point)), (position, point)


@pytest.mark.parametrize(("dtype", "logit"), [("float32", 18.0), ("float64", 30.0), ("float64", 300.0)])
@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("wrap", [lambda function: function, tf.function])
def test_the_gradient_of_a_right_prediction_keeps_its_digits(dtype, logit, label, wrap):
    x = tf.constant(logit if label else -logit, dtype)

    @wrap
    def gradients(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.constant(label, dtype), logits=x)
            slope = tape.gradient(y, x)
        return slope, outer.gradient(slope, x)

    exact = math.exp(-logit) / (1 + math.exp(-logit))
    slope, curvature = gradients(x)
    assert float(slope) == pytest.approx(-exact if label else exact, rel=1e-6)
    assert float(curvature) == pytest.approx(exact, rel=1e-6) or logit > 18


def test_the_gradient_of_logaddexp_keeps_its_digits_beside_large_results():
    x = tf.constant([1e6, 1e6, -math.inf, 3.0])
    y = tf.constant([1e6, 1e6 + 1, -math.inf, math.inf])
    dx, dy = gradient_of(tf.keras.ops.logaddexp, x, y)
    np.testing.assert_allclose(dx[:2], [0.5, 1 / (1 + math.e)], rtol=1e-6)
    np.testing.assert_allclose(dy[:2], [0.5, math.e / (1 + math.e)], rtol=1e-6)


def test_the_gradient_of_atan2_neither_overflows_nor_vanishes():
    for dtype, sizes in (("float32", [1e-30, 1e30]), ("float16", [1e-3, 1e3])):
        x = tf.constant(sizes, dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.atan2(x, tf.constant(sizes, dtype))
        np.testing.assert_allclose(tape.gradient(y, x), 0.5 / np.float64(sizes), rtol=2e-3)


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function])
@pytest.mark.parametrize(("function", "sign"), [(tf.asin, 1.0), (tf.acos, -1.0), (tf.atanh, 1.0)])
def test_derivatives_of_inverse_functions_have_poles_at_1(function, sign, wrap):
    x = tf.constant([1.0, -1.0])

    @wrap
    def derivatives(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            slope = gradient_of(function, x)
        return slope, outer.gradient(slope, x)

    slope, curvature = derivatives(x)
    np.testing.assert_array_equal(slope, [sign * math.inf, sign * math.inf])
    np.testing.assert_array_equal(curvature, [sign * math.inf, -sign * math.inf])
