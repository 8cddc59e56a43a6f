"""Derivatives of special functions where no short formula is known, or where its terms cancel: series, continued fractions and integrals in Numba.

The formulas are those of the NIST Digital Library of Mathematical Functions (chapters 5, 7, 8, 10, 19). Derivatives with respect to parameters of incomplete integrals
use complex steps through a series or a continued fraction.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from fastgrad._src.derivatives.ir.scalar_rules import digamma

_STEP = 1e-30
"""A complex step: its square is below the rounding of all numbers, so the imaginary part of a result is the derivative times the step."""
_TINY, _ACCURACY, _MAX_TERMS = 1e-300, 1e-15, 10_000_000
_MAX_MEANS = 40
_SQRT_PI, _SQRT_2PI = math.sqrt(math.pi), math.sqrt(2.0 * math.pi)


@numba.njit(error_model="numpy")
def trigamma(x):  # type: ignore[no-untyped-def]
    """Returns the derivative of the digamma function; below 0 by reflection."""
    if x > 0.0:
        return trigamma_above_0(x)
    if x == math.floor(x):
        return math.inf
    return (math.pi / math.sin(math.pi * x)) ** 2 - trigamma_above_0(1.0 - x)


@numba.njit(error_model="numpy")
def trigamma_above_0(x):  # type: ignore[no-untyped-def]
    """Returns the derivative of the digamma function of a number above 0, by recurrence and its asymptotic series."""
    shift = 0.0
    while x < 12.0:
        shift += 1.0 / (x * x)
        x += 1.0
    s = 1.0 / (x * x)
    series = s * (1 / 6 - s * (1 / 30 - s * (1 / 42 - s * (1 / 30 - s * (5 / 66 - s * (691 / 2730 - s * 7 / 6))))))
    return shift + 1.0 / x + 0.5 * s + series / x


@numba.njit(error_model="numpy")
def _has_converged(change):  # type: ignore[no-untyped-def]
    """True if a relative change is below rounding, and its derivative, too: where a term is 0, later terms still change the derivative. True for NaN."""
    return not (abs(change.real) >= _ACCURACY or abs(change.imag) >= _ACCURACY * _STEP)


# ---- tails of the normal distribution -----------------------------------------------------------------------------

_TAIL = 20.0


@numba.njit(error_model="numpy")
def log_ndtr_derivative(x, value):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``log_ndtr(x)``, whose value is ``value``: far below 0 by a continued fraction, where the logarithms cancel."""
    if x > -_TAIL:
        return math.exp(-0.5 * x * x - value) / _SQRT_2PI
    result = -x
    for n in range(16, 0, -1):
        result = n / result - x
    return result


@numba.njit(error_model="numpy")
def erfcx_derivative(x, value):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``erfcx(x)``, whose value is ``value``: far above 0 by its asymptotic series, where the terms cancel."""
    if x < _TAIL:
        return 2.0 * x * value - 2.0 / _SQRT_PI
    s = 0.5 / x / x
    series = 1.0
    for n in range(15, 1, -2):
        series = 1.0 - n * s * series
    return -2.0 / _SQRT_PI * s * series


@numba.njit(error_model="numpy")
def dawsn_derivative(x, value):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``dawsn(x)``, whose value is ``value``: far from 0 by its asymptotic series, where the terms cancel."""
    if abs(x) < _TAIL:
        return 1.0 - 2.0 * x * value
    s = 0.5 / x / x
    series = 1.0
    for n in range(15, 1, -2):
        series = 1.0 + n * s * series
    return -s * series


