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
FLOATS = (
    "cos cosh ceil cbrt exp expm1 floor log log10 log1p log2 sin sinc sinh sqrt tan tanh arcsinh arctan isfinite isnan"
)
UNIT_FLOATS = "arccos arcsin arctanh"
PLAIN = "abs absolute conj conjugate copy negative real ravel square around size flatten transpose nonzero"
REDUCTIONS = "sum prod mean max min all any"
BINARY = "add subtract multiply divide maximum minimum power less less_equal greater greater_equal equal not_equal outer dot inner"
NOT_OF_BYTES = ("dot", "inner")
CALLS = """tnp.arccosh(P)
tnp.floor_divide(I, 2)
tnp.floor_divide(X, F)
tnp.mod(I, 3)
tnp.gcd(I, 4)
tnp.lcm(I, np.array([4, 6, 1], np.int32))
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
tnp.max(B)
tnp.array([1, 2])
tnp.array([1.0, 2])
tnp.array(3, ndmin=2)
tnp.array([[1, 2]], dtype=np.float32)
tnp.array([tf.constant(1.0), tf.constant(2.0)])
tnp.asarray(F)
tnp.asarray([True, False])
tnp.asarray('a')
tnp.asarray([])
tnp.arange(5)
tnp.arange(1.0, 2.0, 0.25)
tnp.arange(5, 1, -2, dtype=np.float32)
tnp.arange(5, 1)
tnp.arange(1, 2, 0)
tnp.zeros(3)
tnp.zeros((2, 3), dtype=int)
tnp.ones([2], dtype=np.float32)
tnp.ones(())
tnp.tril(X, -1)
tnp.triu(X)
tnp.diag(P)
tnp.diag(X, 1)
tnp.diagflat(X[0], -1)
tnp.diagonal(X, 1)
tnp.kron(I, P)
tnp.kron(X, X[0, :2])
tnp.kron(2, I)
tnp.kron(2, 3.0)
tnp.kron(np.arange(8).reshape(2, 2, 2), I)
tnp.kron(B, U)
tnp.broadcast_to(P, (2, 4))
tnp.stack([P, F])
tnp.stack([P, P], axis=1)
tnp.concatenate([X, I[:, :1] * np.ones((1, 4), int)])
tnp.concatenate([])
tnp.reshape(X, (4, 3))
tnp.reshape(X, (2, -1), order='F')
tnp.reshape(X, -1)
tnp.reshape(X, -1, order='A')
tnp.flatten(X, order='F')
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
tnp.swapaxes(X, 1, -1)
tnp.matmul(X, X.T)
tnp.matmul(X, P)
tnp.matmul(P, X.T)
tnp.matmul(X, X)
tnp.clip(X, -0.5, 0.5)
tnp.clip(I, 0, 2.5)
tnp.clip(I, None, 1)
tnp.clip(I, None, None)
tnp.around(X, 2)
tnp.allclose(X, X + 1e-9)
tnp.size(X)
tnp.size(2.0)
tnp.finfo(np.float32).eps.item()
tnp.random.randn(2, 3).dtype.name
tnp.random.randint(3, size=(4,)).shape.as_list()
tnp.random.randint(3, dtype=np.int32).dtype.name
tnp.random.randint(3, dtype=np.float32)
tnp.random.seed([1])
""".splitlines()


ALL_CALLS = [
    *(f"tnp.{name}({x})" for name in FLOATS.split() for x in ("P", "I ** 2", "F")),
    *(f"tnp.{name}({x})" for name in UNIT_FLOATS.split() for x in ("X / 2", "B")),
    *(f"tnp.{name}({x})" for name in PLAIN.split() for x in ("X", "I", "U")),
    *(f"tnp.{name}({x})" for name in REDUCTIONS.split() for x in ("X", "I", "F", "B")),
    *(f"tnp.{name}({x})" for name in BINARY.split() for x in ("P, F", "F, 2.5", "P, 2")),
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
