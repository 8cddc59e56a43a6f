"""Penalties on weights and activities (``keras.regularizers``): functions from a tensor to a scalar."""

from fastgrad._src.keras.regularizers import *
from fastgrad._src.keras.regularizers import __dir__ as __dir__
from fastgrad._src.keras.regularizers import __getattr__ as __getattr__
