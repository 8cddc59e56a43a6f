"""Lanes: the order in which they are combined, and how much code that is."""

import functools

import numpy as np
import pytest

from fastgrad._src.jit.body import specialized
from fastgrad._src.jit.build import kernel
from fastgrad._src.jit.compile import compile_kernel
from fastgrad._src.jit.signature import KernelSource
from fastgrad._src.kernels.reduction.lanes import lanes_greatest, lanes_least, lanes_product, lanes_sum

TYPES = ("uint8", "int32", "float32", "float64")


def _combined(lanes, out, count):
    out[0] = combine(lanes, count)


combine = lanes_sum  # each kernel is compiled with its own


def of_lanes(function):
    """A kernel that calls a function of lanes."""
    body = specialized(_combined, function.__name__, combine=function)
    return kernel("lanes: inout[T], out: out[T], count: int", T=TYPES)(body)


COMBINE = [
    (of_lanes(lanes_sum), np.add),
    (of_lanes(lanes_product), np.multiply),
    (of_lanes(lanes_greatest), np.maximum),
    (of_lanes(lanes_least), np.minimum),
]


@pytest.mark.parametrize("count", [16, 32, 256])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("combine", "ufunc"), COMBINE)
def test_every_16th_lane_is_combined_one_after_the_other(combine, ufunc, dtype, count):
    lanes = (np.random.default_rng(1).normal(size=count) * 1.5).astype(dtype)
    with np.errstate(all="ignore"):
        expected = functools.reduce(ufunc, [functools.reduce(ufunc, lanes[first::16]) for first in range(16)])
    out = np.empty(1, dtype)
    combine[(np.dtype(dtype),)](lanes.copy(), out, count)
    np.testing.assert_array_equal(out[0], expected)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("combine", [combine for combine, _ in COMBINE])
def test_combining_lanes_is_little_code(combine, dtype):
    """One chain after another was 9 kB for bytes, most of it shuffles, for which LLVM took over a second."""
    symbol = f"little_{combine.__name__}_{dtype}"
    code, _ = compile_kernel(KernelSource(combine.function, combine.signature, {"T": dtype}), symbol)
    assert len(code) < 8000  # checked builds have a way out more
