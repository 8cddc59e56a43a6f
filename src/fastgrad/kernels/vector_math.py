"""Elementary functions for the bodies of kernels, written without branches so that loops over them vectorise.

`math.exp` in a loop is a call of the C library for each element; these are arithmetic that LLVM turns into vectors.
All are good to 2 ulp over the whole range (`normal_cdf` to 6), keep NaN, and are right at infinities and zeros. The
polynomials are minimax fits made for the intervals named beside them.
"""

import math

from numpy import int32, int64

from fastgrad.kernels.body import by_dtype, float_bits, from_bits, fused_multiply_add, scalar_function

# Adding and subtracting 1.5 * 2^(mantissa bits) rounds to an integer, which stands in the low bits of the sum.
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
    """The smaller of two numbers; b if one is NaN."""
    return a if a < b else b


@scalar_function
def greatest(a, b):
    """The greater of two numbers; b if one is NaN."""
    return a if a > b else b


@scalar_function
def nan_greatest(a, b):
    """The greater of two numbers, NaN if one is NaN (TensorFlow: tf.maximum)."""
    return a if a > b or a != a else b  # noqa: PLR0124 - true of NaN


@scalar_function
def nan_least(a, b):
    """The smaller of two numbers, NaN if one is NaN (TensorFlow: tf.minimum)."""
    return a if a < b or a != a else b  # noqa: PLR0124 - true of NaN


@scalar_function
def positive_part(x):
    """max(x, 0), which keeps NaN."""
    return T(0) if x <= 0 else x


def _power_of_two32(k):
    """2^k for k in [-126, 127]."""
    return from_bits(int32((k + 127) << 23))


def _power_of_two64(k):
    return from_bits((k + 1023) << 52)


_power_of_two = by_dtype(int32=_power_of_two32, int64=_power_of_two64)


def _exponential_parts32(x):
    """x = k log(2) + r, |r| <= log(2)/2; returns k, r and exp(r) - 1 - r, with the rounding error of r in it."""
    shifted = x * T(LOG2_E) + T(ROUND32)
    n = shifted - T(ROUND32)
    high, low = x - n * T(LN2_HIGH32), n * T(LN2_LOW32)
    r = high - low
    q = T(1.99158829169808731902e-04)
    q = fused_multiply_add(q, r, T(1.39463621194039649059e-03))
    q = fused_multiply_add(q, r, T(8.33326918710463714091e-03))
    q = fused_multiply_add(q, r, T(4.16662655956538550818e-02))
    q = fused_multiply_add(q, r, T(1.66666668382981112312e-01))
    q = fused_multiply_add(q, r, T(5.00000007937755999970e-01))
    return int32(float_bits(shifted) - float_bits(T(ROUND32))), r, fused_multiply_add(r * r, q, (high - r) - low)


def _exponential_parts64(x):
    shifted = x * T(LOG2_E) + T(ROUND64)
    n = shifted - T(ROUND64)
    high, low = x - n * T(LN2_HIGH64), n * T(LN2_LOW64)
    r = high - low
    q = T(2.10110426578137524340e-09)
    q = fused_multiply_add(q, r, T(2.51124199860877521557e-08))
    q = fused_multiply_add(q, r, T(2.75569120552274382678e-07))
    q = fused_multiply_add(q, r, T(2.75572337125810633783e-06))
    q = fused_multiply_add(q, r, T(2.48015878405968709815e-05))
    q = fused_multiply_add(q, r, T(1.98412698975926472274e-04))
    q = fused_multiply_add(q, r, T(1.38888888885391872461e-03))
    q = fused_multiply_add(q, r, T(8.33333333331652332877e-03))
    q = fused_multiply_add(q, r, T(4.16666666666677415187e-02))
    q = fused_multiply_add(q, r, T(1.66666666666666840726e-01))
    q = fused_multiply_add(q, r, T(0.5))
    return float_bits(shifted) - float_bits(T(ROUND64)), r, fused_multiply_add(r * r, q, (high - r) - low)


_exponential_parts = by_dtype(float32=_exponential_parts32, float64=_exponential_parts64)


def _exponential_range32(x):
    """Beyond these ends the exponential is 0 or infinite; comparisons leave NaN alone."""
    x = T(89.0) if x > T(89.0) else x
    return T(-104.0) if x < T(-104.0) else x


def _exponential_range64(x):
    x = T(710.0) if x > T(710.0) else x
    return T(-746.0) if x < T(-746.0) else x


