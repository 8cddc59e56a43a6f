"""Arrays whose elements lie in memory in another order than their dimensions say, as transposes do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from math import prod

import numpy as np

from fastgrad.kernels.movement.layout import Layout, collapsed, contiguous
from fastgrad.kernels.movement.strided import moved
from fastgrad.kernels.runtime.eager_launch import run_at_once
from fastgrad.kernels.runtime.launch import Input, Launches, Output

LARGE = 4096  # elements from which on kernels are faster


def memory_order(x: np.ndarray) -> tuple[int, ...] | None:
    """The order of dimensions in which the elements of an array lie in memory, one behind the other; None if there is none."""
    order = tuple(sorted(range(x.ndim), key=lambda axis: (-x.strides[axis], axis)))
    return order if x.transpose(order).flags.c_contiguous else None


def in_order(x: np.ndarray) -> np.ndarray:
    """As ``np.ascontiguousarray``; large transposes are copied by kernels."""
    order = None if x.flags.c_contiguous or x.size < LARGE or x.dtype.kind == "O" else memory_order(x)
    if order is None:
        return np.ascontiguousarray(x)
    launches = _launches(x.shape, x.strides, x.dtype)
    if launches is None:
        return np.ascontiguousarray(x)
    y = np.empty(x.shape, x.dtype)
    run_at_once(launches, (x.transpose(order),), (y,))
    return y


def as_in_memory(run: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray | None:
    """What a function of arrays of one shape, element by element, gives for transposes as they lie in memory.

    Its result lies there as they do: behind a convolution with the channels first they stay last in memory.

    Args:
        run: the function.
        *arrays: ``LARGE`` or more elements each; others are not worth asking.

    Returns:
        None where the arrays are in order, or in none.
    """
    last = next((x for x in reversed(arrays) if not x.flags.c_contiguous), None)
    order = None if last is None else memory_order(last)
    if order is None or any(x.shape != arrays[0].shape for x in arrays):
        return None
    return run(*[in_order(x.transpose(order)) for x in arrays]).transpose(np.argsort(order))


@functools.lru_cache(maxsize=256)
def _launches(shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype) -> Launches | None:
    dims = collapsed([(size, stride // dtype.itemsize) for size, stride in zip(shape, strides, strict=True)])
    launch = moved(Input(0), Output(0), dtype, Layout(0, dims), contiguous(prod(shape)))
    return None if launch is None else Launches((launch,))
