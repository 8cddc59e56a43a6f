"""The table of scalar functions: definition, partial derivatives, cost and other properties of each operator and function.

The partial of an operand is a function. It maps the cotangent ``g`` of the result, the result and the operands to the cotangent of that operand.
Element-wise rows of the operation table get their gradients from them (core/gradient_of_terms.py), and so do Numba functions
(derivatives/ir/scalar_rules.py). ``conj`` is the number itself where it is real.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from fastgrad._src.scalars.constants import (
    ROOT_HALF_OVER_PI,
    SELU_SCALE,
    SELU_SCALED_ALPHA,
    TANH_GELU_CUBIC,
)
from fastgrad._src.scalars.formulas import (
    AT_INFINITY,
    CHEAP_COST,
    DIVISION_COST,
    FUNCTION_COST,
    OPERATORS,
    ScalarOperation,
    Singularity,
    Term,
)

# ---- operators ----------------------------------------------------------------------------------------------------

ADD = ScalarOperation(
    "({0} + {1})", 2, is_speculatable=True, keeps_naturals=True, partials=(lambda g, z, x, y: g, lambda g, z, x, y: g)
)
SUBTRACT = ScalarOperation(
    "({0} - {1})", 2, is_speculatable=True, partials=(lambda g, z, x, y: g, lambda g, z, x, y: -g)
)
MULTIPLY = ScalarOperation(
    "({0} * {1})",
    2,
    is_speculatable=True,
    keeps_naturals=True,
    flat_at=Singularity.ROOT,
    partials=(lambda g, z, x, y: g * conj(y), lambda g, z, x, y: g * conj(x)),
)
DIVIDE = ScalarOperation(
    "({0} / {1})",
    2,
    cost=DIVISION_COST,
    flat_at=AT_INFINITY,
    partials=(lambda g, z, x, y: g / conj(y), lambda g, z, x, y: -(g * conj(z / y))),
)
FLOOR_DIVIDE = ScalarOperation("({0} // {1})", 2, cost=DIVISION_COST, keeps_naturals=True)
REMAINDER = ScalarOperation(
    "({0} % {1})",
    2,
    cost=DIVISION_COST,
    keeps_naturals=True,
    partials=(lambda g, z, x, y: g, lambda g, z, x, y: -(g * floordiv(x, y))),
)
# Multiplies the cotangent by the exponent first, as TensorFlow does: the exponent times the power could overflow where the cotangent is 0.
# For the exponent 0 the power is 1, not infinite, so that polynomials have all derivatives at 0.
_PARTIALS_OF_POWER = (
    lambda g, z, x, y: (g * conj(y)) * conj(pow(x, (y - 1) + cast_like(y == 0, y))),
    lambda g, z, x, y: g * conj(z * log_of_base(x)),
)
POWER = ScalarOperation("({0} ** {1})", 2, cost=FUNCTION_COST, is_singular_at_0_only=True, partials=_PARTIALS_OF_POWER)
NEGATIVE = ScalarOperation("(-{0})", 1, is_speculatable=True, partials=(lambda g, y, x: -g,))
POSITIVE = ScalarOperation("(+{0})", 1, is_speculatable=True, partials=(lambda g, y, x: g,))
LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, EQUAL, NOT_EQUAL = [
    ScalarOperation(f"({{0}} {symbol} {{1}})", 2) for symbol in ("<", "<=", ">", ">=", "==", "!=")
]
NOT = ScalarOperation("(not {0})", 1)
AND = ScalarOperation("({0} and {1})", 2)
OR = ScalarOperation("({0} or {1})", 2)
SELECT = ScalarOperation("({1} if {0} else {2})", 3)
COMPARISONS = frozenset([LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, EQUAL, NOT_EQUAL])

OPERATORS |= {
    operator.add: ADD,
    operator.sub: SUBTRACT,
    operator.mul: MULTIPLY,
    operator.truediv: DIVIDE,
    operator.floordiv: FLOOR_DIVIDE,
    operator.mod: REMAINDER,
    operator.pow: POWER,
    operator.lt: LESS,
    operator.le: LESS_EQUAL,
    operator.gt: GREATER,
    operator.ge: GREATER_EQUAL,
    operator.eq: EQUAL,
    operator.ne: NOT_EQUAL,
    operator.and_: ScalarOperation("({0} & {1})", 2),
    operator.or_: ScalarOperation("({0} | {1})", 2),
    operator.xor: ScalarOperation("({0} ^ {1})", 2),
    operator.lshift: ScalarOperation("({0} << {1})", 2),
    operator.rshift: ScalarOperation("({0} >> {1})", 2),
    operator.neg: NEGATIVE,
    operator.pos: POSITIVE,
    operator.invert: ScalarOperation("(~{0})", 1),
    operator.not_: NOT,
}

# ---- functions ----------------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, ScalarOperation] = {}
"""The scalar functions by name."""
OTHER_NAMES: dict[str, str] = {}
"""Maps names of ``math``, NumPy and SciPy to the names of the same functions here, where the two differ."""


def _function_of(
    name: str, arity: int = 1, cost: int = FUNCTION_COST, other_names: tuple[str, ...] = (), **facts: Any
) -> ScalarOperation:
    """Declares a scalar function.

    Args:
        name: its name in formulas.
        arity: the number of its operands.
        cost: of computing it, where an addition costs 1.
        other_names: its names in ``math``, NumPy and ``scipy.special``, where they differ.
        **facts: further attributes of `ScalarOperation`.
    """
    FUNCTIONS[name] = _call_of(name, arity, cost=cost, **facts)
    OTHER_NAMES.update(dict.fromkeys(other_names, name))
    return FUNCTIONS[name]


def _call_of(name: str, arity: int, **facts: Any) -> ScalarOperation:
    operands = ", ".join(f"{{{number}}}" for number in range(arity))
    return ScalarOperation(f"{name}({operands})", arity, name=name, **facts)


def _declare_row_function(definition: Callable[..., Any], name: str, **facts: Any) -> ScalarOperation:
    """Declares a function that rows of the operation table, and partials, compute, and whose name formulas of users cannot call."""
    return _call_of(name, definition.__code__.co_argcount, definition=definition, **facts)


def names_of(name: str) -> list[str]:
    """Returns all names of the scalar function that has a name in formulas."""
    return [name, *[other_name for other_name, own_name in OTHER_NAMES.items() if own_name == name]]


_ROOT: dict[str, Any] = {"singularity": Singularity.ROOT}
_LOGARITHM: dict[str, Any] = {"singularity": Singularity.LOGARITHM, "flat_at": AT_INFINITY}
_EXPONENTIAL: dict[str, Any] = {"flat_at": Singularity.LOGARITHM}
_CONSTANT = (lambda g, y, x: 0,)
"""The partial of a function that is constant but for jumps."""

logical_and, logical_or, logical_not = AND, OR, NOT
where: ScalarOperation = _function_of(
    "where",
    3,
    CHEAP_COST,
    partials=(None, lambda g, z, keep, x, y: masked(g, keep), lambda g, z, keep, x, y: masked(g, logical_not(keep))),
)
cast: ScalarOperation = _function_of("cast", 1, CHEAP_COST)
"""The conversion to the dtype of the row's result."""
abs: ScalarOperation = _function_of(
    "abs",
    1,
    CHEAP_COST,
    ("absolute", "fabs"),
    is_never_negative=True,
    flat_at=Singularity.ROOT,
    partials=(lambda g, y, x: cast_like(g, x) * sign(x),),
)
sign: ScalarOperation = _function_of("sign", 1, CHEAP_COST, partials=_CONSTANT)
floor, ceil, rint, isnan, isinf, isfinite = [
    _function_of(name, 1, CHEAP_COST) for name in ("floor", "ceil", "rint", "isnan", "isinf", "isfinite")
]
maximum: ScalarOperation = _function_of(
    "maximum",
    2,
    CHEAP_COST,
    partials=(lambda g, z, x, y: masked(g, x >= y), lambda g, z, x, y: masked(g, logical_not(x >= y))),
)
minimum: ScalarOperation = _function_of(
    "minimum",
    2,
    CHEAP_COST,
    partials=(lambda g, z, x, y: masked(g, x <= y), lambda g, z, x, y: masked(g, logical_not(x <= y))),
)
clip: ScalarOperation = _function_of(
    "clip",
    3,
    partials=(
        lambda g, y, x, low, high: masked(masked(g, maximum(x, low) <= high), x >= low),
        lambda g, y, x, low, high: masked(masked(g, maximum(x, low) <= high), logical_not(x >= low)),
        lambda g, y, x, low, high: masked(g, logical_not(maximum(x, low) <= high)),
    ),
)
copysign: ScalarOperation = _function_of(
    "copysign", 2, partials=(lambda g, z, x, y: g * (sign(x) * copysign(1, y)), lambda g, z, x, y: 0)
)
square: ScalarOperation = _function_of(
    "square",
    1,
    CHEAP_COST,
    definition=lambda x: x * x,
    is_never_negative=True,
    flat_at=Singularity.ROOT,
    partials=(lambda g, y, x: g * (conj(x) * 2),),
)
reciprocal: ScalarOperation = _function_of(
    "reciprocal",
    1,
    CHEAP_COST,
    definition=lambda x: 1 / x,
    singularity=Singularity.POLE,
    flat_at=AT_INFINITY,
    partials=(lambda g, y, x: reciprocal_gradient(g, conj(y)),),
)
sqrt: ScalarOperation = _function_of(
    "sqrt",
    1,
    DIVISION_COST,
    **_ROOT,
    is_singular_at_0_only=True,
    is_never_negative=True,
    flat_at=AT_INFINITY,
    partials=(lambda g, y, x: sqrt_gradient(g, conj(y)),),
)
cbrt: ScalarOperation = _function_of(
    "cbrt", **_ROOT, is_singular_at_0_only=True, flat_at=AT_INFINITY, partials=(lambda g, y, x: g / (3 * y * y),)
)
exp: ScalarOperation = _function_of(
    "exp", is_never_negative=True, **_EXPONENTIAL, partials=(lambda g, y, x: g * conj(y),)
)
exp2: ScalarOperation = _function_of("exp2", partials=(lambda g, y, x: g * (y * math.log(2)),))
expm1: ScalarOperation = _function_of("expm1", **_EXPONENTIAL, partials=(lambda g, y, x: g * conj(exp(x)),))
log: ScalarOperation = _function_of(
    "log", is_singular_at_0_only=True, **_LOGARITHM, partials=(lambda g, y, x: g * conj(reciprocal(x)),)
)
log1p: ScalarOperation = _function_of("log1p", **_LOGARITHM, partials=(lambda g, y, x: g * conj(reciprocal(x + 1)),))
_LOG: dict[str, Any] = {"is_singular_at_0_only": True, **_LOGARITHM}
log2: ScalarOperation = _function_of(
    "log2", **_LOG, partials=(lambda g, y, x: g * (reciprocal(x) * (1 / math.log(2))),)
)
log10: ScalarOperation = _function_of(
    "log10", **_LOG, partials=(lambda g, y, x: g * (reciprocal(x) * (1 / math.log(10))),)
)


