"""The version of fastgrad (``tf.version``)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

VERSION = "1.0.0rc1"
GIT_VERSION = VERSION

__getattr__, __dir__ = _namespace_hooks("tf.version", globals())
