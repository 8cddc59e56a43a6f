"""Settings of the running process (``tf.config``)."""

from fastgrad._src.compiler.config import *
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.config", globals())