@numba.njit(error_model="numpy")
def exprel_derivative(x, value):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``exprel(x)``, whose value is ``value``: near 0 by its Taylor series, where the terms cancel."""
    if x >= 1.0:
        return value * (1.0 - 1.0 / x) + 1.0 / x
    if not x > -1.0:
        return (math.exp(x) - value) / x
    series = 1.0 / 22
    for n in range(20, 0, -1):
        series = 1.0 / (n + 1) + series * x / n
    return series


# ---- complete elliptic integrals ------------------------------------------------------------------------------------


@numba.njit(error_model="numpy")
def elliptic_derivative(m, complement, kind):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``ellipk(m)`` (``kind`` 1) or ``ellipe(m)`` (``kind`` 2) by the arithmetic-geometric mean of 1 and ``√complement``.

    ``complement`` is ``1 - m``. The sum has half the differences of the means divided by ``m``, so no terms cancel at ``m = 0``. (19.8 of the Digital Library.)
    """
    if complement == 0.0:
        return math.inf if kind == 1 else -math.inf
    a, b = 1.0, math.sqrt(complement)
    ratio = 0.5 / (1.0 + b)
    weight = 1.0
    total = 0.0
    for _ in range(_MAX_MEANS):
        a, b = 0.5 * (a + b), math.sqrt(a * b)
        change = weight * m * ratio * ratio
        total += change
        if not abs(change) >= _ACCURACY * 1e-3 * abs(total):
            break
        weight *= 2.0
        ratio *= m * ratio / (2.0 * (a + b))
    integral = 0.5 * math.pi / a
    return integral * (0.5 - total) / (2.0 * complement) if kind == 1 else -0.5 * integral * (0.5 + total)


# ---- incomplete gamma functions -----------------------------------------------------------------------------------


@numba.njit(error_model="numpy")
def gamma_density(a, x):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``gammainc(a, x)`` with respect to ``x``: the density of the gamma distribution."""
    if x <= 0.0:
        return 0.0 if a > 1.0 or x < 0.0 else math.inf if a < 1.0 else 1.0
    if x == math.inf:
        return 0.0
    return math.exp((a - 1.0) * math.log(x) - x - math.lgamma(a))


@numba.njit(error_model="numpy")
def _gamma_series(a, x):  # type: ignore[no-untyped-def]
    """Returns the series of the lower incomplete gamma function: the sum of ``x**n / ((a + 1) … (a + n))``."""
    term = total = a * 0.0 + 1.0
    for n in range(1, _MAX_TERMS):
        term *= x / (a + n)
        total += term
        if _has_converged(term / total):
            break
    return total


@numba.njit(error_model="numpy")
def _gamma_fraction(a, x):  # type: ignore[no-untyped-def]
    """Returns the continued fraction of the upper incomplete gamma function, by Lentz's method."""
    b = x + 1.0 - a
    c = b + 1.0 / _TINY
    d = 1.0 / b
    result = d
    for n in range(1, _MAX_TERMS):
        numerator = -n * (n - a)
        b += 2.0
        d = 1.0 / (numerator * d + b)
        c = b + numerator / c
        factor = c * d
        result *= factor
        if _has_converged(factor - 1.0):
            break
    return result


@numba.njit(error_model="numpy")
def gammainc_by_shape(a, x):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``gammainc(a, x)`` with respect to ``a``."""
    if x <= 0.0 or x == math.inf:
        return 0.0
    logarithm = math.log(x)
    if x < a + 1.0:
        series = _gamma_series(complex(a, _STEP), x)
        scale = math.exp(a * logarithm - x - math.lgamma(a + 1.0))
        return scale * (series.real * (logarithm - digamma(a + 1.0)) + series.imag / _STEP)
    fraction = _gamma_fraction(complex(a, _STEP), x)
    scale = math.exp(a * logarithm - x - math.lgamma(a))
    return -scale * (fraction.real * (logarithm - digamma(a)) + fraction.imag / _STEP)


# ---- incomplete beta function ---------------------------------------------------------------------------------------


@numba.njit(error_model="numpy")
def beta_density(a, b, x):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``betainc(a, b, x)`` with respect to ``x``: the density of the beta distribution."""
    if x <= 0.0:
        return 0.0 if a > 1.0 or x < 0.0 else math.inf if a < 1.0 else b
    if x >= 1.0:
        return 0.0 if b > 1.0 or x > 1.0 else math.inf if b < 1.0 else a
    logarithm = (a - 1.0) * math.log(x) + (b - 1.0) * math.log1p(-x)
    return math.exp(logarithm + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))


