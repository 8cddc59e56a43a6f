"""``tf.autograph``: what ``tf.function`` does with the loops of a Python function."""

from fastgrad._src.compiler.autograph import *
from fastgrad._src.compiler.autograph import __dir__ as __dir__
from fastgrad._src.compiler.autograph import __getattr__ as __getattr__
