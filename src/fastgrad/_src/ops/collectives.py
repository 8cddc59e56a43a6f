"""Collectives: operations that all processes of a job run together, by MPI.

Most have stages, which are operations of their own: the first starts the transfer, the last waits for it. Eager code runs
one after the other. Programs run other operations in between (`compiler/passes/bucket_collectives.py`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError, UnavailableError
from fastgrad._src.core.lowering import Collective
from fastgrad._src.core.operation import FLOAT_DTYPES, HALF_DTYPES, REAL_DTYPES, Form, Operation, joint, operation
from fastgrad._src.core.result_rules import ArraySpec, Rule, same_as_first
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.kernels.collectives.world import finish_transfers, world
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.creation import zeros_like
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.kernel_launches import kernel_operation, launches_from
from fastgrad._src.ops.shaping import reshape

REDUCTIONS = ("sum", "mean", "min", "max")
"""What `all_reduce` computes."""


def _raise_failure(*arrays: Any, **attributes: Any) -> None:
    """Raises the error of a collective that failed in this rank, or because of another rank."""
    from fastgrad._src.kernels.collectives.monitor import monitor

    job = monitor()
    assert job is not None, "a collective failed in a world of one process"
    raise UnavailableError(job.failure_text())


def _check_agreement(name: str, arrays: Sequence[Any], *details: Any) -> None:
    """Compares a collective with those of the other ranks, the first time that its signature runs."""
    from fastgrad._src.kernels.collectives.agreement import agree_on_collective

    if not agree_on_collective(name, arrays, *details):
        _raise_failure()


# ---- rows --------------------------------------------------------------------------------------------------


def _declare_stage(name: str, module: str, function: str, result: Rule) -> Operation:
    """Declares a stage of a collective; its launches are of a module in ``fastgrad._src.kernels.collectives``."""
    return kernel_operation(
        name,
        Form.EXTERN,
        launches=launches_from(f"collectives.{module}", function),
        result=result,
        raise_error=_raise_failure,
        collective=Collective(starts=name.startswith("start"), waits=name.startswith("wait")),
    )


def _run_of_stages(stages: Sequence[Operation]) -> Callable[..., Any]:
    """Returns the ``run`` of a collective: its stages, one after the other."""
    first, *middle, last = stages

    def run_stages(*arrays: np.ndarray, **attributes: Any) -> Any:
        if world().size == 1:
            return tuple([x.copy() for x in arrays])
        results: list[Any] = [None] * len(arrays)
        started: list[tuple[list[int], Any, dict[str, Any]]] = []
        try:
            for positions in _from_launches("positions_by_bucket", arrays):
                inputs = [arrays[position] for position in positions]
                options = {**attributes, "shapes": tuple([x.shape for x in inputs])}
                _check_agreement("all_reduce", inputs, attributes.get("reduce_op", "bfloat16"))
                values = first.run(*inputs, **attributes)
                for stage in middle:
                    values = stage.run(*values, **options)
                started.append((positions, values, options))
            for positions, values, options in started:
                for position, result in zip(positions, last.run(*values, **options), strict=True):
                    results[position] = result
        except BaseException:
            finish_transfers(started)
            raise
        return tuple(results)

    return run_stages


def _from_launches(name: str, arrays: Sequence[Any], module: str = "launches") -> Any:
    """Returns what a function of a module in ``fastgrad._src.kernels.collectives`` gives; imports the module at the first call."""
    return getattr(importlib.import_module(f"fastgrad._src.kernels.collectives.{module}"), name)(arrays)


def _array_specs(shapes: Sequence[tuple[int, ...]], dtype: Any) -> tuple[ArraySpec, ...]:
    return tuple([ArraySpec(shape, np.dtype(dtype)) for shape in shapes])


_TICKET = ArraySpec((1,), np.dtype(np.int64))


def _bucket_spec(arrays: Sequence[Any]) -> ArraySpec:
    return ArraySpec((_from_launches("BucketLayout", arrays).count,), arrays[0].dtype)


def _wire_parts_spec(arrays: Sequence[Any]) -> ArraySpec:
    return ArraySpec((_from_launches("PartLayout", arrays, "bfloat16").count,), np.dtype(np.uint16))


def _part_spec(arrays: Sequence[Any]) -> ArraySpec:
    return ArraySpec((_from_launches("PartsLayout", arrays).part,), arrays[0].dtype)


def _all_reduce_gradient(needs: Any, g: Any, y: Any, *xs: Tensor, reduce_op: str) -> Sequence[Tensor]:
    if reduce_op != "sum":
        raise LookupError(f"all_reduce: the gradient of {reduce_op!r} is not defined; only 'sum' and 'mean' have one.")
    return all_reduce(_as_tuple(g))


def _as_tuple(g: Any) -> tuple[Tensor, ...]:
    return g if isinstance(g, tuple) else (g,)


_all_reduce_stages = (
    _declare_stage(
        "start_all_reduce",
        "launches",
        "start_all_reduce_launches",
        lambda *inputs, reduce_op: (_bucket_spec(inputs), _TICKET),
    ),
    _declare_stage(
        "wait_all_reduce",
        "launches",
        "wait_all_reduce_launches",
        lambda bucket, ticket, reduce_op, shapes: _array_specs(shapes, bucket.dtype),
    ),
)

_all_reduce: Operation = operation(
    "all_reduce",
    Form.EXTERN,
    run=_run_of_stages(_all_reduce_stages),
    gradient=joint(_all_reduce_gradient),
    dtypes=REAL_DTYPES - HALF_DTYPES,
    result=lambda *inputs, reduce_op: tuple([same_as_first(x) for x in inputs]),
    in_python="programs run its stages",
    collective=Collective(stages=_all_reduce_stages),
)

_bfloat16_stages = (
    _declare_stage(
        "start_all_reduce_bfloat16",
        "bfloat16",
        "start_launches",
        lambda *inputs: (_wire_parts_spec(inputs), _wire_parts_spec(inputs), _TICKET),
    ),
    _declare_stage(
        "exchange_all_reduce_bfloat16",
        "bfloat16",
        "exchange_launches",
        lambda sent, received, ticket, shapes: (_wire_parts_spec(_array_specs(shapes, np.float32)), _TICKET),
    ),
    _declare_stage(
        "wait_all_reduce_bfloat16",
        "bfloat16",
        "finish_launches",
        lambda gathered, ticket, shapes: _array_specs(shapes, np.float32),
    ),
)

_all_reduce_bfloat16: Operation = operation(
    "all_reduce_bfloat16",
    Form.EXTERN,
    run=_run_of_stages(_bfloat16_stages),
    gradient=joint(lambda needs, g, y, *xs: all_reduce(_as_tuple(g), wire_dtype="bfloat16")),
    dtypes=frozenset([np.dtype(np.float32)]),
    result=lambda *inputs: tuple([same_as_first(x) for x in inputs]),
    in_python="programs run its stages",
    collective=Collective(stages=_bfloat16_stages),
)

_start_reduce_scatter = _declare_stage(
    "start_reduce_scatter",
    "launches",
    "start_reduce_scatter_launches",
    lambda *inputs: (
        ArraySpec((world().size * _part_spec(inputs).size,), inputs[0].dtype),
        _part_spec(inputs),
        ArraySpec((2,), inputs[0].dtype),
        _TICKET,
        _TICKET,
    ),
)

_wait_reduce_scatter = _declare_stage(
    "wait_reduce_scatter",
    "launches",
    "wait_reduce_scatter_launches",
    lambda bucket, part, checks, ticket, check_ticket, shapes: (same_as_first(part),),
)

_start_gather_parts = _declare_stage(
    "start_gather_parts",
    "launches",
    "start_gather_parts_launches",
    lambda part, shapes: (
        ArraySpec((world().size * part.shape[0],), part.dtype),
        ArraySpec((2,), part.dtype),
        _TICKET,
        _TICKET,
    ),
)

_wait_gather_parts = _declare_stage(
    "wait_gather_parts",
    "launches",
    "wait_gather_parts_launches",
    lambda bucket, checks, ticket, check_ticket, shapes: _array_specs(shapes, bucket.dtype),
)


def _all_gather_gradient(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    count = x._array.shape[0]
    return all_reduce([g])[0][world().rank * count : (world().rank + 1) * count]


_all_gather: Operation = kernel_operation(
    "all_gather",
    Form.EXTERN,
    gradient=_all_gather_gradient,
    launches=launches_from("collectives.launches", "all_gather_launches"),
    result=lambda x: ArraySpec((world().size * x.shape[0], *x.shape[1:]), x.dtype),
    raise_error=_raise_failure,
    collective=Collective(),
)


def _broadcast_gradient(g: Tensor, y: Tensor, x: Tensor, root: int) -> Tensor:
    (total,) = all_reduce([g])
    return total if world().rank == root else zeros_like(total)


_broadcast: Operation = kernel_operation(
    "broadcast_from",
    Form.EXTERN,
    gradient=_broadcast_gradient,
    launches=launches_from("collectives.launches", "broadcast_launches"),
    result=lambda x, root: same_as_first(x),
    raise_error=_raise_failure,
    collective=Collective(),
)


# ---- functions ---------------------------------------------------------------------------------------------


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
    # A program scales with the product that computes the tensor.
    share = 1.0 / world().size
    results = [x * share for x in results] if reduce_op == "mean" else results
    wide = [cast(x, dtypes.float32) if x._array.dtype in HALF_DTYPES else x for x in results]
    by_dtype: dict[np.dtype, list[int]] = {}
    for number, x in enumerate(wide):
        if x._array.size:  # nothing travels for a tensor without elements
            by_dtype.setdefault(x._array.dtype, []).append(number)
    for dtype, numbers in by_dtype.items():
        total = "sum" if reduce_op == "mean" else reduce_op
        given = [wide[number] for number in numbers]
        is_narrow = wire_dtype == "bfloat16" and total == "sum" and dtype == np.float32
        if is_narrow:
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
        raise InvalidArgumentError("all_gather: takes a tensor of rank 1 or more, got a scalar. Reshape it to [1].")
    if world().size == 1:
        return x
    if not x._array.size:
        return concat([x] * world().size, 0)
    _check_agreement("all_gather", [x._array])
    return Operation.__call__(_all_gather, x)


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
    if world().size == 1 or not x._array.size:
        return x
    _check_agreement("broadcast", [x._array], root)
    return Operation.__call__(_broadcast, x, root=root)


class Sharding:
    """The layout of tensors in a bucket of which each process has one part.

    Args:
        shapes: of the tensors.
        dtype: of all of them, float32 or float64.

    Attributes:
        shapes: as given.
        size: the number of elements of a part. The bucket has some more elements than the tensors.
        pieces: for each tensor of which this process has elements: its number, the first and the last of them (the
            tensor is flat), and the place of the first in the part.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], dtype: Any) -> None:
        self.shapes = tuple([tuple(shape) for shape in shapes])
        arrays = _array_specs(self.shapes, dtype)
        layout = _from_launches("PartsLayout", arrays)
        self.size: int = layout.part
        self.pieces: list[tuple[int, int, int, int]] = []
        start = world().rank * self.size
        for number, (array, offset) in enumerate(zip(arrays, layout.offsets, strict=True)):
            at = offset // np.dtype(dtype).itemsize
            first, last = max(start - at, 0), min(start + self.size - at, array.size)
            if first < last:
                self.pieces.append((number, first, last, at + first - start))

    def reduce_scatter(self, tensors: Sequence[Tensor]) -> Tensor:
        """Returns the part of this process of the sums of tensors over all processes, a vector; gaps are zero."""
        if world().size == 1:
            return self.part_of(tensors)
        started = Operation.__call__(_start_reduce_scatter, *tensors)
        part: Tensor = Operation.__call__(_wait_reduce_scatter, *started, shapes=self.shapes)[0]
        return part

    def gather(self, part: Tensor) -> tuple[Tensor, ...]:
        """Returns the tensors, given the part of this process."""
        if world().size == 1:
            places = {number: (at, at + last - first) for number, first, last, at in self.pieces}
            slices = [part[slice(*places.get(number, (0, 0)))] for number in range(len(self.shapes))]
            return tuple([reshape(x, shape) for x, shape in zip(slices, self.shapes, strict=True)])
        started = Operation.__call__(_start_gather_parts, part, shapes=self.shapes)
        tensors: tuple[Tensor, ...] = Operation.__call__(_wait_gather_parts, *started, shapes=self.shapes)
        return tensors

    def part_of(self, tensors: Sequence[Tensor]) -> Tensor:
        """Returns the part of this process of tensors that it has all of, a vector; gaps are zero."""
        pieces: list[Tensor] = []
        end = 0
        for number, first, last, at in [*self.pieces, (0, 0, 0, self.size)]:
            if at > end:
                pieces.append(convert_to_tensor(np.zeros(at - end, tensors[0]._array.dtype)))
            if last > first:
                pieces.append(reshape(tensors[number], (-1,))[first:last])
            end = at + last - first
        joined: Tensor = concat(pieces, 0)
        return joined
