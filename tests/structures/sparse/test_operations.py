"""Functions of sparse tensors: equal to those of dense tensors, compiled as eager, with gradients."""

import numpy as np
import pytest
import scipy.sparse

import fastgrad as tf
from fastgrad import sparse
from tests.gradients import check_gradient

RNG = np.random.default_rng(5)


def random_dense(*shape, density=0.5):
    return RNG.normal(size=shape) * (RNG.random(shape) < density)


A, B, CUBE = random_dense(4, 5), random_dense(4, 5), random_dense(3, 4, 5)
OF_DENSE = {
    "transpose": (lambda x: sparse.transpose(x, [1, 0]), lambda a: a.T, A),
    "transpose of a cube": (lambda x: sparse.transpose(x, [2, 0, 1]), lambda a: a.transpose(2, 0, 1), CUBE),
    "reshape": (lambda x: sparse.reshape(x, [10, -1]), lambda a: a.reshape(10, -1), A),
    "slice": (lambda x: sparse.slice(x, [1, 2], [2, 9]), lambda a: a[1:3, 2:], A),
    "concat": (lambda x: sparse.concat(1, [x, x]), lambda a: np.concatenate([a, a], 1), A),
    "expand_dims": (lambda x: sparse.expand_dims(x, 1), lambda a: a[:, None], A),
    "split": (lambda x: sparse.split(x, 2, 1)[1], lambda a: a[:, 3:], A),
    "add": (lambda x: sparse.add(x, sparse.from_dense(B)), lambda a: a + B, A),
    "maximum": (lambda x: sparse.maximum(x, sparse.from_dense(B)), lambda a: np.maximum(a, B), A),
    "minimum": (lambda x: sparse.minimum(x, sparse.from_dense(B)), lambda a: np.minimum(a, B), A),
    "times": (lambda x: x * B, lambda a: a * B, A),
    "over": (lambda x: x / (B[:1] + 9), lambda a: a / (B[:1] + 9), A),
    "square": (tf.square, np.square, A),
    "sum": (lambda x: sparse.reduce_sum(x, [0, 2], output_is_sparse=True), lambda a: a.sum((0, 2)), CUBE),
    "kept sum": (lambda x: sparse.reduce_sum(x, 1, True, True), lambda a: a.sum(1, keepdims=True), CUBE),
}


@pytest.mark.parametrize("name", OF_DENSE)
def test_result_is_that_of_dense_tensors(name):
    function, dense_function, dense = OF_DENSE[name]
    x = sparse.from_dense(dense)
    np.testing.assert_allclose(sparse.to_dense(function(x)), dense_function(dense), rtol=1e-12)


@pytest.mark.parametrize("name", OF_DENSE)
def test_compiled_results_are_those_of_eager_calls(name):
    function, _, dense = OF_DENSE[name]
    compiled = tf.function(function)
    for matrix in (dense, dense[::-1], dense * (dense > 0)):
        x = sparse.from_dense(matrix)
        eager, result = function(x), compiled(x)
        np.testing.assert_array_equal(result.indices, eager.indices)
        np.testing.assert_allclose(result.values, eager.values, rtol=1e-12)
        assert result.shape == eager.shape


