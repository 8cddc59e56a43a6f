"""Prices of houses in Boston (Harrison, Rubinfeld 1978)."""

from fastgrad._src.keras.datasets.boston_housing import *
from fastgrad._src.keras.datasets.boston_housing import __dir__ as __dir__
from fastgrad._src.keras.datasets.boston_housing import __getattr__ as __getattr__
