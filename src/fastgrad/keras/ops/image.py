"""``keras.ops.image``."""

from fastgrad._src.keras.ops.image import *
from fastgrad._src.keras.ops.image import __dir__ as __dir__
from fastgrad._src.keras.ops.image import __getattr__ as __getattr__
