"""Boxes in images: crops by boxes, their drawing, and random boxes, as in ``tf.image``.

A box is (y1, x1, y2, x2), in parts of the height and the width unless it says otherwise.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import (
    check_at_least,
    check_choice,
    check_length,
    check_shapes,
    checked_number,
    refuse,
)
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import InvalidValueError, check_size
from fastgrad._src.core.operation import FLOAT_DTYPES, INTEGER_DTYPES, Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_like, convert_to_tensor
from fastgrad._src.image.interpolation import interpolate
from fastgrad._src.ops import namespace as ops

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
        return ops.expand_dims(ops.multiply(ops.multiply(ops.add(low, high), 0.5), last), 1)
    step = ops.multiply(ops.subtract(high, low), constant_tensor(np.float32((length - 1) / (count - 1))))
    numbers = constant_tensor(np.arange(count, dtype=np.float32))
    return ops.add(ops.expand_dims(ops.multiply(low, last), 1), ops.multiply(ops.expand_dims(step, 1), numbers))


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

    The first and the last pixel of a part lie on the edges of its box. A box with y1 > y2 or x1 > x2 gives a mirrored part.

    Args:
        image: shape (batch, height, width, channels).
        boxes: float32, shape (boxes, 4): (y1, x1, y2, x2) in fractions of height and width; parts outside of the image are allowed.
        box_indices: integers, shape (boxes,): the image of each box.
        crop_size: (height, width) of the result.
        method: ``"bilinear"`` or ``"nearest"``.
        extrapolation_value: the value outside of the image.
        name: kept for TensorFlow's signature.

    Returns:
        float32, shape (boxes, height, width, channels). Gradients flow to ``image`` and ``boxes``.

    Raises:
        InvalidArgumentError: arguments of other shapes, an image number out of range, or another ``method``.
        ValueError: ``box_indices`` are no integers.
    """
    what = "crop_and_resize"
    x, edges = convert_to_tensor(image), ops.tensor_of_dtype(boxes, dtypes.float32, what, "boxes")
    numbers = convert_to_tensor(box_indices)
    if numbers._array.size and not numbers.dtype.is_integer:
        raise InvalidValueError(f"{what}: Argument `box_indices` must be integers, got {numbers.dtype.name}.")
    outside = checked_number(what, "extrapolation_value", extrapolation_value)
    sizes = ops.as_python_ints(crop_size, "crop_and_resize: crop_size")
    shape, count = x._array.shape, edges._array.shape[0] if edges._array.ndim else 0
    if len(shape) != 4 or 0 in shape[1:3]:
        raise InvalidArgumentError(f"crop_and_resize: input image must be 4-D, with pixels, got {TensorShape(shape)}.")
    check_shapes("crop_and_resize", f"boxes ({count}, 4), box_indices ({count})", InvalidArgumentError, edges, numbers)
    if len(sizes) != 2 or min(sizes) <= 0:
        raise InvalidArgumentError(f"crop_and_resize: crop dimensions must be two positive numbers, got {crop_size!r}.")
    check_choice("crop_and_resize", ("bilinear", "nearest"), InvalidArgumentError, method=method)
    check_size(what, (count, *sizes, shape[3]), np.dtype(np.float32))
    for check, bound in ((ops.assert_greater_equal, 0), (ops.assert_less, shape[0])):
        check(numbers, bound, message=f"{what}: box_indices must be in [0, {shape[0]}), the images of the batch")
    x = ops.cast(x, dtypes.float32)
    y1, x1, y2, x2 = ops.unstack(edges, axis=1)
    rows = _sample_positions(y1, y2, shape[1], sizes[0])
    columns = _sample_positions(x1, x2, shape[2], sizes[1])
    if method == "nearest":
        rows, columns = _nearest_pixels(rows, shape[1]), _nearest_pixels(columns, shape[2])
    else:
        rows, columns = _mark_outside(rows, rows, shape[1]), _mark_outside(columns, columns, shape[2])
    grid, points = (count, *sizes), (count, sizes[0] * sizes[1])
    values = interpolate(
        x,
        ops.cast(numbers, dtypes.int32),
        ops.reshape(ops.broadcast_to(ops.expand_dims(rows, 2), grid), points),
        ops.reshape(ops.broadcast_to(ops.expand_dims(columns, 1), grid), points),
        method="nearest" if method == "nearest" else "clamped_bilinear",
        fill=outside,
    )
    return ops.reshape(values, (*grid, shape[3]))


