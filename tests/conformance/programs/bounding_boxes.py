"""Bounding boxes: their formats, and how layers of images move them, labels and masks with the pixels."""

import numpy as np

from ..refusal import refused

FORMATS = ["xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh"]
BOXES = np.array([[[2.0, 1.0, 4.0, 3.0], [6.0, 4.0, 8.0, 6.0]], [[0.0, 0.0, 8.0, 10.0], [1.0, 5.0, 7.0, 6.5]]])


def _data(tf, labels=((1, 2), (0, 3)), size=(10, 8)):
    numbers = tf.reshape(tf.range(2.0 * size[0] * size[1] * 3), (2, *size, 3))
    masks = tf.cast(tf.reshape(tf.range(2 * size[0] * size[1]), (2, *size, 1)) % 5, "int32")
    return {
        "images": numbers % 251.0,
        "bounding_boxes": {"boxes": tf.constant(BOXES, "float32"), "labels": tf.constant(labels)},
        "labels": tf.constant([[1.0, 0.0], [0.0, 1.0]]),
        "segmentation_masks": masks,
    }


def _without(result, *keys):
    return {key: value for key, value in result.items() if key not in keys}


def formats(tf):
    space = tf.keras.utils.bounding_boxes
    questions = {
        f"{source} to {target}": lambda source=source, target=target: space.convert_format(
            BOXES / 16.0, source, target, height=10, width=8
        )
        for source in FORMATS
        for target in FORMATS
    }
    inside = {
        "boxes": np.array([[-5.0, -2.0, 50.0, 6.0], [20.0, 20.0, 30.0, 30.0]], "float32"),
        "labels": np.array([3, 4]),
    }
    return questions | {
        "of a dict": lambda: space.convert_format({"boxes": BOXES, "labels": np.array([1, 2])}, "xyxy", "xywh")[
            "boxes"
        ],
        "letters": lambda: space.convert_format(BOXES, "XYXY", "yxyx"),
        "dtype": lambda: space.convert_format(BOXES, "xyxy", "xywh", dtype="float16"),
        "unknown": lambda: refused(lambda: space.convert_format(BOXES, "xyxy", "xxyy")),
        "no size": lambda: refused(lambda: space.convert_format(BOXES, "xyxy", "rel_xyxy")),
        "five numbers": lambda: refused(lambda: space.convert_format(np.zeros((2, 5)), "xyxy", "xywh")),
        "clipped": lambda: space.clip_to_image_size(dict(inside), height=10, width=25),
        "clipped parts": lambda: space.clip_to_image_size(
            {**inside, "boxes": inside["boxes"] / 20}, bounding_box_format="rel_xyxy"
        ),
        "clipped without a size": lambda: refused(lambda: space.clip_to_image_size(dict(inside))),
        "clipped in another format": lambda: refused(
            lambda: space.clip_to_image_size(dict(inside), 10, 10, bounding_box_format="xywh")
        ),
    }


def geometry(tf):
    space = tf.keras.utils.bounding_boxes
    one, other = BOXES[0].astype("float32"), BOXES.astype("float32") + np.array([1.0, 0.5, 2.0, 1.5], "float32")
    questions = {
        "iou": lambda: [
            space.compute_iou(a, b, "xyxy")
            for a, b in ((one, one), (one, other), (other, one), (other, other[:, ::-1]))
        ],
        "iou of parts": lambda: space.compute_iou(one / 10, other / 10, "rel_yxyx", image_shape=(20, 30, 3)),
        "iou of filled rows": lambda: space.compute_iou(
            np.concatenate([one, -np.ones((1, 4), "float32")]), one, "xyxy", use_masking=True, mask_val=-2
        ),
        "iou of rank 1": lambda: refused(lambda: space.compute_iou(one[0], one, "xyxy")),
        "ciou": lambda: [space.compute_ciou(other[0], one, form) for form in ("xyxy", "xywh")],
        "differences of another encoding": lambda: refused(
            lambda: space.encode_box_to_deltas(one, one, "xyxy", "xyxy", encoding_format="xyxy")
        ),
        "differences by three variances": lambda: refused(
            lambda: space.decode_deltas_to_boxes(one, one, "xyxy", "xyxy", variance=[1.0, 1.0, 1.0])
        ),
        "boxes of levels": lambda: space.decode_deltas_to_boxes(
            {"low": one, "high": one * 2}, {"low": one / 10, "high": other / 20}, "xyxy", "xywh"
        ),
    }
    for form in ("center_xywh", "center_yxhw"):
        for variance in (None, [0.1, 0.1, 0.2, 0.2]):
            options = {"variance": variance, "image_shape": (10, 8, 3)}
            questions[f"differences {form} {variance}"] = lambda form=form, options=options: [
                space.encode_box_to_deltas(one, other, "xyxy", "rel_xywh", encoding_format=form, **options),
                space.decode_deltas_to_boxes(one, other / 10, "xyxy", "rel_xyxy", encoded_format=form, **options),
            ]
    return questions


