"""Sparse tensors: how they are made, cut, joined and reduced, products and their gradients."""

import numpy as np

from ..differentiation import value_and_gradients
from ..refusal import refused

_POSITIONS = [[0, 1], [0, 3], [2, 0]]


def _matrix(tf, dtype="float32"):
    """[[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 0]]."""
    return tf.SparseTensor(_POSITIONS, tf.cast([1, 2, 3], dtype), [3, 4])


def _other(tf, dtype="float32"):
    return tf.SparseTensor([[0, 0], [0, 3], [1, 2]], tf.cast([5, -2, 7], dtype), [3, 4])


def _cube(tf):
    return tf.SparseTensor([[0, 0, 1], [0, 1, 0], [1, 0, 3], [1, 1, 1]], [1.0, -2.0, 3.0, 4.0], [2, 2, 4])


def _unsorted(tf):
    return tf.SparseTensor([[2, 0], [0, 3], [0, 1]], [3.0, 2.0, 1.0], [3, 4])


def _empty(tf, dtype="float32"):
    return tf.SparseTensor(tf.zeros([0, 2], tf.int64), tf.zeros([0], dtype), [3, 4])


def making(tf):
    S = tf.SparseTensor
    matrix = _matrix(tf)
    return {
        "parts": lambda: [matrix.indices, matrix.values, matrix.dense_shape, matrix.shape, matrix.get_shape(), matrix.dtype],
        "of lists": lambda: S([[0], [2]], [1, 2], [3]),
        "of strings": lambda: S([[0], [2]], ["a", "b"], [3]),
        "of arrays": lambda: S(np.array([[0], [2]]), np.array([1.0, 2.0]), np.array([3])),
        "int32 indices": lambda: refused(lambda: S(tf.constant([[0]]), [1], [3])),
        "rank of indices": lambda: S([0, 2], [1, 2], [3]),
        "rank of values": lambda: S([[0], [2]], [[1], [2]], [3]),
        "rank of shape": lambda: S([[0], [2]], [1, 2], 3),
        "count of values": lambda: S([[0], [2]], [1, 2, 3], [3]),
        "count of sizes": lambda: S([[0], [2]], [1, 2], [3, 4]),
        "with values": lambda: matrix.with_values([1, 2, 3]),
        "with wrong values": lambda: matrix.with_values([1, 2]),
        "from value": lambda: S.from_value(matrix),
        "from no value": lambda: S.from_value(3),
        "set shape": lambda: matrix.set_shape([3, None]),
        "set wrong shape": lambda: matrix.set_shape([3, 5]),
        "as a tensor": lambda: refused(lambda: tf.convert_to_tensor(matrix)),
        "relu": lambda: refused(lambda: tf.nn.relu(matrix)),
        "sizes": lambda: [tf.shape(matrix), tf.shape(matrix, tf.int64), tf.size(matrix), tf.rank(matrix)],
        "copies": lambda: [tf.identity(matrix), tf.stop_gradient(matrix), bool(matrix)],
        "without a meaning": lambda: [
            refused(lambda call=call: call(matrix))
            for call in (tf.zeros_like, tf.where, tf.Variable, tf.constant, len, abs, lambda x: x[0], lambda x: x @ x)
        ],
        "embedding of sparse ids": lambda: refused(lambda: tf.nn.embedding_lookup(tf.ones([4, 2]), tf.cast(matrix, tf.int32))),
        "text": lambda: tf.SparseTensor([[0]], [1], [3]).__class__,
        "spec": lambda: [str(tf.SparseTensorSpec([None, 3], tf.int32)), tf.SparseTensorSpec([2], tf.int32).shape, tf.SparseTensorSpec().dtype],
        "spec of a value": lambda: str(tf.SparseTensorSpec.from_value(matrix)),
        "spec of no value": lambda: tf.SparseTensorSpec.from_value(3),
        "spec fits": lambda: [
            tf.SparseTensorSpec(shape, dtype).is_compatible_with(matrix)
            for shape, dtype in (([3, 4], tf.float32), ([None, 4], tf.float32), ([3, 4], tf.int32), ([3], tf.float32), (None, tf.float32))
        ],
        "equal specs": lambda: [tf.SparseTensorSpec([1], tf.int32) == tf.SparseTensorSpec([n], tf.int32) for n in (1, 2)],
        "eye": lambda: [tf.sparse.eye(2), tf.sparse.eye(2, 3, tf.int32), tf.sparse.eye(3, 2)],
        "flat": lambda: tf.nest.flatten({"a": matrix}, expand_composites=True)[:2],
    }  # fmt: skip


