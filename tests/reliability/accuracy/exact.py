"""Exact values of the functions of `functions.py` by mpmath, and errors in units of the last place."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from mpmath import mp
from scipy import special

WRONG = 1e30
"""The error of a NaN where there is a number, and of a number where there is none."""
PRECISION = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
SMALLEST = {"float64": -1074, "float32": -149, "float16": -24, "bfloat16": -133}
LARGEST = {"float64": 1024, "float32": 128, "float16": 16, "bfloat16": 128}

nan = mp.nan


def _exp(x: Any) -> Any:
    """e^x; beyond every dtype's range a number that is beyond it, too."""
    return mp.exp(min(max(x, -5000), 5000))


def _expm1(x: Any) -> Any:
    return mp.expm1(min(max(x, -5000), 5000))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + _exp(-x)) if x > 0 else _exp(x) / (1 + _exp(x))


def _softplus(x: Any) -> Any:
    return max(x, 0) + mp.log1p(_exp(-abs(x)))


def _erfc(x: Any) -> Any:
    return mp.erfc(min(x, mp.mpf(60)))


def _normal_cdf(x: Any) -> Any:
    return _erfc(-x / mp.sqrt(2)) / 2


def _tanh(x: Any) -> Any:
    return mp.tanh(min(max(x, mp.mpf(-3000)), mp.mpf(3000)))


def _round(x: Any) -> Any:
    return mp.nint(x)


def _inverse(function: Callable[[Any], Any], slope: Callable[[Any], Any], y: Any, start: float) -> Any:
    """Newton's method from a number that is right to some ten digits."""
    x = mp.mpf(start)
    for _ in range(5):
        x = x - (function(x) - y) / slope(x)
    return x


def _erf_slope(x: Any) -> Any:
    return 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)


def _erfcinv(y: Any) -> Any:
    if y > 1:
        return -_erfcinv(2 - y)
    if y == 0:
        return mp.inf
    if y > 0.5:
        return _erfinv(1 - y)
    # The logarithm is almost a parabola, so that Newton's method also comes from far.
    x = mp.sqrt(max(-mp.log(y * mp.sqrt(mp.pi)), 0.1)) if y < 1e-300 else mp.mpf(float(special.erfcinv(float(y))))
    for _ in range(8 if y < 1e-300 else 5):
        tail = mp.erfc(x)
        x = x + (mp.log(tail) - mp.log(y)) * tail / _erf_slope(x)
    return x


def _erfinv(x: Any) -> Any:
    if abs(x) == 1:
        return mp.inf * x
    if abs(x) > 0.5:
        return mp.sign(x) * _erfcinv(1 - abs(x))
    if x == 0:
        return mp.mpf(0)
    if abs(x) < 1e-100:
        return x * mp.sqrt(mp.pi) / 2
    return _inverse(mp.erf, _erf_slope, x, float(special.erfinv(float(x))))


def _ndtri(p: Any) -> Any:
    return -mp.sqrt(2) * _erfcinv(2 * p)


def _pole(x: Any) -> bool:
    return bool(x <= 0 and x == mp.floor(x))


def _lgamma(x: Any) -> Any:
    return mp.inf if _pole(x) else mp.re(mp.loggamma(x))


def _digamma(x: Any) -> Any:
    return nan if _pole(x) else mp.psi(0, x)


def _i(n: int, x: Any, scaled: bool) -> Any:
    if scaled and abs(x) > 1e4:
        return mp.sign(x) ** n * _far_i(n, abs(x))
    return mp.besseli(n, x) * (mp.exp(-abs(x)) if scaled else 1)


def _far_i(n: int, x: Any) -> Any:
    """e^-x I_n(x) by its asymptotic series (DLMF 10.40.1)."""
    total = term = mp.mpf(1)
    for k in range(1, 40):
        term = -term * (4 * n * n - (2 * k - 1) ** 2) / (k * 8 * x)
        total += term
    return total / mp.sqrt(2 * mp.pi * x)


def _k(n: int, x: Any, scaled: bool) -> Any:
    if x == 0:
        return mp.inf
    if scaled and x > 1e4:
        total = term = mp.mpf(1)
        for k in range(1, 40):
            term = term * (4 * n * n - (2 * k - 1) ** 2) / (k * 8 * x)
            total += term
        return total * mp.sqrt(mp.pi / (2 * x))
    if x < 1e-30:
        return -mp.log(x / 2) - mp.euler if n == 0 else 1 / x
    return mp.besselk(n, x) * (mp.exp(x) if scaled else 1)


