"""``keras.ops``: Keras's functions of tensors, which functional models also take on ``KerasTensor``s."""

from fastgrad._src.keras.ops.namespace import *
from fastgrad._src.keras.ops.namespace import __dir__ as __dir__
from fastgrad._src.keras.ops.namespace import __getattr__ as __getattr__
