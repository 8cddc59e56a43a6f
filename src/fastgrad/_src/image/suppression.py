"""Suppression of boxes that overlap boxes of greater scores, as in ``tf.image``.

A box is (y1, x1, y2, x2), in any unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_at_least, check_interval, check_shapes, refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import InvalidValueError, mixed_dtypes_error
from fastgrad._src.core.operation import FLOAT_DTYPES, Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_like
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.movement.suppression import select_boxes
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch, Spec
from fastgrad._src.ops import namespace as ops


@with_half_floats
def _suppression_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], count: int) -> Launches:
    scores = inputs[1]
    (size,) = scores.shape
    arrays = *map(Input, range(5)), Scratch(0), Scratch(1), *map(Output, range(3))
    launch = Launch(select_boxes[scores.dtype], (*arrays, size, count), unit_cost=3.0 * size * count)
    return Launches((launch,), ((scores.dtype, size), (np.dtype(np.int32), size)))


_suppression: Operation = ops.kernel_operation(
    "non_max_suppression",
    Form.FUSED,
    launches=_suppression_launches,
    dtypes=FLOAT_DTYPES,
    result=lambda boxes, scores, *thresholds, count: (
        ArraySpec((count,), np.dtype(np.int32)),
        ArraySpec((count,), scores.dtype),
        ArraySpec((), np.dtype(np.int32)),
    ),
)


def _checked_boxes_and_scores(name: str, boxes: Any, scores: Any) -> tuple[Tensor, Tensor]:
    """Converts boxes and scores, which have one floating dtype; Python values become float32."""
    corners = convert_like(boxes, dtypes.float32.numpy)
    numbers = convert_like(scores, corners._array.dtype)
    _suppression.check_dtype(corners._array)
    if numbers.dtype is not corners.dtype:
        raise mixed_dtypes_error(name, corners._array.dtype, numbers._array.dtype)
    return corners, numbers


def _call_suppression(
    name: str, boxes: Any, scores: Any, max_output_size: Any, *thresholds: Any
) -> tuple[Tensor, Tensor, Tensor]:
    corners, numbers = _checked_boxes_and_scores(name, boxes, scores)
    count = corners._array.shape[0] if corners._array.ndim else 0
    check_shapes(name, f"boxes ({count}, 4), scores ({count})", InvalidArgumentError, corners, numbers)
    limit = ops.as_python_int(max_output_size, f"{name}: max_output_size")
    check_at_least(name, 0, InvalidArgumentError, max_output_size=limit)
    arguments = ("iou_threshold", "score_threshold", "soft_nms_sigma")
    values = [
        ops.scalar_of_dtype(value, dtypes.float32, name, argument)
        for value, argument in zip(thresholds, arguments, strict=True)
    ]
    if not values[2]._elements() >= 0:
        raise InvalidArgumentError(f"{name}: soft_nms_sigma must not be negative, got {thresholds[2]}.")
    check_interval(name, "[0, 1]", InvalidArgumentError, iou_threshold=values[0]._elements().item())
    indices, selected_scores, valid = _suppression(corners, numbers, *values, count=min(limit, count))
    is_valid = ops.less(constant_tensor(np.arange(min(limit, count), dtype=np.int32)), valid)
    return indices, selected_scores, is_valid


def non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    name: str | None = None,
) -> Tensor:
    """The indices of the boxes with the greatest scores, without boxes that overlap a selected box too much.

    Args:
        boxes: floats, shape (boxes, 4): (y1, x1, y2, x2), two opposite corners, in any unit.
        scores: floats, shape (boxes,).
        max_output_size: the greatest number of selected boxes.
        iou_threshold: in [0, 1]; a box is left out if its intersection over union with a selected box is greater.
        score_threshold: only boxes with a greater score are selected.
        name: kept for TensorFlow's signature.

    Returns:
        int32, shape (selected boxes,), the greatest score first.

    Raises:
        InvalidArgumentError: other shapes, or a threshold or size out of range.
    """
    indices, _, is_valid = _call_suppression(
        "non_max_suppression", boxes, scores, max_output_size, iou_threshold, score_threshold, 0.0
    )
    return ops.boolean_mask(indices, is_valid)


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
        soft_nms_sigma: a positive number multiplies a score by exp(-overlap² / (2 sigma)) for each selected box, and ``iou_threshold``
            has no effect. Source: Bodla and others, "Soft-NMS: improving object detection with one line of code" (2017).

    Returns:
        Indices, int32, and scores, of the dtype of ``scores``, both of shape (selected boxes,).

    Raises:
        InvalidArgumentError: as for ``non_max_suppression``.
    """
    thresholds = iou_threshold, score_threshold, soft_nms_sigma
    indices, selected_scores, is_valid = _call_suppression(
        "non_max_suppression_with_scores", boxes, scores, max_output_size, *thresholds
    )
    return ops.boolean_mask(indices, is_valid), ops.boolean_mask(selected_scores, is_valid)


# ---- batches ------------------------------------------------------------------------------------------


