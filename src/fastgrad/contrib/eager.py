"""``tf.contrib.eager``: TensorFlow 1's names of eager execution (``import fastgrad.contrib.eager as tfe``)."""

from fastgrad._src.compat.contrib.eager import *
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.contrib.eager", globals())
