"""Powers, for the bodies of kernels (see `vector_math`)."""

import math

from numpy import float32, float64, int32

from fastgrad.kernels.body import (
    by_dtype,
    float_bits,
    from_bits,
    fused_multiply_add,
    round_to_zero,
    scalar_function,
    scale_by_power_of_two,
)
from fastgrad.kernels.vector_math import LOG2_E, ROUND64


@scalar_function
def _log2(a):
    """log2 of a positive float32 as a float64, good to 2^-35."""
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


@scalar_function
def _exp2(t):
    """2^t of a float64, as a float32."""
    t = float64(140) if t > float64(140) else t
    t = float64(-160) if t < float64(-160) else t
    shifted = t + float64(ROUND64)
    k = float_bits(shifted) - float_bits(float64(ROUND64))
    r = float32(t - (shifted - float64(ROUND64)))
    q = float32(0.00015458461712114513)
    q = fused_multiply_add(q, r, float32(0.0013391770189628005))
    q = fused_multiply_add(q, r, float32(0.009618072770535946))
    q = fused_multiply_add(q, r, float32(0.05550358071923256))
    q = fused_multiply_add(q, r, float32(0.24022650718688965))
    q = fused_multiply_add(q, r, float32(0.6931471824645996))
    return scale_by_power_of_two(fused_multiply_add(q, r, float32(1)), int32(k))


def _power32(x, y):
    a = math.fabs(x)
    size = _exp2(float64(y) * _log2(a))
    size = float32(1) if y == 0 or x == 1 or (a == 1 and y == y) else size  # noqa: PLR0124 - false of NaN
    half = float32(0.5) * y
    whole, odd = round_to_zero(y) == y, round_to_zero(half) != half
    size = size if whole or x >= 0 or x != x or a == float32(math.inf) else float32(math.nan)  # noqa: PLR0124
    # The sign of zeros counts.
    return -size if whole and odd and math.copysign(float32(1), x) < 0 and y == y else size  # noqa: PLR0124


def _power64(x, y):
    return math.pow(x, y)


power = by_dtype(float32=_power32, float64=_power64)
"""`power(x, y)`: x^y, as the C library has it at zeros, infinities and NaN."""
