"""``keras.random``: draws that follow from a seed, and a generator of seeds. The numbers are those of ``tf.random.stateless_*``."""

from fastgrad._src.keras.random import *
from fastgrad._src.keras.random import __dir__ as __dir__
from fastgrad._src.keras.random import __getattr__ as __getattr__
