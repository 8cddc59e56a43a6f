"""Reductions of gradients over the replicas of a strategy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad.core.indexed_slices import IndexedSlices
from fastgrad.core.replicas import ReplicaGroup
from fastgrad.core.tensor import Tensor, convert_to_tensor
from fastgrad.ops.collectives import all_gather, all_reduce
from fastgrad.ops.joining import concat
from fastgrad.ops.padding import pad
from fastgrad.ops.replica_messages import gathered
from fastgrad.ops.segments import unsorted_segment_sum


def reduce_gradients(
    group: ReplicaGroup, gradients: Sequence[Any], shapes: Sequence[tuple[int, ...]], reduce_ops: Sequence[str]
) -> list[Any]:
    """Returns gradients reduced over all replicas, the same in each; dense gradients by one call of `all_reduce`.

    `IndexedSlices` stay rows, with the rows of all replicas one after the other, if that is fewer bytes than the dense
    gradient. Replicas may have different numbers of rows.

    Args:
        group: the replicas.
        gradients: tensors, `IndexedSlices`, or None for a variable without a gradient, which has none in any replica.
        shapes: the shapes of the variables.
        reduce_ops: "sum", "mean" or "max" for each gradient; "max" only for tensors.

    Raises:
        UnavailableError: another replica failed, or has other gradients.
    """
    results: list[Any] = [g if g is None or isinstance(g, IndexedSlices) else convert_to_tensor(g) for g in gradients]
    slices = [position for position, g in enumerate(results) if isinstance(g, IndexedSlices)]
    row_counts_here = [results[position].values._array.shape[0] for position in slices]
    counts = gathered(group, row_counts_here, "numbers of rows of gradients") if slices else []
    for position, row_counts in zip(slices, zip(*counts, strict=True), strict=True):
        rows, shape = results[position], shapes[position]
        row_bytes = math.prod(shape[1:]) * rows.values._array.itemsize
        if group.size * max(row_counts) * (row_bytes + rows.indices._array.itemsize) < 2 * shape[0] * row_bytes:
            values = _gathered_rows(group, rows.values, row_counts)
            if reduce_ops[position] == "mean":
                values = values * (1.0 / group.size)
            results[position] = IndexedSlices(values, _gathered_rows(group, rows.indices, row_counts), rows.dense_shape)
        else:
            results[position] = unsorted_segment_sum(rows.values, rows.indices, shape[0])
    for reduce_op in dict.fromkeys(reduce_ops):
        positions = [
            position
            for position, g in enumerate(results)
            if isinstance(g, Tensor) and reduce_ops[position] == reduce_op
        ]
        if positions:
            reduced = all_reduce([results[position] for position in positions], reduce_op)
            for position, tensor in zip(positions, reduced, strict=True):
                results[position] = tensor
    return results


def _gathered_rows(group: ReplicaGroup, x: Tensor, counts: Sequence[int]) -> Tensor:
    """Returns the rows of all replicas; replica r has `counts[r]` rows."""
    most = max(counts)
    if counts[group.rank] < most:
        missing = [(0, most - counts[group.rank]), *[(0, 0)] * (x.ndim - 1)]
        x = pad(x, np.array(missing, np.int64))
    gathered_rows: Tensor = all_gather(x)
    if min(counts) == most:
        return gathered_rows
    parts = [gathered_rows[rank * most : rank * most + count] for rank, count in enumerate(counts)]
    joined: Tensor = concat(parts, 0)
    return joined
