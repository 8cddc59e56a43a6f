"""Collectives: operations that all processes of a job run together, by MPI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.core.operation import FLOAT_DTYPES, HALF_DTYPES, REAL_DTYPES, Form, Operation, joint, operation
from fastgrad.core.result_rules import ArraySpec, same
from fastgrad.core.tensor import Tensor, convert_to_tensor
from fastgrad.errors import InvalidArgumentError, UnavailableError
from fastgrad.kernels.collectives.world import world
from fastgrad.ops.creation import zeros_like
from fastgrad.ops.kernel_launches import kernel_operation, launches_from

REDUCTIONS = ("sum", "mean", "min", "max")
"""What `all_reduce` computes."""


def _raise_failure(*arrays: Any, **attributes: Any) -> None:
    """Raises the error of a collective that failed."""
    raise UnavailableError(
        "A collective failed: another process ended, or the processes run different collectives. "
        "Run the same program with the same shapes in all processes."
    )


def _all_reduce_gradient(needs: Any, g: Any, y: Any, *xs: Tensor, reduce_op: str) -> Sequence[Tensor]:
    if reduce_op != "sum":
        raise LookupError(f"all_reduce: the gradient of {reduce_op!r} is not defined; only 'sum' and 'mean' have one.")
    return all_reduce(_as_tuple(g))


def _as_tuple(g: Any) -> tuple[Tensor, ...]:
    return g if isinstance(g, tuple) else (g,)


def _broadcast_gradient(g: Tensor, y: Tensor, x: Tensor, root: int) -> Tensor:
    (total,) = all_reduce([g])
    return total if world().rank == root else zeros_like(total)


def _started(*arrays: np.ndarray, reduce_op: str) -> tuple[np.ndarray, np.ndarray]:
    """Reduces arrays at once; returns their bucket, and no ticket."""
    reduced = _all_reduce.run(*arrays, reduce_op=reduce_op)
    bucket = np.zeros(_bucket_layout(arrays).count, arrays[0].dtype)
    for x, offset in zip(reduced, _bucket_layout(arrays).offsets, strict=True):
        bucket[offset // x.itemsize :][: x.size] = x.reshape(-1)
    return bucket, np.zeros(1, np.int64)


def _parts_of_bucket(
    bucket: np.ndarray, ticket: np.ndarray, reduce_op: str, shapes: tuple[tuple[int, ...], ...]
) -> tuple[np.ndarray, ...]:
    if ticket[0] != 0:
        _raise_failure()
    parts = [ArraySpec(shape, bucket.dtype) for shape in shapes]
    pairs = zip(parts, _bucket_layout(parts).offsets, strict=True)
    return tuple([bucket[offset // bucket.itemsize :][: x.size].reshape(x.shape) for x, offset in pairs])


def _bucket_layout(arrays: Sequence[Any]) -> Any:
    from fastgrad.kernels.collectives.launches import BucketLayout

    return BucketLayout(arrays)


_start_all_reduce: Operation = operation(
    "start_all_reduce",
    Form.EXTERN,
    run=_started,
    launches=launches_from("collectives.launches", "start_all_reduce_launches"),
    result=lambda *inputs, reduce_op: (
        ArraySpec((_bucket_layout(inputs).count,), inputs[0].dtype),
        ArraySpec((1,), np.dtype(np.int64)),
    ),
    is_collective=True,
)

_wait_all_reduce: Operation = operation(
    "wait_all_reduce",
    Form.EXTERN,
    run=_parts_of_bucket,
    launches=launches_from("collectives.launches", "wait_all_reduce_launches"),
    result=lambda bucket, ticket, reduce_op, shapes: tuple([ArraySpec(shape, bucket.dtype) for shape in shapes]),
    is_collective=True,
)

_all_reduce: Operation = kernel_operation(
    "all_reduce",
    Form.EXTERN,
    gradient=joint(_all_reduce_gradient),
    dtypes=REAL_DTYPES - HALF_DTYPES,
    launches=launches_from("collectives.launches", "all_reduce_launches"),
    result=lambda *inputs, reduce_op: tuple([same(x) for x in inputs]),
    raise_error=_raise_failure,
    is_collective=True,
    in_buckets=(_start_all_reduce, _wait_all_reduce),
)


def _part_layout(arrays: Sequence[Any]) -> Any:
    from fastgrad.kernels.collectives.bfloat16 import PartLayout

    return PartLayout(arrays)


def _specs(shapes: tuple[tuple[int, ...], ...]) -> list[ArraySpec]:
    return [ArraySpec(shape, np.dtype(np.float32)) for shape in shapes]


def _bits(arrays: Sequence[Any]) -> ArraySpec:
    return ArraySpec((_part_layout(arrays).count,), np.dtype(np.uint16))


_TICKET = ArraySpec((1,), np.dtype(np.int64))

_bfloat16_stages: tuple[Operation, ...] = (
    kernel_operation(
        "start_all_reduce_bfloat16",
        Form.EXTERN,
        launches=launches_from("collectives.bfloat16", "start_launches"),
        result=lambda *inputs: (_bits(inputs), _bits(inputs), _TICKET),
        raise_error=_raise_failure,
        is_collective=True,
    ),
    kernel_operation(
        "exchange_all_reduce_bfloat16",
        Form.EXTERN,
        launches=launches_from("collectives.bfloat16", "exchange_launches"),
        result=lambda sent, received, ticket, shapes: (_bits(_specs(shapes)), _TICKET),
        raise_error=_raise_failure,
        is_collective=True,
    ),
    kernel_operation(
        "wait_all_reduce_bfloat16",
        Form.EXTERN,
        launches=launches_from("collectives.bfloat16", "finish_launches"),
        result=lambda gathered, ticket, shapes: tuple(_specs(shapes)),
        raise_error=_raise_failure,
        is_collective=True,
    ),
)

_all_reduce_bfloat16: Operation = kernel_operation(
    "all_reduce_bfloat16",
    Form.EXTERN,
    gradient=joint(lambda needs, g, y, *xs: all_reduce(_as_tuple(g), wire_dtype="bfloat16")),
    dtypes=frozenset([np.dtype(np.float32)]),
    launches=launches_from("collectives.bfloat16", "all_reduce_launches"),
    result=lambda *inputs: tuple([same(x) for x in inputs]),
    raise_error=_raise_failure,
    is_collective=True,
    in_buckets=_bfloat16_stages,
)

_all_gather: Operation = kernel_operation(
    "all_gather",
    Form.EXTERN,
    gradient=lambda g, y, x: _own_part(all_reduce([g])[0], x),
    launches=launches_from("collectives.launches", "all_gather_launches"),
    result=lambda x: ArraySpec((world().size * x.shape[0], *x.shape[1:]), x.dtype),
    raise_error=_raise_failure,
    is_collective=True,
)

_broadcast: Operation = kernel_operation(
    "broadcast_from",
    Form.EXTERN,
    gradient=_broadcast_gradient,
    launches=launches_from("collectives.launches", "broadcast_launches"),
    result=lambda x, root: same(x),
    raise_error=_raise_failure,
    is_collective=True,
)


def _own_part(x: Tensor, part: Tensor) -> Tensor:
    count = part._array.shape[0]
    return x[world().rank * count : (world().rank + 1) * count]


def all_reduce(tensors: Sequence[Any], reduce_op: str = "sum", wire_dtype: str | None = None) -> list[Tensor]:
    """Returns the reductions of tensors over all processes, the same in each.

    All processes call it with the same number of tensors, of the same shapes and dtypes. Tensors of one dtype are
    reduced together.

    Args:
        tensors: of any shapes; float16 and bfloat16 are reduced in float32.
        reduce_op: "sum", "mean" (of floats), "min" or "max".
        wire_dtype: "bfloat16" sends float32 numbers as bfloat16 in sums and means: half the bytes. Each is rounded twice;
            sums are in float32.

    Raises:
        InvalidArgumentError: the reduction is unknown, or a dtype has none.
        UnavailableError: another process failed, or runs another collective.
    """
    if reduce_op not in REDUCTIONS:
        raise InvalidArgumentError(f"all_reduce: takes one of {', '.join(REDUCTIONS)} as reduce_op, got {reduce_op!r}.")
    if wire_dtype not in (None, "float32", "bfloat16"):
        raise InvalidArgumentError(f"all_reduce: takes 'float32' or 'bfloat16' as wire_dtype, got {wire_dtype!r}.")
    results = [convert_to_tensor(x) for x in tensors]
    if world().size == 1:
        return results
    for x in results:
        if x._array.dtype not in REAL_DTYPES or (reduce_op == "mean" and x._array.dtype not in FLOAT_DTYPES):
            raise InvalidArgumentError(
                f"all_reduce: takes {'floats' if reduce_op == 'mean' else 'real numbers'} for {reduce_op!r}, "
                f"got {x.dtype.name}. Cast the tensor first."
            )
    from fastgrad.ops.casting import cast

    # A program scales with the product that computes the tensor.
    share = 1.0 / world().size
    results = [x * share for x in results] if reduce_op == "mean" else results
    wide = [cast(x, dtypes.float32) if x._array.dtype in HALF_DTYPES else x for x in results]
    by_dtype: dict[np.dtype, list[int]] = {}
    for number, x in enumerate(wide):
        by_dtype.setdefault(x._array.dtype, []).append(number)
    for dtype, numbers in by_dtype.items():
        total = "sum" if reduce_op == "mean" else reduce_op
        given = [wide[number] for number in numbers]
        if wire_dtype == "bfloat16" and total == "sum" and dtype == np.float32:
            reduced = Operation.__call__(_all_reduce_bfloat16, *given)
        else:
            reduced = Operation.__call__(_all_reduce, *given, reduce_op=total)
        for number, y in zip(numbers, reduced, strict=True):
            results[number] = cast(y, results[number].dtype) if y.dtype != results[number].dtype else y
    return results


def all_gather(tensor: Any) -> Tensor:
    """Returns the tensors of all processes, joined along the first axis in the order of ranks.

    Args:
        tensor: of rank 1 or more; all processes give the same shape and dtype.

    Raises:
        InvalidArgumentError: the tensor is a scalar.
        UnavailableError: another process failed, or runs another collective.
    """
    x = convert_to_tensor(tensor)
    if x._array.ndim == 0:
        raise InvalidArgumentError(
            "all_gather: takes a tensor of rank 1 or more, got a scalar. Reshape it to [1] first."
        )
    return x if world().size == 1 else Operation.__call__(_all_gather, x)


def broadcast(tensor: Any, root: int = 0) -> Tensor:
    """Returns the tensor of the process ``root``, in all processes.

    Args:
        tensor: all processes give the same shape and dtype.
        root: a rank.

    Raises:
        InvalidArgumentError: there is no such rank.
        UnavailableError: another process failed, or runs another collective.
    """
    x = convert_to_tensor(tensor)
    if not 0 <= root < world().size:
        raise InvalidArgumentError(f"broadcast: takes a rank from 0 to {world().size - 1} as root, got {root}.")
    return x if world().size == 1 else Operation.__call__(_broadcast, x, root=root)
