"""What a CPU leaves to the C library for a few elements, a GPU computes itself."""

import math

import numpy as np
import pytest

from fastgrad.cuda.building.compile import compile_ptx
from fastgrad.cuda.building.kernel import on_device
from fastgrad.cuda.simulation.lock_step import simulate
from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions.circular import cos, sin, tan
from fastgrad.kernels.functions.scalars import remainder_toward_zero

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
    simulate(on_device(circular), {"T": dtype}, [x, *found], x.size, 2, 32)
    for y, function in zip(found, (math.sin, math.cos, math.tan), strict=True):
        wanted = np.array([function(float(one)) for one in x])
        error = np.abs(y.astype(np.float64) - wanted) / np.spacing(np.abs(wanted).astype(dtype)).astype(np.float64)
        assert error.max() < 2.5, function.__name__


def test_the_angle_that_is_nearest_to_a_multiple_of_a_quarter_turn():
    """Muller et al., Handbook of Floating-Point Arithmetic: there C libraries may have lost digits."""
    x = np.array([6381956970095103.0 * 2.0**797])
    _, cosine, _ = found = [np.empty_like(x) for _ in range(3)]
    simulate(on_device(circular), {"T": "float64"}, [x, *found], 1, 1, 32)
    assert cosine[0] == -4.687165924254627611122582801963884e-19


@pytest.mark.parametrize("dtype", FLOATS)
def test_angles_without_end_have_no_sine(dtype):
    x = np.array([np.inf, -np.inf, np.nan], dtype)
    found = [np.zeros_like(x) for _ in range(3)]
    simulate(on_device(circular), {"T": dtype}, [x, *found], x.size, 1, 32)
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
    simulate(on_device(remainders), {"T": dtype}, [x, y, found], x.size, 2, 32)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found, np.fmod(x, y))


@pytest.mark.parametrize("kernel", [circular, remainders])
def test_they_need_no_library_no_stack_and_no_float64(kernel):
    text = compile_ptx(on_device(kernel), {"T": "float32"}, 90)
    assert ".f64" not in text
    assert ".local" not in text
