"""The quantile of the normal distribution and related functions, without branches, so that loops around them vectorise.

The regions are those of Wichura's algorithm AS 241 (1988). The fits are by Chebyshev interpolation, with errors below 2^-53.
"""

import math

from fastgrad._src.jit.body import fused_multiply_add, polynomial, scalar_function
from fastgrad._src.kernels.elementwise.wide_map import wide_map_kernel
from fastgrad._src.kernels.math.vector_math import least, log

_CENTER = 0.425
_CENTER_SQUARED = 0.180625
_FAR_FROM = 5.0
_MIDDLE = 1.6
_ROOT_OF_HALF = 0.7071067811865476

_center_numerator = polynomial(
    float64=[
        -19589.15365399266, -106795.92910647565, -136694.68789188983, -59561.60140208829, -7232.218657073823,
        1185.2853089003813, 370.0151221417662, 31.44807353258012, 0.8871328727963667,
    ],
)  # fmt: skip
"""The numerator of the quantile of 1/2 + d over d, less 2.5, of 0.425^2 - d^2, for |d| <= 0.425."""

_center_denominator = polynomial(
    float64=[
        9398.46451720659, 72342.69749284587, 140376.82723612545, 109244.70555458817, 41169.98166790856,
        8176.878340636071, 871.2838940641986, 46.92338689522055, 1.0,
    ],
)  # fmt: skip
"""Its denominator."""

_middle_numerator = polynomial(
    float64=[
        -4.918719710500641e-11, 1.9456587270714398e-06, 7.816731433235162e-05, 0.0009879876958769625,
        0.0035947684654204456, -0.0190099572043217, -0.2163001269701255, -0.784926980221813,
        -1.2769703709455889, -0.7765628892503165,
    ],
)  # fmt: skip
"""The numerator of minus the quantile of q, less 1.375 r, of r - 1.6, where r = sqrt(-log(q)) is from 1.6 to 5."""

_middle_denominator = polynomial(
    float64=[
        3.577250698545921e-11, 4.946444064072587e-05, 0.0019296703385869903, 0.02716154380464236,
        0.19235043622516193, 0.7677297991760226, 1.7404997221558032, 2.0728766240934355, 1.0,
    ],
)  # fmt: skip
"""Its denominator."""

_far_numerator = polynomial(
    float64=[
        2.351685017399569e-13, 9.100352875364542e-11, 1.1315654020632016e-08, 6.371977038265578e-07,
        1.8677399524126914e-05, 0.0003011925017194402, 0.0026408674318637395, 0.010974179278909063,
        0.005796971567147252, -0.09769793717318502, -0.21709535649889614,
    ],
)  # fmt: skip
"""The numerator of minus the quantile of q, less 1.375 r, of r - 5, where r = sqrt(-log(q)) is from 5 on."""

_far_denominator = polynomial(
    float64=[
        5.997019352390252e-12, 2.290891828307433e-09, 2.7797952884188186e-07, 1.5126244129833308e-05,
        0.00042775918853930667, 0.0067728677758462814, 0.061894102967577545, 0.32266734575836087,
        0.8883525566716554, 1.0,
    ],
)  # fmt: skip
"""Its denominator."""


@scalar_function
def _quantile(d, q):
    """Returns the quantile of 1/2 + d; q = 1/2 - |d|."""
    v = _CENTER_SQUARED - d * d
    r = math.sqrt(-log(q))
    middle = _middle_numerator(r - _MIDDLE) / _middle_denominator(r - _MIDDLE)
    far = _far_numerator(r - _FAR_FROM) / _far_denominator(r - _FAR_FROM)
    tail = fused_multiply_add(r, 1.375, middle if r < _FAR_FROM else far)
    tail = math.copysign(tail if q != 0 else math.inf, d)
    center = fused_multiply_add(d, _center_numerator(v) / _center_denominator(v), 2.5 * d)
    return center if math.fabs(d) <= _CENTER else tail


@scalar_function
def ndtri(p):
    """Returns the quantile of the standard normal distribution: infinite at 0 and 1, NaN beyond."""
    return _quantile(p - 0.5, least(p, 1.0 - p))


@scalar_function
def erfinv(x):
    """Returns the inverse of erf: infinite at -1 and 1, NaN beyond."""
    return _ROOT_OF_HALF * _quantile(0.5 * x, 0.5 * (1.0 - math.fabs(x)))


@scalar_function
def erfcinv(x):
    """Returns the inverse of erfc: infinite at 0 and 2, NaN beyond."""
    return _ROOT_OF_HALF * _quantile(0.5 * (1.0 - x), 0.5 * least(x, 2.0 - x))


ndtri_kernel, erfinv_kernel, erfcinv_kernel = [wide_map_kernel(function) for function in (ndtri, erfinv, erfcinv)]
