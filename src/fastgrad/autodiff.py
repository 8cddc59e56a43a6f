"""Forward-mode differentiation (``tf.autodiff``)."""

from fastgrad._src.core.forward_accumulator import *
from fastgrad._src.core.forward_accumulator import __dir__ as __dir__
from fastgrad._src.core.forward_accumulator import __getattr__ as __getattr__
