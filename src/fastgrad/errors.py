"""Exceptions, named and shaped as in ``tf.errors``."""

from fastgrad._src.core.errors import *
from fastgrad._src.core.errors import __dir__ as __dir__
from fastgrad._src.core.errors import __getattr__ as __getattr__
