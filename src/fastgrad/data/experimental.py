"""``tf.data.experimental``: copies to devices, and older names of ``tf.data`` functions."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.data.experimental import *

__getattr__, __dir__ = _namespace_hooks("tf.data.experimental", globals())
