"""``keras.utils.bounding_boxes``: bounding boxes in other formats, compared, and as differences from anchors."""

from __future__ import annotations

import math as _math
from typing import Any

from fastgrad._src.core.tensor import convert_to_tensor as _convert_to_tensor
from fastgrad._src.keras.layers.bounding_boxes import clip_to_image_size as clip_to_image_size
from fastgrad._src.keras.layers.bounding_boxes import convert_format as convert_format
from fastgrad._src.keras.settings import epsilon as _epsilon
from fastgrad._src.ops import namespace as ops


def _size_arguments(image_shape: Any) -> dict[str, Any]:
    height, width = (None, None) if image_shape is None else tuple(image_shape)[:2]
    return {"height": height, "width": width}


def compute_iou(
    boxes1: Any,
    boxes2: Any,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: Any = -1,
    image_shape: Any = None,
) -> Any:
    """The intersection over union of each box with each other one.

    Args:
        boxes1: shape (m, 4) or (batch, m, 4).
        boxes2: shape (n, 4) or (batch, n, 4).
        bounding_box_format: the format of both.
        use_masking: whether boxes with negative numbers only give ``mask_val``.
        mask_val: a number.
        image_shape: (height, width, channels), for relative formats.

    Returns:
        Shape (m, n) or (batch, m, n).

    Raises:
        ValueError: another rank or format, or a relative format without ``image_shape``.
    """
    first, second = [
        convert_format(boxes, bounding_box_format, "xyxy", **_size_arguments(image_shape)) for boxes in (boxes1, boxes2)
    ]
    for name, boxes in (("boxes1", first), ("boxes2", second)):
        if boxes.ndim not in (2, 3):
            raise ValueError(f"compute_iou: {name} must have shape (boxes, 4) or (batch, boxes, 4), got {boxes.shape}")
    first, second = first[..., :, None, :], second[..., None, :, :]
    sides = ops.minimum(first[..., 2:], second[..., 2:]) - ops.maximum(first[..., :2], second[..., :2])
    intersection = ops.reduce_prod(ops.maximum(sides, 0.0), -1)
    areas = [ops.reduce_prod(boxes[..., 2:] - boxes[..., :2], -1) for boxes in (first, second)]
    result = intersection / (areas[0] + areas[1] - intersection + _epsilon())
    if not use_masking:
        return result
    is_masked = ops.logical_or(*[ops.reduce_max(boxes, -1) < 0.0 for boxes in (first, second)])
    return ops.where(is_masked, ops.cast(mask_val, result.dtype), result)


def compute_ciou(boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Any = None) -> Any:
    """The complete intersection over union of pairs of boxes (Zheng et al. 2020).

    Args:
        boxes1, boxes2: shapes (..., 4), which are broadcast.
        bounding_box_format: the format of both.
        image_shape: (height, width, channels), for relative formats.

    Returns:
        Shape (...).

    Raises:
        ValueError: another format, or a relative one without ``image_shape``.
    """
    first, second = [
        convert_format(boxes, bounding_box_format, "xyxy", **_size_arguments(image_shape)) for boxes in (boxes1, boxes2)
    ]
    sizes = [boxes[..., 2:] - boxes[..., :2] + ops.constant([0.0, _epsilon()]) for boxes in (first, second)]
    sides = ops.minimum(first[..., 2:], second[..., 2:]) - ops.maximum(first[..., :2], second[..., :2])
    intersection = ops.reduce_prod(ops.maximum(sides, 0.0), -1)
    areas = [ops.reduce_prod(size, -1) for size in sizes]
    iou = intersection / (areas[0] + areas[1] - intersection + 2 * _epsilon())
    hull = ops.maximum(first[..., 2:], second[..., 2:]) - ops.minimum(first[..., :2], second[..., :2])
    centers = [(boxes[..., :2] + boxes[..., 2:]) / 2.0 for boxes in (first, second)]
    distance = ops.reduce_sum(ops.square(centers[0] - centers[1]), -1)
    ratios = [ops.atan(size[..., 0] / size[..., 1]) for size in sizes]
    shape_term = 4.0 / _math.pi**2 * ops.square(ratios[1] - ratios[0])
    weight = shape_term / (shape_term - iou + (1.0 + _epsilon()))
    return iou - (distance / (ops.reduce_sum(ops.square(hull), -1) + _epsilon()) + shape_term * weight)


