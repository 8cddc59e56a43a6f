"""The update of a weight matrix follows the product that makes its gradient, with the bits that it has on its own."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.fusion import product_updates as module
from fastgrad._src.compiler.fusion.product_updates import UpdatedProduct
from fastgrad._src.compiler.programs.pipeline import optimize_for_host
from tests.compiler.passes.programs import record
from tests.keras.optimizers.reference import ALL, IDS


class Training:
    """Two layers."""

    def __init__(self, make, dtype=np.float32, batch=20, width=33):
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(4, batch, 12)).astype(dtype)
        self.kernels = [
            tf.Variable(rng.normal(size=(12, width)), dtype=dtype),
            tf.Variable(rng.normal(size=(width, 7)), dtype=dtype),
        ]
        self.bias = tf.Variable(np.zeros(width), dtype=dtype)
        self.optimizer = make()

    def __call__(self, x):
        variables = [*self.kernels, self.bias]
        with tf.GradientTape() as tape:
            hidden = tf.nn.relu(x @ self.kernels[0] + self.bias)
            loss = tf.reduce_mean(tf.square(hidden @ self.kernels[1]))
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def state(self):
        return [v.numpy() for v in (*self.kernels, self.bias, *self.optimizer.variables)]


@pytest.fixture(autouse=True)
def from_few_elements(monkeypatch):
    monkeypatch.setattr(module, "LEAST_UPDATED_ELEMENTS", 200)


def updated(graph):
    """The rules of the updates that follow a product."""
    return [node.payload.rule for node in optimize_for_host(graph).nodes if isinstance(node.payload, UpdatedProduct)]


def assert_same_state(make, training=Training, **options):
    """Steps whose updates follow products, and those whose do not, give the same bits."""
    joined, apart = training(make, **options), training(make, **options)
    one, other = tf.function(joined), tf.function(apart)
    for x in joined.x:
        first = one(tf.constant(x))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "LEAST_UPDATED_ELEMENTS", 1 << 30)
            second = other(tf.constant(x))
        assert first.numpy() == second.numpy()
        for found, wanted in zip(joined.state(), apart.state(), strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), ALL, ids=IDS)
def test_bits_are_those_of_the_kernel_of_all_variables(name, options, dtype):
    assert_same_state(lambda: getattr(tf.keras.optimizers, name)(**options), dtype=dtype)


def test_long_sums_whose_chains_are_apart_are_followed_too():
    assert_same_state(lambda: tf.keras.optimizers.Adam(0.01), batch=3000, width=120)


def test_every_large_kernel_is_updated_where_its_gradient_is_made():
    training = Training(lambda: tf.keras.optimizers.Adam(0.1))
    training(tf.constant(training.x[0]))
    graph = record(training, training.x[0])
    assert updated(graph) == ["adam", "adam"]
    rest = [node for node in optimize_for_host(graph).nodes if getattr(node.payload, "name", "") == "apply_update"]
    assert [node.attributes["count"] for node in rest] == [1]


@pytest.mark.parametrize("options", [{"global_clipnorm": 0.5}, {"clipnorm": 0.5}, {"use_ema": True}])
def test_gradients_and_weights_that_others_read(options):
    assert_same_state(lambda: tf.keras.optimizers.SGD(0.1, **options))


def test_weights_that_are_read_after_their_update():
    kernel = tf.Variable(np.ones((20, 20), np.float32))
    optimizer = tf.keras.optimizers.SGD(0.5)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(x @ kernel)
        before = kernel * 2.0
        optimizer.apply_gradients([(tape.gradient(loss, kernel), kernel)])
        return before, kernel + 0.0

    compiled = tf.function(step)
    x = np.arange(60, dtype=np.float32).reshape(3, 20)
    value = np.ones((20, 20), np.float32)
    for _ in range(4):
        before, after = compiled(tf.constant(x))
        np.testing.assert_array_equal(before, 2 * value)
        value = value - np.float32(0.5) * np.repeat(x.sum(0)[:, None], 20, 1)
        np.testing.assert_array_equal(after, value)
        np.testing.assert_array_equal(kernel.numpy(), value)
    assert updated(record(step, x)) == ["sgd"]


class Decaying(Training):
    """Gradients are a product and something else: a share of the first weights, another product for the second."""

    def __call__(self, x):
        variables = [*self.kernels, self.bias]
        with tf.GradientTape() as tape:
            hidden = tf.nn.relu(x @ self.kernels[0] + self.bias)
            loss = tf.reduce_mean(tf.square(hidden @ self.kernels[1]) + tf.tanh(hidden * 0.5) @ self.kernels[1])
        first, *others = tape.gradient(loss, variables)
        self.optimizer.apply_gradients(zip([first + 0.01 * self.kernels[0], *others], variables, strict=True))
        return loss


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), ALL, ids=IDS)
def test_updates_follow_what_is_done_with_a_product(name, options, dtype):
    assert_same_state(lambda: getattr(tf.keras.optimizers, name)(**options), Decaying, dtype=dtype)


def test_long_sums_are_followed_by_a_map_and_an_update():
    assert_same_state(lambda: tf.keras.optimizers.Adam(0.01), Decaying, batch=3000, width=120)


def test_weights_that_their_gradient_reads_stay_where_they_are():
    training = Decaying(lambda: tf.keras.optimizers.Adam(0.1))
    step = tf.function(training)
    for x in training.x:
        step(tf.constant(x))
    assert updated(record(training, training.x[0])) == ["adam", "adam"]
    assert "copy" not in str(step.report())
