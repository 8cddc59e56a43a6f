"""``tf.experimental.numpy``: NumPy's functions of tensors, which are recorded by tapes and compiled functions."""

from fastgrad._src.compat.experimental.numpy.namespace import *
from fastgrad._src.compat.experimental.numpy.namespace import __dir__ as __dir__
from fastgrad._src.compat.experimental.numpy.namespace import __getattr__ as __getattr__