def dense(tf):
    sparse = tf.sparse
    matrix = _matrix(tf)
    twice = tf.SparseTensor([[0, 1], [0, 1]], [1.0, 2.0], [3, 4])
    beyond = tf.SparseTensor([[0, 1], [3, 1]], [1.0, 2.0], [3, 4])
    return {
        "from dense": lambda: sparse.from_dense([[0, 1, 0], [2, 0, 0]]),
        "from floats": lambda: sparse.from_dense([0.0, 1.0, float("nan"), -0.0]),
        "from booleans": lambda: sparse.from_dense([True, False]),
        "from strings": lambda: sparse.from_dense(["a", "", "b"]),
        "from rank 3": lambda: sparse.from_dense(tf.reshape(tf.range(8), [2, 2, 2])),
        "from zeros": lambda: sparse.from_dense(tf.zeros([2, 3])),
        "to dense": lambda: sparse.to_dense(matrix),
        "to dense, default": lambda: sparse.to_dense(matrix, -1.0),
        "to dense, rank 3": lambda: sparse.to_dense(_cube(tf)),
        "to dense, strings": lambda: sparse.to_dense(tf.SparseTensor([[1]], ["a"], [3])),
        "to dense, booleans": lambda: sparse.to_dense(tf.SparseTensor([[1]], [True], [3])),
        "to dense, string default": lambda: sparse.to_dense(tf.SparseTensor([[1]], ["a"], [3]), "no"),
        "to dense, int8": lambda: sparse.to_dense(tf.cast(matrix, tf.int8)),
        "to dense, empty": lambda: sparse.to_dense(_empty(tf)),
        "to dense, default vector": lambda: sparse.to_dense(matrix, [1.0]),
        "to dense, unsorted": lambda: sparse.to_dense(_unsorted(tf)),
        "to dense, unsorted, unchecked": lambda: sparse.to_dense(_unsorted(tf), validate_indices=False),
        "to dense, twice": lambda: sparse.to_dense(twice),
        "to dense, twice, unchecked": lambda: sparse.to_dense(twice, validate_indices=False),
        "to dense, beyond": lambda: sparse.to_dense(beyond),
        "to dense, beyond, unchecked": lambda: sparse.to_dense(beyond, validate_indices=False),
        "to dense of dense": lambda: sparse.to_dense([1.0]),
        "gradient of to dense": lambda: value_and_gradients(
            tf, lambda v, d: tf.reduce_sum(sparse.to_dense(matrix.with_values(v), d) ** 2), matrix.values, tf.constant(2.0)
        ),
    }  # fmt: skip


def products(tf):
    questions = {}
    for dtype in ("float32", "float64", "int32", "complex64"):
        for a in (False, True):
            for b in (False, True):
                left = tf.sparse.transpose(_matrix(tf, dtype)) if a else _matrix(tf, dtype)
                right = tf.cast(tf.reshape(tf.range(8), [2, 4] if b else [4, 2]), dtype)
                questions[f"{dtype} {a} {b}"] = lambda left=left, right=right, a=a, b=b: tf.sparse.sparse_dense_matmul(
                    left, right, a, b
                )

    def loss(values, dense, **options):
        sparse = _matrix(tf).with_values(values)
        return tf.reduce_sum(tf.sparse.sparse_dense_matmul(sparse, dense, **options) ** 2)

    values = tf.constant([1.0, 2.0, 3.0])
    return questions | {
        "dense first": lambda: tf.sparse.sparse_dense_matmul(tf.ones([2, 3]), _matrix(tf)),
        "dense first, adjoint": lambda: tf.sparse.sparse_dense_matmul(tf.ones([3, 2]), _matrix(tf), adjoint_a=True),
        "dense first, adjoints": lambda: tf.sparse.sparse_dense_matmul(tf.ones([4, 2]), _matrix(tf), True, True),
        "a list": lambda: tf.sparse.sparse_dense_matmul(_matrix(tf), [[1.0], [2.0], [3.0], [4.0]]),
        "unsorted": lambda: tf.sparse.sparse_dense_matmul(_unsorted(tf), tf.ones([4, 2])),
        "empty": lambda: tf.sparse.sparse_dense_matmul(_empty(tf), tf.ones([4, 2])),
        "no columns": lambda: tf.sparse.sparse_dense_matmul(_matrix(tf), tf.ones([4, 0])),
        "wrong size": lambda: tf.sparse.sparse_dense_matmul(_matrix(tf), tf.ones([3, 2])),
        "wrong rank": lambda: tf.sparse.sparse_dense_matmul(_matrix(tf), tf.ones([4])),
        "wrong dtype": lambda: tf.sparse.sparse_dense_matmul(_matrix(tf), tf.ones([4, 2], tf.int32)),
        "beyond": lambda: tf.sparse.sparse_dense_matmul(tf.SparseTensor([[0, 5]], [1.0], [3, 4]), tf.ones([4, 2])),
        "gradients": lambda: value_and_gradients(tf, loss, values, tf.reshape(tf.range(8.0), [4, 2])),
        "gradients, adjoint": lambda: value_and_gradients(
            tf, lambda v, d: loss(v, d, adjoint_a=True, adjoint_b=True), values, tf.reshape(tf.range(6.0), [2, 3])
        ),
        "compiled": lambda: tf.function(tf.sparse.sparse_dense_matmul)(_matrix(tf), tf.ones([4, 2])),
        "compiled gradients": lambda: tf.function(lambda v, d: value_and_gradients(tf, loss, v, d))(values, tf.ones([4, 2])),
    }  # fmt: skip


