"""CIFAR-100: small pictures of a hundred classes in twenty groups."""

from fastgrad._src.keras.datasets.cifar100 import *
from fastgrad._src.keras.datasets.cifar100 import __dir__ as __dir__
from fastgrad._src.keras.datasets.cifar100 import __getattr__ as __getattr__
