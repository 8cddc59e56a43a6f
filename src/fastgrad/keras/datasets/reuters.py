"""Reuters: news on 46 topics."""

from fastgrad._src.keras.datasets.reuters import *
from fastgrad._src.keras.datasets.reuters import __dir__ as __dir__
from fastgrad._src.keras.datasets.reuters import __getattr__ as __getattr__
