"""``tf.distribute.experimental``, and TensorFlow's options for communication, which have no effect: MPI communicates."""

from fastgrad._src.distribute.experimental import *
from fastgrad._src.distribute.experimental import __dir__ as __dir__
from fastgrad._src.distribute.experimental import __getattr__ as __getattr__