@numba.njit(error_model="numpy")
def _beta_fraction(a, b, x, count):  # type: ignore[no-untyped-def]
    """Returns the continued fraction of the incomplete beta function (W. Press et al., Numerical Recipes, 6.4), by Lentz's method.

    Returns the number of terms, too: ``count``, or if this is 0, as many as change the fraction.
    """
    terms = count if count > 0 else _MAX_TERMS
    c = a * 0.0 + 1.0
    d = 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    result = d
    for m in range(1, terms + 1):
        numerator = m * (b - m) * x / ((a + (2 * m - 1)) * (a + 2 * m))
        d = 1.0 / (1.0 + numerator * d)
        c = 1.0 + numerator / c
        result *= c * d
        numerator = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + (2 * m + 1)))
        d = 1.0 / (1.0 + numerator * d)
        c = 1.0 + numerator / c
        factor = c * d
        result *= factor
        if count == 0 and _has_converged(factor - 1.0):
            terms = m
            break
    return result, terms


@numba.njit(error_model="numpy")
def _beta_derivatives(a, b, x):  # type: ignore[no-untyped-def]
    """Returns the derivatives of ``betainc(a, b, x)`` with respect to ``a`` and ``b``, where the continued fraction converges quickly."""
    scale = x * (1.0 - x) * beta_density(a, b, x) / a
    # A term is 0 if b is an integer, and later terms change only derivatives with respect to b: those of by_a, too.
    _, count = _beta_fraction(complex(a, _STEP), complex(b, _STEP), x, 0)
    by_a, _ = _beta_fraction(complex(a, _STEP), complex(b, 0.0), x, count)
    by_b, _ = _beta_fraction(complex(a, 0.0), complex(b, _STEP), x, count)
    both = digamma(a + b)
    derivative_of_a = by_a.real * (math.log(x) + both - digamma(a) - 1.0 / a) + by_a.imag / _STEP
    derivative_of_b = by_b.real * (math.log1p(-x) + both - digamma(b)) + by_b.imag / _STEP
    return scale * derivative_of_a, scale * derivative_of_b


@numba.njit(error_model="numpy")
def betainc_by_parameter(a, b, x, is_first):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``betainc(a, b, x)`` with respect to ``a`` if ``is_first`` is 1, else to ``b``."""
    if not (0.0 < x < 1.0 and a > 0.0 and b > 0.0):
        return 0.0 * x if a > 0.0 and b > 0.0 else math.nan
    if x < (a + 1.0) / (a + b + 2.0):
        derivatives = _beta_derivatives(a, b, x)
        return derivatives[0] if is_first == 1 else derivatives[1]
    derivatives = _beta_derivatives(b, a, 1.0 - x)
    return -derivatives[1] if is_first == 1 else -derivatives[0]


# ---- Student's t distribution --------------------------------------------------------------------------------------


@numba.njit(error_model="numpy")
def student_density(df, t):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``stdtr(df, t)`` with respect to ``t``: the density of Student's t distribution."""
    logarithm = math.lgamma(0.5 * (df + 1.0)) - math.lgamma(0.5 * df) - 0.5 * math.log(df * math.pi)
    return math.exp(logarithm - 0.5 * (df + 1.0) * math.log1p(t * t / df))


@numba.njit(error_model="numpy")
def _student_near_normal(df, t):  # type: ignore[no-untyped-def]
    """Returns ``student_by_degrees`` for many degrees of freedom, where the difference of incomplete beta functions has no digit left.

    It is the derivative of three terms of Fisher's expansion about the normal distribution (Abramowitz and Stegun, 26.7.8).
    """
    density = math.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi)
    if density == 0.0:
        return 0.0
    t2 = t * t
    first = (t2 + 1.0) / 4.0
    second = (((3.0 * t2 - 7.0) * t2 - 5.0) * t2 - 3.0) / 96.0
    third = (((((t2 - 11.0) * t2 + 14.0) * t2 + 6.0) * t2 - 3.0) * t2 - 15.0) / 384.0
    return density * t * (first + (2.0 * second + 3.0 * third / df) / df) / df / df


