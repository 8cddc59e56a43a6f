"""``keras.datasets``: example data, downloaded at the first use and kept in ``~/.keras/datasets``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad.keras.datasets import boston_housing as boston_housing
from fastgrad.keras.datasets import california_housing as california_housing
from fastgrad.keras.datasets import cifar10 as cifar10
from fastgrad.keras.datasets import cifar100 as cifar100
from fastgrad.keras.datasets import fashion_mnist as fashion_mnist
from fastgrad.keras.datasets import imdb as imdb
from fastgrad.keras.datasets import mnist as mnist
from fastgrad.keras.datasets import reuters as reuters

__getattr__, __dir__ = _namespace_hooks("tf.keras.datasets", globals())
