"""``tf.contrib.eager``: TensorFlow 1's names of eager execution (``import fastgrad.contrib.eager as tfe``)."""

from fastgrad._src.compat.contrib.eager import *
from fastgrad._src.compat.contrib.eager import __dir__ as __dir__
from fastgrad._src.compat.contrib.eager import __getattr__ as __getattr__
