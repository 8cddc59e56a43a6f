"""``keras.utils``."""

from __future__ import annotations

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.keras.backend import clear_session as clear_session
from fastgrad.keras.callbacks.progress_bar import Progbar as Progbar
from fastgrad.keras.layers.symbolic import get_source_inputs as get_source_inputs
from fastgrad.keras.layers.symbolic import is_keras_tensor as is_keras_tensor
from fastgrad.keras.models.plotting import model_to_dot as model_to_dot
from fastgrad.keras.models.plotting import plot_model as plot_model
from fastgrad.keras.saving.objects import deserialize_keras_object as deserialize_keras_object
from fastgrad.keras.saving.objects import serialize_keras_object as serialize_keras_object
from fastgrad.keras.saving.registration import CustomObjectScope as CustomObjectScope
from fastgrad.keras.saving.registration import custom_object_scope as custom_object_scope
from fastgrad.keras.saving.registration import get_custom_objects as get_custom_objects
from fastgrad.keras.saving.registration import get_registered_name as get_registered_name
from fastgrad.keras.saving.registration import get_registered_object as get_registered_object
from fastgrad.keras.saving.registration import register_keras_serializable as register_keras_serializable
from fastgrad.keras.training.batches import PyDataset as PyDataset
from fastgrad.keras.training.batches import PyDataset as Sequence  # noqa: F401  # the name in Keras 2
from fastgrad.keras.training.batches import pack_x_y_sample_weight as pack_x_y_sample_weight
from fastgrad.keras.training.batches import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from fastgrad.keras.utils import bounding_boxes as bounding_boxes
from fastgrad.keras.utils.arrays import normalize as normalize
from fastgrad.keras.utils.arrays import standardize_dtype as standardize_dtype
from fastgrad.keras.utils.arrays import to_categorical as to_categorical
from fastgrad.keras.utils.feature_space import FeatureSpace as FeatureSpace
from fastgrad.keras.utils.files import get_file as get_file
from fastgrad.keras.utils.image_dataset import image_dataset_from_directory as image_dataset_from_directory
from fastgrad.keras.utils.images import array_to_img as array_to_img
from fastgrad.keras.utils.images import img_to_array as img_to_array
from fastgrad.keras.utils.images import load_img as load_img
from fastgrad.keras.utils.images import save_img as save_img
from fastgrad.keras.utils.seeds import set_random_seed as set_random_seed
from fastgrad.keras.utils.sequences import pad_sequences as pad_sequences
from fastgrad.keras.utils.splitting import split_dataset as split_dataset
from fastgrad.keras.utils.text_dataset import text_dataset_from_directory as text_dataset_from_directory
from fastgrad.keras.utils.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array

__getattr__, __dir__ = _namespace_hooks("tf.keras.utils", globals())
