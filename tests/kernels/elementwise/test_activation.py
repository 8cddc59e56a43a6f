import math

import numpy as np
import pytest
from scipy import special

from fastgrad._src.kernels.elementwise import activation

BOTH = [np.dtype("float32"), np.dtype("float64")]
ROOT = math.sqrt(2 / math.pi)


def _gelu(x):
    return x * special.ndtr(x)


def _gelu_slope(x):
    return special.ndtr(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(ROOT * (x + 0.044715 * x**3)))


def _gelu_tanh_slope(x):
    t = np.tanh(ROOT * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * ROOT * (1 + 3 * 0.044715 * x * x)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize(
    ("name", "value", "slope"),
    [("gelu", _gelu, _gelu_slope), ("gelu_tanh", _gelu_tanh, _gelu_tanh_slope)],
)
def test_gelu_both_ways(name, value, slope, dtype):
    x = np.concatenate([np.linspace(-12, 12, 2001), [0.0, -0.0, 1e-20]]).astype(dtype)
    g, out = np.random.default_rng(0).normal(size=x.size).astype(dtype), np.empty_like(x)
    eps = float(np.finfo(dtype).eps)
    getattr(activation, name)[dtype](x, out, 0, x.size)
    np.testing.assert_allclose(out, value(x.astype(np.float64)), rtol=8 * eps, atol=8 * eps)
    getattr(activation, name + "_gradient")[dtype](g, x, out, 0, x.size)
    np.testing.assert_allclose(out, g * slope(x.astype(np.float64)), rtol=8 * eps, atol=100 * eps)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", ["gelu", "gelu_tanh"])
def test_gelu_has_its_limits_and_keeps_nan(name, dtype):
    x = np.array([math.inf, -math.inf, math.nan, 1e30, -1e30], dtype)
    out = np.empty_like(x)
    getattr(activation, name)[dtype](x, out, 0, 5)
    np.testing.assert_array_equal(out, np.array([math.inf, 0, math.nan, 1e30, 0], dtype))
    getattr(activation, name + "_gradient")[dtype](np.ones_like(x), x, out, 0, 5)
    np.testing.assert_array_equal(out, [1, 0, math.nan, 1, 0])


def test_the_exact_gelu_keeps_its_digits_in_the_lower_tail():
    x = np.array([-5.0, -10.0, -20.0, -37.0])
    out = np.empty_like(x)
    activation.gelu[x.dtype](x, out, 0, 4)
    np.testing.assert_allclose(out, x * special.ndtr(x), rtol=1e-12)
