"""``keras.metrics``, also ``tf.metrics``."""

from typing import Any as _Any

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.losses import KLD as KLD
from fastgrad._src.keras.losses import MAE as MAE
from fastgrad._src.keras.losses import MAPE as MAPE
from fastgrad._src.keras.losses import MSE as MSE
from fastgrad._src.keras.losses import MSLE as MSLE
from fastgrad._src.keras.losses import binary_crossentropy as binary_crossentropy
from fastgrad._src.keras.losses import binary_focal_crossentropy as binary_focal_crossentropy
from fastgrad._src.keras.losses import categorical_crossentropy as categorical_crossentropy
from fastgrad._src.keras.losses import categorical_focal_crossentropy as categorical_focal_crossentropy
from fastgrad._src.keras.losses import categorical_hinge as categorical_hinge
from fastgrad._src.keras.losses import hinge as hinge
from fastgrad._src.keras.losses import huber as huber
from fastgrad._src.keras.losses import kld as kld
from fastgrad._src.keras.losses import kullback_leibler_divergence as kullback_leibler_divergence
from fastgrad._src.keras.losses import logcosh as logcosh
from fastgrad._src.keras.losses import mae as mae
from fastgrad._src.keras.losses import mape as mape
from fastgrad._src.keras.losses import mse as mse
from fastgrad._src.keras.losses import msle as msle
from fastgrad._src.keras.losses import poisson as poisson
from fastgrad._src.keras.losses import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from fastgrad._src.keras.losses import squared_hinge as squared_hinge
from fastgrad._src.keras.losses.regression import kl_divergence as kl_divergence
from fastgrad._src.keras.losses.regression import log_cosh as log_cosh
from fastgrad._src.keras.losses.regression import mean_absolute_error as mean_absolute_error
from fastgrad._src.keras.losses.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from fastgrad._src.keras.losses.regression import mean_squared_error as mean_squared_error
from fastgrad._src.keras.losses.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from fastgrad._src.keras.metrics.accuracy import Accuracy as Accuracy
from fastgrad._src.keras.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
from fastgrad._src.keras.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
from fastgrad._src.keras.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from fastgrad._src.keras.metrics.accuracy import SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy
from fastgrad._src.keras.metrics.accuracy import TopKCategoricalAccuracy as TopKCategoricalAccuracy
from fastgrad._src.keras.metrics.accuracy import binary_accuracy as binary_accuracy
from fastgrad._src.keras.metrics.accuracy import categorical_accuracy as categorical_accuracy
from fastgrad._src.keras.metrics.accuracy import sparse_categorical_accuracy as sparse_categorical_accuracy
from fastgrad._src.keras.metrics.accuracy import (
    sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy,
)
from fastgrad._src.keras.metrics.accuracy import top_k_categorical_accuracy as top_k_categorical_accuracy
from fastgrad._src.keras.metrics.confusion import FalseNegatives as FalseNegatives
from fastgrad._src.keras.metrics.confusion import FalsePositives as FalsePositives
from fastgrad._src.keras.metrics.confusion import Precision as Precision
from fastgrad._src.keras.metrics.confusion import Recall as Recall
from fastgrad._src.keras.metrics.confusion import TrueNegatives as TrueNegatives
from fastgrad._src.keras.metrics.confusion import TruePositives as TruePositives
from fastgrad._src.keras.metrics.cross_entropy import BinaryCrossentropy as BinaryCrossentropy
from fastgrad._src.keras.metrics.cross_entropy import CategoricalCrossentropy as CategoricalCrossentropy
from fastgrad._src.keras.metrics.cross_entropy import CategoricalHinge as CategoricalHinge
from fastgrad._src.keras.metrics.cross_entropy import Hinge as Hinge
from fastgrad._src.keras.metrics.cross_entropy import KLDivergence as KLDivergence
from fastgrad._src.keras.metrics.cross_entropy import Poisson as Poisson
from fastgrad._src.keras.metrics.cross_entropy import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from fastgrad._src.keras.metrics.cross_entropy import SquaredHinge as SquaredHinge
from fastgrad._src.keras.metrics.curves import AUC as AUC
from fastgrad._src.keras.metrics.curves import PrecisionAtRecall as PrecisionAtRecall
from fastgrad._src.keras.metrics.curves import RecallAtPrecision as RecallAtPrecision
from fastgrad._src.keras.metrics.curves import SpecificityAtSensitivity as SpecificityAtSensitivity
from fastgrad._src.keras.metrics.f_score import F1Score as F1Score
from fastgrad._src.keras.metrics.f_score import FBetaScore as FBetaScore
from fastgrad._src.keras.metrics.iou import IoU as IoU
from fastgrad._src.keras.metrics.iou import MeanIoU as MeanIoU
from fastgrad._src.keras.metrics.metric import Metric as Metric
from fastgrad._src.keras.metrics.r2_score import R2Score as R2Score
from fastgrad._src.keras.metrics.reduction import Mean as Mean
from fastgrad._src.keras.metrics.reduction import MeanMetricWrapper as MeanMetricWrapper
from fastgrad._src.keras.metrics.reduction import Sum as Sum
from fastgrad._src.keras.metrics.regression import CosineSimilarity as CosineSimilarity
from fastgrad._src.keras.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
from fastgrad._src.keras.metrics.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from fastgrad._src.keras.metrics.regression import MeanSquaredError as MeanSquaredError
from fastgrad._src.keras.metrics.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from fastgrad._src.keras.metrics.regression import RootMeanSquaredError as RootMeanSquaredError
from fastgrad._src.keras.naming import to_snake_case as _to_snake_case
from fastgrad._src.keras.saving.objects import deserialize_keras_object as _deserialize
from fastgrad._src.keras.saving.objects import resolve_identifier as _resolved
from fastgrad._src.keras.saving.objects import serialize_keras_object as _serialize

_CLASSES = [value for value in list(globals().values()) if isinstance(value, type) and issubclass(value, Metric)]
ALL: dict[str, _Any] = {
    **{kind.__name__: kind for kind in _CLASSES},
    **{_to_snake_case(kind.__name__): kind for kind in _CLASSES},
    **dict.fromkeys(("bce", "BCE"), BinaryCrossentropy),
    **dict.fromkeys(("mse", "MSE"), MeanSquaredError),
    **dict.fromkeys(("mae", "MAE"), MeanAbsoluteError),
    **dict.fromkeys(("mape", "MAPE"), MeanAbsolutePercentageError),
    **dict.fromkeys(("msle", "MSLE"), MeanSquaredLogarithmicError),
}


def serialize(metric: _Any) -> _Any:
    """Returns the configuration of a metric or metric function as plain values."""
    return _serialize(metric)


def deserialize(config: _Any, custom_objects: dict[str, _Any] | None = None) -> _Any:
    """Returns the metric of a configuration or name."""
    return _deserialize(config, custom_objects, module_objects=ALL)


def get(identifier: _Any) -> _Any:
    """Returns a metric or metric function.

    Args:
        identifier: a metric, a function of labels and predictions, a class or its name (``"mse"``, ``"MeanSquaredError"``,
            ``"mean_squared_error"``), a configuration, or None.

    Raises:
        ValueError: ``identifier`` is none of these.
    """
    return None if identifier is None else _resolved(identifier, ALL, "metric")


__getattr__, __dir__ = _namespace_hooks("tf.keras.metrics", globals())