def _y(n: int, x: Any) -> Any:
    if x == 0:
        return -mp.inf
    if x < 1e-30:
        return 2 / mp.pi * (mp.log(x / 2) + mp.euler) if n == 0 else -2 / (mp.pi * x)
    return mp.bessely(n, x)


def _dawsn(x: Any) -> Any:
    if abs(x) > 1e3:
        total = term = mp.mpf(1)
        for k in range(1, 30):
            term = term * (2 * k - 1) / (2 * x * x)
            total += term
        return total / (2 * x)
    return mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x)


def _spence(x: Any) -> Any:
    return mp.pi**2 / 6 if x == 0 else mp.re(mp.polylog(2, 1 - x)) if x != 1 else mp.mpf(0)


def _selu(x: Any) -> Any:
    scale, alpha = mp.mpf("1.0507009873554804934193349852946"), mp.mpf("1.6732632423543772848170429916717")
    return scale * (x if x > 0 else alpha * _expm1(x))


def _gelu_tanh(x: Any) -> Any:
    u = mp.sqrt(8 / mp.pi) * (x + mp.mpf("0.044715") * x**3)
    return x * _sigmoid(u)


def _hard_sigmoid(x: Any) -> Any:
    return min(max(x / 6 + mp.mpf(1) / 2, 0), 1)


def _sparse_plus(x: Any) -> Any:
    return mp.mpf(0) if x <= -1 else (x + 1) ** 2 / 4 if x < 1 else x


def _pow(x: Any, y: Any) -> Any:
    if x == 0:
        return mp.mpf(1) if y == 0 else mp.mpf(0) if y > 0 else mp.inf
    exponent = y * mp.log(x)
    return mp.exp(exponent) if abs(exponent) < 5000 else mp.exp(5000) if exponent > 0 else mp.exp(-5000)


def _fraction(x: Any) -> Fraction:
    sign, mantissa, exponent, _ = mp.mpf(x)._mpf_
    return Fraction((-1) ** sign * int(mantissa)) * Fraction(2) ** int(exponent)


def _from_fraction(x: Fraction) -> Any:
    return mp.mpf(x.numerator) / x.denominator


def _floormod(x: Any, y: Any) -> Any:
    return nan if y == 0 else _from_fraction(_fraction(x) % _fraction(y))


