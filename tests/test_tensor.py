"""Tensors: text, conversion, Python's protocols, NumPy."""

import copy
import pickle

import numpy as np
import pytest

import fastgrad as tf


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (lambda: tf.constant(6.0), "<tf.Tensor: shape=(), dtype=float32, numpy=6.0>"),
        (lambda: tf.constant(0.1), "<tf.Tensor: shape=(), dtype=float32, numpy=0.10000000149011612>"),
        (lambda: tf.constant(True), "<tf.Tensor: shape=(), dtype=bool, numpy=True>"),
        (lambda: tf.constant("abc"), "<tf.Tensor: shape=(), dtype=string, numpy=b'abc'>"),
        (lambda: tf.constant(1j), "<tf.Tensor: shape=(), dtype=complex128, numpy=1j>"),
        (lambda: tf.constant(1.5, tf.bfloat16), "<tf.Tensor: shape=(), dtype=bfloat16, numpy=1.5>"),
        (lambda: tf.constant(2, tf.bfloat16), "<tf.Tensor: shape=(), dtype=bfloat16, numpy=2.0>"),
        (lambda: tf.constant(0.1, tf.bfloat16), "<tf.Tensor: shape=(), dtype=bfloat16, numpy=0.10009765625>"),
        (lambda: tf.constant([1, 2]), "<tf.Tensor: shape=(2,), dtype=int32, numpy=array([1, 2], dtype=int32)>"),
        (
            lambda: tf.constant([[1.0, 2.0], [3.0, 4.0]]),
            "<tf.Tensor: shape=(2, 2), dtype=float32, numpy=\narray([[1., 2.],\n       [3., 4.]], dtype=float32)>",
        ),
        (
            lambda: tf.constant([1.5], tf.bfloat16),
            "<tf.Tensor: shape=(1,), dtype=bfloat16, numpy=array([1.5], dtype=bfloat16)>",
        ),
    ],
)
def test_repr(value, text):
    assert repr(value()) == text


def test_str_and_format():
    assert str(tf.constant(0.1)) == "tf.Tensor(0.1, shape=(), dtype=float32)"
    assert str(tf.constant([1.0, 2.0])) == "tf.Tensor([1. 2.], shape=(2,), dtype=float32)"
    assert str(tf.constant([[1.0], [2.0]])) == "tf.Tensor(\n[[1.]\n [2.]], shape=(2, 1), dtype=float32)"
    assert f"{tf.constant(1.5):.2f}" == "1.50"
    assert f"{tf.constant([1.0, 2.0])}" == "[1. 2.]"
    assert f"{tf.constant(2.25):.1f}" == "2.2"


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1, "int32"),
        (2**40, "int64"),
        (1.0, "float32"),
        ([1, 2.5], "float32"),
        ([], "float32"),
        (True, "bool"),
        (1 + 2j, "complex128"),
        ("a", "string"),
        (np.float64(1), "float64"),
        ([np.float64(1)], "float64"),
        ([np.float32(1), 2.0], "float32"),
        ([np.int64(1)], "int32"),
        (np.array([1.0]), "float64"),
        ([np.array([1.0])], "float64"),
        (range(3), "int32"),
        (np.arange(3), "int64"),
        (np.float16(1), "float16"),
    ],
)
def test_dtypes_of_python_and_numpy_values(value, dtype):
    assert tf.constant(value).dtype == dtype


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: tf.constant(2**70), ValueError),
        (lambda: tf.constant([[1, 2], [3]]), ValueError),
        (lambda: tf.constant(1.5, dtype=tf.int32), TypeError),
        (lambda: tf.constant(1, tf.bool), TypeError),
        (lambda: tf.constant(None), ValueError),
        (lambda: tf.constant({1: 2}), ValueError),
        (lambda: tf.constant([1.5, "a"]), ValueError),
        (lambda: tf.convert_to_tensor(tf.constant(1.0), tf.float64), ValueError),
        (lambda: tf.constant(1.0, dtype="nonsense"), TypeError),
    ],
)
def test_values_that_are_no_tensor(call, error):
    with pytest.raises(error):
        call()


def test_lists_that_hold_tensors_stack_with_gradients():
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = tf.convert_to_tensor([[x, 1.0], [3.0, x * x]])
    assert y.shape == (2, 2)
    assert float(tape.gradient(y, x)) == 5.0


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


def test_numpy_functions_take_tensors():
    t = tf.constant([1.0, 4.0])
    np.testing.assert_array_equal(np.sqrt(t), [1.0, 2.0])
    assert isinstance(np.array([1.0, 2.0]) + t, tf.Tensor)
    assert (np.array([1.0, 2.0]) + t).dtype == tf.float32


def test_python_scalars():
    assert (int(tf.constant(3)), float(tf.constant(2)), bool(tf.constant(0.0))) == (3, 2.0, False)
    assert [10, 20, 30][tf.constant(1)] == 20
    with pytest.raises(TypeError):
        int(tf.constant([1, 2]))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(tf.constant([1, 2]))
    with pytest.raises(TypeError):
        [1, 2][tf.constant(1.0)]


def test_len_and_iteration():
    t = tf.constant([[1, 2], [3, 4]])
    assert len(t) == 2
    assert [row.numpy().tolist() for row in t] == [[1, 2], [3, 4]]
    with pytest.raises(TypeError, match="Scalar"):
        len(tf.constant(1))
    with pytest.raises(TypeError, match="scalar"):
        iter(tf.constant(1))


def test_tensors_are_not_hashable_but_references_are():
    t = tf.constant(1.0)
    with pytest.raises(TypeError, match="ref"):
        hash(t)
    assert t.ref() == t.ref()
    assert t.ref() != tf.constant(1.0).ref()
    assert t.ref().deref() is t


@pytest.mark.parametrize("name", ["T", "reshape", "astype", "item"])
def test_numpy_attributes_are_absent_and_the_error_names_the_way(name):
    with pytest.raises(AttributeError, match=name):
        getattr(tf.constant(1.0), name)


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


def test_shape_is_tensorflows():
    shape = tf.zeros((2, 3)).shape
    assert shape == (2, 3)
    assert shape == [2, 3]
    assert shape.as_list() == [2, 3]
    assert repr(shape) == "TensorShape([2, 3])"
    assert str(shape) == "(2, 3)"
    assert str(tf.zeros(1).shape) == "(1,)"
    assert repr(shape[:1]) == "TensorShape([2])"
    assert shape.rank == 2
    assert shape.num_elements() == 6


def test_dtype_text_and_equality():
    assert repr(tf.float32) == "tf.float32"
    assert str(tf.float32) == "<dtype: 'float32'>"
    assert tf.float32 == "float32" == tf.float32
    assert tf.float32 == np.float32
    assert tf.float32 == np.dtype("float32")
    assert tf.float32 != "nonsense"
    assert tf.float32 is not None
    assert np.zeros(2, tf.float64).dtype == np.float64
    assert {tf.float32: 1}[tf.as_dtype("float32")] == 1


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
