"""Reductions over replicas, of nested structures of tensors and ``IndexedSlices``."""

from __future__ import annotations

import enum
from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.replicas import replica_group
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops


class ReduceOp(enum.Enum):
    """How values of the replicas are combined. TensorFlow: tf.distribute.ReduceOp."""

    SUM = "SUM"
    MEAN = "MEAN"

    @classmethod
    def of(cls, reduce_op: Any) -> ReduceOp:
        """Returns the member for a member or its name, such as ``"sum"``.

        Raises:
            ValueError: there is no such reduction.
        """
        return cls(reduce_op.upper()) if isinstance(reduce_op, str) else cls(reduce_op)


def value_of_replica(value: Any) -> Tensor:
    """Returns a value as a tensor: that of this replica, also for an ``ON_READ`` variable outside of a step."""
    return value._read_as_stored() if getattr(value, "_is_on_read", False) else convert_to_tensor(value)


def reduce_structure(reduce_op: ReduceOp, value: Any, size: int | None = None) -> Any:
    """Returns the reductions of all leaves of ``value`` over the replicas.

    Args:
        reduce_op: sum or mean. The mean of integers is float64.
        value: a tensor, ``IndexedSlices``, or a nested structure of them. All dense tensors are reduced in one call.
        size: the number of replicas. Default: that of the current scope.
    """
    leaves = [leaf if isinstance(leaf, IndexedSlices) else value_of_replica(leaf) for leaf in nest.flatten(value)]
    size = replica_group().size if size is None else size
    if size > 1:
        dense = [number for number, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        for number, total in zip(dense, ops.all_reduce([leaves[number] for number in dense]), strict=True):
            leaves[number] = total / size if reduce_op is ReduceOp.MEAN else total
        for number, leaf in enumerate(leaves):
            if isinstance(leaf, IndexedSlices):
                leaves[number] = ops.all_reduce_slices(leaf, is_mean=reduce_op is ReduceOp.MEAN)
    return nest.pack_sequence_as(value, leaves) if nest.is_nested(value) else leaves[0]


def gather_from_replicas(value: Any, axis: int = 0, name: str = "gather") -> Tensor:
    """Returns the tensors of all replicas, joined along ``axis`` in the order of replicas.

    Args:
        value: a tensor of rank 1 or more; only the sizes of ``axis`` may differ between replicas.
        axis: a dimension; negative numbers count from the last.
        name: the caller, for errors.

    Raises:
        InvalidArgumentError: the value is a scalar or has no such dimension.
    """
    x = value_of_replica(value)
    rank = x._array.ndim
    if not -rank <= axis < rank:
        raise InvalidArgumentError(
            f"{name}: takes a tensor with dimension {axis}, got the shape {list(x.shape)}. Expand its dimensions first."
        )
    if replica_group().size == 1:
        return x
    return ops.gathered_from_world(x, axis % rank)
