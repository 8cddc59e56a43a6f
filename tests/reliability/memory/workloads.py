"""What is repeated: generators that do one more round of work at each `next`."""

from __future__ import annotations

import itertools
import math
import tempfile
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastgrad as tf

keras = tf.keras
layers = keras.layers

X = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
Y = np.arange(8) % 3


class Workload(NamedTuple):
    """A generator and how often it is repeated.

    Attributes:
        rounds: a generator that never ends.
        full, short: rounds of the two forms of the suite.
        counted: the figure that the rounds count for.
        threads: the threads of the process.
    """

    rounds: Callable[[], Iterator[None]]
    full: int
    short: int
    counted: str
    threads: int = 1


WORKLOADS: dict[str, Workload] = {}


def workload(full: int, short: int, counted: str, threads: int = 1) -> Callable[[Any], Any]:
    """Adds a generator to `WORKLOADS`."""

    def add(rounds: Callable[[], Iterator[None]]) -> Callable[[], Iterator[None]]:
        WORKLOADS[rounds.__name__] = Workload(rounds, full, short, counted, threads)
        return rounds

    return add


def classifier() -> Any:
    return keras.Sequential([layers.Dense(16, activation="relu"), layers.Dropout(0.1), layers.Dense(4)])


def training_step(model: Any = None) -> Callable[[Any, Any], Any]:
    """A step of training: model, loss, gradients and optimizer."""
    model = model or classifier()
    optimizer = keras.optimizers.Adam()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
        return value

    return step


# ---- replays -------------------------------------------------------------------------------------------------------


@workload(1_000_000, 20_000, "replays")
def replays_of_a_training_step() -> Iterator[None]:
    step, x, y = tf.function(training_step()), tf.constant(X), tf.constant(Y)
    while True:
        step(x, y)
        yield


@workload(100_000, 2_000, "replays")
def replays_under_a_tape() -> Iterator[None]:
    v = tf.Variable(X)
    product = tf.function(lambda x: tf.tanh(x) * x)
    while True:
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(product(v))
        tape.gradient(y, v)
        yield


@workload(100_000, 2_000, "replays")
def replays_whose_results_are_kept_for_a_while() -> Iterator[None]:
    """Results and snapshots of variables, of which the last 50 are alive."""
    v = tf.Variable(X)

    @tf.function
    def step(x: Any) -> Any:
        v.assign_add(x)
        return v * 2.0, tf.identity(v)

    kept: list[Any] = []
    while True:
        kept.append((step(X), v.value()))
        del kept[:-50]
        yield


@workload(5_000, 100, "replays", threads=2)
def replays_on_large_arrays_and_two_threads() -> Iterator[None]:
    model = keras.Sequential([layers.Dense(256, activation="relu"), layers.LayerNormalization(), layers.Dense(4)])
    step, x, y = tf.function(training_step(model)), tf.ones((300, 200)), tf.zeros(300, tf.int32)
    while True:
        step(x, y)
        yield


@workload(20_000, 1_000, "replays")
def branches_and_loops_on_values() -> Iterator[None]:
    @tf.function
    def step(x: Any, count: Any) -> Any:
        for _ in tf.range(count):
            x = x * 0.5 if tf.reduce_sum(x) > 1.0 else x + 1.0
        return x

    for i in itertools.count():
        step(tf.constant(X[i % 8]), tf.constant(i % 5))
        yield


# ---- changes of shape ----------------------------------------------------------------------------------------------


def shuffled_pairs(count: int) -> Iterator[tuple[int, int]]:
    """All pairs of numbers from 1 to `count`, in an order that has large and small ones everywhere; again and again."""
    order = np.random.default_rng(0).permutation(count * count)
    while True:
        for pair in order:
            yield int(pair) // count + 1, int(pair) % count + 1


@workload(4_000, 150, "changes of shape")
def shapes_of_a_training_step() -> Iterator[None]:
    """Another batch size and another length each time: 64 of each."""
    model = keras.Sequential([layers.Dense(4, activation="tanh"), layers.GlobalAveragePooling1D(), layers.Dense(3)])
    step = tf.function(training_step(model))
    for batch, length in shuffled_pairs(64):
        x, y = tf.ones((batch, length, 4)), tf.zeros(batch, tf.int32)
        step(x, y), step(x, y)
        yield


