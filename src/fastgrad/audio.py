"""``tf.audio``: WAV files as tensors."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.signal.audio import *

__getattr__, __dir__ = _namespace_hooks("tf.audio", globals())
