"""Orders, running totals, counts and elements along an axis on a simulated GPU: the CPU's bits, or its sums in another order."""

import numpy as np
import pytest

from fastgrad._src.core.operation import TABLE
from fastgrad._src.cuda.kernels.choice import row_launches_on_device
from tests.cuda.simulation.lock_step import run_on_simulation

random = np.random.default_rng(0)


def ran(name, *inputs, rtol=0.0, **attributes):
    """Runs a row on both."""
    wanted = TABLE[name].run(*inputs, **attributes)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    found = [np.full(y.shape, 7, y.dtype) for y in wanted]
    launches = row_launches_on_device(TABLE[name], inputs, found, attributes)
    assert run_on_simulation(launches, inputs, found, threads=256) is None
    for got, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, expected, rtol, 10 * rtol)


def lines(dtype, *shape):
    """Numbers of which many are equal, and of floats some are NaN, infinite or -0."""
    x = random.integers(-9, 9, shape).astype(dtype)
    if x.dtype.kind == "f":
        x.flat[:: max(x.size // 7, 1)] = np.nan
        x.flat[1::11], x.flat[2::13], x.flat[3::17] = np.inf, -np.inf, -0.0
    else:
        x[x == 1], x[x == 2] = np.iinfo(dtype).max, np.iinfo(dtype).min
    return x


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (2, 600)])
def test_lines_in_order(dtype, shape):
    x = lines(dtype, *shape)
    for descending in (False, True):
        ran("argsort", x, axis=1, descending=descending)
        ran("sort", x, axis=0, descending=descending)
    for k in (1, shape[1]):
        ran("top_k", x, k=k, index_type="int32")


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cumulative_logsumexp"])
@pytest.mark.parametrize("shape", [(2, 5), (1, 33), (2, 1030), (1, 2100)])
def test_running_totals(name, shape):
    x = random.normal(size=shape).astype(np.float32)
    if name == "cumprod":
        x = 1 + x / 100
    for exclusive in (False, True):
        for reverse in (False, True):
            for axis in (0, 1):
                ran(name, x, axis=axis, exclusive=exclusive, reverse=reverse, rtol=1e-5)


def test_running_totals_of_integers_wrap_as_on_a_cpu():
    x = random.integers(0, 250, (2, 1500)).astype(np.uint8)
    for name in ("cumsum", "cumprod"):
        ran(name, x, axis=1, exclusive=False, reverse=False)


@pytest.mark.parametrize("weighted", [False, True])
def test_counts_of_numbers(weighted):
    ids = random.integers(0, 9, (2, 300))
    weights = [random.normal(size=ids.shape).astype(np.float32)] if weighted else []
    dtype = "float32" if weighted else "int32"
    for binary in (False, True) if not weighted else (False,):
        ran("bincount", ids, *weights, size=7, binary=binary, dtype=dtype)
