"""Positions of extremes: those that NumPy finds in what has no NaN, for rows that are ragged in every way the kernel knows."""

import numpy as np
import pytest

from fastgrad._src.kernels.movement.positions import extreme_positions

RNG = np.random.default_rng(0)
LENGTHS = [1, 2, 15, 16, 17, 31, 63, 64, 65, 1023, 1024, 2047, 2048, 2049, 3100, 5000]


def found(x, sign, inner=1, first=0, last=None):
    out = np.full(x.shape[0] * inner, -1, np.int64)
    units = x.shape[0] * -(-inner // 64)
    extreme_positions[x.dtype, out.dtype](x, out, x.shape[1], inner, sign, first, units if last is None else last)
    return out


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint8", "int64", "uint64", "bool"])
@pytest.mark.parametrize("size", LENGTHS)
def test_rows_with_ties(size, dtype):
    x = RNG.integers(0, 2 if dtype == "bool" else 100, (7, size)).astype(dtype)
    np.testing.assert_array_equal(found(x, 1), x.argmax(1))
    np.testing.assert_array_equal(found(x, -1), x.argmin(1))


@pytest.mark.parametrize("size", LENGTHS)
def test_rows_of_distinct_numbers_at_every_place(size):
    x = np.stack([np.roll(np.arange(size, dtype=np.float32), shift) for shift in {0, 1, size // 2, size - 1}])
    np.testing.assert_array_equal(found(x, 1), x.argmax(1))
    np.testing.assert_array_equal(found(x, -1), x.argmin(1))


@pytest.mark.parametrize("size", LENGTHS)
def test_nan_is_passed_over(size):
    x = RNG.normal(size=(5, size)).astype(np.float32)
    x[0, ::2], x[1], x[2, 0] = np.nan, np.nan, np.nan
    x[3] = -np.inf
    x[3, ::3] = np.nan
    x[4] = np.inf
    x[4, : size // 2] = np.nan
    for sign, find, worst in ((1, np.argmax, -np.inf), (-1, np.argmin, np.inf)):
        np.testing.assert_array_equal(found(x, sign), find(np.where(np.isnan(x), worst, x), 1))


@pytest.mark.parametrize("inner", [2, 63, 64, 65, 130])
def test_lines_across(inner):
    x = RNG.integers(0, 9, (3, 11, inner)).astype(np.float32)
    np.testing.assert_array_equal(found(x, 1, inner), x.argmax(1).reshape(-1))
    np.testing.assert_array_equal(found(x, -1, inner), x.argmin(1).reshape(-1))


def test_a_share_writes_its_own_rows_only():
    x = RNG.normal(size=(9, 40)).astype(np.float32)
    np.testing.assert_array_equal(found(x, 1, first=3, last=5), [-1] * 3 + x[3:5].argmax(1).tolist() + [-1] * 4)


def test_of_no_rows_there_is_nothing():
    assert found(np.empty((0, 5), np.float32), 1).size == 0
