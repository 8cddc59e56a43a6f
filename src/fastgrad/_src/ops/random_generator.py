"""``tf.random.Generator``, and the checks of arguments that its methods share with ``tf.random``."""

from __future__ import annotations

import enum
import math
import os
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_at_least, refuse
from fastgrad._src.core.errors import InvalidArgumentError, OutOfMemoryError
from fastgrad._src.core.operand_errors import check_size, shapes_error
from fastgrad._src.core.operation import FLOAT_DTYPES, REAL_DTYPES, TABLE
from fastgrad._src.core.placement import host_scope
from fastgrad._src.core.recording import is_state_recorded, recorders
from fastgrad._src.core.replicas import random_stream
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, constant_tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.core.variable_creators import hidden_variable_scope
from fastgrad._src.jit.locks import new_lock
from fastgrad._src.ops import random_draws as draws
from fastgrad._src.ops.arguments import as_python_int, broadcasts_to, check_dtype
from fastgrad._src.ops.random_draws import RESERVED_COUNTERS, as_int64


class Algorithm(enum.Enum):
    """The counter-based generators of TensorFlow's API; fastgrad supports only Philox."""

    PHILOX = 1
    THREEFRY = 2
    AUTO_SELECT = 3


_MAX_ELEMENTS = 2**44


def shape_of_argument(what: str, shape: Any) -> tuple[int, ...]:
    """A shape argument as a tuple of ints.

    Raises:
        InvalidArgumentError: ``shape`` is no vector of integers, or a dimension is negative.
        ResourceExhaustedError: the shape has more elements than any memory holds.
    """
    array = convert_to_tensor(list(shape) if isinstance(shape, tuple) else shape)._elements()
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InvalidArgumentError(f"{what}: shape must be a vector of int32 or int64, got {shape!r}.")
    sizes = tuple(array.tolist()) if array.size else ()
    for size in sizes:
        if size < 0:
            raise InvalidArgumentError(f"{what}: Dimension {size} of shape {list(sizes)} must be >= 0.")
    if math.prod(sizes) > _MAX_ELEMENTS:  # checked before the generator's state advances
        raise OutOfMemoryError(f"{what}: a tensor of shape {list(sizes)} does not fit into memory.")
    check_size(what, sizes, np.dtype(np.float16))
    return sizes


def check_shape_suffix(what: str, shape: tuple[int, ...], suffix: tuple[int, ...]) -> None:
    """Raises InvalidArgumentError unless ``shape`` ends with ``suffix``."""
    if shape[len(shape) - len(suffix) :] != suffix:
        refuse(what, f"`shape` must end with broadcasted shape {list(suffix)}", InvalidArgumentError, shape=list(shape))


