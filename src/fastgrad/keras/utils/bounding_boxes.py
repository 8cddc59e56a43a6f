"""``keras.utils.bounding_boxes``: bounding boxes in other formats, and cut to the image."""

from __future__ import annotations

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.keras.layers.bounding_boxes import clip_to_image_size as clip_to_image_size
from fastgrad.keras.layers.bounding_boxes import convert_format as convert_format

__getattr__, __dir__ = _namespace_hooks("tf.keras.utils.bounding_boxes", globals())
