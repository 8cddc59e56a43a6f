"""Penalties on weights and activities (``keras.regularizers``): functions from a tensor to a scalar."""

from __future__ import annotations

import math
from typing import Any

from fastgrad._src.core import dtypes as _dtypes
from fastgrad._src.core.argument_checks import check_choice, check_rank
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor import convert_to_tensor as _convert_to_tensor
from fastgrad._src.keras.configured import ConfiguredFunction as _ConfiguredFunction
from fastgrad._src.keras.naming import to_snake_case as _to_snake_case
from fastgrad._src.keras.saving.objects import deserialize_keras_object, resolve_identifier, serialize_keras_object
from fastgrad._src.keras.settings import epsilon
from fastgrad._src.ops import namespace as ops


class Regularizer(_ConfiguredFunction):
    """The base of regularizers: subclasses write ``__call__`` and ``get_config``."""

    def __call__(self, x: Any) -> Any:
        """The penalty of ``x``, a scalar."""
        return 0.0

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(f"{self} does not implement get_config()")


class _Penalty(Regularizer):
    """The base of the built-in regularizers, with their arguments as configuration."""

    def get_config(self) -> dict[str, Any]:
        return {}


def _cast_to_float(x: Any) -> Tensor:
    x = _convert_to_tensor(x)
    return x if x.dtype.is_floating or x.dtype.is_complex else ops.cast(x, _dtypes.float32)


class L1L2(_Penalty):
    """The penalty ``l1 * sum(|x|) + l2 * sum(x**2)`` of a weight or an activity.

    Args:
        l1, l2: the factors, finite and not negative.

    Raises:
        ValueError: a factor is negative or not finite.
    """

    _config_names = ("l1", "l2")

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _checked_factor(0.0 if l1 is None else l1, "l1")
        self.l2 = _checked_factor(0.0 if l2 is None else l2, "l2")

    def __call__(self, x: Any) -> Tensor:
        x = _cast_to_float(x)
        penalty = ops.zeros([], x.dtype)
        if self.l1:
            penalty += self.l1 * ops.reduce_sum(ops.abs(x))
        if self.l2:
            penalty += self.l2 * ops.reduce_sum(ops.square(x))
        return penalty


class L1(_Penalty):
    """The penalty ``l1 * sum(|x|)``; arguments and errors as in ``L1L2``."""

    _config_names = ("l1",)

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = _checked_factor(0.01 if l1 is None else l1, "l1")

    def __call__(self, x: Any) -> Tensor:
        return self.l1 * ops.reduce_sum(ops.abs(_cast_to_float(x)))


class L2(_Penalty):
    """The penalty ``l2 * sum(x**2)``; arguments and errors as in ``L1L2``.

    Example:
        >>> print(tf.keras.regularizers.l2(0.5)(tf.constant([1.0, 2.0])).numpy())
        2.5
    """

    _config_names = ("l2",)

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = _checked_factor(0.01 if l2 is None else l2, "l2")

    def __call__(self, x: Any) -> Tensor:
        return self.l2 * ops.reduce_sum(ops.square(_cast_to_float(x)))


class OrthogonalRegularizer(_Penalty):
    """The mean absolute cosine between different rows (or columns) of a matrix, times ``factor``.

    Args:
        factor: finite and not negative.
        mode: ``"rows"`` or ``"columns"``.
    """

    _config_names = ("factor", "mode")

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _checked_factor(factor, "factor")
        check_choice(self, ("rows", "columns"), mode=mode)
        self.mode = mode

    def __call__(self, inputs: Any) -> Tensor:
        """The penalty of a matrix; ValueError for another rank."""
        x = _convert_to_tensor(inputs)
        check_rank("OrthogonalRegularizer", 2, inputs=x)
        rows = ops.l2_normalize(x if self.mode == "rows" else ops.transpose(x), axis=1, epsilon=epsilon() ** 2)
        size = rows.shape[0]
        off_diagonal = ops.matmul(rows, rows, transpose_b=True) * (1.0 - ops.eye(size, dtype=x.dtype))
        return self.factor * 0.5 * ops.reduce_sum(ops.abs(off_diagonal)) / (size * (size - 1.0) / 2.0)


def _checked_factor(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (float, int)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"Invalid value for argument {name}: expected a non-negative float. Received: {name}={value}")
    return float(value)


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

_CLASSES = (L1, L2, L1L2, OrthogonalRegularizer)
ALL: dict[str, Any] = {name: kind for kind in _CLASSES for name in (kind.__name__, _to_snake_case(kind.__name__))}
ALL["l1_l2"] = L1L2


def serialize(regularizer: Any) -> Any:
    """Returns the configuration of a regularizer, as plain values."""
    return serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns the regularizer of a configuration or name."""
    return deserialize_keras_object(config, custom_objects, module_objects=ALL)


def get(identifier: Any) -> Any:
    """Returns the regularizer of a name, configuration or callable.

    Args:
        identifier: a regularizer, a class, a name (``"l2"``), a configuration, a function of a tensor, or None.

    Raises:
        ValueError: ``identifier`` is none of these.
    """
    return None if identifier is None else resolve_identifier(identifier, ALL, "regularizer")
