"""``keras.utils.bounding_boxes``: bounding boxes in other formats, moved, compared, and as differences from anchors."""

from fastgrad._src.keras.utils.bounding_boxes import *
from fastgrad._src.keras.utils.bounding_boxes import __dir__ as __dir__
from fastgrad._src.keras.utils.bounding_boxes import __getattr__ as __getattr__
