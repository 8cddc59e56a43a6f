"""CIFAR-10: small pictures of ten classes."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.datasets.cifar10 import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.datasets.cifar10", globals())
