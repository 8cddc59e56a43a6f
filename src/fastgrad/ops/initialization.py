"""First values of variables: ``tf.zeros_initializer`` and its fellows, functions of a shape and dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad.dtypes import as_dtype, float32
from fastgrad.ops.random_ops import normal, uniform
from fastgrad.shape import TensorShape
from fastgrad.tensor import Tensor, as_tensor_or_none, constant_tensor, convert_to_tensor


class _Initializer:
    """What these initializers share: their configuration is their arguments."""

    _arguments: tuple[str, ...] = ()

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {name: getattr(self, name) for name in self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The initializer of which ``config`` is the ``get_config()``; a ``dtype`` in it is ignored, as in TensorFlow."""
        return cls(**{name: value for name, value in config.items() if name != "dtype"})


def _sizes(shape: Any) -> tuple[int, ...]:
    tensor = as_tensor_or_none(shape)
    return tuple(TensorShape(shape if tensor is None else tensor._elements().tolist()))


def _numeric(what: str, dtype: Any) -> np.dtype:
    kind = as_dtype(dtype)
    if kind.name == "string":
        raise ValueError(f"{what}: expected a numeric or boolean dtype, got {kind.name}.")
    return kind.numpy


class zeros_initializer(_Initializer):  # noqa: N801  # TensorFlow's name
    """All zeros."""

    def __call__(self, shape: Any, dtype: Any = float32, **options: Any) -> Tensor:
        """A tensor of zeros; ValueError for strings."""
        return constant_tensor(np.zeros(_sizes(shape), _numeric("zeros_initializer", dtype)))


class ones_initializer(_Initializer):  # noqa: N801
    """All ones."""

    def __call__(self, shape: Any, dtype: Any = float32, **options: Any) -> Tensor:
        """A tensor of ones; ValueError for strings."""
        return constant_tensor(np.ones(_sizes(shape), _numeric("ones_initializer", dtype)))


class constant_initializer(_Initializer):  # noqa: N801
    """Given values.

    Args:
        value: a number, or a list or array with as many elements as the shape.
        support_partition: kept for TensorFlow's signature.

    Raises:
        TypeError: ``value`` is none of these.
    """

    _arguments = ("value",)

    def __init__(self, value: Any = 0, support_partition: bool = False) -> None:
        if not (np.isscalar(value) or isinstance(value, (list, tuple, np.ndarray))):
            raise TypeError(
                f"Invalid type for initial value={value} of type: {type(value).__name__}. Expected a number or array."
            )
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None, **options: Any) -> Tensor:
        """A tensor of the values; ``dtype`` defaults to theirs. ValueError if their number is not the shape's."""
        values, sizes = convert_to_tensor(self.value, dtype)._on_host(), _sizes(shape)
        if values.size not in (1, int(np.prod(sizes))):
            raise ValueError(f"constant_initializer: {values.size} values do not fill shape {TensorShape(sizes)}.")
        array = np.broadcast_to(values.reshape(()), sizes) if values.size == 1 else values.reshape(sizes)
        return Tensor(np.array(array))


class random_normal_initializer(_Initializer):  # noqa: N801
    """Normally distributed numbers, others at every call.

    Args:
        mean, stddev: of the distribution.
        seed: as in ``tf.random.normal``.
    """

    _arguments = ("mean", "stddev", "seed")

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def __call__(self, shape: Any, dtype: Any = float32, **options: Any) -> Tensor:
        """A floating tensor of draws."""
        return normal(_sizes(shape), self.mean, self.stddev, dtype, self.seed)


class random_uniform_initializer(_Initializer):  # noqa: N801
    """Uniformly distributed numbers, others at every call.

    Args:
        minval, maxval: the bounds.
        seed: as in ``tf.random.uniform``.
    """

    _arguments = ("minval", "maxval", "seed")

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval, self.maxval, self.seed = minval, maxval, seed

    def __call__(self, shape: Any, dtype: Any = float32, **options: Any) -> Tensor:
        """A floating or integer tensor of draws."""
        return uniform(_sizes(shape), self.minval, self.maxval, dtype, self.seed)