class CombinedSuppression(NamedTuple):
    """The result of ``combined_non_max_suppression``."""

    nmsed_boxes: Tensor
    nmsed_scores: Tensor
    nmsed_classes: Tensor
    valid_detections: Tensor


def _run_combined(
    boxes: np.ndarray, scores: np.ndarray, *thresholds: np.ndarray, per_class: int, count: int, clip: bool
) -> tuple[np.ndarray, ...]:
    batch, _, classes = scores.shape
    result_boxes, result_scores = np.zeros((batch, count, 4), np.float32), np.zeros((batch, count), np.float32)
    result_classes, valid = np.zeros((batch, count), np.float32), np.zeros(batch, np.int32)
    for image in range(batch):
        detections: list[tuple[float, int, np.ndarray]] = []
        for number in range(classes):
            class_boxes = boxes[image, :, number if boxes.shape[2] > 1 else 0]
            arrays = class_boxes, scores[image, :, number], *thresholds, np.zeros((), np.float32)
            size = min(per_class, len(class_boxes))
            indices, chosen_scores, kept_count = _suppression.run(*arrays, count=size)
            detections += [
                (chosen_scores[place], number, class_boxes[indices[place]]) for place in range(int(kept_count))
            ]
        detections.sort(key=lambda detection: -detection[0])
        valid[image] = len(detections[:count])
        for place, (score, number, box) in enumerate(detections[:count]):
            result_boxes[image, place] = np.clip(box, 0.0, 1.0) if clip else box
            result_scores[image, place], result_classes[image, place] = score, number
    return result_boxes, result_scores, result_classes, valid


_combined: Operation = operation(
    "combined_non_max_suppression",
    Form.EXTERN,
    run=_run_combined,
    dtypes=FLOAT_DTYPES,
    in_python="each box depends on those before it",
    result=lambda boxes, scores, *thresholds, per_class, count, clip: (
        ArraySpec((boxes.shape[0], count, 4), boxes.dtype),
        ArraySpec((boxes.shape[0], count), boxes.dtype),
        ArraySpec((boxes.shape[0], count), boxes.dtype),
        ArraySpec((boxes.shape[0],), np.dtype(np.int32)),
    ),
)


def combined_non_max_suppression(  # noqa: PLR0913  # TensorFlow's arguments
    boxes: Any,
    scores: Any,
    max_output_size_per_class: Any,
    max_total_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    pad_per_class: bool = False,
    clip_boxes: bool = True,
    name: str | None = None,
) -> CombinedSuppression:
    """``non_max_suppression`` for each class of each image of a batch, and the greatest scores of all classes.

    Args:
        boxes: float32, shape (batch, boxes, classes, 4), or (batch, boxes, 1, 4) if the classes share them.
        scores: float32, shape (batch, boxes, classes).
        max_output_size_per_class: the greatest number of boxes of a class.
        max_total_size: the number of boxes of an image.
        iou_threshold, score_threshold: as for ``non_max_suppression``.
        pad_per_class: whether ``max_total_size`` is limited to the number of classes times ``max_output_size_per_class``.
        clip_boxes: whether coordinates are clipped to [0, 1].
        name: kept for TensorFlow's signature.

    Returns:
        ``(nmsed_boxes, nmsed_scores, nmsed_classes, valid_detections)``: float32 of shapes (batch, total, 4), (batch, total) and
        (batch, total), with zeros after the selected boxes; and their number, int32 of shape (batch,).

    Raises:
        InvalidArgumentError: other shapes, or a threshold or size out of range.
    """
    what = "combined_non_max_suppression"
    corners = ops.tensor_of_dtype(boxes, dtypes.float32, what, "boxes")
    numbers = ops.tensor_of_dtype(scores, dtypes.float32, what, "scores")
    shape, score_shape = corners._array.shape, numbers._array.shape
    wanted = "boxes (batch, boxes, classes or 1, 4), scores (batch, boxes, classes)"
    check_shapes(what, wanted, InvalidArgumentError, corners, numbers)
    if shape[2] not in (1, score_shape[2]):
        refuse(what, f"boxes must have 1 or {score_shape[2]} classes", InvalidArgumentError, shape=shape)
    per_class = ops.as_python_int(max_output_size_per_class, f"{what}: max_output_size_per_class")
    count = ops.as_python_int(max_total_size, f"{what}: max_total_size")
    check_at_least(what, 1, InvalidArgumentError, max_output_size_per_class=per_class, max_total_size=count)
    thresholds = [
        ops.scalar_of_dtype(iou_threshold, dtypes.float32, what, "iou_threshold"),
        ops.scalar_of_dtype(score_threshold, dtypes.float32, what, "score_threshold"),
    ]
    check_interval(what, "[0, 1]", InvalidArgumentError, iou_threshold=thresholds[0]._elements().item())
    if pad_per_class:
        count = min(count, per_class * score_shape[2])
    return CombinedSuppression(
        *_combined(corners, numbers, *thresholds, per_class=per_class, count=count, clip=bool(clip_boxes))
    )


