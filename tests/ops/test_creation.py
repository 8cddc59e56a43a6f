"""New tensors against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from tests.gradients import check_gradient

ALL = ["float16", "bfloat16", "float32", "float64", "int8", "int32", "uint64", "bool", "complex64"]


# ---- constant ----------------------------------------------------------------------------------------


def test_constant_takes_values_dtype_and_shape():
    assert repr(tf.constant(0.1)) == "<tf.Tensor: shape=(), dtype=float32, numpy=0.10000000149011612>"
    assert tf.constant([1, 2]).dtype == tf.int32
    assert tf.constant([1, 2], "float64").dtype == tf.float64
    assert tf.constant([1, 2, 3, 4], shape=[2, 2]).numpy().tolist() == [[1, 2], [3, 4]]
    assert tf.constant(1.5, shape=[2, 2]).numpy().tolist() == [[1.5, 1.5], [1.5, 1.5]]
    assert tf.constant([1], shape=[2]).numpy().tolist() == [1, 1]
    assert tf.constant([], shape=[0, 2]).shape == [0, 2]
    assert tf.constant("a", shape=[2]).numpy().tolist() == [b"a", b"a"]
    assert tf.constant(tf.Variable(1.0)).numpy() == 1
    x = tf.constant([1.0])
    assert tf.constant(x) is x


def test_constant_refuses_what_does_not_fit():
    for value, options in [
        ([1, 2, 3], {"shape": [2, 2]}),
        ([1, 2], {"shape": []}),
        (1.5, {"dtype": tf.int32}),
        (tf.constant(1.0), {"dtype": tf.float64}),
        (tf.zeros([6]), {"shape": [7]}),
    ]:
        with pytest.raises(TypeError):
            tf.constant(value, **options)
    for value in (None, [[1, 2], [3]], object()):
        with pytest.raises(ValueError, match="convert"):
            tf.constant(value)


def test_lists_that_hold_tensors_are_stacked():
    x = tf.constant([1.0, 2.0])
    assert tf.convert_to_tensor([x, [3, 4]]).numpy().tolist() == [[1, 2], [3, 4]]
    assert tf.convert_to_tensor([[x[0], 1], (2, 3)]).numpy().tolist() == [[1, 1], [2, 3]]
    assert tf.convert_to_tensor([np.float64(1), x[0]]).dtype == tf.float32
    assert tf.convert_to_tensor([x[0], x[1]], dtype=tf.float64).dtype == tf.float64
    assert tf.Variable([tf.Variable(1.0), 2]).numpy().tolist() == [1, 2]
    for value in ([x, x[0]], [x, [1]], [tf.constant(1), tf.constant(2.0)], [[], [x]]):
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.convert_to_tensor(value)
    for value in ([tf.constant(1), 2.5], [1.5, tf.constant(2)]):
        with pytest.raises(TypeError):
            tf.convert_to_tensor(value)


def test_gradients_reach_tensors_in_lists():
    check_gradient(lambda x, y: tf.convert_to_tensor([[x, 1.0], [y, x * y]]) ** 2, 2.0, 3.0, order=2, rtol=1e-4)


def test_identity_is_another_tensor():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.identity(x)
        z = y * y
    assert y is not x
    assert tape.gradient(z, y).numpy().tolist() == [2, 4]
    assert tape.gradient(z, x).numpy().tolist() == [2, 4]
    assert [t.numpy().tolist() for t in tf.identity_n([x, 1])] == [[1, 2], 1]
    v = tf.Variable([1.0])
    before = tf.identity(v)
    v.assign([2.0])
    assert before.numpy().tolist() == [1]


# ---- one value ---------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=3), st.sampled_from(ALL))
def test_zeros_and_ones(shape, dtype):
    numpy_dtype = tf.as_dtype(dtype).as_numpy_dtype
    like = tf.zeros(shape)
    for ours, expected in [
        (tf.zeros(shape, dtype), np.zeros(shape, numpy_dtype)),
        (tf.ones(shape, dtype), np.ones(shape, numpy_dtype)),
        (tf.zeros_like(like, dtype), np.zeros(shape, numpy_dtype)),
        (tf.ones_like(like, dtype), np.ones(shape, numpy_dtype)),
        (tf.fill(shape, tf.cast(1, dtype)), np.ones(shape, numpy_dtype)),
    ]:
        assert ours.dtype == dtype
        assert ours.shape == shape
        np.testing.assert_array_equal(ours.numpy(), expected)


def test_shapes_come_in_many_forms():
    for shape in (3, [3], (3,), tf.constant([3]), [tf.constant(3)], np.array([3]), tf.TensorShape([3]), tf.constant(3)):
        assert tf.zeros(shape).shape == [3]
        assert tf.fill(shape, 1).shape == [3]
    assert tf.zeros([]).shape == []
    assert tf.zeros([2], tf.string).numpy().tolist() == [b"", b""]
    assert tf.zeros_like("a").numpy() == b""
    assert tf.zeros_like([1, 2]).dtype == tf.int32
    assert tf.ones_like(tf.Variable(1.0)).numpy() == 1


def test_bad_shapes_and_dtypes_are_refused():
    for function in (tf.zeros, tf.ones, lambda shape: tf.fill(shape, 1)):
        for shape in ([-1], [[2]]):
            with pytest.raises(tf.errors.InvalidArgumentError):
                function(shape)
        with pytest.raises((TypeError, tf.errors.InvalidArgumentError)):  # TensorFlow's fill has the second
            function([2.0])
        with pytest.raises(ValueError, match="None"):
            function([None])
    with pytest.raises(TypeError):
        tf.zeros([2], dtype=None)
    with pytest.raises(TypeError):
        tf.ones([2], tf.string)
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.ones_like("a")
    with pytest.raises(tf.errors.InvalidArgumentError, match="scalar"):
        tf.fill([2], [1, 2])


# ---- sequences ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "dtype"),
    [
        ((5,), "int32"),
        ((2.5,), "float32"),
        ((0, 1, 0.25), "float32"),
        ((np.int64(3),), "int64"),
        ((tf.constant(0), tf.constant(3, tf.int64)), "int64"),
        ((tf.constant(0), tf.constant(3.0)), "float32"),
        ((0.0, 3.0, tf.constant(1, tf.float64)), "float64"),
        ((tf.constant(3, tf.bfloat16),), "bfloat16"),
        ((tf.constant(3, tf.float16),), "float16"),
    ],
)
def test_range_takes_the_widest_dtype(arguments, dtype):
    ours = tf.range(*arguments)
    assert ours.dtype == dtype
    expected = np.arange(*[float(x) for x in arguments])
    np.testing.assert_allclose(tf.cast(ours, tf.float64), expected)


def test_range_counts_from_zero_and_takes_names():
    assert tf.range(limit=3, start=0).numpy().tolist() == [0, 1, 2]
    assert tf.range(3, dtype=tf.float32).dtype == tf.float32
    assert tf.range(0).shape == [0]
    assert tf.range(2**31, 2**31 + 2).dtype == tf.int64
    assert tf.range(2**31, 2**31 + 2).numpy().tolist() == [2**31, 2**31 + 1]


def test_range_refuses_what_leads_nowhere():
    for arguments in ((5, 1), (0, 1, 0), (-3,), (1, 5, -1), ([1, 2],), (float("nan"),), (0, float("inf"))):
        with pytest.raises(tf.errors.InvalidArgumentError, match="range"):
            tf.range(*arguments)
    with pytest.raises(TypeError):
        tf.range(3.5, dtype=tf.int32)
    with pytest.raises(TypeError):
        tf.range(True)


@settings(max_examples=40, deadline=None)
@given(st.floats(-10, 10), st.floats(-10, 10), st.integers(0, 20))
def test_linspace_is_numpys(start, stop, count):
    ours = tf.linspace(tf.constant(start, tf.float64), stop, count)
    np.testing.assert_allclose(ours, np.linspace(start, stop, count), rtol=1e-13, atol=1e-13)
    if count > 1:
        assert (float(ours[0]), float(ours[-1])) == (start, stop)


def test_linspace_broadcasts_and_places_its_axis():
    start, stop = np.array([[0.0], [1.0]]), np.array([10.0, 20.0, 30.0])
    for axis in (0, 1, 2, -1, -3):
        np.testing.assert_allclose(tf.linspace(start, stop, 5, axis=axis), np.linspace(start, stop, 5, axis=axis))
    assert tf.linspace(0, 1, 5).dtype == tf.float64
    assert tf.linspace(0.0, 1.0, 5).dtype == tf.float32
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.linspace(start, stop, 3, axis=3)
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.linspace(0.0, 1.0, -1)
    with pytest.raises(TypeError):
        tf.linspace(0.0, 1.0, 2.5)
    with pytest.raises(ValueError, match="float64"):
        tf.linspace(0.0, tf.constant(1.0, tf.float64), 3)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: tf.fill([2, 3], x * y),
        lambda x, y: tf.linspace(x, y, 4) ** 2,
        lambda x, y: tf.linspace(x, y, 1) ** 2 * y,
        lambda x, y: tf.constant(x, shape=[2, 2]) * y * x,
    ],
)
def test_gradients(function, order):
    check_gradient(function, 1.3, 2.7, order=order, rtol=1e-4)
