"""Sums of the columns of what follows a product are taken of blocks of its rows while those are in the cache."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.fusion import epilogues
from fastgrad._src.compiler.fusion.epilogues import ProductWithEpilogue, launches_of_product
from fastgrad._src.compiler.graph.graph import Kind, validate
from fastgrad._src.compiler.programs.lowering import launches_of
from fastgrad._src.compiler.programs.pipeline import optimize_for_host
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.kernels.runtime.launch import run_launches
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from tests.compiler.recorded import record
from tests.kernels.in_place import written_over

RNG = np.random.default_rng(0)
BOTH = [np.float32, np.float64]


def normal(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


def summed(graph):
    """The nodes that are products with sums."""
    found = [node for node in graph.nodes if node.kind is Kind.FUSED and isinstance(node.payload, ProductWithEpilogue)]
    return [node for node in found if "r" in node.payload.fused.roles]


def backward(g, w, slope):
    """Of a dense layer: the cotangent before its activation, and its bias's."""
    dz = tf.matmul(g, w, transpose_b=True) * slope
    return dz, tf.reduce_sum(dz, 0)


def joined(function, *arrays):
    graph = optimize_for_host(record(function, *arrays)[0])
    validate(graph)
    (node,) = summed(graph)
    return node


# (rows, terms, columns): fewer rows than a block, one that is not whole, one column more than lanes, long sums.
SHAPES = [(32, 10, 128), (33, 7, 65), (300, 12, 257), (517, 64, 130), (1000, 3, 17), (4096, 5, 16), (400, 800, 70)]


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_are_those_of_the_result_whatever_the_shares(shape, dtype):
    m, k, n = shape
    arrays = normal(m, k, dtype=dtype), normal(n, k, dtype=dtype), normal(m, n, dtype=dtype)
    node = joined(backward, *arrays)
    by_argument = [arrays[value.number] for value in node.inputs]
    kinds = [np.empty(value.shape, value.dtype) for value in node.outputs]
    found = []
    for shares in (1, 2, 3, 8):
        results = [np.full_like(one, 7) for one in kinds]
        launches = written_over(launches_of_product(node.payload), by_argument, results, {})
        assert run_launches(launches, by_argument, results, shares) is None
        found.append([one.tobytes() for one in results])
    assert all(one == found[0] for one in found[1:])
    g, w, slope = arrays
    exact = (g.astype(np.longdouble) @ w.T.astype(np.longdouble)) * slope
    dz, sums = results
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(dz, exact, rtol=0, atol=8 * k * eps * float(np.abs(exact).max()))
    np.testing.assert_allclose(
        sums, dz.astype(np.longdouble).sum(0), rtol=0, atol=8 * eps * float(np.abs(dz).sum(0).max())
    )


def test_sums_of_many_rows_are_accurate():
    g, w, slope = np.full((20000, 1), 0.1, np.float32), np.ones((4, 1), np.float32), np.ones((20000, 4), np.float32)
    (node,) = summed(optimize_for_host(record(backward, g, w, slope)[0]))
    assert node.payload.name.endswith("reduce_sum")
    _, sums = Program(record(backward, g, w, slope)[0])([g, w, slope])
    np.testing.assert_allclose(sums, 20000 * np.float64(np.float32(0.1)), rtol=1e-6)


def test_not_a_number_reaches_its_own_column():
    arrays = normal(300, 8), normal(40, 8), normal(300, 40)
    arrays[2][299, 3] = np.nan
    _, sums = Program(record(backward, *arrays)[0])(arrays)
    assert np.flatnonzero(np.isnan(sums)).tolist() == [3]


def test_products_of_bfloat16_with_float32_results():
    def layer(g, w, slope):
        product = tf.matmul(tf.cast(g, tf.bfloat16), tf.cast(w, tf.bfloat16), transpose_b=True)
        dz = tf.cast(product, tf.float32) * slope
        return dz, tf.reduce_sum(dz, 0)

    arrays = normal(300, 40), normal(70, 40), normal(300, 70)
    graph, wanted = record(layer, *arrays)
    dz, sums = Program(graph)(arrays)
    np.testing.assert_allclose(dz, wanted[0], rtol=1e-2, atol=0.2)
    np.testing.assert_allclose(sums, dz.sum(0, dtype=np.float64), rtol=1e-5, atol=1e-4)


