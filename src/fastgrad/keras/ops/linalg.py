"""``keras.ops.linalg``."""

from fastgrad._src.keras.ops.linalg import *
from fastgrad._src.keras.ops.linalg import __dir__ as __dir__
from fastgrad._src.keras.ops.linalg import __getattr__ as __getattr__
