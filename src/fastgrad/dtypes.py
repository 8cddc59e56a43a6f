"""Element types: ``tf.float32`` ...; each corresponds to one NumPy dtype."""

from fastgrad._src.core.dtypes import *
from fastgrad._src.core.dtypes import __dir__ as __dir__
from fastgrad._src.core.dtypes import __getattr__ as __getattr__
