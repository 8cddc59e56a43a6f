"""``tf.profiler.experimental``: timelines of operations, compiled functions and marked parts, as files for trace viewers."""

from fastgrad._src.summary.profiler import *
from fastgrad._src.summary.profiler import __dir__ as __dir__
from fastgrad._src.summary.profiler import __getattr__ as __getattr__
