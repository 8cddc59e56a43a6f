"""``tf.queue``: queues of tensors between Python's threads."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.ops.queues import FIFOQueue as FIFOQueue
from fastgrad._src.ops.queues import PaddingFIFOQueue as PaddingFIFOQueue
from fastgrad._src.ops.queues import PriorityQueue as PriorityQueue
from fastgrad._src.ops.queues import QueueBase as QueueBase
from fastgrad._src.ops.queues import RandomShuffleQueue as RandomShuffleQueue

__getattr__, __dir__ = _namespace_hooks("tf.queue", globals())
