"""``keras.ops.nn``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.ops.function import public as _public
from fastgrad._src.keras.ops.nn_functions import TABLE as _TABLE

globals().update(_public("ops.nn", _TABLE))
__getattr__, __dir__ = _namespace_hooks("tf.keras.ops.nn", globals())
