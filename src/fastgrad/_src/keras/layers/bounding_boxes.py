"""Bounding boxes of images: their formats, and how they move with the pixels.

Formats are ``"xyxy"`` (left, top, right, bottom), ``"yxyx"`` (top, left, bottom, right), ``"xywh"`` (left, top, width, height),
``"center_xywh"`` and ``"center_yxhw"``, in pixels; ``"rel_xyxy"``, ``"rel_yxyx"``, ``"rel_xywh"`` and ``"rel_center_xywh"`` are in parts of the
image's width and height.
"""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor

FORMATS = (
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
)


def convert_format(
    boxes: Any, source: str, target: str, height: Any = None, width: Any = None, dtype: Any = "float32"
) -> Any:
    """Bounding boxes in another format.

    Args:
        boxes: numbers of shape (..., 4), or a dict whose entry ``"boxes"`` has them.
        source: the format of ``boxes``, in any case.
        target: the format of the result.
        height, width: the size of the image in pixels; relative formats need it.
        dtype: of the result.

    Returns:
        A tensor of the shape of ``boxes``; of a dict a new one with the other entries as they are.

    Raises:
        ValueError: a format is unknown, the last axis has not 4 elements, or a relative format is converted without the size.
    """
    if isinstance(boxes, dict):
        return {**boxes, "boxes": convert_format(boxes["boxes"], source, target, height, width, dtype)}
    x = convert_to_tensor(boxes)
    if not x.ndim or x.shape[-1] != 4:
        raise ValueError(f"`boxes` must be a tensor with the last dimension of 4. Received: {tuple(x.shape)}")
    old, new = str(source).lower(), str(target).lower()
    if old not in FORMATS or new not in FORMATS:
        raise ValueError(f"convert_format: Supported formats: {FORMATS}. Received: {source=}, {target=}")
    x = ops.cast(x, dtype)
    is_relative = old.startswith("rel_"), new.startswith("rel_")
    if any(is_relative) and (height is None or width is None):
        raise ValueError(f"convert_format: {source=}, {target=} need the image's size. Received: {height=}, {width=}")
    if old == new:
        return x
    corners = _corners(ops.split(x, 4, axis=-1), old.removeprefix("rel_"))
    if is_relative[0] != is_relative[1]:
        sizes = [ops.cast(size, x.dtype) for size in (width, height, width, height)]
        corners = [
            corner * size if is_relative[0] else corner / size for corner, size in zip(corners, sizes, strict=True)
        ]
    return ops.concat(_columns(corners, new.removeprefix("rel_")), axis=-1)


def _corners(columns: Any, form: str) -> list[Tensor]:
    """Returns left, top, right and bottom of boxes whose ``columns`` are in the order of ``form``."""
    a, b, c, d = columns
    if form in ("yxyx", "center_yxhw"):
        a, b, c, d = b, a, d, c
    if form.startswith("center"):
        return [a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0]
    return [a, b, a + c, b + d] if form == "xywh" else [a, b, c, d]


def _columns(corners: list[Tensor], form: str) -> list[Tensor]:
    """Returns the columns in the order of ``form`` of boxes with these corners."""
    left, top, right, bottom = corners
    width, height = right - left, bottom - top
    if form == "xywh":
        return [left, top, width, height]
    if form.startswith("center"):
        x, y = left + width / 2.0, top + height / 2.0
        return [x, y, width, height] if form == "center_xywh" else [y, x, height, width]
    return [top, left, bottom, right] if form == "yxyx" else corners


def clip_to_image_size(
    bounding_boxes: dict[str, Any], height: Any = None, width: Any = None, bounding_box_format: str = "xyxy"
) -> dict[str, Any]:
    """Bounding boxes cut to the image; those of which nothing is left have the label -1.

    Args:
        bounding_boxes: a dict of ``"boxes"``, shape (..., boxes, 4), and maybe ``"labels"``, shape (..., boxes) or (..., boxes, classes).
        height, width: the size of the image in pixels.
        bounding_box_format: ``"xyxy"``, or ``"rel_xyxy"``, which needs no size.

    Raises:
        NotImplementedError: another format.
        ValueError: ``"xyxy"`` without the size.
    """
    if bounding_box_format not in ("xyxy", "rel_xyxy"):
        raise NotImplementedError(
            f"clip_to_image_size: bounding_box_format must be 'xyxy' or 'rel_xyxy', got {bounding_box_format!r}; use convert_format."
        )
    if bounding_box_format == "xyxy" and (height is None or width is None):
        raise ValueError("`height` and `width` must be set if `format='xyxy'`.")
    boxes = convert_to_tensor(bounding_boxes["boxes"])
    limits = (1.0, 1.0) if bounding_box_format == "rel_xyxy" else (width, height)
    most = ops.stack([ops.cast(limit, boxes.dtype) for limit in limits * 2])
    boxes = ops.minimum(ops.maximum(boxes, ops.zeros_like(most)), most)
    clipped = {**bounding_boxes, "boxes": boxes}
    if bounding_boxes.get("labels") is not None:
        labels = convert_to_tensor(bounding_boxes["labels"])
        left, top, right, bottom = ops.unstack(boxes, axis=-1)
        is_left = (right - left) * (bottom - top) > 0
        if labels.ndim == boxes.ndim and labels.shape[:-1] == boxes.shape[:-1]:
            is_left = is_left[..., None]
        clipped["labels"] = ops.where(is_left, labels, -ops.ones_like(labels))
    return clipped


