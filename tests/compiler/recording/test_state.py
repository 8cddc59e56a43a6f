"""State of programs that are written down: draws, metrics, moving averages, parts of variables; replays leave what eager calls do."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.graph.interpret import GuardError, interpret
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.recorded import record


def replays(function, first, *others):
    """What ``function`` gives called on each of the arguments, the first time recorded, then replayed."""
    graph, there = record(function, *first)
    return [there, *[Program(graph)(list(arrays)) for arrays in others]]


def calls(function, *arguments):
    """What ``function`` gives called eagerly on each of the arguments."""
    found = [tf.nest.flatten(function(*map(tf.constant, arrays))) for arrays in arguments]
    return [[tf.convert_to_tensor(y).numpy() for y in results] for results in found]


def assert_same(found, wanted):
    for results, expected in zip(found, wanted, strict=True):
        for one, other in zip(results, expected, strict=True):
            assert (one.shape, one.dtype) == (np.shape(other), other.dtype)
            if one.dtype.kind in "fc":
                np.testing.assert_allclose(one, other, rtol=4e-7, atol=1e-7)
            else:
                np.testing.assert_array_equal(one, other)


# ---- draws -----------------------------------------------------------------------------------------------

X = np.linspace(0.5, 3.0, 12, dtype=np.float32).reshape(3, 4)
GENERATOR = tf.random.Generator.from_seed(5)


def masked(x):
    """Dropout and its gradient, which repeats its numbers."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.nn.dropout(x, 0.5) * 3.0
    return y, tape.gradient(y, x)


