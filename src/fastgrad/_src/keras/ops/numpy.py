"""``keras.ops.numpy``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.ops.array_functions import TABLE as _TABLE
from fastgrad._src.keras.ops.function import public as _public

globals().update(_public("ops.numpy", _TABLE))
__getattr__, __dir__ = _namespace_hooks("tf.keras.ops.numpy", globals())
