"""Prices of houses in California (Pace, Barry 1997)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.datasets.california_housing import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.datasets.california_housing", globals())