@pytest.mark.parametrize("name", OF_DENSE)
def test_gradients_reach_the_values(name):
    function, _, dense = OF_DENSE[name]
    x = sparse.from_dense(dense)
    check_gradient(lambda values: function(x.with_values(values)).values ** 2, x.values.numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int32", "float16", "bfloat16"])
@pytest.mark.parametrize("columns", [1, 3, 64, 200])
def test_products_are_scipys(dtype, columns):
    left = scipy.sparse.random_array((30, 20), density=0.2, rng=RNG).toarray() * 9
    matrix, b = tf.cast(np.round(left), dtype), tf.cast(np.round(RNG.normal(size=(20, columns)) * 3), dtype)
    x = sparse.from_dense(matrix)
    exact = np.round(left) @ tf.cast(b, "complex128").numpy()
    np.testing.assert_allclose(tf.cast(sparse.sparse_dense_matmul(x, b), "complex128"), exact, rtol=4e-3)


@pytest.mark.parametrize("adjoint_a", [False, True])
@pytest.mark.parametrize("adjoint_b", [False, True])
@pytest.mark.parametrize("sparse_first", [False, True])
def test_complex_products_are_those_of_dense_matrices(adjoint_a, adjoint_b, sparse_first):
    def matrix(rows, columns, adjoint):
        shape = (columns, rows) if adjoint else (rows, columns)
        return random_dense(*shape) + 1j * random_dense(*shape)

    a, b = matrix(3, 4, adjoint_a), matrix(4, 2, adjoint_b)
    operands = (sparse.from_dense(a), tf.constant(b)) if sparse_first else (tf.constant(a), sparse.from_dense(b))
    expected = tf.matmul(a, b, adjoint_a=adjoint_a, adjoint_b=adjoint_b)
    np.testing.assert_allclose(sparse.sparse_dense_matmul(*operands, adjoint_a, adjoint_b), expected, rtol=1e-12)


@pytest.mark.parametrize("adjoint_a", [False, True])
def test_gradients_of_products_have_gradients(adjoint_a):
    x = sparse.from_dense(random_dense(4, 4))

    def product(values, dense):
        return sparse.sparse_dense_matmul(x.with_values(values), dense, adjoint_a=adjoint_a)

    check_gradient(product, x.values.numpy(), RNG.normal(size=(4, 3)), order=2)


def test_repeated_positions_add_up_in_products():
    twice = tf.SparseTensor([[0, 1], [0, 1]], [2.0, 3.0], [1, 2])
    np.testing.assert_array_equal(sparse.sparse_dense_matmul(twice, [[1.0], [10.0]]), [[50.0]])


@pytest.mark.parametrize("batched", ["values", "dense", "both"])
def test_products_of_a_batch_are_products_of_its_rows(batched):
    x = sparse.from_dense(random_dense(4, 5))
    values = RNG.normal(size=(3, len(x.values))) if batched != "dense" else np.stack([x.values] * 3)
    dense = RNG.normal(size=(3, 5, 2))

    def product(arguments):
        row_values, row_dense = arguments
        return sparse.sparse_dense_matmul(x.with_values(row_values), row_dense)

    expected = [product((v, d)) for v, d in zip(values, dense, strict=True)]
    if batched == "values":
        expected = [product((v, dense[0])) for v in values]
        result = tf.vectorized_map(lambda v: product((v, dense[0])), tf.constant(values))
    else:
        result = tf.vectorized_map(product, (tf.constant(values), tf.constant(dense)))
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_a_compiled_product_checks_the_positions_of_each_call():
    @tf.function
    def product(indices, values):
        return sparse.sparse_dense_matmul(tf.SparseTensor(indices, values, [2, 3]), tf.ones([3, 2]))

    good = tf.constant([[0, 1], [1, 2]], tf.int64)
    for _ in range(3):
        np.testing.assert_array_equal(product(good, [1.0, 2.0]), [[1, 1], [2, 2]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="out of bounds"):
        product(good + 1, [1.0, 2.0])
    np.testing.assert_array_equal(product(good, [1.0, 2.0]), [[1, 1], [2, 2]])


def test_a_step_learns_a_sparse_matrix():
    x = sparse.from_dense(random_dense(6, 6))
    values, dense = tf.Variable(tf.zeros(len(x.values), tf.float64)), RNG.normal(size=(6, 8))
    goal = sparse.sparse_dense_matmul(x, dense)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((sparse.sparse_dense_matmul(x.with_values(values), dense) - goal) ** 2)
        values.assign_sub(0.01 * tape.gradient(loss, values))
        return loss

    losses = [float(step()) for _ in range(300)]
    assert losses[-1] < 1e-3 * losses[0]


def test_softmax_of_rows_sums_to_one():
    x = sparse.from_dense(random_dense(5, 6, density=0.7))
    sums = sparse.reduce_sum(sparse.softmax(x), 1).numpy()
    np.testing.assert_allclose(sums[np.unique(x.indices.numpy()[:, 0])], 1)
    check_gradient(lambda v: sparse.softmax(x.with_values(v)).values ** 2, x.values.numpy())


def test_a_shape_with_too_many_positions_is_an_error():
    huge = tf.SparseTensor([[0, 0]], [1.0], [2**40, 2**40])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"2\*\*63 positions"):
        sparse.reorder(huge)


@pytest.mark.parametrize("name", ["segment_sum", "segment_mean", "segment_sqrt_n"])
def test_segments_of_a_compiled_function_have_gradients(name):
    reduce = getattr(sparse, name)
    data = RNG.normal(size=(4, 3))
    check_gradient(lambda x: reduce(x, [0, 1, 3, 0], [0, 0, 2, 2], num_segments=4) ** 2, data)
    np.testing.assert_allclose(tf.function(reduce)(data, [0, 1], [0, 1]), reduce(data, [0, 1], [0, 1]))


@pytest.mark.parametrize("name", ["union", "intersection", "difference"])
def test_sets_are_pythons(name):
    a, b = RNG.integers(0, 6, (5, 4)), RNG.integers(0, 6, (5, 3))
    for call in (getattr(tf.sets, name), tf.function(getattr(tf.sets, name))):
        result = call(tf.constant(a), tf.constant(b))
        for row, (x, y) in enumerate(zip(a, b, strict=True)):
            assert set(result.values.numpy()[result.indices.numpy()[:, 0] == row]) == getattr(set(x), name)(y)


def test_the_key_of_a_hash_may_be_negative():
    crossed = tf.sparse.cross_hashed([tf.constant([[1, 2]], tf.int64), tf.constant([[3]], tf.int64)], 100, hash_key=-1)
    np.testing.assert_array_equal(crossed.values, [31, 41])  # TensorFlow 2.21


def test_strings_are_hashed():
    crossed = tf.sparse.cross_hashed(
        [tf.constant([["a long text of more than sixteen bytes", "b"]]), tf.constant([[1]])], 1000
    )
    np.testing.assert_array_equal(crossed.values, [895, 983])  # TensorFlow 2.21


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("shape", [(3, 0), (3, 2)])
def test_products_of_narrow_floats_may_be_empty(dtype, shape):
    matrix = tf.SparseTensor([[0, 2]], tf.constant([2.0], dtype), [2, 3])
    product = tf.sparse.sparse_dense_matmul(matrix, tf.ones(shape, dtype))
    assert product.dtype.name == dtype
    np.testing.assert_array_equal(tf.cast(product, tf.float32), [[2.0] * shape[1], [0.0] * shape[1]])


@pytest.mark.parametrize("threshold", [0, 2.5])
def test_sums_of_large_sparse_tensors(threshold):
    r = np.random.default_rng(0)
    tensors, dense = [], np.zeros((3, 40, 50))
    for _ in range(2):
        flat = r.choice(dense.size, 3000, replace=False)  # positions in no order
        values = r.integers(-4, 5, flat.size).astype(np.float64)
        positions = np.stack(np.unravel_index(flat, dense.shape), 1)
        tensors.append(tf.SparseTensor(positions, values, dense.shape))
        dense[tuple(positions.T)] += values
    with tf.GradientTape() as tape:
        tape.watch([x.values for x in tensors])
        y = tf.sparse.add(*tensors, threshold=threshold)
        total = tf.reduce_sum(y.values * y.values)
    counts = np.zeros(dense.shape)
    for x in tensors:
        counts[tuple(x.indices.numpy().T)] += 1
    kept = (counts == 1) | ((counts == 2) & (np.abs(dense) >= threshold))
    np.testing.assert_array_equal(y.indices, np.argwhere(kept))
    np.testing.assert_array_equal(y.values, dense[kept])
    for x, g in zip(tensors, tape.gradient(total, [x.values for x in tensors]), strict=True):
        places = tuple(x.indices.numpy().T)
        np.testing.assert_array_equal(g, np.where(kept[places], 2 * dense[places], 0))
    compiled = tf.function(lambda a, b: tf.sparse.add(a, b, threshold=threshold))
    for _ in range(2):
        np.testing.assert_array_equal(compiled(*tensors).values, y.values)


def test_bincount_of_a_ragged_tensor():
    rows = tf.ragged.constant([[1, 2, 2], [], [3]], dtype=tf.int64)
    for options, positions, counts, shape in [
        ({}, [[1], [2], [3]], [1, 2, 1], [4]),
        ({"axis": -1, "minlength": 6}, [[0, 1], [0, 2], [2, 3]], [1, 2, 1], [3, 6]),
        ({"axis": -1, "binary_output": True, "maxlength": 3}, [[0, 1], [0, 2]], [1, 1], [3, 3]),
        (
            {"axis": -1, "weights": tf.ragged.constant([[1.0, 2, 2], [], [3]])},
            [[0, 1], [0, 2], [2, 3]],
            [1, 4, 3],
            [3, 4],
        ),
    ]:
        result = tf.sparse.bincount(rows, **options)
        assert result.indices.numpy().tolist() == positions
        assert result.values.numpy().tolist() == counts
        assert result.shape == shape
    with pytest.raises(tf.errors.InvalidArgumentError, match="same shape and indices"):
        tf.sparse.bincount(rows, axis=-1, weights=tf.ragged.constant([[1.0, 2], [], [3]]))
