"""``tf.experimental.numpy.random``: draws with NumPy's arguments, float64 or int64; the numbers are those of ``tf.random``."""

from fastgrad._src.compat.experimental.numpy.random import *
from fastgrad._src.compat.experimental.numpy.random import __dir__ as __dir__
from fastgrad._src.compat.experimental.numpy.random import __getattr__ as __getattr__
