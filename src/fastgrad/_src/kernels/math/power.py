"""Powers, for the bodies of kernels (see `vector_math`)."""

import math

from numpy import float32, float64, int32

from fastgrad._src.jit.body import (
    by_dtype,
    constant_by_dtype,
    float_bits,
    from_bits,
    fused_multiply_add,
    polynomial,
    round_to_zero,
    scalar_function,
    scale_by_power_of_two,
)
from fastgrad._src.kernels.math.vector_math import (
    LOG2_E,
    ROUNDING_SHIFT,
    ROUNDING_SHIFT64,
    logarithm,
    logarithm_parts,
)

ONE_THIRD_ROUNDING_ERROR = constant_by_dtype(float32=-9.934107481068821e-09, float64=1.850371707708594e-17)
"""The rounding error of 1/3."""

TWICE_LOG2_E_ROUNDING_ERROR = constant_by_dtype(float32=3.851925968879664e-08, float64=4.0710547481862066e-17)
"""The rounding error of 2 log2(e)."""

LOG10_2 = 0.3010299956639812
LOG10_2_ROUNDING_ERROR = constant_by_dtype(float32=-1.4320988897559699e-08, float64=-2.8037281277851704e-18)

OVERFLOWING_POWER_OF_2_EXPONENT = constant_by_dtype(float32=200.0, float64=1100.0)
"""A power of 2 with this exponent is infinite; with its opposite, it is 0."""

SMALL_SCALE = constant_by_dtype(float32=2.0**-70, float64=2.0**-600)
LARGE_SCALE = constant_by_dtype(float32=2.0**90, float64=2.0**700)
SCALED_ABOVE = constant_by_dtype(float32=2.0**60, float64=2.0**500)
SCALED_BELOW = constant_by_dtype(float32=2.0**-50, float64=2.0**-450)
"""The squares of numbers beyond these bounds may be out of range, and are not if the numbers are scaled."""

EXP2_OVERFLOW_EXPONENT = constant_by_dtype(float32=130.0, float64=1025.0)
EXP2_UNDERFLOW_EXPONENT = constant_by_dtype(float32=-160.0, float64=-1100.0)

_log2_series = polynomial(
    float64=[
        0.05381324997828638, -0.09860052375751109, 0.0998962925113709, -0.09925241823307246, 0.11014688790309003,
        -0.12498229434026241, 0.1429018033508322, -0.16666856951911158, 0.19999911035241585, -0.2499999705890284,
        0.33333333895549433, -0.5,
    ],
)  # fmt: skip
"""(log(1 + f) / f - 1) / f."""


@scalar_function
def _log2(a):
    """Returns log2 of a positive float32 as a float64, accurate to 2^-35."""
    bits = float_bits(float64(a))
    e = (bits - float_bits(float64(0.70710678118654752))) >> 52
    f = from_bits(bits - (e << 52)) - float64(1)
    y = fused_multiply_add(fused_multiply_add(f * f, _log2_series(f), f), float64(LOG2_E), float64(e))
    y = y if a < float32(math.inf) else float64(a)
    return y if a != 0 else float64(-math.inf)


_exp2_series = polynomial(
    float32=[
        0.00015458461712114513, 0.0013391770189628005, 0.009618072770535946, 0.05550358071923256, 0.24022650718688965,
        0.6931471824645996, 1,
    ],
    float64=[
        4.461314020261794e-10, 7.073674272638425e-09, 1.0178014819442327e-07, 1.3215436122837548e-06,
        1.5252733964548005e-05, 0.00015403530454850258, 0.0013333558146239471, 0.009618129107596601,
        0.055504108664822666, 0.24022650695910122, 0.6931471805599453, 1.0,
    ],
)  # fmt: skip
"""2^r for |r| <= 1/2."""


@scalar_function
def _nearest_whole(t):
    """Returns the nearest whole number, as a float and as an integer."""
    shifted = t + T(ROUNDING_SHIFT)
    return shifted - T(ROUNDING_SHIFT), T_bits(float_bits(shifted) - float_bits(T(ROUNDING_SHIFT)))


@scalar_function
def exp2(x):
    """Returns 2^x."""
    x = T(EXP2_OVERFLOW_EXPONENT) if x > T(EXP2_OVERFLOW_EXPONENT) else x
    x = T(EXP2_UNDERFLOW_EXPONENT) if x < T(EXP2_UNDERFLOW_EXPONENT) else x
    whole, k = _nearest_whole(x)
    return scale_by_power_of_two(_exp2_series(x - whole), k)


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
    shifted = t + float64(ROUNDING_SHIFT64)
    k = float_bits(shifted) - float_bits(float64(ROUNDING_SHIFT64))
    r = float32(t - (shifted - float64(ROUNDING_SHIFT64)))
    return scale_by_power_of_two(_exp2_series(r), int32(k))


