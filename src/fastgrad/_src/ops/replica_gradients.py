"""Reductions of gradients over the processes: tensors together, and ``IndexedSlices`` as rows where that is fewer bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.recording import is_state_recorded
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.kernels.collectives.world import world
from fastgrad._src.ops.collectives import all_reduce
from fastgrad._src.ops.segments import unsorted_segment_sum
from fastgrad._src.ops.sorting import unique
from fastgrad._src.ops.uneven_gathering import gathered_from_world, row_counts


def all_reduce_gradients(gradients: Sequence[Any], reduce_ops: Sequence[str]) -> list[Any]:
    """Returns gradients reduced over all processes, the same in each; tensors by one call of `all_reduce`.

    Args:
        gradients: tensors, `IndexedSlices`, or None for a variable without a gradient, which has none in any process.
        reduce_ops: "sum", "mean" or "max" for each gradient; "max" only for tensors.

    Raises:
        UnavailableError: another process failed, or has other gradients.
    """
    results: list[Any] = [g if g is None or isinstance(g, IndexedSlices) else convert_to_tensor(g) for g in gradients]
    are_slices = [isinstance(g, IndexedSlices) for g in results]
    for position, is_slices in enumerate(are_slices):
        if is_slices:
            results[position] = all_reduce_slices(results[position], reduce_ops[position] == "mean")
    for reduce_op in dict.fromkeys(reduce_ops):
        positions = [
            position
            for position, g in enumerate(results)
            if isinstance(g, Tensor) and not are_slices[position] and reduce_ops[position] == reduce_op
        ]
        if positions:
            reduced = all_reduce([results[position] for position in positions], reduce_op)
            for position, tensor in zip(positions, reduced, strict=True):
                results[position] = tensor
    return results


def all_reduce_slices(slices: IndexedSlices, is_mean: bool = False) -> Any:
    """Returns the sum or mean of ``IndexedSlices`` over all processes, the same in each.

    Each process first adds its rows of one index. Then the processes gather the indices and rows of all, and rows of one
    index are added again: each index of the result is unique, except in compiled steps. If that is more bytes than the dense table, the
    processes reduce the table, and the result is a tensor.

    Args:
        slices: indices and rows; the numbers of rows may differ between processes.
        is_mean: whether the sum is divided by the number of processes.
    """
    size = world().size
    if size == 1:
        return slices
    own = _with_unique_indices(slices)
    if _is_dense_smaller(own, sum(row_counts(own.indices._array.shape[0])), size):
        (table,) = all_reduce([slices.to_dense()])
        return table / size if is_mean else table
    rows = gathered_from_world(own.values)
    indices = gathered_from_world(own.indices)
    total = _with_unique_indices(IndexedSlices(rows, indices, slices.dense_shape))
    return IndexedSlices(total.values / size, total.indices, slices.dense_shape) if is_mean else total


def _is_dense_smaller(slices: IndexedSlices, row_count: int, size: int) -> bool:
    """True if the all-reduce of the dense table transfers fewer bytes than the all-gather of ``row_count`` rows.

    A ring all-reduce transfers each byte of the table 2 (n - 1) / n times, an all-gather each byte of the other processes once.
    """
    if slices.dense_shape is None:
        return False
    shape = slices.dense_shape._on_host().tolist()
    row_bytes = math.prod(shape[1:]) * slices.values._array.dtype.itemsize
    dense_bytes = shape[0] * row_bytes * 2 * (size - 1) / size
    return dense_bytes < row_count * (row_bytes + slices.indices._array.dtype.itemsize) * (size - 1) / size


def _with_unique_indices(slices: IndexedSlices) -> IndexedSlices:
    """Returns the same sum with one row for each index; in a recording the slices themselves.

    The number of unique indices differs from step to step, and a compiled step has fixed shapes. Optimizers add rows of one index.
    """
    if is_state_recorded():
        return slices
    indices, positions = unique(slices.indices)
    count = indices._array.shape[0]
    if count == slices.indices._array.shape[0]:
        return slices
    return IndexedSlices(unsorted_segment_sum(slices.values, positions, count), indices, slices.dense_shape)
