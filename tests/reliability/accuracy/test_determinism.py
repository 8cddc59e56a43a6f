"""The same bits for 1 to 8 threads, eager and compiled: sums, products, convolutions, softmax, dropout, optimizers and a whole training step."""

import numpy as np
import pytest

import fastgrad as tf
from tests.reliability.machines.programs import ARRAYS, OPTIMIZERS

layers = tf.keras.layers


@pytest.fixture
def with_threads():
    before = tf.config.get_num_threads()
    yield tf.config.set_num_threads
    tf.config.set_num_threads(before)


def bits(*tensors):
    return [np.asarray(x).tobytes() for x in tensors]


def dropped(x):
    tf.random.set_seed(7)
    return tf.nn.dropout(x, 0.5)


FUNCTIONS = {
    **{
        name: function for name, function in ARRAYS.items() if name not in ("attention", "convolution", "cross entropy")
    },
    "logsumexp": lambda x: tf.reduce_logsumexp(x, 0),
    "euclidean norm": tf.math.reduce_euclidean_norm,
    "segments": lambda x: tf.math.unsorted_segment_sum(x, tf.range(x.shape[0]) % 7, 7),
    "dropout": dropped,
    "convolution of images": lambda x: tf.nn.conv2d(
        tf.reshape(x[:320, :320], [4, 40, 40, 16]), tf.reshape(x[:9, :256], [3, 3, 16, 16]), 1, "SAME"
    ),
    "batch moments": lambda x: tf.nn.moments(x, [0])[1],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, full, figure, with_threads):
    x = tf.constant(np.random.default_rng(0).normal(size=(700, 640) if full else (400, 384)).astype(np.float32))
    function = FUNCTIONS[name]

    @tf.function
    def with_gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return y, tape.gradient(y, x)

    results = {}
    for threads in range(1, 9) if full else (1, 3, 8):
        with_threads(threads)
        eager = function(x)
        compiled = [with_gradient(x) for _ in range(3)][-1] if name != "dropout" else ()
        results[threads] = bits(eager, *compiled)
        figure("results compared between numbers of threads", len(results[threads]))
    assert [threads for threads in results if results[threads] != results[1]] == []


def trained(optimizer):
    """The weights and the losses of some compiled training steps of a model with the usual layers."""
    tf.keras.utils.set_random_seed(3)
    model = tf.keras.Sequential(
        [
            layers.Conv2D(16, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(96, activation="gelu"),
            layers.LayerNormalization(),
            layers.Dense(10),
        ]
    )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    r = np.random.default_rng(1)
    x, labels = tf.constant(r.normal(size=(48, 20, 20, 3)).astype(np.float32)), tf.constant(np.arange(48) % 10)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(labels, model(x, training=True))
        weights = model.trainable_weights
        optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
        return value

    losses = [step() for _ in range(4)]
    return bits(*losses, *model.weights)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_steps(name, full, figure, with_threads):
    if not full and name != "Adam":
        pytest.skip("the long form tries every optimizer; tests/kernels/optimizers has their updates")
    results = {}
    for threads in range(1, 9) if full else (1, 3, 8):
        with_threads(threads)
        results[threads] = trained(getattr(tf.keras.optimizers, name)(0.01))
        figure("results compared between numbers of threads", len(results[threads]))
    assert [threads for threads in results if results[threads] != results[1]] == []
