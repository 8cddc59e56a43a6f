"""Layers of images move bounding boxes, masks and labels with the pixels, eagerly, in functions and in datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.keras import layers

HEIGHT, WIDTH = 40, 60
CONSTANT: dict[str, Any] = {"fill_mode": "constant"}
MOVERS: dict[str, Any] = {
    "flip": layers.RandomFlip,
    "flip along one axis": lambda **options: layers.RandomFlip("horizontal", **options),
    "crop": lambda **options: layers.RandomCrop(30, 50, **options),
    "crop of smaller images": lambda **options: layers.RandomCrop(80, 100, **options),
    "rotation": lambda **options: layers.RandomRotation(0.1, **CONSTANT, **options),
    "zoom": lambda **options: layers.RandomZoom(0.3, 0.2, **CONSTANT, **options),
    "zoom of both axes": lambda **options: layers.RandomZoom((0.3, 0.3), **CONSTANT, **options),
    "translation": lambda **options: layers.RandomTranslation(0.2, 0.3, **CONSTANT, **options),
    "center": lambda seed, **options: layers.CenterCrop(30, 40, **options),
    "center of smaller images": lambda seed, **options: layers.CenterCrop(50, 50, **options),
    "size": lambda seed, **options: layers.Resizing(70, 30, **options),
    "size of a part": lambda seed, **options: layers.Resizing(45, 45, crop_to_aspect_ratio=True, **options),
    "size with borders": lambda seed, **options: layers.Resizing(80, 100, pad_to_aspect_ratio=True, **options),
}


def example(form: str = "xyxy", data_format: str = "channels_last") -> dict[str, Any]:
    """Two pictures with a rectangle each, a box around it, and a mask of it; the second box fills up the row."""
    boxes = np.array([[[15.0, 12.0, 30.0, 24.0], [0.0] * 4], [[24.0, 8.0, 44.0, 30.0], [0.0] * 4]], np.float32)
    images = np.zeros((2, HEIGHT, WIDTH, 1), np.float32)
    for image, (left, top, right, bottom) in zip(images, boxes[:, 0].astype(int), strict=True):
        image[top:bottom, left:right] = 200.0
    masks = (images > 0).astype(np.int32)
    if data_format == "channels_first":
        images, masks = images.transpose(0, 3, 1, 2), masks.transpose(0, 3, 1, 2)
    converted = tf.keras.utils.bounding_boxes.convert_format(boxes, "xyxy", form, HEIGHT, WIDTH).numpy()
    converted[:, 1] = 0
    return {
        "images": images,
        "bounding_boxes": {"boxes": converted, "labels": np.array([[3, -1], [4, -1]])},
        "labels": np.array([1, 0]),
        "segmentation_masks": masks,
    }


def assert_boxes_surround_masks(result: dict[str, Any], form: str, data_format: str, tolerance: float = 1.01) -> None:
    masks = np.asarray(result["segmentation_masks"])
    masks = masks[:, 0] if data_format == "channels_first" else masks[..., 0]
    assert masks.dtype == np.int32
    assert set(np.unique(masks)) <= {0, 1}
    boxes = result["bounding_boxes"]["boxes"]
    boxes = tf.keras.utils.bounding_boxes.convert_format(boxes, form, "xyxy", *masks.shape[1:]).numpy()
    for mask, box, label in zip(masks, boxes[:, 0], result["bounding_boxes"]["labels"].numpy()[:, 0], strict=True):
        rows, columns = np.nonzero(mask)
        assert label in (3, 4)
        np.testing.assert_allclose(
            box, [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], atol=tolerance, err_msg=str(form)
        )


@pytest.mark.parametrize(("form", "data_format"), [("xyxy", "channels_last"), ("rel_center_xywh", "channels_first")])
@pytest.mark.parametrize("mover", MOVERS)
def test_boxes_stay_around_what_is_inside_of_them(mover: str, form: str, data_format: str) -> None:
    data = example(form, data_format)
    if mover == "several" and data_format == "channels_last":
        data["images"] = np.repeat(data["images"], 3, -1)
    elif mover == "several":
        data["images"] = np.repeat(data["images"], 3, 1)
    layer = MOVERS[mover](seed=7, bounding_box_format=form, data_format=data_format)
    again = type(layer).from_config(layer.get_config())
    compiled = tf.function(lambda x: again(x, training=True))
    tolerance = (
        4.0
        if mover == "several"
        else 3.0
        if mover == "rotation"
        else 2.2
        if "size" in mover or "smaller" in mover
        else 1.5
    )
    is_moved = False
    for _ in range(5):
        result, repeated = layer(data, training=True), compiled(data)
        tf.nest.map_structure(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-2), result, repeated)
        assert_boxes_surround_masks(result, form, data_format, tolerance)
        np.testing.assert_array_equal(result["labels"], [1, 0])
        is_moved |= not np.array_equal(result["segmentation_masks"], data["segmentation_masks"])
    assert is_moved


@pytest.mark.parametrize("mover", MOVERS)
def test_datasets_and_single_images_move_boxes(mover: str) -> None:
    layer = MOVERS[mover](seed=7, bounding_box_format="xyxy")
    data = example()
    if mover == "several":
        data["images"] = np.repeat(data["images"], 3, -1)
    for result in tf.data.Dataset.from_tensor_slices(data).batch(2).map(layer):
        assert_boxes_surround_masks(result, "xyxy", "channels_last", 3.0)
    one = tf.nest.map_structure(lambda x: x[0], data)
    result = layer(one, training=True)
    assert result["bounding_boxes"]["boxes"].shape == (2, 4)
    assert_boxes_surround_masks(
        tf.nest.map_structure(lambda x: tf.convert_to_tensor(x)[None], result), "xyxy", "channels_last", 3.0
    )


def test_single_images_are_changed_by_methods_of_their_own() -> None:
    data = tf.nest.map_structure(lambda x: tf.constant(x[0]), example())
    layer = layers.RandomTranslation((0.25, 0.25), 0.0, fill_mode="constant", bounding_box_format="xyxy")
    transformation = layer.get_random_transformation(data)
    result = layer(data, training=True)
    for key, method in (
        ("images", layer.transform_single_image),
        ("labels", layer.transform_single_label),
        ("bounding_boxes", layer.transform_single_bounding_box),
        ("segmentation_masks", layer.transform_single_segmentation_mask),
    ):
        tf.nest.map_structure(np.testing.assert_array_equal, method(data[key], transformation), result[key])
    assert not np.array_equal(result["images"], data["images"])


def test_what_has_left_the_image_has_the_label_of_nothing() -> None:
    data = example()
    layer = layers.RandomTranslation((1.0, 1.0), 0.0, fill_mode="constant", bounding_box_format="xyxy")
    result = layer(data, training=True)
    np.testing.assert_array_equal(result["bounding_boxes"]["labels"], [[-1, -1], [-1, -1]])
    np.testing.assert_array_equal(data["bounding_boxes"]["labels"], [[3, -1], [4, -1]])
    one_hot = {**data, "bounding_boxes": {**data["bounding_boxes"], "labels": np.eye(2)[[[0, 0], [1, 1]]]}}
    np.testing.assert_array_equal(layer(one_hot, training=True)["bounding_boxes"]["labels"], np.full((2, 2, 2), -1.0))


def test_out_of_training_nothing_moves() -> None:
    data = example()
    for mover in ("flip", "crop", "rotation", "zoom", "translation"):
        result = MOVERS[mover](seed=7, bounding_box_format="xyxy")(data, training=False)
        tf.nest.map_structure(np.testing.assert_array_equal, result, tf.nest.map_structure(tf.constant, data))


def test_integers_are_padded_by_what_their_dtype_holds() -> None:
    bytes_ = np.full((1, 4, 4, 1), 9, np.uint8)
    padded = layers.Resizing(4, 8, pad_to_aspect_ratio=True, fill_value=7.0)(bytes_)
    assert padded.dtype == tf.uint8
    np.testing.assert_array_equal(padded[0, 0, :, 0], [7, 7, 9, 9, 9, 9, 7, 7])
    with pytest.raises(TypeError, match=r"Cannot convert 0\.5 to EagerTensor of dtype uint8"):
        layers.Resizing(4, 8, pad_to_aspect_ratio=True, fill_value=0.5)(bytes_)


def test_colours_leave_boxes_and_masks() -> None:
    data = example()
    data["images"] = data["images"] * np.array([1.0, 0.5, 0.2], np.float32)
    layer = layers.RandomContrast(0.5)
    layer.bounding_box_format = "xyxy"
    result = layer(data, training=True)
    for key in ("bounding_boxes", "segmentation_masks", "labels"):
        tf.nest.map_structure(np.testing.assert_array_equal, result[key], tf.nest.map_structure(tf.constant, data[key]))
    assert not np.array_equal(result["images"], data["images"])


def test_rows_of_ragged_boxes_are_filled_up() -> None:
    boxes = tf.ragged.constant([[[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 4.0, 4.0]], [[2.0, 2.0, 5.0, 5.0]]], ragged_rank=1)
    labels = tf.ragged.constant([[1, 2], [3]])
    layer = layers.RandomFlip("none", bounding_box_format="xyxy")
    result = layer(
        {"images": np.zeros((2, 6, 6, 1)), "bounding_boxes": {"boxes": boxes, "labels": labels}}, training=True
    )
    np.testing.assert_array_equal(result["bounding_boxes"]["boxes"], boxes.to_tensor())
    np.testing.assert_array_equal(result["bounding_boxes"]["labels"], [[1, 2], [3, -1]])


def test_a_seed_determines_a_transformation() -> None:
    seeds: tuple[Any, Any]
    images, layer = np.zeros((4, 8, 8, 3)), layers.RandomFlip()
    generator = tf.keras.random.SeedGenerator(3)
    for seeds, is_same in (((5, 5), True), ((5, 6), False), ((generator, generator), False)):
        first, second = (layer.get_random_transformation(np.zeros((64, 8, 8, 3)), seed=seed)["flips"] for seed in seeds)
        assert np.array_equal(first, second) == is_same
    zooms = layers.RandomZoom(0.5, 0.5).get_random_transformation(images, seed=5)
    assert not np.array_equal(zooms["height_zoom"], zooms["width_zoom"])
    assert layer.get_random_transformation(images, training=False) is None


def test_a_model_takes_boxes() -> None:
    inputs = {
        "images": tf.keras.Input((HEIGHT, WIDTH, 1)),
        "bounding_boxes": {"boxes": tf.keras.Input((2, 4)), "labels": tf.keras.Input((2,), dtype="int32")},
    }
    model = tf.keras.Model(inputs, layers.CenterCrop(30, 40, bounding_box_format="xyxy")(inputs))
    data = example()
    result = model({key: data[key] for key in inputs})
    assert result["images"].shape == (2, 30, 40, 1)
    np.testing.assert_array_equal(result["bounding_boxes"]["boxes"][0, 0], [5, 7, 20, 19])


def test_errors_of_boxes_name_the_remedy() -> None:
    data = example()
    with pytest.raises(ValueError, match="RandomFlip .*Pass `bounding_box_format`"):
        layers.RandomFlip()(data)
    with pytest.raises(ValueError, match="Supported formats"):
        layers.RandomFlip(bounding_box_format="corners")(data)
    with pytest.raises(ValueError, match="dict with keys 'boxes' and 'labels'"):
        layers.RandomFlip(bounding_box_format="xyxy")({**data, "bounding_boxes": data["bounding_boxes"]["boxes"]})
    with pytest.raises(ValueError, match="`seed`"):
        layers.RandomFlip().get_random_transformation(data, seed="a")
