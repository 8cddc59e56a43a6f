"""``keras.losses``, also ``tf.losses``. Regression functions also have short names (``mse``), as in TensorFlow."""

from fastgrad._src.keras.losses import *
from fastgrad._src.keras.losses import __dir__ as __dir__
from fastgrad._src.keras.losses import __getattr__ as __getattr__
