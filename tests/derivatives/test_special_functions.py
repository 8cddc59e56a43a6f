"""SciPy's special functions, called by their addresses: derivatives beside mpmath's, to 50 digits, and the rules of all functions beside differences."""

import ctypes
import math

import mpmath as mp
import numba
import numpy as np
import pytest
from numba.extending import get_cython_function_address
from scipy import special
from scipy.special import cython_special

import fastgrad as fg
from fastgrad._src.derivatives.ir.parameter_derivatives import betainc_by_parameter, log_iv_by_order, log_kv_by_order
from fastgrad._src.derivatives.ir.special_functions import BESSEL_RULES, ORDER_RULES, RULES, special_name

MODULE = "scipy.special.cython_special"
GENERATOR = np.random.default_rng(7)


def address_of(name):
    """The address of the function of float64 numbers: its signature names no float and no complex type."""
    for symbol in (name, f"__pyx_fuse_0{name}", f"__pyx_fuse_1{name}"):
        if symbol in cython_special.__pyx_capi__:
            signature = repr(cython_special.__pyx_capi__[symbol])
            if "complex" not in signature and "float" not in signature and "long" not in signature:
                return get_cython_function_address(MODULE, symbol)
    raise LookupError(name)


def by_ctypes(name, arity):
    """The function as one of ctypes, and a function of Numba that calls it."""
    function = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_double] * arity)(address_of(name))
    names = ", ".join("pqr"[:arity])
    return function, numba.njit(eval(f"lambda {names}: f({names})", {"f": function}))


class Address(numba.types.WrapperAddressProtocol):
    """A function by its address, as numba-stats has it."""

    def __init__(self, name, arity):
        self.address, self.arity = address_of(name), arity

    def __wrapper_address__(self):
        return self.address

    def signature(self):
        return numba.float64(*[numba.float64] * self.arity)


def drawn(count, *ranges):
    return [tuple(GENERATOR.uniform(*ends) for ends in ranges) for _ in range(count)]


def faddeeva(z):
    return mp.exp(-z * z) * mp.erfc(-1j * z)


def lower_tail(df, t):
    return mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2


def noncentral(x, df, nc):
    def part(j):
        weight = mp.exp(-nc / 2) * (nc / 2) ** j / mp.factorial(j)
        return weight * mp.gammainc(df / 2 + j, 0, x / 2, regularized=True)

    return mp.fsum(part(j) for j in range(120))


EXACT = {
    "gammainc": (
        lambda a, x: mp.gammainc(a, 0, x, regularized=True),
        [*drawn(12, (0.1, 20), (0.01, 40)), (1.0, 3.0), (2.0, 3.7), (3.0, 0.5), (5.0, 9.0)],
    ),
    "gammaincc": (
        lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True),
        [*drawn(12, (0.1, 20), (0.01, 40)), (2.0, 30.0)],
    ),
    "betainc": (
        lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True),
        [*drawn(10, (0.2, 9), (0.2, 9), (0.02, 0.98)), (2.0, 3.0, 0.4), (3.0, 2.0, 0.8), (1.0, 1.0, 0.5)],
    ),
    "stdtr": (
        lambda df, t: lower_tail(df, t) if t < 0 else 1 - lower_tail(df, t),
        [*drawn(10, (0.5, 20), (-5, 5)), (2.0, 1.0), (4.0, -3.0)],
    ),
    "voigt_profile": (
        lambda x, sigma, gamma: mp.re(faddeeva((x + 1j * gamma) / (sigma * mp.sqrt(2)))) / (sigma * mp.sqrt(2 * mp.pi)),
        [*drawn(10, (-5, 5), (0.1, 2), (0.05, 2)), (30.0, 0.5, 0.1), (-200.0, 1.0, 2.0)],
    ),
    "owens_t": (
        lambda h, a: mp.quad(lambda t: mp.exp(-h * h * (1 + t * t) / 2) / (1 + t * t), [0, a]) / (2 * mp.pi),
        drawn(4, (-3, 3), (-3, 3)),
    ),
    "ndtri": (lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1), drawn(6, (0.01, 0.99))),
    "log_ndtr": (lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2), drawn(6, (-20, 5))),
    "erfcx": (lambda x: mp.exp(x * x) * mp.erfc(x), drawn(6, (-2, 20))),
    "erfi": (mp.erfi, drawn(6, (-5, 5))),
    "dawsn": (
        lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x),
        [*drawn(10, (-19, 19)), (0.0,), (21.0,), (-400.0,), (3e7,)],
    ),
    "exprel": (
        lambda x: mp.hyp1f1(1, 2, x),
        [*drawn(10, (-3, 3)), (0.0,), (1e-9,), (1.0,), (-1.0,), (-50.0,), (300.0,)],
    ),
    "expi": (mp.ei, drawn(8, (-6, 20))),
    "exp1": (mp.e1, drawn(8, (0.01, 20))),
    "wrightomega": (lambda x: mp.lambertw(mp.exp(x)).real, drawn(8, (-6, 20))),
    "ellipk": (mp.ellipk, [*drawn(8, (-3, 1)), (0.0,), (1e-12,), (0.999999,), (-1e9,)]),
    "ellipkm1": (lambda p: mp.ellipk(1 - p).real, [*drawn(4, (0, 1)), (1e-20,), (1e-9,), (1.0,)]),
    "ellipe": (mp.ellipe, [*drawn(8, (-3, 1)), (0.0,), (1e-12,), (0.999999,), (-1e9,)]),
    "chdtr": (
        lambda v, x: mp.gammainc(v / 2, 0, x / 2, regularized=True),
        [*drawn(6, (0.2, 40), (0.1, 60)), (2.0, 3.0)],
    ),
    "gdtr": (
        lambda a, b, x: mp.gammainc(b, 0, a * x, regularized=True),
        [*drawn(6, (0.2, 3), (0.1, 20), (0.1, 20)), (0.5, 2.0, 3.0)],
    ),
    "rel_entr": (lambda x, y: x * mp.log(x / y), drawn(4, (0.01, 5), (0.01, 5))),
    "kl_div": (lambda x, y: x * mp.log(x / y) - x + y, drawn(4, (0.01, 5), (0.01, 5))),
    "psi": (lambda x: mp.psi(0, x), drawn(10, (-3, 30))),
    "chndtr": (noncentral, [(3.0, 2.0, 1.5), (0.5, 3.3, 0.7), (12.0, 4.5, 9.0), (30.0, 5.0, 25.0)]),
    "xlogy": (lambda x, y: x * mp.log(y), drawn(4, (-3, 3), (0.1, 5))),
}


