"""``tf.summary``: writes TensorBoard's event files, with the messages of ``tensorboardX``."""

from fastgrad._src.summary import *
from fastgrad._src.summary import __dir__ as __dir__
from fastgrad._src.summary import __getattr__ as __getattr__
