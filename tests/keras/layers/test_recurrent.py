"""Recurrent layers against their formulas in NumPy in float64.

What Keras gives for the same weights is in tests/conformance/programs/recurrent.py, gradients are in
tests/reliability/gradients/cases/layers.py.
"""

import math

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

layers = keras.layers
KINDS = ("LSTM", "GRU", "SimpleRNN")
RNG = np.random.default_rng(0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, states, kernel, recurrent, bias):
    h, c = states
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


def gru_step(x, states, kernel, recurrent, bias):
    (h,) = states
    x_z, x_r, x_h = np.split(x @ kernel + bias[0], 3, axis=1)
    h_z, h_r, h_h = np.split(h @ recurrent + bias[1], 3, axis=1)
    z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
    return [z * h + (1 - z) * np.tanh(x_h + r * h_h)]


def simple_step(x, states, kernel, recurrent, bias):
    return [np.tanh(x @ kernel + states[0] @ recurrent + bias)]


STEPS = {"LSTM": lstm_step, "GRU": gru_step, "SimpleRNN": simple_step}


def in_numpy(kind, x, weights, mask=None, states=None):
    """All outputs and the last states."""
    units = weights[1].shape[0]
    states = [np.zeros((len(x), units))] * (2 if kind == "LSTM" else 1) if states is None else states
    outputs, output = [], np.zeros((len(x), units))
    for t in range(x.shape[1]):
        new = STEPS[kind](x[:, t], states, *weights)
        keep = np.ones((len(x), 1), bool) if mask is None else mask[:, t, None]
        states = [np.where(keep, a, b) for a, b in zip(new, states, strict=True)]
        output = np.where(keep, new[0], output)
        outputs.append(output)
    return np.stack(outputs, 1), states


