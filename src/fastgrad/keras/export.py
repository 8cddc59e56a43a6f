"""``keras.export``: models as SavedModels for inference, with their functions as data and without their Python."""

from fastgrad._src.keras.export import *
from fastgrad._src.keras.export import __dir__ as __dir__
from fastgrad._src.keras.export import __getattr__ as __getattr__
