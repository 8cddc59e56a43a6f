"""Horovod's functions. They work on all processes of the job, also outside of strategies' scopes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.distribute.variables import broadcast_to_variables
from fastgrad._src.kernels.collectives.world import world
from fastgrad._src.ops import namespace as ops

Average = "mean"
"""The mean over processes; Horovod's default."""
Sum = "sum"
Min = "min"
Max = "max"


class _NoCompression:
    """Sends tensors as they are."""

    wire_dtype: str | None = None

    @staticmethod
    def compress(tensor: Tensor) -> tuple[Tensor, Any]:
        """Returns the tensor to send, and what ``decompress`` needs."""
        return tensor, None

    @staticmethod
    def decompress(tensor: Tensor, context: Any) -> Tensor:
        """Returns the received tensor in its first dtype."""
        return tensor


class _Bfloat16Compression(_NoCompression):
    """Sends float32 numbers as bfloat16, which halves the bytes. They are summed in float32."""

    wire_dtype = "bfloat16"


class _HalfCompression(_NoCompression):
    """Rounds floats to float16 before they are sent. They travel, and are summed, in float32."""

    @staticmethod
    def compress(tensor: Tensor) -> tuple[Tensor, Any]:
        return (ops.cast(tensor, "float16"), tensor.dtype) if tensor._operand_dtype.is_floating else (tensor, None)

    @staticmethod
    def decompress(tensor: Tensor, context: Any) -> Tensor:
        return tensor if context is None else ops.cast(tensor, context)


class Compression:
    """How gradients are sent: ``none``, ``fp16`` (rounded as in Horovod) or ``bf16`` (half the bytes; not in Horovod)."""

    none = _NoCompression
    bf16 = _Bfloat16Compression
    fp16 = _HalfCompression


def init(comm: Any = None, process_sets: Any = None) -> None:
    """Initialises MPI, if a launcher started the process. All processes call it.

    Args:
        comm, process_sets: must be None: all processes of the job work together.

    Raises:
        ValueError: ``comm`` or ``process_sets`` asks for some of the processes.
        ImportError: a launcher started the process, and mpi4py is not installed.
    """
    if comm is not None or process_sets is not None:
        raise ValueError("init: all processes of the job work together: call init() without arguments.")
    world()


def shutdown() -> None:
    """Does nothing: MPI ends with the process."""


def is_initialized() -> bool:
    """Returns whether ``init`` or another function has asked for the processes of the job."""
    return world.cache_info().currsize > 0


def rank() -> int:
    """Returns the number of this process, from 0."""
    return world().rank


def size() -> int:
    """Returns the number of processes."""
    return world().size


def local_rank() -> int:
    """Returns the number of this process among those of its machine, from 0."""
    return world().local_rank


def local_size() -> int:
    """Returns the number of processes of this machine."""
    return world().local_size


def cross_rank() -> int:
    """Returns the number of this machine, from 0, if all machines have the same number of processes."""
    return world().rank // world().local_size


