"""Models, data and comparisons for training on several replicas."""

from __future__ import annotations

import numpy as np

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.core.replicas import ALONE, replica_group, replica_group_scope
from fastgrad._src.ops.replica_messages import gather_values


def all_replicas():
    """Returns the group of all processes, as the scope of a strategy enters it."""
    with tf.distribute.MultiWorkerMirroredStrategy().scope():
        return replica_group()


def data(count=70, features=6, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, features)).astype(np.float32)
    return x, rng.integers(0, classes, count)


def dense_model():
    return keras.Sequential(
        [
            keras.layers.Input((6,)),
            keras.layers.Dense(8, activation="tanh", kernel_regularizer="l2"),
            keras.layers.Dense(3),
        ]
    )


def compiled(make_model, optimizer, **options):
    keras.utils.set_random_seed(3)
    model = make_model()
    options.setdefault("loss", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    options.setdefault("metrics", ["accuracy"])
    model.compile(optimizer(), **options)
    return model


def fitted(group, make_model, optimizer, fit_arguments, **options):
    """Returns a trained model and its history, of all replicas and of one process."""
    results = []
    for current in (group, ALONE):
        with replica_group_scope(current):
            model = compiled(make_model, optimizer, **options)
        arguments = fit_arguments()
        history = model.fit(*arguments.pop("data"), verbose=0, **arguments)
        results.append((model, history.history))
    return results


def assert_equal_training(group, make_model, optimizer, fit_arguments, rtol=2e-5, atol=2e-6, **options):
    (model, history), (single, single_history) = fitted(group, make_model, optimizer, fit_arguments, **options)
    assert history.keys() == single_history.keys()
    for name in history:
        np.testing.assert_allclose(history[name], single_history[name], rtol=rtol * 10, atol=atol, err_msg=name)
    for weight, single_weight in zip(model.weights, single.weights, strict=True):
        np.testing.assert_allclose(weight.numpy(), single_weight.numpy(), rtol=rtol, atol=atol, err_msg=weight.path)
    weights = gather_values(group, [w.numpy() for w in (*model.weights, *model.optimizer.variables)])
    for others in weights:
        for own, other in zip(weights[group.rank], others, strict=True):
            np.testing.assert_array_equal(own, other)
    assert all(other == history for other in gather_values(group, history))
    return model, single


def sgd():
    return keras.optimizers.SGD(0.1, momentum=0.9)


def adam():
    return keras.optimizers.Adam(0.01, global_clipnorm=0.1)
