"""``tf.sets``: operations on sets, the values along the last dimension of a tensor."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.sparse.set_operations import difference as difference
from fastgrad.sparse.set_operations import intersection as intersection
from fastgrad.sparse.set_operations import size as size
from fastgrad.sparse.set_operations import union as union

__getattr__, __dir__ = _namespace_hooks("tf.sets", globals())
