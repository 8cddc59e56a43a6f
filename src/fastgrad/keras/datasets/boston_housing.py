"""Prices of houses in Boston (Harrison, Rubinfeld 1978)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.datasets.boston_housing import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.datasets.boston_housing", globals())