class Generator:
    """A random number generator with its own state.

    The state is a Variable of three int64: the counter's low and high word, and the key. Every draw advances the
    counter by the number of its elements.

    Args:
        copy_from: a generator to copy.
        state: three int64, such as the ``state`` of another generator.
        alg: the algorithm: "philox", 1, ``Algorithm.PHILOX`` or "auto_select".

    Raises:
        ValueError: an unknown algorithm, or neither ``copy_from`` nor ``state``.

    TensorFlow: tf.random.Generator.
    """

    def __init__(self, copy_from: Generator | None = None, state: Any = None, alg: Any = None) -> None:
        if copy_from is not None:
            state = copy_from.state._read()._elements().copy()
        elif state is None:
            raise ValueError("Generator: give copy_from or state, or use Generator.from_seed(seed).")
        _check_algorithm(alg)
        with (
            host_scope(),
            hidden_variable_scope(),
        ):  # the host advances the counter; the words are copied to the device that draws
            self._state = Variable(_checked_state(state), trainable=False, name="StateVar", dtype=dtypes.int64)
        self._lock = new_lock()

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """Makes a generator from ``seed``, an integer; equal seeds give equal numbers."""
        return cls(state=create_rng_state(seed, alg or "philox"), alg=alg)

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """Makes a generator that the operating system seeds."""
        return cls(state=unpredictable_state(), alg=alg)

    @classmethod
    def from_state(cls, state: Any, alg: Any) -> Generator:
        """Makes a generator that continues from ``state``, three int64."""
        return cls(state=state, alg=alg)

    @classmethod
    def from_key_counter(cls, key: Any, counter: Any, alg: Any) -> Generator:
        """Makes a generator with a key (an integer) and a counter (two integers, low half first)."""
        low, high = _elements_of(counter).reshape(-1)
        return cls(state=[int(low), int(high), int(_elements_of(key).reshape(()))], alg=alg)

    def __reduce__(self) -> tuple[Any, ...]:
        return Generator.from_state, (self._state.numpy(), self.algorithm)

    @property
    def state(self) -> Variable:
        """The low and the high half of the counter, and the key: a Variable of three int64."""
        return self._state

    def _saved_variables(self) -> dict[str, Variable]:
        return {"state": self._state}

    def _saved_children(self) -> dict[str, Any]:
        return {}

    @property
    def key(self) -> Tensor:
        """The key, an int64 scalar."""
        return self._state.value()[2]

    @property
    def algorithm(self) -> int:
        """TensorFlow's number of the algorithm; 1 means Philox."""
        return Algorithm.PHILOX.value

    def take(self, count: int) -> Tensor:
        """Returns the words of a draw of ``count`` elements (see ``random_draws.py``) and advances the state."""
        count *= RESERVED_COUNTERS
        with self._lock:
            if recorders.active and is_state_recorded():
                words = self._state._read()
                words._unplaced = True
                self._state.assign(draws.advance_generator(words, count=count))
                return words
            state = self._state._memory_for_write()
            words = Tensor(state.copy())
            words._unplaced = True
            counter = int(state[0]) % 2**64 + (int(state[1]) << 64) + count
            state[0], state[1] = as_int64(counter), as_int64(counter >> 64)
        return words

    def reset(self, state: Any) -> None:
        """Sets the state to ``state``, three int64."""
        self._state.assign(_checked_state(state))

    def reset_from_seed(self, seed: Any) -> None:
        """Sets the state to that of ``Generator.from_seed(seed)``."""
        self._state.assign(create_rng_state(seed, "philox"))

    def reset_from_key_counter(self, key: Any, counter: Any) -> None:
        """Sets the state to that of ``Generator.from_key_counter(key, counter, "philox")``."""
        self._state.assign(Generator.from_key_counter(key, counter, "philox")._state)

    def skip(self, delta: Any) -> Tensor:
        """Advances the counter by ``delta`` and returns the new state."""
        self.take(as_python_int(delta, "Generator.skip: delta"))
        return self._state.value()

    def make_seeds(self, count: int = 1) -> Tensor:
        """Seeds for the stateless functions: int64 of shape (2, count)."""
        keys = self._keys(as_python_int(count, "Generator.make_seeds: count"))
        return TABLE["stack"](keys, constant_tensor(np.zeros(keys._array.shape, np.int64)), axis=0)

    def _keys(self, count: int) -> Tensor:
        check_at_least("Generator.split", 0, InvalidArgumentError, count=count)
        return draws.integers(self._draw_words((count,)), shape=(count,), dtype="int64")

    def split(self, count: int = 1) -> list[Generator]:
        """Makes ``count`` generators with different keys."""
        keys = self._keys(as_python_int(count, "Generator.split: count"))._elements()
        return [Generator(state=[0, 0, int(key)]) for key in keys]

    def _draw_words(self, shape: tuple[int, ...]) -> Tensor:
        words = self.take(draws.element_count(shape))
        stream = random_stream()
        if stream is None:
            return words
        # The state is the same on all replicas, so a checkpoint fits any number of them. The counter's high word tells
        # their draws apart: draws of one stream do not reach the next multiple of 2**32 there.
        return words + constant_tensor(np.array([0, stream << 32, 0], np.int64))

    # Each method below checks all arguments before it advances the state.

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Numbers in [minval, maxval); see ``tf.random.uniform``."""
        return uniform_from(self._draw_words, "Generator.uniform", shape, minval, maxval, dtype)

    def uniform_full_int(self, shape: Any, dtype: Any = dtypes.uint64, name: str | None = None) -> Tensor:
        """Integers over the whole range of ``dtype``, a 32- or 64-bit integer dtype."""
        result_dtype = dtypes.as_dtype(dtype)
        if not result_dtype.is_integer or result_dtype.size < 4:
            raise ValueError(f"Generator.uniform_full_int: dtype must be a 32- or 64-bit integer, got {result_dtype}.")
        sizes = shape_of_argument("Generator.uniform_full_int", shape)
        return draws.integers(self._draw_words(sizes), shape=sizes, dtype=result_dtype.name)

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Normal numbers; see ``tf.random.normal``."""
        return normal_from(self._draw_words, draws.normal, "Generator.normal", shape, mean, stddev, dtype)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Normal numbers within two standard deviations; see ``tf.random.truncated_normal``."""
        return normal_from(
            self._draw_words, draws.truncated_normal, "Generator.truncated_normal", shape, mean, stddev, dtype
        )

    def binomial(
        self, shape: Any, counts: Any, probs: Any, dtype: Any = dtypes.int32, name: str | None = None
    ) -> Tensor:
        """Binomial numbers: successes in ``counts`` trials of probability ``probs``; ``shape`` ends with their broadcast shape."""
        return binomial_from(self._draw_words, "Generator.binomial", shape, counts, probs, dtype)


def create_rng_state(seed: Any, alg: Any = "philox") -> Tensor:
    """The first state of ``Generator.from_seed(seed)``: three int64. TensorFlow: tf.random.create_rng_state."""
    _check_algorithm(alg)
    seed_array = _elements_of(seed)
    if seed_array.dtype.kind not in "biuf" or not seed_array.size:
        raise ValueError(f"create_rng_state: the seed must be an integer, got {seed!r}.")
    words = [int(word) for word in seed_array.reshape(-1)]
    if seed_array.ndim == 0:  # an integer of 192 bits
        words = [words[0] >> 64 * place for place in range(3)]
    return Tensor(np.array([as_int64(word) for word in [0] * (3 - len(words)) + words[-3:]], np.int64))


def _elements_of(value: Any) -> np.ndarray:
    tensor = as_tensor_or_none(value)
    return np.asarray(value) if tensor is None else tensor._elements()


def unpredictable_state() -> list[int]:
    """Returns a state with a key from the operating system's source of randomness."""
    return [0, 0, int.from_bytes(os.urandom(8), "little", signed=True)]


