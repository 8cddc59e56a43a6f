"""Powers, for the bodies of kernels (see `vector_math`)."""

import math

from numpy import float32, float64, int32

from fastgrad.kernels.codegen.body import (
    by_dtype,
    float_bits,
    from_bits,
    fused_multiply_add,
    round_to_zero,
    scalar_function,
    scale_by_power_of_two,
)
from fastgrad.kernels.math.vector_math import LOG2_E, ROUND32, ROUND64, logarithm, logarithm_parts


@scalar_function
def _log2(a):
    """Returns log2 of a positive float32 as a float64, accurate to 2^-35."""
    bits = float_bits(float64(a))
    e = (bits - float_bits(float64(0.70710678118654752))) >> 52
    f = from_bits(bits - (e << 52)) - float64(1)
    q = float64(0.05381324997828638)
    q = fused_multiply_add(q, f, float64(-0.09860052375751109))
    q = fused_multiply_add(q, f, float64(0.0998962925113709))
    q = fused_multiply_add(q, f, float64(-0.09925241823307246))
    q = fused_multiply_add(q, f, float64(0.11014688790309003))
    q = fused_multiply_add(q, f, float64(-0.12498229434026241))
    q = fused_multiply_add(q, f, float64(0.1429018033508322))
    q = fused_multiply_add(q, f, float64(-0.16666856951911158))
    q = fused_multiply_add(q, f, float64(0.19999911035241585))
    q = fused_multiply_add(q, f, float64(-0.2499999705890284))
    q = fused_multiply_add(q, f, float64(0.33333333895549433))
    q = fused_multiply_add(q, f, float64(-0.5))
    y = fused_multiply_add(fused_multiply_add(f * f, q, f), float64(LOG2_E), float64(e))
    y = y if a < float32(math.inf) else float64(a)
    return y if a != 0 else float64(-math.inf)


def _power_series32(r):
    """Returns 2^r for |r| <= 1/2."""
    q = float32(0.00015458461712114513)
    q = fused_multiply_add(q, r, float32(0.0013391770189628005))
    q = fused_multiply_add(q, r, float32(0.009618072770535946))
    q = fused_multiply_add(q, r, float32(0.05550358071923256))
    q = fused_multiply_add(q, r, float32(0.24022650718688965))
    q = fused_multiply_add(q, r, float32(0.6931471824645996))
    return fused_multiply_add(q, r, float32(1))


def _power_series64(r):
    q = float64(4.461314020261794e-10)
    q = fused_multiply_add(q, r, float64(7.073674272638425e-09))
    q = fused_multiply_add(q, r, float64(1.0178014819442327e-07))
    q = fused_multiply_add(q, r, float64(1.3215436122837548e-06))
    q = fused_multiply_add(q, r, float64(1.5252733964548005e-05))
    q = fused_multiply_add(q, r, float64(0.00015403530454850258))
    q = fused_multiply_add(q, r, float64(0.0013333558146239471))
    q = fused_multiply_add(q, r, float64(0.009618129107596601))
    q = fused_multiply_add(q, r, float64(0.055504108664822666))
    q = fused_multiply_add(q, r, float64(0.24022650695910122))
    q = fused_multiply_add(q, r, float64(0.6931471805599453))
    return fused_multiply_add(q, r, float64(1.0))


_power_series = by_dtype(float32=_power_series32, float64=_power_series64)


def _exp2_32(x):
    x = T(130) if x > T(130) else x
    x = T(-160) if x < T(-160) else x
    shifted = x + T(ROUND32)
    return scale_by_power_of_two(
        _power_series(x - (shifted - T(ROUND32))), int32(float_bits(shifted) - float_bits(T(ROUND32)))
    )


def _exp2_64(x):
    x = T(1025) if x > T(1025) else x
    x = T(-1100) if x < T(-1100) else x
    shifted = x + T(ROUND64)
    return scale_by_power_of_two(
        _power_series(x - (shifted - T(ROUND64))), float_bits(shifted) - float_bits(T(ROUND64))
    )


exp2 = by_dtype(float32=_exp2_32, float64=_exp2_64)
"""`exp2(x)`: 2^x."""


@scalar_function
def log2(x):
    """Returns the logarithm to the base 2: -inf at 0, NaN below."""
    e, m = logarithm_parts(x)
    y = fused_multiply_add(logarithm(T(0), m - T(1)), T(LOG2_E), e)
    y = y if x < T(math.inf) else x
    return y if x > 0 else (T(-math.inf) if x == 0 else T(math.nan))


@scalar_function
def reciprocal_root(x):
    """Returns 1 / sqrt(x) (TensorFlow: tf.math.rsqrt)."""
    return T(1) / math.sqrt(x)


@scalar_function
def _exp2(t):
    """Returns 2^t of a float64, as a float32."""
    t = float64(140) if t > float64(140) else t
    t = float64(-160) if t < float64(-160) else t
    shifted = t + float64(ROUND64)
    k = float_bits(shifted) - float_bits(float64(ROUND64))
    r = float32(t - (shifted - float64(ROUND64)))
    return scale_by_power_of_two(_power_series(r), int32(k))


