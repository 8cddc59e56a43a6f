"""``keras.backend``: settings of ``keras``, and the functions that it had in Keras 2."""

from fastgrad._src.keras.backend import *
from fastgrad._src.keras.backend import __dir__ as __dir__
from fastgrad._src.keras.backend import __getattr__ as __getattr__