def elements(tf):
    sparse = tf.sparse
    matrix, other = _matrix(tf), _other(tf)
    row = tf.constant([1.0, 2.0, 3.0, 4.0])
    column = tf.constant([[1.0], [2.0], [4.0]])
    unary = ["abs", "negative", "asinh", "sin", "tan", "atan", "sign", "square", "sqrt", "tanh"]
    return {f"unary {name}": lambda name=name: getattr(tf.math, name)(matrix) for name in unary} | {
        "erf": lambda: tf.math.erf(matrix),
        "exp": lambda: refused(lambda: tf.exp(matrix)),
        "cast": lambda: tf.cast(matrix, tf.int32),
        "times dense": lambda: [matrix * row, matrix * column, matrix * 2.0, row * matrix, matrix * tf.ones([3, 4])],
        "times the wrong shape": lambda: refused(lambda: matrix * tf.ones([2, 4])),
        "times rank 3": lambda: refused(lambda: matrix * tf.ones([1, 3, 4])),
        "times the wrong dtype": lambda: refused(lambda: matrix * tf.ones([3, 4], tf.int32)),
        "times sparse": lambda: refused(lambda: matrix * other),
        "over dense": lambda: [matrix / row, matrix / column, matrix / 2.0],
        "integers over dense": lambda: tf.cast(matrix, tf.int32) / tf.constant(2),
        "plus": lambda: refused(lambda: matrix + other),
        "gradients of times": lambda: value_and_gradients(
            tf, lambda v, d: tf.reduce_sum((matrix.with_values(v) * d).values ** 2), matrix.values, tf.constant(2.0) * tf.ones([3, 4])
        ),
        "add": lambda: [sparse.add(matrix, other), sparse.add(other, matrix)],
        "add, threshold": lambda: [sparse.add(matrix, other, threshold) for threshold in (0, 0.5, 3.0)],
        "add empty": lambda: sparse.add(matrix, _empty(tf)),
        "add integers": lambda: sparse.add(_matrix(tf, "int32"), _other(tf, "int32"), 1),
        "add complex": lambda: sparse.add(_matrix(tf, "complex64"), _other(tf, "complex64"), 4.0),
        "add dense": lambda: [sparse.add(matrix, tf.ones([3, 4])), sparse.add(tf.ones([3, 4]), matrix)],
        "add the wrong shape": lambda: refused(lambda: sparse.add(matrix, tf.sparse.eye(3))),
        "add the wrong dtype": lambda: refused(lambda: sparse.add(matrix, _other(tf, "int32"))),
        "add dense of the wrong shape": lambda: refused(lambda: sparse.add(matrix, tf.ones([4]))),
        "add dense to dense": lambda: sparse.add(tf.ones([3]), tf.ones([3])),
        "gradients of add": lambda: value_and_gradients(
            tf, lambda u, v: tf.reduce_sum(sparse.add(matrix.with_values(u), other.with_values(v)).values ** 2), matrix.values, other.values
        ),
        "gradients of add dense": lambda: value_and_gradients(
            tf, lambda u, v: tf.reduce_sum(sparse.add(matrix.with_values(u), v) ** 2), matrix.values, tf.ones([3, 4])
        ),
        "maximum": lambda: [sparse.maximum(matrix, other), sparse.minimum(matrix, other)],
        "maximum of integers": lambda: sparse.maximum(_matrix(tf, "int32"), _other(tf, "int32")),
        "maximum of the wrong shape": lambda: refused(lambda: sparse.maximum(matrix, tf.sparse.eye(3))),
        "softmax": lambda: [sparse.softmax(matrix), sparse.softmax(_cube(tf))],
        "softmax of a vector": lambda: refused(lambda: sparse.softmax(tf.SparseTensor([[0]], [1.0], [3]))),
        "gradients of softmax": lambda: value_and_gradients(
            tf, lambda v: tf.reduce_sum(sparse.softmax(matrix.with_values(v)).values ** 2), matrix.values
        ),
        "map values": lambda: sparse.map_values(tf.add, matrix, 1.0),
        "map values of two": lambda: sparse.map_values(tf.multiply, matrix, matrix),
        "map values of other positions": lambda: sparse.map_values(tf.multiply, matrix, other),
        "map values of none": lambda: sparse.map_values(tf.add, 1.0, 2.0),
    }  # fmt: skip


