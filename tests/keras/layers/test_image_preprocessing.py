"""Layers of images: random in training, the same by seed, in models, configurations and datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.keras import layers
from tests.keras.recorded_answers import answer, assert_agrees, recorded

PICTURES = (np.arange(2 * 8 * 9 * 3).reshape(2, 8, 9, 3) % 256).astype(np.float32)
LAYERS: dict[str, tuple[Any, ...]] = {
    "RandomFlip": (),
    "RandomCrop": (5, 6),
    "RandomContrast": (0.3,),
    "RandomRotation": (0.3,),
    "RandomZoom": (0.3, 0.2),
    "RandomTranslation": (0.3, 0.2),
}


@pytest.mark.parametrize("name", LAYERS)
def test_images_change_in_training_alone(name: str) -> None:
    layer = getattr(layers, name)(*LAYERS[name])
    call = tf.function(lambda x: layer(x, training=True))
    assert len({call(tf.constant(PICTURES)).numpy().tobytes() for _ in range(12)}) > 1
    np.testing.assert_array_equal(layer(PICTURES, training=False), PICTURES)


@pytest.mark.parametrize("name", LAYERS)
def test_a_seed_determines_the_changes(name: str) -> None:
    first, again = (getattr(layers, name)(*LAYERS[name], seed=5) for _ in range(2))
    copied = type(first).from_config(first.get_config())
    for _ in range(3):
        expected = first(PICTURES, training=True)
        for layer in (again, copied):
            np.testing.assert_array_equal(layer(PICTURES, training=True), expected)


def test_images_of_a_batch_are_flipped_each_for_itself() -> None:
    batch = np.repeat(PICTURES[:1], 100, axis=0)
    flipped = layers.RandomFlip("vertical", seed=1)(batch, training=True).numpy()
    is_flipped = (flipped != batch).any((1, 2, 3))
    assert 25 < is_flipped.sum() < 75
    np.testing.assert_array_equal(flipped[is_flipped], batch[is_flipped][:, ::-1])


def test_changes_keep_to_their_ranges() -> None:
    picture = np.array([40.0, 60.0]).reshape(1, 1, 2, 1).repeat(50, axis=0)
    distances = np.diff(layers.RandomContrast((0.2, 0.5), seed=1)(picture, training=True), axis=2)
    assert 16 <= distances.min() < distances.max() <= 30


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_model_resizes_its_input(data_format: str) -> None:
    shape = (8, 9, 3) if data_format == "channels_last" else (3, 8, 9)
    x = PICTURES.reshape(2, *shape)
    stack = [
        layers.Resizing(6, 6, data_format=data_format),
        layers.CenterCrop(4, 5, data_format=data_format),
        layers.RandomFlip(data_format=data_format),
    ]
    model = tf.keras.Sequential([tf.keras.Input(shape), *stack])
    size = (4, 5, 3) if data_format == "channels_last" else (3, 4, 5)
    assert model.output_shape == (None, *size)
    y = model.predict(x, verbose=0)
    last = y if data_format == "channels_last" else y.transpose(0, 2, 3, 1)
    x_last = x if data_format == "channels_last" else x.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(last, tf.image.resize(x_last, (6, 6))[:, 1:5, :5], rtol=1e-5)


def test_errors_name_the_arguments() -> None:
    with pytest.raises(ValueError, match=r"factor"):
        layers.RandomContrast(-3)
    with pytest.raises(ValueError, match=r"rank 3 \(single image\) or 4 .* data.shape=\(8, 9\)"):
        layers.Resizing(3, 4)(PICTURES[0, :, :, 0])


ANSWERS = recorded("image_layers")


@pytest.mark.parametrize("expression", ANSWERS)
def test_transformed_images_are_those_of_keras(expression: str) -> None:
    assert_agrees(answer(tf, expression), ANSWERS[expression])


@pytest.mark.parametrize("name", ["RandomRotation", "RandomZoom", "RandomTranslation"])
def test_each_image_of_a_batch_is_transformed_by_a_draw_of_its_own(name: str) -> None:
    batch = np.repeat(PICTURES[:1], 5, axis=0)
    images = getattr(layers, name)(*LAYERS[name], seed=3)(batch, training=True).numpy()
    assert len({image.tobytes() for image in images}) == 5


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("fill_mode", ["reflect", "wrap", "constant", "nearest"])
def test_the_gradient_of_a_transformed_image_is_its_transpose(fill_mode: str, interpolation: str) -> None:
    """The transform is linear up to the constant, so the cotangent times a picture is the result's, less that of zeros."""
    layer = layers.RandomRotation((0.13, 0.13), fill_mode, interpolation, fill_value=2.0)
    x = tf.constant(PICTURES[:, :5, :6])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    cotangent = tf.constant(np.random.default_rng(0).normal(size=x.shape).astype(np.float32))
    gradient = tape.gradient(y, x, output_gradients=cotangent)
    constant = layer(tf.zeros_like(x), training=True)
    expected = np.sum((y - constant).numpy().astype(np.float64) * cotangent.numpy())
    np.testing.assert_allclose(np.sum(gradient.numpy().astype(np.float64) * x.numpy()), expected, rtol=1e-4)
