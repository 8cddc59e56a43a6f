"""``keras.utils``."""

from __future__ import annotations

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.backend import clear_session as clear_session
from fastgrad._src.keras.callbacks.progress_bar import Progbar as Progbar
from fastgrad._src.keras.layers.symbolic import is_keras_tensor as is_keras_tensor
from fastgrad._src.keras.models.plotting import model_to_dot as model_to_dot
from fastgrad._src.keras.models.plotting import plot_model as plot_model
from fastgrad._src.keras.saving.objects import deserialize_keras_object as deserialize_keras_object
from fastgrad._src.keras.saving.objects import serialize_keras_object as serialize_keras_object
from fastgrad._src.keras.saving.registration import CustomObjectScope as CustomObjectScope
from fastgrad._src.keras.saving.registration import custom_object_scope as custom_object_scope
from fastgrad._src.keras.saving.registration import get_custom_objects as get_custom_objects
from fastgrad._src.keras.saving.registration import get_registered_name as get_registered_name
from fastgrad._src.keras.saving.registration import get_registered_object as get_registered_object
from fastgrad._src.keras.saving.registration import register_keras_serializable as register_keras_serializable
from fastgrad._src.keras.training.batches import PyDataset as PyDataset
from fastgrad._src.keras.training.batches import pack_x_y_sample_weight as pack_x_y_sample_weight
from fastgrad._src.keras.training.batches import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from fastgrad._src.keras.utils.arrays import normalize as normalize
from fastgrad._src.keras.utils.arrays import standardize_dtype as standardize_dtype
from fastgrad._src.keras.utils.arrays import to_categorical as to_categorical
from fastgrad._src.keras.utils.feature_space import FeatureSpace as FeatureSpace
from fastgrad._src.keras.utils.files import get_file as get_file
from fastgrad._src.keras.utils.image_dataset import image_dataset_from_directory as image_dataset_from_directory
from fastgrad._src.keras.utils.images import array_to_img as array_to_img
from fastgrad._src.keras.utils.images import img_to_array as img_to_array
from fastgrad._src.keras.utils.images import load_img as load_img
from fastgrad._src.keras.utils.images import save_img as save_img
from fastgrad._src.keras.utils.seeds import set_random_seed as set_random_seed
from fastgrad._src.keras.utils.sequences import pad_sequences as pad_sequences
from fastgrad._src.keras.utils.text_dataset import text_dataset_from_directory as text_dataset_from_directory
from fastgrad._src.keras.utils.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array
from fastgrad.keras.utils import bounding_boxes as bounding_boxes

Sequence = PyDataset

__getattr__, __dir__ = _namespace_hooks("tf.keras.utils", globals())
