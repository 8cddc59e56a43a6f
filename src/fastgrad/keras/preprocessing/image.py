"""``keras.preprocessing.image``: images as arrays and files, and ``smart_resize``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.preprocessing.image import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.preprocessing.image", globals())
