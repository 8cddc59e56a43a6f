"""The error function and the normal distribution function, for the bodies of kernels (see `vector_math`)."""

import math

from fastgrad._src.jit.body import constant_by_dtype, fused_multiply_add, polynomial, scalar_function
from fastgrad._src.kernels.math.vector_math import at_most, exp, exponential_parts, quotient_times_exponential

# The ends beyond which erf rounds to 1, the normal distribution function at -a is 0, also times a, and erfc is 0.
ERF_ROUNDS_TO_1_FROM = constant_by_dtype(float32=4.0, float64=6.0)
NORMAL_TAIL_ROUNDS_TO_0_FROM = constant_by_dtype(float32=15.0, float64=39.0)
ERFC_ROUNDS_TO_0_FROM = constant_by_dtype(float32=10.6, float64=28.0)
# 7/8 of the root of 2 in two parts.
SEVEN_EIGHTHS_OF_ROOT_2 = constant_by_dtype(float32=1.2374368906021118164, float64=1.237436867076458169)
SEVEN_EIGHTHS_OF_ROOT_2_LOW = constant_by_dtype(float32=-2.35256536487047724e-8, float64=-1.32208964582624854e-18)
NORMAL_TAIL_CONSTANT_TERM = constant_by_dtype(float32=0.424847886, float64=0.424847885858860213)


_erf_near_zero_series = polynomial(
    float32=[
        -0.00000964150731488756695665, 0.000112569602280197628194, -0.000848283310363255163899,
        0.00522094593952141278654, -0.0268654003156524053608, 0.1128378198076799818, -0.376126384352479343679,
        0.12837916705811009512,
    ],
    float64=[
        5.94525558422348743543e-11, -1.13656706718271592738e-9, 1.4657883530919653519e-8, -1.63500261920772685313e-7,
        0.00000164609729541537656704, -0.0000149255935187282266876, 0.000120553310375511080974,
        -0.000854832697876514881627, 0.00522397762478136979427, -0.0268661706450729592493, 0.11283791670954857915,
        -0.376126389031837476151, 0.12837916709551257375,
    ],
)  # fmt: skip
"""erf(x) / x - 1 for z = x^2, |x| <= 1."""


_log_of_erfc_series = polynomial(
    float32=[
        -2.170913649024442e-05, 0.0004416210576891899, -0.004206081386655569, 0.02521265111863613,
        -0.10842601954936981, -0.6332125067710876, -1.129582405090332, 0.0001889397535705939,
    ],
    float64=[
        2.2590047852982747e-14, -1.2502604185996474e-12, 3.2762012325150375e-11, -5.40699444332516e-10,
        6.304205214571324e-09, -5.5171803835320956e-08, 3.754350975318056e-07, -2.0262065005901525e-06,
        8.733920511734963e-06, -2.9809178437850306e-05, 7.752022671711183e-05, -0.00013478903892352964,
        5.876821143311452e-05, 0.0005067883489053526, -0.001629667993582483, 0.0001667571281710992,
        0.019149556533565232, -0.10278049202253037, -0.6366176900781284, -1.1283795130301573, 2.718737479285711e-08,
    ],
)  # fmt: skip
"""log(1 - erf(a)) for 1 <= a <= 4 (6 in float64), where erf rounds to 1."""


_normal_tail_series = polynomial(
    float32=[
        -0.064334068, 0.0319962685, 0.149369181, 0.0234672187, -0.276145011, -0.468339693, -0.389035235, -0.128492788,
        0.111188272, 0.211830499,
    ],
    float64=[
        0.00564770832159914311, -0.0056979304164839112, -0.0110128309389564998, 0.0161566757390004262,
        0.0084059563607445063, -0.0251326957131836292, 0.000679581776881319296, 0.0308775237056213635,
        -0.0124376808819791897, -0.0361031858211935393, 0.0254508770520184131, 0.0466352192989442454,
        -0.039265730829444913, -0.0750494613969410073, 0.0452202650613145016, 0.149667054711372492,
        0.0217687654055696408, -0.276072704496864844, -0.468242347503427901, -0.38904011578057392,
        -0.128495141037110978, 0.11118834920512069, 0.211830515708534002,
    ],
)  # fmt: skip
"""q, where (1 + 7/8 a) e^(a^2 / 2) times the normal distribution function at -a is q w + NORMAL_TAIL_CONSTANT_TERM.

w = 1 / (1 + a / 4) - 1/2, for a <= 15 (39 in float64).
"""


@scalar_function
def _normal_tail_over_density_parts(a, ratio_7_8, ratio_7_8_low, ratio_1_4):
    """Returns numerator and denominator, each in two parts, of the scaled normal tail, and 1 / the denominator.

    (n + n_low) / (d + d_low) is e^(b^2 / 2) times the normal distribution function at -b. The arguments after a >= 0
    are 7/8 b / a, in two parts, and 1/4 b / a. The result is accurate because n lies between 0.37 and 0.51.
    """
    d = fused_multiply_add(ratio_7_8, a, T(1))
    d_low = fused_multiply_add(ratio_7_8_low, a, fused_multiply_add(ratio_7_8, a, T(1) - d))
    e = fused_multiply_add(ratio_1_4, a, T(1))
    both = T(1) / (d * e)
    t = d * both
    w = fused_multiply_add(t, fused_multiply_add(-t, e, T(1)), t - T(0.5))
    q = _normal_tail_series(w)
    n = fused_multiply_add(q, w, T(NORMAL_TAIL_CONSTANT_TERM))
    return n, fused_multiply_add(q, w, T(NORMAL_TAIL_CONSTANT_TERM) - n), d, d_low, e * both


@scalar_function
def erf(x):
    """Returns the error function of a number."""
    a = at_most(math.fabs(x), T(ERF_ROUNDS_TO_1_FROM))
    near = fused_multiply_add(x, _erf_near_zero_series(x * x), x)
    return near if a < 1 else math.copysign(T(1) - exp(_log_of_erfc_series(a)), x)


@scalar_function
def normal_tail_parts(x):
    """Returns a = |x|, limited, and `quotient_times_exponential`'s arguments for the normal distribution at -a."""
    a = at_most(math.fabs(x), T(NORMAL_TAIL_ROUNDS_TO_0_FROM))
    n, n_low, d, d_low, inverse = _normal_tail_over_density_parts(a, T(0.875), T(0), T(0.25))
    square = a * a
    k, p = exponential_parts(T(-0.5) * square)
    return a, n, n_low, d, d_low, inverse, k, p, T(-0.5) * fused_multiply_add(a, a, -square)


@scalar_function
def erfc(x):
    """Returns 1 - erf(x), accurate for large x: twice the normal distribution function at -x sqrt(2)."""
    a = at_most(math.fabs(x), T(ERFC_ROUNDS_TO_0_FROM))
    n, n_low, d, d_low, inverse = _normal_tail_over_density_parts(
        a, T(SEVEN_EIGHTHS_OF_ROOT_2), T(SEVEN_EIGHTHS_OF_ROOT_2_LOW), T(0.35355339059327379)
    )
    square = a * a
    k, p = exponential_parts(-square)
    low = -fused_multiply_add(a, a, -square)
    tail = quotient_times_exponential(T(2) * n, T(2) * n_low, d, d_low, inverse, k, p, low)
    return T(2) - tail if x < 0 else tail