def positions(tf):
    sparse = tf.sparse
    matrix, cube, empty = _matrix(tf), _cube(tf), _empty(tf)
    return {
        "reorder": lambda: sparse.reorder(_unsorted(tf)),
        "reorder empty": lambda: sparse.reorder(empty),
        "transpose": lambda: [sparse.transpose(matrix), sparse.transpose(cube), sparse.transpose(cube, [1, 2, 0])],
        "transpose wrongly": lambda: refused(lambda: sparse.transpose(cube, [0, 5, 1])),
        "reshape": lambda: [sparse.reshape(matrix, shape) for shape in ([4, 3], [12], [2, -1], [2, 2, 3], [-1, 6])],
        "reshape wrongly": lambda: sparse.reshape(matrix, [5, 3]),
        "reshape wrongly, -1": lambda: sparse.reshape(matrix, [5, -1]),
        "reshape, two -1": lambda: sparse.reshape(matrix, [-1, -1]),
        "expand dims": lambda: [sparse.expand_dims(matrix, axis) for axis in (None, 0, 1, 2, -1, -2, -3)],
        "expand dims, wrong axis": lambda: [refused(lambda axis=axis: sparse.expand_dims(matrix, axis)) for axis in (3, -4)],
        "concat": lambda: [sparse.concat(axis, [matrix, _other(tf), matrix]) for axis in (0, 1, -1)],
        "concat of one": lambda: sparse.concat(0, [matrix]),
        "concat of other shapes": lambda: refused(lambda: sparse.concat(0, [matrix, sparse.eye(3)])),
        "concat, expanded": lambda: [sparse.concat(axis, [matrix, sparse.eye(5)], expand_nonconcat_dims=True) for axis in (0, 1, -1)],
        "concat of dense": lambda: sparse.concat(0, [matrix, tf.ones([3, 4])]),
        "slice": lambda: [sparse.slice(matrix, start, size) for start, size in (([0, 0], [2, 2]), ([0, 1], [3, 9]), ([2, 0], [1, 1]), ([0, 0], [0, 0]))],
        "slice of a cube": lambda: sparse.slice(cube, [0, 1, 0], [2, 1, 4]),
        "slice, wrong rank": lambda: refused(lambda: sparse.slice(cube, [0, 1], [2, 1])),
        "slice beyond": lambda: sparse.slice(matrix, [5, 0], [1, 1]).values,
        "split": lambda: [sparse.split(matrix, 2, axis) for axis in (0, 1, -1)],
        "split without axis": lambda: refused(lambda: sparse.split(matrix, 2)),
        "split into too many": lambda: sparse.split(matrix, 9, 1),
        "retain": lambda: [sparse.retain(matrix, keep) for keep in ([True, False, True], [False] * 3)],
        "retain wrongly": lambda: sparse.retain(matrix, [True]),
        "reset shape": lambda: [sparse.reset_shape(matrix), sparse.reset_shape(matrix, [4, 4]), sparse.reset_shape(cube)],
        "reset shape, smaller": lambda: sparse.reset_shape(matrix, [2, 4]),
        "reset shape, other rank": lambda: refused(lambda: sparse.reset_shape(matrix, [2, 4, 3])),
        "fill empty rows": lambda: sparse.fill_empty_rows(matrix, 9.0),
        "fill empty rows of empty": lambda: sparse.fill_empty_rows(empty, 9.0),
        "fill empty rows of a cube": lambda: sparse.fill_empty_rows(cube, 9.0),
        "fill empty rows, none": lambda: sparse.fill_empty_rows(sparse.eye(2), 9.0),
        "fill empty rows of unsorted": lambda: sparse.fill_empty_rows(_unsorted(tf), 9.0),
        "gradients of fill empty rows": lambda: value_and_gradients(
            tf, lambda v, d: tf.reduce_sum(sparse.fill_empty_rows(matrix.with_values(v), d)[0].values ** 2), matrix.values, tf.constant(2.0)
        ),
        "gradients of slice": lambda: value_and_gradients(
            tf, lambda v: tf.reduce_sum(sparse.slice(matrix.with_values(v), [0, 1], [3, 3]).values ** 2), matrix.values
        ),
        "gradients of reorder": lambda: value_and_gradients(
            tf, lambda v: tf.reduce_sum(sparse.reorder(_unsorted(tf).with_values(v)).values * [1.0, 2.0, 3.0]), matrix.values
        ),
        "mask": lambda: sparse.mask(tf.IndexedSlices(tf.reshape(tf.range(6.0), [3, 2]), [4, 2, 7], [9, 2]), [2, 5]),
    }  # fmt: skip


