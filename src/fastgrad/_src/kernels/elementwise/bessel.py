"""The modified Bessel functions of orders 0 and 1, without branches, so that loops around them vectorise.

Near 0 they are their power series (DLMF 10.25.2 and 10.31). Far from 0 they are an exponential over sqrt(x), times a fit in
1 / x: Chebyshev interpolation with an error below 2^-53.
"""

import math

from fastgrad._src.jit.body import fused_multiply_add, polynomial, scalar_function
from fastgrad._src.kernels.elementwise.wide_map import wide_map_kernel
from fastgrad._src.kernels.math.vector_math import exp, log

_FAR_FROM = 8.0
"""The size of x from which I0 and I1 are fits in 1 / x; K0 and K1 from 1 on."""

_LARGE = 700.0
"""The size of x from which exp(x) is computed in two factors: it is infinite, or not normal, before the function is."""

_factorials = [math.factorial(k) for k in range(25)]
_harmonics = [sum(1 / j for j in range(1, k + 1)) for k in range(11)]
_LOG_2_MINUS_EULER = 0.11593151565841245

_i0_series = polynomial(float64=[1 / _factorials[k] ** 2 for k in range(23, -1, -1)])
"""I0 as a series in x^2 / 4."""

_i1_series = polynomial(float64=[1 / (_factorials[k] * _factorials[k + 1]) for k in range(23, -1, -1)])
"""2 I1 / x as a series in x^2 / 4."""

_k0_series = polynomial(float64=[(_LOG_2_MINUS_EULER + _harmonics[k]) / _factorials[k] ** 2 for k in range(9, -1, -1)])
"""K0 + log(x) I0 as a series in x^2 / 4."""

_k1_series = polynomial(
    float64=[
        -(_LOG_2_MINUS_EULER + 0.5 * (_harmonics[k] + _harmonics[k + 1])) / (_factorials[k] * _factorials[k + 1])
        for k in range(9, -1, -1)
    ]
)
"""(K1 - 1 / x - log(x) I1) 2 / x as a series in x^2 / 4."""

_i0_fit = polynomial(
    float64=[
        3.3678142630566788e+16, -4.5625549860525896e+16, 2.8590740304120956e+16, -1.0994172952273044e+16,
        2903063962296260.0, -558338222939883.6, 80994728550058.17, -9058765454645.902, 792083964019.9021,
        -54594034117.30244, 2977368334.0892296, -128456787.36916727, 4366882.030638348, -116003.22508652724,
        2379.9927198260093, -36.19130370714604, 0.6498655373405139, 0.08718848829871338, 0.04476075235844737,
        0.029219343433309654, 0.028050629200526308, 0.04986778505010138, 0.3989422804014327,
    ],
)  # fmt: skip
"""sqrt(x) exp(-x) I0(x) as a polynomial in 1 / x, for x >= 8."""

_i1_fit = polynomial(
    float64=[
        -3.506121169747626e+16, 4.757708828928665e+16, -2.9865828662099748e+16, 1.1505909762111434e+16,
        -3044209698315942.5, 586711674514152.0, -85298577556528.67, 9562186385275.068, -838115700349.1146,
        57910621274.20575, -3166313465.5761757, 136963410.3091928, -4668208.797518015, 124327.52529998176,
        -2557.341315017629, 38.92609645464186, -0.7248636724058308, -0.10704400326357605,
        -0.05754578806329407, -0.04090710030467948, -0.04675104860377485, -0.14960335515045284,
        0.39894228040143265,
    ],
)  # fmt: skip
"""sqrt(x) exp(-x) I1(x) as a polynomial in 1 / x, for x >= 8."""

_k0_numerator = polynomial(
    float64=[
        0.017287636930648036, 2.1555177862513557, 43.030535840646344, 298.17231643111654, 934.2939040421229,
        1502.2578262861275, 1320.3622333192607, 648.3034723221456, 174.5133864332348, 23.707593761091317,
        1.2533141373155001,
    ],
)  # fmt: skip
"""The numerator of sqrt(x) exp(x) K0(x) as a fraction in 1 / x, for x >= 1."""

_k0_denominator = polynomial(
    float64=[
        0.05025538179708416, 3.2090040961494894, 49.39505091221372, 297.6620698879407, 857.8325251580183,
        1308.504065262776, 1111.5387183353878, 533.6996760130614, 141.5513395679753, 19.04092303576108, 1.0,
    ],
)  # fmt: skip
"""Its denominator."""

