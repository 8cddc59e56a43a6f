from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad import config
from fastgrad._src.kernels.runtime import eager_launch
from tests.gradients import gradient_of

nan, inf = float("nan"), float("inf")
REDUCTIONS = [
    *("reduce_sum", "reduce_mean", "reduce_prod", "reduce_max", "reduce_min", "reduce_logsumexp"),
    *("reduce_euclidean_norm", "reduce_variance", "reduce_std"),
]


@pytest.mark.parametrize(
    "axis", [1, -1, [1], (1,), np.int64(1), np.array([1]), tf.constant(1), tf.constant([1], tf.int64)]
)
def test_every_way_to_name_an_axis(axis):
    assert tf.reduce_sum([[1.0, 2.0], [3.0, 4.0]], axis=axis).numpy().tolist() == [3, 7]


def test_no_axes_reduce_nothing():
    x = tf.constant([1.0, 2.0])
    assert tf.reduce_sum(x, axis=[]).numpy().tolist() == [1, 2]
    for function in (tf.reduce_max, tf.reduce_sum, tf.reduce_prod):
        v = tf.Variable(tf.ones((3000,)))
        y = function(v, axis=[])
        v.assign(v * 5)
        assert (y.numpy() == 1).all()


@pytest.mark.parametrize("name", REDUCTIONS)
def test_wrong_axes_are_refused(name):
    function = getattr(tf.math, name)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Invalid reduction dimension \(2 for input with 1"):
        function([1.0, 2.0], axis=2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="duplicate dimension"):
        function([1.0, 2.0], axis=[0, -1])
    with pytest.raises(TypeError, match="integers"):
        function([1.0, 2.0], axis=0.5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="integers"):
        function([1.0, 2.0], axis="a")


def test_dtypes_that_have_no_such_reduction_are_refused():
    for name in ("reduce_sum", "reduce_mean", "reduce_prod", "reduce_max", "reduce_min"):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name}: got dtype bool"):
            getattr(tf, name)([True, False])
    for name in ("reduce_any", "reduce_all"):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name}: got dtype int32"):
            getattr(tf, name)(tf.constant([1]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="complex"):
        tf.reduce_max(tf.constant([1j]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="int32"):
        tf.reduce_logsumexp([1, 2])


def test_means_of_integers_are_rounded_towards_zero():
    assert tf.reduce_mean([1, 2]).numpy() == 1
    assert tf.reduce_mean([-1, -2]).numpy() == -1
    assert tf.reduce_mean(tf.constant([100, 100], tf.int8)).numpy() == 100
    assert tf.reduce_mean(tf.constant([2**31 - 1, 1])).numpy() == 2**30
    assert tf.reduce_mean(tf.zeros((0,), tf.int32)).numpy() == 0
    assert tf.reduce_mean([1, 2]).dtype is tf.int32


def test_sums_of_integers_keep_their_dtype_and_wrap_around():
    total = tf.reduce_sum(tf.constant([100, 100], tf.int8))
    assert total.dtype is tf.int8
    assert total.numpy() == -56


def test_reductions_of_nothing():
    empty = tf.zeros((0, 3))
    assert tf.reduce_sum(empty).numpy() == 0
    assert np.isnan(tf.reduce_mean(empty, 0).numpy()).all()
    assert tf.reduce_prod(empty).numpy() == 1
    assert tf.reduce_max(empty, 0).numpy().tolist() == [-inf] * 3
    assert tf.reduce_min(tf.zeros((0,), tf.int32)).numpy() == 2**31 - 1
    assert tf.reduce_logsumexp(empty).numpy() == -inf
    assert not tf.reduce_any(tf.zeros((0,), tf.bool)).numpy()
    assert tf.reduce_all(tf.zeros((0,), tf.bool)).numpy()


def test_any_and_all():
    x = tf.constant([[True, False], [True, True]])
    assert tf.reduce_any(x, 1).numpy().tolist() == [True, True]
    assert tf.reduce_all(x, 1, keepdims=True).numpy().tolist() == [[False], [True]]


def test_logsumexp_does_not_overflow():
    assert tf.reduce_logsumexp([1000.0, 1000.0]).numpy() == np.float32(1000 + np.log(2))
    assert tf.reduce_logsumexp([-inf, -inf]).numpy() == -inf
    assert tf.reduce_logsumexp([inf, 1.0]).numpy() == inf
    assert np.isnan(tf.reduce_logsumexp([nan, 1.0]).numpy())


def test_norms_of_integers_and_complex_numbers():
    assert tf.math.reduce_euclidean_norm([1, 2]).numpy() == 2
    assert tf.math.reduce_euclidean_norm(tf.constant([3.0 + 0j, 4j])).numpy() == 5


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_widths_are_summed_in_single_precision(dtype):
    x = tf.cast(tf.fill([3000], 1.0), dtype)
    assert tf.reduce_mean(x).numpy() == 1
    assert tf.cast(tf.reduce_sum(tf.reshape(x, [1500, 2]), 0), tf.float32).numpy() == pytest.approx(1500, rel=2.0**-8)
    assert tf.reduce_sum(x).dtype is dtype


@settings(max_examples=20)
@given(
    shape=st.sampled_from([(5000,), (4095, 2), (3, 4000), (1000, 7), (8, 300, 5), (40, 5, 60)]),
    axes=st.sampled_from([None, 0, -1, [0], [0, -1]]),
    transposed=st.booleans(),
    seed=st.integers(0, 20),
)
def test_long_sums_are_as_accurate_along_every_axis(shape, axes, transposed, seed):
    x = np.random.default_rng(seed).uniform(0.5, 1, shape).astype(np.float32)
    if axes == [0, -1] and len(shape) == 1:
        axes = [0]
    t = tf.constant(x)
    if transposed:
        t, x = tf.transpose(t), x.T
    expected = np.sum(x, None if axes is None else tuple(np.atleast_1d(axes)), np.float64)
    np.testing.assert_allclose(tf.reduce_sum(t, axes).numpy(), expected, rtol=8 * 6e-8)
    np.testing.assert_allclose(tf.reduce_mean(t, axes).numpy(), expected * (expected.size / x.size), rtol=8 * 6e-8)


LARGE = [
    ((10007,), None),
    ((1_000_003,), 0),  # cut into parts
    ((3, 200_001), 1),
    ((1001, 13), 1),  # rows of few elements
    ((300, 33), -1),
    ((33, 513), 1),
    ((5, 40_001), 1),
    ((9001, 7), 0),
    ((70_000, 10), 0),
    ((2, 300_001, 1), 1),
    ((4, 33, 7, 90), (1, 2)),
    ((4095, 300), 0),
    ((8, 300, 5), (0, 2)),  # NumPy's
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "axes"), LARGE)
@pytest.mark.parametrize("row", [tf.reduce_sum, tf.reduce_mean])
def test_large_sums_are_right_and_the_compiled_steps(dtype, shape, axes, row):
    x = np.random.default_rng(1).uniform(0.5, 1, shape).astype(dtype)
    expected = (np.sum if row is tf.reduce_sum else np.mean)(x, axes, np.longdouble).astype(np.float64)
    y = row(tf.constant(x), axes)
    np.testing.assert_allclose(y.numpy(), expected, rtol=5e-7 if dtype == "float32" else 1e-14)
    assert row(tf.constant(x), axes, keepdims=True).shape == np.sum(x, axes, keepdims=True).shape
    if axes != (0, 2):
        np.testing.assert_array_equal(y, tf.function(lambda t: row(t, axes))(x))


@pytest.mark.parametrize(("shape", "axes"), LARGE)
def test_large_sums_do_not_depend_on_threads(shape, axes, monkeypatch):
    monkeypatch.setattr(eager_launch, "LEAST_POOL_NANOSECONDS", 0.0)
    x = tf.constant(np.random.default_rng(2).standard_normal(shape).astype(np.float32))
    threads, found = config.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            config.set_num_threads(count)
            found.append(tf.reduce_mean(x, axes).numpy())
    finally:
        config.set_num_threads(threads)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_large_sums_of_odd_values_and_views():
    x = np.ones((300, 200), np.float32)
    x[3, 190], x[5, 7], x[6, 1], x[6, 100] = nan, inf, inf, -inf
    t = tf.constant(x)
    with np.errstate(invalid="ignore"):
        for axis in (None, 0, 1):
            np.testing.assert_array_equal(tf.reduce_sum(t, axis), x.sum(axis))
        np.testing.assert_array_equal(tf.reduce_sum(tf.transpose(t), 0), x.sum(1))
        np.testing.assert_array_equal(tf.reduce_sum(t[::2, 1:], 1), x[::2, 1:].sum(1))
    np.testing.assert_array_equal(tf.reduce_mean(t[:, None], 1), x)
    np.testing.assert_array_equal(tf.reduce_mean(t, []), x)
    np.testing.assert_array_equal(tf.reduce_sum(tf.zeros((0, 9000)), 0), np.zeros(9000))
    assert np.isnan(tf.reduce_mean(tf.zeros((0, 9000)), 0)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((9000, 3), 1),
        ((1001, 16), 1),
        ((700, 17), 1),
        ((301, 130), 1),
        ((9, 1000), 1),
        ((3, 60, 70), (0, 1)),
        ((9001, 7), 0),
        ((40, 300), 0),
        ((20, 31, 31, 5), (1, 2)),
        ((40, 600), 0),
        ((40, 5, 60), (0, 2)),
        ((300, 1003), 1),
        ((301, 1000), 0),
        ((3, 700_003), 1),
        ((2_100_001,), 0),
    ],
)
def test_extremes_of_large_arrays(dtype, shape, axes):
    x = np.random.default_rng(4).standard_normal(shape).astype(dtype)
    x.reshape(-1)[[5, -2]] = nan
    x.reshape(-1)[[70, 900]] = inf, -inf
    for row, wanted in ((tf.reduce_max, np.max), (tf.reduce_min, np.min)):
        np.testing.assert_array_equal(row(tf.constant(x), axes), wanted(x, axes))
        np.testing.assert_array_equal(row(tf.constant(x), axes, keepdims=True), wanted(x, axes, keepdims=True))
        np.testing.assert_array_equal(row(tf.transpose(x)), wanted(x))
        numbers = np.nan_to_num(x, nan=0.5)
        for one in (x, numbers, numbers.T):
            np.testing.assert_array_equal(row(tf.constant(one)), wanted(one))


