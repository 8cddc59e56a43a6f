"""``tf.types``: classes for annotations."""

from fastgrad._src.compiler.types import *
from fastgrad._src.compiler.types import __dir__ as __dir__
from fastgrad._src.compiler.types import __getattr__ as __getattr__
