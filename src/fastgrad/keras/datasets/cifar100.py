"""CIFAR-100: small pictures of a hundred classes in twenty groups."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.datasets.cifar100 import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.datasets.cifar100", globals())
