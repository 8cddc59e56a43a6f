"""The gamma function's family: lgamma, digamma, polygamma, zeta, incomplete gamma and beta; SciPy computes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.operand_errors import mixed_dtypes_error, shapes_error
from fastgrad._src.core.operation import FLOAT_DTYPES, Binary, Form, Unary
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops.arguments import check_dtype, tensors_of
from fastgrad._src.ops.arithmetic import add, multiply, negative, subtract
from fastgrad._src.ops.error_function import from_scipy, scipy_operation
from fastgrad._src.ops.exponential import exp, xlog1py, xlogy
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, launches_from
from fastgrad._src.scalars import terms

_gammaln = from_scipy("gammaln")


lgamma = scipy_operation(
    "lgamma",
    "The logarithm of the gamma function's absolute value, element by element: inf at 0, -1, -2 ...",
    lambda x: np.where(np.isneginf(x), x.dtype.type(np.inf), _gammaln(x)),
    None,
    ("lgamma_launches",),
    term=terms.lgamma,
)
_digamma = from_scipy("digamma")


def _digamma_without_poles(x: np.ndarray) -> np.ndarray:
    return np.where((x <= 0) & (x == np.floor(x)), x.dtype.type(np.nan), _digamma(x))


digamma: Unary = scipy_operation(
    "digamma",
    "The derivative of ``lgamma``, element by element: NaN at 0, -1, -2 ...",
    _digamma_without_poles,
    lambda g, y, x: multiply(g, polygamma(constant_tensor(np.ones((), x._array.dtype)), x)),
    ("digamma_launches",),
    domain=(0.0, np.inf),
)
_scipy_zeta, _scipy_gamma = from_scipy("zeta"), from_scipy("gamma")


def _hurwitz_zeta(x: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Hurwitz's zeta function; NaN at the poles unless the exponent is even, as in TensorFlow."""
    at_pole = (q <= 0) & (q == np.floor(q)) & (np.remainder(x, x.dtype.type(2)) != 0)
    return np.where(at_pole, x.dtype.type(np.nan), _scipy_zeta(x, q))


def _polygamma_by_zeta(n: np.ndarray, x: np.ndarray) -> np.ndarray:
    sign = np.where(n % 2 == 0, n.dtype.type(-1), n.dtype.type(1))
    derivatives = sign * _scipy_gamma(n + n.dtype.type(1)) * _hurwitz_zeta(n + n.dtype.type(1), x)
    is_whole = (n >= 0) & (n == np.floor(n))
    return np.where(n == 0, _digamma_without_poles(x), np.where(is_whole, derivatives, n.dtype.type(np.nan)))


_polygamma: Binary = scipy_operation(
    "polygamma",
    "The derivative of order ``x`` of ``digamma`` at ``y``.",
    _polygamma_by_zeta,
    (None, lambda g, z, x, y: multiply(g, _polygamma(add(x, 1), y))),
    ("polygamma_launches",),
    inputs=2,
    dtypes=KERNEL_FLOATS,
    domain=(0.0, np.inf),
)


def polygamma(a: Any, x: Any, name: str | None = None) -> Tensor:
    """The derivative of order ``a`` of ``digamma``, element by element, broadcast; no gradient with respect to ``a``.

    Args:
        a: whole numbers from 0; others give NaN.
        x: the points of evaluation, of the same dtype, float32 or float64.
        name: kept for TensorFlow's signature.
    """
    return _polygamma(a, x)


_zeta: Binary = scipy_operation(
    "zeta",
    "Hurwitz's zeta function.",
    _hurwitz_zeta,
    (None, lambda g, z, x, y: multiply(g, multiply(negative(x), _zeta(add(x, 1), y)))),
    ("zeta_launches",),
    inputs=2,
    dtypes=KERNEL_FLOATS,
    domain=(1.0, np.inf),
)


def zeta(x: Any, q: Any, name: str | None = None) -> Tensor:
    """Hurwitz's zeta function: the sum of ``(q + n)**-x`` over n = 0, 1, 2 ..., element by element, broadcast.

    No gradient flows to ``x``.

    Args:
        x: exponents, above 1; float32 or float64.
        q: offsets, of the same dtype.
        name: kept for TensorFlow's signature.
    """
    return _zeta(x, q)


# ---- incomplete gamma ----------------------------------------------------------------------------------


def _gamma_density(a: Tensor, x: Tensor) -> Tensor:
    """``x**(a-1) exp(-x) / gamma(a)``."""
    return exp(subtract(subtract(xlogy(subtract(a, 1), x), x), lgamma(a)))