def _checked_encoding(argument: str, encoding: str, variance: Any) -> Any:
    """Returns the variance as a tensor, or 1; ValueError for another encoding than that by centers, or not four numbers."""
    if encoding not in ("center_xywh", "center_yxhw"):
        raise ValueError(f"`{argument}` should be one of 'center_xywh' or 'center_yxhw', got {encoding}")
    if variance is None:
        return 1.0
    numbers = ops.cast(_convert_to_tensor(variance), "float32")
    if numbers.ndim != 1 or numbers.shape[0] != 4:
        raise ValueError(f"`variance` must be length 4, got {variance}")
    return numbers


def encode_box_to_deltas(
    anchors: Any,
    boxes: Any,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """Differences of boxes from anchors: of centers in parts of the anchor's sides, and logarithms of quotients of sides.

    Args:
        anchors: shape (n, 4).
        boxes: shape (n, 4) or (batch, n, 4).
        anchor_format, box_format: their formats.
        encoding_format: the order of the differences, ``"center_yxhw"`` or ``"center_xywh"``.
        variance: four numbers by which differences are divided.
        image_shape: (height, width, channels), for relative formats.

    Returns:
        The shape of ``boxes``.

    Raises:
        ValueError: another format, or ``variance`` has not four numbers.
    """
    numbers = _checked_encoding("encoding_format", encoding_format, variance)
    anchors = convert_format(anchors, anchor_format, encoding_format, **_size_arguments(image_shape))
    boxes = convert_format(boxes, box_format, encoding_format, **_size_arguments(image_shape))
    sides, box_sides = [ops.maximum(x[..., 2:], _epsilon()) for x in (anchors, boxes)]
    moves = (boxes[..., :2] - anchors[..., :2]) / sides
    stretches = ops.broadcast_to(ops.log(box_sides / sides), moves.shape)
    return ops.concat([moves, stretches], -1) / numbers


def decode_deltas_to_boxes(
    anchors: Any,
    boxes_delta: Any,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """Boxes from their differences from anchors, the inverse of ``encode_box_to_deltas``.

    Args:
        anchors: shape (n, 4), or a dict of such for each level.
        boxes_delta: shape (n, 4) or (batch, n, 4), or a dict with the same keys.
        anchor_format, box_format: the formats of the anchors and of the result.
        encoded_format: the order of the differences, ``"center_yxhw"`` or ``"center_xywh"``.
        variance: four numbers by which differences are multiplied.
        image_shape: (height, width, channels), for relative formats.

    Returns:
        The structure and shapes of ``boxes_delta``.

    Raises:
        ValueError: another format, or ``variance`` has not four numbers.
    """
    numbers = _checked_encoding("encoded_format", encoded_format, variance)
    if isinstance(anchors, dict) and isinstance(boxes_delta, dict):
        options = anchor_format, box_format, encoded_format, variance, image_shape
        return {level: decode_deltas_to_boxes(anchors[level], boxes_delta[level], *options) for level in anchors}
    anchors = convert_format(anchors, anchor_format, encoded_format, **_size_arguments(image_shape))
    deltas = ops.cast(_convert_to_tensor(boxes_delta), "float32") * numbers
    sides = anchors[..., 2:]
    boxes = ops.concat([deltas[..., :2] * sides + anchors[..., :2], ops.exp(deltas[..., 2:]) * sides], -1)
    return convert_format(boxes, encoded_format, box_format, **_size_arguments(image_shape))
