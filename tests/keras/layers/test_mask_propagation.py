"""What each layer class does with the masks of its inputs; the tables hold what Keras 3.15 answered."""

import inspect
import warnings

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

layers = keras.layers
MASK = np.array([[1, 1, 0, 0], [1, 1, 1, 0]], bool)
OTHER_MASK = np.array([[1, 1, 1, 1], [1, 0, 0, 0]], bool)

# The arguments of the classes that need some.
ARGUMENTS = {
    "Activation": lambda: ("relu",),
    "Bidirectional": lambda: (layers.LSTM(2, return_sequences=True),),
    "CategoryEncoding": lambda: (4,),
    "CenterCrop": lambda: (2, 2),
    "Cropping2D": lambda: (1,),
    "Dense": lambda: (5,),
    "Discretization": lambda: ([0.5],),
    "Dot": lambda: (1,),
    "Dropout": lambda: (0.5,),
    "EinsumDense": lambda: ("abc,cd->abd", (None, 4)),
    "Embedding": lambda: (7, 3),
    "GRU": lambda: (3,),
    "GroupNormalization": lambda: (3,),
    "Hashing": lambda: (3,),
    "IntegerLookup": lambda: (None, 1, None, -1, [1, 2]),
    "LSTM": lambda: (3,),
    "Lambda": lambda: (lambda x: x * 2.0,),
    "MultiHeadAttention": lambda: (2, 3),
    "Permute": lambda: ((2, 1),),
    "RandomContrast": lambda: (0.1,),
    "RandomCrop": lambda: (2, 2),
    "RandomRotation": lambda: (0.1,),
    "RandomTranslation": lambda: (0.1, 0.1),
    "RandomZoom": lambda: (0.1,),
    "RNN": lambda: (layers.LSTMCell(3),),
    "RepeatVector": lambda: (2,),
    "Rescaling": lambda: (0.5,),
    "Resizing": lambda: (2, 2),
    "Reshape": lambda: ((12,),),
    "SimpleRNN": lambda: (3,),
    "StringLookup": lambda: (None, 1, None, "[UNK]", ["1"]),
    "TextVectorization": lambda: (None, None, None, None, "int", None, False, ["1"]),
    "TimeDistributed": lambda: (layers.Dense(2),),
    **{name: lambda: (0.5,) for name in ("AlphaDropout", "GaussianNoise")},
    **{f"SpatialDropout{n}D": lambda: (0.5,) for n in (1, 2)},
    **{f"DepthwiseConv{n}D": lambda: (2,) for n in (1, 2)},
    **{f"{kind}Pool{end}{n}D": lambda: (2,) for kind in ("Avg", "Max", "Average") for end in ("", "ing") for n in (1, 2, 3)},
    **{f"{kind}{n}D{end}": lambda: (2, 2) for kind in ("Conv", "Convolution") for end in ("", "Transpose") for n in (1, 2, 3)},
    "ConvLSTM2D": lambda: (2, 2),
    **{f"Separable{kind}{n}D": lambda: (2, 2) for kind in ("Conv", "Convolution") for n in (1, 2)},
}  # fmt: skip