DRAWS = {
    "uniform": lambda x: tf.random.uniform(x.shape) + x,
    "uniform between tensors": lambda x: tf.random.uniform(x.shape, x, x + 1.0),
    "integers": lambda x: tf.random.uniform([5], 0, 10, tf.int32),
    "integers between tensors": lambda x: tf.random.uniform([5], 0, tf.cast(x[2, 3], tf.int64) + 10, tf.int64),
    "normal": lambda x: tf.random.normal(x.shape, 1.0, 2.0) * x,
    "normal around tensors": lambda x: tf.random.normal(x.shape, x, x),
    "truncated": lambda x: tf.random.truncated_normal(x.shape, dtype=tf.float64),
    "half": lambda x: tf.random.uniform(x.shape, dtype=tf.float16),
    "dropout": masked,
    "dropout of rows": lambda x: tf.nn.dropout(x, 0.5, noise_shape=[3, 1]),
    "two": lambda x: (tf.random.normal([2]), tf.random.normal([2], seed=3), tf.random.normal([2])),
    "shuffle": tf.random.shuffle,
    "categorical": lambda x: tf.random.categorical(x, 6),
    "gamma": lambda x: tf.random.gamma([2], x, x),
    "poisson": lambda x: tf.random.poisson([2], x),
    "stateless": lambda x: tf.random.stateless_normal([3], tf.cast(x[0, :2] * 10.0, tf.int32)),
    "split": lambda x: tf.random.split(tf.cast(x[0, :2] * 10.0, tf.int64), 3),
    "fold_in": lambda x: tf.random.fold_in(tf.constant([1, 2]), tf.cast(x[2, 3], tf.int32)),
    "generator": lambda x: (
        GENERATOR.normal(x.shape),
        GENERATOR.uniform_full_int([3]),
        GENERATOR.binomial([4], 9, 0.5),
    ),
    "skip": lambda x: (GENERATOR.normal([3]), GENERATOR.skip(7), GENERATOR.normal([3]), GENERATOR.make_seeds(2)),
    "global generator": lambda x: tf.random.get_global_generator().normal(x.shape),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_are_those_of_eager_calls(name):
    function = DRAWS[name]
    arguments = [(np.asarray(X * k),) for k in (1, 2, 3)]
    tf.random.set_seed(7)
    GENERATOR.reset_from_seed(2)
    wanted = calls(function, *arguments)
    tf.random.set_seed(7)
    GENERATOR.reset_from_seed(2)
    assert_same(replays(function, *arguments), wanted)
    assert any(one.tobytes() != other.tobytes() for one, other in zip(wanted[0], wanted[1], strict=True))


def test_seeds_are_followed_between_replays():
    graph, _ = record(
        lambda x: (tf.random.normal([3]) * x, tf.random.normal([3], seed=4), GENERATOR.normal([2])), X[0, :3]
    )
    program = Program(graph)
    found = []
    for _ in range(2):
        tf.random.set_seed(11)
        GENERATOR.reset_from_seed(3)
        found.append([program([X[0, :3]]) for _ in range(3)])
    assert_same(*found)
    tf.random.set_seed(11)
    GENERATOR.reset_from_seed(3)
    eager = calls(
        lambda x: (tf.random.normal([3]) * x, tf.random.normal([3], seed=4), GENERATOR.normal([2])), *[(X[0, :3],)] * 3
    )
    assert_same(found[0], eager)


def test_another_global_generator_is_another_program():
    graph, _ = record(lambda x: tf.random.get_global_generator().normal([2]) + x, X[0, :2])
    program = Program(graph)
    program([X[0, :2]])
    tf.random.set_global_generator(tf.random.Generator.from_seed(1))
    with pytest.raises(GuardError):
        program([X[0, :2]])
    tf.random.set_seed(1)
    graph, _ = record(lambda x: tf.random.get_global_generator().normal([2]) + x, X[0, :2])
    tf.random.set_seed(1)
    Program(graph)([X[0, :2]])


def test_a_layer_with_a_seed():
    layers = [tf.keras.layers.Dropout(0.5, seed=1) for _ in range(2)]
    arguments = [(X,)] * 3
    found = replays(lambda x: layers[0](x, training=True), *arguments)
    assert_same(found, calls(lambda x: layers[1](x, training=True), *arguments))


def test_an_unused_draw_keeps_its_place():
    def function(x):
        tf.random.normal([50])
        return tf.random.normal([2]) + x

    arguments = [(X[0, :2],)] * 3
    tf.random.set_seed(1)
    wanted = calls(function, *arguments)
    tf.random.set_seed(1)
    assert_same(replays(function, *arguments), wanted)


@pytest.mark.parametrize(
    "function",
    [lambda x: tf.random.set_seed(1) or x + 1.0, lambda x: tf.random.set_global_generator(GENERATOR) or x + 1.0],
)
def test_seeding_inside_is_refused(function):
    with pytest.raises(tf.errors.UnimplementedError, match="was called while"):
        record(function, X)


def test_a_function_that_sets_a_seed_draws_the_same_when_it_is_made_anew():
    def draw(x):
        tf.random.set_seed(3)
        return tf.random.uniform([2]) + x, tf.random.normal([2]), tf.random.uniform([2], seed=4)

    tf.random.set_seed(1)
    expected = tf.random.uniform([3]).numpy()
    tf.random.set_seed(1)
    first, again = (calls(tf.function(draw), *[(X[0, :2],)] * 2) for _ in range(2))
    assert_same(first, again)
    assert all(one.tobytes() != other.tobytes() for one, other in zip(*first, strict=True))
    np.testing.assert_array_equal(tf.random.uniform([3]), expected)


def test_a_draw_is_made_of_values():
    graph, _ = record(lambda x: tf.nn.dropout(x, 0.5), X)
    assert [node.kind for node in graph.nodes if node.kind not in {Kind.OPERATION, Kind.ARGUMENT}] == [
        Kind.READ,
        Kind.ASSIGN,
    ]
    assert all(action.launches is not None for action in Program(graph).plan.actions)


# ---- variables ----------------------------------------------------------------------------------------------


def stateful(make, arguments):
    """``make()`` gives a function and the variables that it changes: eager calls and replays leave them the same."""
    function, variables = make()
    wanted = []
    for arrays in arguments:
        results = calls(function, arrays)[0]
        wanted.append([*results, *[v.numpy() for v in variables]])
    for compiled in (False, True):
        function, variables = make()
        graph, found = record(function, *arguments[0])
        assert_same([[*found, *[v.numpy() for v in variables]]], wanted[:1])
        program = Program(graph) if compiled else lambda arrays, graph=graph: interpret(graph, arrays)
        for arrays, expected in zip(arguments[1:], wanted[1:], strict=True):
            found = program(list(arrays))
            assert_same([[*found, *[v.numpy() for v in variables]]], [expected])


def metric(make):
    def parts():
        found = make()

        def function(labels, predictions):
            found.update_state(labels, predictions)
            return found.result()

        return function, found.variables

    return parts


@pytest.mark.parametrize(
    "make",
    [
        tf.keras.metrics.MeanSquaredError,
        tf.keras.metrics.RootMeanSquaredError,
        tf.keras.metrics.BinaryAccuracy,
        tf.keras.metrics.CategoricalAccuracy,
        tf.keras.metrics.BinaryCrossentropy,
        tf.keras.metrics.Mean,
        tf.keras.metrics.Sum,
    ],
)
def test_metrics(make):
    rng = np.random.default_rng(0)
    arguments = [(rng.integers(0, 2, (6, 3)).astype(np.float32), rng.random((6, 3), np.float32)) for _ in range(4)]
    stateful(metric(make), arguments)


def test_a_metric_reset_between_replays():
    mean = tf.keras.metrics.Mean()
    program = Program(record(mean, X)[0])
    mean.reset_state()
    assert program([X])[0] == pytest.approx(X.mean())
    mean.reset_state()
    assert program([X * 2])[0] == pytest.approx(2 * X.mean())
    assert program([X])[0] == pytest.approx(1.5 * X.mean())


def normalizing():
    mean, variance = tf.Variable(tf.zeros(4)), tf.Variable(tf.ones(4))

    def function(x):
        m, v = tf.nn.moments(x, [0])
        for moving, now in ((mean, m), (variance, v)):
            moving.assign_sub((moving - now) * 0.125)
        return tf.nn.batch_normalization(x, m, v, None, None, 1e-3), mean * 2.0

    return function, [mean, variance]


def test_moving_averages():
    stateful(normalizing, [(X * k,) for k in (1, 2, 3, 4)])


PARTS = {
    "assign": lambda v, x: v[1].assign(x[0]),
    "broadcast": lambda v, x: v[:, 1:3].assign(x[0, 0]),
    "assign_add": lambda v, x: v[::-1, ::2].assign_add(x[:, :2]),
    "assign_sub": lambda v, x: v[1:, None].assign_sub(x[0]),
    "scatter_add": lambda v, x: v.scatter_add(tf.IndexedSlices(x, tf.constant([2, 0, 2]))),
    "scatter_sub": lambda v, x: v.scatter_sub(tf.IndexedSlices(x, tf.constant([2, 0, 2]))),
    "scatter_mul": lambda v, x: v.scatter_mul(tf.IndexedSlices(x, tf.constant([2, 0, 2]))),
    "scatter_update": lambda v, x: v.scatter_update(tf.IndexedSlices(x, tf.cast(x[:, 0], tf.int32) % 3)),
    "batch_scatter_update": lambda v, x: v.batch_scatter_update(
        tf.IndexedSlices(x[:, :2], tf.constant([[0, 1], [1, 3], [2, 0]]))
    ),
    "scatter_nd_add": lambda v, x: v.scatter_nd_add([[0, 1], [2, 3], [0, 1]], x[:, 0]),
    "scatter_nd_max": lambda v, x: v.scatter_nd_max([[1], [0]], x[:2]),
    "scatter_nd_update": lambda v, x: v.scatter_nd_update([[1], [0]], x[:2]),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_variables(name):
    def make():
        v = tf.Variable(X)

        def function(x):
            before = v * 1.0
            PARTS[name](v, x)
            return before, v[1] + 1.0

        return function, [v]

    stateful(make, [(np.asarray(X * k),) for k in (1, 2, 3, 4)])


def test_a_position_out_of_range_is_refused_in_a_replay():
    v = tf.Variable(X)
    program = Program(
        record(lambda n: v.scatter_update(tf.IndexedSlices(tf.ones([1, 4]), n)).value(), np.array([1]))[0]
    )
    v.assign(X)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[0\] = 3"):
        program([np.array([3])])
    np.testing.assert_array_equal(v, X)


def test_embeddings():
    def make():
        tf.random.set_seed(1)
        layer = tf.keras.layers.Embedding(9, 4)
        dense = tf.keras.layers.Dense(2)
        dense(layer(np.zeros((2, 3), np.int32)))
        optimizer = tf.keras.optimizers.Adam(0.125)
        weights = [*layer.trainable_variables, *dense.trainable_variables]
        optimizer.build(weights)

        def function(ids):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(dense(layer(ids))))
            gradients = tape.gradient(loss, weights)
            assert isinstance(gradients[0], tf.IndexedSlices)
            optimizer.apply_gradients(zip(gradients, weights, strict=True))
            return loss

        return function, [*weights, *optimizer.variables]

    rng = np.random.default_rng(0)
    stateful(make, [(rng.integers(0, 9, (2, 3)).astype(np.int32),) for _ in range(5)])