def _mark_outside(pixels: Tensor, positions: Tensor, length: int) -> Tensor:
    """Returns ``pixels``, and -2 where ``positions`` are outside of a line of ``length`` pixels, or NaN."""
    inside = ops.logical_and(ops.greater_equal(positions, 0.0), ops.less_equal(positions, float(length - 1)))
    return ops.where(inside, pixels, constant_tensor(np.float32(-2)))


def _nearest_pixels(positions: Tensor, length: int) -> Tensor:
    return _mark_outside(ops.floor(ops.add(positions, constant_tensor(np.float32(0.5)))), positions, length)


# ---- drawing ------------------------------------------------------------------------------------------


def _run_draw_boxes(images: np.ndarray, boxes: np.ndarray, colors: np.ndarray) -> np.ndarray:
    drawn = images.copy()
    height, width, channels = images.shape[1:]
    edges = boxes.astype(np.float32) * np.array([height - 1, width - 1, height - 1, width - 1], np.float32)
    for picture, picture_edges in zip(drawn, edges, strict=True):
        for number, (top, left, bottom, right) in enumerate(np.nan_to_num(picture_edges).astype(np.int64).tolist()):
            if top > bottom or left > right or top >= height or left >= width or bottom < 0 or right < 0:
                continue
            color = colors[number % len(colors), :channels]
            rows = slice(max(top, 0), min(bottom, height - 1) + 1)
            columns = slice(max(left, 0), min(right, width - 1) + 1)
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
    run=_run_draw_boxes,
    dtypes=FLOAT_DTYPES,
    in_python="NumPy draws",
    result=lambda images, boxes, colors: images,
)


def draw_bounding_boxes(images: Any, boxes: Any, colors: Any = None, name: str | None = None) -> Tensor:
    """Images with the edges of boxes, one pixel wide.

    Args:
        images: float32 or float16, shape (batch, height, width, channels) with 1, 3 or 4 channels.
        boxes: float32, shape (batch, boxes, 4): (y1, x1, y2, x2) in fractions of height and width.
        colors: floats, shape (colours, channels or more); box i gets colour i modulo their number. None for ten colours.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: other shapes, or images of another dtype.
    """
    x = convert_like(images, dtypes.float32.numpy)
    edges = ops.tensor_of_dtype(boxes, dtypes.float32, "draw_bounding_boxes", "boxes")
    _draw.check_dtype(x._array)
    shape, box_shape = x._array.shape, edges._array.shape
    if len(shape) != 4 or shape[3] not in (1, 3, 4):
        raise InvalidArgumentError(f"draw_bounding_boxes: images must be 4-D with 1, 3 or 4 channels, got {x.shape}.")
    check_shapes("draw_bounding_boxes", f"boxes ({shape[0]}, n, 4)", InvalidArgumentError, box_shape)
    palette = (
        constant_tensor(_DEFAULT_COLORS)
        if colors is None
        else ops.tensor_of_dtype(colors, dtypes.float32, "draw_bounding_boxes", "colors")
    )
    if palette._array.ndim != 2 or palette._array.shape[1] < shape[3]:
        refuse("draw_bounding_boxes", f"`colors` must have {shape[3]} columns", InvalidArgumentError, colors=palette)
    if colors is None and shape[3] == 1:
        palette = constant_tensor(np.ones((1, 4), np.float32))
    return _draw(x, edges, palette)


# ---- random boxes -------------------------------------------------------------------------------------

_NUMBERS_PER_ATTEMPT = 4


