"""NumPy's element-wise functions on tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.ops import arithmetic, rounding
from fastgrad._src.ops import power as power_ops
from fastgrad._src.ops.arithmetic import add, maximum, minimum, multiply, negative, sign, subtract
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import (
    equal,
    greater,
    greater_equal,
    is_finite,
    is_inf,
    is_nan,
    less,
    less_equal,
    logical_or,
    logical_xor,
    not_equal,
)
from fastgrad._src.ops.complex_numbers import angle, conj, imag, real
from fastgrad._src.ops.composed.numpy_functions.operands import tensor
from fastgrad._src.ops.control_flow import while_loop
from fastgrad._src.ops.creation import constant, identity, ones_like, zeros, zeros_like
from fastgrad._src.ops.division import floordiv, floormod
from fastgrad._src.ops.exponential import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    cos,
    cosh,
    exp,
    expm1,
    log,
    log1p,
    sin,
    sinh,
    softplus,
    tan,
    tanh,
)
from fastgrad._src.ops.power import reciprocal, sqrt, square
from fastgrad._src.ops.reduction import reduce_any
from fastgrad._src.ops.reordering import reverse
from fastgrad._src.ops.rounding import ceil, floor
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shape_query import broadcast_static_shape
from fastgrad._src.ops.shaping import bitcast, broadcast_to, expand_dims, reshape
from fastgrad._src.ops.special import bessel_i0

INF, NAN = math.inf, math.nan


def nan_positions(x: Any) -> Any:
    """Returns where ``x``, a tensor of any dtype, is NaN."""
    return is_nan(x) if x.dtype.is_floating else zeros(x.shape, dtypes.bool)


def without_nan(x: Any, value: Any) -> Any:
    """Returns ``x``, a tensor of any dtype, with ``value`` in place of NaN."""
    return where(is_nan(x), cast(value, x.dtype), x) if x.dtype.is_floating else x


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Replaces NaN and infinities; default the greatest and the least number of the dtype."""
    x = tensor(x)
    if x.dtype.is_integer or x.dtype is dtypes.bool:
        return x
    for is_replaced, value in (
        (is_nan(x), nan),
        (equal(x, INF), x.dtype.max if posinf is None else posinf),
        (equal(x, -INF), x.dtype.min if neginf is None else neginf),
    ):
        x = where(is_replaced, constant(value, x.dtype), x)
    return x


def clip(x: Any, low: Any, high: Any) -> Any:
    """``min(max(x, low), high)``, of one dtype."""
    return minimum(maximum(x, low), high)


def is_close_elementwise(a: Any, b: Any, rtol: float, atol: float) -> Any:
    """``|a - b| <= atol + rtol |b|``."""
    return arithmetic.abs(a - b) <= atol + rtol * arithmetic.abs(b)


def isin(x: Any, values: Any, invert: bool) -> Any:
    """Returns whether elements of ``x`` are among ``values``, of the same dtype; with ``invert``, whether they are not."""
    return logical_xor(reduce_any(equal(expand_dims(x, -1), reshape(values, [-1])), -1), invert)


def select(where: Callable[..., Any], condlist: Any, choicelist: Any, default: Any) -> Any:
    """Returns the choice of the first condition that is true, by the namespace's ``where``."""
    y = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        y = where(condition, choice, y)
    return y


def _absolute_integers(name: str, *operands: Any) -> Any:
    if not operands[0].dtype.is_integer:
        raise TypeError(f"Arguments to {name} must be integers. Received: {[x.dtype.name for x in operands]}")
    return operands if operands[0].dtype.name.startswith("u") else [arithmetic.abs(x) for x in operands]


def gcd(x1: Any, x2: Any) -> Any:
    """The greatest common divisor of integers, by Euclid's algorithm on all elements at once; TypeError for other dtypes."""
    a, b = _absolute_integers("gcd", x1, x2)
    shape = broadcast_static_shape(a.shape, b.shape)

    def step(a: Any, b: Any) -> Any:
        is_going = not_equal(b, 0)
        divisor = where(is_going, b, ones_like(b))
        return where(is_going, b, a), where(is_going, floormod(a, divisor), b)

    operands = broadcast_to(a, shape), broadcast_to(b, shape)
    return while_loop(lambda a, b: reduce_any(not_equal(b, 0)), step, operands)[0]


def lcm(x1: Any, x2: Any) -> Any:
    """The least common multiple of integers; TypeError for other dtypes."""
    a, b = _absolute_integers("lcm", x1, x2)
    divisor = gcd(a, b)
    return a * floordiv(b, maximum(divisor, ones_like(divisor)))


