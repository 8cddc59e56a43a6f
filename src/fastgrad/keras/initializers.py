"""Initializers: functions from a shape and dtype to a weight's first value (``keras.initializers``)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.initializers import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.initializers", globals())
