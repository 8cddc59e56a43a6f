"""Fashion-MNIST: pictures of clothes (Xiao, Rasul, Vollgraf 2017)."""

from fastgrad._src.keras.datasets.fashion_mnist import *
from fastgrad._src.keras.datasets.fashion_mnist import __dir__ as __dir__
from fastgrad._src.keras.datasets.fashion_mnist import __getattr__ as __getattr__
