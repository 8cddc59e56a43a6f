from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad._src.core.operation import TABLE
from fastgrad._src.ops.clipping import clip_by_average_norm

nan, inf = float("nan"), float("inf")
ROWS = tf.IndexedSlices(tf.constant([[3.0, 4.0]]), tf.constant([1]), tf.constant([2, 2]))


@given(st.lists(st.floats(-9, 9), min_size=1), st.floats(-5, 5), st.floats(-5, 5))
def test_clip_by_value_is_numpys(values, low, high):
    got = tf.clip_by_value(tf.constant(values, tf.float64), low, high).numpy()
    np.testing.assert_array_equal(got, np.maximum(np.minimum(values, high), low))


def test_clip_by_value_of_nan_integers_and_rows():
    got = tf.clip_by_value([nan, inf, -inf], 0.0, 1.0).numpy()
    np.testing.assert_array_equal(got, np.float32([nan, 1, 0]))
    assert tf.clip_by_value([1, 5], 2, 3).numpy().tolist() == [2, 3]
    assert tf.clip_by_value(ROWS, 0.0, 3.5).values.numpy().tolist() == [[3, 3.5]]


def test_gradients_of_clip_by_value_are_those_of_minimum_and_maximum():
    awkward = [nan, inf, -inf, 0.0, -1.0, 1.0, 2.0]
    t, low, high = [tf.constant(x.reshape(-1)) for x in np.meshgrid(awkward, awkward, awkward)]
    gradients = []
    for clip in (tf.clip_by_value, lambda t, low, high: tf.maximum(tf.minimum(t, high), low)):
        with tf.GradientTape() as tape:
            tape.watch([t, low, high])
            y = clip(t, low, high) * 3.0
        gradients.append([g.numpy() for g in tape.gradient(y, [t, low, high])])
    np.testing.assert_array_equal(*gradients)


def test_clip_by_value_refuses_bounds_that_do_not_fit():
    with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
        tf.clip_by_value([1.0, 2.0], [1.0, 2.0, 3.0], 4.0)
    with pytest.raises(ValueError, match="larger shapes"):
        tf.clip_by_value([[1.0], [2.0]], 0.0, [1.0, 2.0])
    with pytest.raises(TypeError, match=r"1\.5"):
        tf.clip_by_value([1, 2], 1, 1.5)


@pytest.mark.parametrize("axes", [None, 0, 1, [0, 1]])
@settings(max_examples=20)
@given(limit=st.floats(0.1, 8), seed=st.integers(0, 50))
def test_clip_by_norm(axes, limit, seed):
    x = np.random.default_rng(seed).normal(size=(2, 3))
    norm = np.sqrt(np.sum(x * x, tuple(np.atleast_1d(axes)) if axes is not None else None, keepdims=True))
    got = tf.clip_by_norm(tf.constant(x), limit, axes).numpy()
    np.testing.assert_allclose(got, x * np.minimum(1, limit / norm))


def test_clip_by_norm_leaves_short_tensors_to_the_bit():
    x = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    np.testing.assert_array_equal(tf.clip_by_norm(x, 1e6).numpy(), x)


