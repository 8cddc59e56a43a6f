"""``keras.ops.nn``."""

from fastgrad._src.keras.ops.nn import *
from fastgrad._src.keras.ops.nn import __dir__ as __dir__
from fastgrad._src.keras.ops.nn import __getattr__ as __getattr__
