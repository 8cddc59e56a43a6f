"""IMDB: film reviews, labelled positive or negative (Maas et al. 2011)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.datasets.imdb import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.datasets.imdb", globals())
