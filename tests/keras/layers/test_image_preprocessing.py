"""Layers of images: random in training, the same by seed, in models, configurations and datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.keras import layers

PICTURES = (np.arange(2 * 8 * 9 * 3).reshape(2, 8, 9, 3) % 256).astype(np.float32)
LAYERS: dict[str, tuple[Any, ...]] = {
    "RandomFlip": (),
    "RandomCrop": (5, 6),
    "RandomBrightness": (0.3,),
    "RandomContrast": (0.3,),
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
    brighter = layers.RandomBrightness((0.2, 0.4), value_range=(0, 100), seed=1)(
        np.full((50, 2, 2, 1), 10.0), training=True
    )
    assert 30 <= brighter.numpy().min() < brighter.numpy().max() <= 50
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
    with pytest.raises(ValueError, match=r"in the range \[-1, 1\]. Received: factor=3"):
        layers.RandomBrightness(3)
    with pytest.raises(ValueError, match=r"rank 3 \(single image\) or 4 .* data.shape=\(8, 9\)"):
        layers.Resizing(3, 4)(PICTURES[0, :, :, 0])