def layers(tf):
    """Layers that leave nothing to chance, in dicts."""
    layers = tf.keras.layers
    questions = {}
    for name, make in {
        "CenterCrop": lambda box: layers.CenterCrop(5, 6, bounding_box_format=box),
        "CenterCrop of smaller images": lambda box: layers.CenterCrop(20, 16, bounding_box_format=box),
        "Resizing": lambda box: layers.Resizing(5, 16, bounding_box_format=box),
        "Resizing with padding": lambda box: layers.Resizing(20, 20, pad_to_aspect_ratio=True, bounding_box_format=box),
        "RandomTranslation": lambda box: layers.RandomTranslation((0.2, 0.2), (-0.25, -0.25), bounding_box_format=box),
        "RandomZoom": lambda box: layers.RandomZoom((-0.5, -0.5), (0.25, 0.25), bounding_box_format=box),
    }.items():
        boxes = ["xyxy", "rel_xyxy", "center_xywh"]
        for box in boxes:
            questions[f"{name} {box}"] = lambda make=make, box=box: {
                key: value.numpy().tolist() if key == "labels" else tf.round(value * 1e4) / 1e4
                for key, value in make(box)(
                    {"images": _data(tf)["images"], "bounding_boxes": _boxes_in(tf, box)}, training=True
                )["bounding_boxes"].items()
            }
        # The nearest of two pixels that are as near is another one, and Keras mixes the values of masks in some layers.
        if name in ("CenterCrop", "RandomTranslation"):
            questions[name] = lambda make=make: {
                key: tf.cast(value, "float32")
                for key, value in _without(make("xyxy")(_data(tf), training=True), "bounding_boxes").items()
            }
    questions["a single image"] = lambda: layers.CenterCrop(5, 6, bounding_box_format="xyxy")(
        {
            "images": _data(tf)["images"][0],
            "bounding_boxes": {key: value[0] for key, value in _data(tf)["bounding_boxes"].items()},
        }
    )["bounding_boxes"]
    questions["without a format"] = lambda: refused(lambda: layers.CenterCrop(5, 6)(_data(tf)))
    questions["configuration"] = lambda: [
        layers.CenterCrop(5, 6, **options).get_config().get("bounding_box_format")
        for options in ({}, {"bounding_box_format": "xywh"})
    ]
    return questions


def _boxes_in(tf, form):
    boxes = tf.keras.utils.bounding_boxes.convert_format(BOXES, "xyxy", form, height=10, width=8)
    return {"boxes": boxes, "labels": tf.constant([[1, 2], [0, 3]])}


def transformations(tf):
    """The methods of layers with a transformation that is given."""
    layers = tf.keras.layers
    x = _data(tf)["images"]
    size = {"input_shape": (2, 10, 8, 3)}

    def moved(layer, transformation):
        boxes = {"boxes": tf.constant(BOXES, "float32"), "labels": tf.constant([[1, 2], [0, 3]])}
        return layer.transform_bounding_boxes(boxes, transformation, training=True)["boxes"]

    def both(layer, transformation):
        return [layer.transform_images(x, transformation), moved(layer, transformation)]

    flips = {"flips": np.array([True, False]).reshape(2, 1, 1, 1), **size}
    return {
        **{
            f"flip {mode}": lambda mode=mode: both(layers.RandomFlip(mode, bounding_box_format="xyxy"), flips)
            for mode in ("horizontal", "vertical", "horizontal_and_vertical")
        },
        "translation": lambda: both(
            layers.RandomTranslation(0.5, 0.5, bounding_box_format="xyxy"),
            {"translations": tf.constant([[1.0, 2.0], [-1.0, -3.0]]), **size},
        ),
        "zoom": lambda: both(
            layers.RandomZoom(0.5, 0.5, bounding_box_format="xyxy"),
            {"height_zoom": tf.constant([[0.5], [1.25]]), "width_zoom": tf.constant([[0.75], [1.5]]), **size},
        ),
        "rotation": lambda: moved(
            layers.RandomRotation((0.1, 0.1), bounding_box_format="xyxy"),
            layers.RandomRotation((0.1, 0.1), bounding_box_format="xyxy").get_random_transformation(x),
        ),
        "contrast": lambda: layers.RandomContrast(0.5).transform_images(
            x, {"contrast_factor": np.array([0.5, 1.5], "float32").reshape(2, 1, 1, 1)}
        ),
    }
