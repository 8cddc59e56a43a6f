"""``keras.Variable``, the weight of a layer."""

import json

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from tests.gradients import gradient_of

Variable = keras.Variable


def test_from_values_and_initializers():
    np.testing.assert_array_equal(Variable([1.0, 2.0]), [1.0, 2.0])
    assert Variable(np.ones(2)).dtype == "float64"
    assert Variable([1, 2], dtype="float32").dtype == "float32"
    assert Variable("ones", shape=(2, 2)).shape == (2, 2)
    assert Variable(keras.initializers.Zeros(), shape=3).shape == (3,)
    with pytest.raises(ValueError, match="shape"):
        Variable("zeros")
    with pytest.raises(ValueError, match="fully-defined"):
        Variable("zeros", shape=(None, 2))


def test_names_and_paths():
    weight = Variable(1.0, name="scale")
    assert (weight.name, weight.path) == ("scale", "scale")
    with keras.name_scope("outer"), keras.name_scope("inner"):
        assert Variable(1.0, name="scale").path == "outer/inner/scale"
    with tf.name_scope("tensorflow"):
        assert Variable(1.0, name="scale").name == "scale"
    keras.backend.clear_session()
    assert [Variable(1.0).name for _ in range(2)] == ["variable", "variable_1"]
    with pytest.raises(ValueError, match="/"):
        Variable(1.0, name="a/b")


def _every_variable():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    model.compile("adam", "mse", metrics=["mae", keras.metrics.AUC(), keras.metrics.MeanIoU(2)])
    model.fit(np.ones((4, 3), np.float32), np.ones((4, 2), np.float32), verbose=0)
    return [*model.variables, *model.optimizer.variables, *model.metrics_variables, Variable([True]), Variable(["a"])]


def test_dtypes_are_names():
    variables = _every_variable()
    assert {"float32", "int64", "bool", "string"} <= {variable.dtype for variable in variables}
    for variable in variables:
        dtype = tf.as_dtype(variable.numpy().dtype)
        assert type(variable.dtype) is str
        assert json.loads(json.dumps(variable.dtype)) == str(variable.dtype) == dtype.name
        assert variable.dtype == dtype
        assert dtype == variable.dtype
        assert variable.dtype != tf.complex64
        assert variable.value is variable
        tensor = variable.read_value()
        assert tf.zeros(2, variable.dtype).dtype is tensor.dtype is tf.convert_to_tensor(variable).dtype is dtype
    assert tf.cast(1, variables[0].dtype).dtype is tf.Variable(1.0).dtype is tf.float32
    assert Variable(1.0, dtype=variables[0].dtype).dtype == np.zeros(1, variables[0].dtype).dtype == "float32"


class _GivesItsWeight(keras.layers.Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(2, 2))

    def call(self, inputs):
        return self.kernel


def test_operations_that_ask_for_the_dtype():
    mask, number = Variable([True, False]), Variable(1)
    np.testing.assert_array_equal(~mask, [False, True])
    np.testing.assert_array_equal(tf.constant([3.0, 4.0])[mask], [3.0])
    assert tf.switch_case(number, [lambda: 3, lambda: 4]) == tf.case([(number == 1, lambda: 4)]) == 4
    with pytest.raises(TypeError, match="bool"):
        tf.case([(number, lambda: 4)])
    assert tf.constant([3.0, 4.0])[number] == 4.0
    assert _GivesItsWeight()(keras.Input((2,))).dtype == "float32"
    assert keras.saving.serialize_keras_object(number)["config"] == {"value": 1, "dtype": "int32"}


def test_repr():
    assert repr(Variable([1.0], name="w")) == "<Variable path=w, shape=(1,), dtype=float32, value=[1.]>"
    assert str(Variable(2.0, name="w")) == "<Variable path=w, shape=(), dtype=float32, value=2.0>"


def test_it_is_a_variable():
    weight = Variable([1.0, 2.0])
    assert isinstance(weight, tf.Variable)
    np.testing.assert_array_equal(gradient_of(lambda weight: tf.reduce_sum(weight * weight), weight), [2.0, 4.0])


def test_value_is_the_variable_and_read_value_a_snapshot():
    weight = Variable([1.0, 2.0])
    value, before = weight.value, weight.read_value()
    weight.assign([3.0, 4.0])
    np.testing.assert_array_equal(before, [1.0, 2.0])
    np.testing.assert_array_equal(value, [3.0, 4.0])
    np.testing.assert_array_equal(weight.value, [3.0, 4.0])


