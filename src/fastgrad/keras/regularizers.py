"""Penalties on weights and activities (``keras.regularizers``): functions from a tensor to a scalar."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.regularizers import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.regularizers", globals())