def reductions(tf):
    sparse = tf.sparse
    matrix, cube = _matrix(tf), _cube(tf)
    axes = (None, 0, 1, -1, [0], [0, 1])
    data = tf.reshape(tf.range(12.0), [4, 3])
    questions = {}
    for name in ("reduce_sum", "reduce_max"):
        reduce = getattr(sparse, name)
        questions |= {
            name: lambda reduce=reduce: [reduce(matrix, axis) for axis in axes],
            f"{name} of a cube": lambda reduce=reduce: [reduce(cube, axis) for axis in (0, [0, 2], [-1, 0], -2)],
            f"{name}, kept": lambda reduce=reduce: [reduce(matrix, axis, keepdims=True) for axis in axes],
            f"{name}, sparse": lambda reduce=reduce: [
                reduce(matrix, axis, output_is_sparse=True) for axis in (0, 1, [1])
            ],
            f"{name}, sparse, kept": lambda reduce=reduce: [reduce(matrix, axis, True, True) for axis in axes],
            f"{name} of integers": lambda reduce=reduce: reduce(_matrix(tf, "int32"), 1),
            f"{name}, wrong axis": lambda reduce=reduce: reduce(matrix, 2),
        }
    for name in ("segment_sum", "segment_mean", "segment_sqrt_n"):
        reduce = getattr(sparse, name)
        questions |= {
            name: lambda reduce=reduce: reduce(data, [0, 1, 3, 0], [0, 0, 2, 2]),
            f"{name}, count": lambda reduce=reduce: reduce(data, [0, 1, 3], [0, 0, 2], num_segments=4),
            f"{name}, wrong count": lambda reduce=reduce: reduce(data, [0, 1, 3], [0, 0, 2], num_segments=1),
            f"{name}, wrong order": lambda reduce=reduce: reduce(data, [0, 1, 3], [0, 2, 1]),
            f"{name}, wrong index": lambda reduce=reduce: reduce(data, [0, 1, 4], [0, 0, 1]),
            f"{name}, gradient": lambda reduce=reduce: [
                tf.convert_to_tensor(x)
                for x in value_and_gradients(
                    tf, lambda d: tf.reduce_sum(reduce(d, [0, 1, 3, 0], [0, 0, 2, 2]) ** 2), data
                )
            ],
        }
    numbers = tf.SparseTensor([[0, 1], [0, 3], [2, 0]], tf.constant([3, 3, 1], tf.int64), [3, 4])
    return questions | {
        "gradient of reduce_sum": lambda: value_and_gradients(
            tf, lambda v: tf.reduce_sum(sparse.reduce_sum(matrix.with_values(v), 0) ** 2), matrix.values
        ),
        "bincount": lambda: sparse.bincount([1, 1, 3]),
        "bincount of rows": lambda: sparse.bincount([[1, 1, 3], [0, 2, 2]], axis=-1),
        "bincount of a matrix": lambda: sparse.bincount([[1, 1, 3], [0, 2, 2]]),
        "bincount of int64": lambda: sparse.bincount(tf.constant([1, 1, 3], tf.int64)),
        "bincount, lengths": lambda: [sparse.bincount([1, 1, 3], minlength=6), sparse.bincount([1, 1, 3], maxlength=3), sparse.bincount([1, 1, 3], maxlength=9)],
        "bincount, lengths of rows": lambda: [sparse.bincount([[1, 1, 3]], minlength=6, axis=-1), sparse.bincount([[1, 1, 3]], maxlength=2, axis=-1)],
        "bincount, no length": lambda: sparse.bincount([1, 1, 3], maxlength=0),
        "bincount, binary": lambda: sparse.bincount([1, 1, 3], binary_output=True),
        "bincount, weights": lambda: sparse.bincount([1, 1, 3], weights=[0.5, 1.0, 2.0]),
        "bincount, weights of rows": lambda: sparse.bincount([[1, 1, 3]], weights=[[0.5, 1.0, 2.0]], axis=-1),
        "bincount of sparse": lambda: [sparse.bincount(numbers), sparse.bincount(numbers, axis=-1)],
        "bincount of sparse, weights": lambda: sparse.bincount(numbers, weights=_matrix(tf), axis=-1),
        "bincount of sparse, dense weights": lambda: sparse.bincount(numbers, weights=[1, 2, 3], axis=-1),
        "bincount, negative": lambda: sparse.bincount([1, -1]),
        "bincount, wrong axis": lambda: sparse.bincount([1, 1], axis=1),
        "bincount, weights and binary": lambda: sparse.bincount([1], weights=[1.0], binary_output=True),
    }  # fmt: skip


