"""``tf.lookup.experimental``: tables that change."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.structures.lookup.tables import DenseHashTable as DenseHashTable
from fastgrad._src.structures.lookup.tables import MutableHashTable as MutableHashTable

__getattr__, __dir__ = _namespace_hooks("tf.lookup.experimental", globals())
