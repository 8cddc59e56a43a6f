"""``keras.config``: settings of ``keras``."""

from fastgrad.keras.backend import backend as backend
from fastgrad.keras.dtype_policy import global_policy as dtype_policy
from fastgrad.keras.dtype_policy import set_global_policy as set_dtype_policy
from fastgrad.keras.saving.registration import enable_unsafe_deserialization as enable_unsafe_deserialization
from fastgrad.keras.settings import epsilon as epsilon
from fastgrad.keras.settings import floatx as floatx
from fastgrad.keras.settings import image_data_format as image_data_format
from fastgrad.keras.settings import set_epsilon as set_epsilon
from fastgrad.keras.settings import set_floatx as set_floatx
from fastgrad.keras.settings import set_image_data_format as set_image_data_format

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
