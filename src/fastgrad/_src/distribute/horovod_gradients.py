"""Horovod's tape and optimizer, which reduce gradients over all processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from fastgrad._src.core import nest
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.replicas import replica_group
from fastgrad._src.core.tape import GradientTape
from fastgrad._src.distribute.horovod import Average, Compression, Sum, grouped_allreduce
from fastgrad._src.kernels.collectives.world import world


class _GradientReduction:
    """Reduces lists of gradients over all processes.

    Args:
        compression: ``Compression.none``, ``Compression.fp16`` or ``Compression.bf16``.
        op: ``Average`` or ``Sum``.
        sparse_as_dense: whether ``IndexedSlices`` become tensors first.
        name: the caller, for errors.
    """

    def __init__(self, compression: Any, op: Any, sparse_as_dense: bool, name: str) -> None:
        if op not in (Average, Sum):
            raise ValueError(f"{name}: op must be Average or Sum of fastgrad.distribute, got {op!r}.")
        self._compression, self._op, self._sparse_as_dense = compression, op, sparse_as_dense

    def __call__(self, gradients: Sequence[Any]) -> list[Any]:
        """Returns the reduced gradients, by one call of all_reduce; None stays."""
        results = list(gradients)
        if world().size == 1:
            return results
        present = [number for number, gradient in enumerate(results) if gradient is not None]
        reduced = grouped_allreduce(
            [
                results[number].to_dense()
                if self._sparse_as_dense and isinstance(results[number], IndexedSlices)
                else results[number]
                for number in present
            ],
            compression=self._compression,
            op=self._op,
        )
        for number, gradient in zip(present, reduced, strict=True):
            results[number] = gradient
        return results


class DistributedGradientTape:
    """A tape whose ``gradient`` is reduced over all processes, by one call of all_reduce. Horovod: hvd.DistributedGradientTape.

    Args:
        gradtape: a ``tf.GradientTape``.
        compression: ``Compression.none``, ``Compression.fp16`` or ``Compression.bf16``.
        sparse_as_dense: whether ``IndexedSlices`` become tensors before they are reduced. Otherwise their rows are gathered if
            that takes fewer bytes.
        op: ``Average`` (default) or ``Sum``.
        device_dense, device_sparse, gradient_predivide_factor, num_groups, groups, options: kept for Horovod's signature.

    Raises:
        TypeError: ``gradtape`` is not a tape.
        ValueError: there is no such reduction.
    """

    def __init__(
        self,
        gradtape: GradientTape,
        device_dense: str = "",
        device_sparse: str = "",
        compression: Any = Compression.none,
        sparse_as_dense: bool = False,
        op: Any = Average,
        gradient_predivide_factor: float = 1.0,
        num_groups: int = 0,
        groups: Any = None,
        **options: Any,
    ) -> None:
        if not isinstance(gradtape, GradientTape):
            raise TypeError(f"DistributedGradientTape: takes a tf.GradientTape, got {gradtape!r}.")
        self._tape = gradtape
        self._reduce = _GradientReduction(compression, op, sparse_as_dense, "DistributedGradientTape")

    def gradient(self, target: Any, sources: Any, output_gradients: Any = None, **options: Any) -> Any:
        """Returns the reduced gradient; arguments, errors and structure as in ``tf.GradientTape.gradient``."""
        gradients = self._tape.gradient(target, sources, output_gradients, **options)
        if not nest.is_nested(sources):
            return self._reduce([gradients])[0]
        return nest.pack_sequence_as(sources, self._reduce(nest.flatten(gradients)))

    def __enter__(self) -> Self:
        self._tape.__enter__()
        return self

    def __exit__(self, *exception: Any) -> Any:
        return self._tape.__exit__(*exception)

    def __getattr__(self, name: str) -> Any:
        return (
            getattr(self.__dict__["_tape"], name) if "_tape" in self.__dict__ else object.__getattribute__(self, name)
        )


class _ReducingOptimizer:
    """The part of ``DistributedOptimizer``'s classes that reduces gradients before an update."""

    _reduce: _GradientReduction
    _gradient_factor = 1.0

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> Any:
        """Updates variables by the gradients, reduced over all processes; arguments and errors as in the optimizer.

        Raises:
            RuntimeError: in the scope of a strategy of several replicas, whose optimizers reduce gradients themselves.
        """
        if replica_group().size > 1:
            raise RuntimeError(
                f"{type(self).__name__} of DistributedOptimizer: optimizers sum gradients in the scope of a strategy. Use either "
                "tf.distribute.MultiWorkerMirroredStrategy or DistributedOptimizer."
            )
        gradients = self._reduce(grads)
        if self._gradient_factor != 1.0:
            gradients = [None if gradient is None else gradient * self._gradient_factor for gradient in gradients]
        return super().apply(gradients, trainable_variables)  # type: ignore[misc]


