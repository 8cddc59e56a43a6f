"""``tf.random.Generator``, and the default generators for draws that name no generator."""

from __future__ import annotations

import enum
import math
import os
from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.core.operation import FLOATING, REAL, TABLE, shapes_error
from fastgrad.core.placement import on_host_scope
from fastgrad.core.recording import hidden_from_recorders, recorders, report_effect, state_is_followed
from fastgrad.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad.core.variable import Variable
from fastgrad.errors import InvalidArgumentError, OutOfMemoryError
from fastgrad.kernels.codegen.locks import new_lock
from fastgrad.ops import random_draws as draws
from fastgrad.ops.arguments import broadcasts_to, check_dtype, integer
from fastgrad.ops.random_draws import mixed, signed


class Algorithm(enum.Enum):
    """The counter-based generators of TensorFlow's API; fastgrad supports only Philox."""

    PHILOX = 1
    THREEFRY = 2
    AUTO_SELECT = 3


_LARGEST = 2**44


def shape_of(what: str, shape: Any) -> tuple[int, ...]:
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
    if math.prod(sizes) > _LARGEST:  # checked before the generator's state advances
        raise OutOfMemoryError(f"{what}: a tensor of shape {list(sizes)} does not fit into memory.")
    return sizes


def check_ends(what: str, sizes: tuple[int, ...], ends: tuple[int, ...]) -> None:
    """Raises InvalidArgumentError unless the shape ``sizes`` ends in ``ends``."""
    if sizes[len(sizes) - len(ends) :] != ends:
        raise InvalidArgumentError(
            f"{what}: Shape passed in must end with broadcasted shape {list(ends)}, got {list(sizes)}."
        )


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
            state = copy_from.state.numpy()
        elif state is None:
            raise ValueError("Generator: give copy_from or state, or use Generator.from_seed(seed).")
        _check_algorithm(alg)
        with on_host_scope():  # the host advances the counter; the words are copied to the device that draws
            self._state = Variable(_checked_state(state), trainable=False, name="StateVar", dtype=dtypes.int64)
        self._lock = new_lock()

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """Makes a generator from ``seed``, an integer; equal seeds give equal numbers."""
        return cls(state=create_rng_state(seed, alg or "philox"), alg=alg)

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """Makes a generator that the operating system seeds."""
        return cls(state=_unpredictable_state(), alg=alg)

    @classmethod
    def from_state(cls, state: Any, alg: Any) -> Generator:
        """Makes a generator that continues from ``state``, three int64."""
        return cls(state=state, alg=alg)

    @classmethod
    def from_key_counter(cls, key: Any, counter: Any, alg: Any) -> Generator:
        """Makes a generator with a key (an integer) and a counter (two integers, low half first)."""
        low, high = np.asarray(counter).reshape(-1)
        return cls(state=[int(low), int(high), int(np.asarray(key).reshape(()))], alg=alg)

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
        with self._lock:
            if recorders.active and state_is_followed():
                words = self._state._read()
                words._unplaced = True
                self._state.assign(draws.advanced(words, count=count))
                return words
            state = self._state._writable()
            words = Tensor(state.copy())
            words._unplaced = True
            low = int(state[0])
            after = low + max(count, 1)
            state[0] = signed(after)
            if low < 0 <= after:  # carry: read as unsigned, the low word wrapped around
                state[1] = signed(int(state[1]) + 1)
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
        self.take(integer(delta, "Generator.skip: delta"))
        return self._state.value()

    def make_seeds(self, count: int = 1) -> Tensor:
        """Seeds for the stateless functions: int64 of shape (2, count)."""
        count = integer(count, "Generator.split: count")
        if count < 0:
            raise InvalidArgumentError(f"Generator.split: count must be at least 0, got {count}.")
        return draws.integers(self._drawn((2, count)), shape=(2, count), dtype="int64")

    def split(self, count: int = 1) -> list[Generator]:
        """Makes ``count`` generators with different keys."""
        keys = self.make_seeds(count).numpy()[0]
        return [Generator(state=[0, 0, int(key)]) for key in keys]

    def _drawn(self, shape: tuple[int, ...]) -> Tensor:
        return self.take(draws.elements(shape))

    # Each method below checks all arguments before it advances the state.

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Numbers in [minval, maxval); see ``tf.random.uniform``."""
        return uniform_from(self._drawn, "Generator.uniform", shape, minval, maxval, dtype)

    def uniform_full_int(self, shape: Any, dtype: Any = dtypes.uint64, name: str | None = None) -> Tensor:
        """Integers over the whole range of ``dtype``, a 32- or 64-bit integer dtype."""
        result_dtype = dtypes.as_dtype(dtype)
        if not result_dtype.is_integer or result_dtype.size < 4:
            raise ValueError(
                f"Generator.uniform_full_int: dtype must be a 32- or 64-bit integer, got {result_dtype.name}."
            )
        sizes = shape_of("Generator.uniform_full_int", shape)
        return draws.integers(self._drawn(sizes), shape=sizes, dtype=result_dtype.name)

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Normal numbers; see ``tf.random.normal``."""
        return scaled_from(self._drawn, draws.normal, "Generator.normal", shape, mean, stddev, dtype)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, name: str | None = None
    ) -> Tensor:
        """Normal numbers within two standard deviations; see ``tf.random.truncated_normal``."""
        return scaled_from(
            self._drawn, draws.truncated_normal, "Generator.truncated_normal", shape, mean, stddev, dtype
        )

    def binomial(
        self, shape: Any, counts: Any, probs: Any, dtype: Any = dtypes.int32, name: str | None = None
    ) -> Tensor:
        """Binomial numbers: successes in ``counts`` trials of probability ``probs``, whose shapes end ``shape``."""
        return binomial_from(self._drawn, "Generator.binomial", shape, counts, probs, dtype)


