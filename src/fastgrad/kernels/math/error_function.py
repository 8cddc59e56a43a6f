"""The error function and the normal distribution function, for the bodies of kernels (see `vector_math`)."""

import math

from fastgrad.kernels.codegen.body import by_dtype, fused_multiply_add, scalar_function
from fastgrad.kernels.math.vector_math import exp, exponential_parts, quotient_times_exponential


def _error_series32(z):
    """Returns erf(x) / x - 1 for z = x^2, |x| <= 1."""
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


def _error_tail32(a):
    """Returns log(1 - erf(a)) for 1 <= a <= 4 (6 in float64), where erf rounds to 1."""
    q = T(-2.170913649024442e-05)
    q = fused_multiply_add(q, a, T(0.0004416210576891899))
    q = fused_multiply_add(q, a, T(-0.004206081386655569))
    q = fused_multiply_add(q, a, T(0.02521265111863613))
    q = fused_multiply_add(q, a, T(-0.10842601954936981))
    q = fused_multiply_add(q, a, T(-0.6332125067710876))
    q = fused_multiply_add(q, a, T(-1.129582405090332))
    return fused_multiply_add(q, a, T(0.0001889397535705939))


def _error_tail64(a):
    q = T(2.2590047852982747e-14)
    q = fused_multiply_add(q, a, T(-1.2502604185996474e-12))
    q = fused_multiply_add(q, a, T(3.2762012325150375e-11))
    q = fused_multiply_add(q, a, T(-5.40699444332516e-10))
    q = fused_multiply_add(q, a, T(6.304205214571324e-09))
    q = fused_multiply_add(q, a, T(-5.5171803835320956e-08))
    q = fused_multiply_add(q, a, T(3.754350975318056e-07))
    q = fused_multiply_add(q, a, T(-2.0262065005901525e-06))
    q = fused_multiply_add(q, a, T(8.733920511734963e-06))
    q = fused_multiply_add(q, a, T(-2.9809178437850306e-05))
    q = fused_multiply_add(q, a, T(7.752022671711183e-05))
    q = fused_multiply_add(q, a, T(-0.00013478903892352964))
    q = fused_multiply_add(q, a, T(5.876821143311452e-05))
    q = fused_multiply_add(q, a, T(0.0005067883489053526))
    q = fused_multiply_add(q, a, T(-0.001629667993582483))
    q = fused_multiply_add(q, a, T(0.0001667571281710992))
    q = fused_multiply_add(q, a, T(0.019149556533565232))
    q = fused_multiply_add(q, a, T(-0.10278049202253037))
    q = fused_multiply_add(q, a, T(-0.6366176900781284))
    q = fused_multiply_add(q, a, T(-1.1283795130301573))
    return fused_multiply_add(q, a, T(2.718737479285711e-08))


_error_tail = by_dtype(float32=_error_tail32, float64=_error_tail64)


def _tail_series32(w):
    """Returns q and c; (1 + 7/8 a) e^(a^2 / 2) times the normal distribution function at -a is q w + c.

    w = 1 / (1 + a / 4) - 1/2, for a <= 15.
    """
    q = T(-0.064334068)
    q = fused_multiply_add(q, w, T(0.0319962685))
    q = fused_multiply_add(q, w, T(0.149369181))
    q = fused_multiply_add(q, w, T(0.0234672187))
    q = fused_multiply_add(q, w, T(-0.276145011))
    q = fused_multiply_add(q, w, T(-0.468339693))
    q = fused_multiply_add(q, w, T(-0.389035235))
    q = fused_multiply_add(q, w, T(-0.128492788))
    q = fused_multiply_add(q, w, T(0.111188272))
    q = fused_multiply_add(q, w, T(0.211830499))
    return q, T(0.424847886)


