"""``tf.experimental``."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.data.optional import Optional as Optional

__getattr__, __dir__ = _namespace_hooks("tf.experimental", globals())
