"""``keras.config``: settings of ``keras``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.jit.tracebacks import (
    disable_traceback_filtering,
    enable_traceback_filtering,
)
from fastgrad._src.keras.backend import backend
from fastgrad._src.keras.dtype_policy import global_policy as dtype_policy
from fastgrad._src.keras.dtype_policy import set_global_policy as set_dtype_policy
from fastgrad._src.keras.settings import (
    epsilon,
    floatx,
    image_data_format,
    set_floatx,
    set_image_data_format,
)

__all__ = [
    "backend",
    "disable_traceback_filtering",
    "dtype_policy",
    "enable_traceback_filtering",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_dtype_policy",
    "set_floatx",
    "set_image_data_format",
]

__getattr__, __dir__ = _namespace_hooks("tf.keras.config", globals())
