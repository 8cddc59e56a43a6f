"""TensorFlow's raw operations (``tf.raw_ops``), each composed of public functions; ``table.py`` has the rows."""

from fastgrad._src.compat.raw_ops.namespace import *
from fastgrad._src.compat.raw_ops.namespace import __dir__ as __dir__
from fastgrad._src.compat.raw_ops.namespace import __getattr__ as __getattr__
