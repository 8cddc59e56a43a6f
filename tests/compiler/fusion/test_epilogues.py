"""Products take the map that follows them; composites become their parts first."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.fusion.epilogues import ProductWithEpilogue, add_epilogues
from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.graph.graph import Kind, validate
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.compiler.passes.decompose import decompose
from fastgrad._src.compiler.programs.lowering import launches_of_fused
from fastgrad._src.compiler.programs.pipeline import optimize_for_host, simplify_graph
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.recorded import record

RNG = np.random.default_rng(0)


def compiled(function, *arrays):
    graph, there = record(function, *arrays)
    program = Program(graph)
    for found, wanted in zip(program(arrays), there, strict=True):
        scale = np.abs(wanted).max(initial=1.0)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-6 * scale)
    validate(program.graph)
    return program


def normal(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


def products(program):
    return [
        n.payload for n in program.graph.nodes if n.kind is Kind.FUSED and isinstance(n.payload, ProductWithEpilogue)
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("m", "k", "n"), [(2, 1, 2), (32, 8, 16), (33, 65, 17), (5, 3, 1), (1, 7, 200), (130, 400, 70)]
)
def test_bias_and_activation(m, k, n, dtype):
    def layer(x, w, b):
        return tf.nn.relu(x @ w + b) * 2.0 - 1.0

    program = compiled(layer, normal(m, k, dtype=dtype), normal(k, n, dtype=dtype), normal(n, dtype=dtype))
    assert len(products(program)) == 1
    assert sum(len(a.launches.launches) for a in program.plan.actions) == 1


def test_products_share_launches_if_operations_and_sizes_are_equal():
    def layers(x, v, w, u, b):
        return tf.nn.relu(tf.nn.relu(tf.nn.relu(tf.nn.relu(x @ v + b) @ w + b) @ v - b) @ u)

    graph = optimize_for_host(record(layers, normal(4, 8), normal(8, 8), normal(8, 8), normal(8, 16), normal(8))[0])
    payloads = [node.payload for node in graph.nodes if isinstance(node.payload, ProductWithEpilogue)]
    first, equal, of_other_operations, of_more_columns = [launches_of_fused(payload) for payload in payloads]
    assert first is equal
    assert len({id(launches) for launches in (first, of_other_operations, of_more_columns)}) == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("x", "w", "strides", "padding"),
    [
        ((2, 7, 9, 3), (3, 3, 3, 20), 1, "SAME"),
        ((40, 4, 4, 5), (2, 2, 5, 6), 1, "VALID"),
        ((1, 60, 61, 16), (3, 3, 16, 8), 2, "SAME"),
        ((2, 9, 9, 6), (3, 3, 1, 6), 1, "SAME"),
        ((2, 9, 9, 6), (3, 3, 2, 9), 1, "VALID"),
    ],
)
def test_convolutions_take_it_too(x, w, strides, padding, dtype):
    def layer(x, w, b):
        return tf.nn.relu(tf.nn.conv2d(x, w, strides, padding) + b) * 2.0 - 1.0

    program = compiled(layer, normal(*x, dtype=dtype), normal(*w, dtype=dtype), normal(w[-1], dtype=dtype))
    assert len(products(program)) == 1
    assert sum(len(a.launches.launches) for a in program.plan.actions) == 1


def test_a_convolution_that_has_no_kernel_for_it_is_followed_by_a_step():
    # Few channels, windows that are larger than a patch.
    for x, w in (((2, 9, 9, 8), (3, 3, 8, 2)), ((1, 3, 3, 9000), (2, 2, 9000, 5))):
        program = compiled(
            lambda x, w: tf.tanh(tf.nn.conv2d(x, w, 1, "SAME") * 1e-3),
            normal(*x, dtype=np.float64),
            normal(*w, dtype=np.float64),
        )
        assert not products(program)


@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
def test_transpositions_batches_and_other_inputs(transposed):
    a, b = transposed
    x = normal(3, *((6, 5) if a else (5, 6)))
    y = normal(3, *((7, 6) if b else (6, 7)))
    program = compiled(
        lambda x, y, z: tf.exp(-tf.abs(tf.matmul(x, y, transpose_a=a, transpose_b=b) * z)), x, y, normal(3, 5, 7)
    )
    assert len(products(program)) == 1


def test_a_product_that_others_read_keeps_its_place():
    def both(x, w):
        z = x @ w
        return tf.tanh(z) + 1.0, z

    assert not products(compiled(both, normal(4, 3), normal(3, 5)))
    assert not products(compiled(lambda x, w: tf.transpose(x @ w) * 2.0 + normal(5, 4), normal(4, 3), normal(3, 5)))
    assert not products(compiled(lambda x, w: tf.reduce_sum(tf.tanh(x @ w)), normal(4, 3), normal(3, 5)))


@pytest.mark.parametrize(
    "product",
    [
        lambda x: tf.matmul(x, x, transpose_b=True),
        lambda x: tf.einsum("...ik,...jk->...ij", x, x),
        lambda x: tf.matmul(tf.reshape(x, [5, 3, 1]), tf.reshape(x, [5, 1, 3])),
        lambda x: tf.nn.conv1d(tf.reshape(x, [5, 3, 1]), tf.ones([2, 1, 4]), 1, "SAME"),
    ],
)
@pytest.mark.parametrize("rows", [0, slice(2), slice(1)])
def test_a_map_of_the_first_rows_does_not_follow_the_product(product, rows):
    """The product writes all rows, and the map's result has memory for some of them."""
    program = compiled(lambda x: product(x)[rows] * 2.0 + 0.25, normal(5, 3))
    assert products(program) == []


