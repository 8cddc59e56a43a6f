"""``squares_repeated_rows_apart``: the squares of an embedding's repeated rows, as Keras on TensorFlow adds them up.

``tests/conformance/programs/repeated_rows.py`` compares training with TensorFlow.
"""

import numpy as np
import pytest

import fastgrad as tf

optimizers = tf.keras.optimizers
PARTS = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]], np.float32)


def gradient(ids=(2, 0, 2)):
    return tf.IndexedSlices(tf.constant(PARTS), tf.constant(ids), tf.constant([4, 2]))


def step(optimizer, slices, compiled=False):
    table = tf.Variable(np.ones((4, 2), np.float32))

    def apply():
        optimizer.apply([slices], [table])

    (tf.function(apply) if compiled else apply)()
    return table


@pytest.mark.parametrize("compiled", [False, True])
def test_the_slot_has_the_sum_of_squares_and_the_step_the_sum(compiled):
    optimizer = optimizers.RMSprop(0.1, rho=0.75, epsilon=1e-20)
    optimizer.squares_repeated_rows_apart = True
    table = step(optimizer, gradient(), compiled)
    sums, squares = np.zeros((2, 4, 2))
    np.add.at(sums, [2, 0, 2], PARTS)
    np.add.at(squares, [2, 0, 2], PARTS**2)
    np.testing.assert_allclose(optimizer.slot("velocity")[0], 0.25 * squares, rtol=1e-6)
    rows = [0, 2]
    np.testing.assert_allclose(table.numpy()[rows], 1 - 0.1 * sums[rows] / np.sqrt(0.25 * squares[rows]), rtol=1e-6)
    np.testing.assert_array_equal(table.numpy()[[1, 3]], 1.0)


def test_it_is_off_and_may_be_set_between_compiled_steps():
    optimizer = optimizers.Adagrad(0.1, initial_accumulator_value=1.0)
    table = tf.Variable(np.ones((4, 2), np.float32))

    @tf.function
    def apply():
        optimizer.apply([gradient()], [table])
        return optimizer.slot("accumulator")[0].read_value()[2, 0]

    assert float(apply()) == 1.0 + 1.5**2
    optimizer.squares_repeated_rows_apart = True
    assert float(apply()) == pytest.approx(1.0 + 1.5**2 + 1.0 + 0.25)
    optimizer.squares_repeated_rows_apart = False
    assert float(apply()) == pytest.approx(1.0 + 2 * 1.5**2 + 1.0 + 0.25)


def test_dense_gradients_and_rows_that_come_once_are_as_without_it():
    for slices in (gradient((2, 0, 1)), tf.constant(np.ones((4, 2), np.float32))):
        tables = []
        for value in (False, True):
            optimizer = optimizers.Adam(0.1)
            optimizer.squares_repeated_rows_apart = value
            tables.append(step(optimizer, slices).numpy())
        np.testing.assert_array_equal(*tables)


@pytest.mark.parametrize(
    ("optimizer", "text"),
    [
        (optimizers.SGD(0.1), "SGD: .* needs a slot of squares"),
        (
            optimizers.Adam(0.1, clipnorm=1.0),
            "does not work with clipnorm. Leave out clipnorm and clip the gradients before apply; or",
        ),
        (optimizers.Adam(0.1, gradient_accumulation_steps=2), "does not work with gradient_accumulation_steps"),
        (optimizers.Adam(0.1, beta_2=0.0), "does not work with beta_2=0"),
    ],
)
def test_what_it_does_not_work_with(optimizer, text):
    optimizer.squares_repeated_rows_apart = True
    table = tf.Variable(np.ones((4, 2), np.float32))
    with pytest.raises(ValueError, match=text):
        optimizer.apply([gradient()], [table])
    np.testing.assert_array_equal(table, 1.0)
    assert int(optimizer.iterations) == 0


def test_an_error_of_another_gradient_changes_no_slot():
    optimizer = optimizers.Adagrad(0.1, initial_accumulator_value=1.0)
    optimizer.squares_repeated_rows_apart = True
    table, bias = tf.Variable(np.ones((4, 2), np.float32)), tf.Variable(np.ones(3, np.float32))
    optimizer.build([table, bias])
    with pytest.raises(tf.errors.InvalidArgumentError, match="shape"):
        optimizer.apply([gradient(), tf.ones(2)], [table, bias])
    np.testing.assert_array_equal(optimizer.slot("accumulator")[0], 1.0)
