"""Models as tables, and their clones."""

import re

import numpy as np
import pytest

from fastgrad import keras
from fastgrad.keras import layers


def branches():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = layers.Dense(3, name="shared")
    inner_in = keras.Input((6,), name="i")
    inner = keras.Model(inner_in, layers.Dense(2, name="in")(inner_in), name="inner")
    return keras.Model([a, b], inner(layers.Concatenate(name="both")([shared(a), shared(b)])), name="branches")


def table(model, **options):
    """The words of the lines, without the rules of the table."""
    found = []
    model.summary(print_fn=found.append, **options)
    return [re.sub("[┃│]", " ", line).split() for line in found[0].splitlines() if line[0] not in "┏┡├└"]


# Keras 3.15 prints this.
OF_KERAS = """\
Model: "m"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ a_very_long_name_of_a_layer_th… │ (None, 8)              │            40 │
│ (Dense)                         │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ d (Dense)                       │ (None, 1)              │             9 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 49 (196.00 B)
 Trainable params: 49 (196.00 B)
 Non-trainable params: 0 (0.00 B)"""


def test_the_table_is_that_of_keras(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    long = layers.Dense(8, name="a_very_long_name_of_a_layer_that_does_not_fit_in_its_column")
    model = keras.Sequential([keras.Input((4,)), long, layers.Dense(1, name="d")], name="m")
    found = []
    model.summary(print_fn=found.append)
    assert found == [OF_KERAS]
    model.summary(print_fn=found.append, line_length=60, positions=[0.5, 0.7, 1.0])
    assert {len(line) for line in found[1].splitlines()[1:-3]} == {60}
    with pytest.raises(ValueError, match="console width"):
        model.summary(line_length=8)


def test_layers_shapes_and_parameters():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, name="d"), layers.BatchNormalization(name="n")], name="m"
    )
    lines = table(model)
    assert lines[0] == ["Model:", '"m"']
    assert lines[2] == ["d", "(Dense)", "(None,", "3)", "15"]
    assert lines[3] == ["n", "(BatchNormalization)", "(None,", "3)", "12"]
    assert lines[4][:3] == ["Total", "params:", "27"]
    assert lines[5:] == [
        ["Trainable", "params:", "21", "(84.00", "B)"],
        ["Non-trainable", "params:", "6", "(24.00", "B)"],
    ]


def test_connections_and_models_inside():
    model = branches()
    model.get_layer("shared").trainable = False
    lines = table(model, expand_nested=True, show_trainable=True, line_length=200)
    rows = {line[0].replace("└", line[1]): line for line in lines}
    assert rows["both"][-3:] == ["shared[0][0],", "shared[1][0]", "-"]
    assert rows["shared"][-1] == "N"
    assert rows["in"][2:6] == ["(Dense)", "(None,", "2)", "14"]


def test_a_branch_shows_where_layers_get_their_inputs():
    x = keras.Input((4,), name="x")
    h = layers.Dense(3, name="h")(x)
    rows = {line[0]: line for line in table(keras.Model(x, [layers.Dense(2, name="o")(h), layers.ReLU(name="r")(h)]))}
    assert rows["r"][-1] == "h[0][0]"


@pytest.mark.parametrize("given", ["Input", "build", "call", "fit"])
def test_a_stack_has_the_shapes_of_layers_without_weights_too(given):
    stack = [layers.Conv2D(4, 3), layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.5), layers.Dense(2)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *stack] if given == "Input" else stack)
    x = np.zeros((4, 8, 8, 1), np.float32)
    model.compile("sgd", "mse")
    {"Input": len, "build": model.build, "call": model, "fit": lambda x: model.fit(x, x[:, 0, :2, 0], verbose=0)}[
        given
    ]((None, 8, 8, 1) if given == "build" else x)
    batch = "4" if given in ("call", "fit") else "None"
    shapes = [re.search(r"\(\w+,.*?\)", " ".join(line)).group() for line in table(model)[2:7]]
    assert shapes == [f"({batch}, {sizes})" for sizes in ("6, 6, 4", "3, 3, 4", "36", "36", "2")]


def test_the_optimizers_state_counts():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.compile("adam", "mse")
    model.train_on_batch(np.zeros((2, 4), np.float32), np.zeros((2, 3), np.float32))
    lines = table(model)
    assert lines[3][:3] == ["Total", "params:", "47"]
    assert lines[-1] == ["Optimizer", "params:", "32", "(132.00", "B)"]


def test_a_range_of_layers():
    model = keras.Sequential([keras.Input((4,)), *(layers.Dense(3, name=name) for name in ("a", "b1", "b2", "c"))])
    assert [line[0] for line in table(model, layer_range=["b", "b"])[2:4]] == ["b1", "b2"]
    with pytest.raises(ValueError, match=r"'z'; there are \['a', 'b1', 'b2', 'c'\]"):
        model.summary(layer_range=["a", "z"])
    with pytest.raises(ValueError, match="two layers"):
        model.summary(layer_range=["a"])


def test_of_a_model_that_is_not_built_little_is_known():
    lines = table(keras.Sequential([layers.Dense(2, name="d")]))
    assert lines[2] == ["d", "(Dense)", "?", "0", "(unbuilt)"]
    assert lines[3][:3] == ["Total", "params:", "0"]


@pytest.mark.parametrize("make", [branches, lambda: keras.Sequential([keras.Input((4,)), layers.Dense(2)])])
def test_clones_have_weights_of_their_own(make):
    model = make()
    clone = keras.models.clone_model(model)
    assert [layer.name for layer in clone.layers] == [layer.name for layer in model.layers]
    assert [tuple(w.shape) for w in clone.weights] == [tuple(w.shape) for w in model.weights]
    assert not set(map(id, clone.weights)) & set(map(id, model.weights))
    clone.set_weights(model.get_weights())
    x = np.ones((2, 4), np.float32)
    x = x if len(model.inputs if model._graph else [0]) == 1 else [x, x]
    np.testing.assert_array_equal(clone(x), model(x))


def test_a_function_makes_the_layers_of_a_clone():
    model = branches()
    wide = keras.models.clone_model(
        model, clone_function=lambda x: type(x).from_config({**x.get_config(), "name": f"{x.name}_2"})
    )
    assert [layer.name for layer in wide.layers[2:]] == ["shared_2", "both_2", "inner_2"]


@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_clones_are_compiled_as_the_model_is(kind):
    x = keras.Input((2,))
    model = keras.Sequential([x, layers.Dense(1)])
    if kind == "functional":
        model = keras.Model(x, layers.Dense(1)(x))
    assert not keras.models.clone_model(model).compiled
    model.compile(keras.optimizers.Adam(0.25), "mae", metrics=["mse"])
    clone = keras.models.clone_model(model)
    assert (clone.loss, float(clone.optimizer.learning_rate)) == ("mae", 0.25)
    assert clone.optimizer is not model.optimizer
    assert sorted(clone.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0).history) == ["loss", "mse"]