def _floordiv(x: Any, y: Any) -> Any:
    if y == 0:
        return nan if x == 0 else mp.inf * mp.sign(x)
    return mp.mpf(_fraction(x) // _fraction(y))


def _divide(x: Any, y: Any) -> Any:
    if y == 0:
        return nan if x == 0 else mp.inf * mp.sign(x)
    return x / y


def _log(x: Any) -> Any:
    return -mp.inf if x == 0 else mp.log(x)


def _sigmoid_cross_entropy(z: Any, x: Any) -> Any:
    return max(x, 0) - x * z + mp.log1p(_exp(-abs(x)))


def _weighted_cross_entropy(z: Any, x: Any) -> Any:
    return (1 - z) * x + (1 + mp.mpf(1.5) * z) * _softplus(-x)


def _betainc(a: Any, b: Any, x: Any) -> Any:
    if x in (0, 1):
        return x
    # The series converges where x is below the mean.
    if x > (a + 1) / (a + b + 2):
        return 1 - mp.betainc(b, a, 0, 1 - x, regularized=True)
    return mp.betainc(a, b, 0, x, regularized=True)


EXACT: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "negative": lambda x: -x,
    "sign": mp.sign,
    "square": lambda x: x * x,
    "sqrt": mp.sqrt,
    "rsqrt": lambda x: 1 / mp.sqrt(x) if x else mp.inf,
    "reciprocal": lambda x: 1 / x if x else mp.inf,
    "reciprocal_no_nan": lambda x: 1 / x if x else x,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "rint": _round,
    "round": _round,
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": lambda x: mp.log1p(x) if x > -1 else -mp.inf,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "sinh": lambda x: mp.sinh(min(max(x, -5000), 5000)),
    "cosh": lambda x: mp.cosh(min(max(x, -5000), 5000)),
    "tanh": _tanh,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": lambda x: mp.atanh(x) if abs(x) < 1 else mp.inf * x,
    "sigmoid": _sigmoid,
    "log_sigmoid": lambda x: -_softplus(-x),
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "erf": lambda x: mp.erf(min(max(x, mp.mpf(-60)), mp.mpf(60))),
    "erfc": _erfc,
    "erfinv": _erfinv,
    "erfcinv": _erfcinv,
    "ndtri": _ndtri,
    "lgamma": _lgamma,
    "digamma": _digamma,
    "bessel_i0": lambda x: _i(0, x, False),
    "bessel_i0e": lambda x: _i(0, x, True),
    "bessel_i1": lambda x: _i(1, x, False),
    "bessel_i1e": lambda x: _i(1, x, True),
    "bessel_j0": lambda x: mp.besselj(0, x),
    "bessel_j1": lambda x: mp.besselj(1, x),
    "bessel_k0": lambda x: _k(0, x, False),
    "bessel_k0e": lambda x: _k(0, x, True),
    "bessel_k1": lambda x: _k(1, x, False),
    "bessel_k1e": lambda x: _k(1, x, True),
    "bessel_y0": lambda x: _y(0, x),
    "bessel_y1": lambda x: _y(1, x),
    "dawsn": _dawsn,
    "expint": lambda x: mp.ei(x) if x else -mp.inf,
    "fresnel_cos": mp.fresnelc,
    "fresnel_sin": mp.fresnels,
    "spence": _spence,
    "relu": lambda x: max(x, 0),
    "relu6": lambda x: min(max(x, 0), 6),
    "leaky_relu": lambda x: x if x > 0 else x / 5,
    "elu": lambda x: x if x > 0 else _expm1(x),
    "selu": _selu,
    "silu": lambda x: x * _sigmoid(x),
    "gelu": lambda x: x * _normal_cdf(x),
    "gelu tanh": _gelu_tanh,
    "keras exponential": _exp,
    "keras gelu": lambda x: x * _normal_cdf(x),
    "keras celu": lambda x: x if x > 0 else _expm1(x),
    "keras elu": lambda x: x if x > 0 else _expm1(x),
    "keras selu": _selu,
    "keras silu": lambda x: x * _sigmoid(x),
    "keras sigmoid": _sigmoid,
    "keras softplus": _softplus,
    "keras softsign": lambda x: x / (1 + abs(x)),
    "keras tanh": _tanh,
    "keras hard_shrink": lambda x: x if abs(x) > 0.5 else mp.mpf(0),
    "keras hard_sigmoid": _hard_sigmoid,
    "keras hard_silu": lambda x: x * _hard_sigmoid(x),
    "keras hard_tanh": lambda x: min(max(x, -1), 1),
    "keras leaky_relu": lambda x: x if x > 0 else x / 5,
    "keras log_sigmoid": lambda x: -_softplus(-x),
    "keras mish": lambda x: x * _tanh(_softplus(x)),
    "keras relu": lambda x: max(x, 0),
    "keras relu6": lambda x: min(max(x, 0), 6),
    "keras soft_shrink": lambda x: mp.sign(x) * max(abs(x) - mp.mpf(0.5), 0),
    "keras sparse_plus": _sparse_plus,
    "keras sparse_sigmoid": lambda x: min(max((x + 1) / 2, 0), 1),
    "keras squareplus": lambda x: (x + mp.sqrt(x * x + 4)) / 2,
    "keras tanh_shrink": lambda x: x - _tanh(x),
    "keras threshold": lambda x: x if x > 0.5 else mp.mpf(0),
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": _divide,
    "maximum": max,
    "minimum": min,
    "divide_no_nan": lambda x, y: x / y if y else mp.mpf(0),
    "multiply_no_nan": lambda x, y: x * y,
    "squared_difference": lambda x, y: (x - y) ** 2,
    "floormod": _floormod,
    "floordiv": _floordiv,
    "pow": _pow,
    "atan2": mp.atan2,
    "xlogy": lambda x, y: mp.mpf(0) if x == 0 else x * _log(y),
    "xlog1py": lambda x, y: mp.mpf(0) if x == 0 else x * (mp.log1p(y) if y > -1 else -mp.inf),
    "xdivy": lambda x, y: mp.mpf(0) if x == 0 else _divide(x, y),
    "sigmoid_cross_entropy": _sigmoid_cross_entropy,
    "weighted_cross_entropy": _weighted_cross_entropy,
    "log_poisson_loss": lambda z, x: mp.exp(x) - x * z,
    "zeta": lambda s, q: mp.zeta(s, q) if s > 1 else mp.inf,
    "polygamma": lambda n, x: mp.psi(int(n), x),
    "igamma": lambda a, x: mp.gammainc(a, 0, x, regularized=True),
    "igammac": lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True),
    "betainc": _betainc,
}


