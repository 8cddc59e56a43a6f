"""``tf.math.special`` by SciPy: Bessel functions, Dawson's, exponential and Fresnel integrals, Spence's function."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.operation import Unary
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arithmetic import abs as absolute
from fastgrad._src.ops.arithmetic import add, multiply, negative, sign, subtract
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import less_equal, logical_not, masked
from fastgrad._src.ops.division import realdiv
from fastgrad._src.ops.error_function import from_scipy, scipy_operation
from fastgrad._src.ops.exponential import cos, exp, log, sin
from fastgrad._src.ops.power import square


def _special_operation(
    name: str,
    doc: str,
    slope: Callable[[Tensor, Tensor], Tensor],
    low: float = -np.inf,
    by_scipy: str | Callable[[np.ndarray], Any] | None = None,
    launches: tuple[Any, ...] | None = None,
) -> Any:
    """Declares a ``scipy_operation`` for numbers from ``low`` on, whose derivative is ``slope(y, x)``.

    Without ``by_scipy``, SciPy's function has the name of the operation.
    """

    def gradient(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
        return multiply(g, slope(y, x))

    return scipy_operation(name, doc, by_scipy or name, gradient, launches, domain=(low, np.inf))


def _polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """The polynomial in ``x`` with ``coefficients``, the constant term first."""
    total = multiply(x, coefficients[-1])
    for coefficient in reversed(coefficients[1:-1]):
        total = multiply(add(total, coefficient), x)
    return add(total, coefficients[0])


def _piecewise(inside: Tensor, x: Tensor, near: Callable[[Tensor], Tensor], far: Callable[[Tensor], Tensor]) -> Tensor:
    """``near(x)`` where ``inside`` is True, ``far(x)`` elsewhere, with derivatives of all orders."""
    outside = logical_not(inside)
    # Each formula gets 1 in place of elements of the other: both formulas have a value and derivatives at 1.
    near_argument, far_argument = (add(masked(x, mask), cast(logical_not(mask), x.dtype)) for mask in (inside, outside))
    return add(masked(near(near_argument), inside), masked(far(far_argument), outside))


_I1_OVER_X_SERIES = [1 / (2 * 4**k * math.factorial(k) * math.factorial(k + 1)) for k in range(11)]
"""I1(x) / x as a series in x**2 (DLMF 10.25.2); with alternating signs, J1(x) / x (DLMF 10.2.2)."""


def _divide_by_argument(function: Unary, series: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``function(x) / x``; a series for ``|x| <= 1``, where derivatives of the quotient suffer cancellation."""
    return _piecewise(less_equal(square(x), 1.0), x, series, lambda z: realdiv(function(z), z))


def _i1_series(z: Tensor) -> Tensor:
    return _polynomial(square(z), _I1_OVER_X_SERIES)


def _i1e_series(z: Tensor) -> Tensor:
    return multiply(exp(negative(absolute(z))), _i1_series(z))


def _j1_series(z: Tensor) -> Tensor:
    return _polynomial(negative(square(z)), _I1_OVER_X_SERIES)


_ATANH_SERIES = [1 / (2 * k + 1) for k in range(13)]
"""atanh(w) / w as a series in w**2."""


def _spence_slope(x: Tensor) -> Tensor:
    """``log(x) / (1 - x)``; near 1 by the series of ``log(x) = 2 atanh((x - 1) / (x + 1))``."""
    is_near_one = less_equal(square(subtract(x, 1.0)), 0.1)

    def by_series(z: Tensor) -> Tensor:
        w = realdiv(subtract(z, 1.0), add(z, 1.0))
        return realdiv(multiply(_polynomial(square(w), _ATANH_SERIES), -2.0), add(z, 1.0))

    return _piecewise(is_near_one, x, by_series, lambda z: realdiv(log(z), subtract(1.0, z)))


# ---- Bessel functions (derivatives: DLMF 10.6 and 10.29) ----------------------------------------------

_BESSEL_FUNCTIONS = {
    "i": "The modified Bessel function of the first kind",
    "j": "The Bessel function of the first kind",
    "k": "The modified Bessel function of the second kind",
    "y": "The Bessel function of the second kind",
}


