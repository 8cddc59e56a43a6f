"""Interpolation: the values of images at any positions, for transforms and crops."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from fastgrad._src.core.operation import Form, Operation
from fastgrad._src.core.result_rules import ArraySpec, require_fitting_shapes
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.kernels.convolution.interpolation import BILINEAR, CLAMPED_BILINEAR, NEAREST, interpolated_pixels
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output, Spec, single_launch
from fastgrad._src.ops import namespace as ops

_METHODS = {"nearest": NEAREST, "bilinear": BILINEAR, "clamped_bilinear": CLAMPED_BILINEAR}


def _gather_pixels(x: Tensor, images: Tensor, rows: Tensor, columns: Tensor, fill: float) -> Tensor:
    """Returns the pixels at whole places; ``fill`` outside of the images."""
    count, height, width, channels = x._array.shape
    parts = [
        ops.greater_equal(rows, 0.0),
        ops.less(rows, float(height)),
        ops.greater_equal(columns, 0.0),
        ops.less(columns, float(width)),
    ]
    inside = ops.logical_and(ops.logical_and(parts[0], parts[1]), ops.logical_and(parts[2], parts[3]))
    row, column = [ops.cast(ops.where(inside, place, 0.0), np.int32) for place in (rows, columns)]
    positions = ops.add(ops.multiply(ops.add(ops.multiply(ops.expand_dims(images, 1), height), row), width), column)
    values = ops.gather(ops.reshape(x, (count * height * width, channels)), positions)
    return ops.where(ops.expand_dims(inside, 2), values, constant_tensor(np.asarray(fill, x._array.dtype)))


def _interpolate_by_operations(
    x: Tensor, images: Tensor, rows: Tensor, columns: Tensor, method: str, fill: float
) -> Tensor:
    pixels = partial(_gather_pixels, x, images, fill=fill)
    top, left = ops.floor(rows), ops.floor(columns)
    if method == "nearest":
        return pixels(top, left)
    down, right = [
        ops.expand_dims(ops.cast(part, x.dtype), 2) for part in (ops.subtract(rows, top), ops.subtract(columns, left))
    ]
    is_clamped = method == "clamped_bilinear"
    bottom, last = (ops.ceil(rows), ops.ceil(columns)) if is_clamped else (ops.add(top, 1.0), ops.add(left, 1.0))
    corners = [pixels(row, column) for row in (top, bottom) for column in (left, last)]
    upper, lower = [
        ops.add(ops.multiply(ops.subtract(1.0, right), a), ops.multiply(right, b))
        for a, b in (corners[:2], corners[2:])
    ]
    return ops.add(ops.multiply(ops.subtract(1.0, down), upper), ops.multiply(down, lower))


def _interpolate_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], method: str, fill: float) -> Launches:
    x, points = inputs[0], inputs[2].shape
    arrays, numbers = [Input(number) for number in range(4)], (*x.shape[1:], points[1], _METHODS[method], float(fill))
    cost = 4.0 + 2.0 * x.shape[3]
    return single_launch(
        interpolated_pixels[x.dtype], *arrays, Output(0), *numbers, units=points[0] * points[1], unit_cost=cost
    )


def _interpolate_result(x: Any, images: Any, rows: Any, columns: Any, **attributes: Any) -> ArraySpec:
    require_fitting_shapes(rows.shape == columns.shape and images.shape == rows.shape[:1])
    return ArraySpec((*rows.shape, x.shape[3]), x.dtype)


interpolate: Operation = ops.kernel_operation(
    "interpolate_pixels",
    Form.FUSED,
    launches=_interpolate_launches,
    result=_interpolate_result,
    gradient=ops.gradient_of_reference(_interpolate_by_operations),
    dtypes=ops.KERNEL_FLOATS,
    reference=_interpolate_by_operations,
)
"""Pixels at any places: ``interpolate(x, images, rows, columns, method=, fill=)``, of shape (n, points, channels).

``x`` has the shape (batch, height, width, channels); ``images``, int32 of shape (n,), has the image of each line of ``rows`` and
``columns``, float32 of shape (n, points). ``"nearest"`` takes the pixel of the whole numbers below a place, ``"bilinear"`` weighs the four
pixels around it, of which those outside of an image are ``fill``. ``"clamped_bilinear"`` is for places that are inside of the
outermost pixels, or far outside, and reads no pixel of weight 0.
"""
