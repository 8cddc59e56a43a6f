"""``InputSpec`` and ``Input``."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

InputSpec = keras.layers.InputSpec


class Checked(keras.layers.Layer):
    def __init__(self, spec):
        super().__init__()
        self.input_spec = spec

    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("spec", "good", "bad", "message"),
    [
        (InputSpec(ndim=2), (1, 2), (1, 2, 3), "expected ndim=2, found ndim=3"),
        (InputSpec(min_ndim=2), (1, 2, 3), (1,), "expected min_ndim=2, found ndim=1"),
        (InputSpec(max_ndim=2), (1,), (1, 2, 3), "expected max_ndim=2, found ndim=3"),
        (InputSpec(axes={1: 4, -1: None}), (1, 4), (1, 3), "expected axis 1 of input shape to have value 4"),
        (InputSpec(axes={3: 4}, min_ndim=1), (1, 1, 1, 4), (1, 4), "expected axis 3"),
        (InputSpec(shape=(None, 3)), (9, 3), (9, 4), r"expected shape=\(None, 3\), found shape=\(9, 4\)"),
        (InputSpec(shape=(None, 3, 1), allow_last_axis_squeeze=True), (9, 3), (9, 4), "expected shape"),
    ],
    ids=repr,
)
def test_shapes(spec, good, bad, message):
    layer = Checked(spec)
    layer(tf.zeros(good))
    with pytest.raises(ValueError, match=message):
        layer(tf.zeros(bad))


def test_dtype():
    layer = Checked(InputSpec(dtype="int32"))
    layer(tf.constant([1]))
    with pytest.raises(ValueError, match="expected dtype=int32, found dtype=float32"):
        layer(tf.constant([1.0]))


def test_several_inputs():
    layer = Checked([InputSpec(ndim=1, name="a"), InputSpec(ndim=2, name="b")])
    layer([tf.zeros(1), tf.zeros((1, 1))])
    layer({"b": tf.zeros((1, 1)), "a": tf.zeros(1)})
    with pytest.raises(ValueError, match=r"expects 2 input\(s\), but it received 1"):
        layer(tf.zeros(1))
    with pytest.raises(ValueError, match='Missing data for input "b"'):
        layer({"a": tf.zeros(1)})


def test_axes_are_integers():
    with pytest.raises(TypeError, match="integer keys"):
        InputSpec(axes={"x": 1})


def test_config_and_repr():
    spec = InputSpec(min_ndim=2, axes={-1: 3})
    assert repr(spec) == "InputSpec(min_ndim=2, axes={-1: 3})"
    assert repr(InputSpec.from_config(spec.get_config())) == repr(spec)


def test_input_is_a_shape_without_values():
    given = keras.Input((3,), batch_size=2, dtype="int32", name="tokens")
    assert (given.shape, given.dtype, given.ndim) == ((2, 3), "int32", 2)
    assert repr(given) == "<KerasTensor shape=(2, 3), dtype=int32, sparse=False, ragged=False, name=tokens>"
    with pytest.raises(ValueError, match="symbolic"):
        np.asarray(given)
    assert keras.layers.Dense(1)(given).shape == (2, 1)


@pytest.mark.parametrize(
    "arguments", [{}, {"shape": (1,), "batch_shape": (2, 1)}, {"batch_size": 2, "batch_shape": (2, 1)}], ids=str
)
def test_input_layer_wants_one_shape(arguments):
    with pytest.raises(ValueError, match="shape"):
        keras.layers.InputLayer(**arguments)


def test_input_layer():
    with pytest.warns(UserWarning, match="`input_shape` is deprecated"):
        layer = keras.layers.InputLayer(input_shape=(3,), name="x")
    assert layer.batch_shape == (None, 3)
    assert (layer.sparse, layer.ragged) == (False, False)
    assert layer.call() is None
    x = tf.ones((1, 3))
    assert layer(x) is x
    assert keras.layers.InputLayer.from_config(layer.get_config()).get_config() == layer.get_config()
