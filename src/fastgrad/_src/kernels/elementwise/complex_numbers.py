"""Element-wise operations on complex numbers, which are pairs of floats; functions are computed in float64.

Formulas of the inverse functions: Kahan 1987, Branch cuts for complex elementary functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.jit.body import fused_multiply_add, scalar_function, specialized
from fastgrad._src.jit.build import Kernel, kernel
from fastgrad._src.jit.signature import parse_signature
from fastgrad._src.kernels.elementwise.elementwise import Operands
from fastgrad._src.kernels.math.circular import atan2, cos, sin
from fastgrad._src.kernels.math.hyperbolic import asinh, cosh, sinh
from fastgrad._src.kernels.math.vector_math import exp, expm1, log, log1p
from fastgrad._src.kernels.reduction.general import real_dtype_and_count
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Spec

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
def product(a, b, c, d):
    """Returns (a + ib) (c + id)."""
    return a * c - b * d, a * d + b * c


@scalar_function
def square(a, b):
    """Returns (a + ib)^2."""
    return a * a - b * b, 2.0 * (a * b)


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
    return (r, s) if a > 0 else product(p, q, r, s)


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
def exponential_minus_one(a, b):
    """Returns e^(a + ib) - 1, exact near 0."""
    half = sin(b * 0.5)
    return expm1(a) * cos(b) - 2.0 * half * half, product_with_exact_zero(exp(a), sin(b))


@scalar_function
def direction(a, b):
    """Returns a + ib over its absolute value; 0 for 0."""
    size = hypotenuse(a, b)
    return (0.0, 0.0) if size == 0 else (a / size, b / size)


@scalar_function
def reciprocal_square_root(a, b):
    """Returns 1 over the square root of a + ib."""
    p, q = square_root(a, b)
    return quotient(1.0, 0.0, p, q)


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
        return square(a, b)
    p, q = logarithm(a, b)
    return exponential(c * p - d * q, c * q + d * p)


@scalar_function
def reciprocal_gradient(a, b, c, d):
    """Returns -(a + ib) (c + id)^2; a + ib itself if it is 0."""
    p, q = square(c, d)
    return (a, b) if a == 0 and b == 0 else (b * q - a * p, -(a * q + b * p))


@scalar_function
def rsqrt_gradient(a, b, c, d):
    """Returns -(a + ib) (c + id)^3 / 2; a + ib itself if it is 0."""
    p, q = square(c, d)
    p, q = product(p, q, c, d)
    p, q = 0.5 * p, 0.5 * q
    return (a, b) if a == 0 and b == 0 else (b * q - a * p, -(a * q + b * p))


@scalar_function
def function(*parts):
    """Placeholder for the function that a kernel applies to the parts of numbers; each kernel is compiled with its own."""


def _turned(a, b):
    p, q = function(-b, a)
    return q, -p


def _product_with_function(a, b, c, d):
    p, q = function(c, d)
    return (0.0, 0.0) if a == 0 and b == 0 else product(a, b, p, q)


def _map_numbers(x, y, step, first, last):
    for i in range(first, last):
        p, q = function(T(x[2 * i * step]), T(x[2 * i * step + 1]))
        y[2 * i] = p
        y[2 * i + 1] = q


def _map_to_real(x, y, step, first, last):
    for i in range(first, last):
        y[i] = function(T(x[2 * i * step]), T(x[2 * i * step + 1]))


def _map_pairs(x, y, z, x_step, y_step, first, last):
    for i in range(first, last):
        k, m = 2 * i * x_step, 2 * i * y_step
        p, q = function(T(x[k]), T(x[k + 1]), T(y[m]), T(y[m + 1]))
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


def _function_launches(template: Any, operands: str, name: str, of_parts: Any) -> ComplexLaunches:
    """Returns the ``complex_launches`` of a function of the parts of numbers; ``template`` is the body of its kernel."""
    body = specialized(template, name, f"The operation {name}.", function=scalar_function(of_parts))
    signature = parse_signature(f"{operands}, first: int, last: int")
    return _make_complex_launches(
        Kernel(body, signature, {"E": FLOATS, "T": (WIDE.name,)}, release_gil=False, noalias=False)
    )


_of_number = partial(_function_launches, _map_numbers, "x: in[E], y: out[E], step: int")
_to_real = partial(_function_launches, _map_to_real, "x: in[E], y: out[E], step: int")
_of_pair = partial(_function_launches, _map_pairs, "x: in[E], y: in[E], z: out[E], x_step: int, y_step: int")

negative_launches = _of_number("negative", lambda a, b: (-a, -b))
conj_launches = _of_number("conj", lambda a, b: (a, -b))
sign_launches = _of_number("sign", direction)
square_launches = _of_number("square", square)
sqrt_launches = _of_number("sqrt", square_root)
rsqrt_launches = _of_number("rsqrt", reciprocal_square_root)
reciprocal_launches = _of_number("reciprocal", lambda a, b: quotient(1.0, 0.0, a, b))
exp_launches = _of_number("exp", exponential)
expm1_launches = _of_number("expm1", exponential_minus_one)
log_launches = _of_number("log", logarithm)
log1p_launches = _of_number("log1p", logarithm_of_sum)
sigmoid_launches = _of_number("sigmoid", logistic)
sin_launches = _of_number("sin", lambda a, b: (product_with_exact_zero(cosh(b), sin(a)), cos(a) * sinh(b)))
cos_launches = _of_number("cos", lambda a, b: (cos(a) * cosh(b), -product_with_exact_zero(sinh(b), sin(a))))
tan_launches = _of_number("tan", specialized(_turned, "tangent", function=hyperbolic_tangent))
one_minus_square_launches = _of_number("one_minus_square", lambda a, b: product(1 - a, -b, 1 + a, b))
asin_launches = _of_number("asin", inverse_sine)
acos_launches = _of_number("acos", inverse_cosine)
atan_launches = _of_number("atan", specialized(_turned, "inverse_tangent", function=inverse_hyperbolic_tangent))
sinh_launches = _of_number("sinh", lambda a, b: (sinh(a) * cos(b), product_with_exact_zero(cosh(a), sin(b))))
cosh_launches = _of_number("cosh", lambda a, b: (cosh(a) * cos(b), product_with_exact_zero(sinh(a), sin(b))))
tanh_launches = _of_number("tanh", hyperbolic_tangent)
asinh_launches = _of_number("asinh", specialized(_turned, "inverse_hyperbolic_sine", function=inverse_sine))
acosh_launches = _of_number("acosh", inverse_hyperbolic_cosine)
atanh_launches = _of_number("atanh", inverse_hyperbolic_tangent)
abs_launches = _to_real("abs", hypotenuse)
real_launches = _to_real("real", lambda a, b: a)
imag_launches = _to_real("imag", lambda a, b: b)
angle_launches = _to_real("angle", lambda a, b: atan2(b, a))
add_launches = _of_pair("add", lambda a, b, c, d: (a + c, b + d))
subtract_launches = _of_pair("subtract", lambda a, b, c, d: (a - c, b - d))
multiply_launches = _of_pair("multiply", product)
divide_launches = _of_pair("divide", quotient)
multiply_no_nan_launches = _of_pair(
    "multiply_no_nan", lambda a, b, c, d: (0.0, 0.0) if c == 0 and d == 0 else product(a, b, c, d)
)
divide_no_nan_launches = _of_pair(
    "divide_no_nan", lambda a, b, c, d: (0.0, 0.0) if c == 0 and d == 0 else quotient(a, b, c, d)
)
xdivy_launches = _of_pair("xdivy", lambda a, b, c, d: (0.0, 0.0) if a == 0 and b == 0 else quotient(a, b, c, d))
squared_difference_launches = _of_pair(
    "squared_difference", lambda a, b, c, d: ((a - c) * (a - c) + (b - d) * (b - d), 0.0)
)
sqrt_gradient_launches = _of_pair(
    "sqrt_gradient", lambda a, b, c, d: (a, b) if a == 0 and b == 0 else quotient(a * 0.5, b * 0.5, c, d)
)
xlogy_launches = _of_pair("xlogy", specialized(_product_with_function, "times_logarithm", function=logarithm))
xlog1py_launches = _of_pair(
    "xlog1py", specialized(_product_with_function, "times_logarithm_of_sum", function=logarithm_of_sum)
)
pow_launches = _of_pair("pow", power)
rsqrt_gradient_launches = _of_pair("rsqrt_gradient", rsqrt_gradient)
reciprocal_gradient_launches = _of_pair("reciprocal_gradient", reciprocal_gradient)
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
