"""Functions in kernels beside those of NumPy and SciPy in a wider type, over all numbers and at special ones."""

import itertools
import math

import numpy as np
import pytest
from scipy import special

from fastgrad.kernels.building.body import round_down, round_to_even, round_to_zero, round_up, scale_by_power_of_two
from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions import circular, error_function, hyperbolic, power, vector_math
from fastgrad.kernels.functions.circular import cosine_and_sine_of_turns
from fastgrad.kernels.functions.vector_math import nan_greatest

FLOATS = ("float32", "float64")
BOTH = [np.dtype(name) for name in FLOATS]

function = vector_math.exp


def _over_arrays(x, out, n):
    for i in range(n):
        out[i] = function(x[i])


def _over_pairs(x, y, out, n):
    for i in range(n):
        out[i] = function(x[i], y[i])


def _elementwise(function, body=_over_arrays):
    name = getattr(function, "__name__", "function")
    body = type(body)(body.__code__, {**globals(), "function": function}, name)
    inputs = "x: in[T], y: in[T]" if "y" in body.__code__.co_varnames else "x: in[T]"
    return kernel(f"{inputs}, out: out[T], n: int", noalias=True, T=FLOATS)(body)


def _sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# For each function its exact form and its bound in ulp.
FUNCTIONS = {
    vector_math: {
        "exp": (np.exp, 1.0),
        "expm1": (np.expm1, 2.0),
        "log": (np.log, 1.0),
        "log1p": (np.log1p, 2.0),
        "tanh": (np.tanh, 2.5),
        "sigmoid": (_sigmoid, 2.25),
        "softplus": (_softplus, 2.0),
        "log_sigmoid": (lambda x: 0 - _softplus(-x), 2.0),
    },
    error_function: {
        "erf": (special.erf, 1.5),
        "erfc": (special.erfc, 6.0),
        "normal_cdf": (special.ndtr, 6.0),
    },
    circular: {
        "sin": (np.sin, 2.0),
        "cos": (np.cos, 2.0),
        "tan": (np.tan, 2.5),
        "asin": (np.arcsin, 2.0),
        "acos": (np.arccos, 1.5),
        "atan": (np.arctan, 2.0),
    },
    hyperbolic: {
        "sinh": (np.sinh, 2.0),
        "cosh": (np.cosh, 1.5),
        "asinh": (np.arcsinh, 2.0),
        "acosh": (np.arccosh, 2.0),
        "atanh": (np.arctanh, 2.0),
    },
}
ROWS = {name: (getattr(module, name), *row) for module, rows in FUNCTIONS.items() for name, row in rows.items()}
KERNELS = {name: _elementwise(row[0]) for name, row in ROWS.items()}
FROM_SCIPY = ("erf", "erfc", "normal_cdf")


def _apply(name, x):
    out = np.empty_like(x)
    KERNELS[name][x.dtype](x, out, x.size)
    return out


