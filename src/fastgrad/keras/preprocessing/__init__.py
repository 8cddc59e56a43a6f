"""``keras.preprocessing``: older names of functions in ``keras.utils``."""

from __future__ import annotations

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.utils.image_dataset import image_dataset_from_directory as image_dataset_from_directory
from fastgrad._src.keras.utils.text_dataset import text_dataset_from_directory as text_dataset_from_directory
from fastgrad._src.keras.utils.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array
from fastgrad.keras.preprocessing import image as image
from fastgrad.keras.preprocessing import sequence as sequence
from fastgrad.keras.preprocessing import text as text

__getattr__, __dir__ = _namespace_hooks("tf.keras.preprocessing", globals())
