"""py_function and numpy_function: Python code among operations."""

import time

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import value_and_gradient


def test_py_function_gets_tensors_and_is_differentiated():
    x = tf.constant([1.0, 2.0])
    y, slope = value_and_gradient(lambda x: tf.py_function(lambda a, b: a * a * b, [x, 3.0], tf.float32), x)
    assert y.numpy().tolist() == [3.0, 12.0]
    assert slope.numpy().tolist() == [6.0, 12.0]


def test_numpy_function_gets_arrays_and_ends_gradients():
    x = tf.constant([1.0, 2.0])

    def double(array):
        assert type(array) is np.ndarray
        array *= 2  # a copy: the tensor keeps its elements
        return array

    y, slope = value_and_gradient(lambda x: tf.numpy_function(double, [x], tf.float32), x)
    assert y.numpy().tolist() == [2.0, 4.0]
    assert x.numpy().tolist() == [1.0, 2.0]
    assert slope is None


@pytest.mark.parametrize("call", [tf.py_function, tf.numpy_function])
def test_several_results_one_or_none(call):
    whole, half = call(lambda a: (a, a / 2), [tf.constant(4.0)], [tf.float32, tf.float32])
    assert (float(whole), float(half)) == (4.0, 2.0)
    assert call(lambda a: None, [1], []) == []
    assert call(lambda: np.float32(3), [], tf.float32).dtype == tf.float32


@pytest.mark.parametrize("call", [tf.py_function, tf.numpy_function])
def test_results_must_be_as_announced(call):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Tout says int32"):
        call(lambda a: a, [2.0], tf.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="returned 1 values, but Tout asks for 2"):
        call(lambda a: a, [2.0], [tf.float32, tf.float32])


def test_errors_of_the_function_pass_as_they_are():
    with pytest.raises(ZeroDivisionError):
        tf.py_function(lambda a: 1 / 0, [2.0], tf.float32)


def test_what_cannot_be_called_is_refused():
    with pytest.raises(ValueError, match="callable"):
        tf.py_function(3, [2], tf.float32)
    with pytest.raises(TypeError, match="callable"):
        tf.numpy_function(3, [2], tf.float32)


def test_both_are_decorators():
    @tf.numpy_function(Tout=tf.float32)
    def sinh(x):
        return np.sinh(x)

    @tf.numpy_function(Tout=[tf.float32, tf.float32], stateful=False)
    def both(x, y):
        return x + y, x * y

    @tf.py_function(Tout=tf.float32)
    def cube(x):
        return x**3

    one, four = tf.constant(1.0), tf.constant(4.0)
    assert (sinh.__name__, cube.__name__) == ("sinh", "cube")
    np.testing.assert_allclose(sinh(one), 1.1752012, rtol=1e-6)
    np.testing.assert_array_equal(both(one, four), [5.0, 4.0])
    for function in (cube, tf.function(cube)):
        for _ in range(3):
            y, slope = value_and_gradient(lambda x, function=function: function(x) * 2.0, four)
            assert (float(y), float(slope)) == (128.0, 96.0)
    with pytest.raises(TypeError, match="Missing required argument: 'Tout'"):
        tf.numpy_function(lambda x: x)
    with pytest.raises(TypeError, match="Missing required argument: 'Tout'"):
        tf.py_function(lambda x: x)


@pytest.mark.parametrize("call", [tf.py_function, tf.numpy_function])
def test_a_call_has_a_function_with_its_arguments_and_a_decorator_neither(call):
    for arguments, message in [
        ({"inp": [], "Tout": tf.int32}, "decorator"),
        ({"func": np.add, "Tout": tf.int32}, "'inp'"),
        ({"func": np.add, "inp": [1, 2]}, "'Tout'"),
    ]:
        with pytest.raises(TypeError, match=message):
            call(**arguments)


def test_a_timestamp_is_of_each_run():
    seconds = tf.function(tf.timestamp)
    times = [float(seconds()) for _ in range(3)]
    assert tf.timestamp().dtype == tf.float64
    assert times == sorted(times)
    assert times[0] < times[2] <= time.time()


def test_the_function_may_keep_its_tensors():
    kept = []

    @tf.function
    def tripled(x):
        return tf.py_function(lambda y: kept.append(y) or y * 2.0, [x * 3.0], tf.float32)

    for number in range(4):
        tripled(tf.constant([float(number), 1.0]))
    assert [x.numpy().tolist() for x in kept] == [[0, 3], [3, 3], [6, 3], [9, 3]]


def test_the_function_may_keep_the_tensors_of_its_gradient():
    kept, weight = [], tf.Variable([1.0, 1.0])

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            y = tf.py_function(lambda z: kept.append(z + 0.0) or z * z, [weight * x], tf.float32)
        return tape.gradient(y, weight)

    results = [gradient(tf.constant([float(number), 1.0])).numpy().tolist() for number in range(3)]
    assert results == [[0, 2], [2, 2], [8, 2]]
    assert [x.numpy().tolist() for x in kept] == [[n, 1] for n in (0, 0, 1, 1, 2, 2)]


def test_a_variable_as_the_result_is_its_value_then():
    variable = tf.Variable([1.0, 1.0])

    @tf.function
    def value_before(x):
        y = tf.py_function(variable.read_value, [], tf.float32)
        variable.assign_add(x)
        return y

    results = [value_before(tf.ones([2])) for _ in range(3)]
    assert [x.numpy().tolist() for x in results] == [[1, 1], [2, 2], [3, 3]]
