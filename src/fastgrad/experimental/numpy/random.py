"""``tf.experimental.numpy.random``: draws with NumPy's arguments, float64 or int64; the numbers are those of ``tf.random``."""

from fastgrad._src.compat.experimental.numpy.random import *
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.experimental.numpy.random", globals())