def weighted(layer, features, scale=0.7):
    """The layer, built, and its weights, which are drawn: smaller for more units, as large ones multiply rounding errors."""
    layer.build((None, 3, features))
    scale /= max(1.0, math.sqrt(layer.units) / 2)
    layer.set_weights([RNG.normal(size=weight.shape) * scale for weight in layer.weights])
    return layer, layer.get_weights()


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 1), (9, 2, 33), (2, 7, 3), (40, 3, 2)])
@pytest.mark.parametrize("units", [1, 4, 17, 70])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_states_are_those_of_the_formulas(kind, units, shape):
    layer, weights = weighted(
        getattr(layers, kind)(units, return_sequences=True, return_state=True, dtype="float64"), shape[-1]
    )
    x = RNG.normal(size=shape)
    outputs, states = in_numpy(kind, x, weights)
    found = layer(x)
    for mine, theirs in zip(found, [outputs, *states], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-13)
    narrow, _ = weighted(getattr(layers, kind)(units), shape[-1])
    narrow.set_weights(weights)
    np.testing.assert_allclose(narrow(x), outputs[:, -1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("units", [3, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_masked_steps_change_nothing(kind, units):
    layer, weights = weighted(
        getattr(layers, kind)(units, return_sequences=True, return_state=True, dtype="float64"), 3
    )
    x, mask = RNG.normal(size=(11, 5, 3)), RNG.random((11, 5)) > 0.4
    states = [RNG.normal(size=(11, units)) for _ in range(2 if kind == "LSTM" else 1)]
    for given in (None, states):
        outputs, last = in_numpy(kind, x, weights, mask, given)
        for mine, theirs in zip(layer(x, mask=mask, initial_state=given), [outputs, *last], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_empty_batches_have_empty_results_and_zero_gradients(kind):
    layer, _ = weighted(getattr(layers, kind)(3, return_sequences=True), 2)
    with tf.GradientTape() as tape:
        y = layer(tf.zeros((0, 4, 2)))
        total = tf.reduce_sum(y)
    assert y.shape == (0, 4, 3)
    assert all(not g.numpy().any() for g in tape.gradient(total, layer.trainable_variables))
    with pytest.raises(ValueError, match="time step"):
        layer(tf.zeros((2, 0, 2)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"recurrent_dropout": 0.5, "dropout": 0.4}, {"activation": "softsign"}])
def test_compiled_layers_do_what_eager_ones_do(kind, options):
    tf.random.set_seed(3)
    layer, _ = weighted(getattr(layers, kind)(5, return_sequences=True, seed=7, **options), 3)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(x, training=True)))
        return [loss, *tape.gradient(loss, layer.trainable_variables)]

    compiled = tf.function(step)
    x = RNG.normal(size=(2, 4, 3)).astype(np.float32)
    if "dropout" not in options:
        wanted = step(tf.constant(x))
        for _ in range(3):
            for mine, theirs in zip(compiled(tf.constant(x)), wanted, strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    else:
        losses = {float(compiled(tf.constant(x))[0]) for _ in range(4)}
        assert len(losses) == 4


def test_dropout_is_the_same_at_all_times_and_new_at_each_call():
    layer = layers.SimpleRNN(4, activation="linear", dropout=0.5, return_sequences=True, kernel_initializer="identity")
    layer.build((None, 3, 4))
    kernel, recurrent, bias = layer.get_weights()
    layer.set_weights([kernel, np.zeros_like(recurrent), bias])
    first, second = (layer(np.ones((8, 5, 4), np.float32), training=True).numpy() for _ in range(2))
    assert set(np.unique(first)) == {0.0, 2.0}
    assert (first == first[:, :1]).all()
    assert (first != second).any()
    assert (layer(np.ones((8, 5, 4), np.float32)).numpy() == 1.0).all()


def test_states_are_kept_from_batch_to_batch():
    _, weights = weighted(layers.GRU(3, dtype="float64"), 2)
    x = RNG.normal(size=(2, 6, 2))
    layer = layers.GRU(3, stateful=True, dtype="float64")
    layer(x[:, :3])
    layer.reset_state()
    layer.set_weights(weights)
    layer(x[:, :3])
    np.testing.assert_allclose(layer(x[:, 3:]), in_numpy("GRU", x, weights)[0][:, -1], rtol=1e-10)
    layer.reset_states()
    assert not layer.states[0].numpy().any()
    assert len(layer.weights) == 3
    with pytest.raises(ValueError, match="the batch size of the states, 2"):
        layer(x[:1])


def test_masks_go_along_with_tensors():
    embedding = layers.Embedding(6, 4, mask_zero=True)
    ids = tf.constant([[1, 2, 0], [3, 0, 0]])
    sequence = layers.Dense(3)(layers.Dropout(0.5)(embedding(ids)))
    layer = layers.LSTM(2)
    np.testing.assert_array_equal(layer(sequence), layer(sequence, mask=tf.not_equal(ids, 0)))
    assert (layer(sequence).numpy() != layer(tf.identity(sequence)).numpy()).any()
    with pytest.warns(UserWarning, match="does not support masking"):
        layers.Flatten()(sequence)


def test_a_model_with_recurrent_layers_learns_and_is_saved(tmp_path):
    def model():
        keras.utils.set_random_seed(1)
        return keras.Sequential(
            [
                keras.Input((8, 2)),
                layers.Bidirectional(layers.GRU(8, return_sequences=True)),
                layers.LSTM(8),
                layers.Dense(1),
            ]
        )

    first, optimizer = model(), keras.optimizers.Adam(0.02)
    x = RNG.normal(size=(64, 8, 2)).astype(np.float32)
    y = np.cumsum(x[..., :1], 1)[:, -1]

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(first(x, training=True) - y))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, first.trainable_variables), first.trainable_variables, strict=True)
        )
        return loss

    losses = [float(step()) for _ in range(60)]
    assert losses[-1] < 0.2 * losses[0]
    first.save_weights(tmp_path / "model.weights.safetensors")
    second = model()
    second.load_weights(tmp_path / "model.weights.safetensors")
    np.testing.assert_array_equal(first(x), second(x))


def test_arguments_that_are_wrong_are_refused():
    for kind in KINDS:
        for units in (0, -1, 2.5, True):
            with pytest.raises(ValueError, match="units"):
                getattr(layers, kind)(units)
        with pytest.raises(ValueError, match="ndim=3"):
            getattr(layers, kind)(2)(np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match="use_cudnn"):
        layers.LSTM(2, use_cudnn="maybe")
    with pytest.raises(ValueError, match="Unrecognized.*use_cudnn"):
        layers.SimpleRNN(2, use_cudnn=True)
    both = layers.Bidirectional(layers.LSTM(2, use_cudnn=False))
    assert both.forward_layer.use_cudnn is both.backward_layer.use_cudnn is False
    with pytest.raises(ValueError, match="initial_state"):
        layers.LSTM(2)(np.ones((1, 2, 3), np.float32), initial_state=[tf.zeros((1, 2))])