def _checked_state(state: Any) -> np.ndarray:
    words = convert_to_tensor(state)._on_host()
    if words.shape != (3,) or words.dtype.kind not in "iu":
        raise ValueError(f"Generator: a state is three int64, got shape {list(words.shape)}, dtype {words.dtype}.")
    return words.astype(np.int64)


def _check_algorithm(alg: Any) -> None:
    if alg not in (None, "philox", "auto_select", 1, 3, Algorithm.PHILOX, Algorithm.AUTO_SELECT):
        raise ValueError(f"Generator: algorithm {alg!r} is not there; fastgrad has 'philox'.")


# ---- draws that all of the public functions share ---------------------------------------------------------
# ``draw_words(shape)`` returns the words of the draw and advances the state, so it is called last, when all checks have passed.


def checked_floating_dtype(what: str, dtype: Any) -> dtypes.DType:
    """Returns ``dtype`` if it is floating, else raises ValueError."""
    result_dtype = dtypes.as_dtype(dtype)
    if result_dtype.numpy not in FLOAT_DTYPES:
        raise ValueError(f"{what}: dtype must be floating, got {result_dtype.name}.")
    return result_dtype


def uniform_from(draw_words: Any, what: str, shape: Any, minval: Any, maxval: Any, dtype: Any) -> Tensor:
    """Uniform numbers in [minval, maxval), of any dtype of ``tf.random.uniform``."""
    result_dtype = dtypes.as_dtype(dtype)
    sizes = shape_of_argument(what, shape)
    if not result_dtype.is_floating and result_dtype not in (dtypes.int32, dtypes.int64, dtypes.uint32, dtypes.uint64):
        raise ValueError(
            f"{what}: Argument `dtype` got invalid value {result_dtype}. Accepted dtypes are float16, bfloat16, float32, float64, int32, int64."
        )
    if result_dtype.is_floating:
        if minval is None and maxval is not None:
            raise ValueError(f"{what}: minval is None; without it, maxval must be None too.")
        low = convert_to_tensor(0 if minval is None else minval, result_dtype)
        high = convert_to_tensor(1 if maxval is None else maxval, result_dtype)
        _check_bounds_broadcast(what, sizes, low, high)
        x = draws.uniform(draw_words(sizes), shape=sizes, dtype=result_dtype.name)
        if _is_default(minval, 0) and _is_default(maxval, 1):
            return x
        # The sum may round up to maxval, which the range excludes. An empty range has no limit.
        largest = TABLE["where"](
            high > low, TABLE["nextafter"](high, low), constant_tensor(np.array(np.inf, result_dtype.numpy))
        )
        return TABLE["minimum"](x * (high - low) + low, largest)
    if maxval is None and minval is not None:
        raise ValueError(f"{what}: Must specify maxval for integer dtype {result_dtype!r}")
    if minval is None:
        return draws.integers(draw_words(sizes), shape=sizes, dtype=result_dtype.name)
    low, high = (convert_to_tensor(v, result_dtype) for v in (minval, maxval))
    _check_bounds_broadcast(what, sizes, low, high)
    if draws.element_count(sizes):
        draws.check_range(what, low._on_host(), high._on_host())
    return draws.integers_between(draw_words(sizes), low, high, shape=sizes)