_k1_numerator = polynomial(
    float64=[
        0.12274259803774341, 5.962082121081808, 76.65166764198771, 409.70914569737556, 1095.6449446925278,
        1603.957738214257, 1339.3086952874999, 642.2756923469484, 171.842975695219, 23.452595476510425,
        1.2533141373155003,
    ],
)  # fmt: skip
"""The numerator of sqrt(x) exp(x) K1(x) as a fraction in 1 / x, for x >= 1."""

_k1_denominator = polynomial(
    float64=[
        0.006869176587715078, 1.0569534037009252, 23.255519422801616, 173.45094933963543, 578.5597326251832,
        983.0104696475412, 907.5432738657274, 465.6264302784156, 130.35149574908456, 18.337463841462814, 1.0,
    ],
)  # fmt: skip
"""Its denominator."""


@scalar_function
def _scaled_down(y, x):
    """Returns y exp(-x), for x >= 0."""
    is_large = x > _LARGE
    y = y * exp(T(64.0) - x if is_large else -x)
    return y * 1.603810890548638e-28 if is_large else y  # exp(-64)


@scalar_function
def _scaled_up(y, x):
    """Returns y exp(x), for x >= 0; NaN at infinity, where y is 0: as in TensorFlow and SciPy."""
    is_large = x > _LARGE
    y = y * exp(x - T(64.0) if is_large else x)
    return y * 6.235149080811617e27 if is_large else y  # exp(64)


@scalar_function
def i0(x):
    """Returns I0(x)."""
    a = math.fabs(x)
    near = _i0_series(0.25 * a * a)
    return near if a < _FAR_FROM else _scaled_up(_i0_fit(T(1.0) / a) / math.sqrt(a), a)


@scalar_function
def i0e(x):
    """Returns exp(-|x|) I0(x)."""
    a = math.fabs(x)
    near = _i0_series(0.25 * a * a) * exp(-a)
    return near if a < _FAR_FROM else _i0_fit(T(1.0) / a) / math.sqrt(a)


@scalar_function
def i1(x):
    """Returns I1(x)."""
    a = math.fabs(x)
    near = 0.5 * a * _i1_series(0.25 * a * a)
    return math.copysign(near if a < _FAR_FROM else _scaled_up(_i1_fit(T(1.0) / a) / math.sqrt(a), a), x)


@scalar_function
def i1e(x):
    """Returns exp(-|x|) I1(x)."""
    a = math.fabs(x)
    near = 0.5 * a * _i1_series(0.25 * a * a) * exp(-a)
    return math.copysign(near if a < _FAR_FROM else _i1_fit(T(1.0) / a) / math.sqrt(a), x)


@scalar_function
def _k0_near(x):
    z = 0.25 * x * x
    return fused_multiply_add(-log(x), _i0_series(z), _k0_series(z))


@scalar_function
def _k0e_far(x):
    u = T(1.0) / x
    return _k0_numerator(u) / (_k0_denominator(u) * math.sqrt(x))


@scalar_function
def _k1_near(x):
    z, half = 0.25 * x * x, 0.5 * x
    y = T(1.0) / x + half * fused_multiply_add(log(x), _i1_series(z), _k1_series(z))
    return y if x != 0 else math.inf


@scalar_function
def _k1e_far(x):
    u = T(1.0) / x
    return _k1_numerator(u) / (_k1_denominator(u) * math.sqrt(x))


@scalar_function
def k0(x):
    """Returns K0(x): infinite at 0, NaN below."""
    return _scaled_down(_k0e_far(x), x) if x > 1 else _k0_near(x)


@scalar_function
def k0e(x):
    """Returns exp(x) K0(x): infinite at 0, NaN below."""
    return _k0e_far(x) if x > 1 else _k0_near(x) * exp(x)


@scalar_function
def k1(x):
    """Returns K1(x): infinite at 0, NaN below."""
    return _scaled_down(_k1e_far(x), x) if x > 1 else _k1_near(x)


@scalar_function
def k1e(x):
    """Returns exp(x) K1(x): infinite at 0, NaN below."""
    return _k1e_far(x) if x > 1 else _k1_near(x) * exp(x)


i0_kernel, i0e_kernel, i1_kernel, i1e_kernel = [wide_map_kernel(function) for function in (i0, i0e, i1, i1e)]
k0_kernel, k0e_kernel, k1_kernel, k1e_kernel = [wide_map_kernel(function) for function in (k0, k0e, k1, k1e)]
