"""Ragged tensors beside tensors, tapes and recorded functions; what TensorFlow says of each function stands in tests/conformance."""

import copy
import pickle

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.composite import CompositeOperand
from tests.gradients import gradient_of

X = tf.ragged.constant([[1.0, -2.0, 3.0], [], [4.0, 0.5]])


def rows(ragged):
    return ragged.to_list()


@pytest.mark.parametrize("seed", range(20))
def test_slices_within_rows_are_pythons(seed):
    random = np.random.default_rng(seed)
    lists = [list(range(n)) for n in random.integers(0, 6, 7).tolist()]
    ragged = tf.ragged.constant(lists, tf.int64)
    start, stop = (None if n > 7 else n for n in random.integers(-8, 10, 2).tolist())
    step = int(random.choice([-3, -2, -1, 1, 2, 3]))
    assert rows(ragged[:, start:stop:step]) == [row[start:stop:step] for row in lists]
    assert rows(ragged[start:stop:step]) == lists[start:stop:step]


@pytest.mark.parametrize("seed", range(5))
def test_reductions_of_rows_are_numpys(seed):
    random = np.random.default_rng(seed)
    arrays = [random.standard_normal(n) for n in random.integers(1, 9, 30)]
    ragged = tf.ragged.stack([tf.constant(one) for one in arrays])
    for ours, numpys in (
        (tf.reduce_sum, np.sum),
        (tf.reduce_mean, np.mean),
        (tf.reduce_max, np.max),
        (tf.reduce_min, np.min),
        (tf.reduce_prod, np.prod),
    ):
        np.testing.assert_allclose(ours(ragged, 1).numpy(), [numpys(one) for one in arrays], rtol=1e-12)
        np.testing.assert_allclose(ours(ragged).numpy(), numpys(np.concatenate(arrays)), rtol=1e-12)


def test_a_tensor_and_back():
    dense = np.random.default_rng(0).standard_normal((4, 3, 2)).astype(np.float32)
    for levels in (1, 2):
        assert (tf.RaggedTensor.from_tensor(dense, ragged_rank=levels).to_tensor().numpy() == dense).all()


def test_gradients_of_values_are_those_of_finite_differences():
    values = np.random.default_rng(1).standard_normal(5)

    def function(flat):
        ragged = tf.RaggedTensor.from_row_splits(flat, [0, 3, 3, 5])
        shorter = tf.concat([ragged[:, 1:], ragged * 2], 1)
        return tf.reduce_sum(tf.reduce_mean(shorter**2, 1)[::2]) + tf.reduce_sum(shorter.to_tensor(1.0) ** 3)

    variable = tf.Variable(values)
    slope = tf.convert_to_tensor(gradient_of(function, variable)).numpy()
    for position in range(5):
        step = np.eye(5)[position] * 1e-6
        difference = (function(tf.constant(values + step)) - function(tf.constant(values - step))) / 2e-6
        assert slope[position] == pytest.approx(float(difference), rel=1e-6)


def test_a_function_that_has_no_meaning_for_them_says_what_has():
    with pytest.raises(CompositeOperand, match="RaggedTensor is no tensor.*to_tensor"):
        tf.linalg.inv(X)
    with pytest.raises(ValueError, match="RaggedTensor"):
        tf.transpose(X)


def test_copies_and_pickles_are_equal():
    for one in (copy.copy(X), copy.deepcopy(X), pickle.loads(pickle.dumps(X))):
        assert rows(one) == rows(X)
    spec = tf.RaggedTensorSpec([None, None], tf.int32)
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_a_recorded_function_runs_again_for_other_values_and_splits():
    runs = []

    @tf.function
    def summed(ragged):
        runs.append(1)
        return tf.reduce_sum(ragged * 2, 1), ragged + 1

    first = tf.RaggedTensor.from_row_splits([1.0, 2.0, 3.0], [0, 2, 3])
    second = tf.RaggedTensor.from_row_splits([4.0, 5.0, 6.0], [0, 1, 3])
    for ragged, sums in ((first, [6, 6]), (second, [8, 22]), (first, [6, 6])):
        totals, more = summed(ragged)
        assert totals.numpy().tolist() == sums
        assert rows(more) == rows(ragged + 1)
    assert len(runs) == 1


