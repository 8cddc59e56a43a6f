"""Each argument of each class with a configuration survives ``from_config(get_config())``."""

import functools
import inspect

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

L = keras.layers
NAMESPACES = (
    *("layers", "losses", "metrics", "optimizers", "optimizers.schedules", "initializers", "regularizers"),
    *("constraints", "callbacks"),
)
WITHOUT_OBJECTS = {"LearningRateSchedule", "Loss", "Optimizer", "Regularizer", "RuleOptimizer", "TFSMLayer"}
"""Base classes, and the layer of a SavedModel."""

LEFT_OUT = {
    "autocast",  # part of what a class is
    "weights",  # initial values; the trained ones are saved
    "flash_attention",  # None is the only value
    "use_cudnn",  # changes nothing
    "input_tensor",  # a tensor
    "idf_weights",  # goes with a vocabulary; what `adapt` learns is saved as a weight
    "AUC.num_thresholds",  # of `AUC.thresholds`
    "Lambda.mask",  # a function, as `function` is
    "ActivityRegularization.activity_regularizer",  # made of its other arguments
    "InputLayer.activity_regularizer",
    "InputLayer.trainable",  # it computes nothing
    "LossScaleOptimizer.learning_rate",
    *(f"LossScaleOptimizer.{name}" for name in ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema")),
    *(f"LossScaleOptimizer.{name}" for name in ("ema_momentum", "ema_overwrite_frequency", "loss_scale_factor")),
    "LossScaleOptimizer.gradient_accumulation_steps",  # arguments of the inner optimizer
}
"""Arguments that no configuration has, as in Keras."""


@keras.saving.register_keras_serializable("round_trips")
def doubled(x, y=None, **options):
    return x + x


@keras.saving.register_keras_serializable("round_trips")
def halved(x, y=None, **options):
    return x / 2


REQUIRED = {
    "activation": "relu", "axes": 1, "boundaries": [1], "cells": [L.LSTMCell(2)], "cropping": 1, "decay_rate": 0.5,
    "decay_steps": 10, "dims": (2, 1), "equation": "ab,bc->ac", "factor": 0.25, "filters": 2, "first_decay_steps": 10,
    "fn": doubled, "function": doubled, "head_dim": 2, "height": 4, "height_factor": 0.25, "initial_learning_rate": 0.1,
    "inner_optimizer": keras.optimizers.SGD(0.1), "input_dim": 3, "kernel_size": 3, "key_dim": 2, "layer": L.Dense(2),
    "max_number": 3, "n": 2, "num_bins": 3, "num_classes": 3, "num_heads": 2, "num_key_value_heads": 2,
    "num_query_heads": 4, "num_tokens": 4, "output_dim": 2, "output_shape": (2,), "output_size": 2, "padding": 1,
    "pool_size": 2, "precision": 0.5, "rate": 0.5, "recall": 0.5, "scale": 2.0, "sensitivity": 0.5, "specificity": 0.5,
    "stddev": 0.1, "target_class_ids": [1], "target_shape": (2,), "units": 3, "values": [0.1, 0.2], "width": 4,
    "width_factor": 0.25, "Bidirectional.layer": L.LSTM(2), "CategoryEncoding.num_tokens": 4,
    "Discretization.num_bins": 3, "InputLayer.shape": (2,), "RNN.cell": L.LSTMCell(2),
}  # fmt: skip
"""Arguments that a class is made with, of all classes or of one."""

OTHER = {
    "activation": ["sigmoid"], "arguments": [{"y": 2}], "attention_axes": [(1,)], "average": ["micro"],
    "axes": [2, {0: 2}], "axis": [1, (1, 2)], "backward_layer": [L.LSTM(2, go_backwards=True)],
    "batch_shape": [{"shape": None, "batch_shape": (3, 2)}], "batch_size": [4], "bias_axes": ["c"],
    "bin_boundaries": [{"num_bins": None, "bin_boundaries": [0.0, 1.0]}], "bounding_box_format": ["xyxy"],
    "boundaries": [[2]], "cell": [L.GRUCell(2)], "cells": [[L.GRUCell(2)]],
    "class_aggregation": ["variance_weighted_average"], "class_id": [1], "clipnorm": [1.0], "clipvalue": [1.0],
    "cropping": [2], "curve": ["PR"], "data_format": ["channels_first"], "dims": [(1, 2)],
    "distribution": ["uniform"], "dtype": ["float64", "int32"], "ema_overwrite_frequency": [3], "encoding": ["utf-16"],
    "equation": ["ab,bd->ad"], "exclude_layers": [["head"]], "fill_mode": ["nearest", "constant"], "fill_value": [3.0],
    "fn": [halved], "function": [halved], "global_clipnorm": [1.0], "gradient_accumulation_steps": [3],
    "ignore_class": [1], "implementation": [1], "inner_optimizer": [keras.optimizers.Adam(0.1)],
    "input_axes": [[0]], "interpolation": ["nearest"], "kernel_size": [5], "label_weights": [[0.5, 1.0]],
    "layer": [L.Dense(3)], "learning_rate": [0.75], "loss_scale_factor": [4.0], "mask_token": ["m"], "mask_value": [2.0],
    "max_ndim": [4], "max_tokens": [9], "max_value": [0.5], "mean": [0.5, {"mean": 0.5, "variance": 2.0}],
    "merge_mode": ["sum"], "min_ndim": [1], "mode": ["horizontal", "fan_out", "columns"], "name": ["other"], "ndim": [3],
    "ngrams": [2], "noise_shape": [(None, 1)], "num_key_value_heads": [4], "num_labels": [{"multi_label": True, "num_labels": 2}],
    "num_query_heads": [6], "oov_method": ["farmhash"], "oov_token": ["oov"], "output_axes": [[1]],
    "output_mode": ["one_hot", "multi_hot", "count"], "output_padding": [0], "output_sequence_length": [4],
    "output_shape": [(3,)], "pad_to_max_tokens": [{"pad_to_max_tokens": True, "max_tokens": 9, "output_mode": "count"}],
    "padding": ["same", 2], "ragged": [True], "recurrent_activation": ["tanh"], "reduction": ["sum"],
    "renorm_clipping": [{"rmax": 2.0}], "salt": [7, {"salt": 7, "oov_method": "farmhash"}],
    "scale": [0.5], "score_mode": ["concat"], "seed": [7], "shape": [(3,)], "shared_axes": [[1]], "size": [3],
    "sliding_window": [3], "sparse": [True, {"sparse": True, "output_mode": "multi_hot"}], "split": ["character"],
    "standardize": ["lower"], "strides": [2], "summation_method": ["majoring"], "target_class_ids": [[0]],
    "target_shape": [(2, 1)], "threshold": [0.25], "thresholds": [[0.25, 0.75]],
    "top_k": [2], "value_dim": [3], "value_range": [(0, 1)], "values": [[0.3, 0.2]],
    "variance": [2.0, {"mean": 0.5, "variance": 2.0}], "vocabulary": [["a", "b"]], "vocabulary_dtype": ["string"],
    "warmup_target": [0.5], "weight_decay": [0.25], "width_factor": [0.5], "BatchNormalization.scale": [False],
    "Bidirectional.layer": [L.GRU(2)], "CategoryEncoding.sparse": [True], "GroupNormalization.scale": [False],
    "Hashing.dtype": ["int64"], "IntegerLookup.mask_token": [5], "IntegerLookup.oov_token": [-2],
    "IntegerLookup.vocabulary": [[4, 5]], "LayerNormalization.scale": [False],
    "BinaryFocalCrossentropy.alpha": [0.75], "CategoricalFocalCrossentropy.alpha": [0.75],
    "HashedCrossing.sparse": [{"sparse": True, "output_mode": "one_hot"}],
    "Resizing.fill_mode": [], "IntegerLookup.vocabulary_dtype": [],  # they take only the default
}  # fmt: skip
"""Values other than the default, of which the class takes one; a dict ``{argument: value, ...}`` with the argument among its keys sets others, too."""


def classes():
    """The public classes with a configuration, by name."""
    known = {}
    for namespace in NAMESPACES:
        module = functools.reduce(getattr, namespace.split("."), keras)
        for name in dir(module):
            value = getattr(module, name)
            if inspect.isclass(value) and hasattr(value, "get_config") and value.__name__ not in WITHOUT_OBJECTS:
                known[f"{namespace}.{value.__name__}"] = value
    return known


def parameters_of(kind):
    """The constructor's parameters, with those of all layers for a layer."""
    takes_others = "kwargs" in inspect.signature(kind.__init__).parameters and issubclass(kind, L.Layer)
    signatures = [inspect.signature(cls.__init__).parameters for cls in (kind, *([L.Layer] if takes_others else []))]
    named = {
        name: p
        for s in reversed(signatures)
        for name, p in s.items()
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }
    if kind in (L.LSTM, L.GRU, L.LSTMCell, L.GRUCell):
        named["implementation"] = inspect.signature(L.Dense).parameters["use_bias"]
    omitted = {"self", *LEFT_OUT, *(key.partition(".")[2] for key in LEFT_OUT if key.startswith(f"{kind.__name__}."))}
    return {name: p for name, p in named.items() if name not in omitted}


def other_settings(kind, name, default):
    """Yields arguments that give ``name`` another value than the default."""
    endings = {"_regularizer": "l2", "_initializer": "ones", "_constraint": "non_neg"}
    values = OTHER.get(f"{kind.__name__}.{name}", OTHER.get(name))
    if values is None:
        values = [value for ending, value in endings.items() if name.endswith(ending)]
    if not values and isinstance(default, (bool, int, float)):
        values = [
            not default
            if isinstance(default, bool)
            else default + 1
            if isinstance(default, int)
            else default / 2 + 0.125
        ]
    return [value if isinstance(value, dict) and name in value else {name: value} for value in values]


def description(value, seen=()):
    """The settings of an object as plain values: attributes by name, without names of parts and seeds that are drawn."""
    if any(value is one for one in seen):
        return "..."
    outer, seen = seen, (*seen, value)
    if isinstance(value, dict):
        return {str(key): description(item, seen) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [description(item, seen) for item in value]
    if isinstance(value, (np.ndarray, tf.Tensor, tf.Variable)):
        return str(np.asarray(value).dtype), np.shape(value)
    if type(value).__module__.startswith("fastgrad") and hasattr(value, "__dict__") and not isinstance(value, type):
        skipped = {"_arguments", "_inbound_nodes", "_row_size", *(("name",) if outer else ())}
        seed = getattr(value, "seed", 0)
        is_drawn = seed is None or (isinstance(seed, int) and seed > 1000)  # None: it is drawn at the first use
        attributes = {key: item for key, item in vars(value).items() if key not in skipped}
        return type(value).__name__, description({**attributes, "seed": "drawn"} if is_drawn else attributes, seen)
    if isinstance(value, tf.DType):
        return value.name
    if isinstance(value, (str, int, float, complex, type(None))):
        return value
    return getattr(value, "__qualname__", type(value).__name__)


@pytest.mark.filterwarnings("ignore:.*`rms_scaling=True` is deprecated")
@pytest.mark.parametrize("name", classes())
def test_each_argument_survives(name):
    kind = classes()[name]
    parameters = parameters_of(kind)
    own = {key.partition(".")[2]: value for key, value in REQUIRED.items() if key.startswith(f"{kind.__name__}.")}
    required = {key: REQUIRED[key] for key, p in parameters.items() if p.default is p.empty and key in REQUIRED} | own
    for argument, parameter in parameters.items():
        refusals = []
        for settings in other_settings(kind, argument, required.get(argument, parameter.default)):
            try:
                made = kind(**{**required, **settings})
            except (TypeError, ValueError) as refusal:
                refusals.append(refusal)
                continue
            assert description(made) != description(kind(**required)), f"{argument} has no effect"
            copied = kind.from_config(made.get_config())
            assert description(copied) == description(made), f"{argument} is lost"
            break
        else:
            assert OTHER.get(f"{kind.__name__}.{argument}") == [], f"no value for {argument}: {refusals}"


def test_losses_and_metrics_of_another_axis_have_the_same_value_after_a_reload():
    labels, predictions = np.float32([[1, 2], [3, 4]]), np.float32([[2, 1], [1, 0]])
    for kind in (keras.losses.CosineSimilarity, keras.metrics.CosineSimilarity):
        made = kind(axis=0)
        copied = kind.from_config(made.get_config())
        assert float(copied(labels, predictions)) == float(made(labels, predictions))
        assert float(copied(labels, predictions)) != float(kind()(labels, predictions))
    exact = keras.losses.MeanSquaredError(dtype="float64")
    assert keras.losses.MeanSquaredError.from_config(exact.get_config())(labels, predictions).dtype == "float64"
