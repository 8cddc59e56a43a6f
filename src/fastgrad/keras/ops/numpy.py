"""``keras.ops.numpy``."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.keras.ops.array_functions import TABLE as _TABLE
from fastgrad.keras.ops.function import public as _public

globals().update(_public("ops.numpy", _TABLE))
__getattr__, __dir__ = _namespace_hooks("tf.keras.ops.numpy", globals())