def dense_bounding_boxes(bounding_boxes: Any) -> dict[str, Any]:
    """Bounding boxes as tensors; rows of ragged ones are filled up with boxes of 0 and labels of -1.

    Args:
        bounding_boxes: a dict of ``"boxes"``, shape (boxes, 4) or (batch, boxes, 4), and ``"labels"``, shape (boxes,) or (batch, boxes), which
            may have another axis of classes.

    Raises:
        ValueError: another structure or rank, or one of the two is ragged and the other is not.
    """
    if not isinstance(bounding_boxes, dict) or not {"boxes", "labels"} <= bounding_boxes.keys():
        raise ValueError(f"`bounding_boxes` must be a dict with keys 'boxes' and 'labels'. Received: {bounding_boxes=}")
    boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
    if isinstance(boxes, RaggedTensor) != isinstance(labels, RaggedTensor):
        raise ValueError(f"`bounding_boxes`: both boxes and labels must be ragged, or none, got {bounding_boxes=}")
    if isinstance(boxes, RaggedTensor):
        boxes, labels = boxes.to_tensor(0, shape=[*[None] * (len(boxes.shape) - 1), 4]), labels.to_tensor(-1)
    boxes, labels = convert_to_tensor(boxes), convert_to_tensor(labels)
    if boxes.ndim not in (2, 3) or boxes.shape[-1] != 4 or labels.ndim not in (boxes.ndim - 1, boxes.ndim):
        raise ValueError(
            "Expected `bounding_boxes['boxes']` to have shape (num_boxes, 4) or (batch_size, num_boxes, 4), and labels of one axis "
            f"less, or as many. Received: boxes.shape={tuple(boxes.shape)}, labels.shape={tuple(labels.shape)}"
        )
    return {**bounding_boxes, "boxes": boxes, "labels": labels}


def scaled_boxes(boxes: Tensor, top: Any, left: Any, height_scale: Any, width_scale: Any) -> Tensor:
    """Boxes of format ``"xyxy"`` after the pixel (``left``, ``top``) became the first one, and the image was scaled."""
    start, scale = [
        ops.stack([ops.cast(number, boxes.dtype) for number in numbers * 2])
        for numbers in ((left, top), (width_scale, height_scale))
    ]
    return (boxes - start) * scale


def projected_boxes(boxes: Tensor, matrices: Tensor) -> Tensor:
    """The boxes around what is inside of ``boxes`` after ``affine_transform`` by ``matrices``.

    Args:
        boxes: format ``"xyxy"``, shape (batch, boxes, 4).
        matrices: shape (batch, 8) or (1, 8); they lead from the result to the image, so that corners go through their inverses. A matrix
            without an inverse leaves boxes of 0.
    """
    x, y = (
        ops.gather(boxes, columns, axis=-1)[..., None] for columns in ([0, 2, 0, 2], [1, 1, 3, 3])
    )  # (batch, boxes, 4, 1)
    rows = ops.reshape(ops.concat([matrices, ops.ones_like(matrices[:, :1])], 1), [-1, 1, 1, 3, 3])
    first, second, third = (rows[..., row, :] for row in range(3))
    # The columns of a multiple of the inverse are cross products of rows; homogeneous coordinates may be multiplied.
    points = x * ops.cross(second, third) + y * ops.cross(third, first) + ops.cross(first, second)
    moved = ops.divide_no_nan(points[..., :2], points[..., 2:])
    return ops.concat([ops.reduce_min(moved, -2), ops.reduce_max(moved, -2)], -1)