# `supports_masking` is True; the output has the input's mask.
KEEPS = [
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "BatchNormalization",
    "Bidirectional",
    "Dense",
    "Dropout",
    "ELU",
    "GaussianNoise",
    "GroupNormalization",
    "Identity",
    "LayerNormalization",
    "LeakyReLU",
    "Normalization",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "TimeDistributed",
    "UnitNormalization",
]
# `supports_masking` is True; the output has no mask, and no warning tells so.
ENDS = [
    "ConvLSTM2D",
    "Dot",
    "GRU",
    "GlobalAveragePooling1D",
    "GlobalAvgPool1D",
    "LSTM",
    "RNN",
    "SimpleRNN",
]
# `supports_masking` is True; the output's mask is the OR of the inputs' masks.
JOINS = ["Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"]
# `supports_masking` is True; the output has the query's mask.
ATTENDS = ["Attention", "MultiHeadAttention"]
# `supports_masking` is False; the output has no mask, and a warning tells so.
_DESTROYING_PREFIXES = (
    *(
        "Average",
        "Avg",
        "CenterCrop",
        "Conv",
        "Cropping",
        "Depthwise",
        "Global",
        "Max",
        "Rand",
        "Resizing",
        "Separable",
        "UpSampling",
        "ZeroPadding",
    ),
)
DESTROYS = [
    "CategoryEncoding",
    "Discretization",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "Hashing",
    "IntegerLookup",
    "Permute",
    "RMSNormalization",
    "RepeatVector",
    "Reshape",
    "StringLookup",
    "TextVectorization",
]
DESTROYS += [name for name in dir(layers) if name.startswith(_DESTROYING_PREFIXES) and name not in (*ENDS, *JOINS)]
# Bases, a model's input, cells, of which a call takes states, a layer of pairs of columns, and one
# that reads a file: no masks come to them.
UNCALLED = ["GRUCell", "InputLayer", "LSTMCell", "Layer", "SimpleRNNCell", "StackedRNNCells", "TFSMLayer"]
UNCALLED += ["HashedCrossing", "Wrapper"]


def _layer(name):
    return getattr(layers, name)(*ARGUMENTS.get(name, tuple)())


def _tensor(name, mask):
    shape = (2, 4, 4, 4, 3) if "3D" in name else (2, 4, 4, 3) if "2D" in name else (2, 4, 3)
    if name.startswith(("CenterCrop", "ContrastLimited", "Random", "Resizing")):
        shape = (2, 4, 4, 3)
    if name.startswith("ConvLSTM"):
        shape = (2, 4, *[3] * int(name[-2]), 1)
    if name in ("Softmax", "RepeatVector"):
        shape = (2, 4)
    x = np.random.default_rng(0).uniform(size=shape).astype("float32")
    if name in ("Embedding", "CategoryEncoding", "Hashing", "IntegerLookup"):
        x = np.array([[1, 2, 0, 0], [1, 2, 3, 0]])
    if name in ("StringLookup", "TextVectorization"):
        x = np.array([["1", "2", "0", "0"], ["1", "2", "3", "0"]])
    tensor = tf.constant(x)
    keep = layers.Lambda(tf.identity, mask=lambda x, previous: tf.constant(mask))
    return keep(tensor)


def _mask(x):
    mask = getattr(x, "_keras_mask", None)
    return None if mask is None else np.asarray(mask)


def _masks_and_warning(name):
    """The masks of the output, then of the inputs, and whether a warning named masks."""
    inputs = [_tensor(name, MASK)]
    if name in (*JOINS, *ATTENDS, "Dot"):
        inputs.append(_tensor(name, OTHER_MASK))
    layer = _layer(name)
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("always")
        if "Query" in name or name == "MultiHeadAttention":
            output = layer(*inputs)
        else:
            output = layer(inputs if len(inputs) > 1 else inputs[0])
    return _mask(output), [_mask(x) for x in inputs], any("mask" in str(message.message) for message in messages)


def test_the_tables_have_every_layer_class():
    names = [name for name in dir(layers) if inspect.isclass(getattr(layers, name))]
    names = [name for name in names if issubclass(getattr(layers, name), layers.Layer)]
    listed = [*KEEPS, *ENDS, *JOINS, *ATTENDS, *DESTROYS, *UNCALLED, "Lambda", "Masking"]
    assert sorted(listed) == sorted(names)


