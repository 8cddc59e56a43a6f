"""tf.contrib.eager, the spelling of 2018."""

import numpy as np
import pytest

import fastgrad as tf
import fastgrad.contrib.eager as tfe


def f(x, y):
    return x * x * y


def test_eager_execution_is_always_on():
    tf.enable_eager_execution()
    tfe.enable_eager_execution()
    assert tf.executing_eagerly()
    assert tfe.executing_eagerly()
    assert tf.contrib.eager is tfe
    assert tfe.Variable is tf.Variable
    assert tfe.GradientTape is tf.GradientTape


@pytest.mark.parametrize(
    ("params", "wanted"), [(None, [12.0, 9.0]), ([0], [12.0]), (["y"], [9.0]), (["y", 0], [9.0, 12.0]), ([], [])]
)
def test_gradients_by_arguments(params, wanted):
    assert [float(g) for g in tfe.gradients_function(f, params)(3.0, 2.0)] == wanted
    value, gradients = tfe.value_and_gradients_function(f, params)(tf.constant(3.0), 2.0)
    assert float(value) == 18.0
    assert [float(g) for g in gradients] == wanted


def test_weights_of_the_result_and_higher_orders():
    assert [float(g) for g in tfe.gradients_function(f)(3.0, 2.0, dy=10.0)] == [120.0, 90.0]
    cube = tfe.gradients_function(lambda x: tfe.gradients_function(lambda z: z * z * z)(x)[0])
    assert float(cube(3.0)[0]) == 18.0
    assert [float(g) for g in tfe.gradients_function(lambda x: (x, x * 2.0))(3.0)] == [3.0]


def test_nothing_to_differentiate():
    assert tfe.gradients_function(f)(3, 2) == [None, None]
    assert tfe.gradients_function(lambda x: tf.constant(1.0))(3.0) == [None]
    with pytest.raises(ValueError, match="cannot receive keyword arguments"):
        tfe.gradients_function(f)(3.0, y=2.0)
    with pytest.raises(ValueError, match="forget to return a value from <lambda>"):
        tfe.gradients_function(lambda x: None)(3.0)
    with pytest.raises(IndexError, match="no argument 2"):
        tfe.gradients_function(f, [2])(3.0, 2.0)
    with pytest.raises(ValueError, match="'z' is not"):
        tfe.gradients_function(f, ["z"])(3.0, 2.0)


def test_gradients_by_variables():
    v, w = tfe.Variable(2.0), tfe.Variable(5.0)
    pairs = tfe.implicit_gradients(lambda x: v * x + w)(3.0)
    assert [(float(g), variable is known) for (g, variable), known in zip(pairs, (v, w), strict=True)] == [
        (3.0, True),
        (1.0, True),
    ]
    value, pairs = tfe.implicit_value_and_gradients(lambda x: tf.stop_gradient(v * x) + w)(x=3.0)
    assert float(value) == 11.0
    assert pairs[0][0] is None
    with pytest.raises(ValueError, match="No trainable variables were accessed"):
        tfe.implicit_gradients(lambda x: x)(3.0)
    with pytest.raises(ValueError, match="returns None"):
        tfe.implicit_gradients(lambda x: None)(3.0)


def test_a_program_of_2018():
    tf.enable_eager_execution()
    x = np.linspace(-1, 1, 50, dtype=np.float32)
    dataset = tf.data.Dataset.from_tensor_slices((x, 3 * x + 2)).shuffle(50, seed=0).repeat(20).batch(10)
    weight, bias = tfe.Variable(0.0, name="W"), tfe.Variable(0.0, name="B")
    loss_and_gradients = tfe.implicit_value_and_gradients(lambda x, y: tf.reduce_mean(tf.square(weight * x + bias - y)))
    optimizer = tf.train.GradientDescentOptimizer(learning_rate=0.2)
    step = tf.train.get_or_create_global_step()
    step.assign(0)
    for inputs, targets in tfe.Iterator(dataset):
        loss, pairs = loss_and_gradients(inputs, targets)
        optimizer.apply_gradients(pairs, global_step=step)
    assert int(step) == 100
    assert float(loss) < 1e-4
    np.testing.assert_allclose([float(weight), float(bias)], [3, 2], atol=0.02)
