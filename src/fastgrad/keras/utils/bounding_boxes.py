"""``keras.utils.bounding_boxes``: bounding boxes in other formats, moved, compared, and as differences from anchors."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.utils.bounding_boxes import *

__getattr__, __dir__ = _namespace_hooks("tf.keras.utils.bounding_boxes", globals())
