"""What a CPU leaves to the C library for a few elements, a GPU computes itself."""

import math

import numpy as np
import pytest

from fastgrad._src.cuda.codegen.kernel import device_kernel_of
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.circular import cos, sin, tan
from fastgrad._src.kernels.math.power import power
from fastgrad._src.kernels.math.scalars import remainder_toward_zero
from tests.cuda.codegen.linking import ptx_of
from tests.cuda.simulation.lock_step import simulate

FLOATS = ("float32", "float64")


@kernel("x: in[T], s: out[T], c: out[T], t: out[T], first: int, last: int", T=FLOATS)
def circular(x, s, c, t, first, last):
    for i in range(first, last):
        s[i], c[i], t[i] = sin(x[i]), cos(x[i]), tan(x[i])


@kernel("x: in[T], y: in[T], r: out[T], first: int, last: int", T=FLOATS)
def remainders(x, y, r, first, last):
    for i in range(first, last):
        r[i] = remainder_toward_zero(x[i], y[i])


@pytest.mark.parametrize("dtype", FLOATS)
def test_far_angles(dtype):
    information = np.finfo(dtype)
    random = np.random.default_rng(0)
    size = np.exp(random.uniform(np.log(1e5), np.log(float(information.max)), 3000))
    # multiples of pi / 2 are the hardest: little is left of them
    hard = [1e5, 1e8, 16367173.0 * 2.0**72, float(information.max), 2.0**31 * np.pi]
    x = np.array([*size, *-size[:50], *[h for h in hard if h <= float(information.max)]]).astype(dtype)
    found = [np.empty_like(x) for _ in range(3)]
    simulate(device_kernel_of(circular), {"T": dtype}, [x, *found], x.size, 2, 32)
    for y, function in zip(found, (math.sin, math.cos, math.tan), strict=True):
        wanted = np.array([function(float(one)) for one in x])
        error = np.abs(y.astype(np.float64) - wanted) / np.spacing(np.abs(wanted).astype(dtype)).astype(np.float64)
        assert error.max() < 2.5, function.__name__


def test_the_angle_that_is_nearest_to_a_multiple_of_a_quarter_turn():
    """Muller et al., Handbook of Floating-Point Arithmetic: there C libraries may have lost digits."""
    x = np.array([6381956970095103.0 * 2.0**797])
    _, cosine, _ = found = [np.empty_like(x) for _ in range(3)]
    simulate(device_kernel_of(circular), {"T": "float64"}, [x, *found], 1, 1, 32)
    assert cosine[0] == -4.687165924254627611122582801963884e-19


@pytest.mark.parametrize("dtype", FLOATS)
def test_angles_without_end_have_no_sine(dtype):
    x = np.array([np.inf, -np.inf, np.nan], dtype)
    found = [np.zeros_like(x) for _ in range(3)]
    simulate(device_kernel_of(circular), {"T": dtype}, [x, *found], x.size, 1, 32)
    assert np.isnan(found).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_remainders_are_exact(dtype):
    random = np.random.default_rng(0)
    range_of = np.log(float(np.finfo(dtype).max)) * 0.99
    x, y = (np.exp(random.uniform(-range_of, range_of, 1000)).astype(dtype) for _ in range(2))
    x[::3] *= -1
    x = np.concatenate([x, [np.inf, 1, 1, np.nan, 0, -7, np.finfo(dtype).max, 5]]).astype(dtype)
    y = np.concatenate([y, [1, 0, np.inf, 1, 3, 2, np.finfo(dtype).smallest_subnormal, np.nan]]).astype(dtype)
    found = np.empty_like(x)
    simulate(device_kernel_of(remainders), {"T": dtype}, [x, y, found], x.size, 2, 32)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found, np.fmod(x, y))


@pytest.mark.parametrize("kernel", [circular, remainders])
def test_they_need_no_library_no_stack_and_no_float64(kernel):
    text = ptx_of(device_kernel_of(kernel), {"T": "float32"}, 90)
    assert ".f64" not in text
    assert ".local" not in text


@kernel("x: in[T], y: in[T], r: out[T], first: int, last: int", T=FLOATS)
def powers(x, y, r, first, last):
    for i in range(first, last):
        r[i] = power(x[i], y[i])


def test_powers_of_float32_need_no_float64():
    """Most GPUs have one unit for float64 to 64 for float32."""
    random = np.random.default_rng(0)
    x = np.exp(random.uniform(-80, 80, 3000))
    x[:1000] = 1 + random.normal(size=1000) * 10.0 ** random.uniform(-7, -1, 1000)
    x = x.astype(np.float32)
    y = random.uniform(-1, 1, x.size) * 86 / np.maximum(np.abs(np.log(x.astype(np.float64))), 1e-7)
    special = [0.0, -0.0, 1.0, -1.0, -2.0, 0.5, 3.0, -3.0, np.inf, -np.inf, np.nan, 1e-45, 3e38, -3e38]
    pairs = [[a, b] for a in special for b in special]
    x, y = (np.array([*one, *more], np.float32) for one, more in zip((x, y), zip(*pairs, strict=True), strict=True))
    found = np.empty_like(x)
    simulate(device_kernel_of(powers), {"T": "float32"}, [x, y, found], x.size, 2, 32)
    with np.errstate(all="ignore"):
        exact = x.astype(np.float64) ** y.astype(np.float64)
        wanted = exact.astype(np.float32)
        error = np.abs(found - exact) / np.spacing(np.abs(wanted)).astype(np.float64)
    whole = np.isfinite(wanted)
    assert error[whole].max() < 1
    np.testing.assert_array_equal(found[~whole], wanted[~whole])
    np.testing.assert_array_equal(np.signbit(found[wanted == 0]), np.signbit(wanted[wanted == 0]))
    assert ".f64" not in ptx_of(device_kernel_of(powers), {"T": "float32"}, 90)
