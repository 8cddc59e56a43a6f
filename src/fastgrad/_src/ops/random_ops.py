"""Draws from the default generators: ``tf.random.uniform``, ``normal``, ``shuffle`` and others.

The numbers depend on the global seed (``tf.random.set_seed``) and the operation's ``seed``. With neither seed, the
operating system chooses one. With at least one seed, the sequence of draws is the same in every run. A call that raises
does not advance a generator.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import as_float, refuse
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import REAL_DTYPES, TABLE
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.ops import random_draws as draws
from fastgrad._src.ops.arguments import as_python_int, broadcasts_to, check_dtype
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.default_generators import default_philox_words
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.random_generator import broadcast_shape, normal_from, shape_of_argument, uniform_from


def uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    seed: Any = None,
    name: str | None = None,
) -> Tensor:
    """Uniform numbers in [minval, maxval).

    Args:
        shape: the shape of the result.
        minval: the lower bound, a number or a tensor that broadcasts to ``shape``; default 0.
        maxval: the upper bound, exclusive; default 1 for floating dtypes, required for integers.
        dtype: float16, bfloat16, float32, float64, int32 or int64.
        seed: the operation's seed, an integer. The numbers depend on it and on ``tf.random.set_seed``; without both they differ in each run.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: another dtype, or no ``maxval`` for integers.
        InvalidArgumentError: the range of integers is empty, or a dimension is negative. TensorFlow: tf.random.uniform.

    Example:
        >>> x = tf.random.uniform((2, 3), minval=-1.0, maxval=1.0)
        >>> x.shape, bool(tf.reduce_all(tf.abs(x) <= 1.0))
        (TensorShape([2, 3]), True)
    """
    return uniform_from(default_philox_words(seed), "random.uniform", shape, minval, maxval, dtype)


def normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: Any = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers.

    Args:
        shape: the shape of the result, with which ``mean`` and ``stddev`` broadcast.
        mean, stddev: numbers or tensors; gradients flow to them.
        dtype: a floating dtype.
        seed, name: as in ``tf.random.uniform``.

    Raises:
        InvalidArgumentError: the shapes do not broadcast, or a dimension is negative. TensorFlow: tf.random.normal.

    Example:
        >>> tf.random.normal((2, 3), mean=1.0).shape
        TensorShape([2, 3])
    """
    return normal_from(default_philox_words(seed), draws.normal, "random.normal", shape, mean, stddev, dtype)


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: Any = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers, less than two standard deviations from the mean; arguments as ``tf.random.normal``.

    TensorFlow: tf.random.truncated_normal.
    """
    return normal_from(
        default_philox_words(seed), draws.truncated_normal, "random.truncated_normal", shape, mean, stddev, dtype
    )


def shuffle(value: Any, seed: Any = None, name: str | None = None) -> Tensor:
    """``value`` with its first dimension in random order.

    Args:
        value: a tensor; a scalar is returned unchanged.
        seed: as in ``uniform``. TensorFlow: tf.random.shuffle.
    """
    x = convert_to_tensor(value)
    if not x.ndim:
        return x
    n = x._array.shape[0]
    return gather(x, draws.shuffled_positions(default_philox_words(seed)((n,)), count=n))


def categorical(logits: Any, num_samples: Any, dtype: Any = None, seed: Any = None, name: str | None = None) -> Tensor:
    """Class numbers drawn from unnormalised log-probabilities.

    Args:
        logits: floating, shape (batch, classes).
        num_samples: the number of draws for each row.
        dtype: int64 (default) or int32.
        seed: as in ``uniform``.

    Returns:
        Shape (batch, num_samples).

    Raises:
        InvalidArgumentError: ``logits`` is no matrix, or has no classes. TensorFlow: tf.random.categorical.
    """
    return categorical_from(default_philox_words(seed), "random.categorical", logits, num_samples, dtype)


def categorical_from(draw_words: Any, what: str, logits: Any, num_samples: Any, dtype: Any) -> Tensor:
    """Class numbers by their log-probabilities; ``draw_words(shape)`` returns the random words of a draw."""
    x = convert_to_tensor(logits)
    result_dtype = dtypes.as_dtype(dtype or dtypes.int64)
    count = as_python_int(num_samples, "random.categorical: num_samples")
    if x.ndim != 2 or not x.dtype.is_floating:
        refuse(what, "logits should be a matrix of floats", InvalidArgumentError, shape=x.shape, dtype=x.dtype)
    if count < 0 or (not x.shape[1] and count and x.shape[0]):
        requirement = "num_samples must be >= 0, and num_classes > 0"
        refuse(what, requirement, InvalidArgumentError, num_samples=count, num_classes=x.shape[1])
    kernel_dtype = result_dtype if result_dtype in (dtypes.int32, dtypes.int64) else dtypes.int64
    classes = draws.categories(x, draw_words((x._array.shape[0], count)), count=count, dtype=kernel_dtype.name)
    return classes if kernel_dtype is result_dtype else cast(classes, result_dtype)


def gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Gamma numbers of shape parameter ``alpha`` and rate ``beta``.

    Args:
        shape: the shape of the draws for each element of ``alpha`` and ``beta``. The result has shape
            ``shape + broadcast(alpha, beta)``.
        alpha, beta: positive, floating; beta defaults to 1.
        dtype: a floating dtype.
        seed: as in ``uniform``. TensorFlow: tf.random.gamma (without its gradient to ``alpha``).
    """
    result_dtype = dtypes.as_dtype(dtype)
    a = convert_to_tensor(alpha, result_dtype)
    b = convert_to_tensor(1.0 if beta is None else beta, result_dtype)
    sizes = shape_of_argument("random.gamma", shape) + broadcast_shape("random.gamma", a, b)
    draws.check_gamma(a._on_host(), b._on_host())
    return draws.gamma(default_philox_words(seed)(sizes), a, b, shape=sizes)


