"""Derivatives of SciPy's special functions, which Numba code calls by their addresses in ``scipy.special.cython_special``.

Numba has no special functions of its own beyond those of ``math``. Packages such as numba-stats take the addresses of SciPy's; numba-scipy lets Numba
call them by their names. The formulas of derivatives are those of the NIST Digital Library of Mathematical Functions (chapters 5, 7, 8, 10). Derivatives
with respect to parameters of incomplete integrals come of complex steps through a series or a continued fraction.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import get_cython_function_address

from fastgrad.core import terms
from fastgrad.core.terms import FUNCTION_COST, OPERANDS, SELECT, Term, substitute
from fastgrad.differentiation.ir.partials import COTANGENT, RESULT, ZERO_PRODUCT, Partial, call_operation, slope_of
from fastgrad.differentiation.ir.representation import Compute, Constant, Operand, Scalar, refuse
from fastgrad.differentiation.ir.scalar_rules import PARTIALS, digamma

_STEP = 1e-30
"""A complex step: its square is below the rounding of all numbers, so the imaginary part of a result is the derivative times the step."""
_TINY, _ACCURACY, _MAX_TERMS = 1e-300, 1e-15, 10_000_000
_SQRT_PI, _SQRT_2PI = math.sqrt(math.pi), math.sqrt(2.0 * math.pi)


@numba.njit
def trigamma(x):  # type: ignore[no-untyped-def]
    """Returns the derivative of the digamma function; below 0 by reflection."""
    if x > 0.0:
        return trigamma_above_0(x)
    if x == math.floor(x):
        return math.inf
    return (math.pi / math.sin(math.pi * x)) ** 2 - trigamma_above_0(1.0 - x)


@numba.njit
def trigamma_above_0(x):  # type: ignore[no-untyped-def]
    """Returns the derivative of the digamma function of a number above 0, by recurrence and its asymptotic series."""
    shift = 0.0
    while x < 12.0:
        shift += 1.0 / (x * x)
        x += 1.0
    s = 1.0 / (x * x)
    series = s * (1 / 6 - s * (1 / 30 - s * (1 / 42 - s * (1 / 30 - s * (5 / 66 - s * (691 / 2730 - s * 7 / 6))))))
    return shift + 1.0 / x + 0.5 * s + series / x


@numba.njit
def _has_converged(change):  # type: ignore[no-untyped-def]
    """True if a relative change is below rounding, and its derivative, too: where a term is 0, later terms still change the derivative. True for NaN."""
    return not (abs(change.real) >= _ACCURACY or abs(change.imag) >= _ACCURACY * _STEP)


# ---- tails of the normal distribution -----------------------------------------------------------------------------

_TAIL = 20.0


@numba.njit
def log_ndtr_slope(x, value):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``log_ndtr(x)``, whose value is ``value``: far below 0 by a continued fraction, where the logarithms cancel."""
    if x > -_TAIL:
        return math.exp(-0.5 * x * x - value) / _SQRT_2PI
    result = -x
    for n in range(16, 0, -1):
        result = n / result - x
    return result


@numba.njit
def erfcx_slope(x, value):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``erfcx(x)``, whose value is ``value``: far above 0 by its asymptotic series, where the terms cancel."""
    if x < _TAIL:
        return 2.0 * x * value - 2.0 / _SQRT_PI
    s = 0.5 / x / x
    series = 1.0
    for n in range(15, 1, -2):
        series = 1.0 - n * s * series
    return -2.0 / _SQRT_PI * s * series


# ---- incomplete gamma functions -----------------------------------------------------------------------------------


@numba.njit
def gamma_density(a, x):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``gammainc(a, x)`` with respect to ``x``: the density of the gamma distribution."""
    if x <= 0.0:
        return 0.0 if a > 1.0 or x < 0.0 else math.inf if a < 1.0 else 1.0
    if x == math.inf:
        return 0.0
    return math.exp((a - 1.0) * math.log(x) - x - math.lgamma(a))


@numba.njit
def _gamma_series(a, x):  # type: ignore[no-untyped-def]
    """Returns the series of the lower incomplete gamma function: the sum of ``x**n / ((a + 1) … (a + n))``."""
    term = total = a * 0.0 + 1.0
    for n in range(1, _MAX_TERMS):
        term *= x / (a + n)
        total += term
        if _has_converged(term / total):
            break
    return total


@numba.njit
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


@numba.njit
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


