"""Random draws as operations, from a counter-based generator (Philox 4x32-10, Salmon et al. 2011).

A draw is a pure function of its shape and its words. The words are three int64: the low and the high word of a 128-bit
counter, and a key. Element i depends only on the words and i. So eager code, compiled programs, any number of threads and
a GPU give the same numbers. A draw of n elements owns 256 n consecutive counters, as in TensorFlow; ``kernels/random/random.py`` describes
their use. The state of a generator is the words of its next draw.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import ml_dtypes
import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import FLOAT_DTYPES, HALF_DTYPES, Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec, same_as_first
from fastgrad._src.kernels.random import random as kernels
from fastgrad._src.kernels.runtime.eager_launch import run_on_thread_pool
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output
from fastgrad._src.ops.kernel_launches import KERNEL_MIN_ELEMENTS, kernel_operation, launches_from, make_kernel_run

_FLOAT32 = np.dtype(np.float32)
_UINT32 = np.dtype(np.uint32)
_UINT64 = np.dtype(np.uint64)
_VALUES_PER_64_BIT_WORD = 2**64
RESERVED_COUNTERS = 256
"""The counters that each element of a draw owns, as in TensorFlow."""


def _draw_result(*inputs: Any, shape: tuple[int, ...], dtype: str) -> ArraySpec:
    return ArraySpec(shape, dtypes.as_dtype(dtype).numpy)


def _fraction_factor(dtype: np.dtype) -> int:
    """Returns what a fraction of 23 bits is multiplied by, so that as many bits are left as a narrow dtype has."""
    return 2 ** (23 - ml_dtypes.finfo(dtype).nmant)


def _float_draw_operation(name: str) -> Any:
    def draw_floats(words: np.ndarray, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        result_dtype = dtypes.as_dtype(dtype).numpy
        kernel_dtype = result_dtype if result_dtype.itemsize > 2 else _FLOAT32
        out = np.empty(shape, kernel_dtype)
        _fill(getattr(kernels, name)[kernel_dtype], out, words)
        if kernel_dtype is result_dtype:
            return out
        if name == "uniform":
            out *= np.float32(_fraction_factor(result_dtype))
            out -= np.floor(out)
        return out.astype(result_dtype)

    def draw_launches(inputs: Any, outputs: Any, shape: tuple[int, ...], dtype: str) -> Launches | None:
        kernel, result_dtype = getattr(kernels, name), outputs[0].dtype
        if result_dtype in kernel.variables["T"]:
            return _fill_launches(kernel[result_dtype], shape)
        from fastgrad._src.kernels.random.draws import narrow_floats_launches

        factor = _fraction_factor(result_dtype) if name == "uniform" else 0
        return narrow_floats_launches(kernel, element_count(shape), outputs, factor)

    return operation(f"random_{name}", Form.RANDOM, run=draw_floats, launches=draw_launches, result=_draw_result)


def _fill(kernel: Any, out: np.ndarray, words: np.ndarray) -> None:
    """Fills an array with the draws of a kernel; all threads share large arrays."""
    if out.size < KERNEL_MIN_ELEMENTS:
        kernel(out, out.size, words, 0, kernels.unit_count(out.size))
    else:
        run_on_thread_pool(_fill_launches(kernel, out.shape), (words,), (out,))


@functools.lru_cache(maxsize=256)
def _fill_launches(kernel: Any, shape: tuple[int, ...]) -> Launches:
    size = element_count(shape)
    return Launches(
        (Launch(kernel, (Output(0), size, Input(0)), kernels.unit_count(size), kernels.UNIT_ELEMENTS * 4.0),)
    )


uniform = _float_draw_operation("uniform")
"""Uniform numbers in [0, 1): ``uniform(words, shape=, dtype=)``; ``dtype`` is the name of a floating dtype."""

normal = _float_draw_operation("normal")
"""Standard normal numbers: ``normal(words, shape=, dtype=)``."""

truncated_normal = _float_draw_operation("truncated_normal")
"""Standard normal numbers, truncated to (-2, 2): ``truncated_normal(words, shape=, dtype=)``."""


def _run_bits(
    words: np.ndarray, shape: tuple[int, ...], dtype: np.dtype = _UINT64, kernel: Any = kernels.bits
) -> np.ndarray:
    out = np.empty(shape, dtype)
    _fill(kernel[dtype], out, words)
    return out


def _bits_operation(name: str, kernel: Any, dtype: np.dtype) -> Operation:
    return operation(
        name,
        Form.RANDOM,
        run=lambda words, shape: _run_bits(words, shape, dtype, kernel),
        launches=lambda inputs, outputs, shape: _fill_launches(kernel[dtype], shape),
        result=lambda words, shape: ArraySpec(shape, dtype),
    )


bits = _bits_operation("random_bits", kernels.bits, _UINT64)
"""Uniform uint64 over all 64 bits: ``bits(words, shape=)``."""

dropout_bits_operation = _bits_operation("random_bits_of_dropout", kernels.dropout_bits, _UINT32)
"""The uint32 draws that ``dropout`` compares. Programs draw once for forward and backward, and compare in epilogues."""


def _run_dropout(x: np.ndarray, words: np.ndarray, rate: float) -> np.ndarray:
    if x.dtype.itemsize == 2:
        return _run_dropout(x.astype(np.float32), words, rate).astype(x.dtype)
    out = np.empty(x.shape, x.dtype)
    kernels.dropout[x.dtype](x, out, x.size, rate, words, 0, kernels.unit_count(x.size))
    return out


def _decomposed_dropout(builder: Any, x: Any, words: Any, rate: float) -> tuple[Any] | None:
    """Decomposes dropout into a draw, shared by forward and backward, and element-wise operations that fuse."""
    least_kept = math.ceil(float(np.float32(rate)) * 2.0**23) << 9
    if x.dtype in HALF_DTYPES or least_kept >= 2**32 or 0 in x.shape:
        return None
    random_bits = builder.drawn("random_bits_of_dropout", words, x.shape, np.dtype(np.uint32))
    threshold = builder.constant(np.array(least_kept, np.uint32))
    keep_mask = builder.add("greater_equal", random_bits, threshold, shape=x.shape, out_dtype=np.dtype(bool))
    scaled = builder.add("multiply", x, builder.number(1.0 / (1.0 - rate), x.dtype), shape=x.shape)
    return (builder.add("where", keep_mask, scaled, builder.number(0.0, x.dtype), shape=x.shape, out_dtype=x.dtype),)


_dropout_launches = launches_from("random.draws", "dropout_launches")


dropout: Operation = operation(
    "dropout",
    Form.RANDOM,
    run=_run_dropout,
    large=KERNEL_MIN_ELEMENTS,
    run_if_large=make_kernel_run(_dropout_launches, same_as_first, _run_dropout),
    # Dropout is linear in x. The gradient draws the same mask again and applies it to the cotangent.
    gradient=(lambda g, y, x, words, rate: dropout(g, words, rate=rate), None),
    dtypes=FLOAT_DTYPES,
    launches=_dropout_launches,
    decomposition=_decomposed_dropout,
    result=same_as_first,
)
"""``x / (1 - rate)`` where a uniform draw is at least ``rate``, else 0: ``dropout(x, words, rate=)``."""


def _run_integers(words: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    from fastgrad._src.kernels.random.draws import word_dtype

    return _run_bits(words, shape, word_dtype(dtype)).astype(dtype)


integers = operation(
    "random_integers",
    Form.RANDOM,
    run=lambda words, shape, dtype: _run_integers(words, shape, dtypes.as_dtype(dtype).numpy),
    launches=launches_from("random.draws", "integers_launches"),
    result=_draw_result,
)
"""Uniform integers over the whole range of a dtype: ``integers(words, shape=, dtype=)``."""


def check_range(what: str, low: np.ndarray, high: np.ndarray) -> None:
    """Raises InvalidArgumentError unless ``low < high`` everywhere."""
    if (low >= high).any():
        raise InvalidArgumentError(f"{what}: Need minval < maxval, got {low} >= {high}.")


def _check_bounds(words: np.ndarray, low: np.ndarray, high: np.ndarray, shape: tuple[int, ...]) -> None:
    if element_count(shape):
        check_range("random.uniform", low, high)


integers_between = kernel_operation(
    "random_integers_between",
    Form.RANDOM,
    raise_error=_check_bounds,
    launches=launches_from("random.draws", "integers_between_launches"),
    result=lambda words, low, high, shape: ArraySpec(shape, low.dtype),
)
"""Integers in [low, high), of the dtype of the bounds: ``integers_between(words, low, high, shape=)``.

