"""Settings of the running process (``tf.config``)."""

from fastgrad._src.compiler.config import *
from fastgrad._src.compiler.config import __dir__ as __dir__
from fastgrad._src.compiler.config import __getattr__ as __getattr__
