"""``tf.distribute.experimental``, and TensorFlow's options for communication, which have no effect: MPI communicates."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.distribute.experimental import *

__getattr__, __dir__ = _namespace_hooks("tf.distribute.experimental", globals())
