"""`keras.random`: what draws depend on, and functions of Keras 2 that TensorFlow's own can't be asked about."""

import numpy as np
import pytest

import fastgrad as tf

random = tf.keras.random


def test_a_compiled_function_goes_on_with_a_generator():
    generator = random.SeedGenerator(5)
    draw = tf.function(lambda: random.normal((3,), seed=generator))
    compiled = [draw().numpy() for _ in range(3)]
    eager = random.SeedGenerator(5)
    for numbers in compiled:
        np.testing.assert_array_equal(numbers, random.normal((3,), seed=eager))
    np.testing.assert_array_equal(generator.state, [5, 3])


def test_the_global_generator_follows_from_the_seed_of_the_program():
    drawn = []
    for _ in range(2):
        tf.keras.utils.set_random_seed(3)
        drawn.append([random.uniform((2,)).numpy(), random.uniform((2,)).numpy()])
    np.testing.assert_array_equal(*drawn)
    assert not np.array_equal(drawn[0][0], drawn[0][1])


def test_draws_without_a_seed_begin_anew_after_clear_session():
    tf.keras.utils.set_random_seed(3)
    first = random.normal((4,)).numpy()
    tf.keras.backend.clear_session()
    assert not np.array_equal(first, random.normal((4,)))


@pytest.mark.parametrize(
    ("draw", "mean", "deviation"),
    [
        (lambda: random.normal((20_000,), 2.0, 3.0, seed=1), 2.0, 3.0),
        (lambda: random.uniform((20_000,), -1.0, 3.0, seed=1), 1.0, 4 / np.sqrt(12)),
        (lambda: random.gamma((20_000,), 4.0, seed=1), 4.0, 2.0),
        (lambda: random.beta((20_000,), 2.0, 2.0, seed=1), 0.5, np.sqrt(0.05)),
        (lambda: random.binomial((20_000,), 10.0, 0.3, seed=1), 3.0, np.sqrt(2.1)),
        (lambda: tf.cast(random.randint((20_000,), 0, 10, seed=1), tf.float32), 4.5, np.sqrt(8.25)),
        (lambda: random.dropout(tf.ones(20_000), 0.25, seed=1), 1.0, np.sqrt(1 / 3)),
    ],
)
def test_draws_have_their_mean_and_deviation(draw, mean, deviation):
    numbers = draw().numpy().astype(np.float64)
    np.testing.assert_allclose(numbers.mean(), mean, atol=5 * deviation / np.sqrt(len(numbers)))
    np.testing.assert_allclose(numbers.std(), deviation, rtol=0.05)


def test_noise_of_a_shape_is_one_for_a_row():
    dropped = random.dropout(tf.ones((50, 4)), 0.5, noise_shape=(None, 1), seed=2).numpy()
    assert set(map(tuple, dropped)) == {(0.0,) * 4, (2.0,) * 4}


def test_switch_of_rows_chooses_rows():
    rows = tf.keras.backend.switch(tf.constant([True, False]), tf.ones((2, 3)), tf.zeros((2, 3)))
    np.testing.assert_array_equal(rows, [[1, 1, 1], [0, 0, 0]])


def test_functions_of_keras_2_are_listed():
    assert {"square", "sum", "conv2d", "batch_dot"} <= set(dir(tf.keras.backend))
    with pytest.raises(AttributeError, match="no attribute .no_such_name"):
        _ = tf.keras.backend.no_such_name
