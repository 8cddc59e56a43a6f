"""Layers of convolutions: channels first, what they refuse, and training; tests/conformance/programs/convolutional.py compares the rest with Keras."""

import numpy as np
import pytest

import fastgrad as tf

layers = tf.keras.layers


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def made(layer, *shape):
    """The layer, built for inputs of a shape, with random weights."""
    layer.build(shape)
    layer.set_weights([normal(*weight.shape, seed=i) for i, weight in enumerate(layer.weights)])
    return layer


def test_channels_may_come_first():
    x = normal(2, 6, 7, 4)
    last = made(layers.Conv2D(4, 3, groups=2, padding="same", dtype="float64"), *x.shape)
    first = layers.Conv2D(4, 3, groups=2, padding="same", data_format="channels_first", dtype="float64")
    first.build((2, 4, 6, 7))
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(np.moveaxis(first(np.moveaxis(x, -1, 1)).numpy(), 1, -1), last(x), atol=1e-12)
    assert first.compute_output_shape((None, 4, 6, 7)) == (None, 4, 6, 7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2D(0, 3), "filters"),
        (lambda: layers.Conv2D(2, (3,)), "kernel_size"),
        (lambda: layers.Conv2D(2, 0), "kernel_size"),
        (lambda: layers.Conv2D(2, 3, padding="causal"), "padding"),
        (lambda: layers.Conv2D(2, 3, strides=2, dilation_rate=2), "dilation_rate"),
        (lambda: layers.Conv2D(2, 3, groups=0), "groups"),
        (lambda: layers.Conv2D(3, 3, groups=2), "divisible"),
        (lambda: layers.Conv2D(2, 3, data_format="NHWC"), "data_format"),
        (lambda: layers.Conv2D(2, 3, groups=2).build((1, 5, 5, 3)), "`groups` must divide"),
        (lambda: layers.Conv2D(2, 3).build((1, 5, 5, None)), "channel dimension"),
        (lambda: layers.Conv2D(2, 6).build((1, 5, 5, 3)), "larger"),
        (lambda: layers.Conv2D(2, 3)(np.zeros((2, 5, 3), "f4")), "ndim"),
        (lambda: made(layers.Conv2D(2, 3), 1, 5, 5, 3)(np.zeros((1, 5, 5, 4), "f4")), "axis -1"),
        (lambda: layers.Conv2DTranspose(2, 3, output_padding=1), "output_padding"),
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), "depth_multiplier"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_kernel_is_there_when_the_layer_is_built():
    layer = layers.Conv2D(2, 3)
    with pytest.raises(AttributeError, match="build the layer"):
        _ = layer.kernel
    layer.build((None, 8, 8, 3))
    assert layer.kernel.shape == (3, 3, 3, 2)
    assert [weight.path for weight in layer.weights] == [f"{layer.name}/kernel", f"{layer.name}/bias"]


def test_a_compiled_step_trains_as_the_eager_one():
    x, labels = normal(4, 8, 8, 3).astype("f4"), np.array([0, 1, 2, 1])
    losses = []
    for mode in (tf.function, lambda step: step):
        tf.keras.utils.set_random_seed(3)
        model = tf.keras.Sequential(
            [
                layers.Conv2D(8, 3, padding="same", use_bias=False),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.MaxPooling2D(),
                layers.Conv2D(16, 3, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(3),
            ]
        )
        model.build(x.shape)
        optimizer = tf.keras.optimizers.SGD(0.1)
        criterion = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        def step(x, y, model=model, optimizer=optimizer, criterion=criterion):
            with tf.GradientTape() as tape:
                loss = criterion(y, model(x, training=True))
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
            )
            return loss

        run = mode(step)
        losses.append([float(run(tf.constant(x), tf.constant(labels))) for _ in range(6)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert losses[0][-1] < losses[0][0]
