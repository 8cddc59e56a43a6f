"""Random numbers as operations: draws from a counter-based generator (Philox 4x32-10, Salmon et al. 2011).

A draw is a pure function of its attributes: a 64-bit key, a 128-bit counter (two int64, low word first) and
the shape. Element i depends on key, counter and i alone, so that eager and compiled programs, any number of
threads and a GPU give the same numbers. A draw of n elements owns the n counters from its first one on;
how a draw uses them is written in ``kernels/random.py``.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from fastgrad import dtypes
from fastgrad.kernels import random as kernels
from fastgrad.operation import FLOATING, Form, Operation, operation
from fastgrad.tensor import Tensor

Counter = tuple[int, int]

_F32 = np.dtype(np.float32)


def _floats(name: str) -> Any:
    def run(shape: tuple[int, ...], dtype: str, key: int, counter: Counter) -> np.ndarray:
        wanted = dtypes.as_dtype(dtype).numpy
        width = wanted if wanted.itemsize > 2 else _F32
        out = np.empty(shape, width)
        getattr(kernels, name)[width](out, out.size, key, *counter)
        if width is wanted:
            return out
        if name == "uniform":
            # Cut to the bits that the narrow dtype has below 1: rounding could give 1 itself.
            steps = np.float32(2.0 ** (1 + ml_dtypes.finfo(wanted).nmant))
            np.floor(out * steps, out=out)
            out /= steps
        return out.astype(wanted)

    return run


def _bits(shape: tuple[int, ...], dtype: str, key: int, counter: Counter) -> np.ndarray:
    out = np.empty(shape, dtype)
    getattr(kernels, "bits32" if out.itemsize == 4 else "bits64")[()](out, out.size, key, *counter)
    return out


uniform = operation("random_uniform", Form.RANDOM, run=_floats("uniform"))
"""Uniform in [0, 1); attributes shape, dtype (a floating dtype's name), key, counter."""

normal = operation("random_normal", Form.RANDOM, run=_floats("normal"))
"""Standard normal; attributes as ``uniform``."""

truncated_normal = operation("random_truncated_normal", Form.RANDOM, run=_floats("truncated_normal"))
"""Standard normal within (-2, 2); attributes as ``uniform``."""

bits = operation("random_bits", Form.RANDOM, run=_bits)
"""uint32 or uint64 words; attributes shape, dtype, key, counter."""


def _dropout(x: np.ndarray, rate: float, key: int, counter: Counter) -> np.ndarray:
    if x.dtype.itemsize == 2:
        return _dropout(x.astype(np.float32), rate, key, counter).astype(x.dtype)
    out = np.empty(x.shape, x.dtype)
    kernels.dropout[x.dtype](x, out, x.size, rate, key, *counter)
    return out


dropout: Operation = operation(
    "dropout",
    Form.RANDOM,
    run=_dropout,
    # Linear in x, and the draw can be repeated: the gradient is the same mask on the cotangent.
    gradient=lambda g, y, x, rate, key, counter: dropout(g, rate=rate, key=key, counter=counter),
    dtypes=FLOATING,
)
"""``x / (1 - rate)`` where a uniform draw is at least ``rate``, else 0."""


def integers(shape: tuple[int, ...], low: Any, high: Any, dtype: np.dtype, key: int, counter: Counter) -> Tensor:
    """Integers in [low, high), or all that ``dtype`` holds where both are None.

    A 64-bit word modulo the width of the range: the bias is below 2**-32 for ranges that int32 holds.
    """
    words = bits(shape=shape, dtype="uint64", key=key, counter=counter)._array
    if low is None:
        return Tensor(words.astype(dtype))
    low, high = (np.broadcast_to(np.asarray(v, dtype), shape) for v in (low, high))
    width = high.astype(np.uint64) - low.astype(np.uint64)
    return Tensor((low.astype(np.uint64) + words % width).astype(dtype))


def permutation(n: int, key: int, counter: Counter) -> np.ndarray:
    """The positions 0 ... n - 1 in random order."""
    return np.argsort(bits(shape=(n,), dtype="uint64", key=key, counter=counter)._array, kind="stable")


def categories(logits: np.ndarray, count: int, dtype: np.dtype, key: int, counter: Counter) -> np.ndarray:
    """``count`` class numbers for each row of unnormalised log-probabilities, by inversion in float64."""
    rows, classes = logits.shape
    wide = logits.astype(np.float64)
    draws = uniform(shape=(rows, count), dtype="float64", key=key, counter=counter)._array
    out = np.empty((rows, count), dtype)
    with np.errstate(all="ignore"):
        weights = np.exp(wide - wide.max(axis=1, keepdims=True)) if classes else wide
        cumulative = np.cumsum(weights, axis=1)
        for row in range(rows):
            out[row] = np.searchsorted(cumulative[row], draws[row] * cumulative[row, -1], side="right")
    return np.minimum(out, classes - 1)


def generator(key: int, counter: Counter) -> np.random.Generator:
    """NumPy's generator on a Philox stream of its own, for gamma, Poisson and binomial numbers."""
    words = [int(word) & (2**64 - 1) for word in (key, *counter)]
    return np.random.Generator(np.random.Philox(key=words[0], counter=[words[1], words[2], 0, 0x66617374]))


def elements(shape: tuple[int, ...]) -> int:
    """The number of elements of a shape."""
    return math.prod(shape)
