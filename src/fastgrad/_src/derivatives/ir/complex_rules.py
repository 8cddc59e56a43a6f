"""Derivatives of functions of complex numbers: the complex derivative of each, a term of the operands and the value."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable

import numpy as np

from fastgrad._src.derivatives.ir.partials import call_operation
from fastgrad._src.derivatives.output.tree import Attribute
from fastgrad._src.scalars.formulas import ScalarOperation, Term
from fastgrad._src.scalars.terms import SELECT
from fastgrad._src.scalars.terms import abs as absolute

QUOTIENT = call_operation(np.divide, 2)
"""A division that raises nothing."""
_EXP, LOG, _SQRT, _SIN, _COS, _SINH, _COSH = [
    call_operation(f, 1) for f in (cmath.exp, cmath.log, cmath.sqrt, cmath.sin, cmath.cos, cmath.sinh, cmath.cosh)
]
COMPLEX = ScalarOperation("complex({0}, {1})", 2, name="complex")
PARTS = REAL, IMAG = Attribute("real"), Attribute("imag")
"""The complex number of two real ones, and its parts."""

Derivative = Callable[..., Term]
"""A derivative as a term: of the operands, then the value."""


def _derivative_of_tangent(z: Term) -> Term:
    secant = QUOTIENT(1.0, _COS(z))
    return SELECT(absolute(IMAG(z)) > 300.0, COMPLEX(0.0 * REAL(z), 0.0), secant * secant)


def _derivative_of_arcsine(z: Term) -> Term:
    """Returns the derivative of ``asin``, on the branch cuts on the side that the sign of 0 tells."""
    x, y = REAL(z), IMAG(z)
    return QUOTIENT(1.0, _SQRT(COMPLEX(1.0 - x, -y)) * _SQRT(COMPLEX(1.0 + x, y)))


def _derivative_of_area_cosine(z: Term) -> Term:
    x, y = REAL(z), IMAG(z)
    return QUOTIENT(1.0, _SQRT(COMPLEX(x - 1.0, y)) * _SQRT(COMPLEX(x + 1.0, y)))


def _times_i(z: Term) -> Term:
    return COMPLEX(-IMAG(z), REAL(z))


DERIVATIVES: dict[str, Derivative] = {
    "exp": lambda z, w: w,
    "exp2": lambda z, w: w * math.log(2.0),
    "expm1": lambda z, w: _EXP(z),
    "log": lambda z, w: QUOTIENT(1.0, z),
    "log2": lambda z, w: QUOTIENT(1.0 / math.log(2.0), z),
    "log10": lambda z, w: QUOTIENT(1.0 / math.log(10.0), z),
    "log1p": lambda z, w: QUOTIENT(1.0, 1.0 + z),
    "sqrt": lambda z, w: QUOTIENT(0.5, w),
    "sin": lambda z, w: _COS(z),
    "cos": lambda z, w: -_SIN(z),
    "tan": lambda z, w: _derivative_of_tangent(z),
    "sinh": lambda z, w: _COSH(z),
    "cosh": lambda z, w: _SINH(z),
    "tanh": lambda z, w: _derivative_of_tangent(_times_i(z)),
    "asin": lambda z, w: _derivative_of_arcsine(z),
    "acos": lambda z, w: -_derivative_of_arcsine(z),
    "atan": lambda z, w: QUOTIENT(1.0, 1.0 + z * z),
    "asinh": lambda z, w: _derivative_of_arcsine(_times_i(z)),
    "acosh": lambda z, w: _derivative_of_area_cosine(z),
    "atanh": lambda z, w: QUOTIENT(1.0, 1.0 - z * z),
    "reciprocal": lambda z, w: -w * w,
}
"""The derivatives of functions of ``z`` whose values are ``w``."""

DERIVATIVES_OF_QUOTIENT: tuple[Derivative, Derivative] = (
    lambda a, b, w: QUOTIENT(1.0, b),
    lambda a, b, w: -QUOTIENT(w, b),
)
DERIVATIVES_OF_POWER: tuple[Derivative, Derivative] = (
    lambda z, b, w: SELECT(b == 0, 0.0 * z, b * z ** (b - 1.0)),
    lambda z, b, w: SELECT(z == 0, 0.0 * z, w * LOG(z)),
)
