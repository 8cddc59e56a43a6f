"""``TensorSpec``: the static shape and dtype of a tensor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.type_spec import TypeSpec
from fastgrad._src.core.variable import Variable


class ShapedSpec(TypeSpec):
    """The base class of static types with a shape and a dtype."""

    __slots__ = ("_dtype", "_shape")

    _shape: TensorShape
    _dtype: DType

    @property
    def shape(self) -> TensorShape:
        """The dimensions, None for an unknown size."""
        return self._shape

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._dtype


class TensorSpec(ShapedSpec):
    """The static type of a tensor: of a dataset's elements, or of a function's argument.

    Args:
        shape: the dimensions, None for any size; None instead of a shape for any rank.
        dtype: the element type.
        name: shown in the repr; part of equality.

    Raises:
        TypeError: ``dtype`` names no type, or ``shape`` is not a shape.

    Example:
        >>> @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        ... def total(x):
        ...     return tf.reduce_sum(x)
        >>> total([1.0, 2.0]).numpy()
        np.float32(3.0)
    """

    __slots__ = ("_name",)

    value_type = Tensor

    def __init__(self, shape: Any, dtype: Any = dtypes.float32, name: str | None = None) -> None:
        self._shape = TensorShape(shape)
        self._dtype = dtypes.as_dtype(dtype)
        self._name = name

    @property
    def name(self) -> str | None:
        """The name, or None."""
        return self._name

    @classmethod
    def from_spec(cls, spec: Any, name: str | None = None) -> TensorSpec:
        """Creates a spec with the shape and dtype of ``spec``, and ``name`` or the name of ``spec``."""
        return cls(spec.shape, spec.dtype, name or getattr(spec, "name", None))

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """Creates a spec with the shape and dtype of a tensor or variable.

        Raises:
            ValueError: ``tensor`` is neither.
        """
        if not isinstance(tensor, (Tensor, Variable)):
            raise ValueError(f"`tensor` should be a tf.Tensor, but got type {type(tensor)}.")
        return cls(tensor.shape, tensor.dtype, name)

    def is_compatible_with(self, spec_or_tensor: Any) -> bool:
        """True if the dtypes are equal and the known dimensions of ``spec_or_tensor`` and this spec do not differ."""
        if not isinstance(spec_or_tensor, (Tensor, TensorSpec, Variable)):
            return False
        return self._dtype is spec_or_tensor.dtype and self._shape.is_compatible_with(spec_or_tensor.shape)

    def is_subtype_of(self, other: Any) -> bool:
        if not isinstance(other, TensorSpec) or self._dtype is not other._dtype or self._name != other._name:
            return False
        return self._shape.is_subtype_of(other._shape)

    def most_specific_common_supertype(self, others: Iterable[Any]) -> TensorSpec | None:
        """Returns the narrowest spec that includes this spec and all ``others``; None if dtypes or names differ."""
        shape = self._shape
        for other in others:
            if not isinstance(other, TensorSpec) or self._dtype is not other._dtype or self._name != other._name:
                return None
            shape = common_shape(shape, other._shape)
        return TensorSpec(shape, self._dtype, self._name)

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, TensorSpec):
            return NotImplemented
        return self._dtype is other._dtype and self._shape == other._shape and self._name == other._name

    def __hash__(self) -> int:
        return hash((self._shape, self._dtype))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self._shape}, dtype={self._dtype!r}, name={self._name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorSpec, (self._shape, self._dtype, self._name)


def type_spec_from_value(value: Any) -> Any:
    """Returns the static type of a tensor, a ragged or sparse tensor, a dataset, or a value that converts to a tensor.

    Raises:
        TypeError: ``value`` does not convert to a tensor.
    """
    if isinstance(value, Composite):
        return value._spec()
    if hasattr(type(value), "_dataset_spec"):
        return value._dataset_spec()
    try:
        tensor = value if isinstance(value, Variable) else convert_to_tensor(value)
    except (TypeError, ValueError):
        raise TypeError(
            f"type_spec_from_value: could not build a TypeSpec for {value!r} of unsupported type {type(value)}."
        ) from None
    return TensorSpec(tensor.shape, tensor.dtype)


def common_shape(first: TensorShape, second: TensorShape) -> TensorShape:
    """Returns the narrowest shape that includes both shapes: dimensions that differ become unknown."""
    return first.most_specific_compatible_shape(second)
