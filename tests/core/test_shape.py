"""TensorShape: a sequence of sizes, some or all of which may be unknown. It is no tuple, as in TensorFlow 2.21."""

import copy
import json
import pickle
from collections.abc import Sequence

import numpy as np
import pytest

import fastgrad as tf

Shape = tf.TensorShape


@pytest.mark.parametrize(
    ("dims", "text", "representation"),
    [
        ((), "()", "TensorShape([])"),
        ([None, 2], "(None, 2)", "TensorShape([None, 2])"),
        (3, "(3,)", "TensorShape([3])"),
        (None, "<unknown>", "TensorShape(None)"),
        (np.array([2, 3]), "(2, 3)", "TensorShape([2, 3])"),
        ([np.int64(3)], "(3,)", "TensorShape([3])"),
    ],
)
def test_text(dims, text, representation):
    shape = Shape(dims)
    assert (str(shape), repr(shape)) == (text, representation)
    assert Shape(shape) is shape
    assert repr(pickle.loads(pickle.dumps(shape))) == representation


def test_slices_and_sums_are_shapes():
    shape = Shape([2, 4, 5])
    one = [1]
    for result, dims in [(shape[1:], [4, 5]), (shape + one, [2, 4, 5, 1]), (one + shape, [1, 2, 4, 5])]:
        assert isinstance(result, Shape)
        assert result == dims
    assert shape.concatenate(None).rank is None


def test_what_is_known():
    shape = Shape([2, None])
    assert (shape.rank, shape.ndims, shape.as_list(), shape.dims) == (2, 2, [2, None], [2, None])
    assert not shape.is_fully_defined()
    assert shape.num_elements() is None
    assert Shape([2, 3]).num_elements() == 6
    assert Shape(()).num_elements() == 1


def test_unknown_rank():
    shape = Shape(None)
    assert shape.rank is None
    assert not shape
    assert Shape(())
    assert shape == Shape(None)
    assert shape != Shape([])
    assert shape[0] is None
    assert shape[1:].rank is None
    assert shape.with_rank(2).as_list() == [None, None]
    with pytest.raises(ValueError, match="unknown"):
        len(shape)
    with pytest.raises(ValueError, match="unknown"):
        shape.as_list()


def test_compatibility_and_merging():
    shape = Shape([2, None])
    assert shape.is_compatible_with([2, 5])
    assert shape.is_compatible_with(None)
    assert not shape.is_compatible_with([2, 5, 1])
    assert not shape.is_compatible_with([3, 5])
    assert shape.merge_with([None, 3]) == [2, 3]
    with pytest.raises(ValueError, match="not compatible"):
        Shape([2, 4]).merge_with([None, 3])
    with pytest.raises(ValueError, match="incompatible"):
        Shape([2, 3]).assert_is_compatible_with([2, 4])
    with pytest.raises(ValueError, match="rank 2"):
        Shape([2]).with_rank(2)
    with pytest.raises(ValueError, match="rank 3"):
        Shape([2, 3]).assert_has_rank(3)


def test_sizes_are_whole_numbers_from_zero():
    with pytest.raises(ValueError, match="-1"):
        Shape([-1])
    for dims in (["a"], [1.5], "ab"):
        with pytest.raises(TypeError, match="integer"):
            Shape(dims)


def test_a_shape_is_no_tuple_and_no_structure():
    shape = Shape([2, 3])
    assert not isinstance(shape, (tuple, Sequence))
    assert not any(hasattr(shape, name) for name in ("count", "index", "__contains__", "__reversed__"))
    assert tf.nest.flatten({"a": shape, "b": [shape]}) == [shape, shape]
    assert tf.nest.map_structure(lambda leaf: leaf.rank, (shape, shape[:1])) == (2, 1)
    with pytest.raises(TypeError):
        json.dumps(shape)
    with pytest.raises(TypeError):
        shape * 2
    with pytest.raises(TypeError):
        shape < shape
    with pytest.raises(TypeError):
        Shape()


def test_a_shape_has_the_protocol_of_a_sequence():
    shape = Shape([2, None, 4])
    assert (len(shape), list(shape), tuple(shape), [*reversed(shape)]) == (3, [2, None, 4], (2, None, 4), [4, None, 2])
    assert (shape[0], shape[-1], shape[np.int64(1)]) == (2, 4, None)
    assert 4 in shape
    assert None in shape
    assert 5 not in shape
    assert shape[::-1] == [4, None, 2]
    with pytest.raises(IndexError):
        shape[3]
    with pytest.raises(TypeError):
        shape["a"]


@pytest.mark.parametrize(
    ("shape", "others", "different"),
    [
        (
            Shape([2, 3]),
            [(2, 3), [2, 3], Shape((2, 3)), np.array([2, 3]), range(2, 4)],
            [(2,), None, "ab", [2.0, 3], {}],
        ),
        (Shape(3), [3, [3], (3,)], [4, "3", object()]),
        (Shape([]), [(), [], "", {}], [None, 0]),
        (Shape([2, None]), [(2, None)], [(2, 3), Shape(None)]),
        (Shape(None), [None, Shape(None)], [(), Shape([None])]),
    ],
)
def test_equality(shape, others, different):
    for other in others:
        assert shape.__eq__(other) is True
        assert shape.__ne__(other) is False
    for other in different:
        assert shape != other
        assert not shape == other  # noqa: SIM201


