"""Boxes: crops beside SciPy, suppression beside its definition, random boxes, compiled."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import fastgrad as tf
from fastgrad import image
from tests.gradients import check_gradient

RANDOM = np.random.default_rng(7)
PICTURES = RANDOM.random((2, 6, 7, 1)).astype(np.float32)
BOXES = np.sort(RANDOM.random((40, 2, 2)), axis=1).reshape(40, 4).astype(np.float32)
SCORES = RANDOM.permutation(40).astype(np.float32)


def test_crops_are_bilinear_samples() -> None:
    crop = image.crop_and_resize(PICTURES, BOXES[:3], [0, 1, 0], (4, 5))
    for number, picture in enumerate((0, 1, 0)):
        y1, x1, y2, x2 = BOXES[number] * [5, 6, 5, 6]
        grid = np.meshgrid(np.linspace(y1, y2, 4), np.linspace(x1, x2, 5), indexing="ij")
        expected = ndimage.map_coordinates(PICTURES[picture, :, :, 0], grid, order=1)
        np.testing.assert_allclose(crop[number, :, :, 0], expected, atol=1e-5)


def test_crops_have_gradients_of_images_and_boxes() -> None:
    def crop(pictures: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        crops = image.crop_and_resize(pictures, tf.cast(boxes, tf.float32), [0, 1], (3, 3))
        return tf.cast(crops**2, tf.float64)

    boxes = np.array([[0.13, 0.21, 0.77, 0.86], [0.91, 0.08, 0.23, 0.74]])
    check_gradient(crop, PICTURES, boxes, step=1e-3, rtol=1e-2, atol=2e-3)


def _intersection_over_union(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = np.prod(sides) if (sides > 0).all() else 0.0
    return float(common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common))


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.6])
def test_suppression_keeps_boxes_that_overlap_no_better_one(threshold: float) -> None:
    expected: list[int] = []
    for index in np.argsort(-SCORES):
        if all(_intersection_over_union(BOXES[index], BOXES[kept]) <= threshold for kept in expected):
            expected.append(int(index))
    for suppress in (image.non_max_suppression, tf.function(image.non_max_suppression)):
        assert suppress(BOXES, SCORES, 40, threshold).numpy().tolist() == expected
    padded, count = image.non_max_suppression_padded(BOXES, SCORES, 50, threshold, pad_to_max_output_size=True)
    assert padded.numpy().tolist() == expected + [0] * (50 - len(expected))
    assert count == len(expected)


def test_a_compiled_suppression_follows_its_scores() -> None:
    suppress = tf.function(lambda scores: image.non_max_suppression(BOXES, scores, 40, 0.2))
    for scores in (SCORES, SCORES[::-1].copy(), np.zeros(40, np.float32)):
        x = tf.constant(scores)
        np.testing.assert_array_equal(suppress(x), image.non_max_suppression(BOXES, x, 40, 0.2))


@pytest.mark.parametrize("compiled", [False, True])
def test_random_boxes_keep_to_their_ranges(compiled: bool) -> None:
    objects = tf.constant([[[0.2, 0.3, 0.6, 0.8]]])

    def sample() -> tuple[tf.Tensor, ...]:
        return tuple(
            image.sample_distorted_bounding_box(
                [100, 80, 3], objects, 0, 0.5, aspect_ratio_range=(0.5, 2.0), area_range=(0.2, 0.9)
            )
        )

    draw = tf.function(sample) if compiled else sample
    boxes = set()
    for _ in range(60):
        begin, size, bounds = (part.numpy() for part in draw())
        (top, left, _), (height, width, channels) = begin, size
        assert channels == -1
        assert 0.19 <= height * width / 8000 <= 0.91
        assert 0.45 <= width / height <= 2.2
        covered = max(0, min(60, top + height) - max(20, top)) * max(0, min(64, left + width) - max(24, left))
        assert covered >= 0.5 * 40 * 40
        np.testing.assert_allclose(
            bounds.ravel() * [100, 80, 100, 80], [top, left, top + height, left + width], rtol=1e-5
        )
        boxes.add((top, left, height, width))
    assert len(boxes) > 40


def test_a_seed_gives_one_box() -> None:
    boxes = tf.constant([[[0.2, 0.3, 0.6, 0.8]]])
    first, again, other = (
        image.stateless_sample_distorted_bounding_box([100, 80, 3], boxes, seed) for seed in ([1, 2], [1, 2], [3, 4])
    )
    np.testing.assert_array_equal(first.bboxes, again.bboxes)
    assert (first.bboxes != other.bboxes).numpy().any()


def test_errors_name_the_arguments() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`iou_threshold` must be in .* \[0, 1\]\. .*1\.5"):
        image.non_max_suppression(BOXES, SCORES, 3, 1.5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`method` must be one of .*method='area'"):
        image.crop_and_resize(PICTURES, BOXES[:1], [0], (2, 2), "area")
    with pytest.raises(tf.errors.InvalidArgumentError, match="no boxes: pass some"):
        image.sample_distorted_bounding_box([9, 9, 3], tf.zeros((1, 0, 4)))