def create_rng_state(seed: Any, alg: Any = "philox") -> Tensor:
    """The first state of ``Generator.from_seed(seed)``: three int64. TensorFlow: tf.random.create_rng_state."""
    _check_algorithm(alg)
    seed_array = np.asarray(seed)
    if seed_array.dtype.kind not in "biuf" or not seed_array.size:
        raise ValueError(f"create_rng_state: the seed must be an integer, got {seed!r}.")
    words = [int(word) for word in seed_array.reshape(-1)]
    return Tensor(np.array([0, 0, signed(words[0]) if len(words) == 1 else mixed(*words)], np.int64))


def _checked_state(state: Any) -> np.ndarray:
    words = convert_to_tensor(state)._on_host()
    if words.shape != (3,) or words.dtype.kind not in "iu":
        raise ValueError(f"Generator: a state is three int64, got shape {list(words.shape)}, dtype {words.dtype}.")
    return words.astype(np.int64)


def _check_algorithm(alg: Any) -> None:
    if alg not in (None, "philox", "auto_select", 1, 3, Algorithm.PHILOX, Algorithm.AUTO_SELECT):
        raise ValueError(f"Generator: algorithm {alg!r} is not there; fastgrad has 'philox'.")


# ---- draws that all of the public functions share ---------------------------------------------------------
# ``drawn(shape)`` returns the words of the draw and advances the state, so it is called last, when all checks have passed.


def floating(what: str, dtype: Any) -> dtypes.DType:
    """Returns ``dtype`` if it is floating, else raises ValueError."""
    result_dtype = dtypes.as_dtype(dtype)
    if result_dtype.numpy not in FLOATING:
        raise ValueError(f"{what}: dtype must be floating, got {result_dtype.name}.")
    return result_dtype


