"""Strategies: which processes train together, and the scopes and contexts of their code."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from fastgrad._src.core import nest, python_state_version
from fastgrad._src.core.argument_checks import checked_callable
from fastgrad._src.core.errors import NotFoundError
from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.replicas import ReplicaGroup, replica_group, replica_group_scope, replica_step
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.data.options import AutoShardPolicy
from fastgrad._src.distribute.cluster_resolver import ClusterResolver, MPIClusterResolver
from fastgrad._src.distribute.distributed_dataset import DistributedDataset, InputContext, distribute_dataset
from fastgrad._src.distribute.reduce_op import ReduceOp, gather_from_replicas, reduce_structure, value_of_replica
from fastgrad._src.distribute.variables import make_replica_variable
from fastgrad._src.kernels.collectives.world import world
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.reduction import reduce_sum

_serial_numbers = itertools.count()


class ValueContext(NamedTuple):
    """The argument of functions of ``experimental_distribute_values_from_function``.

    Attributes:
        replica_id_in_sync_group: the number of the replica.
        num_replicas_in_sync: the number of replicas.
    """

    replica_id_in_sync_group: int = 0
    num_replicas_in_sync: int = 1


class ReplicaContext:
    """The replica in which ``strategy.run`` runs a function: its number and its collectives. TensorFlow: tf.distribute.ReplicaContext.

    Args:
        strategy: the strategy that runs the function.
        replica_id_in_sync_group: the number of the replica.
    """

    def __init__(self, strategy: Strategy, replica_id_in_sync_group: int) -> None:
        self.strategy = strategy
        self._replica_id = replica_id_in_sync_group

    @property
    def replica_id_in_sync_group(self) -> int:
        """The number of this replica, from 0."""
        return self._replica_id

    @property
    def num_replicas_in_sync(self) -> int:
        """The number of replicas."""
        return self.strategy.num_replicas_in_sync

    @property
    def devices(self) -> tuple[str, ...]:
        """The device of this replica."""
        return self.strategy.extended.worker_devices

    def all_reduce(self, reduce_op: Any, value: Any, options: Any = None) -> Any:
        """Returns the sums or means of tensors over all replicas. All replicas call it, with equal shapes.

        Args:
            reduce_op: a ``tf.distribute.ReduceOp`` or its name.
            value: a tensor, ``IndexedSlices``, or a nested structure of them; all dense tensors are reduced in one call.
            options: kept for TensorFlow's signature.

        Raises:
            ValueError: there is no such reduction.
            UnavailableError: another process failed, or runs another collective.
        """
        return reduce_structure(ReduceOp.of(reduce_op), value, self.num_replicas_in_sync)

    def all_gather(self, value: Any, axis: int, options: Any = None) -> Any:
        """Returns the tensors of all replicas, joined along ``axis``.

        Args:
            value: a tensor of rank 1 or more, or a nested structure of tensors; only the sizes of ``axis`` may differ.
            axis: the dimension.
            options: kept for TensorFlow's signature.

        Raises:
            InvalidArgumentError: there is no such dimension.
        """
        return nest.map_structure(lambda leaf: gather_from_replicas(leaf, axis, "all_gather"), value)

    def merge_call(self, merge_fn: Callable[..., Any], args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        """Returns ``merge_fn(strategy, *args, **kwargs)``, run outside of the replica's context."""
        with _enter_context(self.strategy, is_cross_replica=True):
            return merge_fn(self.strategy, *args, **(kwargs or {}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


@contextlib.contextmanager
def _enter_context(strategy: Strategy, is_cross_replica: bool) -> Iterator[Strategy]:
    """A context in which the code belongs to ``strategy``. Compiled functions are recorded for each context."""
    rank, size = strategy._rank, strategy.num_replicas_in_sync
    before = python_state_version.settings.get("replicas")
    python_state_version.settings["replicas"] = f"{strategy._serial} {is_cross_replica}"
    python_state_version.count_change()
    try:
        with replica_group_scope(ReplicaGroup(rank, size, strategy, is_cross_replica)):
            yield strategy
    finally:
        if before is None:
            del python_state_version.settings["replicas"]
        else:
            python_state_version.settings["replicas"] = before
        python_state_version.count_change()


class StrategyExtended:
    """Further properties and methods of a strategy. TensorFlow: tf.distribute.StrategyExtended.

    Args:
        strategy: the strategy.
    """

    __getattr__ = missing_member_getattr

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy

    @property
    def worker_devices(self) -> tuple[str, ...]:
        """The devices of this process's replicas."""
        return (self._strategy._device,)

    @property
    def parameter_devices(self) -> tuple[str, ...]:
        """The devices of this process's variables."""
        return self.worker_devices

    @property
    def should_checkpoint(self) -> bool:
        """Whether this process writes checkpoints: the first does."""
        return self._strategy._rank == 0

    @property
    def should_save_summary(self) -> bool:
        """Whether this process writes summaries: the first does."""
        return self._strategy._rank == 0

    @property
    def experimental_between_graph(self) -> bool:
        """Whether each process runs its own program."""
        return self._strategy.num_replicas_in_sync > 1

    @property
    def experimental_require_static_shapes(self) -> bool:
        """False: shapes may differ from step to step."""
        return False

    def variable_created_in_scope(self, v: Any) -> bool:
        """Returns whether ``v`` is a variable: each process has one copy of all variables."""
        return isinstance(v, Variable)

    def colocate_vars_with(self, colocate_with_variable: Any) -> contextlib.AbstractContextManager[None]:
        """Does nothing: each process has one device."""
        return contextlib.nullcontext()

    def reduce_to(self, reduce_op: Any, value: Any, destinations: Any, options: Any = None) -> Any:
        """Returns the sum or mean of ``value`` over the replicas, as ``Strategy.reduce``; in cross-replica context."""
        _require_cross_replica(self._strategy)
        return reduce_structure(ReduceOp.of(reduce_op), value, self._strategy.num_replicas_in_sync)

    def batch_reduce_to(self, reduce_op: Any, value_destination_pairs: Any, options: Any = None) -> list[Any]:
        """Returns the sums or means of several values over the replicas, in one call.

        Args:
            reduce_op: a ``tf.distribute.ReduceOp`` or its name.
            value_destination_pairs: pairs of a value and a destination; destinations have no effect.
            options: kept for TensorFlow's signature.
        """
        return self.reduce_to(reduce_op, [value for value, _ in value_destination_pairs], None)

    def update(
        self, var: Variable, fn: Callable[..., Any], args: Sequence[Any] = (), kwargs: Any = None, group: bool = True
    ) -> Any:
        """Returns ``fn(var, *args, **kwargs)``, run for the copy of the variable in each process."""
        _require_cross_replica(self._strategy)
        return fn(var, *args, **(kwargs or {}))


class Strategy:
    """A group of replicas that train together. TensorFlow: tf.distribute.Strategy.

    A process has one replica. So per-replica values are plain tensors.

    Args:
        extended: kept for TensorFlow's signature; strategies are made by their own classes.
    """

    __getattr__ = missing_member_getattr

    _rank = 0
    _size = 1
    _device = "/job:localhost/replica:0/task:0/device:CPU:0"

    def __init__(self, extended: Any = None) -> None:
        self._extended = StrategyExtended(self)
        self._serial = next(_serial_numbers)  # an id() would return after the end of a strategy

    @property
    def extended(self) -> StrategyExtended:
        """Further properties and methods."""
        return self._extended

    @property
    def num_replicas_in_sync(self) -> int:
        """The number of replicas over which gradients are summed."""
        return self._size

    @property
    def cluster_resolver(self) -> ClusterResolver | None:
        """The resolver that lists the processes of the job; None for a strategy of one process."""
        return None

    @contextlib.contextmanager
    def scope(self) -> Iterator[Strategy]:
        """Returns a context manager that makes this strategy the current one.

        Variables that are made within start with the values of the first replica in all replicas.

        Raises:
            RuntimeError: on entry, within the scope of another strategy, or within ``strategy.run``.
        """
        _require_same(self)
        _require_cross_replica(self)
        with _enter_context(self, is_cross_replica=True):
            yield self

    def run(self, fn: Callable[..., Any], args: Sequence[Any] = (), kwargs: Any = None, options: Any = None) -> Any:
        """Returns ``fn(*args, **kwargs)``, run in the context of each replica.

        Args:
            fn: a function; within, ``tf.distribute.get_replica_context()`` reduces and gathers.
            args, kwargs: its arguments, such as an element of a distributed dataset.
            options: kept for TensorFlow's signature.

        Raises:
            RuntimeError: within the scope of another strategy, or within ``strategy.run``.
            TypeError: ``fn`` is not callable.
        """
        checked_callable("Strategy.run", "fn", fn)
        if not isinstance(args, (list, tuple)):
            raise ValueError(f"positional args must be a list or tuple, got {type(args)}")
        _require_same(self)
        _require_cross_replica(self)
        # A subclass may override ``scope``, as dm-sonnet's does.
        with self.scope(), _enter_context(self, is_cross_replica=False), replica_step():
            return fn(*args, **(kwargs or {}))

    def reduce(self, reduce_op: Any, value: Any, axis: Any = None) -> Any:
        """Returns the sum or mean of a value of each replica, the same in all processes.

        Args:
            reduce_op: a ``tf.distribute.ReduceOp`` or its name.
            value: a tensor or a nested structure of tensors.
            axis: one or several dimensions to reduce as well. A mean gives each element the same weight; a mean of integers is
                float64. None keeps all dimensions.

        Raises:
            ValueError: there is no such reduction, or the value has no such dimension.
            RuntimeError: within ``strategy.run``.
        """
        _require_cross_replica(self)
        operation = ReduceOp.of(reduce_op)
        if axis is None:
            return reduce_structure(operation, value, self.num_replicas_in_sync)
        axes = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
        leaves = [value_of_replica(leaf) for leaf in nest.flatten(value)]
        for leaf in leaves:
            for dimension in axes:
                if not -leaf._array.ndim <= dimension < leaf._array.ndim:
                    raise ValueError(
                        f"Strategy.reduce: Invalid reduction dimension {dimension} for input with {leaf._array.ndim} dimensions."
                    )
        totals = [reduce_sum(leaf, axes) for leaf in leaves]
        if operation is ReduceOp.MEAN:
            counts = [_element_count(leaf, axes) for leaf in leaves]
            totals, counts = reduce_structure(ReduceOp.SUM, (totals, counts), self.num_replicas_in_sync)
            totals = [cast(total, count.dtype) / count for total, count in zip(totals, counts, strict=True)]
        else:
            totals = reduce_structure(ReduceOp.SUM, totals, self.num_replicas_in_sync)
        return nest.pack_sequence_as(value, totals) if nest.is_nested(value) else totals[0]

    def gather(self, value: Any, axis: int) -> Any:
        """Returns the values of all replicas, joined along ``axis``, in all processes.

        Args:
            value: a tensor of rank 1 or more, or a nested structure of tensors; only the sizes of ``axis`` may differ.
            axis: the dimension.

        Raises:
            InvalidArgumentError: there is no such dimension.
            RuntimeError: within ``strategy.run``.
        """
        _require_cross_replica(self)
        with _enter_context(self, is_cross_replica=True):
            return nest.map_structure(lambda leaf: gather_from_replicas(leaf, axis), value)

    def experimental_local_results(self, value: Any) -> tuple[Any, ...]:
        """Returns the values of this process's replicas: a tuple of one."""
        return (value_of_replica(value) if getattr(value, "_is_on_read", False) else value,)

    unwrap = experimental_local_results

    def group(self, value: Any, name: str | None = None) -> None:
        """Does nothing: the operations have already run."""

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> DistributedDataset:
        """Returns the part of a batched dataset for this process.

        Each global batch is divided among the replicas, by ``options.experimental_distribute.auto_shard_policy`` of the dataset.
        All processes make the same number of steps: a process without rows gets an empty batch. A shuffle without a seed has
        the same order in all processes, that of the first process, unless the policy is OFF.

        Args:
            dataset: a ``tf.data.Dataset`` of global batches, the same in all processes.
            options: kept for TensorFlow's signature.

        Raises:
            TypeError: ``dataset`` is not a dataset.
            ValueError: ``dataset`` is not batched.
            NotFoundError: the policy is FILE, and the dataset reads no files.
        """
        part = distribute_dataset(dataset, self._rank, self._size)
        is_off = dataset.options().experimental_distribute.auto_shard_policy is AutoShardPolicy.OFF
        return DistributedDataset(part, self._rank, self._size, is_same_in_all=not is_off)

    def distribute_datasets_from_function(
        self, dataset_fn: Callable[[InputContext], Any], options: Any = None
    ) -> DistributedDataset:
        """Returns the dataset that ``dataset_fn(tf.distribute.InputContext)`` makes for this process.

        Args:
            dataset_fn: makes a dataset of batches for one process, sharded by the user.
            options: kept for TensorFlow's signature.
        """
        checked_callable("distribute_datasets_from_function", "dataset_fn", dataset_fn)
        dataset = dataset_fn(InputContext(self._size, self._rank, self._size))
        return DistributedDataset(dataset, self._rank, self._size, is_same_in_all=False)

    experimental_distribute_datasets_from_function = distribute_datasets_from_function

    def experimental_distribute_values_from_function(self, value_fn: Callable[[ValueContext], Any]) -> Any:
        """Returns ``value_fn(tf.distribute.experimental.ValueContext)`` of this process's replica."""
        return value_fn(ValueContext(self._rank, self._size))

    def _variable_created(self, variable: Variable, synchronization: Any, aggregation: Any) -> None:
        """Gives a variable that was made in the scope the value of the first replica."""
        make_replica_variable(variable, synchronization, aggregation)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} num_replicas_in_sync={self.num_replicas_in_sync}>"


def _element_count(leaf: Tensor, axes: tuple[int, ...]) -> Tensor:
    count = np.prod([leaf._array.shape[axis] for axis in axes])
    dtype = leaf._array.dtype if leaf.dtype.is_floating else np.float64
    return convert_to_tensor(np.asarray(count, dtype))


def _require_same(strategy: Strategy) -> None:
    current = replica_group().strategy
    if current is not None and current is not strategy:
        raise RuntimeError(
            f"Mixing different tf.distribute.Strategy objects: {current} is not {strategy}. Leave the scope of the first, "
            "or use one strategy."
        )


def _require_cross_replica(strategy: Strategy) -> None:
    group = replica_group()
    if group.strategy is not None and not group.is_cross_replica:
        raise RuntimeError(
            "Method requires being in cross-replica context, use get_replica_context().merge_call(). "
            f"It was called in a function that {strategy}.run runs."
        )


class DefaultStrategy(Strategy):
    """The strategy outside of all scopes: one replica, without variables of its own."""

    @contextlib.contextmanager
    def scope(self) -> Iterator[Strategy]:
        """Returns a context manager that changes nothing; RuntimeError, on entry, within the scope of another strategy."""
        _require_same(self)
        yield self

    def run(self, fn: Callable[..., Any], args: Sequence[Any] = (), kwargs: Any = None, options: Any = None) -> Any:
        """Returns ``fn(*args, **kwargs)``."""
        return fn(*args, **(kwargs or {}))

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """Returns the dataset."""
        return dataset


class MultiWorkerMirroredStrategy(Strategy):
    """Synchronous training on all processes of the job, one replica in each. TensorFlow: tf.distribute.MultiWorkerMirroredStrategy.

    MPI's launcher starts the processes: ``mpiexec -n 4 python train.py``. Without a launcher there is one replica.

    Args:
        cluster_resolver: only stored as an attribute, because MPI knows the processes. Default: a resolver that asks MPI.
        communication_options: kept for TensorFlow's signature: MPI chooses the algorithms.

    Raises:
        ImportError: a launcher started the process, and mpi4py is not installed.
    """

    def __init__(self, cluster_resolver: Any = None, communication_options: Any = None) -> None:
        group = world()
        self._rank, self._size = group.rank, group.size
        self._device = f"/job:worker/replica:0/task:{group.rank}/device:CPU:0"
        self._cluster_resolver = MPIClusterResolver() if cluster_resolver is None else cluster_resolver
        super().__init__()

    @property
    def cluster_resolver(self) -> Any:
        return self._cluster_resolver


class MirroredStrategy(Strategy):
    """Training on the devices of this process: one. TensorFlow: tf.distribute.MirroredStrategy.

    Processes do not synchronize: for several, use ``MultiWorkerMirroredStrategy``.

    Args:
        devices: one device, such as ``["/cpu:0"]``. Default: the CPU.
        cross_device_ops: kept for TensorFlow's signature.

    Raises:
        ValueError: several devices.

    Example:
        >>> strategy = tf.distribute.MirroredStrategy()
        >>> with strategy.scope():
        ...     v = tf.Variable(1.0)
        >>> strategy.run(lambda: v + 1.0).numpy()
        np.float32(2.0)
    """

    def __init__(self, devices: Any = None, cross_device_ops: Any = None) -> None:
        names = [devices] if isinstance(devices, str) else list(devices or ())
        if len(names) > 1:
            raise ValueError(
                f"MirroredStrategy: a process has one replica, got the devices {names}. Start a process for each device with "
                "`mpiexec -n N` and use tf.distribute.MultiWorkerMirroredStrategy."
            )
        super().__init__()


class OneDeviceStrategy(Strategy):
    """Training on one device. TensorFlow: tf.distribute.OneDeviceStrategy.

    Args:
        device: its name, such as ``"/cpu:0"``.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self._device = str(device)


class TPUStrategy(Strategy):
    """Training on TPUs, which fastgrad does not have; libraries derive classes from it. TensorFlow: tf.distribute.TPUStrategy.

    Args:
        tpu_cluster_resolver: the TPUs.
        experimental_device_assignment, experimental_spmd_xla_partitioning: kept for TensorFlow's signature.

    Raises:
        NotFoundError: always.
    """

    def __init__(
        self,
        tpu_cluster_resolver: Any = None,
        experimental_device_assignment: Any = None,
        experimental_spmd_xla_partitioning: bool = False,
    ) -> None:
        raise NotFoundError(
            "tf.distribute.TPUStrategy: No TPUs found: fastgrad does not run on TPUs. "
            "Use tf.distribute.MultiWorkerMirroredStrategy, with one process for each replica."
        )


_default_strategy = DefaultStrategy()


def get_strategy() -> Strategy:
    """Returns the strategy of the current scope; outside of scopes a default strategy of one replica."""
    return replica_group().strategy or _default_strategy


def has_strategy() -> bool:
    """Returns whether the code runs in the scope of a strategy."""
    return replica_group().strategy is not None


def in_cross_replica_context() -> bool:
    """Returns whether the code runs in the scope of a strategy, but not in its ``run``."""
    return replica_group().is_cross_replica


def get_replica_context() -> ReplicaContext | None:
    """Returns the context of the replica whose code runs; None in cross-replica context."""
    group = replica_group()
    if group.is_cross_replica:
        return None
    return ReplicaContext(group.strategy or _default_strategy, group.rank)
