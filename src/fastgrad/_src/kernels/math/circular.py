"""Circular functions and their inverses, for the bodies of kernels (see `vector_math`).

Angles that are too large for the range reduction go to the C library. A loop without such angles pays one test a
vector.
"""

import math

from numpy import int64

from fastgrad._src.jit.body import (
    constant_by_dtype,
    float_bits,
    from_bits,
    fused_multiply_add,
    library_cos,
    library_sin,
    library_tan,
    polynomial,
    scalar_function,
)
from fastgrad._src.kernels.math.vector_math import ROUNDING_SHIFT

# pi in three parts: subtracting multiples of the first is exact (Cody and Waite 1980; here with fused arithmetic).
# No part is negative, so that -0 stays -0.
PI_HIGH = constant_by_dtype(float32=3.141592502593994, float64=3.141592653589793)
PI_MIDDLE = constant_by_dtype(float32=1.5099578831723193e-07, float64=1.224646799147353e-16)
PI_LOW = constant_by_dtype(float32=1.078060505991553e-14, float64=2.1657133478438278e-32)
# The rounding error of pi / 4.
QUARTER_PI_ROUNDING_ERROR = constant_by_dtype(float32=-2.1855695000931213e-08, float64=3.061616997868383e-17)
# The range reduction is accurate up to these angles.
RANGE_REDUCTION_END = constant_by_dtype(float32=1e5, float64=1e8)
SIGN_BIT = constant_by_dtype(float32=31, float64=63)


@scalar_function
def _minus_half_turns(x, n):
    """Returns x - n pi, the angle x less n half turns, for a whole number n."""
    r = fused_multiply_add(n, T(-PI_MIDDLE), fused_multiply_add(n, T(-PI_HIGH), x))
    return fused_multiply_add(n, T(-PI_LOW), r)


@scalar_function
def _half_turn_parts(x, n):
    """Returns x - n pi, the angle x less n half turns, and the rounding error of the difference."""
    high = fused_multiply_add(n, T(-PI_HIGH), x)
    less = n * T(PI_MIDDLE)
    r = high - less
    rest = ((high - r) - less) - fused_multiply_add(n, T(PI_MIDDLE), -less)
    return r, fused_multiply_add(n, T(-PI_LOW), rest)


@scalar_function
def _nearest_whole(x):
    """Returns the whole number nearest to a small number, as a float, and as bits with the same lowest bit."""
    shifted = x + T(ROUNDING_SHIFT)
    return shifted - T(ROUNDING_SHIFT), float_bits(shifted)


@scalar_function
def _negative_if_odd(y, bits):
    """Returns y, or -y if the lowest bit of `bits` is set."""
    return from_bits(T_bits(float_bits(y) ^ T_bits(bits << SIGN_BIT)))


@scalar_function
def _is_beyond_range_reduction(x):
    """True if the range reduction is not accurate for x."""
    return math.fabs(x) > T(RANGE_REDUCTION_END)


_sine_series = polynomial(
    float32=[2.605783720355248e-06, -0.00019809666264336556, 0.00833306834101677, -0.16666659712791443],
    float64=[
        2.721347161405628e-15, -7.643013448326981e-13, 1.605894081473766e-10, -2.5052106901566833e-08,
        2.7557319211548734e-06, -0.00019841269841212422, 0.008333333333333207, -0.16666666666666666,
    ],
)  # fmt: skip
"""(sin(r) / r - 1) / z for z = r^2, |r| <= pi/2."""


_tangent_series = polynomial(
    float32=[
        0.004381704129563709, 7.880586652248181e-05, 0.010844053727787099, 0.02127909675120509, 0.054060497502952345,
        0.1333265836615921, 0.3333334989498268,
    ],
    float64=[
        2.0898428717585553e-05, -4.502229628377383e-05, 8.972136535793903e-05, -2.6677855268240197e-05,
        0.00013673172288369948, 0.0002222801063612023, 0.0005950984187911073, 0.001454749995874578,
        0.0035922903862955257, 0.008863219019728863, 0.021869489619239558, 0.053968253926241494, 0.13333333333415512,
        0.3333333333333277,
    ],
)  # fmt: skip
"""(tan(r) / r - 1) / z for z = r^2, |r| <= pi/4."""


