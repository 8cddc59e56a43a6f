"""``SparseTensor``: its form, conversions, and what an error leaves as it was."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse

import fastgrad as tf
from tests.gradients import gradient_of

RNG = np.random.default_rng(4)


def random_matrix(rows, columns, density=0.4):
    return RNG.normal(size=(rows, columns)) * (RNG.random((rows, columns)) < density)


@pytest.mark.parametrize("shape", [(5,), (4, 6), (2, 3, 4), (0, 3), (3, 0)])
def test_a_dense_tensor_comes_back(shape):
    dense = RNG.normal(size=shape) * (RNG.random(shape) < 0.5)
    np.testing.assert_array_equal(tf.sparse.to_dense(tf.sparse.from_dense(dense)), dense)


def test_parts_of_scipys_matrices_make_a_sparse_tensor():
    matrix = scipy.sparse.coo_array(random_matrix(4, 5))
    sparse = tf.SparseTensor(np.stack(matrix.coords, 1), matrix.data, matrix.shape)
    np.testing.assert_array_equal(tf.sparse.to_dense(tf.sparse.reorder(sparse)), matrix.toarray())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_is_equal(copied):
    sparse = tf.sparse.from_dense(random_matrix(3, 4))
    np.testing.assert_array_equal(tf.sparse.to_dense(copied(sparse)), tf.sparse.to_dense(sparse))


def test_text_names_all_parts(capsys):
    sparse = tf.SparseTensor([[0, 1]], [2], [1, 3])
    tf.print(sparse)
    assert capsys.readouterr().err == "SparseTensor(indices=[[0 1]], values=[2], shape=[1 3])\n"
    assert repr(sparse).startswith("SparseTensor(indices=tf.Tensor([[0 1]], shape=(1, 2), dtype=int64), values=")


@pytest.mark.parametrize(
    "call", [tf.exp, tf.reduce_sum, tf.nn.relu, tf.convert_to_tensor, lambda x: tf.concat([x, x], 0)]
)
def test_an_operation_without_a_meaning_names_the_remedy(call):
    with pytest.raises(ValueError, match=r"use tf\.sparse\.to_dense, its values, or tf\.sparse\.map_values"):
        call(tf.sparse.eye(2))


@pytest.mark.parametrize(
    ("indices", "message"),
    [([[1, 0], [0, 0]], r"indices\[1\] = \[0, 0\] is out of order"), ([[0, 0], [0, 0]], "is repeated"), ([[0, 0], [0, 9]], "is out of bounds")],
)  # fmt: skip
def test_an_error_names_the_position(indices, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        tf.sparse.to_dense(tf.SparseTensor(indices, [1.0, 2.0], [2, 2]))


def test_a_negative_size_is_an_error():
    with pytest.raises(ValueError, match="negative size"):
        tf.SparseTensor([[0, 0]], [1.0], [-1, 2])


@pytest.mark.parametrize("indices", [[[0, 1], [0, 0]], [[0, 1], [0, 1]], [[0, 1], [0, 3]], [[-1, 1], [0, 1]]])
def test_a_compiled_function_checks_the_positions_of_each_call(indices):
    dense = tf.function(lambda indices: tf.sparse.to_dense(tf.SparseTensor(indices, [1.0, 2.0], [1, 3])))

    for _ in range(3):
        np.testing.assert_array_equal(dense(tf.constant([[0, 0], [0, 2]], tf.int64)), [[1, 0, 2]])
    with pytest.raises(tf.errors.InvalidArgumentError):
        dense(tf.constant(indices, tf.int64))


def test_specs_describe_arguments():
    recorded = []

    @tf.function(input_signature=[tf.SparseTensorSpec([None, 3], tf.float32)])
    def total(sparse):
        recorded.append(sparse.shape)
        return tf.sparse.reduce_sum(sparse)

    assert [float(total(tf.sparse.eye(n, 3))) for n in (2, 2, 3)] == [2, 2, 3]
    assert recorded == [[2, 3], [3, 3]]
    spec = tf.SparseTensorSpec([None, 3], tf.float32)
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert spec.is_subtype_of(tf.SparseTensorSpec([None, None], tf.float32))
    assert not tf.SparseTensorSpec([None, None]).is_subtype_of(spec)
    assert spec.most_specific_common_supertype([tf.SparseTensorSpec([2, 4])]) == tf.SparseTensorSpec([None, None])
    assert spec.most_specific_common_supertype([tf.SparseTensorSpec([2, 3], tf.int32)]) is None


def test_gradients_with_respect_to_a_sparse_tensor_are_sparse():
    sparse = tf.sparse.from_dense(random_matrix(3, 4))
    gradient = gradient_of(lambda sparse: tf.reduce_sum(tf.sparse.to_dense(sparse * 3.0) ** 2), sparse)
    assert isinstance(gradient, tf.SparseTensor)
    np.testing.assert_allclose(gradient.values, 18 * sparse.values)


def test_a_variables_memory_is_not_shared_with_its_rows():
    values = tf.Variable([1.0, 2.0])
    dataset = tf.data.Dataset.from_tensor_slices(tf.SparseTensor([[0], [1]], values, [2]))
    values.assign([5.0, 6.0])
    assert [float(tf.sparse.to_dense(x)) if x.shape.rank else float(x.values[0]) for x in dataset] == [1, 2]


def test_a_spec_fits_values_of_its_dtype_and_shape_only():
    spec, x = tf.SparseTensorSpec([None, 3], tf.float32), tf.sparse.from_dense([[1.0, 0.0, 2.0]])
    assert spec.is_compatible_with(x)
    assert spec.is_compatible_with(tf.SparseTensorSpec([2, None], tf.float32))
    for other in (
        tf.sparse.from_dense([[1, 0, 2]]),
        tf.sparse.from_dense([[1.0, 0.0]]),
        tf.SparseTensorSpec([2, 3], tf.float64),
        tf.constant([[1.0, 0.0, 2.0]]),
    ):
        assert not spec.is_compatible_with(other)
    with pytest.raises(TypeError, match="must be a SparseTensor"):
        tf.SparseTensorSpec.from_value(tf.constant([1.0]))
