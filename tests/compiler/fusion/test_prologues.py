"""What makes a product's first matrix is done on its rows just before the product reads them."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.compiler.fusion.prologues import ProductWithPrologue
from fastgrad.compiler.graph.graph import Kind, validate
from fastgrad.compiler.graph.interpret import interpret
from fastgrad.compiler.programs import pipeline
from fastgrad.compiler.programs.program import Program
from fastgrad.kernels.runtime.thread_pool import compute_pool
from fastgrad.ops.normalization import layer_normalization
from tests.compiler.test_replay import record

RNG = np.random.default_rng(0)


def normal(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


def prepared(program):
    return [
        n.payload.name
        for n in program.graph.nodes
        if n.kind is Kind.FUSED and isinstance(n.payload, ProductWithPrologue)
    ]


def compiled(function, *arrays):
    """A program, and one of which each step is a kernel of its own: both give the same bits."""
    graph = record(function, *arrays)[0]
    program = Program(graph)
    validate(program.graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            pipeline, "HOST_PASSES", tuple([one for one in pipeline.HOST_PASSES if one is not pipeline.add_prologues])
        )
        return program, Program(graph)


def assert_equal(one, other, arrays):
    for _ in range(2):
        for found, wanted in zip(one(arrays), other(arrays), strict=True):
            assert found.tobytes() == wanted.tobytes()


SIZES = [(256, 832, 64), (1, 40, 40), (37, 5, 3), (700, 33, 17), (64, 128, 512), (9, 1, 8)]
TAKING = SIZES[:1] + SIZES[2:]  # a row with a large matrix is another kernel's
LAYERS = {
    "a map": ("tanh+matmul", lambda x, w: tf.tanh(x) @ w),
    "a map that others read": (
        "multiply+tanh+matmul",
        lambda x, w: [(y := tf.tanh(x * 2)) @ w, tf.reduce_max(y, 0), y],
    ),
    "a map and another": ("tanh+matmul+relu", lambda x, w: tf.nn.relu(tf.tanh(x) @ w)),
    "two products": ("tanh+matmul", lambda x, w: [(y := tf.tanh(x)) @ w, y @ (w + 1)]),
    "a reshape": (
        "tanh+matmul",
        lambda x, w: [(y := tf.reshape(tf.tanh(tf.reshape(x, [-1])), x.shape)) @ w, tf.reduce_max(y, 1)],
    ),
    "two reshapes": (
        "tanh+matmul",
        lambda x, w: [
            (y := tf.reshape(z := tf.tanh(tf.reshape(x, [-1])), x.shape)) @ w,
            tf.sort(tf.reshape(z, [1, -1])),
            tf.sort(y),
        ],
    ),
    "normalized rows": (
        "layer_normalization+matmul",
        lambda x, w: layer_normalization(x, tf.ones(x.shape[1], x.dtype), tf.zeros(x.shape[1], x.dtype)) @ w,
    ),
    "a transposed second matrix": (
        "tanh+matmul",
        lambda x, w: tf.matmul(tf.tanh(x), tf.transpose(w), transpose_b=True),
    ),
    "batches": ("tanh+matmul", lambda x, w: tf.tanh(tf.stack([x, x + 1])) @ tf.stack([w, w - 1])),
    "a residual": ("tanh+matmul+add", lambda x, w: tf.tanh(x) @ w + x[:, :1]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", TAKING, ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_rows_are_made_with_the_product(name, sizes, dtype):
    m, k, n = sizes
    steps, layer = LAYERS[name]
    arrays = normal(m, k, dtype=dtype), normal(k, n, dtype=dtype)
    program, apart = compiled(layer, *arrays)
    assert prepared(program) == [steps]
    assert not prepared(apart)
    assert_equal(program, apart, arrays)
    for found, wanted in zip(program(arrays), interpret(record(layer, *arrays)[0], arrays), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize(
    ("rows", "each", "width", "columns"), [(256, 26, 32, 64), (40, 1, 50, 9), (3, 7, 1, 1), (70, 2, 3, 100)]
)
def test_rows_are_gathered_with_the_product(rows, each, width, columns, index):
    table, w = normal(100, width), normal(each * width, columns)
    ids = RNG.integers(0, 100, (rows, each)).astype(index)

    def layer(table, ids, w):
        rows_of = tf.reshape(tf.gather(table, ids), [rows, each * width])
        return [rows_of @ w, tf.sort(rows_of)]

    arrays = table, ids, w
    program, apart = compiled(layer, *arrays)
    assert prepared(program) == (["gather+matmul"] if columns > 1 else [])
    assert_equal(program, apart, arrays)


@pytest.mark.parametrize("wrong", [100, -1, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("place", [(0, 0), (17, 2), (39, 2)])
def test_an_index_that_is_out_of_range_is_found_before_anything_changes(wrong, place):
    table = tf.Variable(normal(100, 8))
    w = tf.Variable(normal(24, 16))

    @tf.function
    def step(ids):
        y = tf.reshape(tf.gather(table, ids), [40, 24]) @ w
        table.assign_add(tf.ones_like(table))
        w.assign_sub(tf.ones_like(w))
        return y

    ids = RNG.integers(0, 100, (40, 3)).astype(np.int32)
    for _ in range(3):
        step(tf.constant(ids))
    before = table.numpy(), w.numpy()
    ids[place] = wrong
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"indices\[{place[0]},{place[1]}\] = {wrong} is not in"):
        step(tf.constant(ids))
    for found, wanted in zip((table.numpy(), w.numpy()), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_rows_that_are_too_long_for_the_kernels_memory_are_made_in_the_programs():
    x, w = normal(300, 5000), normal(9, 5000)
    program, apart = compiled(lambda x, w: tf.matmul(tf.tanh(x), w, transpose_b=True), x, w)
    assert prepared(program) == ["tanh+matmul"]
    assert_equal(program, apart, (x, w))


def test_who_reads_the_rows_before_the_product_leaves_both_as_they_are():
    x, w = normal(40, 8), normal(8, 5)

    def layer(x, w):
        y = tf.tanh(x)
        return tf.cast(tf.argmax(tf.sort(y)[0]), tf.float32) + y @ w

    program, apart = compiled(layer, x, w)
    assert not prepared(program)
    assert_equal(program, apart, (x, w))


def test_gradients_and_updates_are_those_of_eager_steps():
    w, scale = tf.Variable(normal(12, 7)), tf.Variable(normal(12))
    optimizer = tf.keras.optimizers.SGD(0.1)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.tanh(x * scale) @ w))
        optimizer.apply_gradients(zip(tape.gradient(loss, [w, scale]), [w, scale], strict=True))
        return loss

    x = tf.constant(normal(50, 12))
    start = w.numpy(), scale.numpy()
    eager = [float(step(x)) for _ in range(4)]
    for variable, value in zip((w, scale), start, strict=True):
        variable.assign(value)
    once = tf.function(step)
    np.testing.assert_allclose([float(once(x)) for _ in range(4)], eager, rtol=1e-5)


def test_products_of_pairs_have_their_rows_made_too():
    x, w = normal(64, 48), normal(48, 32)

    def layer(x, w):
        return tf.cast(tf.cast(tf.tanh(x), tf.bfloat16) @ tf.cast(w, tf.bfloat16), tf.float32)

    program, apart = compiled(layer, x, w)
    assert prepared(program)
    assert_equal(program, apart, (x, w))


def test_the_number_of_threads_changes_no_bit():
    arrays = normal(4096, 64), normal(64, 64)
    program, _ = compiled(lambda x, w: tf.nn.relu(tf.tanh(x) @ w), *arrays)
    assert prepared(program)
    before = compute_pool.threads
    found = []
    try:
        for threads in (1, 2, 3):
            tf.config.set_num_threads(threads)
            found.append(program(arrays)[0].tobytes())
    finally:
        tf.config.set_num_threads(before)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_result_that_nobody_reads_gives_its_memory_back_after_all_have_theirs(dtype):
    """The map's two results may both lie in the product's memory, and the second product reads the first of them."""
    v = tf.Variable(np.array([0.5, 2.0], dtype))

    def step(a):
        squares = tf.tanh(tf.matmul(a, a, transpose_b=True) * 0.33)
        v.assign(tf.zeros_like(v) + tf.tanh(tf.reduce_mean(squares)))
        return tf.matmul(squares, a)

    a = np.array([[0.3, -0.7]], dtype)
    program = compiled(step, a)[0]
    assert prepared(program) == ["multiply+tanh+tanh+matmul"]
    np.testing.assert_allclose(program([a])[0], np.tanh((a @ a.T) * 0.33) @ a, rtol=1e-6)
