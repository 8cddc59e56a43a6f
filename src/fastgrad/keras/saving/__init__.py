"""``keras.saving``: models and weights in files, objects as configurations, registered names of a user's classes."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.saving.model_files import load_model as load_model
from fastgrad._src.keras.saving.model_files import load_weights as load_weights
from fastgrad._src.keras.saving.model_files import save_model as save_model
from fastgrad._src.keras.saving.model_files import save_weights as save_weights
from fastgrad._src.keras.saving.objects import deserialize_keras_object as deserialize_keras_object
from fastgrad._src.keras.saving.objects import serialize_keras_object as serialize_keras_object
from fastgrad._src.keras.saving.registration import CustomObjectScope as CustomObjectScope
from fastgrad._src.keras.saving.registration import custom_object_scope as custom_object_scope
from fastgrad._src.keras.saving.registration import get_custom_objects as get_custom_objects
from fastgrad._src.keras.saving.registration import get_registered_name as get_registered_name
from fastgrad._src.keras.saving.registration import get_registered_object as get_registered_object
from fastgrad._src.keras.saving.registration import register_keras_serializable as register_keras_serializable

__getattr__, __dir__ = _namespace_hooks("tf.keras.saving", globals())