Takes a word of the dtype's width, at least 32 bits, modulo the width of the range, as TensorFlow does.
"""


shuffled_positions = kernel_operation(
    "random_shuffled_positions",
    Form.RANDOM,
    launches=launches_from("random.draws", "shuffle_launches"),
    result=lambda words, count: ArraySpec((count,), np.dtype(np.int64)),
)
"""The positions 0 ... count - 1 in the order of TensorFlow's shuffle, int64: ``shuffled_positions(words, count=)``."""


categories = kernel_operation(
    "random_categories",
    Form.RANDOM,
    launches=launches_from("random.draws", "categories_launches"),
    result=lambda logits, words, count, dtype: ArraySpec((logits.shape[0], count), dtypes.as_dtype(dtype).numpy),
)
"""``count`` class numbers for each row of unnormalised log-probabilities, by inversion in float64:
``categories(logits, words, count=, dtype=)``."""


# ---- by NumPy's generator -----------------------------------------------------------------------------


def numpy_generator(words: np.ndarray) -> np.random.Generator:
    """Returns a NumPy generator on a separate Philox stream, for gamma, Poisson and binomial numbers."""
    low, high, key = [int(word) % _VALUES_PER_64_BIT_WORD for word in words]
    return np.random.Generator(np.random.Philox(key=key, counter=[low, high, 0, 0x66617374]))


def check_gamma(alpha: np.ndarray, beta: np.ndarray) -> None:
    """Raises InvalidArgumentError if ``alpha`` or ``beta`` has an element that is not positive."""
    if (alpha <= 0).any() or (beta <= 0).any():
        raise InvalidArgumentError("random.gamma: alpha and beta must be positive.")


