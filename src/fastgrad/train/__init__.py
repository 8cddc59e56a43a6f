"""``tf.train``: checkpoints, examples, and the optimizers of TensorFlow 1."""

from __future__ import annotations

import importlib as _importlib
from typing import Any as _Any

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.train.checkpoint import Checkpoint as Checkpoint
from fastgrad.train.checkpoint_manager import CheckpointManager as CheckpointManager
from fastgrad.train.checkpoint_state import checkpoints_iterator as checkpoints_iterator
from fastgrad.train.checkpoint_state import get_checkpoint_state as get_checkpoint_state
from fastgrad.train.checkpoint_state import latest_checkpoint as latest_checkpoint
from fastgrad.train.checkpoint_state import list_variables as list_variables
from fastgrad.train.checkpoint_state import load_checkpoint as load_checkpoint
from fastgrad.train.checkpoint_state import load_variable as load_variable
from fastgrad.train.moving_average import ExponentialMovingAverage as ExponentialMovingAverage
from fastgrad.train.random_state import RandomState as RandomState

# These names depend on Keras's optimizers, a higher layer than this package, so they are imported lazily.
_LAZY_OPTIMIZER_NAMES = frozenset(
    [
        "AdagradOptimizer",
        "AdamOptimizer",
        "GradientDescentOptimizer",
        "MomentumOptimizer",
        "Optimizer",
        "RMSPropOptimizer",
        "get_global_step",
        "get_or_create_global_step",
    ]
)

# Their classes are made by protobuf, which is imported at first use.
_MESSAGE_NAMES = frozenset(
    [
        "BytesList",
        "Example",
        "Feature",
        "FeatureList",
        "FeatureLists",
        "Features",
        "FloatList",
        "Int64List",
        "SequenceExample",
    ]
)


def __getattr__(name: str) -> _Any:
    if name in _MESSAGE_NAMES:
        return _importlib.import_module("fastgrad.io.messages").message_class(name)
    if name in _LAZY_OPTIMIZER_NAMES:
        return getattr(_importlib.import_module("fastgrad.contrib.train"), name)
    return _missing(name)


def __dir__() -> list[str]:
    return sorted({*_present(), *_LAZY_OPTIMIZER_NAMES, *_MESSAGE_NAMES})


_missing, _present = _namespace_hooks("tf.train", globals())
