"""Initializers of variables: ``tf.zeros_initializer`` and others, functions of a shape and dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.dtypes import as_dtype, float32
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, constant_tensor, convert_to_tensor
from fastgrad._src.ops.random_ops import normal, uniform
from fastgrad._src.ops.random_stateless import stateless_normal, stateless_uniform


class _Initializer:
    """The base class of ``tf.zeros_initializer`` and others: its configuration is the constructor's arguments."""

    _arguments: tuple[str, ...] = ()

    def get_config(self) -> dict[str, Any]:
        """The arguments of the initializer, by name."""
        return {name: getattr(self, name) for name in self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Makes an initializer from the result of ``get_config()``; ignores a ``dtype`` in it, as TensorFlow does."""
        return cls(**{name: value for name, value in config.items() if name != "dtype"})


def _sizes_of_shape(shape: Any) -> tuple[int, ...]:
    tensor = as_tensor_or_none(shape)
    return tuple(TensorShape(shape if tensor is None else tensor._elements().tolist()))


def _shape_to_fill(shape: Any, options: dict[str, Any]) -> tuple[int, ...]:
    """The shape to fill: ``partition_shape`` if it is given, else ``shape``.

    Raises:
        TypeError: an option other than ``partition_shape`` and ``partition_offset``.
    """
    for name in options:
        if name not in ("partition_shape", "partition_offset"):
            raise TypeError(f"The keyword should be one of ['partition_shape', 'partition_offset']. Received: {name}")
    partition_shape = options.get("partition_shape")
    return _sizes_of_shape(shape if partition_shape is None else partition_shape)


def _floating_dtype(what: str, dtype: Any) -> Any:
    result_dtype = as_dtype(dtype)
    if not result_dtype.is_floating:
        raise ValueError(f"{what}: Argument `dtype` is expected to be floating point, got {result_dtype!r}.")
    return result_dtype


def _numeric_dtype(what: str, dtype: Any) -> np.dtype:
    result_dtype = as_dtype(dtype)
    if result_dtype.name == "string":
        raise ValueError(f"{what}: expected a numeric or boolean dtype, got {result_dtype.name}.")
    return result_dtype.numpy


class zeros_initializer(_Initializer):  # noqa: N801  # TensorFlow's name
    """An initializer to zeros."""

    def __call__(self, shape: Any, dtype: Any = float32, **options: Any) -> Tensor:
        """A tensor of zeros, of ``partition_shape`` if that is given; raises ValueError for strings."""
        return constant_tensor(np.zeros(_shape_to_fill(shape, options), _numeric_dtype("zeros_initializer", dtype)))


class ones_initializer(_Initializer):  # noqa: N801
    """An initializer to ones."""

    def __call__(self, shape: Any, dtype: Any = float32, **options: Any) -> Tensor:
        """A tensor of ones, of ``partition_shape`` if that is given; raises ValueError for strings."""
        return constant_tensor(np.ones(_shape_to_fill(shape, options), _numeric_dtype("ones_initializer", dtype)))


class constant_initializer(_Initializer):  # noqa: N801
    """An initializer to given values.

    Args:
        value: a number, or a list or array with as many elements as the shape.
        support_partition: whether a call may give ``partition_shape``.

    Raises:
        TypeError: ``value`` has another type.

    Example:
        >>> tf.constant_initializer(2.0)((3,))
        <tf.Tensor: shape=(3,), dtype=float32, numpy=array([2., 2., 2.], dtype=float32)>
    """

    _arguments = ("value",)

    def __init__(self, value: Any = 0, support_partition: bool = False) -> None:
        if not (np.isscalar(value) or isinstance(value, (list, tuple, np.ndarray))):
            raise TypeError(f"constant_initializer: Invalid type for initial {value=}. Expected a number or array.")
        self.value, self.support_partition = value, support_partition

    def __call__(self, shape: Any, dtype: Any = None, **options: Any) -> Tensor:
        """A tensor of the values; ``dtype`` defaults to the dtype of the values.

        Raises:
            TypeError: the number of values does not fit the shape.
            ValueError: ``partition_shape`` is given, and ``support_partition`` is False.
        """
        sizes = _shape_to_fill(shape, options)
        if options and not self.support_partition:
            raise ValueError("Constant initializer doesn't support partition-related arguments")
        values = convert_to_tensor(self.value, dtype)._on_host()
        if values.size not in (1, int(np.prod(sizes))):
            raise TypeError(f"constant_initializer: {values.size} values do not fill shape {TensorShape(sizes)}.")
        array = np.broadcast_to(values.reshape(()), sizes) if values.size == 1 else values.reshape(sizes)
        return Tensor(np.array(array))


class random_normal_initializer(_Initializer):  # noqa: N801
    """An initializer to normally distributed numbers; without a seed they differ at every call.

    Args:
        mean, stddev: the mean and the standard deviation.
        seed: an integer, with which every call gives the same numbers.
    """

    _arguments = ("mean", "stddev", "seed")

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def __call__(self, shape: Any, dtype: Any = float32, **options: Any) -> Tensor:
        """A floating tensor of draws, of ``partition_shape`` if that is given; raises ValueError for other dtypes."""
        result_dtype = _floating_dtype("random_normal_initializer", dtype)
        sizes = _shape_to_fill(shape, options)
        if self.seed is None:
            return normal(sizes, self.mean, self.stddev, result_dtype)
        return stateless_normal(sizes, [self.seed, 0], self.mean, self.stddev, result_dtype)


class random_uniform_initializer(_Initializer):  # noqa: N801
    """An initializer to uniformly distributed numbers; without a seed they differ at every call.

    Args:
        minval, maxval: the bounds.
        seed: an integer, with which every call gives the same numbers.
    """

    _arguments = ("minval", "maxval", "seed")

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval, self.maxval, self.seed = minval, maxval, seed

    def __call__(self, shape: Any, dtype: Any = float32, **options: Any) -> Tensor:
        """A floating or integer tensor of draws, of ``partition_shape`` if that is given."""
        sizes = _shape_to_fill(shape, options)
        if self.seed is None:
            return uniform(sizes, self.minval, self.maxval, dtype)
        return stateless_uniform(sizes, [self.seed, 0], self.minval, self.maxval, dtype)