@numba.njit(error_model="numpy")
def student_by_degrees(df, t):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``stdtr(df, t)`` with respect to ``df``: for t < 0 the function is ``betainc(df / 2, 1 / 2, df / (df + t * t)) / 2``.

    Near 0 that argument rounds to 1: there it is ``(1 - betainc(1 / 2, df / 2, t * t / (df + t * t))) / 2``.
    """
    if t == 0.0 or abs(t) == math.inf:
        return 0.0
    if df > 1e8 or (df > 3e3 and t * t * t * t < 0.01 * df):
        return _student_near_normal(df, t)
    total = df + t * t
    if t * t < df:
        y = t * t / total
        by_parameter = 0.5 * betainc_by_parameter(0.5, 0.5 * df, y, 0)
        derivative = 0.5 * (beta_density(0.5, 0.5 * df, y) * y / total - by_parameter)
        return derivative if t < 0.0 else -derivative
    x = df / total
    by_parameter = 0.5 * betainc_by_parameter(0.5 * df, 0.5, x, 1)
    derivative = 0.5 * (by_parameter + beta_density(0.5 * df, 0.5, x) * t * t / (total * total))
    return derivative if t < 0.0 else -derivative


# ---- Voigt profile ----------------------------------------------------------------------------------------------------


def _faddeeva_coefficients(degree: int) -> tuple[float, np.ndarray]:
    """Returns the scale and the coefficients of Weideman's rational approximation (SIAM J. Numer. Anal. 31, 1994)."""
    count = 2 * degree
    scale = math.sqrt(degree / math.sqrt(2.0))
    theta = np.arange(1 - count, count) * math.pi / count
    t = scale * np.tan(0.5 * theta)
    values = np.concatenate([[0.0], np.exp(-t * t) * (scale * scale + t * t)])
    transformed = np.fft.fft(np.fft.fftshift(values)).real / (2 * count)
    return scale, transformed[1 : degree + 1][::-1].copy()


_FADDEEVA_SCALE, _FADDEEVA = _faddeeva_coefficients(64)


@numba.njit(error_model="numpy")
def _faddeeva(z):  # type: ignore[no-untyped-def]
    """Returns the Faddeeva function and its derivative at ``z`` above the real axis."""
    if abs(z) > 12.0:
        square = z * z
        power = 1j / _SQRT_PI / z
        value, derivative = power, -power / z
        factor = 1.0
        for n in range(1, 16):
            factor *= n - 0.5
            power /= square
            value += factor * power
            derivative -= (2 * n + 1) * factor * power / z
        return value, derivative
    rational = (_FADDEEVA_SCALE + 1j * z) / (_FADDEEVA_SCALE - 1j * z)
    polynomial = 0j
    for coefficient in _FADDEEVA:
        polynomial = polynomial * rational + coefficient
    factor = 1.0 / (_FADDEEVA_SCALE - 1j * z)
    value = 2.0 * polynomial * factor * factor + factor / _SQRT_PI
    return value, -2.0 * z * value + 2j / _SQRT_PI


@numba.njit(error_model="numpy")
def voigt_by_parameter(x, sigma, gamma, place):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``voigt_profile(x, sigma, gamma)`` with respect to the argument of number ``place``."""
    width = sigma * math.sqrt(2.0)
    z = complex(x / width, gamma / width)
    value, derivative = _faddeeva(z)
    scale = 1.0 / (sigma * _SQRT_2PI)
    if place == 0:
        return scale * derivative.real / width
    if place == 2:
        return -scale * derivative.imag / width
    return -scale * (value.real + (derivative * z).real) / sigma


# ---- orders of Bessel functions ---------------------------------------------------------------------------------------


@numba.njit(error_model="numpy")
def log_kv_by_order(order, x):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``log(kv(order, x))`` with respect to the order.

    ``kv(order, x)`` is the integral of ``exp(-x * cosh(t)) * cosh(order * t)`` from 0 (10.32.9). The integrand is even, so the trapezoidal rule converges
    exponentially.
    """
    n = abs(order)
    peak, step = math.asinh(n / x), min(0.2, 0.6 / math.sqrt(math.hypot(x, n)))
    if not (x > 0.0 and peak < _MAX_TERMS * step):
        return math.nan
    highest = n * peak - 2.0 * x * math.sinh(0.5 * peak) ** 2
    whole, derivative, t = 0.5 * math.exp(-highest), 0.0, step
    while True:
        exponent = n * t - 2.0 * x * math.sinh(0.5 * t) ** 2 - highest
        if t > peak and exponent < -50.0:
            break
        decay = math.exp(-2.0 * n * t)
        term = 0.5 * math.exp(exponent)
        whole += term * (1.0 + decay)
        derivative -= term * math.expm1(-2.0 * n * t) * t
        t += step
    return math.copysign(derivative / whole, order)


