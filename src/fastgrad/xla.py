"""``tf.xla``."""

from fastgrad._src.compiler.xla import experimental as experimental
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.xla", globals())