@workload(20_000, 300, "changes of shape")
def shapes_of_all_operands() -> Iterator[None]:
    """A product, its gradients and reductions, in which every size changes."""

    @tf.function
    def step(x: Any, w: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(w)
            y = tf.nn.softmax(tf.nn.relu(tf.matmul(x, w)) + tf.reduce_mean(x))
            loss = tf.reduce_sum(y * y)
        return tape.gradient(loss, w)

    for number, (rows, columns) in enumerate(shuffled_pairs(142)):
        terms = number % 23 + 1
        x, w = tf.ones((rows, terms)), tf.ones((terms, columns))
        step(x, w), step(x, w)
        yield


@workload(28_000, 300, "changes of shape")
def shapes_of_eager_operations() -> Iterator[None]:
    for rows, columns in shuffled_pairs(142):
        x = tf.Variable(tf.ones((rows, columns)))
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.nn.softmax(tf.matmul(x, x, transpose_b=True)), 0)
            z = tf.concat([y, tf.reshape(tf.transpose(x), [-1])], 0)
            loss = tf.einsum("i,i->", z, z)
        tape.gradient(loss, x)
        yield


@workload(10_000, 100, "changes of Python values")
def python_values_of_a_step() -> Iterator[None]:
    step = tf.function(lambda x, name, count: x * count + len(name))
    x = tf.constant(X)
    for i in itertools.count():
        step(x, f"name {i}", i), step(x, f"name {i}", i)
        yield


# ---- definitions ---------------------------------------------------------------------------------------------------


@workload(1_000, 30, "redefinitions")
def closures() -> Iterator[None]:
    x, y = tf.constant(X), tf.constant(Y)
    while True:
        step = tf.function(training_step())
        for _ in range(3):
            step(x, y)
        yield


@workload(1_000, 30, "redefinitions")
def lambdas() -> Iterator[None]:
    x = tf.constant(X)
    for i in itertools.count():
        f = tf.function(lambda x, i=i: tf.nn.softmax(x * float(i) + i))
        f(x), f(x), f(x)
        yield


@workload(1_000, 30, "redefinitions")
def methods_of_objects() -> Iterator[None]:
    class Cell:
        def __init__(self) -> None:
            self.v = tf.Variable(X)

        @tf.function
        def __call__(self, x: Any) -> Any:
            self.v.assign_add(x)
            return tf.reduce_sum(self.v)

    while True:
        cell = Cell()
        cell(X), cell(X), cell(X)
        yield


@workload(1_000, 20, "redefinitions")
def texts_of_functions() -> Iterator[None]:
    """A function defined by new source text each time, as in a notebook."""
    x = tf.constant(X)
    for i in itertools.count():
        scope = types.SimpleNamespace(tf=tf).__dict__
        text = f"@tf.function\ndef step_{i}(x):\n    return tf.reduce_sum(tf.tanh(x) * {i}.5, 0)\n"
        exec(compile(text, f"<cell {i}>", "exec"), scope)
        scope[f"step_{i}"](x), scope[f"step_{i}"](x)
        yield


@workload(1_000, 12, "redefinitions")
def models_that_are_fitted() -> Iterator[None]:
    x, y = np.tile(X, (2, 1)), np.tile(Y, 2)
    while True:
        model = classifier()
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        model.fit(x, y, batch_size=8, epochs=2, verbose=0)
        model.predict(x, verbose=0)
        yield


@workload(300, 6, "redefinitions")
def recurrent_and_convolutional_models() -> Iterator[None]:
    images, words = np.ones((4, 8, 8, 3), np.float32), np.arange(24).reshape(4, 6)
    while True:
        image = keras.Input((8, 8, 3))
        pooled = layers.GlobalMaxPooling2D()(layers.BatchNormalization()(layers.Conv2D(4, 3)(image)))
        model = keras.Model(image, layers.Dense(2)(pooled))
        model.compile("sgd", "mse")
        model.train_on_batch(images, np.zeros((4, 2), np.float32))
        model = keras.Sequential([layers.Embedding(30, 4), layers.LSTM(5), layers.Dense(2)])
        model.compile("rmsprop", "mse")
        model.train_on_batch(words, np.zeros((4, 2), np.float32))
        yield


@workload(100, 4, "redefinitions")
def formulas_of_users() -> Iterator[None]:
    """An operation of the user's own, defined again each time, eager and compiled."""
    x = tf.constant(X)
    while True:

        @tf.elementwise
        def swish(x):  # type: ignore[no-untyped-def]
            return x / (1.0 + math.exp(-x))

        f = tf.function(lambda x, swish=swish: swish(x) * 2.0)
        swish(x), f(x), f(x)
        yield


# ---- eager ---------------------------------------------------------------------------------------------------------


