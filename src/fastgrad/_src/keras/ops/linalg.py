"""``keras.ops.linalg``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.ops.core_functions import jvp as _jvp
from fastgrad._src.keras.ops.function import public as _public
from fastgrad._src.keras.ops.matrix_functions import TABLE as _TABLE

globals().update(_public("ops.linalg", {**_TABLE, "jvp": _jvp}))
__getattr__, __dir__ = _namespace_hooks("tf.keras.ops.linalg", globals())
