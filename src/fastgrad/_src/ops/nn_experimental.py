"""``tf.nn.experimental``: dropout by a seed or by the caller's sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.core.argument_checks import checked_callable
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.random_ops import checked_dropout_rate, keep, noise_sizes
from fastgrad._src.ops.random_stateless import stateless_dropout as stateless_dropout


def general_dropout(
    x: Any, rate: Any, uniform_sampler: Callable[..., Any], noise_shape: Any = None, name: str | None = None
) -> Tensor:
    """``tf.nn.dropout`` with draws from the caller's sampler.

    Args:
        x, rate, noise_shape: as in ``tf.nn.dropout``.
        uniform_sampler: a function from ``(shape, dtype)`` to uniform numbers in [0, 1); elements with a number of at
            least ``rate`` are kept.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``uniform_sampler`` is not callable.
        ValueError, InvalidArgumentError: as in ``tf.nn.dropout``. TensorFlow: tf.nn.experimental.general_dropout.
    """
    checked_callable("general_dropout", "uniform_sampler", uniform_sampler)
    x = convert_to_tensor(x)
    share = checked_dropout_rate(x, rate)
    if not isinstance(share, Tensor) and share == 0:
        return x
    sizes = x._array.shape if noise_shape is None else noise_sizes(x, noise_shape)
    draws = convert_to_tensor(uniform_sampler(shape=sizes, dtype=x.dtype))
    return keep(x, draws, share)


__getattr__, __dir__ = _namespace_hooks("tf.nn.experimental", globals())
