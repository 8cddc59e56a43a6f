"""Exceptions, named and shaped as in ``tf.errors``."""

from fastgrad._src.core.errors import *
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.errors", globals())
