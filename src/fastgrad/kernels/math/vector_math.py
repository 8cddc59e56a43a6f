"""Elementary functions for the bodies of kernels, without branches, so that loops over them vectorise.

`math.exp` in a loop calls the C library for each element; these functions are arithmetic, which LLVM vectorises. All
are accurate to 2 ulp over the whole range (docs/accuracy.md), keep NaN, and are correct at infinities, zeros and
subnormal numbers. The polynomials are minimax fits for the intervals given at each. This module has exponentials and
logarithms; see `circular`, `hyperbolic`, `power` and `error_function` for other functions.
"""

import math

from numpy import int32, int64

from fastgrad.kernels.codegen.body import (
    by_dtype,
    float_bits,
    from_bits,
    fused_multiply_add,
    scalar_function,
    scale_by_power_of_two,
)

# Adding and subtracting 1.5 * 2^(mantissa bits) rounds to an integer, which is in the low bits of the sum.
ROUND32 = 12582912.0
ROUND64 = 6755399441055744.0
LOG2_E = 1.4426950408889634
# log(2) in two parts; the first has few bits, so that its products with small integers are exact.
LN2_HIGH32 = 0.693359375
LN2_LOW32 = -2.12194440054690582770e-4
LN2_HIGH64 = 0.69314718036912381649
LN2_LOW64 = 1.90821492927058770002e-10


@scalar_function
def least(a, b):
    """Returns the smaller of two numbers; b if one is NaN."""
    return a if a < b else b


@scalar_function
def greatest(a, b):
    """Returns the greater of two numbers; b if one is NaN."""
    return a if a > b else b


@scalar_function
def nan_greatest(a, b):
    """Returns the greater of two numbers, NaN if one is NaN (TensorFlow: tf.maximum)."""
    return a if a > b or a != a else b  # noqa: PLR0124 - true of NaN


@scalar_function
def nan_least(a, b):
    """Returns the smaller of two numbers, NaN if one is NaN (TensorFlow: tf.minimum)."""
    return a if a < b or a != a else b  # noqa: PLR0124 - true of NaN


@scalar_function
def positive_part(x):
    """Returns max(x, 0), and NaN for NaN."""
    return T(0) if x <= 0 else x


# ---- exponentials ------------------------------------------------------------------------------------------


def _reduced32(x):
    """Returns k and r with x = k log(2) + r, |r| <= log(2)/2."""
    shifted = fused_multiply_add(x, T(LOG2_E), T(ROUND32))
    n = shifted - T(ROUND32)
    r = fused_multiply_add(n, T(-LN2_LOW32), fused_multiply_add(n, T(-LN2_HIGH32), x))
    return int32(float_bits(shifted) - float_bits(T(ROUND32))), r


def _reduced64(x):
    shifted = fused_multiply_add(x, T(LOG2_E), T(ROUND64))
    n = shifted - T(ROUND64)
    r = fused_multiply_add(n, T(-LN2_LOW64), fused_multiply_add(n, T(-LN2_HIGH64), x))
    return float_bits(shifted) - float_bits(T(ROUND64)), r


_reduced = by_dtype(float32=_reduced32, float64=_reduced64)


def _exponential_series32(r):
    """Returns exp(r) for |r| <= log(2)/2."""
    q = T(0.0013936213217675686)
    q = fused_multiply_add(q, r, T(0.008369308896362782))
    q = fused_multiply_add(q, r, T(0.04166645184159279))
    q = fused_multiply_add(q, r, T(0.16666515171527863))
    q = fused_multiply_add(q, r, T(0.5))
    q = fused_multiply_add(q, r, T(1.0))
    return fused_multiply_add(q, r, T(1.0))


def _exponential_series64(r):
    q = T(2.5115531264836502e-08)
    q = fused_multiply_add(q, r, T(2.762610085402736e-07))
    q = fused_multiply_add(q, r, T(2.755722447665438e-06))
    q = fused_multiply_add(q, r, T(2.480150649038301e-05))
    q = fused_multiply_add(q, r, T(0.00019841269906959857))
    q = fused_multiply_add(q, r, T(0.001388888892844764))
    q = fused_multiply_add(q, r, T(0.008333333333312893))
    q = fused_multiply_add(q, r, T(0.041666666666600134))
    q = fused_multiply_add(q, r, T(0.16666666666666688))
    q = fused_multiply_add(q, r, T(0.5))
    q = fused_multiply_add(q, r, T(1.0))
    return fused_multiply_add(q, r, T(1.0))


_exponential_series = by_dtype(float32=_exponential_series32, float64=_exponential_series64)


