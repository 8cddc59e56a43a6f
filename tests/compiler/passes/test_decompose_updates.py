"""The update of a large variable goes into the loop that makes its gradient, with the bits of the update in one kernel."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import validate
from fastgrad._src.compiler.passes import decompose_updates as module
from fastgrad._src.compiler.passes.decompose_updates import decompose_updates
from fastgrad._src.compiler.programs.pipeline import optimize_for_host
from tests.compiler.passes.programs import operations, record
from tests.keras.optimizers.reference import ALL, IDS

SHAPE = (64, 3)


class Training:
    """Two variables with gradients that are made element by element, one with a sum's."""

    def __init__(self, make, dtype=np.float32):
        rng = np.random.default_rng(0)
        self.large = [tf.Variable(rng.normal(size=SHAPE), dtype=dtype) for _ in range(2)]
        self.bias = tf.Variable(np.zeros(3), dtype=dtype)
        self.large[0].assign(tf.tensor_scatter_nd_update(self.large[0], [[0, 0], [1, 2]], [np.inf, -0.0]))
        self.optimizer = make()

    def __call__(self, x):
        variables = [*self.large, self.bias]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.tanh(self.large[0] * x + self.bias) * tf.exp(self.large[1]))
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def state(self):
        return [v.numpy() for v in (*self.large, self.bias, *self.optimizer.variables)]


@pytest.fixture
def from_few_bytes(monkeypatch):
    monkeypatch.setattr(module, "LEAST_UPDATE_BYTES", 4 * SHAPE[0] * SHAPE[1])


def assert_same_state(make, dtype, change=lambda training, number: None):
    """Steps whose updates are fused, and those whose are not, give the same bits."""
    fused, apart = Training(make, dtype), Training(make, dtype)
    one, other = tf.function(fused), tf.function(apart)
    for number, x in enumerate(batches(dtype)):
        change(fused, number)
        change(apart, number)
        one(tf.constant(x))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "LEAST_UPDATE_BYTES", 1 << 30)
            other(tf.constant(x))
        for found, wanted in zip(fused.state(), apart.state(), strict=True):
            np.testing.assert_array_equal(found, wanted)


def batches(dtype=np.float32):
    rng = np.random.default_rng(1)
    return [rng.normal(size=SHAPE).astype(dtype) for _ in range(4)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), ALL, ids=IDS)
def test_bits_are_those_of_the_kernel_of_all_variables(name, options, dtype, from_few_bytes):
    assert_same_state(lambda: getattr(tf.keras.optimizers, name)(**options), dtype)


def test_decay_is_followed(from_few_bytes):
    def change(training, number):
        training.optimizer.weight_decay = (0.0, 0.0, 0.25, 0.0)[number]

    assert_same_state(lambda: tf.keras.optimizers.AdamW(0.1, weight_decay=0.0), np.float32, change)


def test_what_is_left_of_a_mean_becomes_zero_in_both(from_few_bytes):
    trainings = []

    def change(training, number):
        trainings.append(training)
        if number == 3:  # from here on the second variable has no gradient
            for variable in (training.large[0], training.bias):
                variable.assign(tf.zeros_like(variable))
            for slot in training.optimizer.variables[2:]:
                slot.assign(tf.fill(slot.shape, np.float32(1e-40)))

    assert_same_state(lambda: tf.keras.optimizers.Adam(0.1), np.float32, change)
    moments = [v.numpy() for v in trainings[0].optimizer.variables[2:] if v.shape == SHAPE]
    assert [bool((m == 0).all()) for m in moments] == [False, False, True, True]


def test_only_the_others_are_updated_by_the_kernel_of_all_variables(from_few_bytes):
    training = Training(lambda: tf.keras.optimizers.SGD(0.1))
    training(tf.zeros(SHAPE))
    graph = record(training, *batches()[:1])
    found = decompose_updates(graph)
    validate(found)
    (update,) = [node for node in found.nodes if operations_of(node) == "apply_update"]
    assert update.attributes["count"] == 1
    assert update.inputs[0].shape == (3,)


def operations_of(node):
    return getattr(node.payload, "name", None)


def test_nothing_is_left_of_an_update_that_is_fused(from_few_bytes):
    variable = tf.Variable(np.ones(SHAPE, np.float32))
    optimizer = tf.keras.optimizers.SGD(0.1)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(variable * x))
        optimizer.apply_gradients([(tape.gradient(loss, variable), variable)])
        return loss

    step(tf.zeros(SHAPE))
    compiled = optimize_for_host(record(step, *batches()[:1]))
    large = [node for node in compiled.nodes if any(value.shape == SHAPE for value in node.outputs) and node.inputs]
    assert len(large) == 1
    assert "apply_update" not in operations(compiled)


def test_small_gradients_those_of_products_and_those_that_others_read_stay(from_few_bytes):
    variables = [tf.Variable(np.ones(SHAPE, np.float32)), tf.Variable(np.ones(2, np.float32))]
    optimizer = tf.keras.optimizers.SGD(0.1)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(x @ variables[0])) + tf.reduce_sum(tf.square(variables[1]))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.exp(variables[0]))
        gradient = tape.gradient(loss, variables[0])
        optimizer.apply_gradients([(gradient, variables[0])])
        return gradient

    x = np.ones((5, SHAPE[0]), np.float32)
    step(tf.constant(x))
    graph = record(step, x)
    assert operations(decompose_updates(graph)) == operations(graph)
