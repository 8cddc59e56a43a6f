"""Initializers: functions from a shape and dtype to a weight's first value (``keras.initializers``)."""

from fastgrad._src.keras.initializers import *
from fastgrad._src.keras.initializers import __dir__ as __dir__
from fastgrad._src.keras.initializers import __getattr__ as __getattr__