@pytest.mark.parametrize("name", EXACT)
def test_derivatives_are_those_of_mpmath(name):
    exact, cases = EXACT[name]
    arity = len(cases[0])
    derivative = fg.value_and_grad(by_ctypes(name, arity)[1], argnums=tuple(range(arity)))
    with mp.workdps(50):
        for case in cases:
            gradient = derivative(*case)[1]
            for place in range(arity):

                def along(t, place=place, case=case):
                    return exact(*[t if number == place else mp.mpf(x) for number, x in enumerate(case)])

                wanted = float(mp.diff(along, mp.mpf(case[place])))
                assert abs(gradient[place] - wanted) <= 1e-11 * abs(wanted) + 1e-15, (case, place, wanted)


EDGES = {
    "log_ndtr": [((-1e8,), (1e8,)), ((-1e5,), (1e5 + 1e-5,)), ((-math.inf,), (math.inf,)), ((math.inf,), (0.0,))],
    "erfcx": [((1e5,), (-5.641895834631278e-11,)), ((1e9,), (-5.641895835477563e-19,)), ((math.inf,), (0.0,))],
    "dawsn": [((1e9,), (-5e-19,)), ((math.inf,), (0.0,)), ((-math.inf,), (0.0,))],
    "exprel": [((-math.inf,), (0.0,)), ((800.0,), (math.inf,))],
    "exp1": [((math.inf,), (0.0,)), ((0.0,), (-math.inf,))],
    "ellipk": [((1.0,), (math.inf,)), ((2.0,), (math.nan,))],
    "ellipe": [((1.0,), (-math.inf,)), ((2.0,), (math.nan,))],
    "stdtr": [
        ((5.0, 1e-9), (3.72540206011784e-12, 0.37960668982249446)),
        ((5.0, 1e-4), (3.725402077974148e-07, 0.3796066852669937)),
        ((5.0, math.inf), (0.0, 0.0)),
    ],
    "gammainc": [
        ((1e10, 1e10), (-3.9894616998e-06, 3.98946170159e-06)),
        ((1.0, 0.0), (0.0, 1.0)),
        ((2.0, math.inf), (0.0, 0.0)),
    ],
    "betainc": [
        ((1.0, 2.0, 0.0), (0.0, 0.0, 2.0)),
        ((0.5, 2.0, 0.0), (0.0, 0.0, math.inf)),
        ((3.0, 1.0, 1.0), (0.0, 0.0, 3.0)),
        ((2.0, 0.5, 1.0), (0.0, 0.0, math.inf)),
    ],
}
"""Arguments where formulas cancel, series are long or densities have a step, and the derivatives there."""


@pytest.mark.parametrize("name", EDGES)
def test_derivatives_at_edges(name):
    cases = EDGES[name]
    arity = len(cases[0][0])
    derivative = fg.value_and_grad(by_ctypes(name, arity)[1], argnums=tuple(range(arity)))
    for case, wanted in cases:
        np.testing.assert_allclose(derivative(*case)[1], wanted, rtol=1e-8, err_msg=str(case))