def test_derivatives_by_value_are_those_by_the_weight():
    weight = Variable([1.0, 2.0])
    sources = [weight, weight.value]
    weight.assign([3.0, 4.0])
    with tf.GradientTape() as tape:
        y = weight * weight.value
    for gradient in tape.gradient(y, sources):
        np.testing.assert_array_equal(gradient, [6.0, 8.0])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weight.value)
        y = weight * 3.0
    np.testing.assert_array_equal(tape.gradient(y, weight), [3.0, 3.0])
    with tf.autodiff.ForwardAccumulator(weight.value, tf.ones(2)) as accumulator:
        tangents = [accumulator.jvp(weight * 3.0), accumulator.jvp(weight.value * 3.0)]
    np.testing.assert_array_equal(tangents, [[3.0, 3.0]] * 2)


def test_tapes_watch_frozen_weights_but_not_those_made_untrainable():
    frozen, state = Variable([1.0, 2.0]), Variable([1.0, 2.0], trainable=False)
    frozen.trainable, state.trainable = False, True
    with tf.GradientTape() as tape:
        y = frozen * frozen + state * state
    by_frozen, by_state = tape.gradient(y, [frozen, state])
    np.testing.assert_array_equal(by_frozen, [2.0, 4.0])
    assert by_state is None
    assert tape.watched_variables() == (frozen,)


def test_assigning_converts_and_adding_broadcasts():
    weight = Variable([1.0, 2.0])
    weight.assign(tf.constant([1, 2], tf.int64))
    weight.assign(np.array([3.0, 4.0], np.float64))
    weight.assign_add(1.0)
    weight.assign_sub(np.float64(0.5))
    np.testing.assert_array_equal(weight, [3.5, 4.5])
    for action in (weight.assign, weight.assign_add):
        with pytest.raises(ValueError, match="must match"):
            action([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="must match"):
        weight.assign(1.0)
    np.testing.assert_array_equal(weight, [3.5, 4.5])


_COMMON = [
    ("float32", "float64", "float64"),
    ("float32", "float16", "float32"),
    ("float32", "int64", "float32"),
    ("float16", "bfloat16", "float32"),
    ("float16", "int32", "float16"),
    ("bfloat16", "bool", "bfloat16"),
    ("int32", "bfloat16", "bfloat16"),
    ("int32", "int64", "int64"),
    ("int32", "bool", "int32"),
]


@pytest.mark.parametrize(("left", "right", "common"), _COMMON)
def test_operators_on_a_weight_and_a_tensor_of_another_dtype_give_the_common_one(left, right, common):
    weight, tensor = Variable([3, 4], dtype=left), tf.cast([1, 1], right)
    for result, values in [
        (weight + tensor, [4, 5]),
        (weight - tensor, [2, 3]),
        (weight * tensor, [3, 4]),
        (weight // tensor, [3, 4]),
        (weight % tensor, [0, 0]),
        (weight**tensor, [3, 4]),
    ]:
        assert result.dtype == common
        np.testing.assert_array_equal(tf.cast(result, tf.float64), values)
    assert (weight / tensor).dtype == ("float32" if "int" in common else common)
    for result in (weight > tensor, weight >= tensor, weight != tensor, ~(weight == tensor), ~(weight <= tensor)):
        np.testing.assert_array_equal(result, [True, True])
    for result, values in [
        (tensor - weight, [-2, -3]),
        (tensor * weight, [3, 4]),
        (tensor // weight, [0, 0]),
        (tensor % weight, [1, 1]),
        (tensor**weight, [1, 1]),
    ]:
        assert result.dtype == common
        np.testing.assert_array_equal(tf.cast(result, tf.float64), values)
    assert (tensor / weight).dtype == ("float32" if "int" in common else common)
    with pytest.raises(tf.errors.InvalidArgumentError, match="tf.cast"):
        tensor + weight


def test_a_part_of_a_weight_is_assigned():
    weight = Variable([1.0, 2.0, 3.0])
    assert weight[0].assign(7.0) is weight
    weight[1:].assign(tf.constant([5, 6]))
    np.testing.assert_array_equal(weight, [7.0, 5.0, 6.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="broadcast"):
        weight[:2].assign([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(weight, [7.0, 5.0, 6.0])


def test_gradients_flow_through_a_common_dtype():
    weight, factors = Variable([3.0, 4.0]), tf.constant([1.0, 2.0], tf.float64)
    gradient = gradient_of(lambda weight: tf.reduce_sum(weight * factors), weight)
    assert gradient.dtype == "float32"
    np.testing.assert_array_equal(gradient, [1.0, 2.0])


def test_a_variable_of_tensorflow_keeps_its_dtype():
    for operator in (lambda x, y: x + y, lambda x, y: x / y, lambda x, y: x < y, lambda x, y: x == y):
        with pytest.raises((tf.errors.InvalidArgumentError, TypeError)):
            operator(tf.Variable([1.0]), tf.constant([1.0], tf.float64))
    with pytest.raises((tf.errors.InvalidArgumentError, TypeError), match="string"):
        Variable([1.0]) + tf.constant(["a"])


def test_weights_are_read_as_other_variables_are():
    """A read by ``read_value`` takes a third of a layer's call more."""
    assert Variable._read is tf.Variable._read