def test_clip_by_norm_of_awkward_limits():
    assert tf.clip_by_norm([3.0, 4.0], -1.0).numpy().tolist() == [0, 0]
    np.testing.assert_array_equal(tf.clip_by_norm([inf, 1.0], 1.0).numpy(), np.float32([nan, 0]))
    np.testing.assert_allclose(tf.clip_by_norm([3.0, 4.0], 1).numpy(), [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(tf.clip_by_norm(ROWS, 1.0).values.numpy(), [[0.6, 0.8]], rtol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="int32"):
        tf.clip_by_norm([1, 2], 1.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="broadcast"):
        tf.clip_by_norm([1.0, 2.0], [1.0, 2.0, 3.0])


def test_clip_by_average_norm():
    np.testing.assert_allclose(clip_by_average_norm([3.0, 4.0], 1.0).numpy(), [1.2, 1.6], rtol=1e-6)


def test_global_norm_counts_everything_but_none():
    assert tf.linalg.global_norm([[3.0], None, [[4.0]]]).numpy() == 5
    assert tf.linalg.global_norm([None]).numpy() == 0
    assert tf.linalg.global_norm([]).numpy() == 0
    assert tf.linalg.global_norm([ROWS, [12.0]]).numpy() == 13


def test_clip_by_global_norm():
    (x, none, rows), norm = tf.clip_by_global_norm([[12.0], None, ROWS], 6.5)
    assert norm.numpy() == 13
    assert x.numpy().tolist() == [6]
    assert none is None
    assert rows.values.numpy().tolist() == [[1.5, 2]]
    (same,), _ = tf.clip_by_global_norm([[3.0, 4.0]], 10.0)
    assert same.numpy().tolist() == [3, 4]
    (half,), _ = tf.clip_by_global_norm([[3.0, 4.0]], 5.0, use_norm=10.0)
    assert half.numpy().tolist() == [1.5, 2]


def test_clip_by_global_norm_of_infinity_is_nan():
    clipped, norm = tf.clip_by_global_norm([[inf], [1.0]], 1.0)
    assert norm.numpy() == inf
    assert all(np.isnan(x.numpy()).all() for x in clipped)


def test_global_norm_refuses_what_is_no_list_of_floats():
    for function in (tf.linalg.global_norm, lambda t: tf.clip_by_global_norm(t, 1.0)):
        with pytest.raises(TypeError, match="sequence"):
            function(tf.ones(2))
        for text in ("text", b"text"):
            with pytest.raises(
                TypeError, match=r"`t_list` must be a sequence of tensors, such as \[x, y\], got b?'text'"
            ):
                function(text)
        with pytest.raises(tf.errors.InvalidArgumentError, match="int32"):
            function([[1]])
        with pytest.raises(tf.errors.InvalidArgumentError, match="float64"):
            function([tf.ones(2), tf.ones(2, tf.float64)])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_global_norm_is_that_of_numpy_eager_and_compiled(dtype):
    r = np.random.default_rng(0)
    arrays = [r.normal(size=shape).astype(dtype) for shape in [(300, 7), (), (0, 3), (5000,)]]
    arrays[0] = arrays[0].T
    wanted = np.sqrt(sum(np.sum(np.square(x.astype(np.float64))) for x in arrays))
    rtol = {"float32": 1e-6, "float64": 1e-14, "float16": 2e-3}[dtype]
    for function in (tf.linalg.global_norm, tf.function(lambda *t: tf.linalg.global_norm(t))):
        given = [tf.constant(x) for x in arrays]
        found = function(given) if function is tf.linalg.global_norm else function(*given)
        assert found.dtype == dtype
        np.testing.assert_allclose(found.numpy(), wanted, rtol=rtol)


def test_global_norm_overflows_in_the_dtype_of_the_tensors_and_is_nan_of_nan():
    for value, wanted in ((1e20, np.inf), (np.nan, np.nan)):
        (x, y), norm = tf.clip_by_global_norm([tf.constant([value, 1.0]), tf.zeros(2)], 1.0)
        np.testing.assert_array_equal(norm.numpy(), np.float32(wanted))
        assert np.isnan(x.numpy()).all()
        assert np.isnan(y.numpy()).all()
    (x,), norm = tf.clip_by_global_norm([tf.zeros(3)], 1.0)
    assert norm.numpy() == 0
    assert x.numpy().tolist() == [0, 0, 0]


def test_the_norm_of_gradients_makes_no_array_as_large_as_they_are(monkeypatch):
    sizes = []
    for name in ("square", "sum_of_squares"):
        row = TABLE[name]
        run = row.run
        monkeypatch.setattr(row, "run", lambda *x, run=run: sizes.append(np.size(run(*x))) or run(*x))
    tf.linalg.global_norm([tf.ones((100, 10)), tf.ones(7)])
    assert sizes == [1, 1]


def test_a_compiled_clip_by_norm_takes_a_limit_that_becomes_negative_for_zero():
    clipped = tf.function(tf.clip_by_norm)
    x = tf.constant([3.0, 4.0])
    got = [clipped(x, tf.constant(limit)).numpy().tolist() for limit in (5.0, 2.5, -1.0)]
    np.testing.assert_allclose(got, [[3.0, 4.0], [1.5, 2.0], [0.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("bound", [tf.ones(2), 0.5, tf.constant(1.5)])
def test_clip_by_value_names_itself_in_errors(bound):
    with pytest.raises(
        (tf.errors.InvalidArgumentError, TypeError), match="^clip_by_value: a bound does not go with t, int32"
    ):
        tf.clip_by_value(tf.ones(3, tf.int32), bound, 5)


def test_clip_by_norm_refuses_a_norm_of_more_dimensions_or_elements():
    with pytest.raises(ValueError, match="must broadcast"):
        tf.clip_by_norm(tf.ones([2, 3, 1]), [4.0, 4.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must broadcast"):
        tf.clip_by_norm(tf.ones([2, 3]), [4.0, 4.0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_clip_by_norm_of_half_width_floats_is_rounded_once(dtype):
    x = tf.cast(np.random.default_rng(0).normal(size=500), dtype)
    limit = tf.cast(0.3, dtype)
    clip = tf.function(lambda x: tf.clip_by_norm(x, limit))
    for _ in range(3):
        compiled = clip(x)
    wide = tf.cast(x, tf.float64).numpy()
    wanted = tf.cast(wide * float(limit) / np.sqrt((wide * wide).sum()), dtype)
    for y in (tf.clip_by_norm(x, limit), compiled):
        np.testing.assert_array_equal(tf.cast(y, tf.float64), tf.cast(wanted, tf.float64))


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function])
def test_squares_of_float16_do_not_overflow(wrap):
    x = tf.constant([3e4, -4e4], tf.float16)
    (clipped,), norm = wrap(lambda x: tf.clip_by_global_norm([x], 1.0))(x)
    np.testing.assert_allclose(clipped, [0.6, -0.8], rtol=1e-3)
    assert (norm.dtype, float(norm)) == (tf.float16, 49984.0)
    assert float(wrap(lambda x: tf.linalg.global_norm([x, None]))(x)) == 49984.0
    np.testing.assert_allclose(wrap(tf.nn.l2_normalize)(x), [0.6, -0.8], rtol=1e-3)
    assert wrap(tf.nn.l2_normalize)(tf.zeros([2], tf.float16)).numpy().tolist() == [0, 0]
    assert float(wrap(tf.math.reduce_std)(x)) == 35008.0
    assert float(wrap(tf.nn.l2_loss)(tf.constant([300.0], tf.float16))) == 44992.0
    slices = tf.IndexedSlices(x, tf.constant([0, 2]), tf.constant([3]))
    np.testing.assert_allclose(tf.clip_by_global_norm([slices, None], 1.0)[0][0].values, [0.6, -0.8], rtol=1e-3)
