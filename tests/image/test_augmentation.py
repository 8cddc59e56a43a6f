"""Images changed at random: by chance, by seed, again in each compiled step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import image

PICTURE = np.arange(8 * 9 * 3).reshape(8, 9, 3) / np.float32(216)
CHANGES: dict[str, tuple[Any, ...]] = {
    "flip_left_right": (),
    "flip_up_down": (),
    "crop": ((5, 6, 3),),
    "brightness": (0.4,),
    "contrast": (0.2, 1.8),
    "hue": (0.4,),
    "saturation": (0.2, 1.8),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_each_call_draws_again(name: str, compiled: bool) -> None:
    def change(x: tf.Tensor) -> tf.Tensor:
        return getattr(image, f"random_{name}")(x, *CHANGES[name])

    call = tf.function(change) if compiled else change
    results = {call(tf.constant(PICTURE)).numpy().tobytes() for _ in range(30)}
    assert len(results) == 2 if "flip" in name else len(results) > 5


@pytest.mark.parametrize("name", ["crop", "brightness", "contrast"])
def test_a_seed_determines_the_change(name: str) -> None:
    change = getattr(image, f"stateless_random_{name}")
    compiled = tf.function(lambda x, seed: change(x, *CHANGES[name], seed=seed))
    results = set()
    for number in range(12):
        seed = tf.constant([number, 5])
        changed = change(PICTURE, *CHANGES[name], seed=seed)
        np.testing.assert_array_equal(change(PICTURE, *CHANGES[name], seed=seed), changed)
        np.testing.assert_allclose(compiled(tf.constant(PICTURE), seed), changed, rtol=1e-5, atol=1e-6)
        results.add(changed.numpy().tobytes())
    assert len(results) > 1


def test_images_of_a_batch_are_flipped_each_for_itself() -> None:
    batch = np.stack([PICTURE] * 200)
    is_flipped = (image.random_flip_left_right(batch).numpy() != batch).any((1, 2, 3))
    assert 60 < is_flipped.sum() < 140
    np.testing.assert_array_equal(image.random_flip_left_right(batch)[is_flipped.argmin()].shape, PICTURE.shape)


def test_a_crop_is_a_part_of_the_image() -> None:
    places = set()
    for number in range(60):
        part = image.stateless_random_crop(PICTURE, (5, 6, 3), seed=[number, 1]).numpy()
        top, left = divmod(round(float(part[0, 0, 0]) * 72), 9)
        np.testing.assert_array_equal(part, PICTURE[top : top + 5, left : left + 6])
        places.add((top, left))
    assert {top for top, _ in places} == {0, 1, 2, 3}
    assert {left for _, left in places} == {0, 1, 2, 3}


def test_gradients_flow_through_changes() -> None:
    x = tf.constant(PICTURE)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(image.random_flip_up_down(image.stateless_random_crop(x, (5, 6, 3), [3, 4])))
    assert tf.reduce_sum(tape.gradient(y, x)) == 5 * 6 * 3


def test_errors_name_the_arguments() -> None:
    with pytest.raises(ValueError, match="random_hue: max_delta must be <= 0.5, got 0.7"):
        image.random_hue(PICTURE, 0.7)
    with pytest.raises(ValueError, match="random_contrast: upper must be > lower, got 2 and 1"):
        image.random_contrast(PICTURE, 2, 1)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"Need value.shape >= size, got \[8, 9, 3\] and \[9, 9, 3\]"
    ):
        image.random_crop(PICTURE, (9, 9, 3))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Need value.shape >= size, got \[8, 9, 3\] and \[9, 9\]"):
        image.random_crop(PICTURE, (9, 9))