@scalar_function
def _with_sign(size, x, y):
    """Returns x^y from |x|^y: handles powers of 1, of negative numbers and of NaN, and the exponent 0."""
    a = math.fabs(x)
    size = T(1) if y == 0 or x == 1 or (a == 1 and y == y) else size  # noqa: PLR0124 - false of NaN
    half = T(0.5) * y
    whole, odd = round_to_zero(y) == y, round_to_zero(half) != half
    size = size if whole or x >= 0 or x != x or a == T(math.inf) else T(math.nan)  # noqa: PLR0124
    # The sign of zeros counts.
    return -size if whole and odd and math.copysign(T(1), x) < 0 and y == y else size  # noqa: PLR0124


def _inner_series32(z):
    """Returns 1/5 + z/7 + z^2/9 ... for 0 <= z <= 0.03."""
    q = float32(1 / 13)
    q = fused_multiply_add(q, z, float32(1 / 11))
    q = fused_multiply_add(q, z, float32(1 / 9))
    q = fused_multiply_add(q, z, float32(1 / 7))
    return fused_multiply_add(q, z, float32(1 / 5))


def _inner_series64(z):
    q = float64(0.06001067163696724)
    q = fused_multiply_add(q, z, float64(0.05836568951455214))
    q = fused_multiply_add(q, z, float64(0.06668203184708452))
    q = fused_multiply_add(q, z, float64(0.07692277182715128))
    q = fused_multiply_add(q, z, float64(0.09090909455268438))
    q = fused_multiply_add(q, z, float64(0.11111111108586355))
    q = fused_multiply_add(q, z, float64(0.142857142857234))
    return fused_multiply_add(q, z, float64(0.19999999999999987))


_inner_series = by_dtype(float32=_inner_series32, float64=_inner_series64)


def _third_rest32(x):
    return float32(-9.934107481068821e-09)


def _third_rest64(x):
    return float64(1.850371707708594e-17)


_third_rest = by_dtype(float32=_third_rest32, float64=_third_rest64)
"""The rounding error of 1/3."""


def _twice_log2_e_rest32(x):
    return float32(3.851925968879664e-08)


def _twice_log2_e_rest64(x):
    return float64(4.0710547481862066e-17)


_twice_log2_e_rest = by_dtype(float32=_twice_log2_e_rest32, float64=_twice_log2_e_rest64)
"""The rounding error of 2 log2(e)."""


@scalar_function
def _log2_parts(a):
    """Returns log2 of a positive number as a sum of two, accurate to 2^-33 for float32 and 2^-63 for float64.

    The logarithm is e + 2 log2(e) atanh(s) with s = (m - 1) / (m + 1).
    """
    e, m = logarithm_parts(a)
    f = m - T(1)
    divisor = f + T(2)
    inverse = T(1) / divisor
    s = f * inverse
    s_low = (fused_multiply_add(-s, divisor, f) - s * (f - (divisor - T(2)))) * inverse
    z = s * s
    z_low = fused_multiply_add(s, s, -z) + T(2) * s * s_low
    q = _inner_series(z)
    # atanh(s) = s (1 + z p) with p = 1/3 + z q
    less = z * q
    p = T(0.3333333333333333) + less
    p_low = (less - (p - T(0.3333333333333333))) + _third_rest(z)
    w = z * p
    w_low = fused_multiply_add(z, p, -w) + (z * p_low + z_low * p)
    v = T(1) + w
    v_low = (w - (v - T(1))) + w_low
    g = s * v
    g_low = fused_multiply_add(s, v, -g) + (s * v_low + s_low * v)
    high = g * T(2.8853900817779268)
    low = fused_multiply_add(g, T(2.8853900817779268), -high) + (
        g * _twice_log2_e_rest(z) + g_low * T(2.8853900817779268)
    )
    total = e + high
    return total, (high - (total - e)) + low


def _nearest32(t):
    shifted = t + float32(ROUND32)
    return shifted - float32(ROUND32), int32(float_bits(shifted) - float_bits(float32(ROUND32)))


def _nearest64(t):
    shifted = t + float64(ROUND64)
    return shifted - float64(ROUND64), float_bits(shifted) - float_bits(float64(ROUND64))


_nearest = by_dtype(float32=_nearest32, float64=_nearest64)
"""Returns the nearest whole number, as a float and as an integer."""


def _far32(x):
    return float32(200)


def _far64(x):
    return float64(1100)


_far = by_dtype(float32=_far32, float64=_far64)
"""A power of 2 with this exponent is infinite; with its opposite, it is 0."""


@scalar_function
def _exp2_of_sum(t, low):
    """Returns 2^(t + low), low far smaller than t."""
    far = _far(t)
    inside = math.fabs(t) < far
    t = t if inside or t != t else math.copysign(far, t)  # noqa: PLR0124 - true of NaN
    whole, k = _nearest(t)
    return scale_by_power_of_two(_power_series((t - whole) + (low if inside else T(0))), k)


@scalar_function
def power_in_parts(x, y):
    """Returns x^y, by a logarithm in two parts."""
    a = math.fabs(x)
    high, low = _log2_parts(a)
    high = high if a < T(math.inf) else a
    high = high if a != 0 else T(-math.inf)
    t = y * high
    return _with_sign(_exp2_of_sum(t, fused_multiply_add(y, high, -t) + y * low), x, y)


@scalar_function
def power_through_float64(x, y):
    """Returns x^y of float32 numbers: faster than by parts on machines with as many units for float64."""
    return _with_sign(_exp2(float64(y) * _log2(math.fabs(x))), x, y)


power = by_dtype(float32=power_through_float64, float64=power_in_parts)
"""`power(x, y)`: x^y, as in the C library at zeros, infinities and NaN."""
