"""Losses, weights and metrics of models with several, and with nested, outputs. Expected values are Keras's."""

import numpy as np
import pytest

import fastgrad as tf

keras = tf.keras
layers = keras.layers

X = np.ones((4, 3), "float32")
ZEROS, ONES = np.zeros((4, 2), "float32"), np.ones((4, 1), "float32")


def dense(units, name):
    return layers.Dense(units, name=name, kernel_initializer="ones")


def model_of(structure):
    """A model whose outputs are 3.0: ``structure`` makes them of the outputs ``a`` (two wide) and ``b`` (one wide)."""
    inputs = layers.Input((3,))
    return keras.Model(inputs, structure(dense(2, "a")(inputs), dense(1, "b")(inputs)))


def results(structure, y, **options):
    model = model_of(structure)
    model.compile("sgd", **options)
    return model.evaluate(X, y, verbose=0, return_dict=True), model.evaluate(X, y, verbose=0)


def of_both(y_true, y_pred):
    """A loss that compares two outputs: 3 * 2 + 2 for the model above."""
    (a, b), (a_pred, b_pred) = tf.nest.flatten(y_true), tf.nest.flatten(y_pred)
    return tf.reduce_sum(tf.abs(a - a_pred), -1) + tf.reduce_sum(tf.abs(b - b_pred), -1)


@pytest.mark.parametrize("loss", [["mse", ["mae"]], {"a": "mse", "b": ["mae"]}], ids=["list", "dict"])
def test_a_list_of_one_loss_is_that_loss(loss):
    logs, _ = results(lambda a, b: [a, b], [ZEROS, ONES], loss=loss)
    assert logs == {"loss": 11.0, "a_loss": 9.0, "b_loss": 2.0}


def test_several_losses_of_one_output_are_added():
    logs, _ = results(lambda a, b: [a, b], [ZEROS, ONES], loss=["mse", ["mse", "mae"]], loss_weights=[1.0, 10.0, 100.0])
    assert logs["loss"] == 9.0 + 40.0 + 200.0
    assert set(logs) == {"loss", "a_loss", "b_loss"}


def test_losses_are_in_the_order_of_the_dict_that_compile_got():
    y = {"a": ZEROS, "b": ONES}
    assert results(lambda a, b: {"b": b, "a": a}, y, loss={"a": "mae", "b": "mse"})[1] == [7.0, 3.0, 4.0]
    assert results(lambda a, b: {"b": b, "a": a}, y, loss={"b": "mse", "a": "mae"})[1] == [7.0, 4.0, 3.0]
    assert results(lambda a, b: {"b": b, "a": a}, y, loss="mse")[1] == [13.0, 4.0, 9.0]


@pytest.mark.parametrize("kind", [tuple, dict], ids=["tuple", "dict"])
def test_a_loss_compares_a_structure_of_outputs(kind):
    structure = (lambda a, b: (a, b)) if kind is tuple else (lambda a, b: {"a": a, "b": b})
    inner = ("mse", "mae") if kind is tuple else {"a": "mse", "b": "mae"}
    logs, _ = results(structure, structure(ZEROS, ONES), loss=[of_both, inner])
    assert logs == {"loss": 8.0 + 9.0 + 2.0, "a_b_loss": 8.0, "a_loss": 9.0, "b_loss": 2.0}


def test_nested_outputs_have_nested_losses_and_metrics():
    logs, _ = results(
        lambda a, b: {"first": (a, b), "second": {"b": b}},
        {"first": (ZEROS, ONES), "second": {"b": ONES}},
        loss={"first": [of_both, (None, "mse")], "second": {"b": "mae"}},
        loss_weights={"first": [1.0, (0.0, 10.0)], "second": {"b": 100.0}},
        metrics={"first": ("mae", ["mse"]), "second": {"b": None}},
    )
    assert logs["loss"] == 8.0 + 40.0 + 200.0
    assert (logs["first_loss"], logs["second/b_loss"]) == (8.0, 2.0)
    assert logs["first/b_loss"] == 4.0
    assert (logs["a_mae"], logs["b_mse"]) == (3.0, 4.0)


def test_labels_may_leave_out_outputs_without_a_loss():
    logs, _ = results(lambda a, b: [a, b, b], [ZEROS, ONES], loss=["mse", None, "mae"])
    assert logs["loss"] == 11.0


def test_metrics_of_an_output_are_one_or_a_list():
    logs, _ = results(lambda a, b: [a, b], [ZEROS, ONES], loss="mse", metrics=["mse", ["mse", "mae"]])
    assert set(logs) == {"loss", "a_loss", "b_loss", "a_mse", "b_mse", "b_mae"}


@pytest.mark.parametrize(
    ("error", "text", "options"),
    [
        (KeyError, "can't be found in either", {"loss": {"a": "mse", "c": "mae"}}),
        (KeyError, "can't be found in the model's output", {"loss": {"a": {"c": "mse"}}}),
        (ValueError, "must match the number of losses", {"loss": {"a": ["mse"]}, "loss_weights": [1.0, 2.0]}),
    ],
)
def test_errors_name_what_does_not_go_with_the_outputs(error, text, options):
    with pytest.raises(error, match=text):
        results(lambda a, b: {"a": a, "b": b}, {"a": ZEROS, "b": ONES}, **options)


