"""``tf.lookup``: tables from keys to values."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.structures.lookup.initializers import KeyValueTensorInitializer as KeyValueTensorInitializer
from fastgrad._src.structures.lookup.initializers import TextFileIndex as TextFileIndex
from fastgrad._src.structures.lookup.initializers import TextFileInitializer as TextFileInitializer
from fastgrad._src.structures.lookup.tables import StaticHashTable as StaticHashTable
from fastgrad._src.structures.lookup.tables import StaticVocabularyTable as StaticVocabularyTable
from fastgrad.lookup import experimental as experimental

__getattr__, __dir__ = _namespace_hooks("tf.lookup", globals())
