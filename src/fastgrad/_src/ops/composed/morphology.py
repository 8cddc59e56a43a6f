"""Grayscale dilation of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, check_shapes, check_type
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import REAL_DTYPES, Form, Operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.kernels.convolution.dilation import greatest_sums
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output, Spec, single_launch
from fastgrad._src.ops.arguments import as_python_ints, check_dtype, tensor_of, tensor_of_dtype
from fastgrad._src.ops.comparison import greater, logical_and
from fastgrad._src.ops.creation import fill
from fastgrad._src.ops.kernel_launches import kernel_operation
from fastgrad._src.ops.padding import pad
from fastgrad._src.ops.references import gradient_of_reference
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.windows import output_sizes, padding_sizes, per_dimension


def dilation2d(
    input: Any, filters: Any, strides: Any, padding: Any, data_format: Any, dilations: Any, name: str | None = None
) -> Tensor:
    """The maximum over each window of the pixels plus the filter's elements, for each channel; "max-sum" correlation.

    The gradient flows to the first largest sum of each window.

    Args:
        input: real numbers, shape (batch, height, width, channels).
        filters: of the dtype of ``input``, shape (rows, columns, channels).
        strides: (1, rows, columns, 1) from one window to the next.
        padding: ``"VALID"``, or ``"SAME"`` for windows that reach beyond the image, where they have no pixels.
        data_format: ``"NHWC"``.
        dilations: (1, rows, columns, 1) from one pixel of a window to the next.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (batch, rows of windows, columns of windows, channels); a size is 0 where a window is at most one stride too large.

    Raises:
        ValueError: another ``data_format``.
        InvalidArgumentError: a shape, a number or ``padding`` is wrong; TypeError if ``padding`` is no string.
        UnimplementedError: a stride or dilation of batch or channels is above 1.
    """
    return _dilated("dilation2d", input, filters, strides, padding, data_format, dilations)


def _dilated(
    caller: str, input: Any, filters: Any, strides: Any, padding: Any, data_format: Any, dilations: Any
) -> Tensor:
    check_choice(caller, ("NHWC",), data_format=data_format)
    x = tensor_of(input)
    check_dtype(caller, x._array.dtype, REAL_DTYPES)
    table = tensor_of_dtype(filters, x.dtype, caller, "filters")
    check_shapes(caller, "images (n, y, x, channels), filters (h, w, channels)", InvalidArgumentError, x, table)
    check_type(caller, "a string, 'SAME' or 'VALID'", str, padding=padding)
    check_choice(caller, ("SAME", "VALID"), InvalidArgumentError, padding=padding)
    steps = []
    for what, value in (("strides", strides), ("dilations", dilations)):
        if len(as_python_ints(value, f"{caller}: {what}")) != 4:
            raise InvalidArgumentError(f"{caller}: {what} must be 4 numbers (1, rows, columns, 1), got {value!r}.")
        steps.append(per_dimension(value, 2, False, f"{caller}: {what}"))
    strides, dilations = steps
    kernel, sizes = table._array.shape[:2], x._array.shape[1:3]
    if padding == "VALID":
        # TensorFlow's number of windows before it is divided by the stride: 0 if a window is larger by one stride.
        parts = zip(sizes, kernel, strides, dilations, strict=True)
        room = [size - (count - 1) * rate - 1 + stride for size, count, stride, rate in parts]
        if min(room) >= 0 and any(left < stride for left, stride in zip(room, strides, strict=True)):
            rows, columns = [left // stride for left, stride in zip(room, strides, strict=True)]
            return x[:, :rows, :columns] + table[0, 0]
    paddings = padding_sizes(padding, sizes, kernel, strides, dilations, False, caller)
    return _dilate(
        x,
        table,
        strides=strides,
        paddings=paddings,
        dilations=dilations,
        counts=output_sizes(sizes, kernel, strides, paddings, dilations, caller),
        lowest=x.dtype.min,
    )


def _dilate_by_operations(
    x: Tensor, table: Tensor, strides: Any, paddings: Any, dilations: Any, counts: Any, lowest: Any
) -> Tensor:
    (*kernel, _), (batch, *sizes, channels) = table._array.shape, x._array.shape
    padded = pad(x, [(0, 0), *paddings, (0, 0)]) if any(map(any, paddings)) else x
    best = fill([batch, *counts, channels], constant_tensor(np.asarray(lowest, x._array.dtype)))
    for position in np.ndindex(*kernel):
        rows, columns = (
            slice(start * rate, start * rate + (count - 1) * stride + 1, stride)
            for start, rate, count, stride in zip(position, dilations, counts, strides, strict=True)
        )
        sums = padded[:, rows, columns] + table[position]
        has_pixel = np.ones(counts, bool)
        for axis, (part, size, (before, _)) in enumerate(zip((rows, columns), sizes, paddings, strict=True)):
            pixels = np.arange(part.start, part.stop, part.step) - before
            has_pixel &= np.expand_dims((pixels >= 0) & (pixels < size), 1 - axis)
        larger = greater(sums, best)
        if not has_pixel.all():
            larger = logical_and(larger, constant_tensor(has_pixel[..., None]))
        best = where(larger, sums, best)
    return best


@with_half_floats
def _dilate_launches(
    inputs: Sequence[Spec],
    outputs: Sequence[Spec],
    strides: tuple[int, int],
    paddings: tuple[tuple[int, int], ...],
    dilations: tuple[int, int],
    counts: tuple[int, int],
    lowest: float,
) -> Launches:
    x, (rows, columns, channels) = inputs[0], inputs[1].shape
    before = [pair[0] for pair in paddings]
    numbers = channels, *x.shape[1:3], rows, columns, *counts, *strides, *before, *dilations
    cost = counts[1] * rows * columns * (2.0 + 0.1 * channels)
    arrays = Input(0), Input(1), Output(0), float(lowest)
    return single_launch(greatest_sums[x.dtype], *arrays, *numbers, units=x.shape[0] * counts[0], unit_cost=cost)


_dilate: Operation = kernel_operation(
    "dilation2d",
    Form.FUSED,
    launches=_dilate_launches,
    result=lambda x, table, counts, **window: ArraySpec((x.shape[0], *counts, x.shape[3]), x.dtype),
    gradient=gradient_of_reference(_dilate_by_operations),
    dtypes=REAL_DTYPES,
    reference=_dilate_by_operations,
)