def _logaddexp_cotangent(g: Any, z: Any, x: Any, difference: Any) -> Term:
    """Returns ``g`` times the share of ``x`` in the result ``z``, by a difference of operands: that of ``z`` would lose digits.

    Both operands may be -inf: then the share is 1.
    """
    return SELECT(x - x == 0, g * sigmoid(difference), SELECT(x != z, g * exp(x - z), g))


logaddexp: ScalarOperation = _function_of(
    "logaddexp",
    2,
    flat_at=Singularity.LOGARITHM,
    partials=(
        lambda g, z, x, y: _logaddexp_cotangent(g, z, x, x - y),
        lambda g, z, x, y: _logaddexp_cotangent(g, z, y, y - x),
    ),
)
logaddexp2: ScalarOperation = _function_of(
    "logaddexp2",
    2,
    flat_at=Singularity.LOGARITHM,
    partials=(
        lambda g, z, x, y: _logaddexp_cotangent(g, z, x, (x - y) * math.log(2)),
        lambda g, z, x, y: _logaddexp_cotangent(g, z, y, (y - x) * math.log(2)),
    ),
)
sin: ScalarOperation = _function_of("sin", partials=(lambda g, y, x: g * conj(cos(x)),))
cos: ScalarOperation = _function_of("cos", partials=(lambda g, y, x: -(g * conj(sin(x))),))
tan: ScalarOperation = _function_of("tan", partials=(lambda g, y, x: g * conj(square(y) + 1),))
asin: ScalarOperation = _function_of(
    "asin", other_names=("arcsin",), **_ROOT, partials=(lambda g, y, x: g * conj(rsqrt(one_minus_square(x))),)
)
acos: ScalarOperation = _function_of(
    "acos", other_names=("arccos",), **_ROOT, partials=(lambda g, y, x: -(g * conj(rsqrt(one_minus_square(x)))),)
)
atan: ScalarOperation = _function_of(
    "atan",
    other_names=("arctan",),
    flat_at=AT_INFINITY,
    partials=(lambda g, y, x: g * conj(reciprocal(square(x) + 1)),),
)
sinh: ScalarOperation = _function_of("sinh", partials=(lambda g, y, x: g * conj(cosh(x)),))
cosh: ScalarOperation = _function_of("cosh", partials=(lambda g, y, x: g * conj(sinh(x)),))
tanh: ScalarOperation = _function_of("tanh", **_EXPONENTIAL, partials=(lambda g, y, x: g * conj(1 - square(y)),))
asinh: ScalarOperation = _function_of(
    "asinh", other_names=("arcsinh",), flat_at=AT_INFINITY, partials=(lambda g, y, x: g / conj(cosh(y)),)
)
acosh: ScalarOperation = _function_of(
    "acosh", other_names=("arccosh",), **_ROOT, partials=(lambda g, y, x: g / conj(sinh(y)),)
)
atanh: ScalarOperation = _function_of(
    "atanh",
    other_names=("arctanh",),
    singularity=Singularity.LOGARITHM,
    partials=(lambda g, y, x: g * conj(reciprocal(one_minus_square(x))),),
)
erf: ScalarOperation = _function_of(
    "erf", **_EXPONENTIAL, partials=(lambda g, y, x: g * (exp(-square(x)) * (2 / math.sqrt(math.pi))),)
)
erfc: ScalarOperation = _function_of(
    "erfc", **_EXPONENTIAL, partials=(lambda g, y, x: g * (exp(-square(x)) * (-2 / math.sqrt(math.pi))),)
)
lgamma: ScalarOperation = _function_of("lgamma", other_names=("gammaln",), partials=(lambda g, y, x: g * digamma(x),))
digamma: ScalarOperation = _function_of("digamma", other_names=("psi",))
atan2: ScalarOperation = _function_of(
    "atan2",
    2,
    other_names=("arctan2",),
    partials=(
        lambda g, z, x, y: g * (y / hypot(x, y) / hypot(x, y)),
        lambda g, z, x, y: -(g * (x / hypot(x, y) / hypot(x, y))),
    ),
)
hypot: ScalarOperation = _function_of(
    "hypot", 2, partials=(lambda g, z, x, y: g * divide_no_nan(x, z), lambda g, z, x, y: g * divide_no_nan(y, z))
)
pow: ScalarOperation = _function_of(
    "pow", 2, other_names=("power", "float_power"), is_singular_at_0_only=True, partials=_PARTIALS_OF_POWER
)
fmod: ScalarOperation = _function_of(
    "fmod", 2, partials=(lambda g, z, x, y: g, lambda g, z, x, y: -(g * rint((x - z) / y)))
)
nextafter: ScalarOperation = _function_of("nextafter", 2, partials=(lambda g, z, x, y: g, lambda g, z, x, y: 0))
degrees: ScalarOperation = _function_of(
    "degrees", other_names=("rad2deg",), partials=(lambda g, y, x: g * (180 / math.pi),)
)
radians: ScalarOperation = _function_of(
    "radians", other_names=("deg2rad",), partials=(lambda g, y, x: g * (math.pi / 180),)
)
log1p_of_fraction: ScalarOperation = _function_of("log1p_of_fraction", definition=log1p)
"""``log1p`` of a number between 0 and 1."""
sigmoid: ScalarOperation = _function_of(
    "sigmoid",
    other_names=("expit",),
    definition=lambda x: 1 / (1 + exp(-x)),
    **_EXPONENTIAL,
    partials=(lambda g, y, x: g * conj(y * (1 - y)),),
)
log_sigmoid: ScalarOperation = _function_of(
    "log_sigmoid",
    definition=lambda x: minimum(x, 0) - log1p(exp(-abs(x))),
    **_EXPONENTIAL,
    partials=(lambda g, y, x: g * sigmoid(-x),),
)
softplus: ScalarOperation = _function_of(
    "softplus",
    definition=lambda x: maximum(x, 0) + log1p(exp(-abs(x))),
    **_EXPONENTIAL,
    partials=(lambda g, y, x: g * sigmoid(x),),
)
# Computed from x, not from the result, so that it has a derivative; at 0 the second derivative is 0.
elu_of: ScalarOperation = _function_of(
    "elu_of",
    definition=lambda x: where(x >= 0, x, expm1(minimum(x, 0))),
    partials=(lambda g, y, x: g * exp(minimum(0, x)),),
)
selu_of: ScalarOperation = _function_of(
    "selu_of",
    definition=lambda x: where(x >= 0, SELU_SCALE * x, SELU_SCALED_ALPHA * expm1(minimum(x, 0))),
    partials=(lambda g, y, x: g * selu_slope(x),),
)
selu_slope: ScalarOperation = _function_of(
    "selu_slope",
    definition=lambda x: where(x >= 0, SELU_SCALE, SELU_SCALED_ALPHA * exp(minimum(x, 0))),
    partials=(lambda g, y, x: g * y * cast_like(x < 0, x),),
)


