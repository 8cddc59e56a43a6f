"""Arrays whose memory order differs from the order of their dimensions, such as transposes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from fastgrad._src.kernels.movement.layout import Dims, Layout, contiguous, merged_dimensions, split_dimensions
from fastgrad._src.kernels.movement.strided import has_short_rows, strided_copy_launch
from fastgrad._src.kernels.runtime.eager_launch import run_on_thread_pool
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output

LEAST_COPIED_ELEMENTS = 4096
"""The elements of a transposed array from which a kernel copies it faster than NumPy."""
LEAST_ELEMENTS_OF_ROWS, LEAST_ROW_ELEMENTS = 1 << 19, 32
"""The same for an array of rows that lie apart in memory or are repeated, and the least length of its rows."""


def memory_order(x: np.ndarray) -> tuple[int, ...] | None:
    """Returns the order of dimensions in which an array is contiguous in memory; None if there is none."""
    order = tuple(sorted(range(x.ndim), key=lambda axis: (-x.strides[axis], axis)))
    return order if x.transpose(order).flags.c_contiguous else None


def in_row_major_order(x: np.ndarray) -> np.ndarray:
    """Returns an array in row-major order, as ``np.ascontiguousarray``; kernels copy large arrays."""
    copy = None if x.flags.c_contiguous else copy_by_kernel(x)
    return np.ascontiguousarray(x) if copy is None else copy


def copy_by_kernel(x: np.ndarray) -> np.ndarray | None:
    """Returns a copy of an array in row-major order; None if NumPy copies it faster."""
    if x.size < LEAST_COPIED_ELEMENTS or x.dtype.hasobject:
        return None
    launches = _copy_launches(x.shape, x.strides, x.dtype)
    if launches is None:
        return None
    y = np.empty(x.shape, x.dtype)
    run_on_thread_pool(launches, (_memory_between_ends(x),), (y,))
    return y


def _memory_between_ends(x: np.ndarray) -> np.ndarray:
    """Returns all elements from the first to the last in memory that an array reads, as a vector."""
    offset, last = _ends(x.shape, x.strides)
    first = x[tuple([slice(-1, None) if stride < 0 else slice(None) for stride in x.strides])] if offset else x
    return as_strided(first, ((last - offset) // x.itemsize + 1,), (x.itemsize,))


def _ends(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, int]:
    """Returns the offsets in bytes of the first and the last element in memory, from that at index 0."""
    distances = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
    return sum([d for d in distances if d < 0]), sum([d for d in distances if d > 0])


def is_view_of_shape(x: np.ndarray, shape: tuple[int, ...]) -> bool:
    """True if an array can be read in another shape, of as many elements, without a copy."""
    return split_dimensions(merged_dimensions(zip(x.shape, x.strides, strict=True)), shape) is not None


def run_in_memory_order(run: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray | None:
    """Runs an element-wise function on arrays whose axes are transposed to their order in memory.

    The result has the same memory order: after a convolution with the channels first, channels stay last in memory.

    Args:
        run: the function.
        *arrays: scalars, and arrays of ``LEAST_COPIED_ELEMENTS`` or more elements; smaller arrays are not worth the check.

    Returns:
        None if the arrays are in order, or have no memory order.
    """
    last = next((x for x in reversed(arrays) if not x.flags.c_contiguous), None)
    order = None if last is None else memory_order(last)
    if last is None or order is None or any(x.ndim and x.shape != last.shape for x in arrays):
        return None
    turned = [in_row_major_order(x.transpose(order)) if x.ndim else x for x in arrays]
    return run(*turned).transpose(np.argsort(order))


def _is_fast_copy(dims: Dims) -> bool:
    """True if the kernel that copies these (size, stride) dimensions is faster than NumPy."""
    sizes, strides = zip(*dims, strict=True)
    if any(stride == 1 for stride in strides[:-1]) and strides[-1]:
        return True  # a transpose
    has_rows = strides[-1] in (0, 1) and (sizes[-1] >= LEAST_ROW_ELEMENTS or has_short_rows(sizes))
    return has_rows and prod(sizes) >= LEAST_ELEMENTS_OF_ROWS


@functools.lru_cache(maxsize=256)
def _copy_launches(shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype) -> Launches | None:
    if any(stride % dtype.itemsize for stride in strides):
        return None  # a field of a structure
    dims = merged_dimensions([(size, stride // dtype.itemsize) for size, stride in zip(shape, strides, strict=True)])
    if not _is_fast_copy(dims):
        return None
    source = Layout(-_ends(shape, strides)[0] // dtype.itemsize, dims)
    launch = strided_copy_launch(Input(0), Output(0), dtype, source, contiguous(prod(shape)))
    return None if launch is None else Launches((launch,))
