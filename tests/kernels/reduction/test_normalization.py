from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgrad._src.jit.build import in_place_variant
from fastgrad._src.kernels.reduction import normalization

BOTH = [np.dtype("float32"), np.dtype("float64")]
# Rows and columns around those of blocks and vectors.
ROWS = st.one_of(st.integers(0, 40), st.sampled_from([64, 70]))
COLUMNS = st.one_of(st.integers(1, 70), st.sampled_from([255, 256, 257, 1000, 5000]))


@given(ROWS, COLUMNS, st.sampled_from(BOTH), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_layer_norm_both_ways(rows, columns, dtype, seed):
    shape, r = (rows, columns), np.random.default_rng(seed)
    x, g = ((r.normal(size=shape) * s + o).astype(dtype) for s, o in ((3, 1), (1, 0)))
    gamma, beta = (r.normal(size=columns).astype(dtype) for _ in range(2))
    y, mean, inverse = np.empty_like(x), np.empty(rows, dtype), np.empty(rows, dtype)
    normalization.layer_norm[dtype](x, gamma, beta, y, mean, inverse, columns, 1e-3, 0, rows)

    wide = x.astype(np.float64)
    centre, scale = wide.mean(1), 1 / np.sqrt(wide.var(1) + 1e-3)
    h = (wide - centre[:, None]) * scale[:, None]
    tolerance = {"rtol": 0, "atol": 200 * float(np.finfo(dtype).eps)}
    np.testing.assert_allclose(y, h * gamma + beta, **tolerance)
    np.testing.assert_allclose(mean, centre, **tolerance)
    np.testing.assert_allclose(inverse, scale, rtol=tolerance["atol"])

    dx, dgamma, dbeta = np.empty_like(x), np.empty(columns, dtype), np.empty(columns, dtype)
    normalization.layer_norm_gradient[dtype](g, x, gamma, mean, inverse, dx, columns, 0, rows)
    tiles = -(-columns // normalization.LANES)
    normalization.layer_norm_parameters_gradient[dtype](g, x, mean, inverse, dgamma, dbeta, rows, columns, 0, tiles)
    u = g.astype(np.float64) * gamma
    exact = scale[:, None] * (u - u.mean(1, keepdims=True) - h * (u * h).mean(1, keepdims=True))
    np.testing.assert_allclose(dx, exact, rtol=0, atol=tolerance["atol"] * max(1, np.abs(exact).max(initial=0)))
    np.testing.assert_allclose(dgamma, (g * h).sum(0), **tolerance)
    np.testing.assert_allclose(dbeta, g.astype(np.float64).sum(0), **tolerance)

    blocks = -(-rows // normalization.SUM_BLOCK_ROWS)
    sums, by_rows = np.empty((blocks, 2, columns), dtype), np.empty((2, columns), dtype)
    for first, last in ((blocks // 2, blocks), (0, blocks // 2)):
        normalization.layer_norm_parameter_sums[dtype](g, x, mean, inverse, sums, rows, columns, first, last)
    for first, last in ((0, columns // 2), (columns // 2, columns)):
        normalization.add_parameter_sums[dtype](sums, by_rows[0], by_rows[1], blocks, columns, first, last)
    np.testing.assert_array_equal(by_rows, [dgamma, dbeta])


def test_a_constant_row_is_normalised_to_beta():
    x, y = np.full((2, 4), 3.0), np.empty((2, 4))
    mean, inverse = np.empty(2), np.empty(2)
    normalization.layer_norm[x.dtype](x, np.ones(4), np.arange(4.0), y, mean, inverse, 4, 1e-3, 0, 2)
    np.testing.assert_array_equal(y, [np.arange(4.0)] * 2)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", [(40, 33), (37, 700)])
def test_rows_have_the_same_bits_in_any_share_and_in_place(shape, dtype):
    rows, columns = shape
    r = np.random.default_rng(1)
    x, g = r.normal(size=shape).astype(dtype), r.normal(size=shape).astype(dtype)
    gamma, beta = r.normal(size=columns).astype(dtype), r.normal(size=columns).astype(dtype)
    found = []
    forwards = in_place_variant(normalization.layer_norm[dtype], ((3, 0),))
    backwards = in_place_variant(normalization.layer_norm_gradient[dtype], ((5, 0),))
    for cuts in ([0, rows], [0, 1, 18, rows], [0, 16, 17, 33, rows]):
        y, mean, inverse = x.copy(), np.empty(rows, dtype), np.empty(rows, dtype)
        dx = g.copy()
        for first, last in pairwise(cuts):
            forwards(y, gamma, beta, y, mean, inverse, columns, 1e-3, first, last)
            backwards(dx, x, gamma, mean, inverse, dx, columns, first, last)
        found.append((y.tobytes(), dx.tobytes()))
    assert len(set(found)) == 1
    again = np.empty_like(x)
    normalization.layer_norm[dtype](x, gamma, beta, again, mean, inverse, columns, 1e-3, 0, rows)
    assert again.tobytes() == found[0][0]
