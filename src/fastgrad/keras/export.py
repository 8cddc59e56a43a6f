"""``keras.export``: models as SavedModels for inference, with their functions as data and without their Python."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.export import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.export", globals())
