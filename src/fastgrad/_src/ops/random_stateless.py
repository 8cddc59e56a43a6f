"""Random numbers as pure functions of a seed: ``tf.random.stateless_uniform``, ``stateless_normal`` and others.

A seed is two integers; the same seed always gives the same numbers.
"""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops import random_draws as draws
from fastgrad._src.ops.arguments import as_python_int
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.random_generator import (
    Algorithm,
    binomial_from,
    broadcast_shape,
    check_shape_suffix,
    normal_from,
    shape_of_argument,
    uniform_from,
)
from fastgrad._src.ops.random_ops import categorical_from, dropout_from, poisson_from
from fastgrad._src.ops.shaping import reshape

_ALGORITHMS = (None, "philox", "threefry", "auto_select", 1, 2, 3, Algorithm.PHILOX, Algorithm.AUTO_SELECT)


def _draw_words_of_seed(what: str, seed: Any, alg: Any = None) -> Any:
    if not isinstance(alg, (str, int, Algorithm, type(None))) or alg not in _ALGORITHMS:
        raise ValueError(f"{what}: alg must be 'philox', 'threefry' or 'auto_select', got {alg!r}.")
    words = convert_to_tensor(seed)
    if words._array.shape != (2,) or words._array.dtype.kind not in "iu":
        refuse(what, f"`seed` must be two integers, got {words.dtype.name} {list(words.shape)}", InvalidArgumentError)
    seed_words = words if words.dtype in (dtypes.int32, dtypes.int64) else cast(words, dtypes.int64)
    return lambda shape: draws.philox_words(seed_words)


def stateless_uniform(
    shape: Any,
    seed: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """Uniform numbers in [minval, maxval); if both are None, integers over the whole range of ``dtype``.

    Args:
        shape, minval, maxval, dtype: as in ``tf.random.uniform``.
        seed: two integers.
        name, alg: kept for TensorFlow's signature; ``alg`` must be one of TensorFlow's algorithms.

    Raises:
        InvalidArgumentError: the seed is not two integers.
        ValueError: an unknown ``alg``. TensorFlow: tf.random.stateless_uniform.
    """
    return uniform_from(
        _draw_words_of_seed("stateless_uniform", seed, alg), "stateless_uniform", shape, minval, maxval, dtype
    )


def stateless_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """Normal numbers; arguments as ``tf.random.normal``, with a seed of two integers.

    TensorFlow: tf.random.stateless_normal.
    """
    what = "stateless_normal"
    return normal_from(_draw_words_of_seed(what, seed, alg), draws.normal, what, shape, mean, stddev, dtype)


def stateless_truncated_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    name: str | None = None,
    alg: Any = "auto_select",
) -> Tensor:
    """Normal numbers within two standard deviations; arguments as ``stateless_normal``.

    TensorFlow: tf.random.stateless_truncated_normal.
    """
    what = "stateless_truncated_normal"
    return normal_from(_draw_words_of_seed(what, seed, alg), draws.truncated_normal, what, shape, mean, stddev, dtype)


def stateless_categorical(
    logits: Any, num_samples: Any, seed: Any, dtype: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """Class numbers from log-probabilities; arguments as ``tf.random.categorical``, with a seed of two integers.

    TensorFlow: tf.random.stateless_categorical.
    """
    what = "stateless_categorical"
    return categorical_from(_draw_words_of_seed(what, seed), what, logits, num_samples, dtype)


def stateless_gamma(
    shape: Any, seed: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """Gamma numbers of shape ``shape``, which ends with the broadcast shape of ``alpha`` and ``beta``.

    Args:
        shape: the shape of the result.
        seed: two integers.
        alpha, beta, dtype: as in ``tf.random.gamma``.

    Raises:
        InvalidArgumentError: ``shape`` does not end with the broadcast shape. TensorFlow: tf.random.stateless_gamma.
    """
    a, b = (convert_to_tensor(v, dtypes.as_dtype(dtype)) for v in (alpha, 1.0 if beta is None else beta))
    ends, sizes = broadcast_shape("stateless_gamma", a, b), shape_of_argument("stateless_gamma", shape)
    check_shape_suffix("stateless_gamma", sizes, ends)
    return draws.gamma(_draw_words_of_seed("stateless_gamma", seed)(sizes), a, b, shape=sizes)


def stateless_poisson(shape: Any, seed: Any, lam: Any, dtype: Any = dtypes.int32, name: str | None = None) -> Tensor:
    """Poisson numbers of shape ``shape``, which ends with the shape of ``lam``.

    TensorFlow: tf.random.stateless_poisson.
    """
    rate = convert_to_tensor(lam)
    sizes = shape_of_argument("stateless_poisson", shape)
    check_shape_suffix("stateless_poisson", sizes, rate._array.shape)
    return poisson_from(_draw_words_of_seed("stateless_poisson", seed), "stateless_poisson", sizes, rate, dtype)


def stateless_binomial(
    shape: Any, seed: Any, counts: Any, probs: Any, output_dtype: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """Binomial numbers: successes in ``counts`` trials of probability ``probs``.

    TensorFlow: tf.random.stateless_binomial.
    """
    what = "stateless_binomial"
    return binomial_from(_draw_words_of_seed(what, seed), what, shape, counts, probs, output_dtype)


def stateless_dropout(
    x: Any, rate: Any, seed: Any, rng_alg: Any = None, noise_shape: Any = None, name: str | None = None
) -> Tensor:
    """``tf.nn.dropout`` with a mask that ``seed`` determines. TensorFlow: tf.nn.experimental.stateless_dropout."""
    return dropout_from(_draw_words_of_seed("stateless_dropout", seed, rng_alg), x, rate, noise_shape)


def split(seed: Any, num: Any = 2, alg: Any = "auto_select") -> Tensor:
    """``num`` new seeds from ``seed``, unrelated to it and to each other.

    Args:
        seed: two integers.
        num: the number of seeds.

    Returns:
        Shape (num, 2), of the seed's dtype. TensorFlow: tf.random.split.
    """
    dtype = convert_to_tensor(seed).dtype
    count = as_python_int(num, "random.split: num")
    if count < 0:
        raise InvalidArgumentError(f"random.split: num must be at least 0, got {count}.")
    return draws.integers(_draw_words_of_seed("random.split", seed, alg)(()), shape=(count, 2), dtype=dtype.name)


def fold_in(seed: Any, data: Any, alg: Any = "auto_select") -> Tensor:
    """A new seed from ``seed`` and an integer, such as a step or a replica's number.

    Args:
        seed: two integers.
        data: an integer scalar.

    Returns:
        Shape (2,), of the dtype of ``data``. TensorFlow: tf.random.fold_in.
    """
    words, number = convert_to_tensor(seed), convert_to_tensor(data)
    drawn = draws.integers(_draw_words_of_seed("random.fold_in", words, alg)(()), shape=(), dtype=number.dtype.name)
    return TABLE["stack"](drawn, reshape(number, ()), axis=0)
