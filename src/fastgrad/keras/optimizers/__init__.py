"""``keras.optimizers``: classes that update weights from gradients."""

from fastgrad._src.keras.optimizers.namespace import *
from fastgrad._src.keras.optimizers.namespace import __dir__ as __dir__
from fastgrad._src.keras.optimizers.namespace import __getattr__ as __getattr__