_exponential_range = by_dtype(float32=_exponential_range32, float64=_exponential_range64)


@scalar_function
def exp(x):
    """e^x. The scaling is in two steps, for results that are subnormal."""
    k, r, rest = _exponential_parts(_exponential_range(x))
    p = T(1) + r
    p += ((T(1) - p) + r) + rest
    half = k >> 1
    return p * _power_of_two(T_bits(half)) * _power_of_two(T_bits(k - half))


@scalar_function
def _quotient(a, b, rest):
    """a / (b + rest) for a small rest, with the error of a / b taken off."""
    inverse = T(1) / b
    q = a * inverse
    remainder = fused_multiply_add(-q, rest, fused_multiply_add(-q, b, a))
    return fused_multiply_add(remainder, inverse, q)


@scalar_function
def tanh(x):
    """The hyperbolic tangent, as m / (m + 2) with m = exp(2|x|) - 1, which keeps its digits near zero."""
    a = T(2) * math.fabs(x)
    k, r, rest = _exponential_parts(T(44) if a > T(44) else a)
    scale = _power_of_two(k)
    m = (scale - T(1)) + scale * r
    m += (((scale - T(1)) - m) + scale * r) + scale * rest
    divisor = T(2) + m
    return math.copysign(_quotient(m, divisor, m - (divisor - T(2))), x)


@scalar_function
def sigmoid(x):
    """1 / (1 + e^-x), from e^-|x|, which cannot overflow."""
    z = exp(-math.fabs(x))
    divisor = T(1) + z
    return _quotient(z if x < 0 else T(1), divisor, z - (divisor - T(1)))


def _logarithm_parts32(x):
    """x = 2^e m, sqrt(1/2) <= m < sqrt(2), of a positive x; returns e as a float, and m."""
    tiny = x < T(1.1754943508222875e-38)
    bits = float_bits(x * T(8388608.0) if tiny else x)
    e = int32(bits - float_bits(T(0.70710678118654752))) >> 23
    return T(e) - (T(23) if tiny else T(0)), from_bits(int32(bits - (e << 23)))


def _logarithm_parts64(x):
    tiny = x < T(2.2250738585072014e-308)
    bits = float_bits(x * T(4503599627370496.0) if tiny else x)
    e = (bits - float_bits(T(0.70710678118654752))) >> 52
    return T(e) - (T(52) if tiny else T(0)), from_bits(bits - (e << 52))


def _logarithm_series32(z):
    """(log(1 + f) / s - 2) / s^2 with s = f / (2 + f), z = s^2."""
    q = T(2.35849977880365160420e-01)
    q = fused_multiply_add(q, z, T(2.85371673430814814067e-01))
    q = fused_multiply_add(q, z, T(4.00003372629077140829e-01))
    return fused_multiply_add(q, z, T(6.66666656370410045296e-01))


def _logarithm_series64(z):
    q = T(1.32022490764378027257e-01)
    q = fused_multiply_add(q, z, T(1.32560241099222851711e-01))
    q = fused_multiply_add(q, z, T(1.53868019052313779351e-01))
    q = fused_multiply_add(q, z, T(1.81817830244167376173e-01))
    q = fused_multiply_add(q, z, T(2.22222225429279672594e-01))
    q = fused_multiply_add(q, z, T(2.85714285698814641319e-01))
    q = fused_multiply_add(q, z, T(4.00000000000032648396e-01))
    return fused_multiply_add(q, z, T(6.66666666666666651452e-01))


_logarithm_parts = by_dtype(float32=_logarithm_parts32, float64=_logarithm_parts64)
_logarithm_series = by_dtype(float32=_logarithm_series32, float64=_logarithm_series64)


def _times_log_of_two32(e):
    return e * T(LN2_HIGH32), e * T(LN2_LOW32)


def _times_log_of_two64(e):
    return e * T(LN2_HIGH64), e * T(LN2_LOW64)


_times_log_of_two = by_dtype(float32=_times_log_of_two32, float64=_times_log_of_two64)


@scalar_function
def log(x):
    """The natural logarithm: -inf at 0, NaN below."""
    e, m = _logarithm_parts(x)
    high, low = _times_log_of_two(e)
    f = m - T(1)
    s = f / (T(2) + f)
    z = s * s
    half = T(0.5) * f * f
    y = high - ((half - (s * (half + z * _logarithm_series(z)) + low)) - f)
    y = y if x < T(math.inf) else x
    return y if x > 0 else (T(-math.inf) if x == 0 else T(math.nan))