def compiled(tf):
    @tf.function
    def step(sparse, dense):
        product = tf.sparse.sparse_dense_matmul(sparse, dense)
        return tf.sparse.add(sparse, sparse), tf.sparse.reduce_sum(sparse, 1), product, sparse * 2.0

    @tf.function(input_signature=[tf.SparseTensorSpec([None, 4], tf.float32)])
    def total(sparse):
        return tf.sparse.reduce_sum(sparse)

    return {
        "a step": lambda: step(_matrix(tf), tf.ones([4, 2])),
        "again": lambda: [step(sparse, tf.ones([4, 2])) for sparse in (_matrix(tf), _other(tf), _empty(tf), _matrix(tf))],
        "signature": lambda: [total(_matrix(tf)), total(tf.sparse.eye(5, 4))],
        "wrong signature": lambda: refused(lambda: total(tf.sparse.eye(5))),
        "made inside": lambda: tf.function(lambda v: tf.sparse.to_dense(tf.SparseTensor(_POSITIONS, v, [3, 4])))([1.0, 2.0, 3.0]),
        "from dense": lambda: tf.function(lambda d: tf.sparse.to_dense(tf.sparse.from_dense(d)) * 2.0)(tf.constant([[1.0, 0.0]])),
        "gradient by a sparse source": lambda: _gradient_by_values(tf),
    }  # fmt: skip


def _gradient_by_values(tf):
    sparse = _matrix(tf)
    with tf.GradientTape() as tape:
        tape.watch(sparse.values)
        loss = tf.reduce_sum(tf.square(sparse).values)
    return tape.gradient(loss, sparse.values)


def embeddings(tf):
    table = tf.reshape(tf.range(12.0), [4, 3])
    ids = tf.SparseTensor([[0, 0], [0, 1], [1, 0], [3, 0]], tf.constant([1, 3, 0, 1], tf.int64), [4, 2])
    sparse_ids = tf.SparseTensor([[0, 0], [0, 1], [2, 0], [3, 0]], tf.constant([1, 3, -1, 1], tf.int64), [5, 2])
    weights = ids.with_values([1.0, 0.5, 2.0, -1.0])
    cube = tf.SparseTensor([[0, 0, 0], [1, 1, 0]], tf.constant([1, 3], tf.int64), [2, 2, 1])
    lookup, safe = tf.nn.embedding_lookup_sparse, tf.nn.safe_embedding_lookup_sparse
    questions = {}
    for combiner in (None, "sum", "mean", "sqrtn"):
        questions |= {
            f"{combiner}": lambda c=combiner: lookup(table, ids, None, combiner=c),
            f"{combiner}, weights": lambda c=combiner: lookup(table, ids, weights, combiner=c),
            f"{combiner}, gradients": lambda c=combiner: [
                tf.convert_to_tensor(x)
                for x in value_and_gradients(
                    tf,
                    lambda t, w: tf.reduce_sum(lookup(t, ids, weights.with_values(w), combiner=c) ** 2),
                    table,
                    weights.values,
                )
            ],
        }
    for combiner in ("sum", "mean", "sqrtn"):
        questions |= {
            f"safe {combiner}": lambda c=combiner: safe(table, sparse_ids, combiner=c),
            f"safe {combiner}, default": lambda c=combiner: safe(table, sparse_ids, combiner=c, default_id=2),
            f"safe {combiner}, weights": lambda c=combiner: safe(table, sparse_ids, weights, combiner=c),
        }
    return questions | {
        "norm": lambda: lookup(table, ids, None, combiner="sum", max_norm=4.0),
        "tables": lambda: lookup([table[:2], table[2:]], ids, None, combiner="sum"),
        "half": lambda: lookup(tf.cast(table, tf.float16), ids, weights, combiner="mean"),
        "wrong combiner": lambda: lookup(table, ids, None, combiner="max"),
        "dense ids": lambda: lookup(table, tf.constant([[1]]), None),
        "dense weights": lambda: lookup(table, ids, tf.constant([1.0])),
        "other weights": lambda: lookup(table, ids, sparse_ids.with_values([1.0, 2.0, 3.0, 4.0]), combiner="sum"),
        "fewer weights": lambda: lookup(table, ids, tf.SparseTensor([[0, 0]], [1.0], [4, 2])),
        "wrong id": lambda: lookup(table, ids.with_values(tf.constant([1, 9, 0, 1], tf.int64)), None),
        "safe of a cube": lambda: safe(table, cube, combiner="sum"),
        "safe of no table": lambda: safe(None, cube),
    }


def _ragged(tf):
    return tf.ragged.constant([[1, 2], [], [3]])