_OF_COMPLEX: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "angle": mp.arg,
    "reciprocal": lambda x: 1 / x,
    "rsqrt": lambda x: 1 / mp.sqrt(x),
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)) if mp.re(x) > 0 else mp.exp(x) / (1 + mp.exp(x)),
    "square": lambda x: x * x,
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "pow": lambda x, y: mp.exp(y * mp.log(x)),
    **{
        name: getattr(mp, name)
        for name in ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos")
    },
    **{name: getattr(mp, name) for name in ("atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh")},
}
_OF_COMPLEX_BITS = {"complex64": 600, "complex128": 2600}
"""Digits that keep sums of the largest and the smallest number."""


def value(function: Callable[..., Any], arguments: tuple[float, ...]) -> Any:
    """The function's value: with more digits until two precisions agree."""
    previous = None
    for bits in (160, 260, 520, 1300, 2600, 5200):
        with mp.workprec(bits):
            now = function(*map(mp.mpf, arguments))
            if previous is not None and (
                now == previous
                or (mp.isnan(now) and mp.isnan(previous))
                or (mp.isfinite(now) and mp.isfinite(previous) and abs(now - previous) <= abs(now) * mp.mpf(2) ** -90)
            ):
                return now
            previous = now
    raise ArithmeticError(f"no two precisions agree at {arguments}")


def exact(name: str, arguments: tuple[np.ndarray, ...]) -> list[Any]:
    """The exact values."""
    function = EXACT[name]
    return [value(function, tuple(map(float, each))) for each in zip(*arguments, strict=True)]


def distance(got: float, wanted: Any, dtype: str) -> float:
    """How far a result is from the exact value, in units of its last place; infinity stands for the power of two after the largest number."""
    if math.isnan(got) or mp.isnan(wanted):
        return 0.0 if math.isnan(got) and mp.isnan(wanted) else WRONG
    with mp.workprec(200):
        most = mp.ldexp(1, LARGEST[dtype])
        mine = mp.mpf(got) if math.isfinite(got) else most * (1 if got > 0 else -1)
        wanted = min(max(wanted, -most), most)
        exponent = mp.mag(wanted) - PRECISION[dtype] if wanted else SMALLEST[dtype]
        exponent = min(max(exponent, SMALLEST[dtype]), LARGEST[dtype] - PRECISION[dtype])
        return min(float(mp.ldexp(abs(mine - wanted), -int(exponent))), WRONG)


def errors(got: np.ndarray, wanted: list[Any], dtype: str) -> np.ndarray:
    """Distances of results."""
    return np.array([distance(float(x), y, dtype) for x, y in zip(got, wanted, strict=True)])


def errors_of_halves(got: np.ndarray, wanted: np.ndarray, dtype: str) -> np.ndarray:
    """Distances of results in a dtype of two bytes from float64 results, which are exact beside them."""
    most = 2.0 ** LARGEST[dtype]
    got, wanted = (np.clip(x.astype(np.float64), -most, most) for x in (got, wanted))
    exponent = np.frexp(wanted)[1] - PRECISION[dtype]
    exponent = np.clip(
        np.where(wanted == 0, SMALLEST[dtype], exponent), SMALLEST[dtype], LARGEST[dtype] - PRECISION[dtype]
    )
    with np.errstate(invalid="ignore"):
        distances = np.abs(got - wanted) / 2.0**exponent
    both = np.isnan(got) & np.isnan(wanted)
    return np.where(both, 0.0, np.where(np.isnan(got) != np.isnan(wanted), WRONG, np.minimum(distances, WRONG)))


def errors_of_complex(name: str, got: np.ndarray, arguments: tuple[np.ndarray, ...], dtype: str) -> np.ndarray:
    """Distances in the plane, in units of the last place of the exact number's size; 0 where that is no finite number of the dtype."""
    part, function = (
        {"complex64": "float32", "complex128": "float64"}[dtype],
        _OF_COMPLEX[name.removeprefix("complex ")],
    )
    found = []
    with mp.workprec(_OF_COMPLEX_BITS[dtype]):
        for result, each in zip(got, zip(*arguments, strict=True), strict=True):
            try:
                wanted = function(*[mp.mpc(complex(x)) for x in each])
            except (ZeroDivisionError, ValueError, OverflowError, mp.NoConvergence):  # a pole
                wanted = mp.nan
            if not mp.isfinite(wanted) or abs(wanted) >= mp.ldexp(1, LARGEST[part] - 1):
                found.append(0.0)
            elif not np.isfinite(result):
                found.append(WRONG)
            else:
                exponent = max(int(mp.mag(wanted)) - PRECISION[part], SMALLEST[part]) if wanted else SMALLEST[part]
                found.append(min(float(mp.ldexp(abs(mp.mpc(complex(result)) - wanted), -exponent)), WRONG))
    return np.array(found)