def _sigmoid_error(x: Any, z: Any) -> Term:
    """Returns ``sigmoid(x) - z`` from the smaller one of ``sigmoid(x)`` and ``sigmoid(-x)``, which keeps its digits."""
    smaller = sigmoid(where(x >= 0, -x, x))
    return where(x >= 0, (1 - z) - smaller, smaller - z)


sigmoid_cross_entropy_of: ScalarOperation = _function_of(
    "sigmoid_cross_entropy_of",
    2,
    definition=lambda x, z: maximum(x, 0) - x * z + log1p(exp(-abs(x))),
    partials=(lambda g, y, x, z: g * _sigmoid_error(x, z), lambda g, y, x, z: -(g * x)),
)
"""Of a logit ``x`` and a label ``z``."""
_SQRT_HALF = 0.7071067811865476
gelu_of: ScalarOperation = _function_of(
    "gelu_of",
    definition=lambda x: where(x < -40.0, 0.0, 0.5 * x * erfc(x * -_SQRT_HALF)),
    partials=(lambda g, y, x: gelu_gradient(g, x),),
)
"""``x`` times the normal distribution function of ``x``."""
gelu_slope: ScalarOperation = _function_of(
    "gelu_slope",
    definition=lambda x: where(
        x < -40.0, 0.0, where(x > 40.0, 1.0, 0.5 * erfc(x * -_SQRT_HALF) + x * exp(-0.5 * x * x) * ROOT_HALF_OVER_PI)
    ),
    partials=(lambda g, y, x: g * _gelu_second_derivative(x),),
)
_SQRT_2_OVER_PI, _TWICE_SQRT_2_OVER_PI = 0.7978845608028654, 1.5957691216057308
gelu_tanh_of: ScalarOperation = _function_of(
    "gelu_tanh_of",
    definition=lambda x: where(
        x < -40.0, 0.0, x / (1.0 + exp(-_TWICE_SQRT_2_OVER_PI * (x + TANH_GELU_CUBIC * x * x * x)))
    ),
    partials=(lambda g, y, x: gelu_tanh_gradient(g, x),),
)
"""``gelu_of`` by a sigmoid of a polynomial, which is Hendrycks and Gimpel's formula by ``tanh``."""


