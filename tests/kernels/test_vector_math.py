import math

import numpy as np
import pytest
from scipy import special

from fastgrad.kernels import vector_math
from fastgrad.kernels.build import kernel
from fastgrad.kernels.vector_math import cosine_and_sine_of_turns, nan_greatest

FLOATS = ("float32", "float64")
BOTH = [np.dtype(name) for name in FLOATS]

function = vector_math.exp


def _over_arrays(x, out, n):
    for i in range(n):
        out[i] = function(x[i])


def _elementwise(name):
    scope = {**globals(), "function": getattr(vector_math, name)}
    body = type(_over_arrays)(_over_arrays.__code__, scope, name)
    return kernel("x: in[T], out: out[T], n: int", T=FLOATS)(body)


def _sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


KERNELS = {name: _elementwise(name) for name in ("exp", "log", "tanh", "sigmoid", "erf", "normal_cdf")}
EXACT = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "erf": special.erf,
    "normal_cdf": special.ndtr,
}
ULPS = {"exp": 1.0, "log": 1.0, "tanh": 1.6, "sigmoid": 1.6, "erf": 1.5, "normal_cdf": 6.0}


def _apply(name, x):
    out = np.empty_like(x)
    KERNELS[name][x.dtype](x, out, x.size)
    return out


def _errors(got, exact):
    """Distances in units of the last place of the exact results, which are given in a wider dtype."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        distance = np.abs(got.astype(exact.dtype) - exact) / np.spacing(np.abs(rounded)).astype(exact.dtype)
    return np.where(np.isfinite(rounded), distance, 0)


@pytest.mark.parametrize("name", KERNELS)
def test_float32_is_good_to_two_ulp_over_the_whole_range(name):
    x = np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32).view(np.float32)
    if name == "normal_cdf":
        x = x[x > -13]  # beyond, SciPy's own error in float64 counts
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.float64))
    got = _apply(name, x)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(exact))
    assert _errors(got, exact).max() <= ULPS[name]
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    np.testing.assert_array_equal(np.isinf(got), np.isinf(rounded))


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="needs a wider type than float64 to compare with")
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid"])
def test_float64_is_good_to_two_ulp(name):
    r = np.random.default_rng(0)
    x = np.concatenate(
        [
            r.normal(size=20000) * 10,
            r.uniform(-750, 750, 20000),
            r.uniform(-1, 3, 20000),
            r.integers(0, 2**64, 40000, dtype=np.uint64).view(np.float64),
        ]
    )
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.longdouble))
    got = _apply(name, x)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(exact))
    assert _errors(got, exact).max() <= ULPS[name]


@pytest.mark.parametrize("name", ["erf", "normal_cdf"])
def test_float64_error_functions_agree_with_scipy(name):
    x = np.concatenate([np.linspace(-8, 8, 20001), np.linspace(-1e-3, 1e-3, 1001), [-30.0, -35.0, 40.0]])
    np.testing.assert_allclose(_apply(name, x), EXACT[name](x), rtol=5e-15 if name == "erf" else 1e-13)


@pytest.mark.parametrize("dtype", BOTH)
def test_the_ends_of_the_range(dtype):
    x = np.array([0.0, -0.0, math.inf, -math.inf, math.nan], dtype)
    expected = {
        "exp": [1, 1, math.inf, 0, math.nan],
        "log": [-math.inf, -math.inf, math.inf, math.nan, math.nan],
        "tanh": [0, -0.0, 1, -1, math.nan],
        "sigmoid": [0.5, 0.5, 1, 0, math.nan],
        "erf": [0, -0.0, 1, -1, math.nan],
        "normal_cdf": [0.5, 0.5, 1, 0, math.nan],
    }
    for name, values in expected.items():
        got = _apply(name, x)
        np.testing.assert_array_equal(got, np.array(values, dtype), err_msg=name)
        if name in ("tanh", "erf"):
            np.testing.assert_array_equal(np.signbit(got[:2]), [False, True])
    tiny = np.array([np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny / 4], dtype)
    np.testing.assert_array_equal(_apply("tanh", tiny), tiny)
    np.testing.assert_allclose(_apply("log", tiny), np.log(tiny.astype(np.longdouble)).astype(dtype), rtol=1e-6)


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
