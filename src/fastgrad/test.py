"""``tf.test``: a test case with assertions about tensors, numeric derivatives, and what this machine has."""

from fastgrad._src.compat.test_case import *
from fastgrad._src.compat.test_case import __dir__ as __dir__
from fastgrad._src.compat.test_case import __getattr__ as __getattr__
