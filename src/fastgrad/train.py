"""``tf.train``: checkpoints, examples, and the optimizers of TensorFlow 1."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.files.checkpoints.checkpoint import Checkpoint as Checkpoint
from fastgrad._src.files.checkpoints.checkpoint_manager import CheckpointManager as CheckpointManager
from fastgrad._src.files.checkpoints.checkpoint_state import checkpoints_iterator as checkpoints_iterator
from fastgrad._src.files.checkpoints.checkpoint_state import get_checkpoint_state as get_checkpoint_state
from fastgrad._src.files.checkpoints.checkpoint_state import latest_checkpoint as latest_checkpoint
from fastgrad._src.files.checkpoints.checkpoint_state import list_variables as list_variables
from fastgrad._src.files.checkpoints.checkpoint_state import load_checkpoint as load_checkpoint
from fastgrad._src.files.checkpoints.checkpoint_state import load_variable as load_variable
from fastgrad._src.files.checkpoints.random_state import RandomState as RandomState
from fastgrad._src.ops.composed.moving_average import ExponentialMovingAverage as ExponentialMovingAverage

# The classes of messages are made by protobuf, which is imported at first use.
_MODULE_OF_LAZY_NAME = {
    "AdagradOptimizer": "compat.v1.optimizers",
    "AdamOptimizer": "compat.v1.optimizers",
    "BytesList": "files.records.messages",
    "Example": "files.records.messages",
    "Feature": "files.records.messages",
    "FeatureList": "files.records.messages",
    "FeatureLists": "files.records.messages",
    "Features": "files.records.messages",
    "FloatList": "files.records.messages",
    "GradientDescentOptimizer": "compat.v1.optimizers",
    "Int64List": "files.records.messages",
    "MomentumOptimizer": "compat.v1.optimizers",
    "Optimizer": "compat.v1.optimizers",
    "RMSPropOptimizer": "compat.v1.optimizers",
    "SequenceExample": "files.records.messages",
    "get_global_step": "compat.v1.optimizers",
    "get_or_create_global_step": "compat.v1.optimizers",
}

__getattr__, __dir__ = _namespace_hooks("tf.train", globals(), _MODULE_OF_LAZY_NAME)