def test_the_last_of_two_products_takes_the_map():
    program = compiled(
        lambda x, w, h, u: tf.tanh(x @ w + h @ u), normal(4, 3), normal(3, 5), normal(4, 5), normal(5, 5)
    )
    assert len(products(program)) == 1
    assert sum(len(a.launches.launches) for a in program.plan.actions) == 2


def test_the_map_may_read_what_the_product_reads():
    program = compiled(lambda x: tf.tanh(x @ x) * x + tf.transpose(x), normal(6, 6))
    assert len(products(program)) == 1


def test_several_results():
    def step(g, w, y):
        dy = (g @ w) * tf.where(y > 0.0, 1.0, 0.0)
        return dy, dy * dy, tf.cast(dy > 0.0, tf.float32) + 1.0

    assert len(products(compiled(step, normal(40, 6), normal(6, 90), normal(40, 90)))) == 1


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", "sigmoid", "gelu"])
def test_dense_layers_and_their_gradients(activation):
    layer = tf.keras.layers.Dense(7, activation=activation)
    layer.build((None, 5))

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.square(layer(x)))
        return [layer(x), *tape.gradient(loss, [x, *layer.trainable_variables])]

    program = compiled(step, normal(9, 5))
    names = [node.payload.name for node in program.graph.nodes if node.kind is Kind.OPERATION]
    assert not {"dense", "dense_gradient"} & set(names)


def test_parts_of_composites_give_what_they_give():
    layer = tf.keras.layers.Dense(4, activation="sigmoid")
    layer.build((None, 3))

    def step(x):
        with tf.GradientTape() as tape:
            y = layer(x)
        return [y, *tape.gradient(y, layer.trainable_variables)]

    x = normal(5, 3)
    graph = simplify_graph(record(step, x)[0])
    parts = decompose(graph)
    validate(parts)
    for found, wanted in zip(interpret(parts, [x]), interpret(graph, [x]), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    joined = add_epilogues(fuse(parts))
    validate(joined)
    for found, wanted in zip(interpret(joined, [x]), interpret(graph, [x]), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 5, 7), (64, 300, 210), (3, 600, 500)])
def test_weights_are_updated_in_their_own_memory(shape):
    rows, inner, columns = shape
    v = tf.Variable(normal(inner, columns))

    def step(x, g):
        v.assign_sub(0.1 * tf.matmul(x, g, transpose_a=True))
        return tf.matmul(x, v)

    x, g = normal(rows, inner), normal(rows, columns)
    start = v.numpy()
    program = Program(record(step, x, g)[0])
    v.assign(start)
    wanted = start.copy()
    for i in range(3):
        wanted -= np.float32(0.1) * (x.T @ (g * (i + 1)))
        (found,) = program([x, g * (i + 1)])
        np.testing.assert_allclose(v.numpy(), wanted, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found, x @ wanted, rtol=1e-3, atol=1e-2)
    assert [node.kind for node in program.graph.nodes].count(Kind.FUSED) == 1
    assert not [action for action in program.plan.actions if action.node.kind is Kind.ASSIGN]
