"""``keras.tree``: nested structures of lists, tuples, named tuples and dicts. ``None`` is a leaf."""

from fastgrad._src.keras.tree import *
from fastgrad._src.keras.tree import __dir__ as __dir__
from fastgrad._src.keras.tree import __getattr__ as __getattr__
