"""Calls of functions of ``tf.experimental.numpy``, with TensorFlow's answers in ``numpy_answers.json``.

``python -m tests.compat.experimental.numpy_calls``, run by a Python that has TensorFlow, writes the answers. TensorFlow's functions need
``experimental_enable_numpy_behavior``, which changes the whole process.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.answers import as_data

ANSWERS = Path(__file__).with_name("numpy_answers.json")

NAN = float("nan")
NAMES = {
    "np": np,
    "X": np.sin(1.7 * np.arange(12.0)).reshape(3, 4),
    "F": np.cos(np.arange(4.0)).astype(np.float32),
    "P": np.arange(1.0, 5.0),
    "I": np.array([[3, 1, 2], [2, -5, 0]], np.int32),
    "U": np.array([1, 2, 3], np.uint8),
    "B": np.array([True, False, True]),
    "C": np.array([1 + 2j, 3, -1j]),
    "N": np.array([1.0, NAN, 3.0]),
}
FLOATS = "cos cosh ceil cbrt deg2rad exp exp2 expm1 fix floor log log10 log1p log2 sin sinc sinh sqrt tan tanh arcsinh arctan isfinite isnan"
UNIT_FLOATS = "arccos arcsin arctanh"
PLAIN = "abs absolute conj conjugate copy fabs imag negative positive real ravel square sign isreal iscomplex iscomplexobj isrealobj around round ndim shape size atleast_1d atleast_2d atleast_3d count_nonzero cumsum cumprod flatten sort argsort argmax argmin zeros_like ones_like empty_like transpose nonzero"
REDUCTIONS = "sum prod mean max min amax amin all any var std ptp nansum nanprod nanmean"
BINARY = "add subtract multiply divide true_divide maximum minimum power arctan2 hypot heaviside logaddexp logaddexp2 less less_equal greater greater_equal equal not_equal outer dot inner vdot isclose array_equal append"
NOT_OF_BYTES = ("arctan2", "logaddexp", "logaddexp2", "dot", "inner", "vdot")
CALLS = """tnp.angle(C)
tnp.arccosh(P)
tnp.reciprocal(P)
tnp.signbit(X)
tnp.signbit(B)
tnp.nextafter(P, P + 1)
tnp.floor_divide(I, 2)
tnp.floor_divide(X, F)
tnp.mod(I, 3)
tnp.remainder(X, 0.5)
tnp.divmod(I, 2)
tnp.float_power(P, 2)
tnp.bitwise_and(I, 3)
tnp.bitwise_or(B, B[::-1])
tnp.bitwise_xor(I, U)
tnp.bitwise_not(I)
tnp.bitwise_not(B)
tnp.gcd(I, 4)
tnp.lcm(I, np.array([4, 6, 1], np.int32))
tnp.logical_and(I, [1, 0, 1])
tnp.logical_or(I, B)
tnp.logical_xor(B, True)
tnp.logical_not(I)
tnp.result_type(np.int32, 3.0).name
tnp.promote_types(np.int32, np.float32)
tnp.result_type([1, 2.0]).name
tnp.result_type().name
tnp.result_type(F, 2.5).name
tnp.result_type(U, F).name
tnp.add(tf.constant([1, 2]), 2.5)
tnp.add(tf.constant([1.0, 2.0]), 2.5)
tnp.add(True, False)
tnp.sum(X, axis=0)
tnp.sum(X, axis=(0, 1), keepdims=True)
tnp.sum(U)
tnp.sum(B)
tnp.sum(I, dtype=np.float32)
tnp.sum(I, dtype=bool)
tnp.mean(I, axis=1)
tnp.mean(F, dtype=np.float64)
tnp.mean(F, out=F)
tnp.var(F, dtype=np.float64)
tnp.std(I, axis=1, keepdims=True)
tnp.max(B)
tnp.amin(B)
tnp.ptp(X, axis=1)
tnp.nansum(N)
tnp.nanmean(N)
tnp.nanprod(N, keepdims=True)
tnp.cumsum(I, axis=1)
tnp.cumsum(I, dtype=np.float32)
tnp.cumprod(X, axis=0)
tnp.argmax(X, axis=1)
tnp.argmin(X)
tnp.average(X, axis=0)
tnp.average(X, axis=1, weights=P)
tnp.average(F, weights=P, returned=True)
tnp.average(I, returned=True)
tnp.trace(X)
tnp.trace(X, offset=1)
tnp.trace(U[:, None] * U, axis1=1, axis2=0)
tnp.array([1, 2])
tnp.array([1.0, 2])
tnp.array(3, ndmin=2)
tnp.array([[1, 2]], dtype=np.float32)
tnp.array([tf.constant(1.0), tf.constant(2.0)])
tnp.asarray(F)
tnp.asarray([True, False])
tnp.asarray('a')
tnp.asarray([])
tnp.ascontiguousarray(2.0)
tnp.arange(5)
tnp.arange(1.0, 2.0, 0.25)
tnp.arange(5, 1, -2, dtype=np.float32)
tnp.arange(5, 1)
tnp.arange(1, 2, 0)
tnp.linspace(0, 1, 5)
tnp.linspace(0.0, 1.0, 5, endpoint=False)
tnp.linspace(0.0, 1.0, 5, retstep=True)
tnp.linspace(0.0, 1.0, -1)
tnp.logspace(0.0, 2.0, 3)
tnp.geomspace(1.0, 1000.0, 4)
tnp.geomspace(-1.0, -8.0, 4)
tnp.zeros(3)
tnp.zeros((2, 3), dtype=int)
tnp.ones([2], dtype=np.float32)
tnp.ones(())
tnp.empty(2).shape.as_list()
tnp.full((2, 2), 3)
tnp.full(2, 1.5, dtype=np.int32)
tnp.full_like(I, 2.7)
tnp.full_like(I, 2.7, dtype=float)
tnp.full_like(I, 2, order='F')
tnp.ones_like(I, dtype=float)
tnp.eye(3)
tnp.eye(2, 3, 1, dtype=int)
tnp.identity(2)
tnp.tri(3, k=-1)
tnp.tri(2, 3, dtype=np.int32)
tnp.tril(X, -1)
tnp.triu(X)
tnp.vander(P, 3)
tnp.diag(P)
tnp.diag(X, 1)
tnp.diagflat(X[0], -1)
tnp.diagonal(X, 1)
tnp.diag_indices(2)
tnp.meshgrid([1, 2], [3.0, 4.0])
tnp.kron(I, P)
tnp.kron(X, X[0, :2])
tnp.kron(2, I)
tnp.kron(2, 3.0)
tnp.kron(np.arange(8).reshape(2, 2, 2), I)
tnp.kron(B, U)
tnp.ix_([0, 2], [1])
tnp.ix_(B, np.arange(2))
tnp.ix_()
tnp.ix_(I)
tnp.ix_([1.5, 2], [0])
tnp.ix_(U, I[0], B)
tnp.meshgrid(P, P, indexing='ij')
tnp.meshgrid(P, sparse=True)
tnp.broadcast_arrays(X, P)
tnp.broadcast_to(P, (2, 4))
tnp.hstack([P, [1, 2]])
tnp.hstack([X, X])
tnp.vstack([P, X])
tnp.dstack([P, P])
tnp.stack([P, F])
tnp.stack([P, P], axis=1)
tnp.concatenate([X, I[:, :1] * np.ones((1, 4), int)])
tnp.concatenate([])
tnp.append(X, [1])
tnp.append(I, I, axis=0)
tnp.reshape(X, (4, 3))
tnp.reshape(X, (2, -1), order='F')
tnp.reshape(X, -1)
tnp.reshape(X, -1, order='A')
tnp.flatten(X, order='F')
tnp.pad(P, (1, 2), 'constant')
tnp.pad(P, [[1, 2]], 'constant', constant_values=7)
tnp.pad(P, [[1, 2]], 'reflect')
tnp.pad(P, [[1, 2]], 'edge')
tnp.take(X, [0, 9], axis=1)
tnp.take(X, [[0, -1]], mode='wrap')
tnp.take(X, [0], mode='raise')
tnp.take_along_axis(X, np.argsort(X, 1), 1)
tnp.where(B, [1, 2, 3], 2.5)
tnp.where(B)
tnp.where(B, 1)
tnp.select([B, B[::-1]], [U, U * 2], 7)
tnp.select([], [])
tnp.compress([True, False, True], X, axis=1)
tnp.compress(B, P)
tnp.compress([[True]], X)
tnp.sort(X, axis=0)
tnp.sort(X, axis=None)
tnp.sort(X, kind='x')
tnp.argsort(X, axis=0, kind='stable')
tnp.split(P, 2)
tnp.split(P, [1, 3])
tnp.hsplit(X, 2)
tnp.vsplit(X, 3)
tnp.dsplit(X[None], 2)
tnp.tile(P, 2)
tnp.tile(X, (2, 1))
tnp.repeat(P, 2)
tnp.repeat(X, [1, 2, 0], axis=0)
tnp.roll(P, 1)
tnp.roll(X, 1, axis=1)
tnp.rot90(X)
tnp.flip(X)
tnp.flip(X, 1)
tnp.fliplr(X)
tnp.flipud(X)
tnp.moveaxis(X[None], 0, -1)
tnp.swapaxes(X, 0, 1)
tnp.squeeze(X[None])
tnp.expand_dims(P, 0)
tnp.transpose(X[None], (1, 0, 2))
tnp.diff(X)
tnp.diff(X, n=2, axis=0) if len(X) > 2 else None
tnp.diff(P, -1)
tnp.diff(B)
tnp.swapaxes(X, 1, -1)
tnp.ones_like(B)
tnp.imag(B)
tnp.logaddexp(1, 2)
tnp.logaddexp2(I, 2)
tnp.cross([1, 2, 3], [4.0, 5.0, 6.0])
tnp.matmul(X, X.T)
tnp.matmul(X, P)
tnp.matmul(P, X.T)
tnp.matmul(X, X)
tnp.tensordot(X, X, [[1], [1]])
tnp.einsum('ij,j->i', X, F)
tnp.einsum('ij,j->i', X, F, casting='x')
tnp.polyval([1, 2, 3], X)
tnp.clip(X, -0.5, 0.5)
tnp.clip(I, 0, 2.5)
tnp.clip(I, None, 1)
tnp.clip(I, None, None)
tnp.around(X, 2)
tnp.allclose(X, X + 1e-9)
tnp.isclose(N, N, equal_nan=True)
tnp.array_equal(X, P)
tnp.isscalar(2.0)
tnp.isscalar(X)
tnp.size(X)
tnp.size(2.0)
tnp.ndim(3)
tnp.issubdtype(np.int32, np.integer)
tnp.finfo(np.float32).eps.item()
tnp.random.randn(2, 3).dtype.name
tnp.random.randint(3, size=(4,)).shape.as_list()
tnp.random.randint(3, dtype=np.int32).dtype.name
tnp.random.randint(3, dtype=np.float32)
tnp.random.uniform(2.0, 3.0, (2,)).dtype.name
tnp.random.uniform([0.0, 1.0], 2.0).shape.as_list()
tnp.random.poisson(2.0, (3,)).dtype.name
tnp.random.rand(2, 1).shape.as_list()
tnp.random.random().shape.as_list()
tnp.random.seed([1])
""".splitlines()


ALL_CALLS = [
    *(f"tnp.{name}({x})" for name in FLOATS.split() for x in ("P", "I ** 2", "F")),
    *(f"tnp.{name}({x})" for name in UNIT_FLOATS.split() for x in ("X / 2", "B")),
    *(f"tnp.{name}({x})" for name in PLAIN.split() for x in ("X", "I", "U")),
    *(f"tnp.{name}({x})" for name in REDUCTIONS.split() for x in ("X", "I", "F", "B")),
    *(
        f"tnp.{name}({x})"
        for name in BINARY.split()
        for x in ("P, F", "F, 2.5", "P, 2")
        if (name, x) != ("logaddexp2", "F, 2.5")
    ),
    *(f"tnp.{name}(U, U[::-1])" for name in BINARY.split() if name not in NOT_OF_BYTES),
    *CALLS,
]


def answer(tf: Any, call: str) -> Any:
    """The result of a call as plain data, or the class of its exception."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return as_data(tf, eval(call, {"tf": tf, "tnp": tf.experimental.numpy, **NAMES}))
        except Exception as error:  # noqa: BLE001  # its class is the answer
            return {"raises": type(error).__name__}


def record() -> None:
    import tensorflow as tf

    tf.experimental.numpy.experimental_enable_numpy_behavior()
    lines = [f"{json.dumps(call)}: {json.dumps(answer(tf, call))}" for call in ALL_CALLS]
    ANSWERS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    record()
