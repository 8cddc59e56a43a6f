"""``tf.queue``: queues of tensors between Python's threads."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.ops.queues import FIFOQueue as FIFOQueue
from fastgrad.ops.queues import PaddingFIFOQueue as PaddingFIFOQueue
from fastgrad.ops.queues import PriorityQueue as PriorityQueue
from fastgrad.ops.queues import QueueBase as QueueBase
from fastgrad.ops.queues import RandomShuffleQueue as RandomShuffleQueue

__getattr__, __dir__ = _namespace_hooks("tf.queue", globals())