def uniform_from(drawn: Any, what: str, shape: Any, minval: Any, maxval: Any, dtype: Any) -> Tensor:
    """Uniform numbers in [minval, maxval), of any dtype of ``tf.random.uniform``."""
    result_dtype = dtypes.as_dtype(dtype)
    sizes = shape_of(what, shape)
    if not result_dtype.is_floating and result_dtype not in (dtypes.int32, dtypes.int64, dtypes.uint32, dtypes.uint64):
        raise ValueError(
            f"{what}: Argument `dtype` got invalid value {result_dtype}. Accepted dtypes are float16, bfloat16, float32, float64, int32, int64."
        )
    if result_dtype.is_floating:
        if minval is None and maxval is not None:
            raise ValueError(f"{what}: minval is None; without it, maxval must be None too.")
        low = convert_to_tensor(0 if minval is None else minval, result_dtype)
        high = convert_to_tensor(1 if maxval is None else maxval, result_dtype)
        _check_broadcast(what, sizes, low, high)
        x = draws.uniform(drawn(sizes), shape=sizes, dtype=result_dtype.name)
        if _is_number(minval, 0) and _is_number(maxval, 1):
            return x
        # The sum may round up to maxval, which the range excludes. An empty range has no limit.
        largest = TABLE["where"](
            high > low, TABLE["nextafter"](high, low), constant_tensor(np.array(np.inf, result_dtype.numpy))
        )
        return TABLE["minimum"](x * (high - low) + low, largest)
    if maxval is None and minval is not None:
        raise ValueError(f"{what}: Must specify maxval for integer dtype {result_dtype!r}")
    if minval is None:
        return draws.integers(drawn(sizes), shape=sizes, dtype=result_dtype.name)
    low, high = (convert_to_tensor(v, result_dtype) for v in (minval, maxval))
    _check_broadcast(what, sizes, low, high)
    if draws.elements(sizes):
        draws.check_range(what, low._on_host(), high._on_host())
    return draws.integers_between(drawn(sizes), low, high, shape=sizes)


def _is_number(given: Any, default: float) -> bool:
    """True if ``given`` is None or the Python number ``default``; a tensor's value may change between runs."""
    return given is None or (type(given) in (int, float) and given == default)


def _check_broadcast(what: str, sizes: tuple[int, ...], *bounds: Tensor) -> None:
    for bound in bounds:
        if not broadcasts_to(bound._array.shape, sizes):
            raise InvalidArgumentError(
                f"{what}: minval and maxval of shape {list(bound.shape)} do not broadcast to {list(sizes)}."
            )


def scaled_from(drawn: Any, row: Any, what: str, shape: Any, mean: Any, stddev: Any, dtype: Any) -> Tensor:
    """``mean + stddev * row``; gradients flow to ``mean`` and ``stddev``."""
    result_dtype = dtypes.as_dtype(dtype)
    sizes = shape_of(what, shape)
    centre, deviation = mean, stddev
    mean, stddev = (convert_to_tensor(v, result_dtype) for v in (mean, stddev))
    floating(what, result_dtype)
    try:
        np.broadcast_shapes(sizes, mean._array.shape, stddev._array.shape)
    except ValueError:
        raise InvalidArgumentError(
            f"{what}: Incompatible shapes: mean {list(mean.shape)}, stddev {list(stddev.shape)}, shape {list(sizes)}."
        ) from None
    x = row(drawn(sizes), shape=sizes, dtype=result_dtype.name)
    if not _is_number(deviation, 1):
        x = TABLE["multiply"](x, stddev)
    if not _is_number(centre, 0):
        x = TABLE["add"](x, mean)
    return x


def broadcast_shape(what: str, x: Tensor, y: Tensor) -> tuple[int, ...]:
    """The shape that ``x`` and ``y`` broadcast to; raises InvalidArgumentError if there is none."""
    try:
        return np.broadcast_shapes(x._array.shape, y._array.shape)
    except ValueError:
        raise shapes_error(what, x._array.shape, y._array.shape) from None


def binomial_from(drawn: Any, what: str, shape: Any, counts: Any, probs: Any, dtype: Any) -> Tensor:
    """Binomial numbers, drawn by NumPy's generator."""
    sizes, result_dtype = shape_of(what, shape), dtypes.as_dtype(dtype)
    n, p = (convert_to_tensor(v) for v in (counts, probs))
    for x in (n, p):
        check_dtype(what, x._array.dtype, REAL)
    check_ends(what, sizes, broadcast_shape(what, n, p))
    draws.check_binomial(what, n._on_host(), p._on_host())
    return draws.binomial(drawn(sizes), n, p, shape=sizes, dtype=result_dtype.name)


# ---- the default generators -----------------------------------------------------------------------------------


