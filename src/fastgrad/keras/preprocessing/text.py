"""``keras.preprocessing.text``: words as integers, as in Keras 2; ``TextVectorization`` is the layer that followed it."""

from fastgrad._src.keras.preprocessing.text import *
from fastgrad._src.keras.preprocessing.text import __dir__ as __dir__
from fastgrad._src.keras.preprocessing.text import __getattr__ as __getattr__
