"""Prices of houses in California (Pace, Barry 1997)."""

from fastgrad._src.keras.datasets.california_housing import *
from fastgrad._src.keras.datasets.california_housing import __dir__ as __dir__
from fastgrad._src.keras.datasets.california_housing import __getattr__ as __getattr__
