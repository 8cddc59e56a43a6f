"""``tf.nn.experimental``: dropout by a seed."""

from __future__ import annotations

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.ops.random_stateless import stateless_dropout as stateless_dropout

__getattr__, __dir__ = _namespace_hooks("tf.nn.experimental", globals())
