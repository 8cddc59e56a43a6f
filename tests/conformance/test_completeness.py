"""What the programs ask about every layer, metric, loss and optimizer is asked about each that there is."""

import pytest

from fastgrad import keras

from .programs import every_layer, every_metric, losses, optimizers

pytestmark = pytest.mark.completeness

WITHOUT_NUMBERS = {"Layer", "Wrapper", "InputLayer", "Metric", "Loss", "Optimizer", "MeanMetricWrapper"}
# Asked about in programs of their own.
ELSEWHERE = {"Lambda", "LossScaleOptimizer"}
ELSEWHERE |= {"RandomContrast", "RandomCrop", "RandomFlip"}  # in image_layers
ELSEWHERE |= {"TFSMLayer"}  # in tests/files/saved_model/tensorflow_models
# Keras's answers are recorded in tests/keras/answers.
ELSEWHERE |= {"RandomRotation", "RandomTranslation", "RandomZoom"}
ELSEWHERE |= {"Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"}


def classes_of(module, base):
    found = {kind.__name__ for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, base)}
    return found - WITHOUT_NUMBERS - ELSEWHERE


def first_words(names):
    return {name.split(" ")[0] for name in names}


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (classes_of(keras.layers, keras.layers.Layer), first_words(every_layer.LAYERS)),
        (classes_of(keras.metrics, keras.metrics.Metric), first_words(every_metric.METRICS)),
        (
            classes_of(keras.losses, keras.losses.Loss),
            {
                *losses.CLASSES,
                "SparseCategoricalCrossentropy",
                "Dice",
                "Tversky",
                "CTC",
            },
        ),
        (
            classes_of(keras.optimizers, keras.optimizers.Optimizer),
            {*optimizers.NAMES, "RuleOptimizer"},  # the base of users' update rules, which Keras does not have
        ),
    ],
    ids=["layers", "metrics", "losses", "optimizers"],
)
def test_each_is_compared_with_kerass(there, asked):
    assert there - asked == set()
