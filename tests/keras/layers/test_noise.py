"""Noise in training: GaussianNoise, AlphaDropout and dropout of whole channels."""

import numpy as np
import pytest

import fastgrad as tf

layers = tf.keras.layers
ONES = tf.ones((200, 100))
KINDS = [layers.GaussianNoise, layers.AlphaDropout, layers.SpatialDropout1D]


@pytest.mark.parametrize("kind", KINDS)
def test_only_training_is_noisy_and_seeds_repeat(kind):
    x = tf.ones((4, 5, 6))
    assert kind(0.5)(x) is x
    assert kind(0.0)(x, training=True) is x
    first, second = kind(0.5, seed=3), kind(0.5, seed=3)
    one = first(x, training=True)
    np.testing.assert_array_equal(one, second(x, training=True))
    assert not np.array_equal(one, first(x, training=True))
    assert kind.from_config(first.get_config()).get_config() == first.get_config()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("amount", [-0.1, 1.5])
def test_amounts_are_between_zero_and_one(kind, amount):
    with pytest.raises(ValueError, match=r"must be in the interval \[0, 1\]"):
        kind(amount)


def test_mean_and_deviation():
    added = layers.GaussianNoise(0.3)(ONES, training=True).numpy()
    assert added.mean() == pytest.approx(1.0, abs=0.01)
    assert added.std() == pytest.approx(0.3, rel=0.02)


def test_alpha_dropout_keeps_mean_and_deviation_of_standard_numbers():
    x = tf.random.normal((300, 300), seed=1)
    y = layers.AlphaDropout(0.4, seed=2)(x, training=True).numpy()
    assert y.mean() == pytest.approx(0.0, abs=0.02)
    assert y.std() == pytest.approx(1.0, rel=0.02)
    rows = layers.AlphaDropout(0.4, (None, 1), 2)(x, training=True).numpy()
    assert {len(np.unique(row)) == 1 for row in rows} == {True, False}


@pytest.mark.parametrize(
    ("layer", "shape", "places"),
    [
        (layers.SpatialDropout1D(0.5), (8, 5, 16), (1,)),
        (layers.SpatialDropout2D(0.5), (8, 3, 4, 16), (1, 2)),
        (layers.SpatialDropout2D(0.5, "channels_first"), (8, 16, 3, 4), (2, 3)),
    ],
)
def test_channels_live_or_die_as_a_whole(layer, shape, places):
    y = layer(tf.ones(shape), training=True).numpy()
    assert (y.min(places) == y.max(places)).all()
    assert set(np.unique(y)) == {0.0, 2.0}


def test_noise_runs_compiled():
    layer = layers.GaussianNoise(0.5)
    step = tf.function(lambda x: layer(x, training=True))
    assert not np.array_equal(step(ONES), step(ONES))
