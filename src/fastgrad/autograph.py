"""``tf.autograph``: what ``tf.function`` does with the loops of a Python function."""

from fastgrad._src.compiler.autograph import *
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.autograph", globals())
