"""Scalar functions of element-wise operations other than those of `vector_math`, for the bodies of kernels."""

import math

from numpy import float32, float64, int32

from fastgrad._src.jit.body import (
    constant_by_dtype,
    float_bits,
    from_bits,
    fused_multiply_add,
    library_fmod,
    round_down,
    round_to_zero,
    scalar_function,
)


@scalar_function
def magnitude(x):
    """Returns the absolute value of an integer; that of the smallest integer, in its dtype, is itself."""
    return x if x >= 0 else -x


@scalar_function
def signum(x):
    """Returns -1, 0 or 1."""
    return 1 if x > 0 else (-1 if x < 0 else 0)


@scalar_function
def greater_or_first(first, second):
    """Returns the greater of two numbers, NaN if one is NaN; the first of equal ones, such as 0 and -0."""
    return first if first >= second or first != first else second  # noqa: PLR0124 - true of NaN


@scalar_function
def less_or_first(first, second):
    """Returns the smaller of two numbers, NaN if one is NaN; the first of equal ones, such as 0 and -0."""
    return first if first <= second or first != first else second  # noqa: PLR0124 - true of NaN


@scalar_function
def sign_of(x):
    """Returns -1, 0 or 1, and NaN for NaN (TensorFlow: tf.sign); 0 for -0.0."""
    return T(1) if x > 0 else (T(-1) if x < 0 else (T(0) if x == 0 else x))


# ---- quotients -------------------------------------------------------------------------------------------


LARGEST_QUOTIENT_FOR_FMA = constant_by_dtype(float32=4194304.0, float64=2251799813685248.0)
"""The whole parts of smaller quotients are exact, or wrong by at most one."""


@scalar_function
def remainder_toward_zero(a, b):
    """Returns a - b n exactly, where n is a / b without its fraction (C: fmod)."""
    q = a / b
    r = fused_multiply_add(-round_to_zero(q), b, a)
    # A quotient just below a whole number may have been rounded to it.
    r = math.copysign(r + math.copysign(b, a) if r != 0 and (r < 0) != (a < 0) else r, a)
    if not (math.fabs(q) < T(LARGEST_QUOTIENT_FOR_FMA) and math.fabs(b) < T(math.inf)):
        r = library_fmod(a, b)
    return r


@scalar_function
def floor_remainder(a, b):
    """Returns a - b floor(a / b), with the sign of b, as NumPy's remainder."""
    r = remainder_toward_zero(a, b)
    turned = r + b if (b < 0) != (r < 0) else r
    return turned if r != 0 or b == 0 else math.copysign(T(0), b)


@scalar_function
def floor_quotient(a, b):
    """Returns floor(a / b), exact also if a / b would round to the next whole number, as NumPy's floor_divide."""
    r = remainder_toward_zero(a, b)
    q = (a - r) / b
    q = q - T(1) if r != 0 and (b < 0) != (r < 0) else q
    down = round_down(q)
    down = down + T(1) if q - down > T(0.5) else down
    return a / b if b == 0 else (down if q != 0 else math.copysign(T(0), a / b))


# ---- the next number ---------------------------------------------------------------------------------------


@scalar_function
def _next_bits(x, y):
    bits = float_bits(x)
    away = (y > x) == (x > 0)
    beside = from_bits(T_bits(bits + 1 if away else bits - 1))
    return math.copysign(from_bits(T_bits(1)), y) if x == 0 else beside


@scalar_function
def next_after(x, y):
    """Returns the next number after x in the direction of y."""
    unequal = x != y and x == x and y == y  # noqa: PLR0124 - false of NaN
    return _next_bits(x, y) if unequal else (y if x == y else x + y)


# ---- half widths ---------------------------------------------------------------------------------------------


@scalar_function
def rounded_to_odd(x):
    """Rounds a float64 to a float32, last bit set if inexact; a second rounding is then correct (Boldo 2004)."""
    near = float32(x)
    bits = float_bits(near)
    out = math.fabs(float64(near)) > math.fabs(x)
    odd = from_bits(int32(bits - 1 if out else bits + 1))
    return near if float64(near) == x or bits & 1 else odd
