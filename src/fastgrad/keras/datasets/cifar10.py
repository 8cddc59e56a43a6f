"""CIFAR-10: small pictures of ten classes."""

from fastgrad._src.keras.datasets.cifar10 import *
from fastgrad._src.keras.datasets.cifar10 import __dir__ as __dir__
from fastgrad._src.keras.datasets.cifar10 import __getattr__ as __getattr__
