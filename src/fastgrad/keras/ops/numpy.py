"""``keras.ops.numpy``."""

from fastgrad._src.keras.ops.numpy import *
from fastgrad._src.keras.ops.numpy import __dir__ as __dir__
from fastgrad._src.keras.ops.numpy import __getattr__ as __getattr__
