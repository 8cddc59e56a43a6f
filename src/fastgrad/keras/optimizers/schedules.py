"""``keras.optimizers.schedules``: learning rates that depend on the step."""

from fastgrad._src.keras.optimizers.schedules import *
from fastgrad._src.keras.optimizers.schedules import __dir__ as __dir__
from fastgrad._src.keras.optimizers.schedules import __getattr__ as __getattr__
