"""Arrays whose memory order differs from the order of their dimensions, such as transposes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from math import prod

import numpy as np

from fastgrad.kernels.movement.layout import Layout, contiguous, merged_dimensions
from fastgrad.kernels.movement.strided import strided_copy_launch
from fastgrad.kernels.runtime.eager_launch import run_eagerly
from fastgrad.kernels.runtime.launch import Input, Launches, Output

LEAST_COPIED_ELEMENTS = 4096  # least elements for which kernels are faster


def memory_order(x: np.ndarray) -> tuple[int, ...] | None:
    """Returns the order of dimensions in which an array is contiguous in memory; None if there is none."""
    order = tuple(sorted(range(x.ndim), key=lambda axis: (-x.strides[axis], axis)))
    return order if x.transpose(order).flags.c_contiguous else None


def in_row_major_order(x: np.ndarray) -> np.ndarray:
    """Returns an array in row-major order, as ``np.ascontiguousarray``; kernels copy large transposes."""
    order = None if x.flags.c_contiguous or x.size < LEAST_COPIED_ELEMENTS or x.dtype.kind == "O" else memory_order(x)
    if order is None:
        return np.ascontiguousarray(x)
    launches = _copy_launches(x.shape, x.strides, x.dtype)
    if launches is None:
        return np.ascontiguousarray(x)
    y = np.empty(x.shape, x.dtype)
    run_eagerly(launches, (x.transpose(order),), (y,))
    return y


def run_in_memory_order(run: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray | None:
    """Runs an element-wise function on arrays whose axes are transposed to their order in memory.

    The result has the same memory order: after a convolution with the channels first, channels stay last in memory.

    Args:
        run: the function.
        *arrays: arrays of ``LEAST_COPIED_ELEMENTS`` or more elements; smaller arrays are not worth the check.

    Returns:
        None if the arrays are in order, or have no memory order.
    """
    last = next((x for x in reversed(arrays) if not x.flags.c_contiguous), None)
    order = None if last is None else memory_order(last)
    if order is None or any(x.shape != arrays[0].shape for x in arrays):
        return None
    return run(*[in_row_major_order(x.transpose(order)) for x in arrays]).transpose(np.argsort(order))


@functools.lru_cache(maxsize=256)
def _copy_launches(shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype) -> Launches | None:
    dims = merged_dimensions([(size, stride // dtype.itemsize) for size, stride in zip(shape, strides, strict=True)])
    launch = strided_copy_launch(Input(0), Output(0), dtype, Layout(0, dims), contiguous(prod(shape)))
    return None if launch is None else Launches((launch,))