def _tail_series64(w):
    """Returns q and c for a <= 39."""
    q = T(0.00564770832159914311)
    q = fused_multiply_add(q, w, T(-0.0056979304164839112))
    q = fused_multiply_add(q, w, T(-0.0110128309389564998))
    q = fused_multiply_add(q, w, T(0.0161566757390004262))
    q = fused_multiply_add(q, w, T(0.0084059563607445063))
    q = fused_multiply_add(q, w, T(-0.0251326957131836292))
    q = fused_multiply_add(q, w, T(0.000679581776881319296))
    q = fused_multiply_add(q, w, T(0.0308775237056213635))
    q = fused_multiply_add(q, w, T(-0.0124376808819791897))
    q = fused_multiply_add(q, w, T(-0.0361031858211935393))
    q = fused_multiply_add(q, w, T(0.0254508770520184131))
    q = fused_multiply_add(q, w, T(0.0466352192989442454))
    q = fused_multiply_add(q, w, T(-0.039265730829444913))
    q = fused_multiply_add(q, w, T(-0.0750494613969410073))
    q = fused_multiply_add(q, w, T(0.0452202650613145016))
    q = fused_multiply_add(q, w, T(0.149667054711372492))
    q = fused_multiply_add(q, w, T(0.0217687654055696408))
    q = fused_multiply_add(q, w, T(-0.276072704496864844))
    q = fused_multiply_add(q, w, T(-0.468242347503427901))
    q = fused_multiply_add(q, w, T(-0.38904011578057392))
    q = fused_multiply_add(q, w, T(-0.128495141037110978))
    q = fused_multiply_add(q, w, T(0.11118834920512069))
    q = fused_multiply_add(q, w, T(0.211830515708534002))
    return q, T(0.424847885858860213)


_tail_series = by_dtype(float32=_tail_series32, float64=_tail_series64)


@scalar_function
def _tail_over_bell(a, steep, steep_low, slow):
    """Returns n, n_low, d, d_low and 1 / d.

    (n + n_low) / (d + d_low) is e^(b^2 / 2) times the normal distribution function at -b. The arguments after a >= 0
    are 7/8 b / a, in two parts, and 1/4 b / a. The result is accurate because n lies between 0.37 and 0.51.
    """
    d = fused_multiply_add(steep, a, T(1))
    d_low = fused_multiply_add(steep_low, a, fused_multiply_add(steep, a, T(1) - d))
    e = fused_multiply_add(slow, a, T(1))
    both = T(1) / (d * e)
    t = d * both
    w = fused_multiply_add(t, fused_multiply_add(-t, e, T(1)), t - T(0.5))
    q, c = _tail_series(w)
    n = fused_multiply_add(q, w, c)
    return n, fused_multiply_add(q, w, c - n), d, d_low, e * both


def _error_end32(a):
    return T(4) if a > T(4) else a


def _error_end64(a):
    return T(6) if a > T(6) else a


_error_end = by_dtype(float32=_error_end32, float64=_error_end64)


@scalar_function
def erf(x):
    """Returns the error function."""
    a = _error_end(math.fabs(x))
    near = fused_multiply_add(x, _error_series(x * x), x)
    return near if a < 1 else math.copysign(T(1) - exp(_error_tail(a)), x)


def _tail_end32(a):
    """Returns a, at most the end beyond which the normal distribution function at -a is 0, also times a."""
    return T(15) if a > T(15) else a


def _tail_end64(a):
    return T(39) if a > T(39) else a


_tail_end = by_dtype(float32=_tail_end32, float64=_tail_end64)


@scalar_function
def normal_tail_parts(x):
    """Returns a = |x|, limited, and `quotient_times_exponential`'s arguments for the normal distribution at -a."""
    a = _tail_end(math.fabs(x))
    n, n_low, d, d_low, inverse = _tail_over_bell(a, T(0.875), T(0), T(0.25))
    square = a * a
    k, p = exponential_parts(T(-0.5) * square)
    return a, n, n_low, d, d_low, inverse, k, p, T(-0.5) * fused_multiply_add(a, a, -square)


def _root_two_32(a):
    """Returns 7/8 of the root of 2 in two parts."""
    return T(1.2374368906021118164), T(-2.35256536487047724e-8)


def _root_two_64(a):
    return T(1.237436867076458169), T(-1.32208964582624854e-18)


_root_two = by_dtype(float32=_root_two_32, float64=_root_two_64)


def _complement_end32(a):
    return T(10.6) if a > T(10.6) else a


def _complement_end64(a):
    return T(28) if a > T(28) else a


_complement_end = by_dtype(float32=_complement_end32, float64=_complement_end64)


@scalar_function
def erfc(x):
    """Returns 1 - erf(x), accurate for large x: twice the normal distribution function at -x sqrt(2)."""
    a = _complement_end(math.fabs(x))
    steep, steep_low = _root_two(a)
    n, n_low, d, d_low, inverse = _tail_over_bell(a, steep, steep_low, T(0.35355339059327379))
    square = a * a
    k, p = exponential_parts(-square)
    low = -fused_multiply_add(a, a, -square)
    tail = quotient_times_exponential(T(2) * n, T(2) * n_low, d, d_low, inverse, k, p, low)
    return T(2) - tail if x < 0 else tail
