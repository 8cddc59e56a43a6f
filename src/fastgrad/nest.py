"""``tf.nest``: nested structures of lists, tuples, named tuples and dicts."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.core.nest import assert_same_structure as assert_same_structure
from fastgrad.core.nest import flatten as flatten
from fastgrad.core.nest import is_nested as is_nested
from fastgrad.core.nest import map_structure as map_structure
from fastgrad.core.nest import pack_sequence_as as pack_sequence_as

__getattr__, __dir__ = _namespace_hooks("tf.nest", globals())
