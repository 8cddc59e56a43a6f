"""How many kernels a training step is."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.jit.build import source_of
from fastgrad._src.kernels.runtime.launch import Launch
from tests.compiler.recorded import record

MOST = 9


def kernels_of(program):
    """The kernels that compute, each by its operations; what only decides whether the program goes on apart."""
    return [
        action.node.payload.name
        for action in program.plan.actions
        if action.node.kind is not Kind.GUARD
        for _ in action.launches.launches
    ]


def digits_step():
    """Of the example: 64-128-10, relu, softmax cross-entropy, Adam."""
    tf.random.set_seed(0)
    model = tf.keras.Sequential([tf.keras.layers.Dense(128, activation="relu"), tf.keras.layers.Dense(10)])
    model.build((None, 64))
    cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.Adam(1e-3)

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = cross_entropy(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step, [*model.variables, *optimizer.variables]


def batch(seed, rows=32):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 64)).astype(np.float32), rng.integers(0, 10, rows)


def test_the_digits_step():
    step, _ = digits_step()
    step(*map(tf.constant, batch(0)))
    graph, _ = record(step, *batch(1))
    kernels = kernels_of(Program(graph))
    assert len(kernels) <= MOST, kernels


def fused_kernels(launches):
    """The fused kernels of launches, and of the launches that these call: each name with the parameters that share memory."""
    found = set()
    for launch in launches:
        source = source_of(launch.kernel)
        if source is not None and source.function.__name__.startswith("fused"):
            found.add((source.function.__name__, source.in_place))
        found |= fused_kernels(operand for operand in launch.operands if isinstance(operand, Launch))
    return found


@pytest.mark.parametrize("rows", [5, 24, 40, 48, 127])
def test_another_batch_size_needs_no_other_kernel(rows):
    kernels = []
    for count in (32, rows):
        step, _ = digits_step()
        step(*map(tf.constant, batch(0, count)))
        actions = Program(record(step, *batch(1, count))[0]).plan.actions
        kernels.append(fused_kernels(launch for action in actions for launch in action.launches.launches))
    assert kernels[0] == kernels[1]
    assert len(kernels[0]) >= 4


def test_it_trains_as_it_does_eagerly():
    found = []
    for compiled in (False, True):
        step, variables = digits_step()
        run = tf.function(step) if compiled else step
        losses = [float(run(*map(tf.constant, batch(seed)))) for seed in range(8)]
        found.append((losses, [variable.numpy() for variable in variables]))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=2e-5)
    for ours, theirs in zip(found[1][1], found[0][1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=2e-5)


def test_single_numbers_are_computed_with_a_total():
    def program(x, rate):
        mean = tf.reduce_mean(x * x)
        return mean, tf.sqrt(rate) * 2.0 + 1.0

    x, rate = np.ones((8, 9), np.float32), np.float32(4.0)
    compiled = Program(record(program, x, rate)[0])
    assert len(kernels_of(compiled)) == 1
    assert [float(y) for y in compiled([x, rate])] == [1.0, 5.0]


def test_single_numbers_that_elements_are_multiplied_by_do_not_wait_for_a_total():
    def program(x, rate):
        return tf.reduce_sum(x), x * (tf.sqrt(rate) + 1.0)

    x, rate = np.ones((8, 9), np.float32), np.float32(4.0)
    compiled = Program(record(program, x, rate)[0])
    assert kernels_of(compiled) == ["sqrt+add", "reduce_sum+multiply"]
    total, scaled = compiled([x, rate])
    assert float(total) == 72.0
    assert (scaled == 3.0).all()


def test_a_counter_is_counted_in_its_own_memory():
    counter = tf.Variable(3, dtype=tf.int64)

    def program(x):
        counter.assign_add(1)
        return x / tf.cast(counter, tf.float32)

    compiled = Program(record(program, np.float32(8.0))[0])
    assert "copy" not in kernels_of(compiled)
    assert len(kernels_of(compiled)) == 1
    counter.assign(3)
    assert [float(compiled([np.asarray(np.float32(8.0))])[0]) for _ in range(2)] == [2.0, np.float32(8.0) / 5]
    assert int(counter) == 5


REDUCTIONS = {
    **{name: getattr(tf, f"reduce_{name}") for name in ("sum", "mean", "max", "min", "prod", "logsumexp")},
    "norm": tf.math.reduce_euclidean_norm,
    "variance": tf.math.reduce_variance,
    "count": tf.math.count_nonzero,
    "any": lambda x, axis: tf.reduce_any(x > 0.5, axis),
    "softmax": tf.nn.softmax,
    "log_softmax": tf.nn.log_softmax,
    "argmax": tf.argmax,
    "running sums": tf.cumsum,
}


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 2), (0, 1), (1, 2)])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_along_any_axes_copy_nothing(name, axis):
    function = REDUCTIONS[name]
    if type(axis) is tuple and name in ("softmax", "log_softmax", "argmax", "running sums"):
        return

    def program(x):
        if name in ("count", "any", "argmax"):
            return function(x, axis)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x, axis)
        return y, tape.gradient(y, x) if name != "prod" else y

    x = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    x[1, 2, 3], x[:, 4, 1], x[2, :, 5] = 0.0, -np.inf if name == "logsumexp" else 0.0, 0.0
    compiled = Program(record(program, x)[0])
    names = [launch.kernel.__name__ for action in compiled.plan.actions for launch in action.launches.launches]
    assert not [name for name in names if name.startswith("move")], names
    for found, wanted in zip(compiled([x]), tf.nest.flatten(program(tf.constant(x))), strict=False):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
