"""``tf.lookup``: tables from keys to values."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.lookup import experimental as experimental
from fastgrad.lookup.initializers import KeyValueTensorInitializer as KeyValueTensorInitializer
from fastgrad.lookup.initializers import TextFileIndex as TextFileIndex
from fastgrad.lookup.initializers import TextFileInitializer as TextFileInitializer
from fastgrad.lookup.tables import StaticHashTable as StaticHashTable
from fastgrad.lookup.tables import StaticVocabularyTable as StaticVocabularyTable

__getattr__, __dir__ = _namespace_hooks("tf.lookup", globals())
