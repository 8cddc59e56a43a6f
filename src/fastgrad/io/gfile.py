"""``tf.io.gfile``: the files and folders of this machine, with TensorFlow's functions and errors."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.files.records.gfile import *

__getattr__, __dir__ = _namespace_hooks("tf.io.gfile", globals())
