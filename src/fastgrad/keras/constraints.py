"""Projections that optimizers apply to weights after an update (``keras.constraints``)."""

from fastgrad._src.keras.constraints import *
from fastgrad._src.keras.constraints import __dir__ as __dir__
from fastgrad._src.keras.constraints import __getattr__ as __getattr__
