"""``tf.saved_model``: folders of variables and recorded functions.

A SavedModel of fastgrad is one checked file: the arrays, and JSON that names operations of the table. There is no code in it.
"""

from __future__ import annotations

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.saved_model.loading import SERVING as SERVING
from fastgrad.saved_model.loading import contains_saved_model as contains_saved_model
from fastgrad.saved_model.loading import load as load
from fastgrad.saved_model.options import LoadOptions as LoadOptions
from fastgrad.saved_model.options import SaveOptions as SaveOptions
from fastgrad.saved_model.saving import DEFAULT_SIGNATURE as DEFAULT_SERVING_SIGNATURE_DEF_KEY  # noqa: F401  # TensorFlow's name
from fastgrad.saved_model.saving import save as save

__getattr__, __dir__ = _namespace_hooks("tf.saved_model", globals())
