"""Boxes in images: crops by boxes, suppression of boxes that overlap, and their drawing, as in ``tf.image``.

A box is (y1, x1, y2, x2), in parts of the height and the width unless it says otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.core.operation import FLOAT_DTYPES, Form, Operation, operation
from fastgrad.core.result_rules import ArraySpec
from fastgrad.core.shape import TensorShape
from fastgrad.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad.errors import InvalidArgumentError
from fastgrad.ops.arguments import as_python_int, as_python_ints
from fastgrad.ops.arithmetic import add, multiply, subtract
from fastgrad.ops.casting import cast
from fastgrad.ops.comparison import greater_equal, less, less_equal, logical_and
from fastgrad.ops.indexing import gather_nd
from fastgrad.ops.joining import stack, unstack
from fastgrad.ops.rounding import ceil, floor
from fastgrad.ops.selection import boolean_mask, where
from fastgrad.ops.shaping import broadcast_to, expand_dims, reshape

_DEFAULT_COLORS = np.array(
    [
        [1, 1, 0, 1],
        [0, 0, 1, 1],
        [1, 0, 0, 1],
        [0, 1, 0, 1],
        [0.5, 0, 0.5, 1],
        [0.5, 0.5, 0, 1],
        [0.5, 0, 0, 1],
        [0, 0, 0.5, 1],
        [0, 1, 1, 1],
        [1, 0, 1, 1],
    ],
    np.float32,
)
"""TensorFlow's colours of boxes: red, green, blue and alpha."""


# ---- crops --------------------------------------------------------------------------------------------


def _sample_positions(low: Tensor, high: Tensor, length: int, count: int) -> Tensor:
    """Returns ``count`` positions from ``low`` to ``high``, shape (boxes, count), in pixels of a line of ``length``."""
    last = constant_tensor(np.float32(length - 1))
    if count == 1:
        return expand_dims(multiply(multiply(add(low, high), 0.5), last), 1)
    step = multiply(subtract(high, low), constant_tensor(np.float32((length - 1) / (count - 1))))
    numbers = constant_tensor(np.arange(count, dtype=np.float32))
    return add(expand_dims(multiply(low, last), 1), multiply(expand_dims(step, 1), numbers))


def crop_and_resize(
    image: Any,
    boxes: Any,
    box_indices: Any,
    crop_size: Any,
    method: str = "bilinear",
    extrapolation_value: float = 0.0,
    name: str | None = None,
) -> Tensor:
    """Parts of images, resized to one size.

    The first and the last pixel of a part lie on the edges of its box; a box may be turned over, and may leave the image.

    Args:
        image: shape (batch, height, width, channels).
        boxes: float32, shape (boxes, 4).
        box_indices: integers, shape (boxes,): the image of each box.
        crop_size: (height, width) of the result.
        method: ``"bilinear"`` or ``"nearest"``.
        extrapolation_value: the value outside of the image.
        name: kept for TensorFlow's signature.

    Returns:
        float32, shape (boxes, height, width, channels). Gradients flow to ``image`` and ``boxes``.

    Raises:
        InvalidArgumentError: arguments of other shapes, an image number out of range, or another ``method``.
    """
    x, edges = convert_to_tensor(image), convert_to_tensor(boxes, dtypes.float32)
    numbers = convert_to_tensor(box_indices)
    sizes = as_python_ints(crop_size, "crop_and_resize: crop_size")
    shape, count = x._array.shape, edges._array.shape[0] if edges._array.ndim else 0
    if len(shape) != 4 or 0 in shape[1:3]:
        raise InvalidArgumentError(f"crop_and_resize: input image must be 4-D, with pixels, got {TensorShape(shape)}.")
    if edges._array.shape != (count, 4) or numbers._array.shape != (count,):
        raise InvalidArgumentError(
            "crop_and_resize: boxes must have shape (boxes, 4), and box_indices shape (boxes,), got "
            f"{TensorShape(edges._array.shape)} and {TensorShape(numbers._array.shape)}."
        )
    if len(sizes) != 2 or min(sizes) <= 0:
        raise InvalidArgumentError(f"crop_and_resize: crop dimensions must be two positive numbers, got {crop_size!r}.")
    if method not in ("bilinear", "nearest"):
        raise InvalidArgumentError(f"crop_and_resize: method must be 'bilinear' or 'nearest', got {method!r}.")
    x = cast(x, dtypes.float32)
    y1, x1, y2, x2 = unstack(edges, axis=1)
    grid = (count, *sizes)
    rows = _sample_positions(y1, y2, shape[1], sizes[0])
    columns = _sample_positions(x1, x2, shape[2], sizes[1])
    inside = logical_and(expand_dims(_is_inside(rows, shape[1]), 2), expand_dims(_is_inside(columns, shape[2]), 1))
    images = broadcast_to(reshape(cast(numbers, dtypes.int32), (count, 1, 1)), grid)

    def pixels(row_numbers: Tensor, column_numbers: Tensor) -> Tensor:
        at_rows = broadcast_to(expand_dims(_clipped(row_numbers, shape[1]), 2), grid)
        at_columns = broadcast_to(expand_dims(_clipped(column_numbers, shape[2]), 1), grid)
        return gather_nd(x, stack([images, at_rows, at_columns], axis=-1))

    if method == "nearest":
        half = constant_tensor(np.float32(0.5))
        values = pixels(floor(add(rows, half)), floor(add(columns, half)))
    else:
        top, bottom, left, right = floor(rows), ceil(rows), floor(columns), ceil(columns)
        down = reshape(subtract(rows, top), (count, sizes[0], 1, 1))
        across = reshape(subtract(columns, left), (count, 1, sizes[1], 1))
        upper, lower = (
            add(first, multiply(subtract(pixels(row, right), first), across))
            for row in (top, bottom)
            for first in (pixels(row, left),)
        )
        values = add(upper, multiply(subtract(lower, upper), down))
    return where(expand_dims(inside, 3), values, constant_tensor(np.float32(extrapolation_value)))