def _random_box(
    numbers: np.ndarray, height: int, width: int, aspect_range: tuple[float, float], area_range: tuple[float, float]
) -> tuple[int, int, int, int] | None:
    """Returns (top, left, bottom, right) of a box from four numbers in [0, 1), or None if the box does not fit."""
    aspect = aspect_range[0] + float(numbers[0]) * (aspect_range[1] - aspect_range[0])
    least, most = (fraction * width * height for fraction in area_range)
    box_height, highest = (round(math.sqrt(area / aspect)) for area in (least, most))
    if round(highest * aspect) > width:
        highest = int((width + 0.5 - 1e-7) / aspect)
        highest -= round(highest * aspect) > width
    highest = min(highest, height)
    box_height = min(box_height, highest)
    box_height += int(numbers[1] * (highest - box_height + 1))
    box_width = round(box_height * aspect)
    # Rounding may have moved the area out of its range by one row.
    if box_width * box_height < least:
        box_height += 1
    elif box_width * box_height > most:
        box_height -= 1
    box_width = round(box_height * aspect)
    if not least <= box_width * box_height <= most or not 0 < box_width <= width or not 0 < box_height <= height:
        return None
    top, left = int(numbers[2] * (height - box_height + 1)), int(numbers[3] * (width - box_width + 1))
    return top, left, top + box_height, left + box_width


def _covers(box: tuple[int, int, int, int], objects: np.ndarray, least_part: float) -> bool:
    """True if ``box`` has at least ``least_part`` of one of ``objects``, which have areas of a pixel or more."""
    corners = np.array(box)
    overlaps = np.minimum(corners[2:], objects[:, 2:]) - np.maximum(corners[:2], objects[:, :2])
    areas = np.prod(objects[:, 2:] - objects[:, :2], axis=1)
    return bool(np.any((areas >= 1) & (np.prod(np.maximum(overlaps, 0), axis=1) >= least_part * areas)))


