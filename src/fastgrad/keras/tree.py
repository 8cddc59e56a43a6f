"""``keras.tree``: nested structures of lists, tuples, named tuples and dicts. ``None`` is a leaf."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.tree import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.tree", globals())
