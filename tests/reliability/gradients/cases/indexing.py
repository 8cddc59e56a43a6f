"""Reading and writing at positions: repeated indices, slices, no indices."""

from __future__ import annotations

import numpy as np

from ..case import REAL, Case, at, edge, normal

FLOATS = ("float64", "float32")
REPEATED = np.array([[1], [3], [1]])
BOOLS = np.array([True, False, True])

CASES: dict[str, Case] = {
    # ---- gather: slices on axis 0, dense elsewhere or mixed
    "gather": at(lambda tf, x: tf.gather(x, [2, 0, 2]), normal(4, 2), dtypes=REAL),
    "gather squared": at(lambda tf, x: tf.gather(x, [2, 0, 2]) ** 2, normal(4, 2)),
    "gather of one": at(lambda tf, x: tf.gather(x, 1) ** 2, normal(4, 2)),
    "gather by a matrix": at(lambda tf, x: tf.gather(x, [[2, 0], [2, 2]]) ** 2, normal(4, 2)),
    "gather of elements": at(lambda tf, x: tf.gather(x, [2, 0, 2]) ** 2, normal(4)),
    "gather by nothing": edge(lambda tf, x: tf.gather(x, np.zeros((0,), np.int32)), normal(4, 2)),
    "gather by int64": at(lambda tf, x: tf.gather(x, np.array([1, 1])), normal(4, 2)),
    "gather on axis 1": at(lambda tf, x: tf.gather(x, [2, 0, 2], axis=1) ** 2, normal(2, 3), dtypes=FLOATS),
    "gather on axis -1": at(lambda tf, x: tf.gather(x, [[0, 1]], axis=-1) ** 2, normal(2, 3)),
    "gather by batches": at(lambda tf, x: tf.gather(x, [[2, 0], [1, 1]], batch_dims=1) ** 2, normal(2, 3, 2)),
    "gather by batches on axis 2": at(
        lambda tf, x: tf.gather(x, [[2, 0], [1, 1]], axis=2, batch_dims=1) ** 2, normal(2, 2, 3)
    ),
    "gather twice": at(lambda tf, x: [tf.gather(x, [0, 1]), tf.gather(x, [1, 1])], normal(3, 2)),
    "gather and dense": at(lambda tf, x: [tf.gather(x, [0, 1]), x * x], normal(3, 2)),
    "gather of a result": at(lambda tf, x: tf.gather(x * x, [0, 1, 0]), normal(3, 2)),
    "gather of gathered": at(lambda tf, x: tf.gather(tf.gather(x, [0, 1, 1]), [2, 2, 0]), normal(3, 2)),
    "gather of complex numbers": edge(lambda tf, x: tf.gather(x, [1, 1]) ** 2, normal(3) + 1j, dtypes=("complex128",)),
    "gather of integers beside": edge(lambda tf, x, i: tf.gather(x, i), normal(3, 2), np.array([1, 1])),
    "gather then reshape": at(lambda tf, x: tf.reshape(tf.gather(x, [1, 1]), [-1]) ** 2, normal(3, 2)),
    "embedding_lookup": at(lambda tf, x: tf.nn.embedding_lookup(x, [1, 0, 1]) ** 2, normal(3, 2), dtypes=REAL),
    "embedding_lookup of a matrix": at(lambda tf, x: tf.nn.embedding_lookup(x, [[1, 0], [1, 1]]) ** 2, normal(3, 2)),
    "embedding_lookup with a norm": at(
        lambda tf, x: tf.nn.embedding_lookup(x, [1, 0, 1], max_norm=1.0), normal(3, 2) + 1.0, order=1
    ),
    "gather_nd": at(lambda tf, x: tf.gather_nd(x, [[1, 0], [0, 2], [1, 0]]) ** 2, normal(2, 3), dtypes=REAL),
    "gather_nd of rows": at(lambda tf, x: tf.gather_nd(x, [[1], [1]]) ** 2, normal(2, 3)),
    "gather_nd of rows alone": at(lambda tf, x: tf.gather_nd(x, [[1], [1]]), normal(2, 3)),
    "gather_nd of all": at(lambda tf, x: tf.gather_nd(x, np.zeros((2, 0), np.int32)) ** 2, normal(2, 3)),
    "gather_nd by batches": at(lambda tf, x: tf.gather_nd(x, [[[1]], [[0]]], batch_dims=1) ** 2, normal(2, 3)),
    "boolean_mask": at(lambda tf, x: tf.boolean_mask(x, BOOLS) ** 2, normal(3, 2)),
    "boolean_mask of nothing": edge(lambda tf, x: tf.boolean_mask(x, ~(BOOLS | True)) ** 2, normal(3, 2)),
    "boolean_mask on axis 1": at(lambda tf, x: tf.boolean_mask(x, BOOLS, axis=1) ** 2, normal(2, 3)),
    # ---- scatter
    "scatter_nd": at(lambda tf, x: tf.scatter_nd(REPEATED, x, [4, 2]) ** 2, normal(3, 2), dtypes=REAL),
    "scatter_nd of nothing": edge(lambda tf, x: tf.scatter_nd(REPEATED[:0], x, [4, 2]), np.zeros((0, 2))),
    "tensor_scatter_nd_update": at(
        lambda tf, x, u: tf.tensor_scatter_nd_update(x, [[0], [2]], u) ** 2, normal(4, 2), normal(2, 2), dtypes=REAL
    ),
    "tensor_scatter_nd_update of scalars": at(
        lambda tf, x, u: tf.tensor_scatter_nd_update(x, [[0, 1], [2, 0]], u) ** 2, normal(4, 2), normal(2)
    ),
    "tensor_scatter_nd_update repeated": edge(
        lambda tf, x, u: tf.tensor_scatter_nd_update(x, REPEATED, u) ** 2, normal(4), normal(3, seed=1), order=1
    ),
    "tensor_scatter_nd_add": at(
        lambda tf, x, u: tf.tensor_scatter_nd_add(x, REPEATED, u) ** 2, normal(4), normal(3, seed=1), dtypes=REAL
    ),
    "tensor_scatter_nd_sub": at(
        lambda tf, x, u: tf.tensor_scatter_nd_sub(x, REPEATED, u) ** 2, normal(4), normal(3, seed=1), dtypes=REAL
    ),
    "tensor_scatter_nd_max": at(
        lambda tf, x, u: tf.tensor_scatter_nd_max(x, [[0], [2]], u) ** 2, normal(4), normal(2, seed=1), dtypes=FLOATS
    ),
    "tensor_scatter_nd_min": at(
        lambda tf, x, u: tf.tensor_scatter_nd_min(x, [[0], [2]], u) ** 2, normal(4), normal(2, seed=1), dtypes=FLOATS
    ),
    "tensor_scatter_nd_max of ties": edge(
        lambda tf, x, u: tf.tensor_scatter_nd_max(x, REPEATED, u) ** 2,
        np.array([0.0, 2.0, 1.0, 3.0]),
        np.array([2.0, 3, 2]),
    ),
    "tensor_scatter_nd_min of ties": edge(
        lambda tf, x, u: tf.tensor_scatter_nd_min(x, REPEATED, u) ** 2,
        np.array([0.0, 2.0, 1.0, 3.0]),
        np.array([2.0, 3, 2]),
    ),
    "dynamic_stitch repeated": at(
        lambda tf, x, y: tf.dynamic_stitch([[0, 1], [1, 2]], [x, y]) ** 2, normal(2, 2), normal(2, 2, seed=1)
    ),
    "TensorArray": at(
        lambda tf, x: tf.TensorArray(x.dtype, 3).write(0, x[0] ** 2).write(2, x[1]).write(1, x[0]).stack(), normal(2, 2)
    ),
    "TensorArray unstacked": at(lambda tf, x: tf.TensorArray(x.dtype, 3).unstack(x).read(1) ** 2, normal(3, 2)),
    "TensorArray gathered": at(
        lambda tf, x: tf.TensorArray(x.dtype, 3, clear_after_read=False).unstack(x).gather([1, 1, 0]) ** 2, normal(3, 2)
    ),
    "unique": edge(lambda tf, x: tf.unique(x)[0], np.array([1.0, 2.0, 1.0])),
    "in_top_k": edge(
        lambda tf, x: tf.cast(tf.math.in_top_k([0, 1], x, 1), "float32"), normal(2, 3), dtypes=("float32",), order=1
    ),
    "searchsorted": edge(
        lambda tf, x: tf.cast(tf.searchsorted([0.0, 1.0], x), "float64"), normal(3), dtypes=("float32",), order=1
    ),
}
