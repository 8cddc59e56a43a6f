"""``keras.config``: settings of ``keras``."""

from fastgrad.keras.backend import backend
from fastgrad.keras.dtype_policy import global_policy as dtype_policy
from fastgrad.keras.dtype_policy import set_global_policy as set_dtype_policy
from fastgrad.keras.saving.registration import enable_unsafe_deserialization
from fastgrad.keras.settings import epsilon, floatx, image_data_format, set_epsilon, set_floatx, set_image_data_format

__all__ = [
    "backend",
    "dtype_policy",
    "enable_unsafe_deserialization",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]
