"""``keras.preprocessing.text``: words as integers, as in Keras 2; ``TextVectorization`` is the layer that followed it."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.preprocessing.text import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.preprocessing.text", globals())
