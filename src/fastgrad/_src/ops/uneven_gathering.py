"""All-gather of tensors whose sizes differ between processes."""

from __future__ import annotations

import numpy as np

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.collectives.world import world
from fastgrad._src.ops.collectives import all_gather
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.padding import pad
from fastgrad._src.ops.shaping import transpose


def row_counts(count: int) -> list[int]:
    """Returns the number ``count`` of each process.

    A compiled step guards these numbers: they are the same in all processes, so all take the same branch.
    """
    counts = all_gather(np.array([count], np.int64))
    return [int(counts[rank]) for rank in range(world().size)]


def gathered_from_world(x: Tensor, axis: int = 0) -> Tensor:
    """Returns the tensors of all processes, joined along ``axis``, whose sizes may differ between processes."""
    if axis:
        order = [axis, *(dimension for dimension in range(x._array.ndim) if dimension != axis)]
        return transpose(gathered_from_world(transpose(x, order)), np.argsort(order).tolist())
    count = x._array.shape[0]
    counts = row_counts(count)
    largest = max(counts)
    if min(counts) == largest:
        return all_gather(x)
    paddings = [[0, largest - count], *([0, 0] for _ in x._array.shape[1:])]
    rows = all_gather(pad(x, paddings))
    return concat([rows[rank * largest : rank * largest + own] for rank, own in enumerate(counts)], 0)
