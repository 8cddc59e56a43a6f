"""The version of fastgrad (``tf.version``)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.core.version import *

__getattr__, __dir__ = _namespace_hooks("tf.version", globals())