@pytest.mark.parametrize(("a", "b", "x"), [(1.0, 1.0, 0.5), (1.0, 2.0, 0.3), (2.0, 3.0, 0.8), (1.5, 4.0, 0.1)])
def test_mixed_second_derivatives_of_betainc_at_integers(a, b, x):
    """A term of the continued fraction is 0 if b is an integer: the derivative by a has a derivative by b beyond this term."""
    slope = betainc_by_parameter
    _, mixed = fg.jvp(slope, (a, b, x, 1), (0.0, 1.0, 0.0, None))
    h = 1e-3
    difference = 8 * (slope(a, b + h, x, 1) - slope(a, b - h, x, 1)) - (
        slope(a, b + 2 * h, x, 1) - slope(a, b - 2 * h, x, 1)
    )
    assert mixed == pytest.approx(difference / (12 * h), rel=1e-8, abs=1e-11)


CASES = {1: (0.37,), 2: (1.7, 0.43), 3: (2.3, 1.4, 0.35)}
"""Arguments where all functions of one, two and three numbers have derivatives, but those of a probability that comes first."""
QUANTILE_CASES = {"chndtrix": (0.37, 2.3, 1.4)}


@pytest.mark.parametrize("name", sorted(RULES))
def test_all_rules_are_those_of_differences(name):
    arity = len(RULES[name])
    try:
        _, function = by_ctypes(name, arity)
    except LookupError:
        pytest.skip(f"this SciPy's cython_special has no {name}")
    case = np.array(QUANTILE_CASES.get(name, CASES[arity]))
    value, gradient = fg.value_and_grad(function, argnums=tuple(range(arity)))(*case)
    assert value == function(*case)
    for place in range(arity):
        step = 1e-4 * (np.arange(arity) == place)
        difference = (8 * (function(*(case + step)) - function(*(case - step)))) - (
            function(*(case + 2 * step)) - function(*(case - 2 * step))
        )
        assert gradient[place] == pytest.approx(difference / 12e-4, rel=2e-8)
    tangents = [
        fg.jvp(function, tuple(case), tuple(float(number == place) for number in range(arity)))[1]
        for place in range(arity)
    ]
    np.testing.assert_allclose(tangents, gradient, rtol=1e-14)


@pytest.mark.parametrize("name", sorted(BESSEL_RULES))
def test_bessel_functions_have_derivatives_but_of_their_order(name):
    function, call = by_ctypes(name, 2)

    of_order_2 = numba.njit(lambda x: function(2.0, x))

    @numba.njit
    def of_integer(n, x):
        return function(n, x)

    difference = (call(2.0, 1.3 + 1e-6) - call(2.0, 1.3 - 1e-6)) / 2e-6
    assert fg.grad(of_order_2)(1.3) == pytest.approx(difference, rel=1e-8)
    assert fg.grad(of_integer, argnums=1)(2, 1.3) == pytest.approx(difference, rel=1e-8)
    slope = fg.grad(of_integer, argnums=1)
    second = (slope(2, 1.3 + 1e-5) - slope(2, 1.3 - 1e-5)) / 2e-5
    assert fg.hvp(of_integer, argnums=1)(2, 1.3, 1.0) == pytest.approx(second, rel=1e-7)
    if name in ORDER_RULES:
        return
    with pytest.raises(fg.errors.DifferentiationError, match=f"{name} has no derivative with respect to the order"):
        fg.grad(call, argnums=1)(2.0, 1.3)


@pytest.mark.parametrize("name", sorted(ORDER_RULES))
def test_derivatives_with_respect_to_the_order(name):
    _, call = by_ctypes(name, 2)
    derivative = fg.grad(call, argnums=(0, 1))
    for order, x in [(0.3, 1.2), (2.7, 0.01), (15.3, 3.0), (1.5, 40.0), (3.2, 200.0), (0.01, 49.0), (0.5, 51.0)]:
        h = 1e-3 * max(order, 0.1)
        near, far = [call(order + t, x) - call(order - t, x) for t in (h, 2.0 * h)]
        by_order, _ = derivative(order, x)
        assert by_order == pytest.approx((8.0 * near - far) / (12.0 * h), rel=1e-7)
    second = (fg.grad(call)(1.3 + 1e-4, 2.0) - fg.grad(call)(1.3 - 1e-4, 2.0)) / 2e-4
    assert fg.hvp(call)(1.3, 2.0, 1.0) == pytest.approx(second, rel=1e-6)


