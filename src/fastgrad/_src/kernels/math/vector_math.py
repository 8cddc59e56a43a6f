"""Elementary functions for the bodies of kernels, without branches, so that loops over them vectorise.

`math.exp` in a loop calls the C library for each element; these functions are arithmetic, which LLVM vectorises. All
are accurate to 2 ulp over the whole range (docs/accuracy.md), keep NaN, and are correct at infinities, zeros and
subnormal numbers. The polynomials are minimax fits for the intervals given at each. This module has exponentials and
logarithms; see `circular`, `hyperbolic`, `power` and `error_function` for other functions.
"""

import math

from fastgrad._src.jit.body import (
    by_dtype,
    constant_by_dtype,
    float_bits,
    from_bits,
    fused_multiply_add,
    polynomial,
    scalar_function,
    scale_by_power_of_two,
)

# Adding and subtracting 1.5 * 2^(mantissa bits) rounds to an integer, which is in the low bits of the sum.
ROUNDING_SHIFT64 = 6755399441055744.0
ROUNDING_SHIFT = constant_by_dtype(float32=12582912.0, float64=ROUNDING_SHIFT64)
LOG2_E = 1.4426950408889634
# log(2) in two parts; the first has few bits, so that its products with small integers are exact.
LN2_HIGH = constant_by_dtype(float32=0.693359375, float64=0.69314718036912381649)
LN2_LOW = constant_by_dtype(float32=-2.12194440054690582770e-4, float64=1.90821492927058770002e-10)
MANTISSA_BITS = constant_by_dtype(float32=23, float64=52)
EXPONENT_BIAS = constant_by_dtype(float32=127, float64=1023)
SMALLEST_NORMAL = constant_by_dtype(float32=1.1754943508222875e-38, float64=2.2250738585072014e-308)
# The arguments beyond which e^x and e^x / 2 are infinite, and below which e^x rounds to 0 and e^x - 1 to -1.
EXP_OVERFLOW_ARGUMENT = constant_by_dtype(float32=89.0, float64=710.0)
HALF_EXP_OVERFLOW_ARGUMENT = constant_by_dtype(float32=90.0, float64=711.0)
EXP_UNDERFLOW_ARGUMENT = constant_by_dtype(float32=-104.0, float64=-746.0)
EXPM1_ROUNDS_TO_MINUS_1_BELOW = constant_by_dtype(float32=-18.0, float64=-40.0)


@scalar_function
def least(a, b):
    """Returns the smaller of two numbers; b if one is NaN."""
    return a if a < b else b


@scalar_function
def greatest(a, b):
    """Returns the greater of two numbers; b if one is NaN."""
    return a if a > b else b


@scalar_function
def at_most(x, limit):
    """Returns the smaller of a number and its limit; keeps NaN."""
    return limit if x > limit else x


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


@scalar_function
def _reduced_by_log2(x):
    """Returns k and r with x = k log(2) + r, |r| <= log(2)/2."""
    shifted = fused_multiply_add(x, T(LOG2_E), T(ROUNDING_SHIFT))
    n = shifted - T(ROUNDING_SHIFT)
    r = fused_multiply_add(n, T(-LN2_LOW), fused_multiply_add(n, T(-LN2_HIGH), x))
    return T_bits(float_bits(shifted) - float_bits(T(ROUNDING_SHIFT))), r


_exponential_series = polynomial(
    float32=[0.0013936213217675686, 0.008369308896362782, 0.04166645184159279, 0.16666515171527863, 0.5, 1.0, 1.0],
    float64=[
        2.5115531264836502e-08, 2.762610085402736e-07, 2.755722447665438e-06, 2.480150649038301e-05,
        0.00019841269906959857, 0.001388888892844764, 0.008333333333312893, 0.041666666666600134, 0.16666666666666688,
        0.5, 1.0, 1.0,
    ],
)  # fmt: skip
"""exp(r) for |r| <= log(2)/2."""


_expm1_series = polynomial(
    float32=[0.0013934132875874639, 0.00836691539734602, 0.04166647419333458, 0.16666540503501892, 0.5],
    float64=[
        2.5112885307224598e-08, 2.7622953188597716e-07, 2.7557233480002182e-06, 2.48015147256815e-05,
        0.00019841269896154402, 0.0013888888921622798, 0.008333333333318163, 0.04166666666661771, 0.1666666666666668,
        0.5,
    ],
)  # fmt: skip
"""(exp(r) - 1 - r) / r^2 for |r| <= log(2)/2."""