def _errors(got, exact):
    """Distances in units of the last place of the exact results, which are given in a wider dtype."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        distance = np.abs(got.astype(exact.dtype) - exact) / np.spacing(np.abs(rounded)).astype(exact.dtype)
    return np.where(np.isfinite(rounded) & np.isfinite(got), distance, 0)


def _assert_good(name, x, bound):
    with np.errstate(all="ignore"):
        exact = ROWS[name][1](x.astype(np.float64 if x.dtype == np.float32 else np.longdouble))
        rounded = exact.astype(x.dtype)
    got = _apply(name, x)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(exact))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(rounded))
    errors = _errors(got, exact)
    assert errors.max() <= bound, f"{errors.max()} ulp at {x[errors.argmax()]!r}"


@pytest.mark.parametrize("name", ROWS)
def test_float32_over_the_whole_range(name):
    r = np.random.default_rng(0)
    every = np.arange(0, 2**32, 16411, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = np.concatenate(
        [
            every[~np.isnan(every)],
            r.uniform(-1.01, 1.01, 60000),
            r.uniform(-110, 110, 60000),
            r.uniform(-1e5, 1e5, 60000),
            np.arange(1, 10000) * (np.pi / 2),
        ]
    ).astype(np.float32)
    if name == "normal_cdf":
        x = x[~(x < -13)]  # beyond, SciPy's own error in float64 counts
    _assert_good(name, x, ROWS[name][2])


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="needs a wider type than float64 to compare with")
@pytest.mark.parametrize("name", [name for name in ROWS if name not in FROM_SCIPY])
def test_float64_over_the_whole_range(name):
    r = np.random.default_rng(0)
    x = np.concatenate(
        [
            r.integers(0, 2**64, 30000, dtype=np.uint64).view(np.float64),
            r.uniform(-1.01, 1.01, 30000),
            r.uniform(-10, 10, 30000),
            r.uniform(-750, 750, 30000),
            r.uniform(-1e8, 1e8, 30000),
            np.arange(1, 10000) * (np.pi / 2),
            r.normal(size=10000) * 1e-8,
        ]
    )
    _assert_good(name, x, ROWS[name][2])


@pytest.mark.parametrize("name", FROM_SCIPY)
def test_float64_error_functions_agree_with_scipy(name):
    x = np.concatenate([np.linspace(-8, 8, 20001), np.linspace(-1e-3, 1e-3, 1001), [-25.0, -35.0, 25.0, 40.0]])
    x = x if name == "normal_cdf" else x[np.abs(x) < 26]
    np.testing.assert_allclose(_apply(name, x), ROWS[name][1](x), rtol=5e-15 if name == "erf" else 1e-13)


@pytest.mark.parametrize("dtype", BOTH)
def test_special_numbers(dtype):
    x = np.array([0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0], dtype)
    for name, (_, exact, bound) in ROWS.items():
        got = _apply(name, x)
        with np.errstate(all="ignore"):
            wanted = exact(x.astype(np.float64)).astype(dtype)
        np.testing.assert_allclose(got, wanted, rtol=bound * np.finfo(dtype).eps, err_msg=name)
        np.testing.assert_array_equal(np.signbit(got[wanted == 0]), np.signbit(wanted[wanted == 0]), err_msg=name)
        np.testing.assert_array_equal(got[:5], wanted[:5], err_msg=name)


@pytest.mark.parametrize("dtype", BOTH)
def test_subnormal_numbers(dtype):
    tiny = np.array([np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny / 4, np.finfo(dtype).tiny], dtype)
    tiny = np.concatenate([tiny, -tiny])
    for name in ("sin", "tan", "asin", "atan", "sinh", "asinh", "tanh", "atanh", "log1p", "expm1"):
        np.testing.assert_array_equal(_apply(name, tiny), tiny, err_msg=name)
    positive = tiny[:3]
    np.testing.assert_array_equal(_apply("log", positive), np.log(positive.astype(np.longdouble)).astype(dtype))
    assert 0 < _apply("exp", np.array([-103.0 if dtype == np.float32 else -745.0], dtype))[0] < np.finfo(dtype).tiny


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("size", [1, 3, 7, 19, 64, 133])
def test_angles_far_from_zero_beside_near_ones(dtype, size):
    x = np.linspace(-3, 3, size).astype(dtype)
    x[:: 3 if size > 3 else 1] *= dtype.type(1e12)
    wide = np.float64 if dtype == np.float32 else np.longdouble
    for name in ("sin", "cos", "tan"):
        exact = ROWS[name][1](x.astype(wide))
        assert _errors(_apply(name, x), exact).max() <= 2.5, name


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", ROWS)
def test_an_element_has_the_same_bits_wherever_it_lies(name, dtype):
    x = (np.random.default_rng(0).normal(size=301) * 3).astype(dtype)
    whole = _apply(name, x)
    for start in (0, 1, 5, 290, 298):
        for size in (1, 2, 3, 7, 31, 100):
            part = x[start : start + size]
            assert _apply(name, part).tobytes() == whole[start : start + size].tobytes()


PAIRS = list(itertools.product([0.0, 1.0, 0.5, 2.0, 3.0, 2.5, 1e-40, 1e38, 16777215.0, math.inf, math.nan], [1, -1]))


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", ["power", "atan2"])
def test_functions_of_two_numbers(name, dtype):
    found, exact = {"power": (power.power, np.power), "atan2": (circular.atan2, np.arctan2)}[name]
    numbers = [size * sign for size, sign in PAIRS]
    x, y = np.array(list(itertools.product(numbers, numbers)), dtype).T.copy()
    got = np.empty_like(x)
    over_pairs = _elementwise(found, _over_pairs)[dtype]
    over_pairs(x, y, got, x.size)
    wide = np.float64 if dtype == np.float32 else np.longdouble
    with np.errstate(all="ignore"):
        wanted = exact(x.astype(wide), y.astype(wide))
        rounded = wanted.astype(dtype)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(rounded))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(rounded))
    np.testing.assert_array_equal(np.signbit(got)[~np.isnan(got)], np.signbit(rounded)[~np.isnan(got)])
    assert _errors(got, wanted).max() <= 2
    r = np.random.default_rng(0)
    x, y = r.uniform(0, 4, 50000).astype(dtype), (r.normal(size=50000) * 20).astype(dtype)
    got = np.empty_like(x)
    over_pairs(x, y, got, x.size)
    assert _errors(got, exact(x.astype(wide), y.astype(wide))).max() <= 2


@pytest.mark.parametrize("dtype", BOTH)
def test_rounding(dtype):
    x = np.array([0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-30, -1e-30, 3.7, -3.7, 1e30, math.inf, -math.inf, math.nan])
    x = x.astype(dtype)
    for found, exact in (
        (round_down, np.floor),
        (round_up, np.ceil),
        (round_to_zero, np.trunc),
        (round_to_even, np.rint),
    ):
        out = np.empty_like(x)
        _elementwise(found)[dtype](x, out, x.size)
        np.testing.assert_array_equal(out, exact(x))
        np.testing.assert_array_equal(np.signbit(out), np.signbit(exact(x)))


@kernel("x: in[T], k: in[int64], out: out[T], n: int", T=FLOATS)
def scaled(x, k, out, n):
    for i in range(n):
        out[i] = scale_by_power_of_two(x[i], k[i])


@pytest.mark.parametrize("dtype", BOTH)
def test_scaling_rounds_once(dtype):
    k = np.arange(-160, 131) if dtype == np.float32 else np.arange(-1080, 1030)
    x = (1 + np.random.default_rng(0).random(k.size)).astype(dtype)
    out = np.empty_like(x)
    scaled[dtype](x, k, out, x.size)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(out, np.ldexp(x, k))


@kernel("u: in[T], c: out[T], s: out[T], n: int", T=FLOATS)
def turns(u, c, s, n):
    for i in range(n):
        c[i], s[i] = cosine_and_sine_of_turns(u[i])


@pytest.mark.parametrize("dtype", BOTH)
def test_cosine_and_sine_of_turns(dtype):
    u = np.concatenate([np.linspace(0, 1, 10001), [0.125, 0.25, 0.375, 0.5, 0.75]]).astype(dtype)
    c, s = np.empty_like(u), np.empty_like(u)
    turns[dtype](u, c, s, u.size)
    angle = 2 * np.pi * u.astype(np.float64)
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(c, np.cos(angle), rtol=0, atol=tolerance)
    np.testing.assert_allclose(s, np.sin(angle), rtol=0, atol=tolerance)
    np.testing.assert_array_equal(c[[0, -4, -2, -1]], [1, 0, -1, 0])
    np.testing.assert_array_equal(s[[0, -4, -2, -1]], [0, 1, 0, -1])


@kernel("a: in[T], b: in[T], out: out[T], n: int", T=FLOATS)
def pairwise_greatest(a, b, out, n):
    for i in range(n):
        out[i] = nan_greatest(a[i], b[i])


def test_nan_greatest_keeps_nan_on_either_side():
    a, b = np.array([1.0, math.nan, 2.0, math.nan, -math.inf]), np.array([math.nan, 1.0, 3.0, math.nan, -1.0])
    out = np.empty(5)
    pairwise_greatest[a.dtype](a, b, out, 5)
    np.testing.assert_array_equal(out, [math.nan, math.nan, 3, math.nan, -1])
