"""Reductions of any axes, running sums and moments of columns against NumPy in float64: ragged and empty shapes, shares."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgrad._src.kernels.reduction import general, scanning
from fastgrad._src.kernels.reduction.batch_moments import batch_moments_launches
from fastgrad._src.kernels.runtime.launch import run_launches

FLOATS = st.sampled_from(["float32", "float64"])
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.one_of(st.integers(0, 5), st.sampled_from([16, 17, 31, 64, 129, 300]))


@st.composite
def reduced(draw):
    """A shape of up to 40,000 elements, and some of its axes."""
    shape = draw(st.lists(SIZES, min_size=1, max_size=4).filter(lambda sizes: math.prod(sizes) <= 40000))
    axes = draw(st.lists(st.sampled_from(range(len(shape))), min_size=1, unique=True))
    return tuple(shape), tuple(sorted(axes))


def numbers(shape, dtype, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype) * 3


def run(launches, inputs, *outputs):
    """Whether there are kernels, having run them in one share and in three, and compared."""
    if launches is None:
        return False
    assert run_launches(launches, inputs, outputs, 1) is None
    once = [out.copy() for out in outputs]
    assert run_launches(launches, inputs, outputs, 3) is None
    for first, again in zip(once, outputs, strict=True):
        np.testing.assert_array_equal(first, again, "bits depend on shares")
    return True


def _norm(x, axis):
    return np.sqrt((x * x).sum(axis))


def _logsumexp(x, axis):
    return np.log(np.exp(x).sum(axis))


# For each reduction its launches, what it is, and what its rounding grows with: the numbers, their sum, or the result.
REDUCTIONS = {
    "sum": (general.sum_launches, np.sum, np.sum),
    "mean": (general.mean_launches, np.mean, np.mean),
    "max": (general.max_launches, lambda x, axis: np.max(x, axis, initial=-np.inf), None),
    "min": (general.min_launches, lambda x, axis: np.min(x, axis, initial=np.inf), None),
    "count_nonzero": (general.count_nonzero_launches, np.count_nonzero, None),
    "logsumexp": (general.logsumexp_launches, _logsumexp, lambda x, axis: 1 + np.max(x, axis, initial=0)),
    "norm": (general.norm_launches, _norm, None),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@given(reduced(), FLOATS, SEEDS)
@settings(max_examples=30, deadline=None)
def test_reductions_of_any_axes(name, shape_and_axes, dtype, seed):
    (shape, axes), (launches, exact, size) = shape_and_axes, REDUCTIONS[name]
    x = numbers(shape, dtype, seed)
    x.reshape(-1)[::7] = 0
    count = math.prod([shape[axis] for axis in axes])
    if not count and name in ("mean", "logsumexp"):
        return  # of nothing: a warning in NumPy
    wide = x.astype(np.float64)
    wanted = np.asarray(exact(wide, axis=axes))
    out = np.full(wanted.shape, 7, "int64" if name == "count_nonzero" else dtype)
    planned = launches([x], [out], axes=axes)
    if planned is None:
        assert not count, "only reductions of nothing have no kernel"
        return
    assert run(planned, [x], out)
    tolerance = 4 * float(np.finfo(dtype).eps)
    scale = np.abs(wanted) if size is None else size(np.abs(wide), axis=axes)
    with np.errstate(invalid="ignore"):
        far = np.abs(out - wanted) > tolerance * scale
    assert not far.any(), (out[far], wanted[far])


@given(reduced(), FLOATS, SEEDS)
@settings(max_examples=30, deadline=None)
def test_products_of_any_axes(shape_and_axes, dtype, seed):
    shape, axes = shape_and_axes
    x = np.random.default_rng(seed).choice([-1.0, 1.0, 0.5, 2.0], shape).astype(dtype)  # their products are exact
    wanted = np.prod(x.astype(np.float64), axis=axes)
    if np.abs(np.log2(np.abs(wanted))).max(initial=0) > 100:
        return
    out = np.full(wanted.shape, 7, dtype)
    assert run(general.prod_launches([x], [out], axes=axes), [x], out)
    if math.prod([shape[axis] for axis in axes]) <= 100:  # in between it is as small
        np.testing.assert_array_equal(out, wanted)


@given(
    st.tuples(st.integers(0, 4), SIZES, st.integers(0, 20)),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
    FLOATS,
    SEEDS,
)
@settings(max_examples=80, deadline=None)
def test_running_sums(shape, axis, exclusive, reverse, dtype, seed):
    x = numbers(shape, dtype, seed)
    wide = np.moveaxis(x.astype(np.float64), axis, 0)
    wide = wide[::-1] if reverse else wide
    sums = np.cumsum(wide, 0)
    if exclusive:
        sums = np.concatenate([np.zeros_like(sums[:1]), sums[:-1]])
    wanted = np.moveaxis(sums[::-1] if reverse else sums, 0, axis)
    out = np.full_like(x, 7)
    assert run(scanning.cumsum_launches([x], [out], axis=axis, exclusive=exclusive, reverse=reverse), [x], out)
    bound = np.finfo(dtype).eps * max(1, shape[axis]) * np.abs(x.astype(np.float64)).max(initial=0)
    np.testing.assert_allclose(out, wanted, rtol=0, atol=bound * max(1, shape[axis]) ** 0.5)


# Rows around those of a block, and of a part; columns in whole vectors and not; numbers far from zero.
@given(
    st.one_of(st.integers(1, 130), st.sampled_from([511, 1024, 1537, 5000])),
    st.integers(0, 40),
    st.sampled_from([0.0, 1000.0]),
    FLOATS,
    SEEDS,
)
@settings(max_examples=80, deadline=None)
def test_moments_of_columns(rows, columns, centre, dtype, seed):
    x = (np.random.default_rng(seed).normal(size=(rows, columns)) + centre).astype(dtype)
    mean, variance = np.full(columns, 7, dtype), np.full(columns, 7, dtype)
    assert run(batch_moments_launches([x], [mean, variance]), [x], mean, variance)
    wide = x.astype(np.longdouble)
    tolerance = 4 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(mean, wide.mean(0), rtol=tolerance, atol=tolerance)
    # Means of blocks are float64, of which the differences are taken.
    np.testing.assert_allclose(variance, wide.var(0), rtol=2 * tolerance + 1e-15 * centre, atol=tolerance**2)