def _less_one_series32(r):
    """Returns (exp(r) - 1 - r) / r^2 for |r| <= log(2)/2."""
    q = T(0.0013934132875874639)
    q = fused_multiply_add(q, r, T(0.00836691539734602))
    q = fused_multiply_add(q, r, T(0.04166647419333458))
    q = fused_multiply_add(q, r, T(0.16666540503501892))
    return fused_multiply_add(q, r, T(0.5))


def _less_one_series64(r):
    q = T(2.5112885307224598e-08)
    q = fused_multiply_add(q, r, T(2.7622953188597716e-07))
    q = fused_multiply_add(q, r, T(2.7557233480002182e-06))
    q = fused_multiply_add(q, r, T(2.48015147256815e-05))
    q = fused_multiply_add(q, r, T(0.00019841269896154402))
    q = fused_multiply_add(q, r, T(0.0013888888921622798))
    q = fused_multiply_add(q, r, T(0.008333333333318163))
    q = fused_multiply_add(q, r, T(0.04166666666661771))
    q = fused_multiply_add(q, r, T(0.1666666666666668))
    return fused_multiply_add(q, r, T(0.5))


_less_one_series = by_dtype(float32=_less_one_series32, float64=_less_one_series64)


def _exponential_range32(x):
    """Limits x to the range's end, beyond which the exponential is infinite; keeps NaN."""
    return T(89.0) if x > T(89.0) else x


def _exponential_range64(x):
    return T(710.0) if x > T(710.0) else x


_exponential_range = by_dtype(float32=_exponential_range32, float64=_exponential_range64)


def _vanishes32(x):
    """True if e^x rounds to 0."""
    return x < T(-104.0)


def _vanishes64(x):
    return x < T(-746.0)


_vanishes = by_dtype(float32=_vanishes32, float64=_vanishes64)


def _half_range32(x):
    return T(90.0) if x > T(90.0) else x


def _half_range64(x):
    return T(711.0) if x > T(711.0) else x


_half_range = by_dtype(float32=_half_range32, float64=_half_range64)


def _power_of_two32(k):
    """Returns 2^k for k in [-126, 127]."""
    return from_bits(int32((k + 127) << 23))


def _power_of_two64(k):
    return from_bits((k + 1023) << 52)


_power_of_two = by_dtype(int32=_power_of_two32, int64=_power_of_two64)


@scalar_function
def exp(x):
    """Returns e^x. A result of 0 is not computed by scaling: on some processors, an underflow costs 200 cycles."""
    nothing = _vanishes(x)
    k, r = _reduced(T(0) if nothing else _exponential_range(x))
    return T(0) if nothing else scale_by_power_of_two(_exponential_series(r), k)


@scalar_function
def half_exp(x):
    """Returns e^x / 2 for x >= 0, which is finite for slightly larger x than e^x."""
    k, r = _reduced(_half_range(x))
    return scale_by_power_of_two(_exponential_series(r), T_bits(k - 1))


def _less_one_range32(x):
    """Limits x to the range below which e^x - 1 is -1, and above which it is infinite."""
    x = T(89.0) if x > T(89.0) else x
    return T(-18.0) if x < T(-18.0) else x


def _less_one_range64(x):
    x = T(710.0) if x > T(710.0) else x
    return T(-40.0) if x < T(-40.0) else x


_less_one_range = by_dtype(float32=_less_one_range32, float64=_less_one_range64)


def _rest32(x, k, r):
    """Returns the rounding error of r = x - k log(2)."""
    n = T(k)
    return fused_multiply_add(n, T(-LN2_LOW32), fused_multiply_add(n, T(-LN2_HIGH32), x) - r)


def _rest64(x, k, r):
    n = T(k)
    return fused_multiply_add(n, T(-LN2_LOW64), fused_multiply_add(n, T(-LN2_HIGH64), x) - r)


_rest = by_dtype(float32=_rest32, float64=_rest64)


@scalar_function
def expm1(x):
    """Returns e^x - 1, accurate near zero. It computes half of that, since 2^k may be out of range."""
    a = _less_one_range(x)
    k, r = _reduced(a)
    half = _power_of_two(T_bits(k - 1))
    less = fused_multiply_add(r * r, _less_one_series(r), _rest(a, k, r)) + r
    y = fused_multiply_add(half, less, half - T(0.5))
    return math.copysign(less if k == 0 else y + y, x)


@scalar_function
def exponential_parts(x):
    """Returns k and p with e^x = 2^k (1 + p), |p| < 0.42; x > -170, -1400 in float64 (`scale_by_power_of_two`)."""
    k, r = _reduced(x)
    return k, fused_multiply_add(r * r, _less_one_series(r), r)