@scalar_function
def _power_of_two(k):
    """Returns 2^k for k in [-126, 127], [-1022, 1023] in float64."""
    return from_bits(T_bits((k + EXPONENT_BIAS) << MANTISSA_BITS))


@scalar_function
def exp(x):
    """Returns e^x. A result of 0 is not computed by scaling: on some processors, an underflow costs 200 cycles."""
    nothing = x < T(EXP_UNDERFLOW_ARGUMENT)
    k, r = _reduced_by_log2(T(0) if nothing else at_most(x, T(EXP_OVERFLOW_ARGUMENT)))
    return T(0) if nothing else scale_by_power_of_two(_exponential_series(r), k)


@scalar_function
def half_exp(x):
    """Returns e^x / 2 for x >= 0, which is finite for slightly larger x than e^x."""
    k, r = _reduced_by_log2(at_most(x, T(HALF_EXP_OVERFLOW_ARGUMENT)))
    return scale_by_power_of_two(_exponential_series(r), T_bits(k - 1))


@scalar_function
def _reduction_error(x, k, r):
    """Returns the rounding error of r = x - k log(2)."""
    n = T(k)
    return fused_multiply_add(n, T(-LN2_LOW), fused_multiply_add(n, T(-LN2_HIGH), x) - r)


@scalar_function
def expm1(x):
    """Returns e^x - 1, accurate near zero. It computes half of that, since 2^k may be out of range."""
    a = at_most(x, T(EXP_OVERFLOW_ARGUMENT))
    a = T(EXPM1_ROUNDS_TO_MINUS_1_BELOW) if a < T(EXPM1_ROUNDS_TO_MINUS_1_BELOW) else a
    k, r = _reduced_by_log2(a)
    half = _power_of_two(T_bits(k - 1))
    less = fused_multiply_add(r * r, _expm1_series(r), _reduction_error(a, k, r)) + r
    y = fused_multiply_add(half, less, half - T(0.5))
    return math.copysign(less if k == 0 else y + y, x)


@scalar_function
def exponential_parts(x):
    """Returns k and p with e^x = 2^k (1 + p), |p| < 0.42; x > -170, -1400 in float64 (`scale_by_power_of_two`)."""
    k, r = _reduced_by_log2(x)
    return k, fused_multiply_add(r * r, _expm1_series(r), r)


@scalar_function
def quotient_times_exponential(n, n_low, d, d_low, inverse, k, p, low):
    """Returns (n + n_low) / (d + d_low) e^(x + low) to 1.5 ulp, for 1 / d and `exponential_parts` k, p of x."""
    y = n * inverse
    rest = (fused_multiply_add(-y, d_low, fused_multiply_add(-y, d, n)) + n_low) * inverse
    rest = fused_multiply_add(y, low, rest)
    return scale_by_power_of_two(y + fused_multiply_add(y, p, fused_multiply_add(rest, p, rest)), k)


@scalar_function
def _hyperbolic_tangent_parts(a):
    """Returns k, r: a = k log(2)/2 + r, -0.09 <= r <= 0.26, such that k is 0 below 1/4 and at most 1 below 1/2."""
    shifted = fused_multiply_add(a, T(2 * LOG2_E), T(-0.25)) + T(ROUNDING_SHIFT)
    n = shifted - T(ROUNDING_SHIFT)
    r = fused_multiply_add(n, T(-0.5 * LN2_LOW), fused_multiply_add(n, T(-0.5 * LN2_HIGH), a))
    return T_bits(float_bits(shifted) - float_bits(T(ROUNDING_SHIFT))), r


_hyperbolic_tangent_series = polynomial(
    float32=[-0.05122021145112673, 0.13322649884004706, -0.3333321447878805],
    float64=[
        -0.0013070358321422065, 0.003576271713596763, -0.008862350255184887, 0.021869461253787716,
        -0.05396825351757815, 0.13333333332979902, -0.33333333333332393,
    ],
)  # fmt: skip
"""(tanh(r) / r - 1) / z for z = r^2, |r| <= 0.26."""


@scalar_function
def tanh(x):
    """Returns the hyperbolic tangent of a number.

    exp(2|x|) is 2^k (1 + q) / (1 - q) with q = tanh(r), so tanh(x) is a quotient of two sums. From about 1/2 on, 1 -
    tanh(x) is computed as such a quotient.
    """
    a = math.fabs(x)
    k, r = _hyperbolic_tangent_parts(at_most(a, T(22)))
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