@numba.njit
def beta_density(a, b, x):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``betainc(a, b, x)`` with respect to ``x``: the density of the beta distribution."""
    if x <= 0.0:
        return 0.0 if a > 1.0 or x < 0.0 else math.inf if a < 1.0 else b
    if x >= 1.0:
        return 0.0 if b > 1.0 or x > 1.0 else math.inf if b < 1.0 else a
    logarithm = (a - 1.0) * math.log(x) + (b - 1.0) * math.log1p(-x)
    return math.exp(logarithm + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))


@numba.njit
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


@numba.njit
def _beta_slopes(a, b, x):  # type: ignore[no-untyped-def]
    """Returns the derivatives of ``betainc(a, b, x)`` with respect to ``a`` and ``b``, where the continued fraction converges quickly."""
    scale = x * (1.0 - x) * beta_density(a, b, x) / a
    # A term is 0 if b is an integer, and later terms change only derivatives with respect to b: those of by_a, too.
    _, count = _beta_fraction(complex(a, _STEP), complex(b, _STEP), x, 0)
    by_a, _ = _beta_fraction(complex(a, _STEP), complex(b, 0.0), x, count)
    by_b, _ = _beta_fraction(complex(a, 0.0), complex(b, _STEP), x, count)
    both = digamma(a + b)
    slope_of_a = by_a.real * (math.log(x) + both - digamma(a) - 1.0 / a) + by_a.imag / _STEP
    slope_of_b = by_b.real * (math.log1p(-x) + both - digamma(b)) + by_b.imag / _STEP
    return scale * slope_of_a, scale * slope_of_b


@numba.njit
def betainc_by_parameter(a, b, x, is_first):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``betainc(a, b, x)`` with respect to ``a`` if ``is_first`` is 1, else to ``b``."""
    if x <= 0.0 or x >= 1.0:
        return 0.0
    if x < (a + 1.0) / (a + b + 2.0):
        slopes = _beta_slopes(a, b, x)
        return slopes[0] if is_first == 1 else slopes[1]
    slopes = _beta_slopes(b, a, 1.0 - x)
    return -slopes[1] if is_first == 1 else -slopes[0]


# ---- Student's t distribution --------------------------------------------------------------------------------------


@numba.njit
def student_density(df, t):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``stdtr(df, t)`` with respect to ``t``: the density of Student's t distribution."""
    logarithm = math.lgamma(0.5 * (df + 1.0)) - math.lgamma(0.5 * df) - 0.5 * math.log(df * math.pi)
    return math.exp(logarithm - 0.5 * (df + 1.0) * math.log1p(t * t / df))


@numba.njit
def student_by_degrees(df, t):  # type: ignore[no-untyped-def]
    """Returns the derivative of ``stdtr(df, t)`` with respect to ``df``: for t < 0 the function is ``betainc(df / 2, 1 / 2, df / (df + t * t)) / 2``.

    Near 0 that argument rounds to 1: there it is ``(1 - betainc(1 / 2, df / 2, t * t / (df + t * t))) / 2``.
    """
    if t == 0.0 or abs(t) == math.inf:
        return 0.0
    total = df + t * t
    if t * t < df:
        y = t * t / total
        by_parameter = 0.5 * betainc_by_parameter(0.5, 0.5 * df, y, 0)
        slope = 0.5 * (beta_density(0.5, 0.5 * df, y) * y / total - by_parameter)
        return slope if t < 0.0 else -slope
    x = df / total
    by_parameter = 0.5 * betainc_by_parameter(0.5 * df, 0.5, x, 1)
    slope = 0.5 * (by_parameter + beta_density(0.5 * df, 0.5, x) * t * t / (total * total))
    return slope if t < 0.0 else -slope


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


@numba.njit
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


@numba.njit
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


# ---- rules -------------------------------------------------------------------------------------------------------------

_X, _Y, _Z = OPERANDS[:3]
_TRIGAMMA = call_operation(trigamma, 1)
_LOG_NDTR_SLOPE, _ERFCX_SLOPE = call_operation(log_ndtr_slope, 2), call_operation(erfcx_slope, 2)
_GAMMA_DENSITY, _GAMMAINC_BY_SHAPE = call_operation(gamma_density, 2), call_operation(gammainc_by_shape, 2)
_BETA_DENSITY, _BETAINC_BY_PARAMETER = call_operation(beta_density, 3), call_operation(betainc_by_parameter, 4)
_STUDENT_DENSITY, _STUDENT_BY_DEGREES = call_operation(student_density, 2), call_operation(student_by_degrees, 2)
_VOIGT_BY_PARAMETER = call_operation(voigt_by_parameter, 4)
_NORMAL_DENSITY = terms.exp(-0.5 * _X * _X) / _SQRT_2PI

