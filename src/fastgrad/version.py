"""The version of fastgrad (``tf.version``)."""

from fastgrad._src.core.version import *
from fastgrad._src.core.version import __dir__ as __dir__
from fastgrad._src.core.version import __getattr__ as __getattr__
