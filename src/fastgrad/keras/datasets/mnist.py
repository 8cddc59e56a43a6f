"""MNIST: handwritten digits."""

from fastgrad._src.keras.datasets.mnist import *
from fastgrad._src.keras.datasets.mnist import __dir__ as __dir__
from fastgrad._src.keras.datasets.mnist import __getattr__ as __getattr__