def test_functions_are_named_in_snake_case():
    def MeanOfLabels(y_true, y_pred):
        return tf.reduce_mean(y_true)

    model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[lambda y_true, y_pred: y_pred, MeanOfLabels])
    assert set(model.evaluate(X, ONES, verbose=0, return_dict=True)) == {"loss", "lambda", "mean_of_labels"}


def _model_of_two_outputs(run_eagerly=False, **options):
    model = model_of(lambda a, b: [a, b])
    options.setdefault("loss", {"a": "mse", "b": "mse"})
    model.compile("sgd", run_eagerly=run_eagerly, **options)
    return model


_CALLS = {
    "fit": lambda model, y: model.fit(X, y, verbose=0),
    "evaluate": lambda model, y: model.evaluate(X, y, verbose=0),
    "train_on_batch": lambda model, y: model.train_on_batch(X, y),
    "test_on_batch": lambda model, y: model.test_on_batch(X, y),
    "fit of a generator": lambda model, y: model.fit(iter([(X, y)]), verbose=0),
    "fit of a dataset": lambda model, y: model.fit(tf.data.Dataset.from_tensors((X, y)), verbose=0),
    "evaluate of a dataset": lambda model, y: model.evaluate(tf.data.Dataset.from_tensors((X, y)), verbose=0),
    "validation": lambda model, y: model.fit(X, [ZEROS, ONES], validation_data=(X, y), verbose=0),
    "a later batch": lambda model, y: (model.train_on_batch(X, [ZEROS, ONES]), model.train_on_batch(X, y)),
}


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize("loss", [{"a": "mse", "b": "mse"}, "mse", ["mse", "crossentropy"]], ids=str)
@pytest.mark.parametrize("call", _CALLS)
def test_an_output_with_a_loss_needs_labels(call, loss, run_eagerly):
    model = _model_of_two_outputs(run_eagerly, loss=loss)
    with pytest.raises(ValueError, match=r"\['b'\] have a loss but no labels.*outputs \['a'\].*None in `compile`"):
        _CALLS[call](model, {"a": ZEROS})


@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch", "validation"])
def test_labels_that_are_none_are_missing(call):
    with pytest.raises(ValueError, match=r"\['a'\] have a loss but no labels.*outputs \['b'\]"):
        _CALLS[call](_model_of_two_outputs(), [None, ONES])


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize("call", _CALLS)
def test_one_array_is_not_the_labels_of_two_outputs(call, run_eagerly):
    model = _model_of_two_outputs(run_eagerly)
    with pytest.raises(ValueError, match=r"one output.*shape \(4, 1\).*2 outputs \(\['a', 'b'\]\).*a list"):
        _CALLS[call](model, ONES)


def test_one_array_is_not_the_labels_of_nested_outputs():
    with pytest.raises(ValueError, match="labels for one output"):
        results(lambda a, b: {"first": (a, b), "second": b}, ONES, loss="mse")


@pytest.mark.parametrize("loss", [[None, "mse"], {"a": None, "b": "mse"}], ids=str)
@pytest.mark.parametrize("y", [ONES, [ONES], {"b": ONES}], ids=["array", "list", "dict"])
def test_labels_of_the_one_output_with_a_loss(y, loss):
    logs, _ = results(lambda a, b: [a, b], y, loss=loss, metrics={"b": "mae"})
    assert logs == {"loss": 4.0, "b_mae": 2.0}


@pytest.mark.parametrize("metric", ["mae", "accuracy"])
def test_metrics_of_an_output_without_labels_are_named(metric):
    with pytest.raises(ValueError, match="Output 'a' has metrics but no labels"):
        results(lambda a, b: [a, b], {"b": ONES}, loss=[None, "mse"], metrics={"a": metric})


def test_a_metric_may_do_without_labels():
    def largest(y_true, y_pred):
        return tf.reduce_max(y_pred)

    logs, _ = results(lambda a, b: [a, b], {"b": ONES}, loss=[None, "mse"], metrics={"a": largest})
    assert logs == {"loss": 4.0, "a_largest": 3.0}


@pytest.mark.parametrize(
    "loss_weights", [[[1.0, 2.0], 3.0], np.ones(2), [np.ones(3), 1.0], tf.ones(2), [1.0, 2.0, 3.0], "a"], ids=str
)
def test_loss_weights_are_numbers_one_for_each_loss(loss_weights):
    with pytest.raises(ValueError, match="`loss_weights`"):
        results(lambda a, b: [a, b], [ZEROS, ONES], loss="mse", loss_weights=loss_weights)


def test_loss_weights_may_be_tensors():
    logs, _ = results(lambda a, b: [a, b], [ZEROS, ONES], loss="mse", loss_weights=[tf.constant(10.0), np.float32(1.0)])
    assert logs["loss"] == 94.0
