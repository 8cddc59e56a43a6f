"""Constructors that share parameters have the signature, the errors and the annotations of a written one."""

import inspect
from typing import get_type_hints

import pytest

from fastgrad import keras

L, losses, metrics = keras.layers, keras.losses, keras.metrics


def names(kind):
    return [name for name in inspect.signature(kind.__init__).parameters if name not in ("self", "kwargs")]


def test_the_arguments_of_weights_stand_where_keras_has_them():
    weights = ["kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer"]
    weights += ["activity_regularizer", "kernel_constraint", "bias_constraint"]
    assert names(L.Dense) == ["units", "activation", "use_bias", *weights]
    assert names(L.MultiHeadAttention)[-9:] == [*weights, "use_gate", "seed"]
    position = names(L.LSTMCell).index("unit_forget_bias")
    assert names(L.LSTMCell)[position - 1 : position + 2] == [
        "bias_initializer",
        "unit_forget_bias",
        "kernel_regularizer",
    ]


def test_the_arguments_of_weights_may_be_given_by_position():
    layer = L.LayerNormalization(-1, 1e-3, True, True, "ones", "zeros", "l2", None, None, "non_neg", False)
    kinds = [layer.beta_initializer, layer.gamma_initializer, layer.beta_regularizer, layer.gamma_constraint]
    assert [type(part).__name__ for part in kinds] == ["Ones", "Zeros", "L2", "NonNeg"]
    assert layer.gamma_regularizer is layer.beta_constraint is None


def test_recurrent_layers_take_the_arguments_of_their_cell_and_of_rnn():
    assert names(L.GRU)[-4:] == ["stateful", "unroll", "reset_after", "use_cudnn"]
    assert names(L.SimpleRNN)[-1] == "seed"
    layer = L.GRU(3, "relu", return_sequences=True, reset_after=False, dtype="float64", name="mine")
    assert (layer.units, layer.return_sequences, layer.reset_after, layer.name) == (3, True, False, "mine")
    assert (layer.cell.name, layer.cell.dtype, layer.cell.activation) == ("gru_cell", "float64", keras.activations.relu)


def test_losses_and_metrics_take_the_options_of_their_function():
    assert names(losses.Tversky) == ["alpha", "beta", "reduction", "name", "axis", "dtype"]
    assert names(metrics.CategoricalCrossentropy) == ["name", "dtype", "from_logits", "label_smoothing", "axis"]
    assert (losses.Huber(2.0).delta, losses.Huber().name) == (2.0, "huber_loss")
    assert names(metrics.PrecisionAtRecall)[0] == metrics.PrecisionAtRecall._argument == "recall"


@pytest.mark.parametrize("kind", [L.Dense, L.Conv2D, L.LSTM, L.RandomRotation, metrics.RecallAtPrecision])
def test_errors_and_annotations_are_those_of_a_written_method(kind):
    first = names(kind)[0]
    with pytest.raises(TypeError, match=rf"{kind.__name__}\.__init__\(\) missing .*'{first}'|_Convolution.*'{first}'"):
        kind()
    with pytest.raises(TypeError, match=r"takes from \d to \d+ positional arguments but 51 were given"):
        kind(*range(50))
    hints = get_type_hints(kind.__init__)
    assert hints.keys() == inspect.signature(kind.__init__).parameters.keys() - {"self"} | {"return"}
    assert hints["return"] is type(None)
    assert "body(self, " in inspect.getsource(kind.__init__)


@pytest.mark.parametrize("kind", [kind for kind in vars(L).values() if "get_random_transformation" in dir(kind)])
def test_the_docstring_of_a_layer_of_images_has_its_arguments(kind):
    listed = (
        inspect.cleandoc(kind.__doc__)
        .partition("Args:\n")[2]
        .partition("\n\n")[0]
        .replace(",", ":")
        .replace(":", " : ")
        .split()
    )
    assert set(names(kind)) <= set(listed)
    assert names(kind)[:1] == listed[:1]
