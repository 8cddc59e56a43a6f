"""Layers that are one operation here: LSTM and GRU over all steps, attention, layer normalization."""

import inspect

import keras
import numpy as np
import pytest

import fastgrad as tf


def normal(*shape, dtype="float32"):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


MASKS = {
    "none": None,
    "right": np.arange(5) < np.array([[5], [2], [3]]),
    "left": np.arange(5) >= np.array([[0], [2], [4]]),
    "holes": np.array([[1, 0, 1, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("options", [{}, {"go_backwards": True}, {"zero_output_for_mask": True}], ids=str)
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent_layers_over_all_steps_are_keras_own_loop(kind, options, sequences, mask):
    layer = getattr(keras.layers, kind)(3, return_sequences=sequences, return_state=True, use_cudnn="auto", **options)
    x, state = tf.constant(normal(3, 5, 4)), tf.constant(normal(3, 3))
    states = [state, 2.0 * state] if kind == "LSTM" else [state]
    mask = None if MASKS[mask] is None else tf.constant(MASKS[mask])
    results = []
    for use_cudnn in ("auto", False):
        layer.use_cudnn = use_cudnn
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            outputs = layer(x, initial_state=states, mask=mask)
            loss = sum(tf.reduce_sum(tf.sin(y)) for y in outputs)
        results.append([*outputs, *tape.gradient(loss, [x, *states, *layer.trainable_weights])])
    for fast, loop in zip(*results, strict=True):
        np.testing.assert_allclose(fast, loop, rtol=1e-5, atol=1e-6)


def attention_of_arrays(query, key, value, mask, scale, is_causal):
    """Returns attention in float64, by NumPy: a query that sees no key gets the mean of all values, as in Keras."""
    groups = query.shape[2] // key.shape[2]
    key, value = np.repeat(key, groups, 2), np.repeat(value, groups, 2)
    scores = np.einsum("btnh,bsnh->bnts", query, key) * scale
    visible = np.ones(scores.shape, bool) if mask is None else np.broadcast_to(mask, scores.shape)
    visible = visible & np.tri(*scores.shape[2:], dtype=bool) if is_causal else visible
    scores = np.where(visible, scores, -1e30)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("bnts,bsnh->btnh", weights / weights.sum(-1, keepdims=True), value)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize(
    "mask", [None, normal(2, 1, 6, 5) > 0.3, normal(2, 4, 1, 5) > 0.8], ids=["none", "rows", "heads"]
)
@pytest.mark.parametrize("heads", [4, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_attention_is_that_of_its_definition(dtype, heads, mask, is_causal):
    arrays = [normal(2, 6, 4, 3, dtype=dtype), normal(2, 5, heads, 3, dtype=dtype), normal(2, 5, heads, 7, dtype=dtype)]
    wanted = attention_of_arrays(*[x.astype("float64") for x in arrays], mask, 3.0**-0.5, is_causal)
    result = keras.ops.dot_product_attention(*arrays, mask=mask, is_causal=is_causal)
    assert str(result.dtype.name) == dtype
    np.testing.assert_allclose(result, wanted, rtol=1e-5 if dtype == "float32" else 1e-10, atol=1e-6)


def test_attention_with_a_bias_or_of_half_width_is_keras_own():
    arrays = [normal(2, 6, 4, 3), normal(2, 5, 4, 3), normal(2, 5, 4, 3)]
    wanted = attention_of_arrays(*arrays, None, 0.5, False)
    zeros = keras.ops.dot_product_attention(*arrays, bias=np.zeros((2, 4, 6, 5), "float32"), scale=0.5)
    half = keras.ops.dot_product_attention(*[x.astype("float16") for x in arrays], scale=0.5)
    np.testing.assert_allclose(zeros, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(half, wanted, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("options", [{}, {"axis": 1}, {"axis": [1, 2]}, {"center": False}, {"scale": False}], ids=str)
def test_layer_normalization_and_its_gradient_are_those_of_the_formula(options, dtype):
    layer = keras.layers.LayerNormalization(epsilon=0.01, dtype=dtype, **options)
    x = tf.constant(normal(3, 4, 5, dtype=dtype))
    layer.build(x.shape)
    for number, weight in enumerate(layer.weights):
        weight.assign(1.5 + number + normal(*weight.shape, dtype=dtype))
    axes = np.atleast_1d(options.get("axis", -1)).tolist()
    shape = [size if axis in axes or axis - 3 in axes else 1 for axis, size in enumerate(x.shape)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = layer(x)
        mean, variance = tf.nn.moments(x, axes, keepdims=True)
        wanted = (x - mean) / tf.sqrt(variance + 0.01)
        if layer.gamma is not None:
            wanted = wanted * tf.reshape(layer.gamma.value, shape)
        if layer.beta is not None:
            wanted = wanted + tf.reshape(layer.beta.value, shape)
        losses = tf.reduce_sum(tf.sin(y)), tf.reduce_sum(tf.sin(wanted))
    tolerance = {"float32": 1e-5, "float64": 1e-12, "float16": 3e-2}[dtype]
    variables = [x, *layer.trainable_weights]
    results, expected = [y, *tape.gradient(losses[0], variables)], [wanted, *tape.gradient(losses[1], variables)]
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("options", [{}, {"axis": 1}, {"center": False}, {"scale": False}], ids=str)
def test_batch_normalization_and_its_gradient_are_those_of_the_formula(options, dtype, training):
    layer = keras.layers.BatchNormalization(epsilon=0.01, momentum=0.9, dtype=dtype, **options)
    x = tf.constant(normal(3, 4, 5, dtype=dtype))
    layer.build(x.shape)
    for number, weight in enumerate(layer.trainable_weights):
        weight.assign(1.5 + number + normal(*weight.shape))
    layer.moving_variance.assign(2.0 + normal(*layer.moving_variance.shape) ** 2)
    axis = options.get("axis", 2)
    shape = [size if place == axis else 1 for place, size in enumerate(x.shape)]
    moving = tf.reshape(layer.moving_mean, shape), tf.reshape(layer.moving_variance, shape)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = layer(x, training=training)
        wide = tf.cast(x, "float64")
        mean, variance = tf.nn.moments(wide, [place for place in range(3) if place != axis], keepdims=True)
        used = (mean, variance) if training else [tf.cast(each, "float64") for each in moving]
        wanted = (wide - used[0]) / tf.sqrt(used[1] + 0.01)
        if layer.gamma is not None:
            wanted = wanted * tf.cast(tf.reshape(layer.gamma.value, shape), "float64")
        if layer.beta is not None:
            wanted = wanted + tf.cast(tf.reshape(layer.beta.value, shape), "float64")
        losses = tf.reduce_sum(tf.sin(y)), tf.reduce_sum(tf.sin(wanted))
    tolerance = {"float32": 2e-5, "float64": 1e-12, "float16": 3e-2}[dtype]
    variables = [x, *layer.trainable_weights]
    results, expected = [y, *tape.gradient(losses[0], variables)], [wanted, *tape.gradient(losses[1], variables)]
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=tolerance, atol=tolerance)
    if training:
        wanted = 0.9 * moving[0].numpy() + 0.1 * mean.numpy()
        np.testing.assert_allclose(tf.reshape(layer.moving_mean, shape), wanted, rtol=1e-2, atol=1e-3)


def test_batch_normalization_has_the_parameters_of_kerass():
    function = keras.src.backend.nn.batch_normalization
    assert inspect.signature(function) == inspect.signature(function.__wrapped__)


def test_select_and_unique_are_numpys():
    x = np.array([[2, 1], [1, 3], [2, 1], [1, 3], [0, 5]], "int32")
    values, inverse, counts = keras.ops.unique(x, axis=0, return_inverse=True, return_counts=True)
    wanted, wanted_inverse, wanted_counts = np.unique(x, axis=0, return_inverse=True, return_counts=True)
    np.testing.assert_array_equal(values, wanted)
    np.testing.assert_array_equal(inverse, wanted_inverse)
    np.testing.assert_array_equal(counts, wanted_counts)
    chosen = keras.ops.select([x < 1, x > 2], [x * 10, -x], 7)
    np.testing.assert_array_equal(chosen, np.select([x < 1, x > 2], [x * 10, -x], 7))