def poisson(shape: Any, lam: Any, dtype: Any = dtypes.float32, seed: Any = None, name: str | None = None) -> Tensor:
    """Poisson numbers of rate ``lam``.

    Args:
        shape: the shape of the draws for each element of ``lam``. The result has shape ``shape + lam.shape``.
        lam: the rate, not negative.
        dtype: the dtype of the result.
        seed: as in ``uniform``. TensorFlow: tf.random.poisson.
    """
    rate = convert_to_tensor(lam)
    sizes = shape_of_argument("random.poisson", shape) + rate._array.shape
    return poisson_from(default_philox_words(seed), "random.poisson", sizes, rate, dtype)


def poisson_from(draw_words: Any, what: str, sizes: tuple[int, ...], rate: Tensor, dtype: Any) -> Tensor:
    """Poisson numbers of shape ``sizes``, which ``rate`` broadcasts to."""
    check_dtype(what, rate._array.dtype, REAL_DTYPES)
    draws.check_poisson(what, rate._on_host())
    return draws.poisson(draw_words(sizes), rate, shape=sizes, dtype=dtypes.as_dtype(dtype).name)


# ---- dropout ---------------------------------------------------------------------------------------------


def dropout(x: Any, rate: Any, noise_shape: Any = None, seed: Any = None, name: str | None = None) -> Any:
    """Zeroes each element with probability ``rate``; scales the rest by ``1 / (1 - rate)`` (Srivastava et al. 2014).

    Args:
        x: a floating tensor.
        rate: a number in [0, 1), or a scalar tensor.
        noise_shape: the shape of the draws, which broadcasts with ``x``; elements that share a draw share its outcome.
        seed: as in ``uniform``.

    Returns:
        A tensor of the shape and dtype of ``x``; ``x`` itself if ``rate`` is the number 0.

    Raises:
        ValueError: ``rate`` is a number outside [0, 1) or no scalar, or ``x`` is not floating.
        InvalidArgumentError: ``noise_shape`` does not broadcast with ``x``. TensorFlow: tf.nn.dropout.

    Example:
        >>> tf.nn.dropout(tf.ones(3), rate=0.0)
        <tf.Tensor: shape=(3,), dtype=float32, numpy=array([1., 1., 1.], dtype=float32)>
    """
    return dropout_from(default_philox_words(seed), x, rate, noise_shape)


def dropout_from(draw_words: Any, x: Any, rate: Any, noise_shape: Any) -> Any:
    """Applies dropout to ``x``; ``draw_words(shape)`` returns the random words of a draw."""
    try:
        x = convert_to_tensor(x)
    except CompositeOperand as met:
        return met.mapped(lambda values: dropout_from(draw_words, values, rate, noise_shape), x)
    share = checked_dropout_rate(x, rate)
    if isinstance(share, Tensor):
        sizes = x._array.shape if noise_shape is None else noise_sizes(x, noise_shape)
        return keep(x, draws.uniform(draw_words(sizes), shape=sizes, dtype=x.dtype.name), share)
    if share == 0:
        return x
    if noise_shape is None:
        return draws.dropout(x, draw_words(x._array.shape), rate=share)
    sizes = noise_sizes(x, noise_shape)
    ones = constant_tensor(np.ones(sizes, x._array.dtype))
    return TABLE["multiply"](x, draws.dropout(ones, draw_words(sizes), rate=share))


def keep(x: Tensor, draws_of_elements: Tensor, rate: Any) -> Tensor:
    """Returns ``x / (1 - rate)`` where a uniform draw is at least ``rate``, else 0."""
    scaled = x / (1.0 - rate) if isinstance(rate, Tensor) else x * (1.0 / (1.0 - rate))
    return TABLE["where"](draws_of_elements >= rate, scaled, constant_tensor(np.zeros((), x._array.dtype)))


def checked_dropout_rate(x: Tensor, rate: Any) -> float | Tensor:
    """Returns the rate of ``dropout`` as a number, or as a tensor if it is one; raises the errors of ``dropout``.

    A tensor's value is not looked at, so a program may compute it, and a rate of 1 drops all, as in TensorFlow.
    """
    share: float | Tensor
    if isinstance(rate, Tensor | Variable):
        share = cast(rate, x.dtype) if x.dtype.is_floating else convert_to_tensor(rate)
        is_rate = share._array.ndim == 0
    else:
        try:
            share = as_float(rate)
        except (TypeError, ValueError):
            share = float("nan")
        is_rate = 0 <= share < 1
    if not is_rate:
        raise ValueError(f"dropout: `rate` must be a scalar tensor or a float in the range [0, 1). Received: {rate=}")
    if not x.dtype.is_floating:
        raise ValueError(f"dropout: `x.dtype` must be a floating point tensor, to be scaled. Received: {x.dtype}")
    return share


def noise_sizes(x: Tensor, noise_shape: Any) -> tuple[int, ...]:
    """Returns ``noise_shape``, which must broadcast to ``x``, as a tuple with None replaced by sizes of ``x``."""
    requested_sizes = noise_shape._elements().tolist() if isinstance(noise_shape, Tensor) else list(noise_shape)
    sizes = tuple(
        n if size is None else int(size)
        for size, n in zip(requested_sizes, x._array.shape[-len(requested_sizes) :], strict=False)
    )
    if len(sizes) != len(requested_sizes) or not broadcasts_to(sizes, x._array.shape):
        raise InvalidArgumentError(f"dropout: noise_shape {requested_sizes} must broadcast with x, {list(x.shape)}.")
    return sizes
