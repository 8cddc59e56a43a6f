"""Fourier transforms, sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..case import Case, at, normal

FLOATS = ("float64", "float32")
INDICES = np.array([[0, 1], [1, 0], [1, 2], [3, 1]])


def parts(tf: Any, z: Any) -> Any:
    """The real and the imaginary part, with other weights."""
    return [tf.math.real(z), 2.0 * tf.math.imag(z)]


def sparse(tf: Any, values: Any, *shape: int) -> Any:
    return tf.SparseTensor(INDICES, values, shape)


def ids(tf: Any) -> Any:
    return tf.SparseTensor(np.array([[0, 0], [0, 1], [2, 0]]), np.array([1, 3, 1]), (3, 2))


CASES: dict[str, Case] = {
    f"signal.{name}": at(
        lambda tf, x, y, name=name: parts(tf, getattr(tf.signal, name)(tf.complex(x, y))),
        normal(2, 3, 4),
        normal(2, 3, 4, seed=1),
        dtypes=FLOATS,
    )
    for name in ("fft", "ifft", "fft2d", "ifft2d", "fft3d", "ifft3d")
}
CASES |= {
    "signal.rfft": at(lambda tf, x: parts(tf, tf.signal.rfft(x, [6])), normal(2, 5), dtypes=FLOATS),
    "signal.rfft2d": at(lambda tf, x: parts(tf, tf.signal.rfft2d(x)), normal(3, 4), dtypes=FLOATS),
    "signal.irfft": at(
        lambda tf, x, y: tf.signal.irfft(tf.complex(x, y), [7]), normal(2, 4), normal(2, 4, seed=1), dtypes=FLOATS
    ),
    "signal.stft": at(lambda tf, x: parts(tf, tf.signal.stft(x, 4, 2)), normal(2, 9)),
    "signal.overlap_and_add": at(lambda tf, x: tf.signal.overlap_and_add(x, 2), normal(2, 3, 5)),
    "sparse.sparse_dense_matmul": at(
        lambda tf, v, b: tf.sparse.sparse_dense_matmul(sparse(tf, v, 4, 3), b), normal(4), normal(3, 2), dtypes=FLOATS
    ),
    "sparse.reduce_sum": at(lambda tf, v: tf.sparse.reduce_sum(sparse(tf, v, 4, 3), 1) ** 2, normal(4)),
    "sparse.to_dense": at(lambda tf, v: tf.sparse.to_dense(sparse(tf, v, 4, 3)) ** 2, normal(4)),
    "nn.embedding_lookup_sparse": at(
        lambda tf, table: tf.nn.embedding_lookup_sparse(1.0 * table, ids(tf), None, combiner="sum") ** 2, normal(4, 3)
    ),
    "nn.safe_embedding_lookup_sparse": at(
        lambda tf, table: tf.nn.safe_embedding_lookup_sparse(1.0 * table, ids(tf), None, combiner="mean") ** 2,
        normal(4, 3),
    ),
}
