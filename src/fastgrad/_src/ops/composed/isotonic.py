"""Isotonic regression (``tf.nn.isotonic_regression``)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.arguments import as_python_int
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.segments import unsorted_segment_mean
from fastgrad._src.ops.shaping import reshape, transpose

_RESULT_DTYPES = {
    dtype: dtype if dtype.is_floating else dtypes.float32
    for dtype in (dtypes.float32, dtypes.float16, dtypes.bfloat16, dtypes.int8, dtypes.int16)
}
"""The dtypes of results that are not float64."""


def _run_segments(rows: np.ndarray) -> np.ndarray:
    """The number of the block of each element, by merging blocks whose means ascend ("pool adjacent violators")."""
    segments = np.empty(rows.shape, np.int32)
    for row, segment in zip(rows, segments, strict=True):
        blocks: list[tuple[float, int]] = []  # the sum and the number of elements of each
        for value in row.tolist():
            total, count = float(value), 1
            while blocks and blocks[-1][0] * count <= total * blocks[-1][1]:
                before, number = blocks.pop()
                total, count = total + before, count + number
            blocks.append((total, count))
        segment[:] = np.repeat(np.arange(len(blocks)), [count for _, count in blocks])
    return segments


_segments: Operation = operation(
    "isotonic_segments",
    Form.EXTERN,
    run=_run_segments,
    in_python="blocks are merged one after the other",
    result=lambda rows: ArraySpec(rows.shape, np.dtype(np.int32)),
)


def isotonic_regression(inputs: Any, decreasing: bool = True, axis: int = -1) -> tuple[Tensor, Tensor]:
    """The monotonic sequence with the least sum of squared differences from ``inputs``, along an axis.

    Args:
        inputs: numbers.
        decreasing: whether results descend; else they ascend.
        axis: the axis of the sequences.

    Returns:
        ``(sequences, blocks)``, both of the shape of ``inputs``. The sequences have the dtype of ``inputs`` for float16, bfloat16 and
        float32; float32 for int8 and int16; else float64. ``blocks``, int32, numbers the blocks of equal elements of a sequence from 0.

    Raises:
        InvalidArgumentError: ``inputs`` is a scalar or holds no real numbers, or ``axis`` is out of range.
    """
    x = convert_to_tensor(inputs)
    if not (x.dtype.is_floating or x.dtype.is_integer):
        raise InvalidArgumentError(f"isotonic_regression: inputs must be real numbers, got {x.dtype.name}.")
    place = as_python_int(axis, "isotonic_regression: axis")
    if not -x.ndim <= place < x.ndim:
        raise InvalidArgumentError(f"isotonic_regression: axis {place} is out of range for shape {list(x.shape)}.")
    order = [*(i for i in range(x.ndim) if i != place % x.ndim), place % x.ndim]
    floats = cast(x, _RESULT_DTYPES.get(x.dtype, dtypes.float64))
    moved = transpose(floats, order)
    shape = list(moved.shape)
    rows = reshape(moved, [math.prod(shape[:-1]), shape[-1]])
    segments = _segments(rows if decreasing else -rows)
    count, size = rows.shape
    numbers = reshape(segments + np.arange(count, dtype=np.int32)[:, None] * np.int32(size), [-1])
    means = gather(unsorted_segment_mean(reshape(rows, [-1]), numbers, count * size), numbers)
    back = np.argsort(order)
    return transpose(reshape(means, shape), back), transpose(reshape(segments, shape), back)