def surroundings(tf):
    R = tf.RaggedTensor
    nested = tf.ragged.constant([[[1, 2], [3]], [], [[4, 5, 6]]])
    gap = tf.SparseTensor([[0, 1]], [1], [2, 2])
    a, b = [[1, 2, 2], [3, 4, 5]], [[2, 3], [5, 6]]
    counts = tf.SparseTensor([[0, 1], [0, 3], [2, 0]], [3, 3, 1], [3, 4])
    sets = tf.sets
    sparse_a, sparse_b = tf.sparse.from_dense(a), tf.sparse.from_dense(b)
    words = tf.constant([["a", "b"], ["c", "c"]])
    return {
        "ragged to sparse": lambda: [_ragged(tf).to_sparse(), nested.to_sparse()],
        "ragged rows of vectors to sparse": lambda: R.from_row_splits(tf.ones([3, 2]), [0, 1, 3]).to_sparse(),
        "sparse to ragged": lambda: R.from_sparse(tf.SparseTensor([[0, 0], [0, 1], [2, 0]], [1, 2, 3], [4, 2])),
        "sparse to ragged, int32": lambda: R.from_sparse(_ragged(tf).to_sparse(), row_splits_dtype=tf.int32),
        "sparse to ragged with a gap": lambda: R.from_sparse(gap),
        "sparse to ragged of rank 3": lambda: refused(lambda: R.from_sparse(_cube(tf))),
        "dense to ragged": lambda: R.from_sparse(tf.ones([2, 2])),
        "bincount": lambda: [tf.math.bincount(counts), tf.math.bincount(counts, axis=-1)],
        "bincount, weights": lambda: tf.math.bincount(counts, weights=_matrix(tf), axis=-1),
        "bincount, lengths": lambda: tf.math.bincount(counts, minlength=6, axis=-1),
        "type specs": lambda: [str(tf.type_spec_from_value(x)) for x in (_matrix(tf), _ragged(tf), 1.0, [1, 2], np.ones(2))],
        "intersection": lambda: sets.intersection(tf.constant(a), tf.constant(b)),
        "union": lambda: sets.union(tf.constant(a), tf.constant(b)),
        "difference": lambda: [sets.difference(tf.constant(a), tf.constant(b), flag) for flag in (True, False)],
        "sparse sets": lambda: [sets.union(sparse_a, sparse_b), sets.intersection(sparse_a, sparse_b)],
        "sparse and dense sets": lambda: [sets.union(sparse_a, tf.constant(b)), sets.union(tf.constant(b), sparse_a)],
        "difference of sparse and dense": lambda: [sets.difference(sparse_a, tf.constant(b), flag) for flag in (True, False)],
        "sets of words": lambda: sets.union(words, tf.constant([["d"], ["c"]])),
        "sets of int64": lambda: sets.intersection(tf.constant([[1, 2]], tf.int64), tf.constant([[1, 5]], tf.int64)),
        "sets in rank 3": lambda: sets.union(tf.reshape(tf.range(8), [2, 2, 2]), tf.reshape(tf.range(1, 9), [2, 2, 2])),
        "no common values": lambda: sets.intersection(tf.constant([[1]]), tf.constant([[2]])),
        "sets of floats": lambda: sets.union(tf.constant([[1.0]]), tf.constant([[2.0]])),
        "sets of two dtypes": lambda: sets.union(tf.constant([[1]]), tf.constant([[2]], tf.int64)),
        "sets of other rows": lambda: sets.union(tf.constant([[1]]), tf.constant([[2], [3]])),
        "sets of vectors": lambda: refused(lambda: sets.union(tf.constant([1, 2]), tf.constant([2, 3]))),
        "size": lambda: [sets.size(sparse_a), sets.size(tf.SparseTensor([[0, 0], [0, 1]], [1, 1], [3, 2]))],
        "size of dense": lambda: sets.size(tf.constant(a)),
        "a step of sets": lambda: tf.function(lambda x, y: tf.sets.union(x, y))(tf.constant(a), tf.constant(b)),
    }  # fmt: skip


def crossing(tf):
    cross, hashed = tf.sparse.cross, tf.sparse.cross_hashed
    words = tf.sparse.from_dense([["a", "b", ""], ["", "", ""], ["c", "", "d"]])
    numbers = tf.sparse.from_dense([[3, 0], [1, 2], [0, -5]])
    dense = tf.constant([[7, 8], [9, 10], [11, 12]], tf.int64)
    letters = tf.constant([["x"], ["y"], ["z"]])
    return {
        "words": lambda: cross([words, letters]),
        "words and numbers": lambda: cross([dense, words, numbers]),
        "numbers": lambda: cross([numbers, dense]),
        "separator": lambda: cross([words, letters], separator="-"),
        "one": lambda: cross([words]),
        "hashed": lambda: hashed([numbers, dense]),
        "hashed, one": lambda: hashed([dense]),
        "hashed into buckets": lambda: hashed([numbers, dense], num_buckets=100),
        "hashed with a key": lambda: hashed([numbers, dense], num_buckets=1000, hash_key=12345),
        "no list": lambda: cross(words),
        "no tensors": lambda: cross([[1]]),
        "other rows": lambda: refused(lambda: cross([words, tf.constant([["x"]])])),
        "vectors": lambda: refused(lambda: cross([words, tf.constant(["x", "y", "z"])])),
    }