def DistributedOptimizer(  # Horovod's name
    optimizer: Any,
    name: str | None = None,
    device_dense: str = "",
    device_sparse: str = "",
    compression: Any = Compression.none,
    sparse_as_dense: bool = False,
    gradient_predivide_factor: float = 1.0,
    op: Any = Average,
    backward_passes_per_step: int = 1,
    average_aggregated_gradients: bool = False,
    shard_optimizer_state: bool = False,
    **options: Any,
) -> Any:
    """Returns an optimizer of the same class name that reduces gradients over all processes. Horovod: hvd.DistributedOptimizer.

    The result shares its variables with ``optimizer``, and is saved as an optimizer of its class.

    Args:
        optimizer: an optimizer of ``tf.keras.optimizers``.
        name: another name for it.
        compression: ``Compression.none``, ``Compression.fp16`` or ``Compression.bf16``.
        sparse_as_dense: whether ``IndexedSlices`` become tensors before they are reduced.
        op: ``Average`` (default) or ``Sum``.
        backward_passes_per_step: the number of calls per update; their gradients add up.
        shard_optimizer_state: whether each process keeps the slots of only a part of the variables (ZeRO-1), which takes 1 / n
            of the memory on n processes. Not in Horovod. The result is a ``ShardedOptimizer``.
        average_aggregated_gradients: whether an update uses the mean of the gradients of its calls, not their sum.
        device_dense, device_sparse, gradient_predivide_factor, options: kept for Horovod's signature.

    Raises:
        TypeError: ``optimizer`` is not an optimizer.
        ValueError: there is no such reduction; the optimizer accumulates gradients itself, or has updated variables already.
    """
    if not (hasattr(optimizer, "apply_gradients") and hasattr(optimizer, "apply")):
        raise TypeError(f"DistributedOptimizer: takes an optimizer of tf.keras.optimizers, got {optimizer!r}.")
    if shard_optimizer_state:
        if compression is not Compression.none or backward_passes_per_step > 1:
            raise ValueError(
                "DistributedOptimizer: shard_optimizer_state takes no compression and no backward_passes_per_step. "
                "Set gradient_accumulation_steps in the optimizer."
            )
        return optimizer.sharded(average=op == Average)
    base = type(optimizer)
    reduction = _GradientReduction(compression, op, sparse_as_dense, "DistributedOptimizer")
    reducing_class: Any = type(
        base.__name__, (_ReducingOptimizer, base), {"__module__": base.__module__, "__doc__": base.__doc__}
    )
    twin = reducing_class.__new__(reducing_class)
    twin.__dict__.update(optimizer.__getstate__())
    twin._reduce = reduction
    if name is not None:
        twin.name = name
    if backward_passes_per_step > 1:
        if optimizer.gradient_accumulation_steps or optimizer.built:
            raise ValueError(
                "DistributedOptimizer: backward_passes_per_step needs an optimizer without gradient_accumulation_steps that "
                "has not updated variables yet."
            )
        twin.gradient_accumulation_steps = backward_passes_per_step
        if not average_aggregated_gradients:
            twin._gradient_factor = float(backward_passes_per_step)
    return twin
