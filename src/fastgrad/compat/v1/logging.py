"""``tf.compat.v1.logging``: messages of the logger of ``tf.get_logger()``."""

from fastgrad._src.compat.v1.logging import *
from fastgrad._src.compat.v1.logging import __dir__ as __dir__
from fastgrad._src.compat.v1.logging import __getattr__ as __getattr__
