"""Segment reductions against loops, for many shapes, dtypes and orders of ids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf

REDUCTIONS = {
    "sum": lambda rows: rows.sum(0),
    "prod": lambda rows: rows.prod(0),
    "max": lambda rows: rows.max(0),
    "min": lambda rows: rows.min(0),
    "mean": lambda rows: rows.mean(0),
    "sqrt_n": lambda rows: rows.sum(0) / np.sqrt(len(rows)),
}
SORTED = {"sum": 0, "prod": 1, "max": 0, "min": 0, "mean": 0}
"""What an id without rows gives."""


def by_loop(kind, x, ids, count, empty):
    inner = x.shape[np.ndim(ids) :]
    flat_ids, rows = np.reshape(ids, -1), np.reshape(x, (np.size(ids), *inner))
    out = np.full((count, *inner), empty, x.dtype)
    for number in set(flat_ids.tolist()):
        if 0 <= number < count:
            out[number] = REDUCTIONS[kind](rows[flat_ids == number])
    return out


@pytest.mark.parametrize("kind", REDUCTIONS)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=2), st.lists(st.integers(0, 3), max_size=2), st.integers(1, 4), st.data())
def test_unsorted_segments(kind, outer, inner, count, data):
    size = int(np.prod(outer))
    ids = np.array(data.draw(st.lists(st.integers(-2, count - 1), min_size=size, max_size=size)), np.int32).reshape(
        outer
    )
    x = np.random.default_rng(0).uniform(0.5, 2, (*outer, *inner))
    empty = {"prod": 1, "max": np.finfo(float).min, "min": np.finfo(float).max}.get(kind, 0)
    ours = getattr(tf.math, f"unsorted_segment_{kind}")(x, ids, count)
    np.testing.assert_allclose(ours, by_loop(kind, x, ids, count, empty), rtol=1e-12)


@pytest.mark.parametrize("kind", SORTED)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=6).map(sorted), st.lists(st.integers(0, 3), max_size=2))
def test_sorted_segments(kind, ids, inner):
    x = np.random.default_rng(0).uniform(0.5, 2, (len(ids), *inner))
    count = ids[-1] + 1 if ids else 0
    ours = getattr(tf.math, f"segment_{kind}")(x, tf.constant(ids, tf.int64))
    np.testing.assert_allclose(ours, by_loop(kind, x, np.array(ids, int), count, SORTED[kind]), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int8", "int64", "uint16", "complex64"])
def test_every_dtype(dtype):
    x = tf.cast([1, 2, 3], dtype)
    for function, expected in [(tf.math.segment_sum, [3, 3]), (tf.math.segment_prod, [2, 3])]:
        y = function(x, [0, 0, 1])
        assert y.dtype == dtype
        assert y.numpy().astype(complex).tolist() == expected
    if dtype != "complex64":
        assert tf.math.segment_max(x, [0, 0, 1]).numpy().astype(float).tolist() == [2, 3]
        lowest = tf.math.unsorted_segment_max(x, [0, 0, 0], 2)
        assert lowest.dtype == dtype
        assert lowest[1].numpy() == tf.as_dtype(dtype).min


def test_means_of_integers():
    assert tf.math.segment_mean([-1, -2, -4], [0, 0, 0]).numpy().tolist() == [-2]
    mean = tf.math.unsorted_segment_mean([1, 2, 4], [0, 0, 0], 1)
    assert mean.dtype == tf.float64
    np.testing.assert_allclose(mean, [7 / 3])


def test_half_precision_is_summed_in_single():
    x = tf.constant(np.full(4096, 1.0), tf.bfloat16)
    assert float(tf.math.segment_sum(x, np.zeros(4096, int))[0]) == 4096


def test_nan_is_kept():
    x = tf.constant([1.0, float("nan"), 2.0])
    for name in ("max", "min", "sum", "prod"):
        assert np.isnan(getattr(tf.math, f"segment_{name}")(x, [0, 0, 0]).numpy()).all()


def test_bad_ids_are_refused():
    x = tf.zeros([2, 3])
    for ids, count, message in [
        ([0, 5], 3, r"segment_ids\[1\] = 5 is out of range \[0, 3\)"),
        ([0], 3, "does not start with"),
        ([[0, 1], [0, 0]], 3, "does not start with"),
        ([0.0, 1.0], 3, "float32"),
        ([0, 1], -3, "negative"),
    ]:
        for kind in REDUCTIONS:
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                getattr(tf.math, f"unsorted_segment_{kind}")(x, ids, count)
    for ids, message in [
        ([1, 0], "not increasing"),
        ([-1, 0], "negative"),
        ([0], "as many segment_ids"),
        ([[0, 0]], "vector"),
        (0, "vector"),
        ([0.0, 0.0], "float32"),
    ]:
        for kind in SORTED:
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                getattr(tf.math, f"segment_{kind}")(x, ids)
    for function in (tf.math.segment_sum, tf.math.segment_prod):
        with pytest.raises(tf.errors.InvalidArgumentError, match="bool"):
            function([True], [0])
    for function in (tf.math.segment_max, tf.math.segment_min):
        with pytest.raises(tf.errors.InvalidArgumentError, match="complex"):
            function(tf.constant([1j]), [0])
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.math.unsorted_segment_sqrt_n([1, 2], [0, 0], 1)


def test_the_gradient_of_a_complex_product_is_conjugate():
    x = tf.constant([1 + 2j, 3 - 1j, 2j])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.math.segment_prod(x, [0, 0, 0])
    whole = np.prod(x.numpy())
    np.testing.assert_allclose(tape.gradient(y, x), np.conj(whole / x.numpy()))


@pytest.mark.parametrize(
    ("x", "v", "expected"),
    [
        ([0.0, 0.0], [2.0, 3.0], [3.0, 2.0]),
        ([0.0, 0.0, 4.0], [2.0, 3.0, 1.0], [12.0, 8.0, 0.0]),
        ([0.0, 0.0, 0.0], [2.0, 3.0, 1.0], [0.0, 0.0, 0.0]),
        ([0.0, 5.0, 4.0], [2.0, 3.0, 1.0], [17.0, 8.0, 10.0]),
    ],
)
@pytest.mark.parametrize("function", ["segment_prod", "unsorted_segment_prod"])
def test_second_derivatives_of_products_with_zeros_are_those_of_the_polynomial(function, x, v, expected):
    x, v = tf.constant(x, tf.float64), tf.constant(v, tf.float64)
    ids = np.zeros(len(x), np.int32)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.math.segment_prod(x, ids) if function == "segment_prod" else tf.math.unsorted_segment_prod(x, ids, 1)
        directional = tf.reduce_sum(inner.gradient(y, x) * v)
    np.testing.assert_allclose(outer.gradient(directional, x).numpy(), expected)


@pytest.mark.parametrize("dtype", ["int32", "int64", "int16"])
@pytest.mark.parametrize("count", [7, 3000, 100_000])
def test_many_unsorted_ids_have_the_bits_of_sorted_ones(count, dtype):
    rng = np.random.default_rng(0)
    ids = rng.integers(-2, min(count, 30_000), 5000).astype(dtype)
    order = np.argsort(ids, kind="stable")
    for x in (rng.normal(size=5000).astype(np.float32), rng.integers(-9, 9, (5000, 2))):
        for reduce in (tf.math.unsorted_segment_sum, tf.math.unsorted_segment_prod, tf.math.unsorted_segment_max):
            got, wanted = reduce(x, ids, count), reduce(x[order], ids[order], count)
            assert got.numpy().tobytes() == wanted.numpy().tobytes()
        positions, rows = ids[ids >= 0, None].astype(np.int32), x[ids >= 0]
        added = tf.scatter_nd(positions, rows, [count, *x.shape[1:]])
        assert added.numpy().tobytes() == tf.math.unsorted_segment_sum(x, ids, count).numpy().tobytes()