_REJECTION_SAMPLING_REASON = "drawn by rejection, by NumPy's generator"


def _run_gamma(words: np.ndarray, alpha: np.ndarray, beta: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    check_gamma(alpha, beta)
    numbers = numpy_generator(words).standard_gamma(alpha.astype(np.float64), shape)
    return np.asarray(numbers / beta.astype(np.float64)).astype(alpha.dtype)


gamma = operation(
    "random_gamma",
    Form.RANDOM,
    run=_run_gamma,
    in_python=_REJECTION_SAMPLING_REASON,
    result=lambda words, alpha, beta, shape: ArraySpec(shape, alpha.dtype),
)
"""Gamma numbers: ``gamma(words, alpha, beta, shape=)``; alpha and beta broadcast to the shape."""


def check_poisson(what: str, rate: np.ndarray) -> None:
    """Raises InvalidArgumentError if a rate is negative."""
    if not (rate >= 0).all():
        raise InvalidArgumentError(f"{what}: lam must be >= 0, got {rate}.")


def _run_poisson(words: np.ndarray, rate: np.ndarray, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    check_poisson("random.poisson", rate)
    draws, wide = numpy_generator(words), rate.astype(np.float64)
    large = wide > _LARGE_POISSON_RATE
    numbers = np.asarray(draws.poisson(np.where(large, 0.0, wide), shape))
    if large.any():
        normal = np.round(wide + np.sqrt(wide) * draws.standard_normal(shape))
        numbers = np.where(large, np.where(np.isinf(wide), wide, normal), numbers)
    return numbers.astype(dtypes.as_dtype(dtype).numpy)


_LARGE_POISSON_RATE = 1e15  # above, the normal distribution is exact in float64, and NumPy soon refuses

poisson = operation(
    "random_poisson", Form.RANDOM, run=_run_poisson, in_python=_REJECTION_SAMPLING_REASON, result=_draw_result
)
"""Poisson numbers: ``poisson(words, rate, shape=, dtype=)``; the rate broadcasts to the shape."""


def check_binomial(what: str, counts: np.ndarray, probs: np.ndarray) -> None:
    """Raises InvalidArgumentError if a count is negative or a probability is outside [0, 1]."""
    if (counts < 0).any() or ((probs < 0) | (probs > 1)).any():
        raise InvalidArgumentError(f"{what}: counts must be >= 0 and probs in [0, 1], got {counts} and {probs}.")


def _run_binomial(
    words: np.ndarray, counts: np.ndarray, probs: np.ndarray, shape: tuple[int, ...], dtype: str
) -> np.ndarray:
    check_binomial("random.binomial", counts, probs)
    numbers = numpy_generator(words).binomial(counts.astype(np.int64), probs.astype(np.float64), shape)
    return np.asarray(numbers, dtypes.as_dtype(dtype).numpy)


binomial = operation(
    "random_binomial", Form.RANDOM, run=_run_binomial, in_python=_REJECTION_SAMPLING_REASON, result=_draw_result
)
"""Binomial numbers: ``binomial(words, counts, probs, shape=, dtype=)``."""


# ---- words ---------------------------------------------------------------------------------------------


def as_int64(word: int) -> int:
    """The low 64 bits of ``word`` as an int64."""
    word %= _VALUES_PER_64_BIT_WORD
    return word - _VALUES_PER_64_BIT_WORD if word >= _VALUES_PER_64_BIT_WORD // 2 else word


def splitmix_hash(*words: int) -> int:
    """A 64-bit hash of integers; close integers give unrelated keys (SplitMix64, Steele et al. 2014)."""
    state = 0
    for word in words:
        state = (state ^ word) + 0x9E3779B97F4A7C15 & _VALUES_PER_64_BIT_WORD - 1
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % _VALUES_PER_64_BIT_WORD
        state = (state ^ state >> 27) * 0x94D049BB133111EB % _VALUES_PER_64_BIT_WORD
        state ^= state >> 31
    return as_int64(state)


def _run_advance(state: np.ndarray, count: int) -> np.ndarray:
    after = np.empty(3, np.int64)
    kernels.advance_state[()](state, after, count)
    return after


advance_generator = operation(
    "advance_generator",
    Form.SCAN,
    run=_run_advance,
    launches=lambda inputs, outputs, count: Launches(
        (Launch(kernels.advance_state[()], (Input(0), Output(0), count)),), in_place=((0, 0),)
    ),
    result=lambda state, count: ArraySpec((3,), np.dtype(np.int64)),
)
"""The state of a generator whose counter is ``count`` further: ``advance_generator(state, count=)``."""


philox_words = kernel_operation(
    "philox_words",
    Form.EXTERN,
    launches=launches_from("random.draws", "philox_words_launches"),
    result=lambda seed: ArraySpec((3,), np.dtype(np.int64)),
)
"""The words of a stateless draw: ``philox_words(seed)``; ``seed`` is two integers."""


def element_count(shape: tuple[int, ...]) -> int:
    """The number of elements of a shape."""
    return math.prod(shape)