def cross_size() -> int:
    """Returns the number of machines, if all machines have the same number of processes."""
    return -(-world().size // world().local_size)


def mpi_threads_supported() -> bool:
    """Returns True: MPI supports calls from several threads, which the progress thread needs."""
    return True


def mpi_built() -> bool:
    """Returns True: MPI communicates."""
    return True


def mpi_enabled() -> bool:
    """Returns whether MPI is in use: a launcher started the process."""
    return world().mpi is not None


def nccl_built() -> bool:
    """Returns False: MPI communicates."""
    return False


def _reduction_name(op: Any, average: bool | None) -> str:
    if average is not None:
        if op is not None:
            raise ValueError("allreduce: The op parameter supersedes average. Please provide only one of them.")
        return Average if average else Sum
    if op is None:
        return Average
    if op not in ops.REDUCTIONS:
        raise ValueError(f"allreduce: op must be Average, Sum, Min or Max of fastgrad.distribute, got {op!r}.")
    return str(op)


def allreduce(
    tensor: Any,
    average: bool | None = None,
    device_dense: str = "",
    device_sparse: str = "",
    compression: Any = Compression.none,
    op: Any = None,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
    name: str | None = None,
    **options: Any,
) -> Any:
    """Returns the reduction of a tensor over all processes, in all processes.

    Args:
        tensor: a tensor of the same shape and dtype in all processes, or ``IndexedSlices``.
        average: Horovod's older spelling of ``op``: True for the mean, False for the sum.
        compression: ``Compression.none``, ``Compression.fp16`` or ``Compression.bf16``.
        op: ``Average`` (default), ``Sum``, ``Min`` or ``Max``.
        prescale_factor, postscale_factor: factors of the tensor before and after the reduction.
        device_dense, device_sparse, name, options: kept for Horovod's signature.

    Raises:
        ValueError: there is no such reduction.
        InvalidArgumentError: the dtype has no such reduction.
        UnavailableError: another process failed, or runs another collective.
    """
    return grouped_allreduce(
        [tensor], average, device_dense, device_sparse, compression, op, prescale_factor, postscale_factor
    )[0]


def grouped_allreduce(
    tensors: Sequence[Any],
    average: bool | None = None,
    device_dense: str = "",
    device_sparse: str = "",
    compression: Any = Compression.none,
    op: Any = None,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
    name: str | None = None,
    **options: Any,
) -> list[Any]:
    """Returns the reductions of several tensors in one call; arguments and errors as in ``allreduce``."""
    reduce_op = _reduction_name(op, average)
    results: list[Any] = [x if isinstance(x, IndexedSlices) else convert_to_tensor(x) for x in tensors]
    if prescale_factor != 1.0:
        results = [_scale(x, prescale_factor) for x in results]
    dense = [number for number, x in enumerate(results) if isinstance(x, Tensor)]
    pairs = [compression.compress(results[number]) for number in dense]
    wire_dtype = getattr(compression, "wire_dtype", None)  # a user's class may have only the two functions
    reduced = ops.all_reduce([tensor for tensor, _ in pairs], reduce_op, wire_dtype)
    for number, total, (_, context) in zip(dense, reduced, pairs, strict=True):
        results[number] = compression.decompress(total, context)
    for number, x in enumerate(results):
        if isinstance(x, IndexedSlices):
            if reduce_op not in (Average, Sum):
                raise InvalidArgumentError(
                    f"allreduce: IndexedSlices have the reductions Average and Sum, got {reduce_op!r}. Convert them by tf.convert_to_tensor."
                )
            results[number] = ops.all_reduce_slices(x, is_mean=reduce_op == Average)
    return results if postscale_factor == 1.0 else [_scale(x, postscale_factor) for x in results]


def _scale(x: Any, factor: float) -> Any:
    return IndexedSlices(x.values * factor, x.indices, x.dense_shape) if isinstance(x, IndexedSlices) else x * factor


def allgather(tensor: Any, name: str | None = None, **options: Any) -> Tensor:
    """Returns the tensors of all processes, joined along the first dimension, whose sizes may differ.

    Args:
        tensor: of rank 1 or more.
        name, options: kept for Horovod's signature.

    Raises:
        InvalidArgumentError: the tensor is a scalar.
    """
    x = convert_to_tensor(tensor)
    if not x._array.ndim:
        raise InvalidArgumentError(
            "allgather: takes a tensor of rank 1 or more, got a scalar. Reshape it to [1] first."
        )
    return x if world().size == 1 else ops.gathered_from_world(x)


def broadcast(tensor: Any, root_rank: int, name: str | None = None, **options: Any) -> Tensor:
    """Returns the tensor of the process ``root_rank``, in all processes.

    Args:
        tensor: of the same shape and dtype in all processes.
        root_rank: a rank.
        name, options: kept for Horovod's signature.

    Raises:
        InvalidArgumentError: there is no such rank.
    """
    return ops.broadcast(tensor, root_rank)


def broadcast_variables(variables: Iterable[Variable], root_rank: int = 0, **options: Any) -> None:
    """Gives variables the values that they have in the process ``root_rank``.

    Args:
        variables: the same variables in the same order in all processes, such as ``model.variables``.
        root_rank: a rank.
        options: kept for Horovod's signature.

    Raises:
        TypeError: one is not a variable.
        InvalidArgumentError: there is no such rank, or processes give variables of other shapes or dtypes.
    """
    listed = list(variables() if callable(variables) else variables)
    for variable in listed:
        if not isinstance(variable, Variable):
            raise TypeError(f"broadcast_variables: takes variables, got {variable!r}.")
    if not 0 <= root_rank < world().size:
        raise InvalidArgumentError(
            f"broadcast_variables: takes a rank from 0 to {world().size - 1} as root_rank, got {root_rank}."
        )
    if listed and world().size > 1:
        broadcast_to_variables(listed, root_rank)


def broadcast_global_variables(root_rank: int = 0) -> None:
    """Raises RuntimeError, as Horovod does in eager execution: there is no list of all variables."""
    raise RuntimeError(
        "broadcast_global_variables: there are no global variables in eager execution. "
        "Use broadcast_variables(model.variables, root_rank)."
    )


def barrier(**options: Any) -> None:
    """Waits until all processes have called it."""
    if world().size > 1:
        ops.all_reduce([np.zeros(1, np.int32)])[0].numpy()