def _gammainc_slope(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The derivative of the regularised lower incomplete gamma function by ``a``, term by term of its series.

    P(a, x) = x**a exp(-x) / gamma(a + 1) * (1 + x/(a+1) + x**2/((a+1)(a+2)) + ...); DLMF 8.11.4.
    """
    dtype = a.dtype
    a, x = np.broadcast_arrays(a.astype(np.float64), x.astype(np.float64))
    from scipy import special

    in_domain = (a > 0) & (x >= 0) & np.isfinite(a)
    in_series_range = in_domain & (x > 0) & (x < a + 60 + 12 * np.sqrt(np.maximum(a, 1)) * 3)
    safe_a, safe_x = np.where(in_series_range, a, 1.0), np.where(in_series_range, x, 1.0)
    term = np.ones_like(safe_a)  # of the series; its derivative is minus the term times a harmonic sum
    harmonic = np.zeros_like(safe_a)
    total, slope = term.copy(), np.zeros_like(safe_a)
    for n in range(1, 200_000):
        term = term * (safe_x / (safe_a + n))
        harmonic = harmonic + 1 / (safe_a + n)
        total += term
        slope_term = term * harmonic
        slope -= slope_term
        if n > 2 and not ((slope_term > 1e-17 * np.abs(slope)) & (term > 1e-17 * total)).any():
            break
    prefactor = np.exp(special.xlogy(safe_a, safe_x) - safe_x - special.gammaln(safe_a + 1))
    result = prefactor * (slope + total * (np.log(safe_x) - special.digamma(safe_a + 1)))
    return np.where(in_series_range, result, np.where(in_domain, 0.0, np.nan)).astype(dtype)


_igamma_slope = Binary(
    "igamma_slope",
    _gammainc_slope,
    form=Form.ELEMENTWISE,
    dtypes=FLOAT_DTYPES,
    doc="The derivative of ``igamma`` with respect to its first argument.",
    launches=launches_from("elementwise.elementwise", "igamma_slope_launches"),
)
_igamma = scipy_operation(
    "igamma",
    "The regularised lower incomplete gamma function.",
    "gammainc",
    (
        lambda g, z, x, y: multiply(g, _igamma_slope(x, y)),
        lambda g, z, x, y: multiply(g, _gamma_density(x, y)),
    ),
    inputs=2,
    domain=(0.0, np.inf),
)
_igammac = scipy_operation(
    "igammac",
    "The regularised upper incomplete gamma function.",
    "gammaincc",
    (
        lambda g, z, x, y: negative(multiply(g, _igamma_slope(x, y))),
        lambda g, z, x, y: negative(multiply(g, _gamma_density(x, y))),
    ),
    inputs=2,
    domain=(0.0, np.inf),
)


def igamma(a: Any, x: Any, name: str | None = None) -> Tensor:
    """The regularised lower incomplete gamma function, element by element, broadcast.

    It is NaN where ``a`` or ``x`` is negative.

    Args:
        a, x: tensors of one floating dtype.
        name: kept for TensorFlow's signature.
    """
    return _igamma(a, x)


def igammac(a: Any, x: Any, name: str | None = None) -> Tensor:
    """``1 - igamma(a, x)``, exact where the result is small, element by element, broadcast.

    Args:
        a, x: tensors of one floating dtype.
        name: kept for TensorFlow's signature.
    """
    return _igammac(a, x)


# ---- beta ----------------------------------------------------------------------------------------------


def _betainc_gradient(g: Tensor, z: Tensor, a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    log_beta = subtract(add(lgamma(a), lgamma(b)), lgamma(add(a, b)))
    density = exp(subtract(add(xlogy(subtract(a, 1), x), xlog1py(subtract(b, 1), negative(x))), log_beta))
    return multiply(g, density)


_betainc = scipy_operation(
    "betainc",
    "The regularised incomplete beta function of ``a``, ``b`` at ``x``.",
    "betainc",
    (None, None, _betainc_gradient),
    inputs=3,
    dtypes=KERNEL_FLOATS,
    domain=(0.0, 1.0),
)


def betainc(a: Any, b: Any, x: Any, name: str | None = None) -> Tensor:
    """The regularised incomplete beta function, element by element, broadcast; gradients flow to ``x`` only.

    Args:
        a, b: positive parameters; float32 or float64.
        x: the points of evaluation, from 0 to 1, of the same dtype.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: other dtypes, or shapes that do not broadcast.
    """
    xs = tensors_of([a, b, x], "betainc")
    dtype = xs[0]._array.dtype
    check_dtype("betainc", dtype, KERNEL_FLOATS)
    for other in xs[1:]:
        if other._array.dtype != dtype:
            raise mixed_dtypes_error("betainc", dtype, other._array.dtype)
        try:
            np.broadcast_shapes(*[y._array.shape for y in xs])
        except ValueError:
            raise shapes_error("betainc", xs[0].shape, other.shape) from None
    return _betainc(*xs)