@scalar_function
def _sine(r):
    """Returns sin(r) for |r| <= pi/2; rounding must not make it larger than 1."""
    z = r * r
    size = math.fabs(fused_multiply_add(r * z, _sine_series(z), r))
    return math.copysign(T(1) if size > T(1) else size, r)


@scalar_function
def sin(x):
    """Returns the sine of an angle in radians."""
    n, bits = _nearest_whole(x * T(1 / math.pi))
    y = _negative_if_odd(_sine(_minus_half_turns(x, n)), bits)
    if _is_beyond_range_reduction(x):
        y = library_sin(x)
    return y


@scalar_function
def cos(x):
    """Returns the cosine of an angle in radians: the sine of its distance from the nearest odd multiple of pi / 2."""
    n, bits = _nearest_whole(fused_multiply_add(x, T(1 / math.pi), T(-0.5)))
    y = -_negative_if_odd(_sine(_minus_half_turns(x, n + T(0.5))), bits)
    if _is_beyond_range_reduction(x):
        y = library_cos(x)
    return y


@scalar_function
def tan(x):
    """Returns the tangent of an angle in radians."""
    n, bits = _nearest_whole(x * T(2 / math.pi))
    r, rest = _half_turn_parts(x, T(0.5) * n)
    y = tangent_of_quarters(r, rest, bits)
    if _is_beyond_range_reduction(x):
        y = library_tan(x)
    return y


@scalar_function
def tangent_of_quarters(r, rest, quarters):
    """Returns tan(r + rest + quarters pi / 2) for |r| <= pi/4."""
    z = r * r
    rest = fused_multiply_add(rest, T(1.4) * z, rest)  # times about the tangent's slope
    t = math.copysign(fused_multiply_add(r * z, _tangent_series(z), rest) + r, r)
    odd = quarters & 1
    return (T(-1) if odd else t) / (t if odd else T(1))


@scalar_function
def _complementary_angle(r, rest):
    """Returns pi / 2 - |r + rest|."""
    rest = -rest if r < 0 else rest
    return (T(math.pi / 2) - math.fabs(r)) + (T(2 * QUARTER_PI_ROUNDING_ERROR) - rest)


@scalar_function
def sine_of_quarters(r, rest, quarters):
    """Returns sin(r + rest + quarters pi / 2) for |r| <= pi/4."""
    y = _sine(_complementary_angle(r, rest) if quarters & 1 else r + rest)
    return -y if quarters & 2 else y


# ---- inverses ----------------------------------------------------------------------------------------------


_arctangent_series = polynomial(
    float32=[-0.060898557305336, 0.1059911847114563, -0.14244388043880463, 0.19998528063297272, -0.33333316445350647],
    float64=[
        -0.01788802094987937, 0.038046344969227014, -0.050385573451189505, 0.05847715835115006, -0.06663079010896629,
        0.07692057889143866, -0.09090897618729403, 0.11111110778274326, -0.14285714280083864, 0.1999999999995235,
        -0.3333333333333319,
    ],
)  # fmt: skip
"""(atan(t) / t - 1) / z for z = t^2, |t| <= sqrt(2) - 1."""


@scalar_function
def _low_part_of_eighth_turns(n):
    """Returns the low part of n pi / 4."""
    return n * T(QUARTER_PI_ROUNDING_ERROR)


@scalar_function
def _first_quadrant_angle(a, b):
    """Returns the angle of the point (b, a) of the first quadrant; both are finite, and not both 0."""
    steep = a > T(2.414213562373095) * b
    middle = a > T(0.41421356237309503) * b
    above = -b if steep else (a - b if middle else a)
    below = a if steep else (a + b if middle else b)
    n = T(2) if steep else (T(1) if middle else T(0))
    t = above / below
    z = t * t
    return n * T(math.pi / 4) + (t + fused_multiply_add(t * z, _arctangent_series(z), _low_part_of_eighth_turns(n)))


@scalar_function
def atan(x):
    """Returns the inverse of the tangent, in [-pi/2, pi/2]."""
    return math.copysign(_first_quadrant_angle(math.fabs(x), T(1)), x)