@scalar_function
def logarithm_parts(x):
    """Returns e, as a float, and m with x = 2^e m, sqrt(1/2) <= m < sqrt(2), for a positive x."""
    tiny = x < T(SMALLEST_NORMAL)
    bits = float_bits(x * T(1 << MANTISSA_BITS) if tiny else x)
    e = T_bits(bits - float_bits(T(0.70710678118654752))) >> MANTISSA_BITS
    return T(e) - (T(MANTISSA_BITS) if tiny else T(0)), from_bits(T_bits(bits - (e << MANTISSA_BITS)))


_logarithm_series = polynomial(
    float32=[
        -0.07631809264421463, 0.12761105597019196, -0.1316070407629013, 0.14201730489730835, -0.1662331223487854,
        0.20001237094402313, -0.250008225440979, 0.3333333134651184, -0.5,
    ],
    float64=[
        0.1479764179143506, 0.15313887392318629, 0.1818357048343441, 0.22222198458520606, 0.2857142874347465,
        0.3999999999940988, 0.6666666666666735,
    ],
)  # fmt: skip
"""(log(1 + f) / f - 1) / f of f for float32; (log(1 + f) / s - 2) / s^2 of s^2, s = f / (2 + f), for float64."""


def _logarithm32(e, f):
    """Returns e log(2) + log(1 + f) of float32 numbers, by a series in f."""
    q = _logarithm_series(f)
    return fused_multiply_add(e, T(LN2_HIGH), fused_multiply_add(f * f, q, e * T(LN2_LOW)) + f)


def _logarithm64(e, f):
    """Returns e log(2) + log(1 + f), by a series in s^2 with s = f / (2 + f)."""
    s = f / (T(2) + f)
    z = s * s
    half = T(0.5) * f * f
    y = fused_multiply_add(s, fused_multiply_add(z, _logarithm_series(z), half), e * T(LN2_LOW))
    return fused_multiply_add(e, T(LN2_HIGH), f - (half - y))


logarithm = by_dtype(float32=_logarithm32, float64=_logarithm64)
"""`logarithm(e, f)`: e log(2) + log(1 + f), for 1 + f = m of `logarithm_parts`."""


@scalar_function
def log(x):
    """Returns the natural logarithm: -inf at 0, NaN below."""
    e, m = logarithm_parts(x)
    y = logarithm(e, m - T(1))
    y = y if x < T(math.inf) else x
    return y if x > 0 else (T(-math.inf) if x == 0 else T(math.nan))


@scalar_function
def _sum_with_one_parts(u):
    """Returns e, m in [sqrt(1/2), sqrt(2)) and 2^-e for a normal number u = 2^e m; see `logarithm_parts`."""
    bits = float_bits(u)
    e = T_bits(bits - float_bits(T(0.70710678118654752))) >> MANTISSA_BITS
    return T(e), from_bits(T_bits(bits - (e << MANTISSA_BITS))), _power_of_two(T_bits(-e if e < 64 else -64))


@scalar_function
def _log_of_one_plus(x):
    """Returns log(1 + x) for x in (-1, inf): the rounding error of 1 + x is added to its fraction."""
    u = T(1) + x
    e, m, scale = _sum_with_one_parts(u)
    return logarithm(e, fused_multiply_add(x - (u - T(1)), scale, m - T(1)))


@scalar_function
def log1p(x):
    """Returns log(1 + x), accurate near zero: -inf at -1, NaN below."""
    y = math.copysign(_log_of_one_plus(x), x)
    y = y if x < T(math.inf) else x
    return y if x > T(-1) else (T(-math.inf) if x == T(-1) else T(math.nan))


_log1p_of_fraction_series = polynomial(
    float32=[
        0.00287388375, -0.0175122428, 0.0499311811, -0.0920296326, 0.130713283, -0.163785089, 0.199593562,
        -0.249970241, 0.333332476, -0.499999996,
    ],
)  # fmt: skip
"""(log(1 + z) / z - 1) / z for 0 <= z <= 1."""


def _log1p_of_fraction32(z):
    """Returns log(1 + z) for 0 <= z <= 1."""
    return fused_multiply_add(z * z, _log1p_of_fraction_series(z), z)


log1p_of_fraction = by_dtype(float32=_log1p_of_fraction32, float64=_log_of_one_plus)


@scalar_function
def softplus(x):
    """Returns log(1 + e^x)."""
    return positive_part(x) + log1p_of_fraction(exp(-math.fabs(x)))


@scalar_function
def log_sigmoid(x):
    """Returns -log(1 + e^-x)."""
    return T(0) - softplus(-x)
