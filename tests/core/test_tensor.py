"""Tensors: text, conversion, Python's protocols, NumPy."""

import copy
import pickle

import numpy as np
import pytest

import fastgrad as tf


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (lambda: tf.constant("abc"), "<tf.Tensor: shape=(), dtype=string, numpy=b'abc'>"),
        (lambda: tf.constant(1j), "<tf.Tensor: shape=(), dtype=complex128, numpy=1j>"),
    ],
)
def test_repr_of_strings_and_complex_numbers(value, text):
    assert repr(value()) == text


def test_arrays_coming_in_and_going_out_are_copies():
    array = np.ones(3, np.float32)
    t = tf.constant(array)
    array[:] = 5
    out = t.numpy()
    out[:] = 7
    np.asarray(t)[:] = 8
    np.testing.assert_array_equal(t, [1, 1, 1])


def test_an_array_used_as_operand_may_change_afterwards():
    x, array = tf.Variable([1.0, 2.0]), np.array([3.0, 4.0], np.float32)
    with tf.GradientTape() as tape:
        y = x * array
    array[:] = 0
    np.testing.assert_array_equal(tape.gradient(y, x), [3.0, 4.0])


def test_copy_and_pickle():
    for t in (tf.constant([1.0, 2.0]), tf.constant(1.5, tf.bfloat16), tf.constant(["a"])):
        for twin in (copy.copy(t), copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
            assert repr(twin) == repr(t)


def test_dlpack_gives_a_copy():
    t = tf.constant([1.0, 2.0])
    array = np.from_dlpack(t)
    np.testing.assert_array_equal(array, [1.0, 2.0])
    assert not np.shares_memory(array, t._array)


def test_tensors_have_no_writable_attributes():
    with pytest.raises(AttributeError):
        tf.constant(1.0).note = "x"


def test_numbers_that_no_dtype_at_hand_holds_are_type_errors():
    with pytest.raises(TypeError, match="Cannot convert 1e"):
        tf.constant(1) * 1e40


def test_references_of_tensors_are_keys_of_weak_dictionaries():
    import weakref

    key = tf.constant(1.0).ref()
    found = weakref.WeakKeyDictionary({key: 5})
    assert found[key] == 5
    del key
    assert len(found) == 0


@pytest.mark.parametrize("compiled", [lambda f: f, tf.function], ids=["eager", "compiled"])
def test_truth_of_a_tensor_is_that_of_its_only_element(compiled):
    truth = compiled(lambda x: tf.constant(1 if x < 2 else 0))
    assert [int(truth(tf.constant(x))) for x in (1, [[1]], 3, [[3]], [])] == [1, 1, 0, 0, 0]
    with pytest.raises(ValueError, match="The truth value of a tensor of shape"):
        truth(tf.constant([1, 1]))


def test_registered_conversions_run_in_the_order_of_their_priorities():
    class Celsius:
        def __init__(self, degrees):
            self.degrees = degrees

    def convert(value, dtype=None, name=None, as_ref=False):
        return tf.constant(value.degrees, dtype or tf.float32)

    tf.register_tensor_conversion_function(Celsius, convert)
    tf.register_tensor_conversion_function((Celsius, Exception), lambda value, **_: NotImplemented, priority=1)
    assert tf.convert_to_tensor(Celsius(20.0), tf.float64).dtype == tf.float64
    assert (Celsius(20.0) + tf.constant(1.0)).numpy() == 21.0
    assert tf.stack([Celsius(1.0), tf.constant(2.0)]).numpy().tolist() == [1.0, 2.0]
    assert not tf.is_tensor(Celsius(20.0))
    tf.register_tensor_conversion_function(Celsius, lambda value, **_: 5, priority=0)
    with pytest.raises(RuntimeError, match="must return a tensor or NotImplemented, got 5"):
        tf.convert_to_tensor(Celsius(20.0))


@pytest.mark.parametrize("kind", [int, np.ndarray, "Celsius"])
def test_numbers_and_arrays_have_their_own_conversion(kind):
    with pytest.raises(TypeError, match="register_tensor_conversion_function"):
        tf.register_tensor_conversion_function(kind, lambda value, **_: tf.constant(1.0))
