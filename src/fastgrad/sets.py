"""``tf.sets``: operations on sets, the values along the last dimension of a tensor."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.structures.sparse.set_operations import difference as difference
from fastgrad._src.structures.sparse.set_operations import intersection as intersection
from fastgrad._src.structures.sparse.set_operations import size as size
from fastgrad._src.structures.sparse.set_operations import union as union

__getattr__, __dir__ = _namespace_hooks("tf.sets", globals())
