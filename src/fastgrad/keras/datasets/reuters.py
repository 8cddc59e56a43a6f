"""Reuters: news on 46 topics."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.datasets.reuters import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.datasets.reuters", globals())
