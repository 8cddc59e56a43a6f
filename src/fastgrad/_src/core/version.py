"""The version of fastgrad (``tf.version``)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

VERSION = "0.1.0.dev0"
GIT_VERSION = VERSION

__getattr__, __dir__ = _namespace_hooks("tf.version", globals())
