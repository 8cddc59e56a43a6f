"""``keras.ops.linalg``."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.keras.ops.core_functions import jvp as _jvp
from fastgrad.keras.ops.function import public as _public
from fastgrad.keras.ops.matrix_functions import TABLE as _TABLE

globals().update(_public("ops.linalg", {**_TABLE, "jvp": _jvp}))
__getattr__, __dir__ = _namespace_hooks("tf.keras.ops.linalg", globals())
