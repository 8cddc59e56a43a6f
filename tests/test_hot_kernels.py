"""The hot kernels, and that ordinary training steps call them: what this page lists is what runs natively."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.jit import build
from fastgrad._src.kernels.elementwise import activation
from fastgrad._src.kernels.gemm import dense
from fastgrad._src.kernels.movement import embedding
from fastgrad._src.kernels.optimizers import adafactor, norms, optimizers
from fastgrad._src.kernels.random import random
from fastgrad._src.kernels.recurrent import gru, lstm, products, simple
from fastgrad._src.kernels.reduction import normalization, softmax
from fastgrad._src.kernels.runtime import eager_launch
from fastgrad._src.ops import kernel_launches

keras = tf.keras
layers = keras.layers

DENSE = {
    "linear": (dense.BIAS_KERNELS["linear"], dense.DENSE_GRADIENT_KERNELS["linear"]),
    "relu": (dense.BIAS_KERNELS["relu"], dense.DENSE_GRADIENT_KERNELS["relu"]),
    "tanh": (dense.BIAS_KERNELS["tanh"], dense.DENSE_GRADIENT_KERNELS["tanh"]),
    "gelu": (
        dense.BIAS_KERNELS["linear"],
        activation.gelu,
        activation.gelu_gradient,
        dense.DENSE_GRADIENT_KERNELS["linear"],
    ),
}

OPTIMIZERS = {
    "SGD": ({}, optimizers.sgd),
    "SGD with momentum": ({"momentum": 0.9}, optimizers.momentum),
    "SGD after Nesterov": ({"momentum": 0.9, "nesterov": True}, optimizers.nesterov),
    "Adam": ({}, optimizers.adam),
    "Adam with amsgrad": ({"amsgrad": True}, optimizers.adam_amsgrad),
    "AdamW": ({}, optimizers.adam),
    "RMSprop": ({}, optimizers.rmsprop),
    "RMSprop with momentum": ({"momentum": 0.9}, optimizers.rmsprop_momentum),
    "RMSprop, centered": ({"centered": True}, optimizers.rmsprop_centered),
    "RMSprop, centered, with momentum": ({"centered": True, "momentum": 0.9}, optimizers.rmsprop_centered_momentum),
    "Adagrad": ({}, optimizers.adagrad),
    "Adadelta": ({}, optimizers.adadelta),
    "Adamax": ({}, optimizers.adamax),
    "Nadam": ({}, optimizers.nadam),
    "Ftrl": ({}, optimizers.ftrl),
    "Lion": ({}, optimizers.lion),
}

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
LABELS = np.array([0, 2, 1, 0, 1, 2])
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]


@pytest.fixture
def calls_of(monkeypatch):
    """``calls_of(step, *kernels)``: how often a step calls each of them."""
    built = build.Kernel._build
    counts = {}

    def counting(kernel, native):
        def call(*arguments):
            counts[id(kernel)] += 1
            return native(*arguments)

        call.__self__ = native.__self__  # which says what the parameters are
        return call

    def calls_of(step, *kernels):
        kept = {id(kernel): dict(kernel) for kernel in kernels}

        def count_this(kernel, variables):
            if id(kernel) not in kept:
                return built(kernel, variables)
            dtypes = tuple(np.dtype(name) for name in variables.values())
            native = kept[id(kernel)].get(dtypes) or built(kernel, variables)
            kept[id(kernel)][dtypes] = native
            return counting(kernel, native)

        monkeypatch.setattr(build.Kernel, "_build", count_this)
        monkeypatch.setattr(kernel_launches, "_cached_launches", {})  # which have those that are not counted
        monkeypatch.setattr(eager_launch, "RUNS_BEFORE_FRAME", np.inf)  # a program's driver would call them unseen
        counts.update(dict.fromkeys(kept, 0))
        for kernel in kernels:
            kernel.clear()
        try:
            step()
        finally:
            for kernel in kernels:
                kernel.clear()
                kernel.update(kept[id(kernel)])
        return {kernel.__name__: counts[id(kernel)] for kernel in kernels}

    return calls_of


def step_of(model, loss, x=X, y=LABELS, optimizer=None):
    """A training step, as a function; the model is built."""
    optimizer = optimizer or keras.optimizers.SGD()
    model(x)

    def step():
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))

    return step


def mean_square(labels, outputs):
    return tf.reduce_mean(tf.square(outputs))


@pytest.mark.parametrize("name", DENSE)
def test_dense_with_its_activation(calls_of, name):
    step = step_of(keras.Sequential([layers.Dense(3, activation=name)]), mean_square)
    assert set(calls_of(step, *DENSE[name]).values()) == {1}


OF_LABELS = softmax.sparse_cross_entropy, softmax.sparse_cross_entropy_gradient
OF_ONE_HOT = softmax.cross_entropy, softmax.cross_entropy_gradient


def mean_of(cross_entropy):
    return lambda labels, logits: tf.reduce_mean(cross_entropy(labels, logits))


@pytest.mark.parametrize(
    ("loss", "labels", "kernels"),
    [
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), LABELS, OF_LABELS),
        (keras.losses.CategoricalCrossentropy(from_logits=True), ONE_HOT, OF_ONE_HOT),
        (mean_of(tf.nn.sparse_softmax_cross_entropy_with_logits), LABELS, OF_LABELS),
        (mean_of(tf.nn.softmax_cross_entropy_with_logits), ONE_HOT, OF_ONE_HOT),
    ],
)
def test_softmax_cross_entropy(calls_of, loss, labels, kernels):
    step = step_of(keras.Sequential([layers.Dense(3)]), loss, y=labels)
    assert set(calls_of(step, *kernels).values()) == {1}


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy"])
def test_cross_entropy_of_what_a_softmax_layer_gave(calls_of, loss):
    """The probabilities remember their logits: the loss is the kernel's, the softmax's own gradient is never needed."""
    sparse = loss.startswith("sparse")
    kernels = OF_LABELS if sparse else OF_ONE_HOT
    model = keras.Sequential([layers.Dense(3, activation="softmax")])
    step = step_of(model, keras.losses.get(loss), y=LABELS if sparse else ONE_HOT)
    counted = calls_of(step, *kernels, softmax.softmax, softmax.softmax_gradient)
    assert list(counted.values()) == [1, 1, 1, 0]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_on_its_own(calls_of, name):
    def weighted(labels, outputs):
        return tf.reduce_sum(getattr(tf.nn, name)(outputs) * ONE_HOT)

    step = step_of(keras.Sequential([layers.Dense(3)]), weighted)
    assert set(calls_of(step, getattr(softmax, name), getattr(softmax, name + "_gradient")).values()) == {1}


def test_layer_norm(calls_of):
    model = keras.Sequential([layers.Dense(3), layers.LayerNormalization()])
    counted = calls_of(step_of(model, mean_square), normalization.layer_norm, normalization.layer_norm_gradient)
    assert set(counted.values()) == {1}


@pytest.mark.parametrize("name", ["lstm", "gru", "simple_rnn"])
def test_recurrent_layers(calls_of, name):
    layer = {"lstm": layers.LSTM, "gru": layers.GRU, "simple_rnn": layers.SimpleRNN}[name](3)
    room = {"lstm": lstm, "gru": gru, "simple_rnn": simple}[name]
    step = step_of(keras.Sequential([layer]), mean_square, np.ones((6, 4, 2), np.float32))
    kernels = [getattr(room, name), getattr(room, name + "_gradient"), products.pack_matrix]
    assert list(calls_of(step, *kernels).values()) == [1, 1, 2]


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu(calls_of, approximate):
    names = ("gelu_tanh", "gelu_tanh_gradient") if approximate else ("gelu", "gelu_gradient")
    layer = layers.Activation(lambda x: tf.nn.gelu(x, approximate=approximate))
    step = step_of(keras.Sequential([layers.Dense(3), layer]), mean_square)
    assert set(calls_of(step, *(getattr(activation, name) for name in names)).values()) == {1}


def test_dropout_forward_and_backward_draw_the_same_numbers(calls_of):
    model = keras.Sequential([layers.Dense(3), layers.Dropout(0.5)])
    assert calls_of(step_of(model, mean_square), random.dropout) == {"dropout": 2}


def test_embedding_rows_are_gathered_and_updated(calls_of):
    tokens = np.array([[1, 2], [1, 0]])
    model = keras.Sequential([layers.Embedding(5, 3)])
    step = step_of(model, mean_square, x=tokens)
    kernels = embedding.gather_rows, embedding.group_ids, embedding.sum_groups, optimizers.sgd.row_kernel
    assert list(calls_of(step, *kernels).values()) == [1, 1, 1, 1]


def test_an_embedding_that_is_also_used_whole_adds_its_rows(calls_of):
    table = tf.Variable(np.ones((5, 3), np.float32))

    def step():
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.nn.embedding_lookup(table, [1, 1, 4])) + tf.reduce_sum(table)
        tape.gradient(y, table)

    assert calls_of(step, embedding.gather_rows, embedding.add_rows) == {"gather_rows": 1, "add_rows": 1}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_updates_all_variables_in_one_call(calls_of, name):
    options, rule = OPTIMIZERS[name]
    optimizer = getattr(keras.optimizers, name.partition(",")[0].split()[0])(**options)
    model = keras.Sequential([layers.Dense(3, activation="relu"), layers.Dense(2)])
    step = step_of(model, mean_square, optimizer=optimizer)
    step()
    before = [weight.numpy() for weight in model.weights]
    assert list(calls_of(step, rule.variables_kernel).values()) == [1]
    assert all(np.any(weight.numpy() != old) for weight, old in zip(model.weights, before, strict=True))


def test_adafactor_updates_matrices_and_vectors_by_kernels(calls_of):
    model = keras.Sequential([layers.Dense(3), layers.Dense(2)])
    step = step_of(model, mean_square, optimizer=keras.optimizers.Adafactor())
    counted = calls_of(step, adafactor.adafactor_matrix, adafactor.adafactor_vector)
    assert set(counted.values()) == {2}


def test_every_optimizer_of_keras_is_listed_here():
    listed = {name.partition(",")[0].split()[0] for name in OPTIMIZERS}
    listed |= {"Adafactor", "LossScaleOptimizer", "Optimizer"}
    listed |= {"RuleOptimizer"}  # the base of users' own
    listed |= {"Lamb", "Muon"}  # made of operations: trust ratios, and products that make a matrix orthogonal
    classes = {name for name in dir(keras.optimizers) if isinstance(getattr(keras.optimizers, name), type)}
    assert classes <= listed | {"Any"}


@pytest.mark.parametrize(
    ("options", "kernel"),
    [
        ({"clipnorm": 1.0}, norms.sums_of_squares),
        ({"global_clipnorm": 1.0}, norms.sums_of_squares),
        ({"use_ema": True}, optimizers.moving_average.variables_kernel),
    ],
)
def test_options_of_optimizers_have_kernels(calls_of, options, kernel):
    step = step_of(
        keras.Sequential([layers.Dense(3)]), mean_square, optimizer=keras.optimizers.Adam(learning_rate=0.1, **options)
    )
    step()
    assert min(calls_of(step, kernel).values()) > 0
