"""``keras.metrics``, also ``tf.metrics``."""

from fastgrad._src.keras.metrics import *
from fastgrad._src.keras.metrics import __dir__ as __dir__
from fastgrad._src.keras.metrics import __getattr__ as __getattr__
