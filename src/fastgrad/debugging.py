"""Checks of values, shapes and dtypes (``tf.debugging``)."""

from fastgrad._src.compiler.debugging import *
from fastgrad._src.compiler.debugging import __dir__ as __dir__
from fastgrad._src.compiler.debugging import __getattr__ as __getattr__