@pytest.mark.parametrize("name", [*KEEPS, *ENDS, *JOINS, *ATTENDS, *DESTROYS, "Masking"])
def test_masks(name):
    assert _layer(name).supports_masking == (name not in DESTROYS)
    output, inputs, has_warning = _masks_and_warning(name)
    if name in (*ENDS, *DESTROYS):
        assert output is None
    else:
        expected = np.ones((2, 4)) if name == "Masking" else MASK | OTHER_MASK if name in JOINS else MASK
        np.testing.assert_array_equal(output, expected)
    assert has_warning == (name in DESTROYS)
    assert [mask is None for mask in inputs] == [name == "MultiHeadAttention"] * len(inputs)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: layers.LSTM(2, return_sequences=True), MASK),
        (lambda: layers.Bidirectional(layers.LSTM(2)), None),
        (lambda: layers.Lambda(lambda x: x * 2.0, mask=lambda x, mask: mask), MASK),
        (lambda: layers.Embedding(3, 2, mask_zero=True), np.ones((2, 4, 3))),
        (lambda: layers.MultiHeadAttention(2, 3), MASK),
        (lambda: layers.GlobalAveragePooling1D(keepdims=True), None),
    ],
)
def test_masks_by_arguments(make, expected):
    layer = make()
    x = _tensor(type(layer).__name__, MASK)
    if isinstance(layer, layers.Embedding):
        x = tf.ones((2, 4, 3), tf.int32)
    output = layer(x, x) if isinstance(layer, layers.MultiHeadAttention) else layer(x)
    assert (_mask(output) is None) == (expected is None)
    np.testing.assert_array_equal(_mask(output), expected)


def test_a_layer_that_casts_its_input_keeps_the_mask():
    x = _tensor("", MASK)
    np.testing.assert_array_equal(_mask(layers.Add(dtype="float64")([x, x])), MASK)
    zeroed = layers.Multiply(dtype="float64")([x, x])
    assert not np.any(zeroed.numpy()[~MASK])
    attended = layers.MultiHeadAttention(2, 3, dtype="float64")(x, x)
    np.testing.assert_array_equal(_mask(attended), MASK)
    assert _mask(x) is not None  # only the cast tensors have lost their masks


def test_attention_takes_the_masks_off_its_inputs():
    """The loss of the positions that the query's mask hides counts, because `Add` meets an input without a mask."""
    ids = np.array([[1, 2, 0, 0], [3, 1, 2, 0]])
    inputs = keras.Input((4,), dtype="int32")
    x = layers.Embedding(5, 4, mask_zero=True)(inputs)
    outputs = layers.Dense(2)(layers.Add()([x, layers.MultiHeadAttention(2, 2)(x, x)]))
    model = keras.Model(inputs, outputs)
    for position, weight in enumerate(model.weights):
        weight.assign(np.sin(np.arange(np.prod(weight.shape)).reshape(weight.shape) + position))
    model.compile("sgd", "mse")
    np.testing.assert_allclose(model.evaluate(ids, np.ones((2, 4, 2)), verbose=0), 7.447082, rtol=1e-5)


@pytest.mark.parametrize("attention_first", [False, True])
def test_layers_of_a_functional_model_get_the_masks_that_attention_took_off(attention_first):
    ids = np.array([[1, 2, 0, 0], [3, 1, 2, 0]])
    inputs = keras.Input((4,), dtype="int32")
    x = layers.Embedding(5, 4, mask_zero=True)(inputs)
    attended = layers.MultiHeadAttention(2, 2)(x, x)
    steps = layers.LayerNormalization()(layers.Add()([attended, x] if attention_first else [x, attended]))
    model = keras.Model(inputs, [layers.GRU(3)(steps), steps])
    for position, weight in enumerate(model.weights):
        weight.assign(np.sin(np.arange(np.prod(weight.shape)).reshape(weight.shape) + position))
    last, steps = model(ids)
    np.testing.assert_allclose(last[0], [-0.544573, -0.252343, 0.231864], rtol=1e-5)
    np.testing.assert_allclose(model.predict(ids, verbose=0)[0], last, rtol=1e-5)
    assert _mask(last) is _mask(steps) is None


def test_an_explicit_query_mask_has_no_effect_on_multi_head_attention():
    x = tf.constant(np.random.default_rng(1).normal(size=(2, 4, 3)), tf.float32)
    layer = layers.MultiHeadAttention(2, 3)
    np.testing.assert_array_equal(layer(x, x, query_mask=MASK), layer(x, x))
