"""``keras.preprocessing.image``: images as arrays and files, and ``smart_resize``."""

from fastgrad._src.keras.preprocessing.image import *
from fastgrad._src.keras.preprocessing.image import __dir__ as __dir__
from fastgrad._src.keras.preprocessing.image import __getattr__ as __getattr__
