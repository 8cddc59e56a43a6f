"""``keras.random``: draws that follow from a seed, and a generator of seeds. The numbers are those of ``tf.random.stateless_*``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.random import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.random", globals())