def test_a_recorded_function_checks_splits_on_each_run():
    cut = tf.function(lambda splits: tf.RaggedTensor.from_row_splits(tf.constant([1, 2, 3]), splits))
    assert rows(cut(tf.constant([0, 1, 3]))) == [[1], [2, 3]]
    assert rows(cut(tf.constant([0, 3, 3]))) == [[1, 2, 3], []]
    with pytest.raises(tf.errors.InvalidArgumentError):
        cut(tf.constant([0, 2, 1]))


def test_a_recorded_function_fills_rows_to_the_longest_of_each_call():
    filled = tf.function(lambda ragged: ragged.to_tensor(-1.0))

    for splits in ([0, 2, 3], [0, 0, 3], [0, 1, 3]):
        ragged = tf.RaggedTensor.from_row_splits([1.0, 2.0, 3.0], splits)
        assert filled(ragged).numpy().tolist() == ragged.to_tensor(-1.0).numpy().tolist()


def test_a_captured_ragged_tensor_is_a_constant():
    scaled = tf.function(lambda factor: tf.reduce_sum(X * factor, 1))

    for factor in (1.0, 2.0, 3.0):
        expected = (np.array([2.0, 0.0, 4.5]) * factor).tolist()
        assert scaled(tf.constant(factor)).numpy().tolist() == expected


