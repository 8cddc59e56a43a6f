"""``tf.data.experimental``: tables, copies to devices, and older names of ``tf.data`` functions."""

from fastgrad._src.data.experimental import *
from fastgrad._src.data.experimental import __dir__ as __dir__
from fastgrad._src.data.experimental import __getattr__ as __getattr__
