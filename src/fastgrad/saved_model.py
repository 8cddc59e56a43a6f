"""``tf.saved_model``: folders of variables and recorded functions."""

from fastgrad._src.files.saved_model import *
from fastgrad._src.files.saved_model import __dir__ as __dir__
from fastgrad._src.files.saved_model import __getattr__ as __getattr__
