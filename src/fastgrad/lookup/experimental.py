"""``tf.lookup.experimental``: tables that change."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.lookup.tables import DenseHashTable as DenseHashTable
from fastgrad.lookup.tables import MutableHashTable as MutableHashTable

__getattr__, __dir__ = _namespace_hooks("tf.lookup.experimental", globals())
