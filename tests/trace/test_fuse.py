"""Fusion groups element-wise operations, and changes no result and no order of effects."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.trace.fuse import MOST_STEPS, fuse, place_of
from fastgrad.trace.graph import Kind, validate
from fastgrad.trace.passes import optimized
from tests.ops.samples import SAMPLES
from tests.trace.passes.programs import assert_does_the_same, names, record
from tests.trace.test_replay import with_gradient

X = np.linspace(-1.5, 2.0, 12).reshape(3, 4)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_the_table(name):
    arrays = [np.asarray(a, np.float64) for a in SAMPLES[name].arrays]
    graph = record(with_gradient(SAMPLES[name].function), *arrays)
    assert_does_the_same(fuse, optimized(graph), [arrays])


def test_a_chain_is_one_node():
    graph = fuse(record(lambda x: tf.tanh(x * 2.0 + 1.0) / (x - 3.0), X))
    assert names(graph).count("FUSED") == 1
    assert [node.kind for node in graph.nodes if node.kind is Kind.OPERATION] == []
    (node,) = [node for node in graph.nodes if node.kind is Kind.FUSED]
    assert len(node.outputs) == 1
    assert "fused multiply+add+tanh+subtract+divide(" in str(node)


def test_a_gradient_takes_its_broadcasts():
    def program(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_mean(tf.square(tf.tanh(x) - 1.0), axis=1)
            loss = tf.reduce_sum(y * y)
        return tape.gradient(loss, x)

    graph = optimized(record(program, X))
    fused = assert_does_the_same(fuse, graph, [[X], [X + 1]])
    assert "spread" in names(graph)
    assert "spread" not in names(fused)


def test_a_value_read_outside_is_there_when_it_is_read():
    def program(x):
        a = x * 2.0
        total = tf.reduce_sum(a - x)  # closes the group
        return tf.exp(a) + total, tf.reduce_max(x)

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    kinds = names(fused)
    assert kinds.count("FUSED") == 2
    assert kinds.index("FUSED") < kinds.index("reduce_sum")


def test_shapes_have_groups_of_their_own():
    def program(x):
        row = x[0] * 2.0 + 1.0
        both = x * row - row
        return both, row * row

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    shapes = [node.payload.shape for node in fused.nodes if node.kind is Kind.FUSED]
    assert sorted(shapes) == [(3, 4), (4,)] or sorted(shapes) == [(3, 4), (4,), (4,)]


def test_nothing_moves_over_a_change_of_state():
    v = tf.Variable(X)

    def program(x):
        before = v * x + 1.0
        v.assign(before * 2.0)
        return before - x, v * x - 1.0

    graph = record(program, X)
    fused = assert_does_the_same(fuse, graph, [[X], [X * 2]], [v])
    assert names(fused)[:5].count("FUSED") == 1
    assert names(fused).index("FUSED") < names(fused).index("ASSIGN")


def test_one_operation_stays_as_it_is():
    assert names(fuse(record(lambda x: tf.reduce_sum(tf.exp(x)), X))) == ["ARGUMENT", "exp", "reduce_sum"]


def test_dtypes_and_rows_without_expression_stay_as_they_are():
    graph = record(lambda n, x: (n * n + n, tf.math.digamma(x)), np.arange(4), X)
    assert "FUSED" not in names(fuse(graph))


def test_functions_of_two_dtypes_are_in_two_groups():
    def program(x):
        return tf.exp(tf.cast(tf.tanh(x) * 2.0, tf.float32)) + 1.0

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert [node.payload.number for node in fused.nodes if node.kind is Kind.FUSED] == [np.float64, np.float32]


def test_groups_are_bounded_and_fusion_is_linear():
    def program(x):
        for i in range(500):
            x = x * 0.5 + float(i)
        return x

    fused = fuse(record(program, X))
    validate(fused)
    sizes = [len(node.payload.steps) for node in fused.nodes if node.kind is Kind.FUSED]
    assert sum(sizes) == 1000
    assert max(sizes) <= MOST_STEPS
    assert len(sizes) < 100


@pytest.mark.parametrize(
    ("shape", "whole", "place"),
    [
        ((2, 3), (2, 3), ("full", None)),
        ((), (2, 3), ("scalar", None)),
        ((1, 1), (2, 3), ("scalar", None)),
        ((3,), (2, 3), ("row", 3)),
        ((1, 4, 3), (2, 4, 3), ("row", 12)),
        ((2, 1), (2, 3), ("column", 3)),
        ((2, 1, 1), (2, 4, 3), ("column", 12)),
        ((2, 1, 3), (2, 4, 3), None),
        ((1, 4, 1), (2, 4, 3), None),
        ((1, 5), (1, 5), ("full", None)),
        ((5, 1), (5, 1), ("full", None)),
        ((1,), (1, 1), ("full", None)),
    ],
)
def test_places(shape, whole, place):
    assert place_of(shape, whole) == place
