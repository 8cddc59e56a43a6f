"""Digamma, Dawson's integral, the exponential integral and Spence's function, where SciPy's versions lose digits.

SciPy's versions lose digits near poles, near 0, far from 0, and by cancellation.
"""

import math

from fastgrad._src.jit.body import call_c_function, round_down, round_to_even, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.circular import tan
from fastgrad._src.kernels.math.vector_math import exp, log, log1p

FLOATS = ("float32", "float64")
PI_SQUARED_OVER_6 = 1.6449340668482264


# Functions compute in T, here always float64; elements in memory are of type E.
@kernel("x: in[E], y: out[E], x_step: int, psi: int, first: int, last: int", E=FLOATS, T=("float64",))
def digamma(x, y, x_step, psi, first, last):
    """The derivative of lgamma, below 0 by reflection (DLMF 5.5.4) with an exact distance from the pole; NaN at poles."""
    for i in range(first, last):
        value = T(x[i * x_step])
        if value > 0 or value != value:  # noqa: PLR0124 - true of NaN
            y[i] = call_c_function(psi, value)
        elif value == round_down(value):
            y[i] = math.nan
        else:
            y[i] = call_c_function(psi, 1.0 - value) - math.pi / tan(math.pi * (value - round_to_even(value)))


@kernel("x: in[E], y: out[E], x_step: int, function: int, first: int, last: int", E=FLOATS, T=("float64",))
def dawsn(x, y, x_step, function, first, last):
    """Dawson's integral: by its series up to 0.4, by its asymptotic series from 10 on.

    The series are x (1 - 2/3 x^2 + 4/15 x^4 - ...) and 1 / 2x (1 + 1 / 2x^2 + 3 / 4x^4 + ...).
    """
    for i in range(first, last):
        value = T(x[i * x_step])
        if abs(value) > 10.0:
            w = 0.5 / (value * value)
            q = 1.0
            for k in range(23, 0, -2):
                q = 1.0 + k * w * q
            y[i] = 0.5 / value * q
            continue
        if not abs(value) < 0.4:
            y[i] = call_c_function(function, value)
            continue
        z = value * value
        q = -3.8377564713691727e-11
        q = q * z + 5.180971236348383e-10
        q = q * z - 6.476214045435479e-09
        q = q * z + 7.447646152250801e-08
        q = q * z - 7.820028459863341e-07
        q = q * z + 7.4290270368701745e-06
        q = q * z - 6.314672981339648e-05
        q = q * z + 0.0004736004736004736
        q = q * z - 0.0030784030784030783
        q = q * z + 0.016931216931216932
        q = q * z - 0.0761904761904762
        q = q * z + 0.26666666666666666
        q = q * z - 0.6666666666666666
        y[i] = value + value * (q * z)


@kernel("x: in[E], y: out[E], x_step: int, function: int, first: int, last: int", E=FLOATS, T=("float64",))
def expint(x, y, x_step, function, first, last):
    """The exponential integral, NaN below 0; from 40 on by e^x / x (1 + 1! / x + 2! / x^2 + ...) (DLMF 6.12.2)."""
    for i in range(first, last):
        value = T(x[i * x_step])
        if value > 40.0 and value < 1000.0:
            q = 1.0
            for k in range(40, 0, -1):
                q = 1.0 + k / value * q
            # In two factors, since e^x alone may overflow.
            y[i] = (exp(value) / value * q) if value < 700.0 else (exp(value - 64.0) / value * q) * exp(T(64.0))
        else:
            y[i] = math.nan if value < 0 else call_c_function(function, value)


@scalar_function
def _dilogarithm(w):
    """Returns Li2(1 - e^-w) for |w| <= log(2), by the series of Bernoulli numbers; a float64."""
    z = w * w
    q = 4.518980029619918e-16
    q = q * z - 1.9939295860721074e-14
    q = q * z + 8.921691020456452e-13
    q = q * z - 4.0647616451442256e-11
    q = q * z + 1.8978869988971e-09
    q = q * z - 9.185773074661964e-08
    q = q * z + 4.72411186696901e-06
    q = q * z - 0.0002777777777777778
    q = q * z + 0.027777777777777776
    return w + z * (q * w - 0.25)


@kernel("x: in[E], y: out[E], x_step: int, first: int, last: int", E=FLOATS, T=("float64",))
def spence(x, y, x_step, first, last):
    """Li2(1 - x) by Euler's and Landen's identities (DLMF 25.12.6 and 25.12.7); NaN below 0."""
    for i in range(first, last):
        value = T(x[i * x_step])
        logarithm = log(value)
        if value >= 0.5 and value <= 2.0:
            y[i] = _dilogarithm(-logarithm)
        elif value == 0:
            y[i] = PI_SQUARED_OVER_6
        elif value < 0.5:
            near = -log1p(-value)
            y[i] = PI_SQUARED_OVER_6 + (logarithm * near - _dilogarithm(near))
        elif value < math.inf:
            near = -log1p(-1.0 / value)
            y[i] = (logarithm * (near - 0.5 * logarithm) + _dilogarithm(near)) - PI_SQUARED_OVER_6
        else:
            y[i] = -value
