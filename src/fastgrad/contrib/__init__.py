"""TensorFlow 1 names: ``import fastgrad.contrib.eager as tfe``, and the optimizers of ``tf.train``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad.contrib import eager as eager

__getattr__, __dir__ = _namespace_hooks("tf.contrib", globals())
