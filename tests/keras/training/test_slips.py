"""Arguments of ``compile``, ``fit``, ``evaluate`` and ``predict`` in the place of their neighbours: errors name the argument."""

import numpy as np
import pytest

from fastgrad import keras

X, Y, WEIGHTS = np.ones((8, 2), np.float32), np.ones((8, 1), np.float32), np.ones(8, np.float32)
CALLBACKS = [keras.callbacks.TerminateOnNaN()]


def make_model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


COMPILE = [
    ({"optimizer": "mse"}, ValueError, "`optimizer` must be .*; `loss` stands second"),
    ({"optimizer": [0.5]}, ValueError, "`optimizer` must be"),
    ({"loss": "adam"}, ValueError, "`loss` must be a loss of keras.losses"),
    ({"loss": 0.5}, ValueError, "`loss` must be a loss of keras.losses"),
    ({"loss_weights": "mae"}, ValueError, r"`loss_weights` argument .*'mae'.*metrics=\["),
    ({"loss_weights": ["mae"]}, ValueError, r"`loss_weights` argument .*\['mae'\].*metrics=\["),
    ({"loss_weights": {"dense": keras.metrics.Mean()}}, ValueError, "`loss_weights` argument"),
    ({"loss_weights": [0.5, 0.5]}, ValueError, "`loss_weights` must match the number of losses, got 1 losses and 2"),
    ({"metrics": "mae"}, ValueError, r"`metrics` must be a list.*metrics=\['mae'\]"),
    ({"metrics": True}, ValueError, "`metrics` must be a list"),
    ({"metrics": [0.5]}, ValueError, "`metrics` must be names"),
    ({"weighted_metrics": 2}, ValueError, "`weighted_metrics` must be a list"),
    ({"weighted_metrics": [0.5]}, ValueError, "`weighted_metrics` must be names"),
    ({"steps_per_execution": ["mae"]}, TypeError, "`steps_per_execution` must be an integer"),
    ({"steps_per_execution": "auto"}, TypeError, "`steps_per_execution` must be an integer"),
    ({"steps_per_execution": 0}, ValueError, "steps_per_execution must be at least 1"),
]
COUNTED = [(wrong, "must be") for wrong in (X, "text", 0.5, [1, 2], 0, -1)]
METHODS = [
    *[("fit", name, wrong, text) for name in ("batch_size", "steps_per_epoch") for wrong, text in COUNTED],
    *[("fit", name, wrong, text) for name in ("validation_steps", "validation_batch_size") for wrong, text in COUNTED],
    *[
        (method, name, *rest)
        for method in ("evaluate", "predict")
        for name in ("batch_size", "steps")
        for rest in COUNTED
    ],
    *[
        ("fit", name, wrong, "an integer")
        for name in ("epochs", "initial_epoch")
        for wrong in (Y, CALLBACKS, None, 1.5)
    ],
    *[
        ("fit", name, wrong, "arrays of samples")
        for name in ("x", "y", "sample_weight")
        for wrong in (4, "text", [1, 2])
    ],
    *[("evaluate", "sample_weight", wrong, "arrays of samples") for wrong in (2, CALLBACKS[0])],
    *[
        (method, "verbose", wrong, "'auto', 0, 1 or 2")
        for method in ("fit", "evaluate", "predict")
        for wrong in (Y, "text")
    ],
    *[
        (method, "callbacks", wrong, "set_model")
        for method in ("fit", "evaluate", "predict")
        for wrong in (2, X, "text")
    ],
    *[
        (method, "callbacks", wrong, "is a class. Call it")
        for method in ("fit", "evaluate", "predict")
        for wrong in (keras.callbacks.EarlyStopping, [keras.callbacks.TerminateOnNaN])
    ],
    *[("fit", "validation_split", wrong, "a number") for wrong in (CALLBACKS, (X, Y), "text")],
    *[("fit", "validation_data", wrong, "(x, y, sample_weight) or batches") for wrong in (0.25, "text", CALLBACKS, X)],
    *[("fit", "class_weight", wrong, "a dict from classes") for wrong in (WEIGHTS, True, 1, (X, Y), {"a": 1})],
    *[("fit", "class_weight", wrong, "Write classes as integers") for wrong in ({0.5: 9.0}, {"0": 5.0})],
    ("fit", "class_weight", {0: None}, "a dict from classes"),
    *[("fit", "validation_freq", wrong, "a list of epochs") for wrong in ("text", {1: 2}, 0, X)],
    ("fit", "shuffle", WEIGHTS, "True or False"),
    ("evaluate", "return_dict", WEIGHTS, "True or False"),
]


@pytest.mark.parametrize(("arguments", "kind", "message"), COMPILE, ids=lambda value: str(value)[:40])
def test_compile(arguments, kind, message):
    model = make_model()

    def train():
        model.compile(**{"optimizer": "adam", "loss": "mse", **arguments})
        model.fit(X, Y, verbose=0)

    with pytest.raises(kind, match=message):
        train()


def test_metrics_in_the_place_of_loss_weights_are_refused_by_compile():
    model = make_model()
    with pytest.raises(ValueError, match=r"loss_weights=\['mae'\]"):
        model.compile("adam", "mse", ["mae"])
    assert not model.compiled


@pytest.mark.parametrize(("method", "argument", "wrong", "text"), METHODS, ids=lambda value: str(value)[:20])
def test_methods(method, argument, wrong, text):
    model = make_model()
    model.compile("sgd", "mse")
    before = [weight.copy() for weight in model.get_weights()]
    arguments = {"x": X, "verbose": 0, **({} if method == "predict" else {"y": Y})}
    if argument in ("validation_steps", "validation_batch_size", "validation_freq"):
        arguments["validation_data"] = X, Y
    with pytest.raises((TypeError, ValueError, AttributeError)) as info:
        getattr(model, method)(**{**arguments, argument: wrong})
    assert f"`{argument}` must be" in str(info.value)
    assert text in str(info.value)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "arguments",
    [
        {"verbose": None},
        {"validation_split": None},
        {"validation_split": False},
        {"validation_steps": "unused"},
        {"validation_freq": "unused"},
        {"shuffle": "batch"},
        {"batch_size": np.int64(4)},
        {"initial_epoch": np.int32(0)},
    ],
    ids=str,
)
def test_what_keras_takes_is_taken(arguments):
    model = make_model()
    model.compile("sgd", "mse", loss_weights=np.float32(0.5), run_eagerly=["mae"], jit_compile=1)
    assert len(model.fit(X, Y, **{"verbose": 0, **arguments}).history["loss"]) == 1