def _run_padded(
    boxes: np.ndarray,
    scores: np.ndarray,
    threshold: np.ndarray,
    score_threshold: np.ndarray,
    count: int,
    is_sorted: bool,
    is_in_order: bool,
) -> tuple[np.ndarray, np.ndarray]:
    batch, size = scores.shape
    if score_threshold != -np.inf:
        mask = scores > score_threshold
        boxes, scores = boxes * mask[:, :, None], scores * mask
    if not is_in_order and boxes.size:
        # TensorFlow takes the order of the first box for that of all.
        y1, x1, y2, x2 = boxes[0, 0].tolist()
        columns = [*((0, 2) if y1 <= y2 else (2, 0)), *((1, 3) if x1 <= x2 else (3, 1))]
        boxes = boxes[:, :, [columns[0], columns[2], columns[1], columns[3]]]
    indices, valid = np.zeros((batch, count), np.int32), np.zeros(batch, np.int32)
    for image in range(batch):
        order = np.arange(size) if is_sorted else np.argsort(-scores[image], kind="stable")
        corners = boxes[image, order].astype(np.float32)
        areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
        is_alive = np.ones(size, bool)
        for number in range(size):
            if is_alive[number]:
                low = np.maximum(corners[number, :2], corners[:, :2])
                high = np.minimum(corners[number, 2:], corners[:, 2:])
                intersections = np.prod(np.maximum(high - low, 0), axis=1)
                overlaps = intersections / (areas[number] + areas - intersections + np.float32(1e-8))
                is_alive[number + 1 :] &= overlaps[number + 1 :] < threshold
        chosen = order[is_alive & (corners > 0).any(axis=1)][:count]
        indices[image, : len(chosen)], valid[image] = chosen, len(chosen)
    return indices, valid


_padded: Operation = operation(
    "non_max_suppression_padded",
    Form.EXTERN,
    run=_run_padded,
    dtypes=FLOAT_DTYPES,
    in_python="each box depends on those before it",
    result=lambda boxes, scores, *thresholds, count, is_sorted, is_in_order: (
        ArraySpec((boxes.shape[0], count), np.dtype(np.int32)),
        ArraySpec((boxes.shape[0],), np.dtype(np.int32)),
    ),
)


def non_max_suppression_padded(  # noqa: PLR0913  # TensorFlow's arguments
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    pad_to_max_output_size: bool = False,
    name: str | None = None,
    sorted_input: bool = False,
    canonicalized_coordinates: bool = False,
    tile_size: int = 512,
) -> tuple[Tensor, Tensor]:
    """``non_max_suppression`` for batches; the indices of all batch elements have one length.

    Unlike ``non_max_suppression``, it also leaves out a box whose overlap equals ``iou_threshold``, or without a positive coordinate.

    Args:
        boxes: floats, shape (..., boxes, 4).
        scores: floats, shape (..., boxes).
        max_output_size, iou_threshold, score_threshold: as for ``non_max_suppression``.
        pad_to_max_output_size: whether the indices are followed by zeros; batches need it.
        name, tile_size: kept for TensorFlow's signature.
        sorted_input: whether the greatest scores come first.
        canonicalized_coordinates: whether y1 <= y2 and x1 <= x2 in all boxes; otherwise the first box decides the order for all.

    Returns:
        Indices, int32 of shape (..., max_output_size), and the numbers of selected boxes, int32 of shape (...).

    Raises:
        ValueError: a batch without ``pad_to_max_output_size``.
        InvalidArgumentError: other shapes, or a negative size.
    """
    what = "non_max_suppression_padded"
    corners, numbers = _checked_boxes_and_scores(what, boxes, scores)
    shape = corners._array.shape
    if len(shape) > 2 and not pad_to_max_output_size:
        raise ValueError(f"{what}: 'pad_to_max_output_size' must be True for batched input, of shape {tuple(shape)}.")
    check_shapes(what, "boxes (..., n, 4), scores (..., n)", InvalidValueError, shape, numbers)
    count = ops.as_python_int(max_output_size, f"{what}: max_output_size")
    check_at_least(what, 0, InvalidArgumentError, max_output_size=count)
    indices, valid = _padded(
        ops.reshape(corners, (math.prod(shape[:-2]), *shape[-2:])),
        ops.reshape(numbers, (math.prod(shape[:-2]), shape[-2])),
        ops.scalar_of_dtype(iou_threshold, dtypes.float32, what, "iou_threshold"),
        ops.scalar_of_dtype(score_threshold, dtypes.float32, what, "score_threshold"),
        count=count,
        is_sorted=bool(sorted_input),
        is_in_order=bool(canonicalized_coordinates),
    )
    valid = ops.reshape(valid, shape[:-2])
    if pad_to_max_output_size:
        return ops.reshape(indices, (*shape[:-2], count)), valid
    return ops.boolean_mask(indices[0], ops.less(constant_tensor(np.arange(count, dtype=np.int32)), valid)), valid