class _Default:
    """The global seed, and one default generator for each operation seed in use.

    ``set`` resets the generators and keeps the objects, because compiled programs draw from their states.
    """

    def __init__(self) -> None:
        self.lock = new_lock()
        self.seed: int | str | None = None
        self.generators: dict[Any, Generator] = {}
        self.named: Generator | None = None
        self.chosen: Generator | None = None
        self.choices: Variable | None = None  # counts changes of `chosen`, once a program has read it

    def set(self, seed: int | str | None) -> None:
        with self.lock:
            self.seed = seed
            for operation_seed, generator in self.generators.items():
                generator.reset(self._state(operation_seed))
            if self.named is not None:
                self.named.reset(self._named_generator_state())
            if self.chosen is not None:
                self._choose(None)

    def of(self, seed: Any) -> Generator:
        with self.lock:
            generator = self.generators.get(seed)
            if generator is None:
                with hidden_from_recorders():  # a recording must not see this variable as created by the program
                    generator = self.generators[seed] = Generator(state=self._state(seed))
            return generator

    def choose(self, generator: Generator) -> None:
        with self.lock:
            self._choose(generator)

    def _choose(self, generator: Generator | None) -> None:
        self.chosen = generator
        if self.choices is not None:
            self.choices.assign_add(1)

    def global_generator(self) -> Generator:
        with self.lock:
            if state_is_followed():
                with hidden_from_recorders():
                    if self.choices is None:
                        self.choices = Variable(0, trainable=False, dtype=dtypes.int64)
                int(self.choices)  # a guard: the program draws from the generator of its recording
            if self.chosen is not None:
                return self.chosen
            if self.named is None:
                with hidden_from_recorders():
                    self.named = Generator(state=self._named_generator_state())
            return self.named

    def _state(self, seed: Any) -> list[int]:
        if self.seed is None and seed is None:
            return _unpredictable_state()
        return [0, 0, mixed(_word(self.seed), _word(seed), (self.seed is None) + 2 * (seed is None))]

    def _named_generator_state(self) -> list[int]:
        return _unpredictable_state() if self.seed is None else [0, 0, mixed(_word(self.seed), 4)]


def _unpredictable_state() -> list[int]:
    return [0, 0, int.from_bytes(os.urandom(8), "little", signed=True)]


def _word(seed: Any) -> int:
    return (
        0 if seed is None else int(seed) if not isinstance(seed, str) else int.from_bytes(seed.encode()[:8], "little")
    )


_default = _Default()


def _seed(seed: Any) -> Any:
    """Returns a seed as an int, a string or None; raises TypeError for anything else."""
    if seed is None or isinstance(seed, str):
        return seed
    try:
        return int(seed)
    except (TypeError, ValueError):
        raise TypeError(f"A seed must be an integer, got {seed!r}.") from None


def set_seed(seed: Any) -> None:
    """Sets the global seed and restarts the default generators, so that later draws are repeatable.

    Args:
        seed: an integer, or None to let the operating system choose.

    Raises:
        TypeError: ``seed`` is no integer. TensorFlow: tf.random.set_seed.
    """
    report_effect("tf.random.set_seed was called")
    with hidden_from_recorders():
        _default.set(_seed(seed))


def default_drawn(seed: Any) -> Any:
    """Returns a function from a shape to the words of the next draw under the global seed and ``seed``."""
    return _default.of(_seed(seed))._drawn


def default_key(seed: Any) -> int:
    """The key of the draws under the global seed and ``seed``; does not draw."""
    return int(_default.of(_seed(seed)).key)


def default_states() -> list[tuple[Generator, tuple[int, ...]]]:
    """The default generators with their states; two results are equal if nothing was drawn between the calls."""
    with _default.lock:
        default_generators = [*_default.generators.values(), _default.named, _default.chosen]
    return [
        (generator, tuple(generator._state._array.tolist()))
        for generator in default_generators
        if generator is not None
    ]


def restore_default_states(states: list[tuple[Generator, tuple[int, ...]]]) -> None:
    """Restores the states that ``default_states()`` returned."""
    for generator, state in states:
        if tuple(generator._state._array.tolist()) != state:
            generator.reset(state)


def get_global_generator() -> Generator:
    """The generator that layers and programs may share; the first call makes it."""
    return _default.global_generator()


def set_global_generator(generator: Generator) -> None:
    """Replaces the global generator."""
    report_effect("tf.random.set_global_generator was called")
    with hidden_from_recorders():
        _default.choose(generator)
