"""Fashion-MNIST: pictures of clothes (Xiao, Rasul, Vollgraf 2017)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.datasets.fashion_mnist import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.datasets.fashion_mnist", globals())