def test_an_embedding_of_ragged_rows_is_trained():
    table = tf.Variable(np.arange(8, dtype=np.float32).reshape(4, 2))
    words = tf.ragged.constant([[0, 2], [3]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.reduce_mean(tf.nn.embedding_lookup(table, words), 1))
    slope = tf.convert_to_tensor(tape.gradient(loss, table)).numpy()
    assert slope.tolist() == [[0.5, 0.5], [0, 0], [0.5, 0.5], [1, 1]]


def test_parts_of_a_variable_keep_their_values():
    variable = tf.Variable([1.0, 2.0, 3.0])
    ragged = tf.RaggedTensor.from_row_lengths(variable, [1, 2])
    variable.assign([7.0, 8.0, 9.0])
    assert rows(ragged) == [[1.0], [2.0, 3.0]]


def test_models_are_given_tensors():
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for refused in (lambda: model(X), lambda: model.fit(X, np.zeros(3)), lambda: model.predict(X)):
        with pytest.raises(ValueError, match="RaggedTensor.*to_tensor"):
            refused()
    words = tf.ragged.constant([[1.0, 2.0], [3.0]])
    batches = tf.data.Dataset.from_tensor_slices((words, [0.0, 1.0])).batch(2)
    history = model.fit(batches.map(lambda rows, label: (rows.to_tensor(shape=[None, 2]), label)), verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_rows_on_a_gpu_stay_there(two_gpus):
    with tf.device("GPU:0"):
        weights = tf.Variable([1.0, 2.0, 3.0])
        with tf.GradientTape() as tape:
            sums = tf.reduce_sum(tf.RaggedTensor.from_row_lengths(weights, [1, 2]) ** 2, 1)
        slope = tape.gradient(sums, weights)
        assert rows(tf.square(X)) == [[1, 4, 9], [], [16, 0.25]]
        assert rows(tf.maximum(X, 0.0)) == [[1, 0, 3], [], [4, 0.5]]
    assert sums.device.endswith("GPU:0")
    assert sums.numpy().tolist() == [1, 13]
    assert slope.numpy().tolist() == [2, 4, 6]


def test_the_values_may_be_a_slice_of_a_variable():
    v = tf.Variable([1.0, 2.0, 3.0])
    rows = tf.RaggedTensor.from_row_splits(v[:], [0, 1, 3])
    np.testing.assert_array_equal(rows.flat_values, [1.0, 2.0, 3.0])


def test_check_numerics_looks_at_the_values():
    finite = tf.ragged.constant([[1.0, 2.0], []])
    assert tf.debugging.check_numerics(finite, "here").to_list() == [[1.0, 2.0], []]
    with pytest.raises(tf.errors.InvalidArgumentError, match="here"):
        tf.debugging.check_numerics(finite / 0.0, "here")


def test_logsumexp_of_rows_columns_and_all():
    x = tf.ragged.constant([[1.0, 2.0], [3.0], []])
    np.testing.assert_allclose(tf.reduce_logsumexp(x, 1), [2.3132617, 3.0, -np.inf], rtol=1e-6)
    np.testing.assert_allclose(tf.reduce_logsumexp(x, 0), [3.126928, 2.0], rtol=1e-6)
    np.testing.assert_allclose(tf.reduce_logsumexp(x), 3.407606, rtol=1e-6)
    values = tf.constant([1000.0, 1000.0, -np.inf])
    with tf.GradientTape() as tape:
        tape.watch(values)
        sums = tf.reduce_logsumexp(tf.RaggedTensor.from_row_lengths(values, [2, 1]), 1)
    np.testing.assert_allclose(sums, [1000.6931, -np.inf], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(sums, values)[:2], [0.5, 0.5])


def test_products_of_batches_of_matrices_of_different_sizes():
    def numbers(*shape):
        return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)

    a, b = tf.ragged.stack([numbers(3, 4), numbers(2, 5)]), tf.ragged.stack([numbers(4, 2), numbers(5, 3)])
    product = tf.matmul(a, b)
    for got, x, y in zip(product.to_list(), a, b, strict=True):
        np.testing.assert_allclose(got, x.to_tensor() @ y.to_tensor())
    by_one = tf.matmul(tf.RaggedTensor.from_row_lengths(numbers(3, 4), [1, 0, 2]), numbers(3, 4, 2))
    assert by_one.shape.as_list() == [3, None, 2]
    np.testing.assert_allclose(by_one.values[0], numbers(3, 4)[0] @ numbers(3, 4, 2)[0])
    outer = tf.matmul(tf.RaggedTensor.from_tensor(numbers(3, 2, 5, 7)), numbers(3, 2, 7, 4))
    np.testing.assert_allclose(outer.to_tensor(), numbers(3, 2, 5, 7) @ numbers(3, 2, 7, 4))
    turned = tf.matmul(a, tf.ragged.stack([numbers(2, 4), numbers(3, 5)]), transpose_b=True)
    np.testing.assert_allclose(turned[1].to_tensor(), numbers(2, 5) @ numbers(3, 5).T)
    assert tf.matmul(tf.ragged.constant([[1, 2], [4, 5]]), [[5], [4]]).numpy().tolist() == [[13], [40]]


def test_products_refuse_matrices_that_are_ragged_and_other_batches():
    square = tf.ragged.constant([[1.0, 2.0], [3.0, 4.0]])
    for error, a, b in [
        (tf.errors.InvalidArgumentError, tf.ragged.constant([[1.0, 2.0], [3.0]]), square),
        (tf.errors.InvalidArgumentError, tf.RaggedTensor.from_tensor(tf.ones([3, 2, 5, 7])), tf.ones([3, 3, 7, 9])),
        (tf.errors.InvalidArgumentError, tf.RaggedTensor.from_tensor(tf.ones([3, 2, 5])), tf.ones([2, 5, 7])),
        (ValueError, square, tf.ones([2, 2, 2])),
        (ValueError, square, tf.ones([2, 2], tf.float64)),
    ]:
        with pytest.raises(error, match="matmul"):
            tf.matmul(a, b)
    with pytest.raises(ValueError, match="Only one"):
        tf.matmul(square, square, transpose_a=True, adjoint_a=True)


def test_segments_by_ragged_ids():
    data = tf.ragged.constant([[[1, 2], [3]], [], [[], [4, 5], [6]]])
    ids = tf.ragged.constant([[1, 2], [], [1, 1, 2]])
    assert tf.math.unsorted_segment_sum(data, ids, 3).to_list() == [[], [5, 7], [9]]
    assert tf.math.unsorted_segment_max(data.values, ids.values, 3).to_list() == [[], [4, 5], [6]]
    flat = tf.ragged.constant([[1.0, 2.0], [3.0]])
    assert tf.math.unsorted_segment_mean(flat, tf.ragged.constant([[0, 1], [1]]), 2).numpy().tolist() == [1.0, 2.5]
    with pytest.raises(tf.errors.InvalidArgumentError, match="prefix"):
        tf.math.unsorted_segment_sum(data, tf.ragged.constant([[1, 2], [1], [1, 1, 2]]), 3)
    with pytest.raises(ValueError, match="must be ragged"):
        tf.math.unsorted_segment_sum([1, 2, 3], ids, 3)


def test_ranges_across_the_whole_of_int32():
    whole = tf.ragged.range(1136033460, -2110457150, -1849827689)
    assert whole.dtype == "int32"
    assert whole.to_list() == [[1136033460, -713794229]]


def test_constants_and_rows_refuse_what_does_not_fit():
    assert tf.ragged.constant([], inner_shape=(0, 100, 20)).shape == (0, 100, 20)
    for error, arguments in [
        (ValueError, {"pylist": 12, "inner_shape": (1,)}),
        (ValueError, {"pylist": [[1]], "ragged_rank": -1}),
        (TypeError, {"pylist": [1, 2, 3], "inner_shape": (1, 1)}),
    ]:
        with pytest.raises(error):
            tf.ragged.constant(**arguments)
    with pytest.raises(TypeError, match="must be an int"):
        tf.RaggedTensor.from_tensor([[1]], ragged_rank="bad")
    for axis in (2, -3):
        with pytest.raises(ValueError, match="out of bounds"):
            X.row_lengths(axis)
    assert X.row_lengths(-1).numpy().tolist() == [3, 0, 2]


@pytest.mark.parametrize(
    ("sizes", "places", "axis", "batch_dims"),
    [
        ([2, 3, 6], [2, 3], 2, 1),  # as many indices as rows
        ([2, 3, 6], [2, 4], 2, 1),
        ([2, 3, 6], [2], 2, 1),
        ([3, 2, 6, 4], [3, 5], 3, 1),
        ([2, 3, 6, 7], [2, 3], 3, 2),
        ([7, 3, 6], [7, 5, 4, 2], 1, 1),
        ([3, 4], [2, 5], 1, 0),
        ([7, 3, 5, 6], [2, 3, 2], 3, 0),
    ],
)
def test_gather_of_ragged_and_dense_operands_of_one_shape_is_that_of_tensors(sizes, places, axis, batch_dims):
    generator = np.random.default_rng(0)
    x = generator.integers(100, size=sizes)
    ids = generator.integers(sizes[axis], size=places)
    expected = tf.gather(x, ids, axis=axis, batch_dims=batch_dims).numpy().tolist()
    for params in (x, *(tf.RaggedTensor.from_tensor(x, ragged_rank=rank) for rank in range(1, len(sizes)))):
        for indices in (ids, *(tf.RaggedTensor.from_tensor(ids, ragged_rank=rank) for rank in range(1, len(places)))):
            found = tf.gather(params, indices, axis=axis, batch_dims=batch_dims)
            assert (found.to_list() if isinstance(found, tf.RaggedTensor) else found.numpy().tolist()) == expected


def test_ragged_rows_of_an_embedding_have_integers():
    with pytest.raises(ValueError, match="integers"):
        tf.nn.embedding_lookup(tf.ones([3, 2]), X)
