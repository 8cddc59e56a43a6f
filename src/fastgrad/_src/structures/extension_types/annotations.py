"""The annotations of an extension type's fields, and the conversion of values to them."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

from fastgrad._src.core.composite import Composite, CompositeSpec
from fastgrad._src.core.dtypes import DType, as_dtype
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.tensor_spec import TensorSpec

_PLAIN_TYPES = (bool, int, float, str, bytes, type(None))


class ImmutableDict(Mapping[Any, Any]):
    """A dict that can't be changed: the value of a field that is annotated with ``Mapping``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._items = dict(*args, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __iter__(self) -> Any:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"ImmutableDict({self._items!r})"


def check_annotation(annotation: Any, name: str) -> None:
    """Raises TypeError for an annotation that no field may have."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType, tuple) or origin in (Mapping, dict):
        kinds = [arg for arg in args if arg is not Ellipsis]
        if origin is not dict and (origin is not Mapping or len(kinds) == 2):
            for kind in kinds:
                check_annotation(kind, name)
            return
    if isinstance(annotation, type) and origin is None:
        if annotation in (*_PLAIN_TYPES, Tensor, DType, TensorShape) or issubclass(annotation, Composite):
            return
        raise TypeError(f"In field '{name}': Unsupported type annotation '{annotation.__name__}'")
    raise TypeError(f"In field '{name}': Unsupported type annotation {annotation!r}")


def convert(value: Any, annotation: Any, path: str, to_spec: bool) -> Any:
    """Returns the value of a field, converted to its annotation.

    Args:
        value: as passed.
        annotation: of the field, checked.
        path: the name of the field or of its part, for errors.
        to_spec: whether the field has specs in place of tensors.

    Raises:
        TypeError: the value has another type.
    """
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    got = f"got {type(value).__name__!r}"
    if origin in (typing.Union, types.UnionType):
        for kind in args:
            try:
                return convert(value, kind, path, to_spec)
            except TypeError:
                continue
        raise TypeError(f"{path}: expected {annotation}, {got}")
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{path}: expected tuple, {got}")
        kinds = [args[0]] * len(value) if len(args) == 2 and args[1] is Ellipsis else list(args)
        if len(kinds) != len(value):
            raise TypeError(f"{path}: expected tuple with length {len(kinds)}, got {value!r}")
        return tuple([convert(v, kind, f"{path}[{i}]", to_spec) for i, (v, kind) in enumerate(zip(value, kinds))])  # noqa: B905
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise TypeError(f"{path}: expected mapping, {got}")
        keys = [convert(key, args[0], f"{path}[<key>]", to_spec) for key in value]
        return ImmutableDict({key: convert(value[key], args[1], f"{path}[{key!r}]", to_spec) for key in keys})
    if annotation is Tensor:
        return _convert_tensor(value, path, to_spec)
    if annotation is TensorShape or annotation is DType:
        try:
            return TensorShape(value) if annotation is TensorShape else as_dtype(value)
        except TypeError:
            raise TypeError(f"{path}: expected '{annotation.__name__}', {got}") from None
    if not _is_instance(value, annotation, to_spec):
        raise TypeError(f"{path}: expected '{annotation.__name__}', {got}")
    return value


def _is_instance(value: Any, annotation: Any, to_spec: bool) -> bool:
    """True if a value is of a class; ``to_spec`` if it shall be the spec of a composite of that class."""
    if not issubclass(annotation, Composite):
        return isinstance(value, annotation) and not (isinstance(value, bool) and annotation is int)
    if isinstance(value, CompositeSpec) is not to_spec:
        return False
    return getattr(value, "value_type", None) is annotation if to_spec else isinstance(value, annotation)


def _convert_tensor(value: Any, path: str, to_spec: bool) -> Any:
    if to_spec:
        if not isinstance(value, TensorSpec):
            raise TypeError(f"{path}: expected a TensorSpec, got {type(value).__name__!r}")
        return value
    try:
        return convert_to_tensor(value)
    except (TypeError, ValueError):
        raise TypeError(f"{path}: expected a Tensor, got {type(value).__name__!r}") from None
