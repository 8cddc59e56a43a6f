"""``tf.profiler``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad.profiler import experimental as experimental

__getattr__, __dir__ = _namespace_hooks("tf.profiler", globals())
