"""``keras.random``: draws that follow from a seed, and a generator of seeds. The numbers are those of ``tf.random.stateless_*``."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes as _dtypes
from fastgrad._src.core.dtypes import as_dtype as _as_dtype
from fastgrad._src.core.recording import init_scope as _init_scope
from fastgrad._src.core.tensor import convert_to_tensor as _convert_to_tensor
from fastgrad._src.core.variable import Variable as _Variable
from fastgrad._src.keras.configured import Configured as _Configured
from fastgrad._src.keras.default_seed import make_default_seed as _make_default_seed
from fastgrad._src.keras.naming import auto_name as _auto_name
from fastgrad._src.keras.settings import floatx as _floatx
from fastgrad._src.ops import namespace as ops


class SeedGenerator(_Configured):
    """A generator of seeds: each draw that gets it as ``seed`` gets another seed.

    Args:
        seed: an integer; None for a random one, which follows from ``keras.utils.set_random_seed``.
        name: of the generator.

    Attributes:
        state: a variable of two integers: the seed, and the number of draws.

    Raises:
        ValueError: ``seed`` is no integer.
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self.name = name or _auto_name(type(self).__name__)
        self._initial_seed = seed
        if seed is None:
            seed = _make_default_seed()
        if not isinstance(seed, int):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed}")
        self.state = _Variable([seed, 0], dtype=_dtypes.int64, trainable=False, name="seed_generator_state")

    def next(self, ordered: bool = True) -> Any:
        """Returns the next seed, int64 of shape (2,), and advances the generator.

        Args:
            ordered: whether the second number counts the draws; else both change.
        """
        seed = self.state * 1
        self.state.assign(ops.add(seed, [0, 1]) if ordered else (seed + 1) * 5387 % 933199)
        return seed

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._initial_seed, "name": self.name}


_global_generator: list[SeedGenerator] = []


def _reset_global_generator() -> None:
    """Lets the next draw without a seed make a new global generator, from Python's ``random``."""
    _global_generator.clear()


def _seed_of_draw(seed: Any) -> Any:
    """Returns the seed of a draw, int32 of shape (2,)."""
    if isinstance(seed, SeedGenerator):
        drawn = seed.next()
    elif isinstance(seed, int):
        drawn = ops.constant([seed, 0], _dtypes.int64)
    elif seed is None:
        if not _global_generator:
            with _init_scope():
                _global_generator.append(SeedGenerator())
        drawn = _global_generator[0].next(ordered=False)
    else:
        raise ValueError(
            "Argument `seed` must be either an integer or an instance of `SeedGenerator`. "
            f"Received: seed={seed} (of type {type(seed)})"
        )
    return ops.cast(ops.floormod(drawn, _dtypes.int32.max - 1), _dtypes.int32)


def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of a normal distribution.

    Args:
        shape: of the result.
        mean, stddev: of the distribution.
        dtype: a float dtype; None for ``keras.config.floatx()``.
        seed: an integer, which gives the same numbers in each call; a ``SeedGenerator``; or None for a global one.
    """
    return ops.stateless_normal(shape, _seed_of_draw(seed), mean, stddev, dtype or _floatx())


def truncated_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normal numbers, redrawn if beyond two standard deviations from the mean; arguments as for ``normal``."""
    return ops.stateless_truncated_normal(shape, _seed_of_draw(seed), mean, stddev, dtype or _floatx())


def uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Uniformly distributed numbers in [minval, maxval); other arguments as for ``normal``."""
    dtype = dtype or _floatx()
    low, high = ops.cast(minval, dtype), ops.cast(maxval, dtype)
    return ops.stateless_uniform(shape, _seed_of_draw(seed), low, high, dtype)


def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
    """Uniformly distributed integers in [minval, maxval); other arguments as for ``normal``, with an integer dtype.

    Raises:
        ValueError: the dtype is a float.
    """
    dtype = _as_dtype(dtype)
    if dtype.is_floating:
        raise ValueError(f"`keras.random.randint` requires an integer `dtype`. Received: dtype={dtype.name}")
    drawn = _dtypes.int32 if dtype == _dtypes.int32 else _dtypes.int64
    return ops.cast(ops.stateless_uniform(shape, _seed_of_draw(seed), minval, maxval, drawn), dtype)


def categorical(logits: Any, num_samples: Any, dtype: Any = "int32", seed: Any = None) -> Any:
    """Classes drawn by their unnormalized log-probabilities.

    Args:
        logits: shape (batch, classes).
        num_samples: the draws for each row.
        dtype: of the result.
        seed: as for ``normal``.

    Raises:
        ValueError: ``logits`` has another rank.
    """
    logits = _convert_to_tensor(logits)
    if logits.shape.rank != 2:
        raise ValueError(f"`logits` must have shape [batch_size, num_classes]. Received: {logits.shape=}")
    return ops.cast(ops.stateless_categorical(logits, num_samples, _seed_of_draw(seed)), dtype)


def dropout(inputs: Any, rate: Any, noise_shape: Any = None, seed: Any = None) -> Any:
    """The inputs, with elements zeroed at random and the others scaled by 1 / (1 - rate).

    Args:
        inputs: a float tensor.
        rate: the probability that an element is zeroed.
        noise_shape: the shape of the draws, which broadcasts with the inputs; None as a size stands for that of the inputs.
        seed: as for ``normal``.
    """
    inputs = _convert_to_tensor(inputs)
    if rate == 1.0:
        return ops.zeros_like(inputs)
    if rate == 0.0:
        return inputs
    seed = _seed_of_draw(seed)
    if noise_shape is not None:
        noise_shape = [
            size if wanted is None else wanted for wanted, size in zip(noise_shape, inputs.shape, strict=False)
        ]
    return ops.stateless_dropout(inputs, rate, seed, noise_shape=noise_shape)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """The slices of a tensor along an axis in a random order; ``seed`` as for ``normal``."""
    x = _convert_to_tensor(x)
    order = ops.argsort(ops.stateless_uniform([x.shape[axis]], _seed_of_draw(seed)))
    return ops.gather(x, order, axis=axis)


def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of a gamma distribution of the shape parameter ``alpha``; other arguments as for ``normal``."""
    return _gamma(shape, alpha, dtype or _floatx(), _seed_of_draw(seed))


def _gamma(shape: Any, alpha: Any, dtype: Any, seed: Any) -> Any:
    drawn = "float32" if _as_dtype(dtype) == _dtypes.bfloat16 else dtype
    return ops.cast(ops.stateless_gamma(shape, seed, alpha=alpha, dtype=drawn), dtype)


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of a beta distribution of the parameters ``alpha`` and ``beta``; other arguments as for ``normal``."""
    dtype = dtype or _floatx()
    first_seed = _seed_of_draw(seed)
    first = _gamma(shape, ops.broadcast_to(ops.cast(alpha, dtype), shape), dtype, first_seed)
    second = _gamma(
        shape, ops.broadcast_to(ops.cast(beta, dtype), shape), dtype, first_seed + 12
    )  # the number is Keras's
    return first / (first + second)


def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
    """The number of successes in ``counts`` trials with these ``probabilities``; other arguments as for ``normal``."""
    dtype = dtype or _floatx()
    drawn = "float32" if _as_dtype(dtype) == _dtypes.bfloat16 else dtype
    return ops.cast(
        ops.stateless_binomial(shape, _seed_of_draw(seed), counts, probabilities, output_dtype=drawn), dtype
    )