_DECAY = terms.exp(-terms.abs(_X))

Rule = list[Partial]
RULES: dict[str, Rule] = {
    "ndtr": [COTANGENT * _NORMAL_DENSITY],
    "ndtri": [COTANGENT * (_SQRT_2PI * terms.exp(0.5 * RESULT * RESULT))],
    "log_ndtr": [COTANGENT * _LOG_NDTR_SLOPE(_X, RESULT)],
    "erf": [COTANGENT * (2.0 / _SQRT_PI * terms.exp(-_X * _X))],
    "erfc": [COTANGENT * (-2.0 / _SQRT_PI * terms.exp(-_X * _X))],
    "erfcx": [COTANGENT * _ERFCX_SLOPE(_X, RESULT)],
    "erfinv": [COTANGENT * (0.5 * _SQRT_PI * terms.exp(RESULT * RESULT))],
    "erfcinv": [COTANGENT * (-0.5 * _SQRT_PI * terms.exp(RESULT * RESULT))],
    "gammaln": [COTANGENT * terms.digamma(_X)],
    "loggamma": [COTANGENT * terms.digamma(_X)],
    "gamma": [COTANGENT * RESULT * terms.digamma(_X)],
    "psi": [COTANGENT * _TRIGAMMA(_X)],
    "beta": [COTANGENT * RESULT * (terms.digamma(each) - terms.digamma(_X + _Y)) for each in (_X, _Y)],
    "betaln": [COTANGENT * (terms.digamma(each) - terms.digamma(_X + _Y)) for each in (_X, _Y)],
    "expit": [COTANGENT * (_DECAY / ((1.0 + _DECAY) * (1.0 + _DECAY)))],
    "log_expit": [COTANGENT * -terms.expm1(RESULT)],
    "logit": [COTANGENT / (_X * (1.0 - _X))],
    "exp2": [COTANGENT * (RESULT * math.log(2.0))],
    "exp10": [COTANGENT * (RESULT * math.log(10.0))],
    "expm1": [COTANGENT * (RESULT + 1.0)],
    "log1p": [COTANGENT / (1.0 + _X)],
    "cbrt": PARTIALS[np.cbrt],
    "xlogy": [
        SELECT(terms.logical_and(_X == 0.0, _Y == 0.0), 0.0, COTANGENT * terms.log(_Y)),
        ZERO_PRODUCT(_X, COTANGENT / _Y),
    ],
    "xlog1py": [
        SELECT(terms.logical_and(_X == 0.0, _Y == -1.0), 0.0, COTANGENT * terms.log1p(_Y)),
        ZERO_PRODUCT(_X, COTANGENT / (1.0 + _Y)),
    ],
    "entr": [COTANGENT * (-terms.log(_X) - 1.0)],
    "gammainc": [COTANGENT * _GAMMAINC_BY_SHAPE(_X, _Y), COTANGENT * _GAMMA_DENSITY(_X, _Y)],
    "gammaincc": [COTANGENT * -_GAMMAINC_BY_SHAPE(_X, _Y), COTANGENT * -_GAMMA_DENSITY(_X, _Y)],
    "betainc": [
        COTANGENT * _BETAINC_BY_PARAMETER(_X, _Y, _Z, 1),
        COTANGENT * _BETAINC_BY_PARAMETER(_X, _Y, _Z, 0),
        COTANGENT * _BETA_DENSITY(_X, _Y, _Z),
    ],
    "stdtr": [COTANGENT * _STUDENT_BY_DEGREES(_X, _Y), COTANGENT * _STUDENT_DENSITY(_X, _Y)],
    "owens_t": [
        COTANGENT * (-0.5 * terms.exp(-0.5 * _X * _X) * terms.erf(_X * _Y / math.sqrt(2.0)) / _SQRT_2PI),
        COTANGENT * (terms.exp(-0.5 * _X * _X * (1.0 + _Y * _Y)) / (2.0 * math.pi * (1.0 + _Y * _Y))),
    ],
    "voigt_profile": [COTANGENT * _VOIGT_BY_PARAMETER(_X, _Y, _Z, place) for place in range(3)],
}
"""The partials of functions of SciPy by their names."""


def _rule_of_inverse(rule: Rule) -> Rule:
    """Returns the partials of the inverse of a function in its last operand."""
    last = OPERANDS[len(rule) - 1]
    *slopes, density = [
        substitute(slope_of(partial, types.float64), {last: RESULT}) for partial in rule if partial is not None
    ]
    return [*[COTANGENT * (-slope / density) for slope in slopes], COTANGENT / density]