def test_several_sums_and_results_of_several_shapes():
    def step(g, w, y):
        dz = tf.reshape(tf.matmul(g, w, transpose_b=True), (20, 30, 80)) * y
        return dz, tf.reduce_sum(dz, (0, 1)), dz * dz, tf.reduce_sum(dz * dz, (0, 1))

    arrays = normal(600, 9), normal(80, 9), normal(20, 30, 80)
    graph, wanted = record(step, *arrays)
    program = Program(graph)
    assert len(summed(program.graph)) == 1
    for found, one in zip(program(arrays), wanted, strict=True):
        np.testing.assert_allclose(found, one, rtol=1e-4, atol=1e-4)


def test_what_else_is_summed_keeps_its_step():
    g, w, y = normal(300, 8), normal(70, 8), normal(300, 70)

    def made(function):
        return summed(optimize_for_host(record(function, g, w, y)[0]))

    assert made(backward)
    # Rows, all elements, something made of the sums, a product that others read, columns of another matrix.
    assert not made(lambda g, w, y: tf.reduce_sum(tf.matmul(g, w, transpose_b=True) * y, 1))
    assert not made(lambda g, w, y: tf.reduce_sum(tf.matmul(g, w, transpose_b=True) * y))
    assert not made(lambda g, w, y: tf.exp(tf.reduce_sum(tf.matmul(g, w, transpose_b=True) * y, 0)))
    assert not made(lambda g, w, y: (tf.matmul(g, w, transpose_b=True), backward(g, w, y)))
    assert not made(lambda g, w, y: tf.reduce_sum(tf.reshape(tf.matmul(g, w, transpose_b=True), (150, 140)), 0))


def test_where_threads_would_share_the_product_alone_better_it_stays_alone():
    # All panels of a unit: one unit instead of four.
    shape = normal(128, 256), normal(256, 256), normal(128, 256)
    assert not summed(optimize_for_host(record(backward, *shape)[0]))


def test_the_number_of_threads_changes_no_bit():
    arrays = normal(1024, 64), normal(300, 64), normal(1024, 300)
    before, found = compute_pool.threads, []
    try:
        for threads in (1, 2, 3):
            tf.config.set_num_threads(threads)
            program = Program(record(backward, *arrays)[0])
            assert len(summed(program.graph)) == 1
            found.append([one.tobytes() for one in program(arrays)])
    finally:
        tf.config.set_num_threads(before)
    assert found[1:] == found[:-1]


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_the_gradient_of_a_layers_bias_is_made_by_the_products_kernel(activation, monkeypatch):
    def made():
        tf.random.set_seed(1)
        layers = tf.keras.layers
        model = tf.keras.Sequential([layers.Dense(96, activation), layers.Dense(80, activation), layers.Dense(7)])
        model.build((None, 33))
        return model, tf.keras.optimizers.SGD(0.1)

    x, y = normal(160, 33), normal(160, 7)

    def step(model, optimizer, x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    eager, other, third = made(), made(), made()
    step(*third, x, y)  # makes what the optimizer keeps
    graph = record(lambda x, y: step(*third, x, y), x, y)[0]
    nodes = summed(optimize_for_host(graph))
    assert len(nodes) == 2
    kernels = [launch.kernel.__name__ for node in nodes for launch in launches_of(node).launches]
    assert set(kernels) <= {"gemm", "add_blocks"}
    join = epilogues.join_epilogue_or_column_sums

    def join_maps(product, node, number):
        return None if epilogues.is_map_with_column_sums(node.payload, number, product) else join(product, node, number)

    monkeypatch.setattr(epilogues, "join_epilogue_or_column_sums", join_maps)
    assert not summed(optimize_for_host(graph))
    monkeypatch.undo()

    replay = tf.function(lambda x, y: step(*other, x, y))
    for _ in range(5):
        np.testing.assert_allclose(
            step(*eager, tf.constant(x), tf.constant(y)).numpy(),
            replay(tf.constant(x), tf.constant(y)).numpy(),
            rtol=1e-5,
        )
    for one, two in zip(eager[0].variables, other[0].variables, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("transpose_b", [False, True])
def test_a_map_and_sums_of_columns_follow_a_product_in_its_kernel(transpose_b):
    def layer(x, w, slope):
        y = tf.matmul(tf.tanh(x) * 0.5, w, transpose_b=transpose_b) * slope
        return y, tf.reduce_sum(y, 0)

    arrays = normal(520, 32), normal(*((72, 32) if transpose_b else (32, 72))), normal(520, 72)
    graph, wanted = record(layer, *arrays)
    program = Program(graph)
    names = [node.payload.name for node in program.graph.nodes if node.kind is Kind.FUSED]
    assert names == ["tanh+multiply", "matmul+multiply+reduce_sum"]
    for found, one in zip(program(arrays), wanted, strict=True):
        np.testing.assert_allclose(found, one, rtol=1e-4, atol=1e-4)