def _bessel_operation(name: str, slope: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """Declares a Bessel function: ``name`` is SciPy's, such as "i0"; the functions "i0e" are scaled by an exponential."""
    letter, order, is_scaled = name[0], name[1], name.endswith("e")
    scaled_text = f"``exp({'-|x|' if letter == 'i' else 'x'}) * bessel_{letter}{order}(x)``"
    summary = scaled_text if is_scaled else f"{_BESSEL_FUNCTIONS[letter]} of order {order}"
    is_of_positive = letter in "ky"
    return _special_operation(
        f"bessel_{name}",
        f"{summary}, element by element{', for ``x > 0``' if is_of_positive else ''}.",
        slope,
        low=0.0 if is_of_positive else -np.inf,
        by_scipy=name,
        launches=("make_wide_launches", "bessel", name) if letter in "ik" else None,
    )


bessel_i0 = _bessel_operation("i0", lambda y, x: bessel_i1(x))
bessel_i0e = _bessel_operation("i0e", lambda y, x: subtract(bessel_i1e(x), multiply(sign(x), y)))
bessel_i1: Unary = _bessel_operation(
    "i1", lambda y, x: subtract(bessel_i0(x), _divide_by_argument(bessel_i1, _i1_series, x))
)
bessel_i1e: Unary = _bessel_operation(
    "i1e",
    lambda y, x: subtract(bessel_i0e(x), add(_divide_by_argument(bessel_i1e, _i1e_series, x), multiply(y, sign(x)))),
)
bessel_j0 = _bessel_operation("j0", lambda y, x: negative(bessel_j1(x)))
bessel_j1: Unary = _bessel_operation(
    "j1", lambda y, x: subtract(bessel_j0(x), _divide_by_argument(bessel_j1, _j1_series, x))
)
bessel_k0 = _bessel_operation("k0", lambda y, x: negative(bessel_k1(x)))
bessel_k0e = _bessel_operation("k0e", lambda y, x: subtract(y, bessel_k1e(x)))
bessel_k1: Unary = _bessel_operation("k1", lambda y, x: negative(add(bessel_k0(x), realdiv(y, x))))
bessel_k1e: Unary = _bessel_operation(
    "k1e", lambda y, x: subtract(multiply(y, subtract(1, realdiv(1, x))), bessel_k0e(x))
)
bessel_y0 = _bessel_operation("y0", lambda y, x: negative(bessel_y1(x)))
bessel_y1: Unary = _bessel_operation("y1", lambda y, x: subtract(bessel_y0(x), realdiv(y, x)))

# ---- integrals -----------------------------------------------------------------------------------------

dawsn = _special_operation(
    "dawsn",
    "Dawson's integral: ``exp(-x**2)`` times the integral of ``exp(t**2)`` from 0 to ``x``, element by element.",
    lambda y, x: subtract(1.0, multiply(multiply(x, y), 2.0)),
    launches=("dawsn_launches",),
)
expint = _special_operation(
    "expint",
    "The exponential integral: that of ``exp(t) / t`` from -inf to ``x``, element by element, for ``x >= 0``; NaN below.",
    lambda y, x: realdiv(exp(x), x),
    low=0.0,
    by_scipy=lambda x: from_scipy("expi")(np.where(x < 0, x.dtype.type(np.nan), x)),
    launches=("expint_launches",),
)


def _make_fresnel_run(which: int) -> Callable[[np.ndarray], np.ndarray]:
    fresnel_integrals = from_scipy("fresnel")

    def fresnel_integral(x: np.ndarray) -> Any:
        if x.dtype.itemsize > 2:
            return fresnel_integrals(x)[which]
        return np.asarray(fresnel_integrals(x.astype(np.float32))[which]).astype(x.dtype)

    return fresnel_integral


def _fresnel_operation(name: str, of: str, number: int, function: Unary) -> Any:
    """Declares a Fresnel integral; ``number`` is its position among the results of SciPy's function."""
    return _special_operation(
        name,
        f"Fresnel's {of} integral: that of ``{function.name}(pi t**2 / 2)`` from 0 to ``x``, element by element.",
        lambda y, x: function(multiply(square(x), math.pi / 2)),
        launches=("make_fresnel_launches", number),
        by_scipy=_make_fresnel_run(number),
    )


fresnel_cos = _fresnel_operation("fresnel_cos", "cosine", 1, cos)
fresnel_sin = _fresnel_operation("fresnel_sin", "sine", 0, sin)
spence = _special_operation(
    "spence",
    "Spence's function: minus the integral of ``log(t) / (t - 1)`` from 1 to ``x``, element by element; NaN below 0.",
    lambda y, x: _spence_slope(x),
    low=0.0,
    launches=("spence_launches",),
)
