"""``tf.train.RandomState``: draws go on where a checkpoint was written."""

import json
import random

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras


def draws():
    named = tf.random.get_global_generator()
    return [
        random.random(),
        np.random.normal(),
        tf.random.normal([2]).numpy().tolist(),
        tf.random.uniform([2], seed=3).numpy().tolist(),
        named.normal([2]).numpy().tolist(),
    ]


@pytest.mark.parametrize("seed", [None, 7])
def test_all_draws_go_on(tmp_path, seed):
    tf.random.set_seed(seed)
    draws()
    path = tf.train.Checkpoint(random=tf.train.RandomState()).save(tmp_path / "c")
    expected = draws()
    later = draws()
    tf.random.set_seed(99)
    random.seed(5)
    np.random.seed(5)
    tf.train.Checkpoint(random=tf.train.RandomState()).restore(path).assert_consumed()
    assert draws() == expected
    assert draws() == later


def test_compiled_draws_go_on(tmp_path):
    draw = tf.function(lambda: tf.random.normal([3]))
    draw()
    draw()
    path = tf.train.Checkpoint(random=tf.train.RandomState()).save(tmp_path / "c")
    expected = draw().numpy()
    draw()
    tf.train.Checkpoint(random=tf.train.RandomState()).restore(path)
    np.testing.assert_array_equal(draw(), expected)


def test_generators_and_those_of_layers(tmp_path):
    net = keras.Sequential([keras.Input((8,)), keras.layers.Dropout(0.5, seed=3)])
    generator = tf.random.Generator.from_seed(4)
    x = tf.ones([2, 8])
    net(x, training=True)
    path = tf.train.Checkpoint(net=net, generator=generator).save(tmp_path / "c")
    expected = net(x, training=True).numpy(), generator.normal([2]).numpy()
    twin = keras.Sequential([keras.Input((8,)), keras.layers.Dropout(0.5, seed=3)])
    other = tf.random.Generator.from_seed(9)
    tf.train.Checkpoint(net=twin, generator=other).restore(path).assert_consumed()
    np.testing.assert_array_equal(twin(x, training=True), expected[0])
    np.testing.assert_array_equal(other.normal([2]), expected[1])
    assert net.get_weights() == []


def test_another_state_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no intact state of the random generators"):
        tf.train.RandomState().restore({"tf": np.zeros(3, np.uint8)})


@pytest.mark.parametrize("name", ["tf", "numpy", "python"])
@pytest.mark.parametrize("text", ["", "[" * 100_000, "3", "{}", '["MT19937", [1], 0, 0, 0.0]', "[3, [1], null]"])
def test_a_state_that_is_damaged_changes_nothing(name, text):
    state = tf.train.RandomState().state()
    other = {part: value.tobytes() for part, value in state.items()}
    tf.random.set_seed(5)
    random.seed(5)
    before = {part: value.tobytes() for part, value in tf.train.RandomState().state().items()}
    other[name] = text.encode()
    with pytest.raises(ValueError, match="no intact state"):
        tf.train.RandomState().restore({part: np.frombuffer(value, np.uint8) for part, value in other.items()})
    assert {part: value.tobytes() for part, value in tf.train.RandomState().state().items()} == before


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("numpy", ["MT19937", [1] * 624, -5, 0, 0.0]),
        ("numpy", ["MT19937", [1] * 624, 1 << 20, 0, 0.0]),
        ("numpy", ["MT19937", [1] * 624, 3, 7, 0.0]),
        ("numpy", ["MT19937", [1] * 624, 3, 0, "text"]),
        ("python", [3, [1] * 625, "text"]),
    ],
)
def test_a_state_beyond_the_words_of_a_generator_is_refused(name, part):
    """NumPy reads the word at the position without a look at it."""
    state = tf.train.RandomState().state()
    state[name] = np.frombuffer(json.dumps(part).encode(), np.uint8)
    with pytest.raises(ValueError, match="no intact state"):
        tf.train.RandomState().restore(state)