def models(tf):
    layers = tf.keras.layers
    matrix = _matrix(tf)

    def dense_layer(**options):
        layer = layers.Dense(2, kernel_initializer="ones", bias_initializer="ones", **options)
        return layer, layer(matrix)

    def functional():
        inputs = tf.keras.Input((4,), sparse=True)
        model = tf.keras.Model(inputs, dense_layer(activation="relu")[0](inputs))
        return [inputs.sparse, model(matrix), model.output_shape, model.input_shape]

    def trained():
        model = tf.keras.Sequential([layers.Dense(1, kernel_initializer="ones")])
        model.compile(tf.keras.optimizers.SGD(0.1), "mse")
        data = tf.data.Dataset.from_tensor_slices((matrix, [[1.0], [2.0], [3.0]])).batch(2)
        losses = model.fit(data, epochs=3, verbose=0).history["loss"]
        return [losses, model.predict(data, verbose=0), model.evaluate(data, verbose=0)]

    slices = tf.data.Dataset.from_tensor_slices(matrix)
    return {
        "dense layer": lambda: dense_layer()[1],
        "dense layer with an activation": lambda: dense_layer(activation="tanh")[1],
        "embedding": lambda: layers.Embedding(5, 2, "ones")(tf.cast(matrix, tf.int32)).shape,
        "functional": functional,
        "trained": trained,
        "slices": lambda: list(slices),
        "slices of a cube": lambda: list(tf.data.Dataset.from_tensor_slices(_cube(tf))),
        "spec of slices": lambda: str(slices.element_spec),
        "batches": lambda: list(slices.batch(2)),
        "spec of batches": lambda: str(slices.batch(2).element_spec),
        "mapped": lambda: list(slices.map(lambda row: row * 2.0).batch(2)),
        "repeated": lambda: list(slices.repeat(2).skip(1).batch(4, drop_remainder=True)),
        "one element": lambda: list(tf.data.Dataset.from_tensors(matrix)),
        "unbatched": lambda: list(tf.data.Dataset.from_tensors(matrix).unbatch()),
    }


def matrices_of_scipy(tf):
    """Models that get SciPy's sparse matrices; what layers see of them."""
    import scipy.sparse

    keras = tf.keras
    numbers = np.arange(40.0).reshape(10, 4)
    dense = np.where(numbers % 3 == 0, 0.1 * numbers, 0.0)
    labels = np.ones((10, 1), np.float32)

    class Noted(keras.layers.Layer):
        def call(self, x):
            self.kind = [isinstance(x, tf.SparseTensor), str(x.dtype.name)]
            return x

    def model(sparse=True):
        x, noted = keras.Input((4,), sparse=sparse), Noted()
        model = keras.Model(x, keras.layers.Dense(1)(keras.layers.Dense(2)(noted(x))))
        model.set_weights([np.cos(np.arange(w.size)).reshape(w.shape) for w in model.get_weights()])
        model.compile("sgd", "mse")
        return model, noted

    def fitted(matrix, sparse=True, **options):
        net, noted = model(sparse)
        history = net.fit(matrix, labels, batch_size=4, shuffle=False, verbose=0, **options).history
        return [[float(loss) for losses in history.values() for loss in losses], noted.kind]

    csr = scipy.sparse.csr_matrix(dense)
    return {
        "fit": lambda: fitted(csr, epochs=2),
        "fit with dense inputs": lambda: fitted(csr, sparse=False),
        "fit of a COO array": lambda: fitted(scipy.sparse.coo_array(dense)),
        "fit of lists": lambda: fitted(scipy.sparse.lil_matrix(dense)),
        "validation split": lambda: fitted(csr, validation_split=0.3),
        "validation data": lambda: fitted(csr, validation_data=(csr, labels)),
        "batches of a generator": lambda: [
            float(loss)
            for loss in model()[0]
            .fit(((csr[i : i + 2], labels[i : i + 2]) for i in range(0, 10, 2)), verbose=0)
            .history["loss"]
        ],
        "evaluate": lambda: float(model()[0].evaluate(csr, labels, batch_size=4, verbose=0)),
        "predict": lambda: model()[0].predict(csr, batch_size=4, verbose=0),
        "predict of integers": lambda: model()[0].predict(
            scipy.sparse.csr_matrix(np.eye(4, dtype=np.int64)), verbose=0
        ),
        "as a tensor": lambda: refused(lambda: tf.convert_to_tensor(csr)),
        "as a constant": lambda: refused(lambda: tf.constant(csr)),
        "rows of a dataset": lambda: refused(lambda: tf.data.Dataset.from_tensor_slices(csr)),
        "labels for fewer rows": lambda: refused(lambda: model()[0].fit(csr, labels[:4], verbose=0)),
    }
