"""``tf.audio``: WAV files as tensors."""

from fastgrad._src.signal.audio import *
from fastgrad._src.signal.audio import __dir__ as __dir__
from fastgrad._src.signal.audio import __getattr__ as __getattr__
