"""Layers of convolutions: what they compute, by NumPy; their weights, shapes and configurations; what they refuse."""

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import check_gradient

layers = tf.keras.layers


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def slow(x, kernel, strides, padding, dilation=1):
    """Convolution of (batch, height, width, channels), one window after the other."""
    kh, kw, _, filters = kernel.shape
    spans = [(k - 1) * dilation + 1 for k in (kh, kw)]
    if padding == "same":
        pads = []
        for size, span in zip(x.shape[1:3], spans, strict=True):
            total = max((-(-size // strides) - 1) * strides + span - size, 0)
            pads.append((total // 2, total - total // 2))
        x = np.pad(x, [(0, 0), *pads, (0, 0)])
    counts = [(size - span) // strides + 1 for size, span in zip(x.shape[1:3], spans, strict=True)]
    y = np.zeros((len(x), *counts, filters))
    for i, j in np.ndindex(*counts):
        top, left = i * strides, j * strides
        window = x[:, top : top + spans[0] : dilation, left : left + spans[1] : dilation]
        y[:, i, j] = np.tensordot(window, kernel, 3)
    return y


def made(layer, *shape):
    """The layer, built for inputs of a shape, with random weights."""
    layer.build(shape)
    layer.set_weights([normal(*weight.shape, seed=i) for i, weight in enumerate(layer.weights)])
    return layer


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_conv2d_is_the_convolution(padding, strides, dilation):
    x = normal(2, 8, 9, 3)
    layer = made(
        layers.Conv2D(4, (3, 2), strides, padding, dilation_rate=dilation, activation="relu", dtype="float64"), *x.shape
    )
    kernel, bias = layer.get_weights()
    y = layer(x)
    np.testing.assert_allclose(y, np.maximum(slow(x, kernel, strides, padding, dilation) + bias, 0), atol=1e-12)
    assert layer.compute_output_shape((None, 8, 9, 3)) == (None, *y.shape[1:])
    assert layer.compute_output_shape((2, None, 9, 3)) == (2, None, *y.shape[2:])


def test_channels_may_come_first():
    x = normal(2, 6, 7, 4)
    last = made(layers.Conv2D(4, 3, groups=2, padding="same", dtype="float64"), *x.shape)
    first = layers.Conv2D(4, 3, groups=2, padding="same", data_format="channels_first", dtype="float64")
    first.build((2, 4, 6, 7))
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(np.moveaxis(first(np.moveaxis(x, -1, 1)).numpy(), 1, -1), last(x), atol=1e-12)
    assert first.compute_output_shape((None, 4, 6, 7)) == (None, 4, 6, 7)


def test_groups_see_their_own_channels():
    x = normal(2, 5, 5, 6)
    layer = made(layers.Conv2D(4, 3, groups=2, use_bias=False, dtype="float64"), *x.shape)
    (kernel,) = layer.get_weights()
    halves = [slow(x[..., 3 * i : 3 * i + 3], kernel[..., 2 * i : 2 * i + 2], 1, "valid") for i in range(2)]
    np.testing.assert_allclose(layer(x), np.concatenate(halves, -1), atol=1e-12)


def test_causal_padding_never_looks_ahead():
    x = normal(1, 9, 2)
    layer = made(layers.Conv1D(3, 3, padding="causal", dilation_rate=2, dtype="float64"), *x.shape)
    y = layer(x).numpy()
    changed = x.copy()
    changed[:, 5] += 1
    assert y.shape == (1, 9, 3)
    np.testing.assert_array_equal(layer(changed)[:, :5], y[:, :5])
    assert not np.allclose(layer(changed)[:, 5], y[:, 5])


def test_the_transposed_convolution_is_the_gradient_of_the_convolution():
    for strides, padding, size in ((1, "valid", 9), (2, "valid", 9), (2, "same", 12), (3, "same", 12)):
        x = normal(2, size, size, 4)
        layer = made(layers.Conv2D(5, 3, strides, padding, use_bias=False, dtype="float64"), *x.shape)
        given = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(given)
            y = layer(given)
        g = normal(*y.shape, seed=5)
        wanted = tape.gradient(y, given, output_gradients=tf.constant(g))
        back = layers.Conv2DTranspose(4, 3, strides, padding, use_bias=False, dtype="float64")
        back.build(g.shape)
        back.set_weights(layer.get_weights())
        found = back(g)
        np.testing.assert_allclose(found, wanted, atol=1e-12)
        assert back.compute_output_shape(g.shape) == found.shape


@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise_convolves_each_channel(multiplier):
    x = normal(2, 6, 6, 3)
    layer = made(layers.DepthwiseConv2D(3, depth_multiplier=multiplier, dtype="float64"), *x.shape)
    kernel, bias = layer.get_weights()
    parts = [slow(x[..., c : c + 1], kernel[:, :, c : c + 1], 1, "valid") for c in range(3)]
    np.testing.assert_allclose(layer(x), np.concatenate(parts, -1) + bias, atol=1e-12)


def test_separable_mixes_the_channels_of_a_depthwise_convolution():
    x = normal(2, 6, 6, 3)
    layer = made(layers.SeparableConv2D(5, 3, depth_multiplier=2, dtype="float64"), *x.shape)
    depthwise, pointwise, bias = layer.get_weights()
    parts = [slow(x[..., c : c + 1], depthwise[:, :, c : c + 1], 1, "valid") for c in range(3)]
    np.testing.assert_allclose(layer(x), np.concatenate(parts, -1) @ pointwise[0, 0] + bias, atol=1e-12)
    assert [weight.name for weight in layer.weights] == ["depthwise_kernel", "pointwise_kernel", "bias"]


LAYERS = {
    "Conv1D": (layers.Conv1D, (2, 7, 2), {"filters": 3, "kernel_size": 3}),
    "Conv2D": (layers.Conv2D, (2, 4, 5, 2), {"filters": 3, "kernel_size": 3, "padding": "same"}),
    "Conv3D": (layers.Conv3D, (1, 3, 4, 3, 2), {"filters": 2, "kernel_size": 2, "strides": 2}),
    "Conv1DTranspose": (layers.Conv1DTranspose, (2, 4, 2), {"filters": 3, "kernel_size": 3, "strides": 2}),
    "Conv2DTranspose": (
        layers.Conv2DTranspose,
        (1, 3, 3, 2),
        {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1},
    ),
    "Conv3DTranspose": (layers.Conv3DTranspose, (1, 2, 2, 2, 2), {"filters": 2, "kernel_size": 2}),
    "DepthwiseConv1D": (layers.DepthwiseConv1D, (2, 6, 2), {"kernel_size": 3, "depth_multiplier": 2}),
    "DepthwiseConv2D": (layers.DepthwiseConv2D, (1, 5, 5, 2), {"kernel_size": 3, "strides": 2}),
    "SeparableConv1D": (layers.SeparableConv1D, (2, 6, 2), {"filters": 3, "kernel_size": 3}),
    "SeparableConv2D": (layers.SeparableConv2D, (1, 5, 4, 2), {"filters": 3, "kernel_size": 2}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_inputs_and_weights(name):
    layer, shape, options = LAYERS[name]
    built = made(layer(**options, activation="tanh", dtype="float64"), *shape)

    def function(x, *weights):
        for weight, value in zip(built.weights, weights, strict=True):
            weight._read = lambda value=value: value
        return built(x)

    check_gradient(function, normal(*shape), *built.get_weights())


@pytest.mark.parametrize("name", LAYERS)
def test_a_configuration_makes_the_same_layer(name):
    layer, shape, options = LAYERS[name]
    first = (
        layer(**options, kernel_regularizer="l2")
        if "Conv" in name and "kernel" in layer.weight_names
        else layer(**options)
    )
    again = layers.deserialize(layers.serialize(first))
    assert type(again) is layer
    assert again.get_config() == first.get_config()
    again.build(shape)
    assert again(np.zeros(shape, "f4")).shape == first.compute_output_shape(shape)


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
        (lambda: layers.Conv2D(2, 3, groups=2).build((1, 5, 5, 3)), "divisible"),
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
