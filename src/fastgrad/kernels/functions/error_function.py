"""The error function and the normal distribution function, for the bodies of kernels (see `vector_math`)."""

import math

from fastgrad.kernels.building.body import by_dtype, fused_multiply_add, scalar_function
from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions.vector_math import exp


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


def _error_tail32(a):
    """log(1 - erf(a)) for 1 <= a <= 4 (6 in float64), where erf is as good as 1."""
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
    """The same for t = 1 / (1 + a / 3), a <= 28."""
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
    a = T(28) if a > T(28) else a
    return _scaled_complement64(T(3) / (T(3) + a)), a


_complement = by_dtype(float32=_complement32, float64=_complement64)


@scalar_function
def _bell(x, scale):
    """exp(-scale x^2) for x >= 0, with the rounding error of x^2 put back."""
    x = T(1e18) if x > T(1e18) else x
    square = x * x
    e = exp(-scale * square)
    return e - e * (scale * fused_multiply_add(x, x, -square))


def _error_end32(a):
    return T(4) if a > T(4) else a


def _error_end64(a):
    return T(6) if a > T(6) else a


_error_end = by_dtype(float32=_error_end32, float64=_error_end64)


@scalar_function
def erf(x):
    """The error function."""
    a = _error_end(math.fabs(x))
    near = fused_multiply_add(x, _error_series(x * x), x)
    return near if a < 1 else math.copysign(T(1) - exp(_error_tail(a)), x)


@scalar_function
def tail_and_bell(x):
    """exp(-x^2 / 2), and the number that it is to be multiplied with for the normal distribution function at -|x|."""
    a = math.fabs(x)
    scaled, _ = _complement(a * T(0.70710678118654752))
    return T(0.5) * scaled, _bell(a, T(0.5))


@scalar_function
def normal_cdf_and_bell(x):
    """The standard normal distribution function, accurate in its lower tail, too, and exp(-x^2 / 2), of which it is made."""
    tail, bell = tail_and_bell(x)
    return tail * bell if x < 0 else T(1) - tail * bell, bell


@scalar_function
def normal_cdf(x):
    """The standard normal distribution function, likewise."""
    cdf, _ = normal_cdf_and_bell(x)
    return cdf


@scalar_function
def erfc(x):
    """1 - erf(x), with its digits for large x."""
    scaled, a = _complement(math.fabs(x))
    tail = scaled * _bell(a, T(1))
    near = T(1) - fused_multiply_add(x, _error_series(x * x), x)
    return near if a < T(0.5) else (T(2) - tail if x < 0 else tail)


@kernel("x: in[T], out: out[T], size: int", T=("float32", "float64"))
def erf_of_all(x, out, size):
    """TensorFlow: tf.math.erf."""
    for i in range(size):
        out[i] = erf(x[i])