@workload(1_000_000, 10_000, "eager operations")
def eager_operations() -> Iterator[None]:
    x = tf.constant(X)
    for operation in itertools.cycle([tf.tanh, tf.transpose, tf.reduce_sum, tf.nn.softmax, tf.square, tf.shape]):
        operation(x) if operation is not tf.square else x * x + 1.0
        yield


@workload(100_000, 2_000, "tapes")
def tapes() -> Iterator[None]:
    v = tf.Variable(X)
    while True:
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.tanh(v) * v)
        tape.gradient(y, v)
        yield


@workload(20_000, 300, "tapes")
def persistent_tapes() -> Iterator[None]:
    v = tf.Variable(X)
    while True:
        with tf.GradientTape(persistent=True) as tape:
            y = tf.tanh(v)
            z = tf.reduce_sum(y * y)
        tape.gradient(y, v), tape.gradient(z, v), tape.jacobian(z, y)
        yield


@workload(5_000, 150, "training steps")
def eager_training() -> Iterator[None]:
    step = training_step()
    while True:
        step(X, Y)
        yield


@workload(5_000, 150, "variables")
def variables_and_optimizers() -> Iterator[None]:
    while True:
        v = tf.Variable(X, name="v")
        optimizer = keras.optimizers.Adam(clipnorm=1.0)
        optimizer.apply_gradients([(tf.ones_like(v), v)])
        v.assign_add(X)
        yield


@workload(2_000, 60, "errors")
def errors_with_tracebacks() -> Iterator[None]:
    """An error in an eager operation, while a step is recorded, and in a replay; each is kept with its traceback until the next."""
    x = tf.constant(X)
    kept: Any = None

    @tf.function
    def checked(x: Any, limit: Any) -> Any:
        tf.debugging.assert_less(x, limit)
        return x * 2.0

    @tf.function
    def wrong(x: Any) -> Any:
        y = tf.tanh(x)
        return tf.matmul(y, y)

    checked(x, tf.constant(100.0)), checked(x, tf.constant(100.0))
    while True:
        calls = [
            lambda: tf.matmul(x, x),
            lambda: wrong(x),
            lambda: checked(x, tf.constant(-100.0)),
            lambda: tf.function(lambda x: 1 // len(x[:0]))(x),
        ]
        for call in calls:
            try:
                call()
            except (tf.errors.InvalidArgumentError, ZeroDivisionError) as error:
                kept = error
        assert kept is not None
        yield


@workload(1_000, 40, "threads")
def threads() -> Iterator[None]:
    """New threads that call a compiled step and record a tape."""
    step, x, y = tf.function(training_step()), tf.constant(X), tf.constant(Y)

    def run() -> None:
        step(x, y)
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = tf.tanh(x)
        tape.gradient(z, x)

    while True:
        several = [threading.Thread(target=run) for _ in range(2)]
        for thread in several:
            thread.start()
        for thread in several:
            thread.join()
        yield


# ---- data and files ------------------------------------------------------------------------------------------------


@workload(2_000, 60, "iterators")
def iterators_of_datasets() -> Iterator[None]:
    """Iterators that end, and iterators that are left."""
    dataset = tf.data.Dataset.from_tensor_slices({"x": X, "y": Y}).map(lambda d: (d["x"] * 2.0, d["y"]))
    dataset = dataset.shuffle(8).repeat(2).batch(4).prefetch(tf.data.AUTOTUNE)
    while True:
        for _ in dataset:
            pass
        next(iter(dataset))
        yield


@workload(1_000, 20, "pipelines")
def datasets() -> Iterator[None]:
    """Pipelines of so many elements that their functions are compiled."""
    while True:
        dataset = tf.data.Dataset.range(50).map(lambda i: i * 2, num_parallel_calls=2).filter(lambda i: i % 3 == 0)
        sum(int(x) for x in dataset.window(2).flat_map(lambda w: w.batch(2)).unbatch().cache())
        yield


@workload(1_000, 20, "checkpoints")
def checkpoints() -> Iterator[None]:
    model, optimizer = classifier(), keras.optimizers.Adam()
    model(X)
    optimizer.build(model.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
        manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=2)
        while True:
            checkpoint.restore(manager.save())
            yield


@workload(200, 6, "files of models")
def files_of_models() -> Iterator[None]:
    model = classifier()
    model(X)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        while True:
            model.save(path / "model.keras")
            keras.models.load_model(path / "model.keras")(X)
            model.save_weights(path / "model.weights.h5")
            model.load_weights(path / "model.weights.h5")
            yield