@scalar_function
def atan2(y, x):
    """Returns the angle of the point (x, y), in [-pi, pi]; the sign of a zero counts."""
    a, b = math.fabs(y), math.fabs(x)
    both = a == b
    # Very far and very near points are scaled, so that sums neither overflow nor lose digits; |y| = |x|, such as 0 and
    # 0, becomes 1.
    large, small = (a > T(1e30) or b > T(1e30)), (a < T(1e-30) and b < T(1e-30))
    scale = T(1e-20) if large else (T(1e20) if small else T(1))
    angle = _first_quadrant_angle(T(1) if both else a * scale, T(1) if both else b * scale)
    zero = a == 0
    angle = T(0) if zero else angle
    angle = T(math.pi) - angle if math.copysign(T(1), x) < 0 else angle
    return math.copysign(angle if a == a and b == b else a + b, y)  # noqa: PLR0124 - false of NaN


_arcsine_series = polynomial(
    float32=[
        0.04216166213154793, 0.024183280766010284, 0.04546935111284256, 0.07495308667421341, 0.16666752099990845,
    ],
    float64=[
        0.03192971525385576, -0.01624916934412474, 0.019543798339010814, 0.006522427241706077, 0.012170464449160761,
        0.013885049291472997, 0.01735972313759578, 0.022371756863256556, 0.03038195918525284, 0.0446428568271807,
        0.07500000000338398, 0.16666666666665403,
    ],
)  # fmt: skip
"""(asin(r) / r - 1) / z for z = r^2, |r| <= 1/2."""


@scalar_function
def _arcsine(r):
    """Returns asin(r) for |r| <= 1/2."""
    z = r * r
    return fused_multiply_add(r * z, _arcsine_series(z), r)


@scalar_function
def asin(x):
    """Returns the inverse of the sine, in [-pi/2, pi/2]; NaN outside [-1, 1]. |x| >= 1/2 uses half angles."""
    a = math.fabs(x)
    near = a < T(0.5)
    r = a if near else math.sqrt(T(0.5) - T(0.5) * a)
    z = r * r
    more = r * z * _arcsine_series(z)
    far = (T(math.pi / 2) - T(2) * r) - (T(2) * more - _low_part_of_eighth_turns(T(2)))
    return math.copysign(r + more if near else far, x)


@scalar_function
def acos(x):
    """Returns the inverse of the cosine, in [0, pi]; NaN outside [-1, 1]."""
    a = math.fabs(x)
    near = a < T(0.5)
    y = _arcsine(x if near else math.sqrt(T(0.5) - T(0.5) * a))
    end = T(math.pi) - (T(2) * y - _low_part_of_eighth_turns(T(4))) if x < 0 else T(2) * y
    return T(math.pi / 2) - (y - _low_part_of_eighth_turns(T(2))) if near else end


# ---- parts of turns ----------------------------------------------------------------------------------------


_sine_of_turns_series = polynomial(
    float32=[
        4.14698894090422825361e01, -7.66977741175948257990e01, 8.16052038070741817960e01, -4.13417021505546205019e01,
        6.28318530715100011762e00,
    ],
    float64=[
        -6.95574115588800596097e-01, 3.81896408183130149855e00, -1.50946242078536372339e01, 4.20586937796020379453e01,
        -7.67058597523876189786e01, 8.16052492760743049538e01, -4.13417022403997610619e01, 6.28318530717958647703e00,
    ],
)  # fmt: skip
"""sin(2 pi r) / r for z = r^2, |r| <= 1/8."""
_cosine_of_turns_series = polynomial(
    float32=[
        5.92027958566780468409e01, -8.54422979651466740977e01, 6.49393107445256703228e01, -1.97392086330358756119e01,
        1,
    ],
    float64=[
        1.53076206593744285425e00, -1.78793788822890575385e00, 7.90527791321005958393e00, -2.64262779275219405542e01,
        6.02446415098018915983e01, -8.54568172071437191853e01, 6.49393940226688062348e01, -1.97392088021787170046e01,
        1,
    ],
)  # fmt: skip
"""cos(2 pi r) for z = r^2, |r| <= 1/8."""


@scalar_function
def cosine_and_sine_of_turns(u):
    """Returns cos(2 pi u) and sin(2 pi u) for 0 <= u <= 1; quarter turns are subtracted exactly."""
    quarter = int64(T(4) * u + T(0.5))
    r = u - T(0.25) * T(quarter)
    z = r * r
    c, s = _cosine_of_turns_series(z), r * _sine_of_turns_series(z)
    a, b = (s, c) if quarter & 1 else (c, s)
    return -a if (quarter + 1) & 2 else a, -b if quarter & 2 else b
