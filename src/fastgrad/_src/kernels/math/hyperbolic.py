"""Hyperbolic functions and their inverses, for the bodies of kernels (see `vector_math`, which has tanh)."""

import math

from fastgrad._src.jit.body import fused_multiply_add, polynomial, scalar_function
from fastgrad._src.kernels.math.vector_math import half_exp, log1p

LN2 = 0.6931471805599453


_sinh_series = polynomial(
    float32=[2.784269781841431e-06, 0.00019842608890030533, 0.008333311416208744, 0.1666666716337204],
    float64=[
        7.775578990697086e-13, 1.6056690163601404e-10, 2.5052130644211113e-08, 2.7557319108631516e-06,
        0.00019841269841588976, 0.008333333333332915, 0.16666666666666669,
    ],
)  # fmt: skip
"""(sinh(r) / r - 1) / z for z = r^2, |r| <= 1."""


@scalar_function
def sinh(x):
    """Returns the hyperbolic sine of a number."""
    a = math.fabs(x)
    z = x * x
    h = half_exp(a)
    return fused_multiply_add(x * z, _sinh_series(z), x) if a < 1 else math.copysign(h - T(0.25) / h, x)


@scalar_function
def cosh(x):
    """Returns the hyperbolic cosine of a number."""
    h = half_exp(math.fabs(x))
    return h + T(0.25) / h


@scalar_function
def asinh(x):
    """Returns the inverse of the hyperbolic sine; log(2|x|) for |x| > 1e17."""
    a = math.fabs(x)
    large = a > T(1e17)
    z = a * a
    y = log1p(a if large else a + z / (T(1) + math.sqrt(z + T(1))))
    return math.copysign(y + T(LN2) if large else y, x)


@scalar_function
def acosh(x):
    """Returns the inverse of the hyperbolic cosine, not negative; NaN below 1."""
    large = x > T(1e17)
    t = x - T(1)
    y = log1p(x if large else t + math.sqrt(T(2) * t + t * t))
    return (y + T(LN2) if large else y) if x >= 1 else T(math.nan)


@scalar_function
def atanh(x):
    """Returns the inverse of the hyperbolic tangent: infinite at -1 and 1, NaN beyond."""
    a = math.fabs(x)
    return math.copysign(T(0.5) * log1p(T(2) * a / (T(1) - a)), x)