def _run_sample_box(
    size: np.ndarray,
    boxes: np.ndarray,
    numbers: np.ndarray,
    least_part: np.ndarray,
    aspect_range: tuple[float, float],
    area_range: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    height, width = size[:2].tolist()
    scale = np.array([height, width, height, width])
    objects = (boxes.reshape(-1, 4) * scale).astype(np.int64) if boxes.size else np.array([[0, 0, height, width]])
    box = (0, 0, height, width)
    for attempt in numbers:
        candidate = _random_box(attempt, height, width, aspect_range, area_range)
        if candidate is not None and _covers(candidate, objects, float(least_part)):
            box = candidate
            break
    top, left, bottom, right = box
    begin, part = np.array([top, left, 0], size.dtype), np.array([bottom - top, right - left, -1], size.dtype)
    return begin, part, (np.array(box) / scale).astype(np.float32).reshape(1, 1, 4)


_sample: Operation = operation(
    "sample_distorted_bounding_box",
    Form.EXTERN,
    run=_run_sample_box,
    dtypes=INTEGER_DTYPES,
    in_python="boxes are tried one after the other",
    result=lambda size, *inputs, **attributes: (
        ArraySpec((3,), size.dtype),
        ArraySpec((3,), size.dtype),
        ArraySpec((1, 1, 4), np.dtype(np.float32)),
    ),
)


class BoundingBoxSample(NamedTuple):
    """The result of ``sample_distorted_bounding_box``: two arguments of ``tf.slice``, and one of ``draw_bounding_boxes``."""

    begin: Tensor
    size: Tensor
    bboxes: Tensor


def _sampled_box(
    name: str, image_size: Any, bounding_boxes: Any, draw: Callable[[tuple[int, int]], Tensor], *options: Any
) -> BoundingBoxSample:
    """Returns a box that ``draw`` gives; ``options`` are the last arguments of ``sample_distorted_bounding_box``."""
    min_object_covered, aspect_ratio_range, area_range, max_attempts, use_image_if_no_bounding_boxes = options
    size, boxes = (
        convert_to_tensor(image_size),
        ops.tensor_of_dtype(bounding_boxes, dtypes.float32, name, "bounding_boxes"),
    )
    check_shapes(name, "image_size (3): height, width, channels", InvalidArgumentError, size)
    check_shapes(name, "bounding_boxes (batch, boxes, 4)", InvalidArgumentError, boxes)
    if not boxes._array.size and not use_image_if_no_bounding_boxes:
        refuse(name, "no boxes: pass some, or use_image_if_no_bounding_boxes=True", InvalidArgumentError)
    ranges = []
    for what, value, default in (
        ("aspect_ratio_range", aspect_ratio_range, (0.75, 1.33)),
        ("area_range", area_range, (0.05, 1.0)),
    ):
        bounds = default if value is None else [checked_number(name, what, bound) for bound in value]
        check_length(name, 2, InvalidArgumentError, **{what: bounds})
        low, high = bounds
        if not 0 < low <= high or (what == "area_range" and high > 1):
            raise InvalidArgumentError(
                f"{name}: {what} must be two positive numbers in order, areas up to 1; got {value}."
            )
        ranges.append((low, high))
    attempts = 100 if max_attempts is None else ops.as_python_int(max_attempts, f"{name}: max_attempts")
    check_at_least(name, 1, InvalidArgumentError, max_attempts=attempts)
    least_part = ops.scalar_of_dtype(min_object_covered, dtypes.float32, name, "min_object_covered")
    zero = constant_tensor(np.float32(0))
    ops.assert_greater_equal(least_part, zero, message=f"{name}: min_object_covered must not be negative")
    ops.assert_greater_equal(boxes, zero, message=f"{name}: bounding_boxes must be in [0, 1]")
    ops.assert_less_equal(boxes, constant_tensor(np.float32(1)), message=f"{name}: bounding_boxes must be in [0, 1]")
    numbers = draw((attempts, _NUMBERS_PER_ATTEMPT))
    return BoundingBoxSample(*_sample(size, boxes, numbers, least_part, aspect_range=ranges[0], area_range=ranges[1]))


def sample_distorted_bounding_box(  # noqa: PLR0913  # TensorFlow's arguments
    image_size: Any,
    bounding_boxes: Any,
    seed: Any = 0,
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = None,
    area_range: Any = None,
    max_attempts: Any = None,
    use_image_if_no_bounding_boxes: Any = None,
    name: str | None = None,
) -> BoundingBoxSample:
    """A random box that covers at least a given fraction of one of the objects.

    Args:
        image_size: integers, (height, width, channels).
        bounding_boxes: float32, shape (batch, boxes, 4): the objects, (y1, x1, y2, x2) in fractions of height and width.
        seed: an integer; 0 for none.
        min_object_covered: the least fraction of an object that the box covers.
        aspect_ratio_range: the least and the greatest width divided by the height; default (0.75, 1.33).
        area_range: the least and the greatest fraction of the image's area; default (0.05, 1).
        max_attempts: the number of random boxes to try; then the box is the whole image. Default 100.
        use_image_if_no_bounding_boxes: whether the whole image is the object if there are no boxes.
        name: kept for TensorFlow's signature.

    Returns:
        ``(begin, size, bboxes)``: ``begin`` and ``size``, of the dtype of ``image_size``, for ``tf.slice``; ``bboxes``, float32
        of shape (1, 1, 4).

    Raises:
        InvalidArgumentError: other shapes or ranges, coordinates outside of [0, 1], or no objects.
    """
    options = min_object_covered, aspect_ratio_range, area_range, max_attempts, use_image_if_no_bounding_boxes
    draw = functools.partial(ops.uniform, seed=seed or None)
    return _sampled_box("sample_distorted_bounding_box", image_size, bounding_boxes, draw, *options)


def stateless_sample_distorted_bounding_box(  # noqa: PLR0913  # TensorFlow's arguments
    image_size: Any,
    bounding_boxes: Any,
    seed: Any,
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = None,
    area_range: Any = None,
    max_attempts: Any = None,
    use_image_if_no_bounding_boxes: Any = None,
    name: str | None = None,
) -> BoundingBoxSample:
    """``sample_distorted_bounding_box`` with a seed of two integers."""
    options = min_object_covered, aspect_ratio_range, area_range, max_attempts, use_image_if_no_bounding_boxes
    draw = functools.partial(ops.stateless_uniform, seed=seed)
    return _sampled_box("stateless_sample_distorted_bounding_box", image_size, bounding_boxes, draw, *options)
