"""TensorFlow 1 names: ``import fastgrad.contrib.eager as tfe``, and the optimizers of ``tf.train``."""

from fastgrad.contrib import eager as eager
from fastgrad.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.contrib", globals())
