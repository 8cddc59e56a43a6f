"""Activation functions of one tensor (``keras.activations``), element by element unless they have an ``axis``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.activations import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.activations", globals())