def ldexp(a: Any, exponent: Any) -> Any:
    """``a * 2**exponent``, of floats."""
    third = floor(exponent / 3.0)  # 2**exponent alone may be out of range
    two = constant(2.0, a.dtype)
    power = power_ops.pow(two, third)
    y = a * power * power * power_ops.pow(two, exponent - 2.0 * third)
    return where(logical_or(is_inf(a), equal(a, 0.0)), broadcast_to(a, y.shape), y)


def logaddexp(a: Any, b: Any, log_of_base: float = 1.0) -> Any:
    """``log(exp(a) + exp(b))`` of floats, in the base whose natural logarithm is ``log_of_base``."""
    unit = constant(log_of_base, a.dtype)
    difference = a - b
    is_undefined = is_nan(difference)  # infinities of one sign have no difference
    d = where(is_undefined, 0.0, difference) * unit
    y = where(d >= 0.0, a + softplus(-d) / unit, b + softplus(d) / unit)
    return where(is_undefined, a + b, y)


def sinc(x: Any) -> Any:
    """``sin(pi x) / (pi x)`` of floats or complex numbers; near 0, where the quotient's derivatives cancel, by the power series."""
    angle = math.pi * x
    is_small = arithmetic.abs(angle) < 0.5
    squared = square(where(is_small, angle, zeros_like(angle)))
    series = zeros_like(angle)
    for k in range(8, -1, -1):
        series = series * squared + (-1.0) ** k / math.factorial(2 * k + 1)
    return where(is_small, series, sin(angle) / where(is_small, ones_like(angle), angle))


def logaddexp2(a: Any, b: Any) -> Any:
    """``log2(2**a + 2**b)`` of floats."""
    return logaddexp(a, b, math.log(2.0))


def heaviside(a: Any, b: Any) -> Any:
    """0 where ``a`` is negative, 1 where it is positive, else ``b``."""
    return where(a < 0, zeros_like(b), where(a > 0, ones_like(b), b))


def signbit(x: Any) -> Any:
    """True where the sign bit is set, also of -0.0 and NaN."""
    return bitcast(x, f"int{8 * x.dtype.size}") < 0 if x.dtype.is_floating else cast(x, dtypes.int64) < 0


def rounded(x: Any, decimals: int) -> Any:
    """Floats rounded to a number of decimals."""
    return rounding.round(x * 10.0**decimals) / 10.0**decimals


def truncated(x: Any) -> Any:
    """Floats rounded towards 0."""
    return where(x < 0, ceil(x), floor(x))


FLOAT_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "arccos": acos, "arccosh": acosh, "arcsin": asin, "arcsinh": asinh, "arctan": atan, "arctanh": atanh,
    "cos": cos, "cosh": cosh, "exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "sin": sin,
    "sinh": sinh, "sqrt": sqrt, "tan": tan, "tanh": tanh, "ceil": ceil, "floor": floor, "fabs": arithmetic.abs,
    "reciprocal": reciprocal, "angle": angle, "i0": bessel_i0,
    "log10": lambda x: log(x) / math.log(10.0), "log2": lambda x: log(x) / math.log(2.0),
    "cbrt": lambda x: sign(x) * arithmetic.abs(x) ** (1.0 / 3.0),
    "sinc": sinc,
    "isfinite": is_finite, "isinf": is_inf, "isnan": is_nan, "isneginf": lambda x: equal(x, -INF),
}  # fmt: skip
"""Functions of a tensor of floats or complex numbers."""
PLAIN_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": arithmetic.abs, "absolute": arithmetic.abs, "negative": negative, "sign": sign, "square": square, "conj": conj,
    "conjugate": conj, "real": real, "imag": imag, "copy": identity, "ravel": lambda x: reshape(x, [-1]),
    "fliplr": lambda x: reverse(x, [1]), "flipud": lambda x: reverse(x, [0]),
}  # fmt: skip
"""Functions of a tensor of any dtype."""
BINARY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": add, "subtract": subtract, "multiply": multiply, "maximum": maximum, "minimum": minimum, "equal": equal,
    "not_equal": not_equal, "less": less, "less_equal": less_equal, "greater": greater, "greater_equal": greater_equal,
    "mod": floormod, "floor_divide": floordiv, "power": power_ops.pow, "gcd": gcd, "lcm": lcm,
}  # fmt: skip
"""Functions of two tensors of one dtype."""