@numba.njit(error_model="numpy")
def log_iv_by_order(order, x):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``log(iv(order, x))`` with respect to the order, which is above -1; NaN for others.

    It is the mean of ``log(x / 2) - digamma(order + k + 1)`` with the terms of the power series (10.25.2) as weights, from the largest on. For large x
    it comes of a complex step through the asymptotic series (10.40.1).
    """
    if not (x >= 0.0 and order > -1.0):
        return math.nan
    if x == 0.0:
        return -math.inf
    if x > 50.0 + 2.0 * order * order:
        term = total = complex(1.0, 0.0)
        square = 4.0 * complex(order, _STEP) ** 2
        for k in range(1, 60):
            term *= ((2 * k - 1) ** 2 - square) / (8.0 * k * x)
            total += term
            if abs(term.real) < 1e-17 and abs(term.imag) < 1e-17 * _STEP:
                break
        return total.imag / total.real / _STEP
    quarter = 0.25 * x * x
    first = math.floor(max(0.0, 0.5 * (math.sqrt(order * order + x * x) - order)))
    psi = digamma(order + first + 1.0)
    logarithm = math.log(0.5 * x)
    weights, total = 1.0, logarithm - psi
    weight, above, k = 1.0, psi, first
    while weight > 1e-18:
        above += 1.0 / (order + k + 1.0)
        weight *= quarter / ((k + 1.0) * (order + k + 1.0))
        k += 1
        weights += weight
        total += weight * (logarithm - above)
    weight, below, k = 1.0, psi, first
    while weight > 1e-18 and k > 0:
        weight *= k * (order + k) / quarter
        below -= 1.0 / (order + k)
        k -= 1
        weights += weight
        total += weight * (logarithm - below)
    return total / weights


# ---- noncentral chi-squared distribution -------------------------------------------------------------------------------


@numba.njit(error_model="numpy")
def _noncentral_mean(x, df, noncentrality, is_density):  # type: ignore[no-untyped-def]
    """Returns the mean of densities of gamma distributions, or of the derivatives of their distribution functions by shape, with Poisson's weights."""
    mean = 0.5 * noncentrality
    first = math.floor(mean)
    start = 1.0 if mean == 0.0 else math.exp(first * math.log(mean) - mean - math.lgamma(first + 1.0))
    total = 0.0
    for direction in (1, -1):
        weight, k = start, first
        if direction == -1:
            weight *= k / mean if k > 0 else 0.0
            k -= 1
        while weight > 1e-18 * start and k >= 0:
            shape = 0.5 * df + k
            part = gamma_density(shape, 0.5 * x) if is_density else gammainc_by_shape(shape, 0.5 * x)
            total += 0.5 * weight * part
            weight *= mean / (k + 1.0) if direction == 1 else k / mean
            k += direction
    return total


@numba.njit(error_model="numpy")
def noncentral_density(x, df, noncentrality):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``chndtr(x, df, nc)`` with respect to ``x``: the density of the noncentral chi-squared distribution."""
    return _noncentral_mean(x, df, noncentrality, True)


@numba.njit(error_model="numpy")
def noncentral_by_degrees(x, df, noncentrality):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``chndtr(x, df, nc)`` with respect to ``df``."""
    return _noncentral_mean(x, df, noncentrality, False)
