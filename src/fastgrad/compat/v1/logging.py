"""``tf.compat.v1.logging``: messages of the logger of ``tf.get_logger()``."""

from fastgrad._src.compat.v1.logging import *
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.compat.v1.logging", globals())
