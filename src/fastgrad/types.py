"""``tf.types``: classes for annotations."""

from fastgrad._src.compiler.types import *
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.types", globals())