RULES |= {
    name: _rule_of_inverse(RULES[inverse])
    for name, inverse in {
        "gammaincinv": "gammainc",
        "gammainccinv": "gammaincc",
        "betaincinv": "betainc",
        "stdtrit": "stdtr",
    }.items()
}


def _mean_of_neighbors(function: Any) -> Any:
    """Returns the mean of a Bessel function's values of the orders below and above."""
    return 0.5 * (function(_X - 1.0, _Y) + function(_X + 1.0, _Y))


BESSEL_RULES: dict[str, Callable[[Any], Term]] = {
    **dict.fromkeys(["jv", "yv"], lambda f: COTANGENT * (0.5 * (f(_X - 1.0, _Y) - f(_X + 1.0, _Y)))),
    "iv": lambda f: COTANGENT * _mean_of_neighbors(f),
    "kv": lambda f: COTANGENT * -_mean_of_neighbors(f),
    "ive": lambda f: COTANGENT * (_mean_of_neighbors(f) - SELECT(_Y < 0.0, -RESULT, RESULT)),
    "kve": lambda f: COTANGENT * (RESULT - _mean_of_neighbors(f)),
}
"""The partials of Bessel functions with respect to the second argument. They call the functions of other orders. The order has no derivative here."""


# ---- which function a value is ---------------------------------------------------------------------------------------


@functools.cache
def _names_of_addresses() -> dict[int, str]:
    """Returns the functions of ``scipy.special.cython_special`` by their addresses, of those with rules."""
    from scipy.special import cython_special

    names = {}
    for name in (*RULES, *BESSEL_RULES):
        for symbol in (name, f"__pyx_fuse_0{name}", f"__pyx_fuse_1{name}"):
            if symbol in cython_special.__pyx_capi__:
                names[get_cython_function_address("scipy.special.cython_special", symbol)] = name
    return names


def special_name(function: Any) -> str | None:
    """Returns the name of a special function of SciPy that has a rule here, or None.

    Args:
        function: an object with an address for Numba, a function of ``ctypes``, or a function of ``scipy.special``.
    """
    if hasattr(function, "own_adjoint"):
        return None
    if isinstance(function, types.WrapperAddressProtocol):
        arguments, address = function.signature().args, function.__wrapper_address__()
    elif isinstance(function, ctypes._CFuncPtr):  # type: ignore[attr-defined]  # the base of all functions of ctypes
        arguments = tuple(types.float64 if kind is ctypes.c_double else types.none for kind in function.argtypes or ())
        address = ctypes.cast(function, ctypes.c_void_p).value
    elif isinstance(function, np.ufunc) and type(function).__module__ == "numpy":
        name = function.__name__
        return name if (name in RULES or name in BESSEL_RULES) and _is_of_scipy(function, name) else None
    else:
        return None
    return _names_of_addresses().get(address) if all(type == types.float64 for type in arguments) else None


def _is_of_scipy(function: np.ufunc, name: str) -> bool:
    if getattr(np, name, None) is function:
        return False
    from scipy import special

    return getattr(special, name, None) is function


def _is_of_integers(number: Operand) -> bool:
    """True if a number is computed from integers and constants alone, as the orders of a Bessel function's derivatives are."""
    if isinstance(number, Constant) or not number.is_real:
        return True
    definition = number.definition
    return isinstance(definition, Compute) and all(map(_is_of_integers, definition.operands))


def call(lowering: Any, name: str, function: Any, arguments: list[Any], type: types.Type) -> Scalar:
    """Lowers the call of a special function of numbers.

    Raises:
        DifferentiationError: the order of a Bessel function is not constant.
    """
    builder = lowering.builder
    given = [lowering.scalar(argument) for argument in arguments]
    numbers = [lowering.cast(number, types.float64) for number in given]
    operation = builder.call_of(function, len(numbers), name)
    if name in BESSEL_RULES:
        if not _is_of_integers(given[0]):
            raise refuse(
                f"{name} has no derivative with respect to the order: give it a constant or an integer",
                builder.location,
            )
        rule: Rule = [None, BESSEL_RULES[name](operation)]
    else:
        rule = RULES[name]
    partials = [
        None if isinstance(number, Constant) or not number.is_real else partial
        for number, partial in zip(numbers, rule, strict=True)
    ]
    result: Scalar = builder.compute(type, operation, numbers, FUNCTION_COST, partials)
    return result
