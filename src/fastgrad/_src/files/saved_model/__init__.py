"""``tf.saved_model``: folders of variables and recorded functions.

A SavedModel of fastgrad is one checked file: the arrays, and JSON that names operations of the table. There is no code in it.
"""

from __future__ import annotations

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.files.saved_model.loading import SERVING as SERVING
from fastgrad._src.files.saved_model.loading import contains_saved_model as contains_saved_model
from fastgrad._src.files.saved_model.loading import load as load
from fastgrad._src.files.saved_model.options import LoadOptions as LoadOptions
from fastgrad._src.files.saved_model.options import SaveOptions as SaveOptions
from fastgrad._src.files.saved_model.saving import DEFAULT_SIGNATURE as DEFAULT_SERVING_SIGNATURE_DEF_KEY  # noqa: F401  # TensorFlow's name
from fastgrad._src.files.saved_model.saving import save as save

# TensorFlow's constants, for programs that look into its SavedModels
VARIABLES_DIRECTORY, VARIABLES_FILENAME = "variables", "variables"
PREDICT_INPUTS = REGRESS_INPUTS = "inputs"
PREDICT_OUTPUTS = REGRESS_OUTPUTS = "outputs"
PREDICT_METHOD_NAME = "tensorflow/serving/predict"
REGRESS_METHOD_NAME = "tensorflow/serving/regress"

__getattr__, __dir__ = _namespace_hooks("tf.saved_model", globals())
