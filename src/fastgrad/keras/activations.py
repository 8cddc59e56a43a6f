"""Activation functions of one tensor (``keras.activations``), element by element unless they have an ``axis``."""

from fastgrad._src.keras.activations import *
from fastgrad._src.keras.activations import __dir__ as __dir__
from fastgrad._src.keras.activations import __getattr__ as __getattr__
