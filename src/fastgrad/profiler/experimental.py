"""``tf.profiler.experimental``: timelines of operations, compiled functions and marked parts, as files for trace viewers."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.summary.profiler import *

__getattr__, __dir__ = _namespace_hooks("tf.profiler.experimental", globals())