def test_lists_and_arrays_are_booleans_for_reduce_all_and_reduce_any():
    assert tf.reduce_all([])
    assert not tf.reduce_any([])
    assert tf.reduce_any([[]], 1).numpy().tolist() == [False]
    assert tf.reduce_all(np.zeros([0]), [0])
    assert not tf.reduce_all(np.array([0.0, 1.0]))
    for function in (tf.reduce_all, tf.reduce_any):
        with pytest.raises(TypeError):
            function([1.0])
        with pytest.raises(tf.errors.InvalidArgumentError, match="takes bool"):
            function(tf.zeros([2]))


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_products_of_half_width_floats_are_rounded_once(dtype):
    x = tf.cast(np.exp(0.05 * np.random.default_rng(0).normal(size=(3, 300))), dtype)
    wanted = tf.cast(tf.cast(x, tf.float64).numpy().prod(1), dtype)
    compiled = tf.function(lambda x: tf.reduce_prod(x, 1))
    for _ in range(3):
        found = compiled(x)
    for y in (tf.reduce_prod(x, 1), found):
        np.testing.assert_allclose(tf.cast(y, tf.float32), tf.cast(wanted, tf.float32), rtol=8e-3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_norms_of_half_width_floats_are_rounded_once(dtype):
    x = tf.cast([[300.0, 400.0], [3e-5, 4e-5]], dtype)  # whose squares float16 does not hold
    norm = tf.function(lambda x: tf.math.reduce_euclidean_norm(x, 1))
    for _ in range(3):
        compiled = norm(x)
    wanted = np.sqrt(np.square(x.numpy().astype(np.float64)).sum(1))
    for y in (tf.math.reduce_euclidean_norm(x, 1), compiled):
        np.testing.assert_array_equal(tf.cast(y, tf.float64), wanted.astype(x.dtype.numpy).astype(np.float64))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_logsumexp_of_half_width_floats_is_rounded_once(dtype):
    x = tf.cast(np.random.default_rng(0).normal(size=(400, 2)) - 0.7, dtype)  # results lie around 0
    total = tf.function(lambda x: tf.reduce_logsumexp(x, 1))
    for _ in range(3):
        compiled = total(x)
    wanted = np.logaddexp(*tf.cast(x, tf.float64).numpy().T)
    for y in (tf.reduce_logsumexp(x, 1), compiled):
        np.testing.assert_allclose(
            tf.cast(y, tf.float64), wanted, rtol={"float16": 2.0**-10, "bfloat16": 2.0**-7}[dtype], atol=1e-6
        )


@pytest.mark.parametrize(
    "name", ["reduce_sum", "reduce_mean", "reduce_prod", "reduce_variance", "reduce_euclidean_norm", "reduce_logsumexp"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "float16"])
def test_a_view_has_the_bits_of_its_copy(name, dtype):
    function = getattr(tf, name, None) or getattr(tf.math, name)
    random = np.random.default_rng(0)
    if dtype == "complex64" and name not in ("reduce_sum", "reduce_prod"):
        return
    for shape in ((6, 3), (5, 4, 7), (40, 30)):
        x = tf.constant(random.normal(size=shape).astype(dtype))
        rank = len(shape)
        views = [tf.transpose(x), x[1:, 1:], x[::-1], x[..., ::2], tf.transpose(x)[:, 1:]]
        for view in views:
            copy = tf.constant(np.array(view.numpy(), order="C"))
            for axes in (None, 0, rank - 1, [0, 1]):
                got, wanted = function(view, axes), function(copy, axes)
                assert got.numpy().tobytes() == wanted.numpy().tobytes(), (shape, axes)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8", "int64"])
@pytest.mark.parametrize("shape", [(3, 40_001), (300, 100), (2, 3, 16_384), (100_003,), (9000, 1)])
def test_products_of_large_arrays(shape, dtype):
    random = np.random.default_rng(0)
    factors = random.uniform(0.99, 1.01, shape) if "float" in dtype else 2 * random.integers(0, 5, shape) + 1
    x = factors.astype(dtype)
    for axes in (None, -1):
        got = tf.reduce_prod(x, axes)
        assert got.dtype == dtype
        if "float" in dtype:
            exact = np.exp(np.log(x.astype(np.longdouble)).sum(axes))
            np.testing.assert_allclose(got, exact.astype(np.float64), rtol=np.finfo(dtype).eps * x.size)
        else:
            np.testing.assert_array_equal(got, np.multiply.reduce(x, axis=axes, dtype=dtype))
        program = tf.function(lambda x, axes=axes: tf.reduce_prod(x, axes))
        for _ in range(3):
            np.testing.assert_allclose(program(x), got, rtol=np.finfo(dtype).eps * x.size if "float" in dtype else 0)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
@pytest.mark.parametrize("columns", [1, 2, 3, 8, 9])
def test_sums_of_short_rows_of_integers(dtype, columns):
    r = np.random.default_rng(columns)
    limits = np.iinfo(dtype)
    x = r.integers(limits.min, limits.max, (1500, columns), dtype, endpoint=True)  # sums wrap around
    for one in (x, x[::-1], x.reshape(30, 50, columns), np.asfortranarray(x)):
        for keepdims in (False, True):
            found = tf.reduce_sum(tf.constant(one), -1, keepdims).numpy()
            assert found.dtype == dtype
            np.testing.assert_array_equal(found, np.add.reduce(one, -1, dtype, keepdims=keepdims))
    assert tf.reduce_mean(tf.constant(x), -1).dtype.name == dtype


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 400)])
def test_gradient_of_logsumexp_of_minus_infinities_is_0(shape):
    values = np.full(shape, -inf, np.float32)
    for fill in (None, 2.0):
        if fill is not None:
            values[..., 0] = fill
        x = tf.constant(values)

        def slope(x):
            return gradient_of(lambda x: tf.reduce_logsumexp(x, axis=-1), x)

        expected = (values == fill).astype(np.float32)
        np.testing.assert_array_equal(slope(x), expected)
        np.testing.assert_array_equal(tf.function(slope)(x), expected)


def test_booleans_are_axes_but_not_beside_integers():
    """As in TensorFlow, whose conversion of a mixed list fails."""
    x = tf.ones([2, 3, 4])
    assert tf.reduce_sum(x, True).shape == tf.reduce_sum(x, [True]).shape == (2, 4)
    assert tf.nn.moments(x, [False, True])[0].shape == (4,)
    with pytest.raises(ValueError, match="unsupported type"):
        tf.reduce_sum(x, [True, 2])
