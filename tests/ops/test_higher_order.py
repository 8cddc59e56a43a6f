"""Functions over the rows of tensors, against loops and closed forms."""

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import gradient_of

X = np.array([[0.3, -0.4], [0.5, 0.8], [-0.9, 0.2]])


# ---- map_fn ----------------------------------------------------------------------------------------------


def test_map_fn_of_structures():
    product = tf.map_fn(lambda x: x[0] * x[1], (tf.constant([1, 2]), tf.constant([3, 4])), fn_output_signature=tf.int32)
    np.testing.assert_array_equal(product, [3, 8])
    both = tf.map_fn(
        lambda x: {"a": x, "b": tf.cast(x, tf.float64) / 2}, tf.constant([1, 2]), dtype={"a": tf.int32, "b": tf.float64}
    )
    np.testing.assert_array_equal(both["a"], [1, 2])
    np.testing.assert_array_equal(both["b"], [0.5, 1.0])
    pair = tf.map_fn(lambda x: x, [tf.constant([1, 2]), tf.constant([3, 4])])
    assert type(pair) is list


def test_map_fn_of_no_rows():
    assert tf.map_fn(lambda x: x * 2, tf.zeros([0, 3])).shape == [0]
    assert tf.map_fn(lambda x: x, tf.zeros([0, 3]), fn_output_signature=tf.TensorSpec([5], tf.int32)).shape == [0, 5]


def test_map_fn_checks():
    one, two, three = tf.constant([1.0]), tf.constant([1, 2]), tf.constant([1, 2, 3])
    for arguments, error, text in [
        ((3, one), TypeError, "callable"),
        ((lambda x: x, tf.constant(1.0)), ValueError, "not scalars"),
        ((lambda x: x, []), ValueError, "does not contain any Tensors"),
        ((lambda x: x[0], (three, two), tf.int32), ValueError, "3 and 2"),
        ((lambda x: x[0], (three, three)), ValueError, "structure"),
        ((lambda x: [x, x], three, (tf.int32, tf.int32)), TypeError, "tuple against list"),
        ((lambda x: tf.cast(x, tf.float32), three), tf.errors.InvalidArgumentError, "float32, but int32"),
        ((tf.range, three), ValueError, r"\(2,\).*expected \(\(1,\)\)"),
        ((lambda x: x, one, tf.TensorSpec([3], tf.float32)), ValueError, "expected"),
        ((lambda x: None, two), ValueError, "None"),
    ]:
        with pytest.raises(error, match=text):
            tf.map_fn(*arguments)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Shapes of all inputs must match"):
        tf.map_fn(tf.range, three, infer_shape=False)


# ---- vectorized_map ----------------------------------------------------------------------------------------


def test_vectorized_map():
    a, b = tf.constant([1, 2, 3]), tf.constant([4, 5, 6])
    np.testing.assert_array_equal(tf.vectorized_map(lambda x: x[0] * x[1], (a, b)), [4, 10, 18])
    np.testing.assert_array_equal(tf.vectorized_map(lambda x: x[0] * x[1], (a, tf.constant([4]))), [4, 8, 12])
    np.testing.assert_array_equal(tf.vectorized_map(lambda x: tf.constant([1, 2]), a), [[1, 2]] * 3)
    np.testing.assert_array_equal(tf.vectorized_map(lambda x: x["k"] * 2.0, {"k": X}), X * 2)
    assert tf.vectorized_map(lambda x: None, a) is None
    assert tf.vectorized_map(lambda x: (x, tf.reduce_sum(x)), tf.zeros([0, 3]))[0].shape == [0, 3]


def test_vectorized_map_checks():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[2, 3\]"):
        tf.vectorized_map(lambda x: x[0], (tf.zeros([3]), tf.zeros([2])))
    with pytest.raises(ValueError, match="scalar"):
        tf.vectorized_map(lambda x: x, tf.constant(1.0))
    with pytest.raises(TypeError, match="callable"):
        tf.vectorized_map(3, tf.zeros([3]))
    with pytest.raises(ValueError, match="any Tensors"):
        tf.vectorized_map(lambda x: x, [])


def test_gradients_row_by_row():
    def row_gradient(x):
        return gradient_of(lambda x: tf.reduce_sum(x**3), x)

    np.testing.assert_allclose(tf.vectorized_map(row_gradient, tf.constant(X)), 3 * X**2)


# ---- scan, foldl, foldr --------------------------------------------------------------------------------------


def test_scan_of_structures():
    pair = tf.scan(
        lambda s, x: (s[0] + x, s[0] * 1.0), tf.constant([1.0, 2.0, 3.0]), (tf.constant(0.0), tf.constant(0.0))
    )
    np.testing.assert_array_equal(pair[0], [1, 3, 6])
    np.testing.assert_array_equal(pair[1], [0, 1, 3])
    sums, products = tf.scan(lambda s, x: (s[0] + x[0], s[1] * x[1]), (tf.constant([1, 2, 3]), tf.constant([1, 2, 3])))
    np.testing.assert_array_equal(sums, [1, 3, 6])
    np.testing.assert_array_equal(products, [1, 2, 6])


def test_scan_and_folds_check():
    one, two, three = tf.zeros([0]), tf.constant([1, 2]), tf.constant([1, 2, 3])
    for function in (tf.scan, tf.foldl, tf.foldr):
        for arguments, error, text in [
            ((3, three), TypeError, "callable"),
            ((lambda s, x: s, tf.constant(1.0)), IndexError, "scalar"),
            ((lambda s, x: s, one), tf.errors.OutOfRangeError, "array size is: 0"),
            ((lambda s, x: s, (three, two), 0), tf.errors.OutOfRangeError, "index 2"),
            ((lambda s, x: s, (two, three), 0), ValueError, "same number of rows"),
            ((lambda s, x: (s, x), three), ValueError, "structure"),
        ]:
            with pytest.raises(error, match=text):
                function(*arguments)
    with pytest.raises(tf.errors.InvalidArgumentError, match="float32, but int32"):
        tf.scan(lambda s, x: tf.cast(s, tf.float32), three, initializer=0)
    with pytest.raises(ValueError, match="expected"):
        tf.scan(lambda s, x: tf.concat([s, s], 0), three, initializer=tf.ones([1]))
    assert tf.scan(lambda s, x: s, one, initializer=[1.0, 2.0][0]).shape == [0]
