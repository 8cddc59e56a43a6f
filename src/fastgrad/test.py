"""``tf.test``: a test case with assertions about tensors, numeric derivatives, and what this machine has."""

from fastgrad._src.compat.test_case import *
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.test", globals())
