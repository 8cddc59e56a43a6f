"""Attention and its gradient on a simulated GPU are the CPU's, for sizes that fill no tile."""

import numpy as np
import pytest

from fastgrad.core.operation import TABLE
from fastgrad.cuda.kernels.choice import row_launches_on_device
from tests.cuda.simulation.lock_step import run_on_simulation

PLAIN = {"scale": 0.6, "causal": False, "masked": False, "rate": 0.0, "blank": False}
RANDOM = np.random.default_rng(0)


def check(name, inputs, attributes):
    wanted = TABLE[name].run(*inputs, **attributes)
    found = [np.full_like(y, np.nan) for y in wanted]
    launches = row_launches_on_device(TABLE[name], inputs, found, attributes)
    assert run_on_simulation(launches, inputs, found) is None
    for got, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)
    return wanted


def mask(batch, heads, queries, keys):
    seen = RANDOM.random((batch, heads, queries, keys)) > 0.4
    seen[:, :, queries // 2] = False  # a query that sees nothing
    return seen


WORDS = np.array([5, 0, 77])
# Batch, queries, keys, heads, heads of keys, depth, width; what is given beside, and attributes.
CASES = {
    "one": ((1, 1, 1, 1, 1, 1, 1), (), {}),
    "ragged": ((2, 5, 70, 2, 1, 3, 5), (), {}),
    "wide": ((1, 33, 34, 1, 1, 40, 100), (), {}),
    "deep": ((1, 3, 33, 1, 1, 70, 2), (), {}),
    "causal": ((1, 66, 70, 1, 1, 4, 3), (), {"causal": True}),
    "causal, fewer keys": ((1, 66, 33, 2, 1, 4, 3), (), {"causal": True}),
    "padding": ((2, 5, 37, 2, 2, 3, 4), (mask(2, 1, 1, 37),), {"masked": True}),
    "mask": ((1, 35, 37, 2, 1, 3, 4), (mask(1, 2, 35, 37),), {"masked": True, "causal": True}),
    "blank": ((1, 35, 37, 1, 1, 3, 4), (mask(1, 1, 35, 37),), {"masked": True, "blank": True}),
    "dropped": ((1, 35, 43, 2, 1, 3, 4), (WORDS,), {"rate": 0.3}),
}


@pytest.mark.parametrize(("case", "dtype"), [*((case, "float32") for case in CASES), ("wide", "float64")])
def test_attention_and_its_gradient(case, dtype):
    (batch, queries, keys, heads, groups, depth, width), more, given = CASES[case]
    attributes = {**PLAIN, **given}
    shapes = (batch, queries, heads, depth), (batch, keys, groups, depth), (batch, keys, groups, width)
    inputs = [*[RANDOM.normal(size=shape).astype(dtype) for shape in shapes], *more]
    y, peaks, shares = check("attention", inputs, attributes)
    g = RANDOM.normal(size=y.shape).astype(dtype)
    check("attention_gradient", [g, y, peaks, shares, *inputs], attributes)


def test_a_nan_stays_with_those_who_see_it():
    q, k, v = (RANDOM.normal(size=(1, 40, 1, 3)).astype(np.float32) for _ in range(3))
    k[0, 35] = np.nan
    found = [np.empty((1, 40, 1, 3), np.float32), *(np.empty((1, 1, 40), np.float32) for _ in range(2))]
    attributes = {**PLAIN, "causal": True}
    run_on_simulation(row_launches_on_device(TABLE["attention"], [q, k, v], found, attributes), [q, k, v], found)
    assert np.isnan(found[0][0, 35:]).all()
    assert not np.isnan(found[0][0, :35]).any()