def _is_inside(positions: Tensor, length: int) -> Tensor:
    return logical_and(greater_equal(positions, 0.0), less_equal(positions, float(length - 1)))


def _clipped(positions: Tensor, length: int) -> Tensor:
    """Returns indices of pixels; positions outside of the image, also NaN, count as its first or last pixel."""
    last = constant_tensor(np.float32(length - 1))
    inside = where(greater_equal(positions, 0.0), where(less(positions, last), positions, last), 0.0)
    return cast(inside, dtypes.int32)


# ---- suppression --------------------------------------------------------------------------------------


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def _overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Returns the intersections of ``box`` with ``boxes`` over their unions; their corners are in order."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    intersections = np.prod(np.maximum(high - low, 0), axis=1)
    areas, area = _areas(boxes), _areas(box)
    has_area = (areas > 0) & (area > 0)
    unions = np.where(has_area, areas + area - intersections, 1)
    return np.where(has_area, intersections / unions, 0)


def _in_order(boxes: np.ndarray) -> np.ndarray:
    """Returns ``boxes`` with the least coordinates first."""
    return np.concatenate([np.minimum(boxes[..., :2], boxes[..., 2:]), np.maximum(boxes[..., :2], boxes[..., 2:])], -1)


def _selected_boxes(
    overlaps_of: Any, scores: np.ndarray, count: int, threshold: float, score_threshold: float, sigma: float
) -> tuple[list[int], list[Any]]:
    """Returns the indices and scores of at most ``count`` boxes, the greatest score first.

    A box that overlaps a selected one by more than ``threshold`` is left out. With a ``sigma``, an overlap lowers its score instead.
    """
    left = np.where(scores > score_threshold, scores, -np.inf).astype(scores.dtype)
    candidates = scores > score_threshold
    indices: list[int] = []
    selected_scores = []
    while len(indices) < count and candidates.any():
        index = int(np.where(candidates, left, -np.inf).argmax())
        if not candidates[index]:  # only scores of -inf are left
            index = int(candidates.argmax())
        indices.append(index)
        selected_scores.append(left[index])
        candidates[index] = False
        overlaps = overlaps_of(index)
        if sigma > 0:
            left = left * np.exp(-0.5 / sigma * overlaps * overlaps).astype(left.dtype)
            candidates &= left > score_threshold
        else:
            candidates &= ~(overlaps > threshold)
    return indices, selected_scores


