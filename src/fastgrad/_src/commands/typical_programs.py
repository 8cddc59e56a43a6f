"""Training programs as many people write them.

`fastgrad warm` and the build of a wheel run some steps of each program. This compiles the fused groups of the programs
in advance, because a group's code does not depend on the sizes of arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler import function as function_ops
from fastgrad._src.core.tape import GradientTape
from fastgrad._src.keras import losses
from fastgrad._src.keras.optimizers import namespace as optimizers
from fastgrad._src.ops.creation import constant
from fastgrad.keras import Model, Sequential, layers, utils

BATCH, LARGE_BATCH = 32, 256
STEPS = 5  # an eager backward pass becomes a program at its third step
VOCABULARY = 100


class Task(NamedTuple):
    """What a model learns.

    Attributes:
        loss: of `Model.compile`.
        units: of the last layer.
        activation: of the last layer.
        targets: makes targets for a number of examples.
        metrics: of `Model.compile`.
    """

    loss: Any
    units: int
    activation: str | None
    targets: Callable[[np.random.Generator, int], np.ndarray]
    metrics: tuple[str, ...]


class TypicalProgram(NamedTuple):
    """A program: a model, what it learns, and how it is trained.

    Attributes:
        model: a key of `MODELS`.
        task: a key of `TASKS`.
        optimizer: a key of `OPTIMIZERS`.
        loop: a key of `LOOPS`.
        batch: the size of a batch.
    """

    model: str
    task: str
    optimizer: str
    loop: str
    batch: int = BATCH

    def run(self) -> Any:
        """Trains a new model for some steps, in float32, and returns it."""
        rng = np.random.default_rng(0)
        utils.set_random_seed(0)
        task = TASKS[self.task]
        make, shape = MODELS[self.model]
        model = make(shape, layers.Dense(task.units, activation=task.activation))
        examples = 2 * self.batch + self.batch // 4  # the last batch is smaller
        x: np.ndarray
        if shape == WORDS:
            x = rng.integers(0, VOCABULARY, (examples, *shape)).astype(np.int32)
        else:
            x = rng.normal(size=(examples, *shape)).astype(np.float32)
        LOOPS[self.loop](model, task, OPTIMIZERS[self.optimizer](), x, task.targets(rng, examples), self.batch)
        return model


def _labels(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 10, count)


def _one_hot(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.eye(10, dtype=np.float32)[_labels(rng, count)]


def _bits(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 2, (count, 1)).astype(np.float32)


def _numbers(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.normal(size=(count, 1)).astype(np.float32)


TASKS = {
    "labels from logits": Task(
        lambda: losses.SparseCategoricalCrossentropy(from_logits=True), 10, None, _labels, ("accuracy",)
    ),
    "labels": Task(losses.SparseCategoricalCrossentropy, 10, "softmax", _labels, ("accuracy",)),
    "one-hot labels": Task(losses.CategoricalCrossentropy, 10, "softmax", _one_hot, ("accuracy",)),
    "one-hot labels from logits": Task(
        lambda: losses.CategoricalCrossentropy(from_logits=True), 10, None, _one_hot, ("accuracy",)
    ),
    "yes or no": Task(losses.BinaryCrossentropy, 1, "sigmoid", _bits, ("accuracy",)),
    "yes or no from logits": Task(lambda: losses.BinaryCrossentropy(from_logits=True), 1, None, _bits, ("accuracy",)),
    "numbers": Task(losses.MeanSquaredError, 1, None, _numbers, ("mae",)),
    "numbers with outliers": Task(losses.Huber, 1, None, _numbers, ()),
}


def _sequential(*parts: Callable[[], Any]) -> Callable[[Sequence[int], Any], Any]:
    """Returns a function that makes a sequential model of new layers and a last one."""

    def make(shape: Sequence[int], last: Any) -> Any:
        return Sequential([layers.Input(shape), *[part() for part in parts], last])

    return make


def _dense(units: int, activation: str | None = "relu") -> Callable[[], Any]:
    return lambda: layers.Dense(units, activation=activation)


def _convolution(filters: int, padding: str = "valid", activation: str | None = "relu") -> Callable[[], Any]:
    return lambda: layers.Conv2D(filters, 3, padding=padding, activation=activation)


def _residual(shape: Sequence[int], last: Any) -> Any:
    x = layers.Input(shape)
    y = layers.Dense(32, activation="relu")(x)
    y = layers.Add()([y, layers.Dense(32, activation="relu")(y)])
    return Model(x, last(layers.Concatenate()([x, y])))


def _attention(shape: Sequence[int], last: Any) -> Any:
    x = layers.Input(shape)
    y = layers.LayerNormalization()(x + layers.Dropout(0.1)(layers.MultiHeadAttention(2, 8)(x, x)))
    z = layers.Dense(16)(layers.Dense(32, activation="gelu")(y))
    return Model(x, last(layers.GlobalAveragePooling1D()(layers.LayerNormalization()(y + layers.Dropout(0.1)(z)))))


NUMBERS, PIXELS, IMAGE, SERIES, WORDS = (20,), (784,), (14, 14, 3), (10, 8), (12,)
MODELS: dict[str, tuple[Callable[[Sequence[int], Any], Any], tuple[int, ...]]] = {
    "linear": (_sequential(), NUMBERS),
    "dense": (_sequential(_dense(64), _dense(32)), NUMBERS),
    "wide dense": (_sequential(_dense(512)), PIXELS),
    "deep dense": (_sequential(*[_dense(256)] * 4), NUMBERS),
    **{
        f"dense, {activation}": (_sequential(_dense(64, activation), _dense(32, activation)), NUMBERS)
        for activation in ("tanh", "sigmoid", "gelu", "elu", "swish", "leaky_relu")
    },
    "dense with dropout": (
        _sequential(_dense(64), lambda: layers.Dropout(0.3), _dense(32), lambda: layers.Dropout(0.3)),
        NUMBERS,
    ),
    "dense with batch normalization": (
        _sequential(_dense(64, None), layers.BatchNormalization, layers.ReLU, _dense(32), layers.BatchNormalization),
        NUMBERS,
    ),
    "dense with layer normalization": (_sequential(_dense(64), layers.LayerNormalization), NUMBERS),
    "dense on images": (_sequential(layers.Flatten, _dense(64)), IMAGE),
    "residual": (_residual, NUMBERS),
    "convolutions": (
        _sequential(_convolution(16), layers.MaxPooling2D, _convolution(32), layers.Flatten, _dense(32)),
        IMAGE,
    ),
    "convolutions with dropout": (
        _sequential(
            *(_convolution(16, "same"), _convolution(16), layers.MaxPooling2D, lambda: layers.Dropout(0.25)),
            *(layers.Flatten, _dense(32), lambda: layers.Dropout(0.5)),
        ),
        IMAGE,
    ),
    "convolutions with batch normalization": (
        _sequential(
            *(_convolution(16, "same", None), layers.BatchNormalization, layers.ReLU, layers.MaxPooling2D),
            *(_convolution(32, "same"), layers.BatchNormalization, layers.GlobalAveragePooling2D),
        ),
        IMAGE,
    ),
    "lstm": (_sequential(lambda: layers.LSTM(16)), SERIES),
    "two lstms": (_sequential(lambda: layers.LSTM(16, return_sequences=True), lambda: layers.LSTM(16)), SERIES),
    "bidirectional lstm": (_sequential(lambda: layers.Bidirectional(layers.LSTM(16)), _dense(16)), SERIES),
    "gru": (_sequential(lambda: layers.GRU(16)), SERIES),
    "simple rnn": (_sequential(lambda: layers.SimpleRNN(16)), SERIES),
    "convolutions of series": (
        _sequential(lambda: layers.Conv1D(16, 3, activation="relu"), layers.GlobalMaxPooling1D, _dense(16)),
        SERIES,
    ),
    "embedding": (
        _sequential(lambda: layers.Embedding(VOCABULARY, 16), layers.GlobalAveragePooling1D, _dense(16)),
        WORDS,
    ),
    "embedding and lstm": (_sequential(lambda: layers.Embedding(VOCABULARY, 16), lambda: layers.LSTM(16)), WORDS),
    "attention": (_attention, (10, 16)),
}

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adam": optimizers.Adam,
    "sgd": optimizers.SGD,
    "momentum": lambda: optimizers.SGD(0.01, momentum=0.9),
    "adamw": optimizers.AdamW,
    "rmsprop": optimizers.RMSprop,
    "adagrad": optimizers.Adagrad,
}


def _fit(model: Any, task: Task, optimizer: Any, x: np.ndarray, y: np.ndarray, batch_size: int) -> None:
    model.compile(optimizer, task.loss(), metrics=list(task.metrics))
    model.fit(x, y, batch_size=batch_size, epochs=2, validation_data=(x, y), verbose=0)
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)


def _train(
    function: Callable[[Any], Any],
    model: Any,
    task: Task,
    optimizer: Any,
    x: np.ndarray,
    y: np.ndarray,
    batch_size: int,
) -> None:
    loss_function = task.loss()

    @function
    def step(x: Any, y: Any) -> Any:
        with GradientTape() as tape:
            loss = loss_function(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    batch = constant(x[:batch_size]), constant(y[:batch_size])
    for _ in range(STEPS):
        float(step(*batch))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {"function": function_ops.function, "eager": lambda step: step}
LOOPS: dict[str, Callable[..., None]] = {
    "fit": _fit,
    **{name: partial(_train, function) for name, function in FUNCTIONS.items()},
}


class TypicalComputation(NamedTuple):
    """A program without Keras's layers: a loss of variables, as operations.

    Attributes:
        model: a key of `LOSSES`.
        optimizer: a key of `OPTIMIZERS`.
        loop: a key of `FUNCTIONS`.
    """

    model: str
    optimizer: str
    loop: str

    def run(self) -> list[float]:
        """Minimizes the loss for some steps, in float32; returns the losses."""
        rng = np.random.default_rng(0)
        loss_function, shapes, input_shape = LOSSES[self.model]
        x = constant(rng.normal(size=input_shape).astype(np.float32))
        labels = constant(_labels(rng, BATCH))
        variables = [tf.Variable(rng.normal(size=shape).astype(np.float32)) for shape in shapes]
        optimizer = OPTIMIZERS[self.optimizer]()

        @FUNCTIONS[self.loop]
        def step() -> Any:
            with GradientTape() as tape:
                loss = loss_function(x, labels, *variables)
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return loss

        return [float(step()) for _ in range(STEPS)]


def _squared_error(x: Any, labels: Any, weights: Any, offset: Any) -> Any:
    return tf.reduce_mean(tf.square(tf.matmul(x, weights) + offset - tf.cast(labels, tf.float32)[:, None]))


def _cross_entropy(x: Any, labels: Any, weights: Any, offset: Any, last_weights: Any, last_offset: Any) -> Any:
    hidden = tf.nn.relu(tf.matmul(x, weights) + offset)
    logits = tf.matmul(hidden, last_weights) + last_offset
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def _functions_of_elements(x: Any, labels: Any, scale: Any, offset: Any) -> Any:
    y = tf.sin(x * scale) + tf.exp(-tf.square(x)) * tf.cos(x) + tf.tanh(x + offset) + tf.sigmoid(x)
    return tf.reduce_mean(y) + tf.reduce_sum(tf.square(scale))


LOSSES: dict[str, tuple[Callable[..., Any], Sequence[Sequence[int]], Sequence[int]]] = {
    "squared error": (_squared_error, ((20, 1), (1,)), (BATCH, 20)),
    "cross-entropy": (_cross_entropy, ((20, 32), (32,), (32, 10), (10,)), (BATCH, 20)),
    "functions of elements": (_functions_of_elements, ((1,), (1,)), (1 << 18,)),
}
"""By name: the loss, the shapes of its variables, and the shape of its input."""


def list_typical_programs() -> list[TypicalProgram | TypicalComputation]:
    """Returns the programs: each model, each task and each optimizer in the ways that are usual for it."""
    return list(dict.fromkeys(_programs()))


def _programs() -> Iterator[TypicalProgram | TypicalComputation]:
    for loss, optimizer, loop in itertools.product(LOSSES, ("adam", "sgd"), FUNCTIONS):
        yield TypicalComputation(loss, optimizer, loop)
    first = next(iter(TASKS))
    for model, optimizer in itertools.product(MODELS, ("adam", "sgd")):
        yield TypicalProgram(model, first, optimizer, "fit")
    for model, loop, batch in itertools.product(MODELS, ("function", "eager"), (BATCH, LARGE_BATCH)):
        yield TypicalProgram(model, first, "adam", loop, batch)
    for task, optimizer, loop in itertools.product(TASKS, ("adam", "sgd"), ("fit", "function")):
        yield TypicalProgram("dense", task, optimizer, loop)
    for optimizer, loop in itertools.product(OPTIMIZERS, LOOPS):
        yield TypicalProgram("dense", first, optimizer, loop)
