"""Checks of values, shapes and dtypes (``tf.debugging``)."""

from fastgrad._src.compiler.debugging import *
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.debugging", globals())