def _run_suppression(
    boxes: np.ndarray,
    scores: np.ndarray,
    threshold: np.ndarray,
    score_threshold: np.ndarray,
    sigma: np.ndarray,
    count: int,
    are_overlaps: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    wide = boxes.astype(np.float32) if boxes.dtype.itemsize < 4 else boxes
    corners = wide if are_overlaps else _in_order(wide)
    chosen, chosen_scores = _selected_boxes(
        (lambda index: corners[:, index]) if are_overlaps else (lambda index: _overlaps(corners[index], corners)),
        scores.astype(wide.dtype),
        count,
        float(threshold),
        float(score_threshold),
        float(sigma),
    )
    indices, result_scores = np.zeros(count, np.int32), np.zeros(count, scores.dtype)
    indices[: len(chosen)], result_scores[: len(chosen)] = chosen, chosen_scores
    return indices, result_scores, np.asarray(len(chosen), np.int32)


_suppression: Operation = operation(
    "non_max_suppression",
    Form.EXTERN,
    run=_run_suppression,
    dtypes=FLOAT_DTYPES,
    in_python="each box depends on those before it",
    result=lambda boxes, scores, *thresholds, count, are_overlaps: (
        ArraySpec((count,), np.dtype(np.int32)),
        ArraySpec((count,), scores.dtype),
        ArraySpec((), np.dtype(np.int32)),
    ),
)


def _call_suppression(
    name: str,
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    thresholds: tuple[Any, Any, Any],
    are_overlaps: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    corners, numbers = convert_to_tensor(boxes), convert_to_tensor(scores)
    count = corners._array.shape[0] if corners._array.ndim else 0
    columns = count if are_overlaps else 4
    if corners._array.shape != (count, columns) or numbers._array.shape != (count,):
        what = "overlaps must be square" if are_overlaps else "boxes must have 4 columns"
        raise InvalidArgumentError(
            f"{name}: {what}, and scores must have one number for each box; got "
            f"{TensorShape(corners._array.shape)} and {TensorShape(numbers._array.shape)}."
        )
    limit = as_python_int(max_output_size, f"{name}: max_output_size")
    if limit < 0:
        raise InvalidArgumentError(f"{name}: max_output_size must be non-negative, got {limit}.")
    values = [convert_to_tensor(value, dtypes.float32) for value in thresholds]
    if not are_overlaps and not 0 <= values[0]._elements() <= 1:
        raise InvalidArgumentError(f"{name}: iou_threshold must be in [0, 1], got {thresholds[0]}.")
    indices, selected_scores, valid = _suppression(
        corners, numbers, *values, count=min(limit, count), are_overlaps=are_overlaps
    )
    is_valid = less(constant_tensor(np.arange(min(limit, count), dtype=np.int32)), valid)
    return indices, selected_scores, is_valid


def non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    name: str | None = None,
) -> Tensor:
    """The indices of the boxes of greatest scores that overlap each other little.

    Args:
        boxes: floats, shape (boxes, 4), in any unit.
        scores: floats, shape (boxes,).
        max_output_size: the greatest number of selected boxes.
        iou_threshold: in [0, 1]; the intersection over union with a selected box from which on a box is left out.
        score_threshold: only boxes with a greater score count.
        name: kept for TensorFlow's signature.

    Returns:
        int32, shape (selected boxes,), the greatest score first.

    Raises:
        InvalidArgumentError: other shapes, or a threshold or size out of range.
    """
    indices, _, is_valid = _call_suppression(
        "non_max_suppression", boxes, scores, max_output_size, (iou_threshold, score_threshold, 0.0)
    )
    return boolean_mask(indices, is_valid)


def non_max_suppression_with_scores(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    soft_nms_sigma: Any = 0.0,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """The indices and scores of boxes, as ``non_max_suppression``; an overlap may lower scores.

    Args:
        boxes, scores, max_output_size, iou_threshold, score_threshold, name: as for ``non_max_suppression``.
        soft_nms_sigma: with a positive number a score is multiplied by exp(-overlap² / (2 sigma)) for each selected box, and
            ``iou_threshold`` has no effect. The
            formula is that of Bodla and others, "Soft-NMS: improving object detection with one line of code" (2017).

    Returns:
        Indices, int32, and scores, of the dtype of ``scores``, both of shape (selected boxes,).

    Raises:
        InvalidArgumentError: as for ``non_max_suppression``.
    """
    indices, selected_scores, is_valid = _call_suppression(
        "non_max_suppression_with_scores",
        boxes,
        scores,
        max_output_size,
        (iou_threshold, score_threshold, soft_nms_sigma),
    )
    return boolean_mask(indices, is_valid), boolean_mask(selected_scores, is_valid)


def non_max_suppression_overlaps(
    overlaps: Any,
    scores: Any,
    max_output_size: Any,
    overlap_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    name: str | None = None,
) -> Tensor:
    """``non_max_suppression`` with any measure of overlap.

    Args:
        overlaps: floats, shape (boxes, boxes).
        scores, max_output_size, score_threshold, name: as for ``non_max_suppression``.
        overlap_threshold: the overlap with a selected box above which a box is left out.

    Raises:
        InvalidArgumentError: other shapes, or a negative size.
    """
    indices, _, is_valid = _call_suppression(
        "non_max_suppression_overlaps",
        overlaps,
        scores,
        max_output_size,
        (overlap_threshold, score_threshold, 0.0),
        are_overlaps=True,
    )
    return boolean_mask(indices, is_valid)


# ---- drawing ------------------------------------------------------------------------------------------


def _run_draw(images: np.ndarray, boxes: np.ndarray, colors: np.ndarray) -> np.ndarray:
    drawn = images.copy()
    height, width, channels = images.shape[1:]
    edges = boxes.astype(np.float32) * np.array([height - 1, width - 1, height - 1, width - 1], np.float32)
    for picture, picture_edges in zip(drawn, edges, strict=True):
        for number, (top, left, bottom, right) in enumerate(np.nan_to_num(picture_edges).astype(np.int64).tolist()):
            if top > bottom or left > right or top >= height or left >= width or bottom < 0 or right < 0:
                continue
            color = colors[number % len(colors), :channels]
            rows, columns = (
                slice(max(top, 0), min(bottom, height - 1) + 1),
                slice(max(left, 0), min(right, width - 1) + 1),
            )
            for row in (top, bottom):
                if 0 <= row < height:
                    picture[row, columns] = color
            for column in (left, right):
                if 0 <= column < width:
                    picture[rows, column] = color
    return drawn


_draw: Operation = operation(
    "draw_bounding_boxes",
    Form.EXTERN,
    run=_run_draw,
    dtypes=FLOAT_DTYPES,
    in_python="NumPy draws",
    result=lambda images, boxes, colors: images,
)


def draw_bounding_boxes(images: Any, boxes: Any, colors: Any = None, name: str | None = None) -> Tensor:
    """Images with the edges of boxes, one pixel wide.

    Args:
        images: float32 or float16, shape (batch, height, width, channels) with 1, 3 or 4 channels.
        boxes: float32, shape (batch, boxes, 4).
        colors: floats, shape (colours, at least the channels), which are used in turn; None for ten colours.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: other shapes.
    """
    x, edges = convert_to_tensor(images), convert_to_tensor(boxes, dtypes.float32)
    shape, box_shape = x._array.shape, edges._array.shape
    if len(shape) != 4 or shape[3] not in (1, 3, 4):
        raise InvalidArgumentError(
            f"draw_bounding_boxes: images must be 4-D with 1, 3 or 4 channels, got {TensorShape(shape)}."
        )
    if len(box_shape) != 3 or box_shape[0] != shape[0] or box_shape[2] != 4:
        raise InvalidArgumentError(
            f"draw_bounding_boxes: boxes must have shape (batch, boxes, 4) with the batch of images, got {TensorShape(box_shape)}."
        )
    palette = constant_tensor(_DEFAULT_COLORS) if colors is None else convert_to_tensor(colors, dtypes.float32)
    if palette._array.ndim != 2 or palette._array.shape[1] < shape[3]:
        raise InvalidArgumentError(
            f"draw_bounding_boxes: colors must have a row of {shape[3]} channels each, got {TensorShape(palette._array.shape)}."
        )
    if colors is None and shape[3] == 1:
        palette = constant_tensor(np.ones((1, 4), np.float32))
    return _draw(x, edges, palette)
