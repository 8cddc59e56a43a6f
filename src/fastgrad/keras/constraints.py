"""Projections that optimizers apply to weights after an update (``keras.constraints``)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.constraints import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.constraints", globals())