def _is_default(value: Any, default: float) -> bool:
    """True if ``value`` is None or the Python number ``default``; a tensor's value may change between runs."""
    return value is None or (type(value) in (int, float) and value == default)


def _check_bounds_broadcast(what: str, sizes: tuple[int, ...], *bounds: Tensor) -> None:
    for bound in bounds:
        if not broadcasts_to(bound._array.shape, sizes):
            raise InvalidArgumentError(f"{what}: minval and maxval {bound.shape} do not broadcast to {list(sizes)}.")


def normal_from(draw_words: Any, operation: Any, what: str, shape: Any, mean: Any, stddev: Any, dtype: Any) -> Tensor:
    """Returns ``mean + stddev`` times the draws of ``operation``; gradients flow to ``mean`` and ``stddev``."""
    result_dtype = dtypes.as_dtype(dtype)
    sizes = shape_of_argument(what, shape)
    centre, deviation = mean, stddev
    mean, stddev = (convert_to_tensor(v, result_dtype) for v in (mean, stddev))
    checked_floating_dtype(what, result_dtype)
    try:
        np.broadcast_shapes(sizes, mean._array.shape, stddev._array.shape)
    except ValueError:
        raise InvalidArgumentError(
            f"{what}: Incompatible shapes: mean {list(mean.shape)}, stddev {list(stddev.shape)}, shape {list(sizes)}."
        ) from None
    x = operation(draw_words(sizes), shape=sizes, dtype=result_dtype.name)
    if not _is_default(deviation, 1):
        x = TABLE["multiply"](x, stddev)
    if not _is_default(centre, 0):
        x = TABLE["add"](x, mean)
    return x


def broadcast_shape(what: str, x: Tensor, y: Tensor) -> tuple[int, ...]:
    """The shape that ``x`` and ``y`` broadcast to; raises InvalidArgumentError if there is none."""
    try:
        return np.broadcast_shapes(x._array.shape, y._array.shape)
    except ValueError:
        raise shapes_error(what, x._array.shape, y._array.shape) from None


def binomial_from(draw_words: Any, what: str, shape: Any, counts: Any, probs: Any, dtype: Any) -> Tensor:
    """Binomial numbers, drawn by NumPy's generator."""
    sizes, result_dtype = shape_of_argument(what, shape), dtypes.as_dtype(dtype)
    n, p = (convert_to_tensor(v) for v in (counts, probs))
    for x in (n, p):
        check_dtype(what, x._array.dtype, REAL_DTYPES)
    check_shape_suffix(what, sizes, broadcast_shape(what, n, p))
    draws.check_binomial(what, n._on_host(), p._on_host())
    return draws.binomial(draw_words(sizes), n, p, shape=sizes, dtype=result_dtype.name)
