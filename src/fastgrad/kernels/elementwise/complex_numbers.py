"""Element-wise operations on complex numbers, which are pairs of floats; functions are computed in float64.

Formulas of the inverse functions: Kahan 1987, Branch cuts for complex elementary functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad.kernels.codegen.body import fused_multiply_add, scalar_function
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.elementwise.elementwise import Operands
from fastgrad.kernels.math.circular import atan2, cos, sin
from fastgrad.kernels.math.hyperbolic import asinh, cosh, sinh
from fastgrad.kernels.math.vector_math import exp, expm1, log, log1p
from fastgrad.kernels.reduction.general import real_dtype_and_count
from fastgrad.kernels.runtime.launch import Input, Launch, Launches, Output, Spec

FLOATS = ("float32", "float64")
WIDE = np.dtype(np.float64)
"""The dtype T of computations in kernels; elements in memory are of type E."""


@scalar_function
def hypotenuse(a, b):
    """Returns the root of a^2 + b^2, also if the squares are out of range."""
    a, b = abs(a), abs(b)
    if math.inf in (a, b):
        return T(math.inf)
    size = a + b
    scale = T(2.0**-600) if size > T(2.0**500) else (T(2.0**600) if size < T(2.0**-400) else T(1))
    a, b = a * scale, b * scale
    return math.sqrt(fused_multiply_add(a, a, b * b)) / scale


@scalar_function
def quotient(a, b, c, d):
    """Returns (a + ib) / (c + id) (Smith 1962)."""
    if abs(c) >= abs(d):
        if c == 0 and d == 0:
            return a / abs(c), b / abs(c)
        ratio = d / c
        scale = 1.0 / (c + d * ratio)
        return (a + b * ratio) * scale, (b - a * ratio) * scale
    ratio = c / d
    scale = 1.0 / (c * ratio + d)
    return (a * ratio + b) * scale, (b * ratio - a) * scale


@scalar_function
def square_root(a, b):
    """Returns the square root of a + ib."""
    if a == 0 and b == 0:
        return 0.0 * a, b
    if math.inf == abs(b):
        return math.inf, b
    size = hypotenuse(a, b)
    if a >= 0:
        p = math.sqrt((size + a) * 0.5)
        return p, b / (2.0 * p)
    q = math.sqrt((size - a) * 0.5)
    q = q if math.copysign(1.0, b) > 0 else -q
    return b / (2.0 * q), q


@scalar_function
def product_with_exact_zero(magnitude, factor):
    """Returns magnitude * factor; 0 for a factor of exactly 0, also if the magnitude is infinite."""
    return magnitude * factor if factor != 0 else math.copysign(1.0, magnitude) * factor


@scalar_function
def exponential(a, b):
    """Returns e^(a + ib)."""
    size = exp(a)
    return size * cos(b), product_with_exact_zero(size, sin(b))


@scalar_function
def logistic(a, b):
    """Returns 1 / (1 + e^-(a + ib)): no exponential overflows, and no sum cancels near the poles."""
    if abs(a) < 1.0:
        s, c = sinh(0.5 * a), cos(0.5 * b)
        below = 4.0 * (s * s + c * c)
        return (expm1(a) + 2.0 * c * c) / below, sin(b) / below
    p, q = exponential(-abs(a), -b if a > 0 else b)
    r, s = quotient(1.0, 0.0, 1.0 + p, q)
    return (r, s) if a > 0 else (p * r - q * s, p * s + q * r)


@scalar_function
def logarithm(a, b):
    """Returns the logarithm of a + ib; near the unit circle, from the distance to the circle."""
    size = hypotenuse(a, b)
    real = 0.5 * log1p((abs(a) - 1.0) * (abs(a) + 1.0) + b * b) if 0.5 < size < 2.0 else log(size)
    return real, atan2(b, a)


@scalar_function
def logarithm_of_sum(a, b):
    """Returns the logarithm of 1 + a + ib; near the unit circle, from the distance to the circle."""
    size = hypotenuse(a + 1.0, b)
    real = 0.5 * log1p(a * (2.0 + a) + b * b) if 0.5 < size < 2.0 else log(size)
    return real, atan2(b, a + 1.0)


@scalar_function
def hyperbolic_tangent(a, b):
    """Returns tanh(a + ib), as a quotient with a sum of squares, which is accurate near the poles."""
    if abs(a) > 300.0:
        return math.copysign(1.0, a), 0.0 * b
    s, c = sinh(a), cos(b)
    below = s * s + c * c
    return s * cosh(a) / below, sin(b) * c / below


@scalar_function
def inverse_sine(a, b):
    """Returns asin(a + ib)."""
    p, q = square_root(1.0 - a, -b)
    r, s = square_root(1.0 + a, b)
    return atan2(a, p * r - q * s), asinh(p * s - q * r)


@scalar_function
def inverse_cosine(a, b):
    """Returns acos(a + ib)."""
    p, q = square_root(1.0 - a, -b)
    r, s = square_root(1.0 + a, b)
    return 2.0 * atan2(p, r), asinh(r * q - s * p)


@scalar_function
def inverse_hyperbolic_cosine(a, b):
    """Returns acosh(a + ib)."""
    p, q = square_root(a - 1.0, b)
    r, s = square_root(a + 1.0, b)
    return asinh(p * r + q * s), 2.0 * atan2(q, r)


@scalar_function
def inverse_hyperbolic_tangent(a, b):
    """Returns atanh(a + ib)."""
    size = abs(a)
    real = 0.25 * log1p(4.0 * size / ((1.0 - size) * (1.0 - size) + b * b))
    return math.copysign(real, a), 0.5 * atan2(2.0 * b, (1.0 - a) * (1.0 + a) - b * b)


@scalar_function
def algebraic_function(operation_number, a, b):
    """Applies the operation with number `operation_number` of one number, up to the conjugate."""
    if operation_number == 0:
        return -a, -b
    if operation_number == 1:
        size = hypotenuse(a, b)
        return (0.0, 0.0) if size == 0 else (a / size, b / size)
    if operation_number == 2:
        return a * a - b * b, 2.0 * (a * b)
    if operation_number == 3:
        return square_root(a, b)
    if operation_number == 4:
        p, q = square_root(a, b)
        return quotient(1.0, 0.0, p, q)
    if operation_number == 5:
        return quotient(1.0, 0.0, a, b)
    if operation_number == 6:
        return exponential(a, b)
    if operation_number == 7:
        half = sin(b * 0.5)
        return expm1(a) * cos(b) - 2.0 * half * half, product_with_exact_zero(exp(a), sin(b))
    if operation_number == 8:
        return logarithm(a, b)
    if operation_number == 9:
        return logarithm_of_sum(a, b)
    if operation_number == 10:
        return logistic(a, b)
    return a, -b


@scalar_function
def circular_function(operation_number, a, b):
    """Applies the operation with number `operation_number` of one number, from the sine on."""
    if operation_number == 12:
        return product_with_exact_zero(cosh(b), sin(a)), cos(a) * sinh(b)
    if operation_number == 13:
        return cos(a) * cosh(b), -product_with_exact_zero(sinh(b), sin(a))
    if operation_number == 14:
        p, q = hyperbolic_tangent(-b, a)
        return q, -p
    if operation_number == 15:
        return inverse_sine(a, b)
    if operation_number == 16:
        return inverse_cosine(a, b)
    if operation_number == 17:
        p, q = inverse_hyperbolic_tangent(-b, a)
        return q, -p
    if operation_number == 18:
        return sinh(a) * cos(b), product_with_exact_zero(cosh(a), sin(b))
    if operation_number == 19:
        return cosh(a) * cos(b), product_with_exact_zero(sinh(a), sin(b))
    if operation_number == 20:
        return hyperbolic_tangent(a, b)
    if operation_number == 21:
        p, q = inverse_sine(-b, a)
        return q, -p
    if operation_number == 22:
        return inverse_hyperbolic_cosine(a, b)
    return inverse_hyperbolic_tangent(a, b)


@kernel("x: in[E], y: out[E], step: int, mode: int, first: int, last: int", E=FLOATS, T=("float64",))
def unary_operation(x, y, step, mode, first, last):
    """Applies the operation with number `mode` of one number to x."""
    for i in range(first, last):
        a, b = T(x[2 * i * step]), T(x[2 * i * step + 1])
        p, q = algebraic_function(mode, a, b) if mode < 12 else circular_function(mode, a, b)
        y[2 * i] = p
        y[2 * i + 1] = q


@kernel("x: in[E], y: out[E], step: int, mode: int, first: int, last: int", E=FLOATS, T=("float64",))
def to_real(x, y, step, mode, first, last):
    """Applies the operation with number `mode` of one number with a real result to x."""
    for i in range(first, last):
        a, b = T(x[2 * i * step]), T(x[2 * i * step + 1])
        found = hypotenuse(a, b) if mode == 0 else (a if mode == 1 else (b if mode == 2 else atan2(b, a)))
        y[i] = found


@scalar_function
def power(a, b, c, d):
    """Returns (a + ib)^(c + id)."""
    if c == 0 and d == 0:
        return 1.0, 0.0
    if a == 0 and b == 0:
        return (0.0, 0.0) if c > 0 else (math.nan, math.nan)
    if d == 0 and c == 1:
        return a, b
    if d == 0 and c == 2:
        return a * a - b * b, 2.0 * (a * b)
    p, q = logarithm(a, b)
    return exponential(c * p - d * q, c * q + d * p)


@scalar_function
def binary_function(operation_number, a, b, c, d):
    """Applies the operation with number `operation_number` of two numbers."""
    if operation_number == 0:
        return a + c, b + d
    if operation_number == 1:
        return a - c, b - d
    nothing = a == 0 and b == 0
    if (operation_number in (4, 5) and c == 0 and d == 0) or (operation_number in (6, 9, 10) and nothing):
        return 0.0, 0.0
    if operation_number in (2, 4):
        return a * c - b * d, a * d + b * c
    if operation_number in (3, 5, 6):
        return quotient(a, b, c, d)
    if operation_number == 7:
        return (a - c) * (a - c) + (b - d) * (b - d), 0.0
    if operation_number == 8:
        p, q = quotient(a * 0.5, b * 0.5, c, d)
        return (a, b) if nothing else (p, q)
    if operation_number == 11:
        return power(a, b, c, d)
    if operation_number in (12, 13):
        if nothing:
            return a, b
        p, q = c * c - d * d, 2.0 * (c * d)
        if operation_number == 12:
            p, q = 0.5 * (p * c - q * d), 0.5 * (p * d + q * c)
        return b * q - a * p, -(a * q + b * p)
    p, q = logarithm(c, d) if operation_number == 9 else logarithm_of_sum(c, d)
    return a * p - b * q, a * q + b * p


@kernel(
    "x: in[E], y: in[E], z: out[E], x_step: int, y_step: int, mode: int, first: int, last: int",
    E=FLOATS,
    T=("float64",),
)
def binary_operation(x, y, z, x_step, y_step, mode, first, last):
    """Applies the operation with number `mode` of two numbers to x and y."""
    for i in range(first, last):
        k, m = 2 * i * x_step, 2 * i * y_step
        p, q = binary_function(mode, T(x[k]), T(x[k + 1]), T(y[m]), T(y[m + 1]))
        z[2 * i] = p
        z[2 * i + 1] = q


@kernel("x: in[T], y: in[T], z: out[uint8], x_step: int, y_step: int, wanted: int, first: int, last: int", T=FLOATS)
def are_equal(x, y, z, x_step, y_step, wanted, first, last):
    """z = whether x equals y; if `wanted` is 0, whether they differ."""
    for i in range(first, last):
        k, m = 2 * i * x_step, 2 * i * y_step
        same = x[k] == y[m] and x[k + 1] == y[m + 1]
        z[i] = 1 if same == (wanted != 0) else 0


@kernel(
    "chosen: in[uint8], x: in[T], y: in[T], z: out[T], chosen_step: int, x_step: int, y_step: int, first: int, last: int",
    T=FLOATS,
)
def select(chosen, x, y, z, chosen_step, x_step, y_step, first, last):
    """z = x where chosen, else y."""
    for i in range(first, last):
        k, m = 2 * i * x_step, 2 * i * y_step
        first_one = chosen[i * chosen_step] != 0
        z[2 * i] = x[k] if first_one else y[m]
        z[2 * i + 1] = x[k + 1] if first_one else y[m + 1]


@kernel("x: in[T], chosen: in[uint8], z: out[T], x_step: int, chosen_step: int, first: int, last: int", T=FLOATS)
def zero_where_false(x, chosen, z, x_step, chosen_step, first, last):
    """z = x where chosen, else 0."""
    for i in range(first, last):
        k, kept = 2 * i * x_step, chosen[i * chosen_step] != 0
        z[2 * i] = x[k] if kept else T(0)
        z[2 * i + 1] = x[k + 1] if kept else T(0)


@kernel("x: in[T], y: in[T], z: out[T], x_step: int, y_step: int, first: int, last: int", T=FLOATS)
def join_parts(x, y, z, x_step, y_step, first, last):
    """z = x + iy."""
    for i in range(first, last):
        z[2 * i], z[2 * i + 1] = x[i * x_step], y[i * y_step]


@kernel("xs: ins[T], z: out[T], count: count, first: int, last: int", T=FLOATS)
def sum_of_arrays(xs, z, count, first, last):
    """z = the sum of arrays of floats."""
    for i in range(first, last):
        total = xs[0][i]
        for k in range(1, count):
            total += xs[k][i]
        z[i] = total


@kernel(
    "x: in[T], y: out[U], x_parts: int, y_parts: int, first: int, last: int",
    T=(*FLOATS, "bool", "int32", "int64"),
    U=(*FLOATS, "int32", "int64"),
)
def convert_dtype(x, y, x_parts, y_parts, first, last):
    """y = x in another dtype; real numbers get no imaginary part."""
    for i in range(first, last):
        y[i * y_parts] = x[i * x_parts]
        if y_parts == 2:
            y[i * y_parts + 1] = x[i * x_parts + 1] if x_parts == 2 else 0


@kernel("x: in[T], y: out[uint8], first: int, last: int", T=FLOATS)
def is_nonzero(x, y, first, last):
    """y = whether a complex number is not 0."""
    for i in range(first, last):
        y[i] = 1 if x[2 * i] != 0 or x[2 * i + 1] != 0 else 0


# ---- launches of the operations ------------------------------------------------------------------------


ComplexLaunches = Callable[..., Launches | None]
"""The ``complex_launches`` of an operation: a function ``(inputs, outputs, **attributes)``, None for real numbers."""


def _operands_and_dtype(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> tuple[Operands, np.dtype] | None:
    """Returns the operands of a loop over complex numbers and the dtype of their parts; None without such a loop."""
    number = next((x.dtype for x in (*inputs, outputs[0]) if x.dtype.kind == "c"), None)
    if number is None:
        return None
    operands = Operands(inputs, outputs[0].shape)
    return (operands, np.dtype(f"float{number.itemsize * 4}")) if operands.known else None


def _make_complex_launches(function: Any, *numbers: int) -> ComplexLaunches:
    """Returns the ``complex_launches`` of a kernel; ``numbers`` are its arguments after the steps of the operands."""

    def complex_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
        loop = _operands_and_dtype(inputs, outputs)
        if loop is None:
            return None
        operands, dtype = loop
        return operands.launches_of_kernel(function[(dtype, WIDE) if "E" in function.variables else dtype], *numbers)

    return complex_launches


# The numbers of operations count in these orders.
(
    negative_launches, sign_launches, square_launches, sqrt_launches, rsqrt_launches, reciprocal_launches, exp_launches,
    expm1_launches, log_launches, log1p_launches, sigmoid_launches, conj_launches, sin_launches, cos_launches,
    tan_launches, asin_launches, acos_launches, atan_launches, sinh_launches, cosh_launches, tanh_launches,
    asinh_launches, acosh_launches, atanh_launches,
) = [_make_complex_launches(unary_operation, number) for number in range(24)]  # fmt: skip
abs_launches, real_launches, imag_launches, angle_launches = [
    _make_complex_launches(to_real, number) for number in range(4)
]
(
    add_launches, subtract_launches, multiply_launches, divide_launches, multiply_no_nan_launches,
    divide_no_nan_launches, xdivy_launches, squared_difference_launches, sqrt_gradient_launches, xlogy_launches,
    xlog1py_launches, pow_launches, rsqrt_gradient_launches, reciprocal_gradient_launches,
) = [_make_complex_launches(binary_operation, number) for number in range(14)]  # fmt: skip
not_equal_launches, equal_launches = [_make_complex_launches(are_equal, wanted) for wanted in range(2)]
where_launches, masked_launches, complex_launches = [
    _make_complex_launches(kernel) for kernel in (select, zero_where_false, join_parts)
]


def add_n_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
    """Returns the launches of a sum of arrays; None for real numbers."""
    loop = _operands_and_dtype(inputs, outputs)
    if loop is None:
        return None
    operands, dtype = loop
    arrays = tuple([Input(i) for i in range(len(inputs))])
    return Launches((Launch(sum_of_arrays[dtype], (arrays, Output(0)), operands.size * 2),))


def identity_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
    """Returns the launches of a result that is the input itself; None for real numbers."""
    return None if _operands_and_dtype(inputs, outputs) is None else Launches((), alias=True)


def cast_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
    """Returns the launches of a cast from or to complex numbers; None for real numbers."""
    (x,), (y,) = inputs, outputs
    if x.dtype.kind != "c" and y.dtype.kind != "c":
        return None
    size = prod(x.shape)
    (given, x_parts), (wanted, y_parts) = real_dtype_and_count(x.dtype), real_dtype_and_count(y.dtype)
    if wanted.name == "bool":
        return Launches((Launch(is_nonzero[given], (Input(0), Output(0)), size),))
    if given not in convert_dtype.variables["T"] or wanted not in convert_dtype.variables["U"]:
        return None
    return Launches((Launch(convert_dtype[given, wanted], (Input(0), Output(0), x_parts, y_parts), size),))
