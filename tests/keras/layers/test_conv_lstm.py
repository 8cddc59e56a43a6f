"""``ConvLSTM2D`` against answers of Keras 3.15."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

layers = keras.layers


def wave(*shape):
    return np.sin(np.arange(np.prod(shape)) * 0.37 + 0.2).reshape(shape).astype(np.float32)


def with_wave_weights(layer, input_shape):
    layer.build(input_shape)
    layer.set_weights([wave(*weight.shape) * 0.5 + 0.1 * i for i, weight in enumerate(layer.weights)])
    return layer


CASES = [  # rank, options, shape, outputs, gradient by the inputs
    (
        2,
        {"strides": 2},
        (1, 2, 4, 4, 1),
        [-0.0026537, 0.3789414, 0.6883132, 0.3937028],
        [
            *(0.012952, 0.01152, 0.03898, 0.044024, -0.010863, -0.01349, -0.030997, -0.049645),
            *(0.025712, 0.03831, 0.082279, 0.086909, -0.018765, -0.041713, -0.066519, -0.098972),
            *(0.01959, 0.015607, 0.083938, 0.071825, -0.016759, -0.018646, -0.070913, -0.084685),
            *(0.057967, 0.052502, 0.120399, 0.122101, -0.048446, -0.061287, -0.098257, -0.139919),
        ],
    ),
]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("rank", "options", "shape", "outputs", "gradients"), CASES)
def test_values_and_gradients_are_those_of_keras(rank, options, shape, outputs, gradients, compiled):
    layer = with_wave_weights(getattr(layers, f"ConvLSTM{rank}D")(1, 2, **options), shape)
    assert [(w.path.split("/", 1)[1], tuple(w.shape)) for w in layer.weights] == [
        ("conv_lstm_cell/kernel", (*[2] * rank, 1, 4)),
        ("conv_lstm_cell/recurrent_kernel", (*[2] * rank, 1, 4)),
        ("conv_lstm_cell/bias", (4,)),
    ]

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y * wave(*y.shape))
        return y, tape.gradient(loss, x)

    y, gradient = (tf.function(step) if compiled else step)(tf.constant(wave(*shape)))
    np.testing.assert_allclose(np.ravel(y), outputs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.ravel(gradient), gradients, rtol=1e-4, atol=1e-5)
    assert layer.compute_output_shape((None, *shape[1:])) == (None, *y.shape[1:])


def test_shapes_states_and_configurations():
    rank = 2
    x = wave(2, 3, *[5] * rank, 2)
    layer = getattr(layers, f"ConvLSTM{rank}D")(3, 2, return_sequences=True, return_state=True, padding="same")
    sequences, h, c = layer(x)
    assert sequences.shape == (2, 3, *[5] * rank, 3)
    assert h.shape == c.shape == (2, *[5] * rank, 3)
    np.testing.assert_array_equal(sequences[:, -1], h)
    assert [s.shape for s in layer(keras.Input(x.shape[1:]))] == [(None, *s.shape[1:]) for s in (sequences, h, c)]
    config = layer.get_config()
    assert config["filters"] == 3
    assert not {"units", "rank", "cell"} & config.keys()
    twin = type(layer).from_config(config)
    twin.build(x.shape)
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(twin(x)[0], sequences)
    first = getattr(layers, f"ConvLSTM{rank}D")(
        3, 2, return_sequences=True, padding="same", data_format="channels_first"
    )
    first.build((2, 3, 2, *[5] * rank))
    first.set_weights(layer.get_weights())
    np.testing.assert_allclose(np.moveaxis(first(np.moveaxis(x, -1, 2)), 2, -1), sequences, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layer.cell.bias[3:6], [1.0, 1.0, 1.0])


def test_masks_initial_states_and_stateful_batches():
    x = wave(2, 3, 4, 4, 1)
    layer = with_wave_weights(layers.ConvLSTM2D(2, 2), x.shape)
    np.testing.assert_allclose(layer(x, mask=tf.constant([[True, True, False]] * 2)), layer(x[:, :2]), rtol=1e-6)
    stateful = with_wave_weights(layers.ConvLSTM2D(2, 2, stateful=True, return_state=True), x.shape)
    _, *states = stateful(x)
    second, *_ = stateful(x)
    np.testing.assert_allclose(second, layer(x, initial_state=states), rtol=1e-6)
    stateful.reset_state()
    np.testing.assert_array_equal(stateful(x)[0], layer(x))


def test_dropout_draws_for_each_gate():
    x = np.ones((1, 2, 4, 4, 1), np.float32)
    layer = layers.ConvLSTM2D(2, 2, dropout=0.5, recurrent_dropout=0.3, seed=3)
    assert np.any(layer(x, training=True) != layer(x))
    assert len(layer.cell.get_dropout_mask(tf.ones((1, 4, 4, 1)))) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": 0}, "filters"),
        ({"strides": 2, "dilation_rate": 2}, "must be 1"),
        ({"padding": "causal"}, "padding"),
        ({"kernel_size": (1, 2, 3)}, "kernel_size"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        layers.ConvLSTM2D(**{"filters": 1, "kernel_size": 2, **options})
    with pytest.raises(ValueError, match="static input shapes"):
        layers.ConvLSTM2D(1, 2).build((None, None, None, 4, 1))
