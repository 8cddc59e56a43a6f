"""Forward-mode differentiation (``tf.autodiff``)."""

from fastgrad._src.core.forward_accumulator import *
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.autodiff", globals())