def _gelu_tanh_slope(x: Any) -> Term:
    exponent = x + TANH_GELU_CUBIC * x * x * x
    of_sigmoid = (
        _TWICE_SQRT_2_OVER_PI * x * (1.0 + 3 * TANH_GELU_CUBIC * x * x) / (1.0 + exp(_TWICE_SQRT_2_OVER_PI * exponent))
    )
    return where(
        x < -40.0, 0.0, where(x > 40.0, 1.0, (1.0 + of_sigmoid) / (1.0 + exp(-_TWICE_SQRT_2_OVER_PI * exponent)))
    )


gelu_tanh_slope: ScalarOperation = _function_of(
    "gelu_tanh_slope", definition=_gelu_tanh_slope, partials=(lambda g, y, x: g * _gelu_tanh_second_derivative(x),)
)


def _gelu_second_derivative(x: Any) -> Term:
    """Returns ``(2 - x^2) * exp(-x^2 / 2) / sqrt(2 pi)``; beyond 40, where it is 0, powers of ``x`` would overflow."""
    x = minimum(maximum(x, -40), 40)
    squared = x * x
    return (2 - squared) * exp(squared * -0.5) * ROOT_HALF_OVER_PI


def _gelu_tanh_second_derivative(x: Any) -> Term:
    """Returns the second derivative of ``x / 2 * (1 + tanh(u(x)))`` with ``u = sqrt(2 / pi) * (x + 0.044715 x^3)``."""
    x = minimum(maximum(x, -16), 16)
    squared = x * x
    t = tanh(_SQRT_2_OVER_PI * (x + TANH_GELU_CUBIC * (squared * x)))
    u1 = _SQRT_2_OVER_PI * (1 + 3 * TANH_GELU_CUBIC * squared)
    u2 = (_SQRT_2_OVER_PI * (6 * TANH_GELU_CUBIC)) * x
    s = 1 - t * t
    return s * (u1 + 0.5 * (x * (u2 - 2 * (t * (u1 * u1)))))


