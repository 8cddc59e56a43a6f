"""Initializers of TensorFlow 1: they have a dtype of their own, and other defaults than those of ``tf``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.dtypes import as_dtype
from fastgrad._src.keras import initializers
from fastgrad._src.ops import initialization

_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


class _InitializerOfDtype:
    """An initializer whose ``dtype`` is the default of its calls."""

    def _set(self, initializer: Callable[..., Any], dtype: Any) -> None:
        self._initializer, self.dtype = initializer, as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        """Returns a tensor of ``shape``; ``partition_info`` is kept for TensorFlow's signature."""
        return self._initializer(shape, self.dtype if dtype is None else dtype)


def _class_of(make: Callable[..., Any], **defaults: Any) -> type[_InitializerOfDtype]:
    """Returns a class whose arguments are those of ``make``, in the order of their ``defaults``, and a ``dtype``."""
    arguments = {**defaults, "dtype": dtypes.float32}
    signature = inspect.Signature([inspect.Parameter(name, _POSITIONAL, default=x) for name, x in arguments.items()])

    class initializer(_InitializerOfDtype):  # noqa: N801  # as TensorFlow names its classes
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            values = signature.bind(*args, **kwargs)
            values.apply_defaults()
            dtype = values.arguments.pop("dtype")
            self._set(make(**values.arguments), dtype)

    return initializer


def _random_uniform(minval: Any, maxval: Any, seed: Any) -> Any:
    return initialization.random_uniform_initializer(minval, 1.0 if maxval is None else maxval, seed)


zeros = _class_of(initialization.zeros_initializer)
ones = _class_of(initialization.ones_initializer)
random_uniform = _class_of(_random_uniform, minval=0.0, maxval=None, seed=None)
random_normal = _class_of(initialization.random_normal_initializer, mean=0.0, stddev=1.0, seed=None)
truncated_normal = _class_of(initializers.TruncatedNormal, mean=0.0, stddev=1.0, seed=None)
glorot_normal = _class_of(initializers.GlorotNormal, seed=None)
glorot_uniform = _class_of(initializers.GlorotUniform, seed=None)
orthogonal = _class_of(initializers.Orthogonal, gain=1.0, seed=None)
variance_scaling = _class_of(
    initializers.VarianceScaling, scale=1.0, mode="fan_in", distribution="truncated_normal", seed=None
)


class constant(_InitializerOfDtype):  # noqa: N801  # TensorFlow's name
    """An initializer to given values; ``verify_shape`` is kept for TensorFlow's signature."""

    def __init__(self, value: Any = 0, dtype: Any = dtypes.float32, verify_shape: bool = False) -> None:
        self._set(initialization.constant_initializer(value), dtype)