def _error_series32(z):
    """erf(x) / x - 1 for z = x^2, |x| <= 1."""
    q = T(-0.00000964150731488756695665)
    q = fused_multiply_add(q, z, T(0.000112569602280197628194))
    q = fused_multiply_add(q, z, T(-0.000848283310363255163899))
    q = fused_multiply_add(q, z, T(0.00522094593952141278654))
    q = fused_multiply_add(q, z, T(-0.0268654003156524053608))
    q = fused_multiply_add(q, z, T(0.1128378198076799818))
    q = fused_multiply_add(q, z, T(-0.376126384352479343679))
    return fused_multiply_add(q, z, T(0.12837916705811009512))


def _error_series64(z):
    q = T(5.94525558422348743543e-11)
    q = fused_multiply_add(q, z, T(-1.13656706718271592738e-9))
    q = fused_multiply_add(q, z, T(1.4657883530919653519e-8))
    q = fused_multiply_add(q, z, T(-1.63500261920772685313e-7))
    q = fused_multiply_add(q, z, T(0.00000164609729541537656704))
    q = fused_multiply_add(q, z, T(-0.0000149255935187282266876))
    q = fused_multiply_add(q, z, T(0.000120553310375511080974))
    q = fused_multiply_add(q, z, T(-0.000854832697876514881627))
    q = fused_multiply_add(q, z, T(0.00522397762478136979427))
    q = fused_multiply_add(q, z, T(-0.0268661706450729592493))
    q = fused_multiply_add(q, z, T(0.11283791670954857915))
    q = fused_multiply_add(q, z, T(-0.376126389031837476151))
    return fused_multiply_add(q, z, T(0.12837916709551257375))


_error_series = by_dtype(float32=_error_series32, float64=_error_series64)


@scalar_function
def _scaled_complement32(t):
    """e^(a^2) erfc(a) for t = 1 / (1 + a / 2), a <= 10.2."""
    q = T(0.024552078949235858)
    q = fused_multiply_add(q, t, T(-0.121347966269603788))
    q = fused_multiply_add(q, t, T(0.189991623408717249))
    q = fused_multiply_add(q, t, T(0.0166335812688528052))
    q = fused_multiply_add(q, t, T(-0.3382177736336793))
    q = fused_multiply_add(q, t, T(0.256310440416196248))
    q = fused_multiply_add(q, t, T(-0.0513717641940780982))
    q = fused_multiply_add(q, t, T(0.220709369354413346))
    q = fused_multiply_add(q, t, T(0.237379200170558057))
    q = fused_multiply_add(q, t, T(0.283359855492108974))
    q = fused_multiply_add(q, t, T(0.281998146133794724))
    return fused_multiply_add(q, t, T(3.21061417028266579e-6))


@scalar_function
def _scaled_complement64(t):
    """The same for t = 1 / (1 + a / 3), a <= 27."""
    q = T(0.00174694849666480973)
    q = fused_multiply_add(q, t, T(-0.0182337476774190833))
    q = fused_multiply_add(q, t, T(0.084013851345607392))
    q = fused_multiply_add(q, t, T(-0.219035929633129544))
    q = fused_multiply_add(q, t, T(0.334148927733773053))
    q = fused_multiply_add(q, t, T(-0.236509686391294404))
    q = fused_multiply_add(q, t, T(-0.137425796409130936))
    q = fused_multiply_add(q, t, T(0.556298207134604023))
    q = fused_multiply_add(q, t, T(-0.738235904195256619))
    q = fused_multiply_add(q, t, T(0.652846084801991317))
    q = fused_multiply_add(q, t, T(-0.428970621487714837))
    q = fused_multiply_add(q, t, T(0.203141835953405087))
    q = fused_multiply_add(q, t, T(-0.0920544956730621764))
    q = fused_multiply_add(q, t, T(0.0308036610256717417))
    q = fused_multiply_add(q, t, T(0.0194462690650773427))
    q = fused_multiply_add(q, t, T(0.0583451072652010879))
    q = fused_multiply_add(q, t, T(0.0920730241599572839))
    q = fused_multiply_add(q, t, T(0.127143666114288017))
    q = fused_multiply_add(q, t, T(0.156716804644970568))
    q = fused_multiply_add(q, t, T(0.177615412654014268))
    q = fused_multiply_add(q, t, T(0.188063186321494634))
    q = fused_multiply_add(q, t, T(0.18806319475346372))
    return fused_multiply_add(q, t, T(-3.17671160058015033e-12))


