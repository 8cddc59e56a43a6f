"""tf.TensorSpec."""

import pickle

import numpy as np
import pytest

import fastgrad as tf

Spec = tf.TensorSpec


def test_text():
    assert repr(Spec(None)) == "TensorSpec(shape=<unknown>, dtype=tf.float32, name=None)"
    assert str(Spec([2], "int32", "q")) == "TensorSpec(shape=(2,), dtype=tf.int32, name='q')"


def test_equality_is_of_shape_dtype_and_name():
    assert Spec([2]) == Spec((2,))
    assert hash(Spec([2])) == hash(Spec((2,)))
    assert Spec([2]) != Spec([2], name="a")
    assert Spec([2]) != Spec([2], tf.int32)
    assert Spec([2]) != Spec([None])
    assert Spec([2]) != 3
    assert pickle.loads(pickle.dumps(Spec([2, None], name="n"))) == Spec([2, None], name="n")


def test_from_tensors_and_specs():
    assert Spec.from_tensor(tf.constant([1.0]), name="a") == Spec([1], name="a")
    assert Spec.from_tensor(tf.Variable([1])) == Spec([1], tf.int32)
    assert Spec.from_spec(Spec([2]), name="a") == Spec([2], name="a")
    assert Spec.from_spec(Spec([2], name="a")).name == "a"
    with pytest.raises(ValueError, match=r"should be a tf\.Tensor"):
        Spec.from_tensor(np.ones(3))


def test_compatibility():
    assert Spec([3]).is_compatible_with(Spec([None]))
    assert not Spec([3]).is_compatible_with(Spec([4]))
    assert not Spec([3]).is_compatible_with(np.ones(3, np.float32))


def test_order_of_specs():
    assert Spec([3]).is_subtype_of(Spec([None]))
    assert Spec([3]).is_subtype_of(Spec(None))
    assert not Spec([None]).is_subtype_of(Spec([3]))
    assert not Spec([3]).is_subtype_of(Spec([3], tf.int32))
    assert Spec([3]).most_specific_common_supertype([Spec([4])]) == Spec([None])
    assert Spec([3]).most_specific_common_supertype([Spec([4, 2])]) == Spec(None)
    assert Spec([3]).most_specific_common_supertype([Spec([4], tf.int32)]) is None


def test_refusals():
    with pytest.raises(TypeError):
        Spec([2], "foo")
    with pytest.raises(ValueError, match=">= 0"):
        Spec([-1])


def test_specs_of_tensors_and_of_ragged_tensors_are_two_types():
    ragged = tf.RaggedTensorSpec([2, None], tf.int32)
    assert not isinstance(ragged, Spec)
    assert (ragged.shape, ragged.dtype) == (tf.TensorShape([2, None]), tf.int32)
    assert pickle.loads(pickle.dumps(ragged)) == ragged
