"""``tf.nest``: nested structures of lists, tuples, named tuples and dicts."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.core.nest import assert_same_structure as assert_same_structure
from fastgrad._src.core.nest import flatten as flatten
from fastgrad._src.core.nest import is_nested as is_nested
from fastgrad._src.core.nest import map_structure as map_structure
from fastgrad._src.core.nest import pack_sequence_as as pack_sequence_as

__getattr__, __dir__ = _namespace_hooks("tf.nest", globals())
