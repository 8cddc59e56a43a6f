"""``tf.compat.v1``: what eager programs use of TensorFlow 1."""

from fastgrad._src.compat.v1.namespace import *
from fastgrad._src.compat.v1.namespace import __dir__ as __dir__
from fastgrad._src.compat.v1.namespace import __getattr__ as __getattr__
from fastgrad._src.core.version import VERSION as __version__  # noqa: F401, N811