def test_tuples_and_shapes_are_one_key():
    shape = Shape([2, 3])
    assert shape == (2, 3)
    assert shape == [2, 3]
    assert hash(shape) == hash((2, 3))
    assert {(2, 3): "tuple"}[shape] == "tuple"
    assert {shape: "shape"}[2, 3] == "shape"
    with pytest.raises(ValueError, match="Dimension -1 must be >= 0"):
        shape == [-1, 3]


def test_formatting():
    shape = Shape([2, 3])
    assert "%s and %r" % (shape, shape) == "(2, 3) and TensorShape([2, 3])"  # noqa: UP031  # the operator is tested
    assert "%s" % shape == "(2, 3)"  # noqa: UP031
    assert f"{shape} {shape[:1]} {Shape([None, 1])} {Shape(None)}" == "(2, 3) (2,) (None, 1) <unknown>"
    with pytest.raises(TypeError):
        f"{shape:>10}"


@pytest.mark.parametrize("dims", [[2, None], [], None])
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda shape: pickle.loads(pickle.dumps(shape))])
def test_copies(dims, duplicate):
    assert type(duplicate(Shape(dims))) is Shape
    assert duplicate(Shape(dims)) == Shape(dims)


def test_slices_of_an_unknown_rank():
    shape = Shape(None)
    assert shape[1:3] == [None, None]
    assert shape[:1] == [None]
    for part in (shape[1:], shape[:-1], shape[-2:]):
        assert part.rank is None
    with pytest.raises(ValueError, match="Steps"):
        shape[::2]
    with pytest.raises(ValueError, match="Cannot iterate over a shape with unknown rank"):
        list(shape)


def test_numpy_takes_shapes():
    shape = Shape([2, 3])
    assert np.zeros(shape).shape == np.empty(shape).shape == np.full(shape, 1).shape == (2, 3)
    assert np.ones(6).reshape(shape).shape == np.broadcast_to(1, shape).shape == (2, 3)
    assert (np.array(shape).tolist(), np.prod(shape)) == ([2, 3], 6)


@pytest.mark.parametrize(
    "function",
    [
        tf.zeros,
        tf.ones,
        tf.random.uniform,
        lambda shape: tf.fill(shape, 1),
        lambda shape: tf.reshape(tf.range(6), shape),
        lambda shape: tf.broadcast_to(1, shape),
        lambda shape: tf.constant(1, shape=shape),
        tf.zeros_initializer(),
        lambda shape: tf.tile([[1]], shape),
        lambda shape: tf.slice(tf.zeros([5, 5]), [0, 0], shape),
        lambda shape: tf.random.Generator.from_seed(1).normal(shape),
        tf.function(tf.zeros),
        lambda shape: tf.zeros([*shape[:1], 3]),
        lambda shape: tf.zeros((2,) + shape[1:]),  # noqa: RUF005  # the operator is tested
        lambda shape: tf.keras.layers.Dropout(0.5, noise_shape=shape)(tf.ones([2, 3]), training=True),
        lambda shape: tf.keras.layers.Dense(shape[1])(tf.keras.Input(batch_shape=shape)),
        lambda shape: tf.ensure_shape(tf.zeros([2, 3]), shape),
    ],
)
def test_shapes_are_arguments(function):
    assert tuple(function(Shape([2, 3])).shape) == (2, 3)


def test_shapes_convert_to_vectors_of_integers():
    shape = Shape([2, 3])
    for tensor in (tf.constant(shape), tf.convert_to_tensor(shape), tf.function(lambda: shape)()):
        assert (tensor.dtype, tensor.numpy().tolist()) == (tf.int32, [2, 3])
    assert tf.constant(shape, tf.int64).dtype == tf.convert_to_tensor(Shape([2**31])).dtype == tf.int64
    assert tf.convert_to_tensor(Shape([])).dtype == tf.int32
    assert (tf.constant([1, 2]) + shape).numpy().tolist() == [3, 5]
    assert tf.constant([shape, shape]).shape == [2, 2]
    assert tf.data.Dataset.from_tensors((shape, 1)).element_spec[0] == tf.TensorSpec([2], tf.int32)
    tf.debugging.assert_shapes([(tf.zeros([2, 3]), shape)])
    for unknown in (Shape([None]), Shape(None)):
        with pytest.raises(ValueError, match="partially known TensorShape"):
            tf.convert_to_tensor(unknown)
        with pytest.raises(ValueError, match="partially known TensorShape"):
            tf.zeros(unknown)
        with pytest.raises(TypeError):
            tf.function(lambda shape: shape)(unknown)


def test_keras_layers_take_shapes():
    shape, keras = Shape([None, 3, 4]), tf.keras.layers
    assert tuple(keras.LSTM(2).compute_output_shape(shape)) == (None, 2)
    assert tuple(keras.Embedding(5, 2).compute_output_shape(shape)) == (None, 3, 4, 2)
    layer = keras.Dense(2)
    layer.build(shape)
    assert layer.kernel.shape == (4, 2)
    assert json.loads(json.dumps(keras.serialize(layer)))["build_config"] == {"input_shape": [None, 3, 4]}