@pytest.mark.parametrize(
    ("slope", "function"), [(log_iv_by_order, mp.besseli), (log_kv_by_order, mp.besselk)], ids=["iv", "kv"]
)
def test_slopes_of_logarithms_by_order_are_those_of_mpmath(slope, function):
    with mp.workdps(40):
        for order, x in [*drawn(8, (0.0, 8.0), (0.02, 100.0)), (30.5, 500.0), (100.2, 1.0), (4.5, 3000.0), (0.5, 51.0)]:
            wanted = mp.diff(lambda t, x=x: mp.log(function(t, x)), mp.mpf(order))
            assert slope(order, x) == pytest.approx(float(wanted), rel=1e-11)


def test_orders_without_a_formula_have_no_number():
    assert math.isnan(log_iv_by_order(-1.5, 2.0))
    assert log_kv_by_order(-1.5, 2.0) == -log_kv_by_order(1.5, 2.0)
    assert log_kv_by_order(0.0, 2.0) == 0.0


def test_addresses_of_numba_and_functions_of_scipy_are_known():
    assert special_name(Address("gammainc", 2)) == "gammainc"
    assert special_name(special.voigt_profile) == "voigt_profile"
    assert special_name(np.exp2) is None
    assert special_name(by_ctypes("jv", 2)[0]) == "jv"
    assert special_name(ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int)(address_of("ndtri"))) is None

    address = Address("stdtr", 2)

    total = numba.njit(lambda df, x: sum([address(df, number) for number in x]))
    x = np.array([-1.0, 0.3, 2.0])
    value, (by_df, by_x) = fg.value_and_grad(total, argnums=(0, 1))(3.5, x)
    assert value == pytest.approx(special.stdtr(3.5, x).sum())
    assert by_df == pytest.approx((total(3.5 + 1e-6, x) - total(3.5 - 1e-6, x)) / 2e-6, rel=1e-6)
    np.testing.assert_allclose(by_x, (special.stdtr(3.5, x + 1e-6) - special.stdtr(3.5, x - 1e-6)) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("t", [-0.5, 2.0, 5.0, -12.0])
@pytest.mark.parametrize("df", [1e2, 3.1e3, 1e4, 1e6, 1e8, 1e10])
def test_derivative_of_students_distribution_by_many_degrees_of_freedom(df, t):
    with mp.workdps(60):

        def half(degrees):  # the probability between 0 and t
            x = mp.mpf(t) ** 2 / (degrees + mp.mpf(t) ** 2)
            return mp.sign(t) * mp.betainc(0.5, degrees / 2, 0, x, regularized=True) / 2

        step = mp.mpf(df) * mp.mpf(10) ** -15
        exact = float((half(df + step) - half(df - step)) / (2 * step))
    gradient = fg.grad(by_ctypes("stdtr", 2)[1])(df, t)
    assert gradient == pytest.approx(exact, rel=3e-6)


@pytest.mark.parametrize(("df", "t"), [(1e200, -2.0), (1e300, 1e150), (1e9, 1e5), (1e20, 30.0)])
def test_derivative_of_students_distribution_vanishes_far_out(df, t):
    assert fg.grad(by_ctypes("stdtr", 2)[1])(df, t) == pytest.approx(0.0, abs=1e-40)


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("dawsn", lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x)),
        ("exprel", lambda x: mp.hyp1f1(1, 2, x)),
        ("ellipk", mp.ellipk),
        ("ellipe", mp.ellipe),
    ],
)
def test_second_derivatives_of_series_are_those_of_mpmath(name, exact):
    _, function = by_ctypes(name, 1)
    with mp.workdps(50):
        for x in (-25.0, -0.7, 0.0, 1e-9, 0.6):
            assert fg.hvp(function)(x, 1.0) == pytest.approx(float(mp.diff(exact, mp.mpf(x), 2)), rel=1e-9, abs=1e-14)


def test_second_derivatives():
    _, quantile = by_ctypes("ndtri", 1)
    step = 1e-5
    slope = fg.grad(quantile)
    assert fg.grad(slope)(0.3) == pytest.approx((slope(0.3 + step) - slope(0.3 - step)) / (2 * step), rel=1e-8)


def test_an_adjoint_of_the_user_comes_first():
    function, call = by_ctypes("erfinv", 1)

    @fg.adjoint(function)
    def adjoint(g, y, x):
        return 10.0 * g

    assert fg.grad(call)(0.3) == 10.0


@pytest.mark.parametrize(
    ("order", "x"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.inf), (1.0, 1e200), (1e300, 1.0)]
)
def test_a_derivative_by_the_order_ends_where_it_has_no_value(order, x):
    assert math.isnan(log_kv_by_order(order, x)) or abs(log_kv_by_order(order, x)) < 1e-90


@pytest.mark.parametrize("parameters", [(2.0, -1.0, math.nan), (-2.0, -2.0, 0.5), (0.0, 0.0, 0.5)])
def test_a_derivative_by_a_parameter_that_the_function_does_not_take_is_nan(parameters):
    assert math.isnan(betainc_by_parameter(*parameters, 0))