@scalar_function
def quotient_times_exponential(n, n_low, d, d_low, inverse, k, p, low):
    """Returns (n + n_low) / (d + d_low) e^(x + low) to 1.5 ulp, for 1 / d and `exponential_parts` k, p of x."""
    y = n * inverse
    rest = (fused_multiply_add(-y, d_low, fused_multiply_add(-y, d, n)) + n_low) * inverse
    rest = fused_multiply_add(y, low, rest)
    return scale_by_power_of_two(y + fused_multiply_add(y, p, fused_multiply_add(rest, p, rest)), k)


def _hyperbolic_tangent_parts32(a):
    """Returns k, r: a = k log(2)/2 + r, -0.09 <= r <= 0.26, such that k is 0 below 1/4 and at most 1 below 1/2."""
    shifted = fused_multiply_add(a, T(2 * LOG2_E), T(-0.25)) + T(ROUND32)
    n = shifted - T(ROUND32)
    r = fused_multiply_add(n, T(-0.5 * LN2_LOW32), fused_multiply_add(n, T(-0.5 * LN2_HIGH32), a))
    return int32(float_bits(shifted) - float_bits(T(ROUND32))), r


def _hyperbolic_tangent_parts64(a):
    shifted = fused_multiply_add(a, T(2 * LOG2_E), T(-0.25)) + T(ROUND64)
    n = shifted - T(ROUND64)
    r = fused_multiply_add(n, T(-0.5 * LN2_LOW64), fused_multiply_add(n, T(-0.5 * LN2_HIGH64), a))
    return float_bits(shifted) - float_bits(T(ROUND64)), r


_hyperbolic_tangent_parts = by_dtype(float32=_hyperbolic_tangent_parts32, float64=_hyperbolic_tangent_parts64)


def _hyperbolic_tangent_series32(z):
    """Returns (tanh(r) / r - 1) / z for z = r^2, |r| <= 0.26."""
    q = T(-0.05122021145112673)
    q = fused_multiply_add(q, z, T(0.13322649884004706))
    return fused_multiply_add(q, z, T(-0.3333321447878805))


def _hyperbolic_tangent_series64(z):
    q = T(-0.0013070358321422065)
    q = fused_multiply_add(q, z, T(0.003576271713596763))
    q = fused_multiply_add(q, z, T(-0.008862350255184887))
    q = fused_multiply_add(q, z, T(0.021869461253787716))
    q = fused_multiply_add(q, z, T(-0.05396825351757815))
    q = fused_multiply_add(q, z, T(0.13333333332979902))
    return fused_multiply_add(q, z, T(-0.33333333333332393))


_hyperbolic_tangent_series = by_dtype(float32=_hyperbolic_tangent_series32, float64=_hyperbolic_tangent_series64)


@scalar_function
def tanh(x):
    """Returns the hyperbolic tangent.

    exp(2|x|) is 2^k (1 + q) / (1 - q) with q = tanh(r), so tanh(x) is a quotient of two sums. From about 1/2 on, 1 -
    tanh(x) is computed as such a quotient.
    """
    a = math.fabs(x)
    k, r = _hyperbolic_tangent_parts(T(22) if a > T(22) else a)
    z = r * r
    q = fused_multiply_add(r * z, _hyperbolic_tangent_series(z), r)
    scale = _power_of_two(k)
    less, more = scale - T(1), scale + T(1)
    above = fused_multiply_add(T(2), q, T(-2)) if k > 1 else fused_multiply_add(more, q, less)
    return math.copysign(above / fused_multiply_add(less, q, more) + (T(1) if k > 1 else T(0)), x)


@scalar_function
def sigmoid(x):
    """Returns 1 / (1 + e^-x), computed from e^-|x|, which cannot overflow."""
    z = exp(-math.fabs(x))
    d = T(1) + z
    y = (z if x < 0 else T(1)) / d
    return fused_multiply_add(
        -y, z - (d - T(1)), y
    )  # the sum's rounding error, where it matters most: for small y and y near 1


# ---- logarithms --------------------------------------------------------------------------------------------


def _logarithm_parts32(x):
    """Returns e, as a float, and m with x = 2^e m, sqrt(1/2) <= m < sqrt(2), for a positive x."""
    tiny = x < T(1.1754943508222875e-38)
    bits = float_bits(x * T(8388608.0) if tiny else x)
    e = int32(bits - float_bits(T(0.70710678118654752))) >> 23
    return T(e) - (T(23) if tiny else T(0)), from_bits(int32(bits - (e << 23)))


def _logarithm_parts64(x):
    tiny = x < T(2.2250738585072014e-308)
    bits = float_bits(x * T(4503599627370496.0) if tiny else x)
    e = (bits - float_bits(T(0.70710678118654752))) >> 52
    return T(e) - (T(52) if tiny else T(0)), from_bits(bits - (e << 52))


logarithm_parts = by_dtype(float32=_logarithm_parts32, float64=_logarithm_parts64)
"""`logarithm_parts(x)`: e and m with x = 2^e m, for a positive x."""


