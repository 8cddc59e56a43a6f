"""``tf.distribute``: training on several processes, by MPI; and Horovod's short functions.

``import fastgrad.distribute as hvd`` replaces ``import horovod.tensorflow as hvd`` and ``import horovod.tensorflow.keras as hvd``.
"""

from __future__ import annotations

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.distribute.distributed_dataset import DistributedDataset as DistributedDataset
from fastgrad._src.distribute.distributed_dataset import DistributedIterator as DistributedIterator
from fastgrad._src.distribute.distributed_dataset import InputContext as InputContext
from fastgrad._src.distribute.distributed_dataset import InputOptions as InputOptions
from fastgrad._src.distribute.experimental import HierarchicalCopyAllReduce as HierarchicalCopyAllReduce
from fastgrad._src.distribute.experimental import NcclAllReduce as NcclAllReduce
from fastgrad._src.distribute.experimental import ReductionToOneDevice as ReductionToOneDevice
from fastgrad._src.distribute.horovod import Average as Average
from fastgrad._src.distribute.horovod import Compression as Compression
from fastgrad._src.distribute.horovod import Max as Max
from fastgrad._src.distribute.horovod import Min as Min
from fastgrad._src.distribute.horovod import Sum as Sum
from fastgrad._src.distribute.horovod import allgather as allgather
from fastgrad._src.distribute.horovod import allreduce as allreduce
from fastgrad._src.distribute.horovod import barrier as barrier
from fastgrad._src.distribute.horovod import broadcast as broadcast
from fastgrad._src.distribute.horovod import broadcast_global_variables as broadcast_global_variables
from fastgrad._src.distribute.horovod import broadcast_variables as broadcast_variables
from fastgrad._src.distribute.horovod import cross_rank as cross_rank
from fastgrad._src.distribute.horovod import cross_size as cross_size
from fastgrad._src.distribute.horovod import grouped_allreduce as grouped_allreduce
from fastgrad._src.distribute.horovod import init as init
from fastgrad._src.distribute.horovod import is_initialized as is_initialized
from fastgrad._src.distribute.horovod import local_rank as local_rank
from fastgrad._src.distribute.horovod import local_size as local_size
from fastgrad._src.distribute.horovod import mpi_built as mpi_built
from fastgrad._src.distribute.horovod import mpi_enabled as mpi_enabled
from fastgrad._src.distribute.horovod import mpi_threads_supported as mpi_threads_supported
from fastgrad._src.distribute.horovod import nccl_built as nccl_built
from fastgrad._src.distribute.horovod import rank as rank
from fastgrad._src.distribute.horovod import shutdown as shutdown
from fastgrad._src.distribute.horovod import size as size
from fastgrad._src.distribute.horovod_gradients import DistributedGradientTape as DistributedGradientTape
from fastgrad._src.distribute.horovod_gradients import DistributedOptimizer as DistributedOptimizer
from fastgrad._src.distribute.objects import allgather_object as allgather_object
from fastgrad._src.distribute.objects import broadcast_object as broadcast_object
from fastgrad._src.distribute.reduce_op import ReduceOp as ReduceOp
from fastgrad._src.distribute.strategy import MirroredStrategy as MirroredStrategy
from fastgrad._src.distribute.strategy import MultiWorkerMirroredStrategy as MultiWorkerMirroredStrategy
from fastgrad._src.distribute.strategy import OneDeviceStrategy as OneDeviceStrategy
from fastgrad._src.distribute.strategy import ReplicaContext as ReplicaContext
from fastgrad._src.distribute.strategy import Strategy as Strategy
from fastgrad._src.distribute.strategy import StrategyExtended as StrategyExtended
from fastgrad._src.distribute.strategy import TPUStrategy as TPUStrategy
from fastgrad._src.distribute.strategy import get_replica_context as get_replica_context
from fastgrad._src.distribute.strategy import get_strategy as get_strategy
from fastgrad._src.distribute.strategy import has_strategy as has_strategy
from fastgrad._src.distribute.strategy import in_cross_replica_context as in_cross_replica_context
from fastgrad.distribute import cluster_resolver as cluster_resolver
from fastgrad.distribute import experimental as experimental

_MODULE_OF_NAME = {"callbacks": ("keras.callbacks.horovod", None)}  # Keras's callbacks are above this package

__getattr__, __dir__ = _namespace_hooks("tf.distribute", globals(), _MODULE_OF_NAME)
