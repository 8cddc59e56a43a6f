import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgrad._src.kernels.reduction import softmax

BOTH = [np.dtype("float32"), np.dtype("float64")]
INDICES = [np.dtype("int32"), np.dtype("int64")]
SHAPES = [(32, 10), (5, 1), (3, 255), (4, 257), (2, 1000), (33, 100), (17, 16), (2, 5000), (0, 3)]
ANY_SHAPE = st.tuples(st.integers(0, 40), st.one_of(st.integers(1, 70), st.sampled_from([255, 256, 257, 1000, 5000])))


def _tolerance(dtype):
    return 30 * float(np.finfo(dtype).eps)


def _logits(shape, dtype, seed=0):
    x = (np.random.default_rng(seed).normal(size=shape) * 5).astype(dtype)
    wide = x.astype(np.float64)
    shifted = wide - wide.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return x, logs


def _close(got, exact, dtype):
    np.testing.assert_allclose(got, exact, rtol=_tolerance(dtype), atol=_tolerance(dtype))


@given(ANY_SHAPE, st.sampled_from(BOTH))
@settings(max_examples=30, deadline=None)
def test_softmax_and_log_softmax(shape, dtype):
    x, logs = _logits(shape, dtype)
    out = np.empty_like(x)
    softmax.softmax[dtype](x, out, shape[1], 0, shape[0])
    _close(out, np.exp(logs), dtype)
    softmax.log_softmax[dtype](x, out, shape[1], 0, shape[0])
    _close(out, logs, dtype)


@given(ANY_SHAPE, st.sampled_from(BOTH))
@settings(max_examples=30, deadline=None)
def test_their_gradients(shape, dtype):
    _, logs = _logits(shape, dtype)
    g, p = np.random.default_rng(1).normal(size=shape).astype(dtype), np.exp(logs)
    out = np.empty(shape, dtype)
    softmax.softmax_gradient[dtype](g, p.astype(dtype), out, shape[1], 0, shape[0])
    _close(out, p * (g - (g * p).sum(1, keepdims=True)), dtype)
    softmax.log_softmax_gradient[dtype](g, logs.astype(dtype), out, shape[1], 0, shape[0])
    _close(out, g - p * g.astype(np.float64).sum(1, keepdims=True), dtype)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("index", INDICES)
def test_sparse_cross_entropy(dtype, index):
    for rows, columns in SHAPES:
        x, logs = _logits((rows, columns), dtype)
        labels = np.random.default_rng(2).integers(0, columns, rows).astype(index)
        loss, probabilities = np.empty(rows, dtype), np.empty_like(x)
        at = np.arange(rows)
        assert softmax.sparse_cross_entropy[dtype, index](x, labels, loss, probabilities, columns, 0, rows) == -1
        _close(loss, -logs[at, labels], dtype)
        _close(probabilities, np.exp(logs), dtype)
        g, out = np.linspace(-1, 2, rows).astype(dtype), np.empty_like(x)
        softmax.sparse_cross_entropy_gradient[dtype, index](g, probabilities, labels, out, columns, 0, rows)
        exact = np.exp(logs)
        exact[at, labels] -= 1
        _close(out, exact * g[:, None], dtype)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("bad", [-1, 4, "lowest", "highest"])
def test_a_label_out_of_range_is_reported_and_nothing_is_written(index, bad):
    bad = {"lowest": np.iinfo(index).min, "highest": np.iinfo(index).max}.get(bad, bad)
    x, labels = np.zeros((3, 4)), np.array([0, bad, bad], index)
    loss, probabilities = np.full(3, 7.0), np.full((3, 4), 7.0)
    assert softmax.sparse_cross_entropy[x.dtype, index](x, labels, loss, probabilities, 4, 0, 3) == 1
    assert (loss == 7).all()
    assert (probabilities == 7).all()
    out = np.zeros((3, 4))
    softmax.sparse_cross_entropy_gradient[x.dtype, index](np.ones(3), probabilities, labels, out, 4, 0, 3)
    np.testing.assert_array_equal(out[1:], 7)


@pytest.mark.parametrize("dtype", BOTH)
def test_cross_entropy_with_distributions(dtype):
    for rows, columns in SHAPES:
        x, logs = _logits((rows, columns), dtype)
        labels = np.random.default_rng(3).random((rows, columns)).astype(dtype)
        labels /= labels.sum(1, keepdims=True)
        loss, probabilities = np.empty(rows, dtype), np.empty_like(x)
        softmax.cross_entropy[dtype](x, labels, loss, probabilities, columns, 0, rows)
        _close(loss, -(labels * logs).sum(1), dtype)
        g, out = np.linspace(-1, 2, rows).astype(dtype), np.empty_like(x)
        softmax.cross_entropy_gradient[dtype](g, probabilities, labels, out, columns, 0, rows)
        _close(out, g[:, None] * (np.exp(logs) - labels), dtype)


@pytest.mark.parametrize("dtype", BOTH)
def test_large_logits_do_not_overflow_and_nan_fills_its_row(dtype):
    x = np.array([[1e30, 0, -1e30], [np.nan, 0, 1], [0, 1, np.nan], [-np.inf, 0, 0], [np.inf, 0, 0]], dtype)
    out = np.empty_like(x)
    softmax.softmax[dtype](x, out, 3, 0, 5)
    nan = np.nan
    np.testing.assert_array_equal(out, [[1, 0, 0], [nan] * 3, [nan] * 3, [0, 0.5, 0.5], [nan] * 3])
