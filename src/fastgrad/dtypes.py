"""Element types: ``tf.float32`` ...; each corresponds to one NumPy dtype."""

from fastgrad._src.core.dtypes import *
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.dtypes", globals())
