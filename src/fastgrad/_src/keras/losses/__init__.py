"""``keras.losses``, also ``tf.losses``. Regression functions also have short names (``mse``), as in TensorFlow."""

from typing import Any as _Any

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.losses.cross_entropy import BinaryCrossentropy as BinaryCrossentropy
from fastgrad._src.keras.losses.cross_entropy import BinaryFocalCrossentropy as BinaryFocalCrossentropy
from fastgrad._src.keras.losses.cross_entropy import CategoricalCrossentropy as CategoricalCrossentropy
from fastgrad._src.keras.losses.cross_entropy import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
from fastgrad._src.keras.losses.cross_entropy import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from fastgrad._src.keras.losses.cross_entropy import binary_crossentropy as binary_crossentropy
from fastgrad._src.keras.losses.cross_entropy import binary_focal_crossentropy as binary_focal_crossentropy
from fastgrad._src.keras.losses.cross_entropy import categorical_crossentropy as categorical_crossentropy
from fastgrad._src.keras.losses.cross_entropy import categorical_focal_crossentropy as categorical_focal_crossentropy
from fastgrad._src.keras.losses.cross_entropy import (
    sparse_categorical_crossentropy as sparse_categorical_crossentropy,
)
from fastgrad._src.keras.losses.loss import Loss as Loss
from fastgrad._src.keras.losses.loss import Reduction as Reduction
from fastgrad._src.keras.losses.margins import CategoricalHinge as CategoricalHinge
from fastgrad._src.keras.losses.margins import Hinge as Hinge
from fastgrad._src.keras.losses.margins import SquaredHinge as SquaredHinge
from fastgrad._src.keras.losses.margins import categorical_hinge as categorical_hinge
from fastgrad._src.keras.losses.margins import hinge as hinge
from fastgrad._src.keras.losses.margins import squared_hinge as squared_hinge
from fastgrad._src.keras.losses.overlap import Dice as Dice
from fastgrad._src.keras.losses.overlap import Tversky as Tversky
from fastgrad._src.keras.losses.overlap import dice as dice
from fastgrad._src.keras.losses.overlap import tversky as tversky
from fastgrad._src.keras.losses.regression import CosineSimilarity as CosineSimilarity
from fastgrad._src.keras.losses.regression import Huber as Huber
from fastgrad._src.keras.losses.regression import KLDivergence as KLDivergence
from fastgrad._src.keras.losses.regression import LogCosh as LogCosh
from fastgrad._src.keras.losses.regression import MeanAbsoluteError as MeanAbsoluteError
from fastgrad._src.keras.losses.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from fastgrad._src.keras.losses.regression import MeanSquaredError as MeanSquaredError
from fastgrad._src.keras.losses.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from fastgrad._src.keras.losses.regression import Poisson as Poisson
from fastgrad._src.keras.losses.regression import cosine_similarity as cosine_similarity
from fastgrad._src.keras.losses.regression import huber as huber
from fastgrad._src.keras.losses.regression import kl_divergence as kl_divergence
from fastgrad._src.keras.losses.regression import log_cosh as log_cosh
from fastgrad._src.keras.losses.regression import mean_absolute_error as mean_absolute_error
from fastgrad._src.keras.losses.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from fastgrad._src.keras.losses.regression import mean_squared_error as mean_squared_error
from fastgrad._src.keras.losses.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from fastgrad._src.keras.losses.regression import poisson as poisson
from fastgrad._src.keras.losses.temporal import CTC as CTC
from fastgrad._src.keras.losses.temporal import ctc as ctc
from fastgrad._src.keras.saving.objects import deserialize_keras_object as _deserialize
from fastgrad._src.keras.saving.objects import resolve_identifier as _resolved
from fastgrad._src.keras.saving.objects import serialize_keras_object as _serialize

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh

ALL: dict[str, _Any] = {
    **{
        value.__name__: value
        for value in list(globals().values())
        if getattr(value, "__module__", "").startswith(__name__)
    },
    **{name: globals()[name] for name in ("mse", "MSE", "mae", "MAE", "mape", "MAPE", "msle", "MSLE", "kld", "KLD")},
    "bce": binary_crossentropy,
    "BCE": binary_crossentropy,
}


def serialize(loss: _Any) -> _Any:
    """Returns the configuration of a loss or loss function as plain values."""
    return _serialize(loss)


def deserialize(name: _Any, custom_objects: dict[str, _Any] | None = None) -> _Any:
    """Returns the loss of a configuration or name."""
    return _deserialize(name, custom_objects, module_objects=ALL)


def get(identifier: _Any) -> _Any:
    """Returns a loss or loss function.

    Args:
        identifier: a loss, a function of labels and predictions, a name (``"mse"``, ``"MeanSquaredError"``), a
            configuration, or None.

    Raises:
        ValueError: ``identifier`` is none of these.
    """
    return None if identifier is None else _resolved(identifier, ALL, "loss")


__getattr__, __dir__ = _namespace_hooks("tf.keras.losses", globals())
