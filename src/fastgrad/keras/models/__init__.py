"""``keras.models``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.models.cloning import clone_model as clone_model
from fastgrad._src.keras.models.functional import Functional as Functional
from fastgrad._src.keras.models.model import Model as Model
from fastgrad._src.keras.models.sequential import Sequential as Sequential
from fastgrad._src.keras.saving.model_files import load_model as load_model
from fastgrad._src.keras.saving.model_files import model_from_json as model_from_json
from fastgrad._src.keras.saving.model_files import save_model as save_model

__getattr__, __dir__ = _namespace_hooks("tf.keras.models", globals())
