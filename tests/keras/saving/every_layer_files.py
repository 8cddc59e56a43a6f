"""A model of every layer, as ``.keras`` and ``.weights.h5`` files, written or read by Keras or by fastgrad.

Run by Keras, ``python -m tests.keras.saving.every_layer_files write FOLDER`` writes files, ``read FOLDER`` reads those that are
there; both write down what the models give. fastgrad's side is called by ``test_every_layer_files.py``.
"""

import sys
from pathlib import Path

import numpy as np

from tests.conformance.programs.every_layer import LAYERS
from tests.conformance.weights import with_weights

NAMES = [name for name in LAYERS if name != "AveragePooling2D"]  # which wants a size


def inputs_of(name):
    """The arrays that the model of a layer is called with."""
    x = LAYERS[name][1]
    return list(x) if isinstance(x, (tuple, list)) else [x]


def model_of(keras, name):
    """A model of the layer alone, with weights that are not the initial ones."""
    make, x = LAYERS[name]
    layer = make(keras.layers)
    if name == "Normalization":
        layer.adapt(x)
    inputs = [keras.Input(one.shape[1:], dtype=str(one.dtype)) for one in inputs_of(name)]
    outputs = layer(*inputs) if isinstance(x, tuple) else layer(inputs if isinstance(x, list) else inputs[0])
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs)
    if name != "Normalization":
        with_weights(model)
    return model


def result_of(model, name):
    """What a model gives for its inputs."""
    arrays = inputs_of(name)
    return np.asarray(model(arrays if len(arrays) > 1 else arrays[0]))


def files_of(folder, place):
    """The paths of the files of the layer at a place of the table."""
    return Path(folder) / f"{place}.keras", Path(folder) / f"{place}.weights.h5"


def write(keras, folder):
    """Writes the files of all layers; gives the results of the models."""
    found = {}
    for place, name in enumerate(NAMES):
        model = model_of(keras, name)
        whole, weights = files_of(folder, place)
        model.save(whole)
        model.save_weights(weights)
        found[name] = result_of(model, name)
    return found


def read(keras, folder):
    """Reads the files of all layers, twice over; gives the results of the models."""
    found = {}
    for place, name in enumerate(NAMES):
        whole, weights = files_of(folder, place)
        found[name] = result_of(keras.models.load_model(whole), name)
        model = model_of(keras, name)
        model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
        model.load_weights(weights)
        np.testing.assert_array_equal(result_of(model, name), found[name])
    return found


if __name__ == "__main__":
    import keras as real_keras

    results = {"write": write, "read": read}[sys.argv[1]](real_keras, sys.argv[2])
    np.savez(Path(sys.argv[2]) / "results.npz", **results)