@scalar_function
def _signed_power(unsigned, x, y):
    """Returns x^y from `unsigned` = |x|^y: handles powers of 1, of negative numbers and NaN, and the exponent 0."""
    a = math.fabs(x)
    unsigned = T(1) if y == 0 or x == 1 or (a == 1 and y == y) else unsigned  # noqa: PLR0124 - false of NaN
    half = T(0.5) * y
    whole, odd = round_to_zero(y) == y, round_to_zero(half) != half
    unsigned = unsigned if whole or x >= 0 or x != x or a == T(math.inf) else T(math.nan)  # noqa: PLR0124
    # The sign of zeros counts.
    return -unsigned if whole and odd and math.copysign(T(1), x) < 0 and y == y else unsigned  # noqa: PLR0124


_atanh_series_from_fifth_power = polynomial(
    float32=[1 / 13, 1 / 11, 1 / 9, 1 / 7, 1 / 5],
    float64=[
        0.06001067163696724, 0.05836568951455214, 0.06668203184708452, 0.07692277182715128, 0.09090909455268438,
        0.11111111108586355, 0.142857142857234, 0.19999999999999987,
    ],
)  # fmt: skip
"""1/5 + z/7 + z^2/9 ... for 0 <= z <= 0.03."""


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
    q = _atanh_series_from_fifth_power(z)
    # atanh(s) = s (1 + z p) with p = 1/3 + z q
    less = z * q
    p = T(0.3333333333333333) + less
    p_low = (less - (p - T(0.3333333333333333))) + T(ONE_THIRD_ROUNDING_ERROR)
    w = z * p
    w_low = fused_multiply_add(z, p, -w) + (z * p_low + z_low * p)
    v = T(1) + w
    v_low = (w - (v - T(1))) + w_low
    g = s * v
    g_low = fused_multiply_add(s, v, -g) + (s * v_low + s_low * v)
    high = g * T(2.8853900817779268)
    low = fused_multiply_add(g, T(2.8853900817779268), -high) + (
        g * T(TWICE_LOG2_E_ROUNDING_ERROR) + g_low * T(2.8853900817779268)
    )
    total = e + high
    return total, (high - (total - e)) + low


@scalar_function
def log10(x):
    """Returns the logarithm to the base 10, rounded correctly at powers of 10: -inf at 0, NaN below."""
    high, low = _log2_parts(x)
    product = high * T(LOG10_2)
    less = fused_multiply_add(high, T(LOG10_2), -product) + fused_multiply_add(
        high, T(LOG10_2_ROUNDING_ERROR), low * T(LOG10_2)
    )
    y = product + less if x < T(math.inf) else x
    return y if x > 0 else (T(-math.inf) if x == 0 else T(math.nan))


@scalar_function
def hypotenuse(x, y):
    """Returns the root of x^2 + y^2, also if the squares are out of range; infinite if a side is."""
    a, b = math.fabs(x), math.fabs(y)
    size = a if a > b else b
    scale = T(SMALL_SCALE) if size > T(SCALED_ABOVE) else (T(LARGE_SCALE) if size < T(SCALED_BELOW) else T(1))
    p, q = a * scale, b * scale
    root = math.sqrt(fused_multiply_add(p, p, q * q)) / scale
    return T(math.inf) if a == T(math.inf) or b == T(math.inf) else root


@scalar_function
def _exp2_of_sum(t, low):
    """Returns 2^(t + low), low far smaller than t."""
    inside = math.fabs(t) < T(OVERFLOWING_POWER_OF_2_EXPONENT)
    t = t if inside or t != t else math.copysign(T(OVERFLOWING_POWER_OF_2_EXPONENT), t)  # noqa: PLR0124 - true of NaN
    whole, k = _nearest_whole(t)
    return scale_by_power_of_two(_exp2_series((t - whole) + (low if inside else T(0))), k)


@scalar_function
def power_in_parts(x, y):
    """Returns x^y, by a logarithm in two parts."""
    a = math.fabs(x)
    high, low = _log2_parts(a)
    high = high if a < T(math.inf) else a
    high = high if a != 0 else T(-math.inf)
    t = y * high
    return _signed_power(_exp2_of_sum(t, fused_multiply_add(y, high, -t) + y * low), x, y)


@scalar_function
def power_through_float64(x, y):
    """Returns x^y of float32 numbers, computed in float64; faster than `power_in_parts` where float64 is fast."""
    return _signed_power(_exp2(float64(y) * _log2(math.fabs(x))), x, y)


power = by_dtype(float32=power_through_float64, float64=power_in_parts)
"""`power(x, y)`: x^y, as in the C library at zeros, infinities and NaN."""