def _complement32(a):
    a = T(10.2) if a > T(10.2) else a
    return _scaled_complement32(T(1) / (T(1) + a * T(0.5))), a


def _complement64(a):
    a = T(27) if a > T(27) else a
    return _scaled_complement64(T(3) / (T(3) + a)), a


_complement = by_dtype(float32=_complement32, float64=_complement64)


@scalar_function
def _bell(x, scale):
    """exp(-scale x^2) for x >= 0, with the rounding error of x^2 put back."""
    x = T(1e18) if x > T(1e18) else x
    square = x * x
    e = exp(-scale * square)
    return e - e * (scale * fused_multiply_add(x, x, -square))


@scalar_function
def erf(x):
    """The error function."""
    scaled, a = _complement(math.fabs(x))
    return x + x * _error_series(x * x) if a < 1 else math.copysign(T(1) - scaled * _bell(a, T(1)), x)


@scalar_function
def normal_cdf(x):
    """The standard normal distribution function, accurate in its lower tail, too."""
    a = math.fabs(x)
    scaled, _ = _complement(a * T(0.70710678118654752))
    half = T(0.5) * scaled * _bell(a, T(0.5))
    return half if x < 0 else T(1) - half


def _turn_sine32(z):
    """sin(2 pi r) / r for z = r^2, |r| <= 1/8."""
    q = T(4.14698894090422825361e01)
    q = fused_multiply_add(q, z, T(-7.66977741175948257990e01))
    q = fused_multiply_add(q, z, T(8.16052038070741817960e01))
    q = fused_multiply_add(q, z, T(-4.13417021505546205019e01))
    return fused_multiply_add(q, z, T(6.28318530715100011762e00))


def _turn_sine64(z):
    q = T(-6.95574115588800596097e-01)
    q = fused_multiply_add(q, z, T(3.81896408183130149855e00))
    q = fused_multiply_add(q, z, T(-1.50946242078536372339e01))
    q = fused_multiply_add(q, z, T(4.20586937796020379453e01))
    q = fused_multiply_add(q, z, T(-7.67058597523876189786e01))
    q = fused_multiply_add(q, z, T(8.16052492760743049538e01))
    q = fused_multiply_add(q, z, T(-4.13417022403997610619e01))
    return fused_multiply_add(q, z, T(6.28318530717958647703e00))


def _turn_cosine32(z):
    """cos(2 pi r) for z = r^2, |r| <= 1/8."""
    q = T(5.92027958566780468409e01)
    q = fused_multiply_add(q, z, T(-8.54422979651466740977e01))
    q = fused_multiply_add(q, z, T(6.49393107445256703228e01))
    q = fused_multiply_add(q, z, T(-1.97392086330358756119e01))
    return fused_multiply_add(q, z, T(1))


def _turn_cosine64(z):
    q = T(1.53076206593744285425e00)
    q = fused_multiply_add(q, z, T(-1.78793788822890575385e00))
    q = fused_multiply_add(q, z, T(7.90527791321005958393e00))
    q = fused_multiply_add(q, z, T(-2.64262779275219405542e01))
    q = fused_multiply_add(q, z, T(6.02446415098018915983e01))
    q = fused_multiply_add(q, z, T(-8.54568172071437191853e01))
    q = fused_multiply_add(q, z, T(6.49393940226688062348e01))
    q = fused_multiply_add(q, z, T(-1.97392088021787170046e01))
    return fused_multiply_add(q, z, T(1))


_turn_sine = by_dtype(float32=_turn_sine32, float64=_turn_sine64)
_turn_cosine = by_dtype(float32=_turn_cosine32, float64=_turn_cosine64)


@scalar_function
def cosine_and_sine_of_turns(u):
    """cos(2 pi u) and sin(2 pi u) for 0 <= u <= 1: the quarter turn is taken off exactly."""
    quarter = int64(T(4) * u + T(0.5))
    r = u - T(0.25) * T(quarter)
    z = r * r
    c, s = _turn_cosine(z), r * _turn_sine(z)
    a, b = (s, c) if quarter & 1 else (c, s)
    return -a if (quarter + 1) & 2 else a, -b if quarter & 2 else b
