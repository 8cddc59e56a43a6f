"""Fusion groups element-wise operations, and changes no result and no order of effects."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.fusion.group import MOST_GROUP_STEPS
from fastgrad._src.compiler.graph.graph import Kind, validate
from fastgrad._src.compiler.programs.pipeline import simplify_graph
from tests.compiler.passes.programs import assert_does_the_same, names, record
from tests.compiler.recorded import with_gradient
from tests.ops.samples import SAMPLES

X = np.linspace(-1.5, 2.0, 12).reshape(3, 4)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_the_table(name):
    arrays = [np.asarray(a, np.float64) for a in SAMPLES[name].arrays]
    graph = record(with_gradient(SAMPLES[name].function), *arrays)
    assert_does_the_same(fuse, simplify_graph(graph), [arrays])


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

    graph = simplify_graph(record(program, X))
    fused = assert_does_the_same(fuse, graph, [[X], [X + 1]])
    assert "spread" in names(graph)
    assert "spread" not in names(fused)


def test_a_value_read_outside_is_there_when_it_is_read():
    def program(x):
        a = x * 2.0
        total = tf.reduce_sum(a - x)
        return tf.exp(a) + tf.matmul(x, x, transpose_b=True)[0, 0], total

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert names(fused)[-2:] == ["matmul", "FUSED"]


def test_reduced_values_go_back_into_their_elements():
    def program(x):
        shifted = x - tf.reduce_max(x, axis=1, keepdims=True)
        e = tf.exp(shifted)
        return e / tf.reduce_sum(e, axis=1, keepdims=True)

    def normalized(x):
        centred = x - tf.reduce_mean(x, axis=0)
        return centred / tf.norm(centred, axis=0), tf.reduce_sum(x) * x

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert [payload.roles for payload in fused_of(fused)] == ["kr"]
    fused = assert_does_the_same(fuse, record(normalized, X), [[X]])
    assert [payload.roles for payload in fused_of(fused)] == ["rk", "r"]


def test_a_spread_value_that_others_read_is_made():
    def program(x):
        spread = tf.broadcast_to(tf.reduce_max(x, axis=1, keepdims=True), (3, 4))
        return (x - spread) * 2.0, tf.matmul(spread, x, transpose_b=True)

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert names(fused).count("broadcast_to") == 1


def test_long_reductions_end_a_group():
    x = np.ones((1 << 17) + 1, np.float32)
    fused = fuse(record(lambda x: x / tf.norm(x), x))
    assert [payload.roles for payload in fused_of(fused)] == ["r", "k"]
    x = np.ones((5000, 64), np.float32)  # the columns would be one piece of work, and far from near
    fused = fuse(record(lambda x: x - tf.reduce_mean(x, axis=0), x))
    assert [payload.roles for payload in fused_of(fused)] == ["rk", "kk"]
    fused = fuse(record(lambda x: x - tf.reduce_mean(x, axis=1, keepdims=True), x))
    assert [payload.roles for payload in fused_of(fused)] == ["kr"]


def fused_of(graph):
    """What its FUSED nodes do."""
    return [node.payload for node in graph.nodes if node.kind is Kind.FUSED]


def test_numbers_of_elements_have_groups_of_their_own():
    def program(x):
        row = x[0] * 2.0 + 1.0
        square = row * row
        return x * row - row, square

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert [payload.sizes for payload in fused_of(fused)] == [(4,), (3, 4)]


def test_other_shapes_of_the_same_elements_are_no_border():
    def program(x):
        y = tf.reshape(x * 2.0, (2, 6)) - 1.0
        z = tf.expand_dims(tf.exp(y), 1)
        return tf.reshape(z, (12,)) * tf.reshape(x, (12,)), z

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert names(fused).count("FUSED") == 1
    assert [name for name in names(fused) if name.islower()] == []


def test_index_maps_of_inputs_are_read_through():
    def program(x, w):
        y = tf.transpose(w) * x[:, ::-1] + tf.reverse(x, [0])
        parts = tf.split(y, 2, axis=1)
        return y, tf.tile(x[1:2], (3, 1)) - x, tf.broadcast_to(x[:, 1:2], (3, 4)) * 2.0, parts[1]

    fused = assert_does_the_same(fuse, record(program, X, X.T.copy()), [[X, X.T + 1]])
    assert names(fused).count("FUSED") == 1
    assert [name for name in names(fused) if name.islower()] == ["split"]


def test_an_index_map_of_a_groups_value_ends_the_group():
    fused = assert_does_the_same(fuse, record(lambda x: tf.transpose(tf.reshape(x * 2.0 + 1.0, (4, 3))) - x, X), [[X]])
    assert names(fused).count("FUSED") == 2
    assert [name for name in names(fused) if name.islower()] == []


def test_an_index_map_that_others_read_is_made():
    def program(x):
        turned = tf.transpose(x)
        return tf.matmul(x, turned), turned * 2.0 - 1.0, turned

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert names(fused).count("transpose") == 1


def test_reductions_take_what_makes_their_input():
    def program(x):
        return tf.reduce_mean(tf.square(x - 1.0) * 2.0)

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert names(fused)[-1] == "FUSED"
    (payload,) = fused_of(fused)
    assert payload.roles == "r"
    assert len(payload.outputs) == 1


def test_what_is_left_after_a_reduction_is_computed_there():
    def program(x, b, w):
        y = tf.exp(x * b)
        total = tf.reduce_sum(y, axis=0)
        return b - 0.1 * total, tf.matmul(y, w)

    arrays = [X, X[0] + 2, np.ones((4, 2))]
    fused = assert_does_the_same(fuse, record(program, *arrays), [arrays])
    assert names(fused).count("FUSED") == 1
    (payload,) = fused_of(fused)
    assert payload.roles == "rk"
    assert [step.kept for step in payload.steps] == [False, False, True, True, True]


def test_reductions_of_one_group_reduce_the_same():
    def program(x):
        y = x * 2.0
        return tf.reduce_sum(y), tf.reduce_max(y), tf.reduce_sum(y, axis=0)

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert [payload.roles for payload in fused_of(fused)] == ["r", "rk"]


def test_reductions_of_sizes_of_one_are_none():
    def program(x):
        y = tf.reshape(x * 2.0, (3, 1, 4))
        return tf.reduce_sum(y, axis=1) + 1.0, tf.reduce_max(y, axis=[1], keepdims=True) - 1.0

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert [payload.roles for payload in fused_of(fused)] == ["k"]


def test_reductions_of_nothing_are_constants():
    empty = np.zeros((0, 3))
    fused = assert_does_the_same(
        fuse, record(lambda x: (tf.reduce_sum(x * 2.0, axis=0), tf.reduce_max(x), tf.reduce_mean(x)), empty), [[empty]]
    )
    assert {"reduce_sum", "reduce_max", "reduce_mean"}.isdisjoint(names(fused))


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


def test_rows_without_expression_stay_as_they_are():
    graph = record(lambda x: tf.math.digamma(tf.linalg.inv(x)), X[:, :3])
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
    assert max(sizes) <= MOST_GROUP_STEPS
    assert len(sizes) < 100


def test_a_chain_of_index_maps_is_one_copy():
    def program(x):
        part = tf.transpose(x)[1:, ::-1]
        return tf.matmul(part, part, transpose_b=True)

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert [name for name in names(fused) if name.islower()] == ["matmul"]
    assert [payload.name for payload in fused_of(fused)] == ["copy"]


def test_a_small_index_map_of_a_constant_is_a_constant():
    graph = record(
        lambda x: tf.matmul(tf.transpose(tf.broadcast_to(tf.constant(2.0), (2, 4))), x), np.ones((2, 3), "f")
    )
    fused = assert_does_the_same(fuse, graph, [[np.ones((2, 3), "f")]])
    assert [name for name in names(fused) if name.islower()] == ["matmul"]


def test_far_elements_are_not_read_by_groups():
    x = np.ones((300, 400), np.float32)
    fused = fuse(record(lambda x: (tf.transpose(x) * 2.0, tf.transpose(x)[:2] * 2.0), x))
    assert names(fused).count("transpose") == 1


def test_a_group_whose_value_is_made_in_another_order_ends():
    x = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)

    def program(x):
        y = x * 2.0
        return y + tf.transpose(y)  # too far to be read through

    fused = assert_does_the_same(fuse, record(program, x), [[x]])
    assert [name for name in names(fused) if name not in {"ARGUMENT", "CONSTANT"}] == ["FUSED", "transpose", "FUSED"]


def test_a_reduction_over_other_axes_comes_after_its_group_which_goes_on():
    def program(x):
        y = tf.exp(x - tf.reduce_max(x, axis=1, keepdims=True))
        column = tf.reduce_sum(y * 3.0, axis=0)
        most = tf.reduce_max(y, axis=0)
        total = tf.reduce_sum(y, axis=1, keepdims=True)
        return y / total, column + most

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    rows, columns = fused_of(fused)
    assert (rows.roles, columns.roles) == ("kr", "rk")
    assert [step.row.name for step in columns.steps] == ["multiply", "reduce_sum", "reduce_max", "add"]
    assert len(rows.outputs) == 2


def test_what_comes_after_a_group_may_be_read_by_none_of_its_nodes():
    def program(x):
        y = tf.exp(x) / tf.reduce_sum(x, axis=1, keepdims=True)
        column = tf.reduce_sum(y, axis=0)
        z = y * column  # goes on where the columns are
        return z, tf.reduce_sum(z, axis=1), y * 2.0

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert sorted(payload.roles for payload in fused_of(fused)) == ["k", "kr", "kr", "rk"]


def test_layer_normalization_written_by_hand_is_two_kernels_with_its_gradient():
    def program(x, scale, shift):
        with tf.GradientTape() as tape:
            tape.watch([x, scale, shift])
            centred = x - tf.reduce_mean(x, -1, keepdims=True)
            variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
            y = centred * tf.math.rsqrt(variance + 1e-5) * scale + shift
            loss = tf.reduce_sum(tf.tanh(y))
        return tape.gradient(loss, [x, scale, shift])

    arrays = [X, X[0] + 3.0, X[1]]
    fused = assert_does_the_same(fuse, simplify_graph(record(program, *arrays)), [arrays])
    assert names(fused).count("FUSED") == 2


def test_reductions_that_do_not_go_back_leave_the_group_to_those_that_do():
    def program(x):
        y = x * 2.0
        column = tf.reduce_sum(y, axis=0)  # the first one, but nothing of it comes back
        return y / tf.reduce_sum(y, axis=1, keepdims=True), column

    fused = assert_does_the_same(fuse, record(program, X), [[X]])
    assert [payload.roles for payload in fused_of(fused)] == ["kr", "rk"]
    fused = assert_does_the_same(fuse, record(lambda x: (x * 2.0, tf.reduce_sum(x * 2.0, axis=0)), X), [[X]])
    assert [payload.roles for payload in fused_of(fused)] == ["rk"]