def _logarithm32(e, f):
    """Returns e log(2) + log(1 + f)."""
    q = T(-0.07631809264421463)
    q = fused_multiply_add(q, f, T(0.12761105597019196))
    q = fused_multiply_add(q, f, T(-0.1316070407629013))
    q = fused_multiply_add(q, f, T(0.14201730489730835))
    q = fused_multiply_add(q, f, T(-0.1662331223487854))
    q = fused_multiply_add(q, f, T(0.20001237094402313))
    q = fused_multiply_add(q, f, T(-0.250008225440979))
    q = fused_multiply_add(q, f, T(0.3333333134651184))
    q = fused_multiply_add(q, f, T(-0.5))
    return fused_multiply_add(e, T(LN2_HIGH32), fused_multiply_add(f * f, q, e * T(LN2_LOW32)) + f)


def _logarithm64(e, f):
    """Returns e log(2) + log(1 + f), by a series in s^2 with s = f / (2 + f)."""
    s = f / (T(2) + f)
    z = s * s
    q = T(0.1479764179143506)
    q = fused_multiply_add(q, z, T(0.15313887392318629))
    q = fused_multiply_add(q, z, T(0.1818357048343441))
    q = fused_multiply_add(q, z, T(0.22222198458520606))
    q = fused_multiply_add(q, z, T(0.2857142874347465))
    q = fused_multiply_add(q, z, T(0.3999999999940988))
    q = fused_multiply_add(q, z, T(0.6666666666666735))
    half = T(0.5) * f * f
    y = fused_multiply_add(s, fused_multiply_add(z, q, half), e * T(LN2_LOW64))
    return fused_multiply_add(e, T(LN2_HIGH64), f - (half - y))


logarithm = by_dtype(float32=_logarithm32, float64=_logarithm64)
"""`logarithm(e, f)`: e log(2) + log(1 + f), for 1 + f = m of `logarithm_parts`."""


@scalar_function
def log(x):
    """Returns the natural logarithm: -inf at 0, NaN below."""
    e, m = logarithm_parts(x)
    y = logarithm(e, m - T(1))
    y = y if x < T(math.inf) else x
    return y if x > 0 else (T(-math.inf) if x == 0 else T(math.nan))


def _grown_parts32(u):
    """Returns e, m and 2^-e with u = 2^e m as in `logarithm_parts`, for u that is not subnormal."""
    bits = float_bits(u)
    e = int32(bits - float_bits(T(0.70710678118654752))) >> 23
    return T(e), from_bits(int32(bits - (e << 23))), _power_of_two32(int32(-e if e < 64 else -64))


def _grown_parts64(u):
    bits = float_bits(u)
    e = (bits - float_bits(T(0.70710678118654752))) >> 52
    return T(e), from_bits(bits - (e << 52)), _power_of_two64(-e if e < 64 else int64(-64))


_grown_parts = by_dtype(float32=_grown_parts32, float64=_grown_parts64)


@scalar_function
def _log_of_grown(x):
    """Returns log(1 + x) for x in (-1, inf): the rounding error of 1 + x is added to its fraction."""
    u = T(1) + x
    e, m, scale = _grown_parts(u)
    return logarithm(e, fused_multiply_add(x - (u - T(1)), scale, m - T(1)))


@scalar_function
def log1p(x):
    """Returns log(1 + x), accurate near zero: -inf at -1, NaN below."""
    y = math.copysign(_log_of_grown(x), x)
    y = y if x < T(math.inf) else x
    return y if x > T(-1) else (T(-math.inf) if x == T(-1) else T(math.nan))


def _log1p_of_fraction32(z):
    """Returns log(1 + z) for 0 <= z <= 1."""
    q = T(0.00287388375)
    q = fused_multiply_add(q, z, T(-0.0175122428))
    q = fused_multiply_add(q, z, T(0.0499311811))
    q = fused_multiply_add(q, z, T(-0.0920296326))
    q = fused_multiply_add(q, z, T(0.130713283))
    q = fused_multiply_add(q, z, T(-0.163785089))
    q = fused_multiply_add(q, z, T(0.199593562))
    q = fused_multiply_add(q, z, T(-0.249970241))
    q = fused_multiply_add(q, z, T(0.333332476))
    q = fused_multiply_add(q, z, T(-0.499999996))
    return fused_multiply_add(z * z, q, z)


log1p_of_fraction = by_dtype(float32=_log1p_of_fraction32, float64=_log_of_grown)


@scalar_function
def softplus(x):
    """Returns log(1 + e^x)."""
    return positive_part(x) + log1p_of_fraction(exp(-math.fabs(x)))


@scalar_function
def log_sigmoid(x):
    """Returns -log(1 + e^-x)."""
    return T(0) - softplus(-x)
