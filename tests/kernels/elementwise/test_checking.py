"""Checks let through what NumPy finds to hold, and stop at what it does not, in whatever shares they run."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgrad._src.compiler.programs.lowering import launches_of_row
from fastgrad._src.core.operation import TABLE
from fastgrad._src.kernels.elementwise.checking import RELATIONS
from fastgrad._src.kernels.runtime.launch import run_launches
from fastgrad.errors import InvalidArgumentError
from tests.kernels.properties import SIZE, layouts, numbers, results_of

HOLDS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
SEEDS = st.integers(0, 2**32 - 1)
SHARES = st.integers(1, 5)
DTYPES = st.sampled_from(["float32", "float64", "float16", "bfloat16", "int8", "int64", "uint8", "uint64"])


def runs(name, arrays, out, shares, r, **attributes):
    """Whether a check lets arrays through: now, and in a program."""
    try:
        results_of(name, [layouts(r, x) for x in arrays], attributes)
        held = True
    except InvalidArgumentError:
        held = False
    launches = launches_of_row(TABLE[name], arrays, [out], attributes)
    assert (run_launches(launches, arrays, [out], shares) is None) == held
    return held


@given(SIZE, SIZE, DTYPES, st.sampled_from(sorted(RELATIONS)), st.sampled_from(range(4)), SEEDS, SHARES)
@settings(max_examples=150)
def test_relations(a, b, dtype, check, kind, seed, shares):
    r = np.random.default_rng(seed)
    x, y = numbers(r, dtype, a, b), numbers(r, dtype, *[(a, b), (1, b), (a, 1), ()][kind])
    x, y = (np.asarray(np.nan_to_num(one)) for one in (x, y)) if r.random() < 0.7 and x.dtype.kind == "f" else (x, y)
    if r.random() < 0.5:  # so that it may hold everywhere
        x = np.sort(x.reshape(-1)).reshape(x.shape)
        y = np.array(x.reshape(-1)[0] if x.size else 0).astype(x.dtype)
    with np.errstate(invalid="ignore"):
        wanted = bool(np.all(HOLDS[RELATIONS[check]](x, y)))
    assert runs("assert", [x, y], np.empty((), bool), shares, r, check=check, message=None, summarize=None) == wanted


@given(SIZE, SIZE, st.sampled_from(["float32", "float64"]), st.sampled_from([0.0, 1e-3, 1.0]), SEEDS, SHARES)
@settings(max_examples=60)
def test_nearness(a, b, dtype, off, seed, shares):
    r = np.random.default_rng(seed)
    x = r.normal(size=(a, b)).astype(dtype)
    y = (x * (1 + off * r.normal(size=b))).astype(dtype)
    if x.size and seed % 3 == 0:
        y.reshape(-1)[r.integers(0, x.size)] = np.nan
    wanted = bool(np.all(np.abs(x - y) <= 1e-4 + 1e-2 * np.abs(y)))
    bounds = [np.float64(1e-2), np.float64(1e-4)]
    arrays = [x, y, *map(np.asarray, bounds)]
    given = {"check": "assert_near", "message": None, "summarize": None}
    assert runs("assert", arrays, np.empty((), bool), shares, r, **given) == wanted


@given(SIZE, SIZE, st.sampled_from([0.0, 0.002, 0.5]), SEEDS, SHARES)
@settings(max_examples=60)
def test_truth(a, b, share, seed, shares):
    r = np.random.default_rng(seed)
    x = r.random((a, b)) >= share
    assert runs("assert_true", [x], np.empty((), bool), shares, r, summarize=None) == bool(x.all())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@given(SIZE, SIZE, st.sampled_from(["float32", "float64", "float16", "bfloat16", "complex64"]), SEEDS, SHARES)
@settings(max_examples=60)
def test_finite_numbers(bad, a, b, dtype, seed, shares):
    r = np.random.default_rng(seed)
    x = np.nan_to_num(numbers(r, "float32", a, b)).clip(-9, 9).astype(numbers(r, dtype).dtype)
    if x.size and seed % 2:
        x.reshape(-1)[r.integers(0, x.size)] = bad
    out = np.empty_like(x)
    wanted = not (x.size and seed % 2)
    assert runs("check_numerics", [x], out, shares, r, message="") == wanted
    if wanted:
        assert out.tobytes() == x.tobytes()
