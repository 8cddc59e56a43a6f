"""``tf.distribute``: training on several processes, by MPI; and Horovod's short functions.

``import fastgrad.distribute as hvd`` replaces ``import horovod.tensorflow as hvd`` and ``import horovod.tensorflow.keras as hvd``.
"""

from __future__ import annotations

import importlib as _importlib
from typing import Any as _Any

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.distribute import cluster_resolver as cluster_resolver
from fastgrad.distribute import experimental as experimental
from fastgrad.distribute.distributed_dataset import DistributedDataset as DistributedDataset
from fastgrad.distribute.distributed_dataset import DistributedIterator as DistributedIterator
from fastgrad.distribute.distributed_dataset import InputContext as InputContext
from fastgrad.distribute.distributed_dataset import InputOptions as InputOptions
from fastgrad.distribute.experimental import HierarchicalCopyAllReduce as HierarchicalCopyAllReduce
from fastgrad.distribute.experimental import InputReplicationMode as InputReplicationMode
from fastgrad.distribute.experimental import NcclAllReduce as NcclAllReduce
from fastgrad.distribute.experimental import ReductionToOneDevice as ReductionToOneDevice
from fastgrad.distribute.experimental import RunOptions as RunOptions
from fastgrad.distribute.horovod import Average as Average
from fastgrad.distribute.horovod import Compression as Compression
from fastgrad.distribute.horovod import Max as Max
from fastgrad.distribute.horovod import Min as Min
from fastgrad.distribute.horovod import Sum as Sum
from fastgrad.distribute.horovod import allgather as allgather
from fastgrad.distribute.horovod import allreduce as allreduce
from fastgrad.distribute.horovod import barrier as barrier
from fastgrad.distribute.horovod import broadcast as broadcast
from fastgrad.distribute.horovod import broadcast_global_variables as broadcast_global_variables
from fastgrad.distribute.horovod import broadcast_variables as broadcast_variables
from fastgrad.distribute.horovod import cross_rank as cross_rank
from fastgrad.distribute.horovod import cross_size as cross_size
from fastgrad.distribute.horovod import grouped_allreduce as grouped_allreduce
from fastgrad.distribute.horovod import init as init
from fastgrad.distribute.horovod import is_initialized as is_initialized
from fastgrad.distribute.horovod import local_rank as local_rank
from fastgrad.distribute.horovod import local_size as local_size
from fastgrad.distribute.horovod import mpi_built as mpi_built
from fastgrad.distribute.horovod import mpi_enabled as mpi_enabled
from fastgrad.distribute.horovod import mpi_threads_supported as mpi_threads_supported
from fastgrad.distribute.horovod import nccl_built as nccl_built
from fastgrad.distribute.horovod import rank as rank
from fastgrad.distribute.horovod import shutdown as shutdown
from fastgrad.distribute.horovod import size as size
from fastgrad.distribute.horovod_gradients import DistributedGradientTape as DistributedGradientTape
from fastgrad.distribute.horovod_gradients import DistributedOptimizer as DistributedOptimizer
from fastgrad.distribute.objects import allgather_object as allgather_object
from fastgrad.distribute.objects import broadcast_object as broadcast_object
from fastgrad.distribute.reduce_op import ReduceOp as ReduceOp
from fastgrad.distribute.strategy import DistributedValues as DistributedValues
from fastgrad.distribute.strategy import MirroredStrategy as MirroredStrategy
from fastgrad.distribute.strategy import MultiWorkerMirroredStrategy as MultiWorkerMirroredStrategy
from fastgrad.distribute.strategy import OneDeviceStrategy as OneDeviceStrategy
from fastgrad.distribute.strategy import ReplicaContext as ReplicaContext
from fastgrad.distribute.strategy import Strategy as Strategy
from fastgrad.distribute.strategy import StrategyExtended as StrategyExtended
from fastgrad.distribute.strategy import experimental_set_strategy as experimental_set_strategy
from fastgrad.distribute.strategy import get_replica_context as get_replica_context
from fastgrad.distribute.strategy import get_strategy as get_strategy
from fastgrad.distribute.strategy import has_strategy as has_strategy
from fastgrad.distribute.strategy import in_cross_replica_context as in_cross_replica_context

_missing, __dir__ = _namespace_hooks("tf.distribute", globals())


def __getattr__(name: str) -> _Any:
    if name == "callbacks":  # Keras's callbacks are above this package
        return _importlib.import_module("fastgrad.keras.callbacks.horovod")
    return _missing(name)