# ---- functions of rows and of partials ----------------------------------------------------------------------------------

conj: ScalarOperation = _declare_row_function(lambda x: x, "conj")
"""The complex conjugate."""
cast_like: ScalarOperation = _declare_row_function(lambda value, x: value, "cast_like")
"""The first operand in the dtype of the second."""
masked: ScalarOperation = _declare_row_function(
    lambda x, keep: where(keep, x, 0), "masked", partials=(lambda g, y, x, keep: masked(g, keep), None)
)
log_of_base: ScalarOperation = _declare_row_function(lambda x: log(where(x > 0, x, 1)), "log_of_base")
"""The logarithm; 0 where it is not finite or not real, as in TensorFlow's gradient of exponents."""
floordiv: ScalarOperation = _declare_row_function(lambda x, y: floor(x / y), "floordiv")
truncatediv: ScalarOperation = _declare_row_function(
    lambda x, y: x // y + where(logical_and(x % y != 0, (x < 0) != (y < 0)), 1, 0), "truncatediv"
)
rsqrt: ScalarOperation = _declare_row_function(
    lambda x: 1 / sqrt(x), "rsqrt", partials=(lambda g, y, x: rsqrt_gradient(g, conj(y)),)
)
# The product keeps its digits near 1. Its partial is that of 1 - x², so that a pole at 1 is infinite, and not NaN.
one_minus_square: ScalarOperation = _declare_row_function(
    lambda x: (1 - x) * (x + 1), "one_minus_square", partials=(lambda g, y, x: g * (conj(x) * -2),)
)
# What is masked out does not count: the gradients are 0 where the cotangent is, as in TensorFlow.
sqrt_gradient: ScalarOperation = _declare_row_function(
    lambda g, y: where(g == 0, g, g * 0.5 / y),
    "sqrt_gradient",
    partials=(lambda gg, z, g, y: sqrt_gradient(gg, conj(y)), lambda gg, z, g, y: -(gg * conj(z * reciprocal(y)))),
)
rsqrt_gradient: ScalarOperation = _declare_row_function(
    lambda g, y: where(g == 0, g, g * -0.5 * (y * y * y)),
    "rsqrt_gradient",
    partials=(
        lambda gg, z, g, y: rsqrt_gradient(gg, conj(y)),
        lambda gg, z, g, y: gg * conj(g) * -1.5 * conj(y) * conj(y),
    ),
)
reciprocal_gradient: ScalarOperation = _declare_row_function(
    lambda g, y: where(g == 0, g, -(g * (y * y))),
    "reciprocal_gradient",
    partials=(lambda gg, z, g, y: reciprocal_gradient(gg, conj(y)), lambda gg, z, g, y: gg * conj(g) * -2 * conj(y)),
)
divide_no_nan: ScalarOperation = _declare_row_function(
    lambda x, y: where(y == 0, 0, x / y),
    "divide_no_nan",
    partials=(lambda g, z, x, y: divide_no_nan(g, conj(y)), lambda g, z, x, y: -(g * conj(divide_no_nan(z, y)))),
)
multiply_no_nan: ScalarOperation = _declare_row_function(
    lambda x, y: where(y == 0, 0, x * y),
    "multiply_no_nan",
    partials=(lambda g, z, x, y: multiply_no_nan(g, conj(y)), lambda g, z, x, y: multiply_no_nan(conj(x), g)),
)
xdivy: ScalarOperation = _declare_row_function(
    lambda x, y: where(x == 0, 0, x / y),
    "xdivy",
    partials=(
        lambda g, z, x, y: g * conj(xdivy(cast_like(x != 0, x), y)),
        lambda g, z, x, y: -(g * conj(xdivy(z, y))),
    ),
)
xlogy: ScalarOperation = _declare_row_function(
    lambda x, y: where(x == 0, 0, x * log(y)),
    "xlogy",
    partials=(lambda g, z, x, y: g * conj(xlogy(cast_like(x != 0, x), y)), lambda g, z, x, y: g * conj(xdivy(x, y))),
)
xlog1py: ScalarOperation = _declare_row_function(
    lambda x, y: where(x == 0, 0, x * log1p(y)),
    "xlog1py",
    partials=(
        lambda g, z, x, y: g * conj(xlog1py(cast_like(x != 0, x), y)),
        lambda g, z, x, y: g * conj(xdivy(x, y + 1)),
    ),
)
relu: ScalarOperation = _declare_row_function(
    lambda x: maximum(x, 0), "relu", partials=(lambda g, y, x: relu_gradient(g, y),)
)
relu6: ScalarOperation = _declare_row_function(
    lambda x: minimum(maximum(x, 0), 6), "relu6", partials=(lambda g, y, x: relu6_gradient(g, y),)
)
softsign: ScalarOperation = _declare_row_function(
    lambda x: x / (1 + abs(x)), "softsign", partials=(lambda g, y, x: g / square(abs(x) + 1),)
)
squared_difference: ScalarOperation = _declare_row_function(
    lambda x, y: (x - y) * (x - y),
    "squared_difference",
    partials=(lambda g, z, x, y: g * ((x - y) * 2), lambda g, z, x, y: g * ((y - x) * 2)),
)
relu_gradient: ScalarOperation = _declare_row_function(
    lambda g, y: where(y > 0, g, 0),
    "relu_gradient",
    partials=(lambda gg, z, g, y: relu_gradient(gg, y), lambda gg, z, g, y: 0),
)
relu6_gradient: ScalarOperation = _declare_row_function(
    lambda g, y: where(y > 0, where(y < 6, g, 0), 0),
    "relu6_gradient",
    partials=(lambda gg, z, g, y: relu6_gradient(gg, y), lambda gg, z, g, y: 0),
)
gelu_gradient: ScalarOperation = _declare_row_function(
    lambda g, x: g * gelu_slope(x),
    "gelu_gradient",
    partials=(lambda gg, z, g, x: gelu_gradient(gg, x), lambda gg, z, g, x: gg * g * _gelu_second_derivative(x)),
)
gelu_tanh_gradient: ScalarOperation = _declare_row_function(
    lambda g, x: g * gelu_tanh_slope(x),
    "gelu_tanh_gradient",
    partials=(
        lambda gg, z, g, x: gelu_tanh_gradient(gg, x),
        lambda gg, z, g, x: gg * g * _gelu_tanh_second_derivative(x),
    ),
)
