"""Copies by ``copy.deepcopy`` and ``pickle``: they compute the same and share nothing."""

import copy
import pickle

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad.keras import layers
from tests.conformance.programs.every_layer import LAYERS
from tests.conformance.programs.every_metric import METRICS
from tests.conformance.weights import with_weights

X = np.sin(np.arange(8 * 2) * 0.7).reshape(8, 2).astype(np.float32)
Y = np.cos(np.arange(8) * 0.9).reshape(8, 1).astype(np.float32)

both = pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))], ids=["copy", "pickle"]
)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.parts = [layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)]
        self.mean = keras.metrics.Mean(name="mean_of_own")

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


class FunctionalSubclass(keras.Model):
    def __init__(self):
        x = keras.Input((2,))
        super().__init__(x, layers.Dense(1)(layers.Dense(3)(x)))
        self.mean = keras.metrics.Mean(name="mean_of_own")


class CompiledByTheUser(Subclassed):
    @tf.function
    def call(self, inputs):
        return super().call(inputs)


def functional():
    x = keras.Input((2,))
    shared = layers.Dense(2, activation="tanh")
    return keras.Model(x, [layers.Dense(1)(layers.Concatenate()([shared(x), shared(shared(x))]))])


def models_inside():
    x = keras.Input((2,))
    return keras.Model(x, layers.Dense(1)(layers.Add()([functional()(x)[0], sequential()(x)])))


def deep():
    x = first = keras.Input((2,))
    for _ in range(400):
        x = layers.Identity()(x)
    return keras.Model(first, layers.Dense(1)(x))


def sequential():
    return keras.Sequential(
        [keras.Input((2,)), layers.Dense(3, activation="tanh"), layers.Dropout(0.5), layers.Dense(1)]
    )


def unbuilt_sequential():
    return keras.Sequential([layers.Dense(3), layers.Dense(1)])


KINDS = [
    sequential,
    unbuilt_sequential,
    functional,
    models_inside,
    deep,
    Subclassed,
    FunctionalSubclass,
    CompiledByTheUser,
]


def arrays(variables):
    return [variable.numpy() for variable in variables]


def assert_near(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def assert_same(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


@both
@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_copies_of_trained_models_go_on_alone(make, duplicate):
    model = make()
    model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0, validation_data=(X, Y))
    model.train_on_batch(X, Y)
    model.test_on_batch(X, Y)
    predicted = model.predict(X, verbose=0)
    weights, state = arrays(model.weights), arrays(model.optimizer.variables)

    twin = duplicate(model)
    assert_near(twin.predict(X, verbose=0), predicted)
    assert_same(arrays(twin.optimizer.variables), state)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]

    twin.fit(X, Y, verbose=0)
    assert_same(arrays(model.weights), weights)
    assert_same(arrays(model.optimizer.variables), state)
    assert np.abs(twin.predict(X, verbose=0) - predicted).max() > 1e-3
    assert_near(model.predict(X, verbose=0), predicted)


@both
def test_training_goes_on_from_the_optimizers_state(duplicate):
    model = functional()
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.fit(X, Y, epochs=3, verbose=0)
    twin = duplicate(model)
    for one in (model, twin):
        one.fit(X, Y, epochs=3, verbose=0, shuffle=False)
    for found, wanted in zip(twin.weights, model.weights, strict=True):
        assert_near(found, wanted)


@both
@pytest.mark.parametrize("make", [functional, sequential], ids=lambda make: make.__name__)
def test_copies_have_a_graph_of_their_own_layers(make, duplicate):
    model = make()
    twin = duplicate(model)
    first = next(layer for layer in twin.layers if layer.weights)
    part = keras.Model(twin.inputs, first.output)
    assert part.weights[0] is first.weights[0]
    assert part.weights[0] is not model.weights[0]
    assert twin.get_config() == model.get_config()


def test_copies_of_models_inside_have_the_same_calls():
    model = models_inside()
    twin = copy.deepcopy(model)
    assert twin.get_config() == model.get_config()
    assert_near(twin(X), model(X))


def test_models_that_share_an_input_share_it_in_their_copies():
    model = sequential()
    part = keras.Model(model.inputs, model.layers[0].output)
    twin, twin_part = copy.deepcopy((model, part))
    assert twin.inputs[0] is twin_part.inputs[0]
    assert twin.layers[0] is twin_part.layers[1]
    assert keras.Model(twin_part.inputs, twin.outputs)(X).shape == (8, 1)


@both
@pytest.mark.parametrize("name", LAYERS)
def test_copies_of_layers_share_no_weights(name, duplicate):
    make, x = LAYERS[name]
    if name == "AveragePooling2D":
        pytest.skip("wants a size")
    layer = make(layers)
    if name == "Normalization":
        layer.adapt(x)
    result = layer(*x) if isinstance(x, tuple) else layer(x)
    if name != "Normalization":
        with_weights(layer)
    result = layer(*x) if isinstance(x, tuple) else layer(x)
    twin = duplicate(layer)
    for variable in twin.weights:
        variable.assign(variable * 0 if "float" in variable.dtype else variable)
    again = layer(*x) if isinstance(x, tuple) else layer(x)
    tf.nest.map_structure(np.testing.assert_array_equal, again, result)
    twin.set_weights(layer.get_weights())
    copied = twin(*x) if isinstance(x, tuple) else twin(x)
    tf.nest.map_structure(np.testing.assert_array_equal, copied, result)
    assert not {id(v) for v in twin.weights} & {id(v) for v in layer.weights}


@both
@pytest.mark.parametrize("name", METRICS)
def test_copies_of_metrics_count_alone(name, duplicate):
    make, y, p = METRICS[name]
    metric = make(keras.metrics)
    data = [tf.constant(one) for one in (y, p) if one is not None]
    metric.update_state(*data)
    result = np.asarray(metric.result())
    twin = duplicate(metric)
    np.testing.assert_array_equal(np.asarray(twin.result()), result)
    twin.reset_state()
    np.testing.assert_array_equal(np.asarray(metric.result()), result)
    twin.update_state(*data)
    np.testing.assert_array_equal(np.asarray(twin.result()), result)
    assert not {id(v) for v in twin.variables} & {id(v) for v in metric.variables}


OBJECTS = [
    keras.losses.MeanSquaredError(),
    keras.losses.Huber(delta=2.0),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    keras.regularizers.L1L2(0.1, 0.2),
    keras.constraints.MaxNorm(3.0),
    keras.initializers.GlorotUniform(seed=1),
    keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5),
    keras.optimizers.schedules.CosineDecay(0.1, 3),
    keras.callbacks.EarlyStopping(patience=2),
    keras.callbacks.ReduceLROnPlateau(),
    keras.callbacks.LearningRateScheduler(abs),
    keras.callbacks.LambdaCallback(on_epoch_end=print),
    keras.callbacks.History(),
    keras.callbacks.TerminateOnNaN(),
]


@both
@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_copies_of_other_parts(value, duplicate):
    twin = duplicate(value)
    assert twin is not value
    if hasattr(value, "get_config"):
        assert twin.get_config() == value.get_config()
    else:
        assert twin.__dict__ == value.__dict__


@both
def test_a_history_and_its_model_are_copied_together(duplicate):
    model = sequential()
    model.compile("sgd", "mse")
    history = duplicate(model.fit(X, Y, verbose=0))
    assert history.epoch == [0]
    assert history.model is not model
    np.testing.assert_array_equal(history.model(X), model(X))
