"""Tensors and specs in nested values: tuples and mappings of tensors, composites and Python values."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite, CompositeSpec
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.structures.extension_types.annotations import ImmutableDict

_TENSOR_FORM = "a tensor"


class NoCommonType(Exception):
    """Raised if values of a field have no common static type."""


def _is_spec(value: Any) -> bool:
    return isinstance(value, (TensorSpec, CompositeSpec))


def spec_of(value: Any) -> Any:
    """Returns ``value`` with specs in place of tensors and composites."""
    if isinstance(value, Tensor):
        return TensorSpec(value.shape, value.dtype)
    if isinstance(value, Composite):
        return value._spec()
    return nest.map_structure(spec_of, value) if nest.is_nested(value) else value


def field_spec(tensor: Tensor, annotation: Any) -> Any:
    """Returns the spec of a tensor in the field of a row: that of a composite without levels if the field is a composite's."""
    for kind in (annotation, *typing.get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Composite):
            return kind._spec_of_tensor(tensor) or spec_of(tensor)
    return spec_of(tensor)


def tensors_and_composites(value: Any) -> list[Any]:
    """Returns the tensors and composites of a field's value, or the specs of a field of a spec."""
    return [leaf for leaf in nest.flatten(value) if isinstance(leaf, (Tensor, Composite, TensorSpec, CompositeSpec))]


def with_values(specs: Any, values: Iterator[Any]) -> Any:
    """Returns a field of a spec with the next of ``values`` in place of each spec."""
    return nest.map_structure(lambda leaf: next(values) if _is_spec(leaf) else leaf, specs)


def with_shapes(spec: Any, reshape_spec: Callable[[Any], Any], reshape: Callable[[TensorShape], TensorShape]) -> Any:
    """Returns a field of a spec with ``reshape_spec`` and ``reshape`` applied to its specs of composites and its shapes."""

    def with_shape(leaf: Any) -> Any:
        if isinstance(leaf, TensorSpec):
            return TensorSpec(reshape(leaf.shape), leaf.dtype)
        return reshape_spec(leaf) if _is_spec(leaf) else reshape(leaf) if isinstance(leaf, TensorShape) else leaf

    return nest.map_structure(with_shape, spec)


def are_compatible(spec: Any, other: Any) -> bool:
    """True if a value of the structure ``other`` may fit ``spec``."""
    if _is_spec(spec):
        shaped = _is_spec(other) and type(spec) is type(other)
        return shaped and bool(spec.is_compatible_with(other))
    if nest.is_nested(spec):
        ours, theirs = nest.flatten(spec), nest.flatten(other)
        return type(spec) is type(other) and len(ours) == len(theirs) and all(map(are_compatible, ours, theirs))
    return type(spec) is type(other) and bool(spec == other)


def common_spec(column: Sequence[Any]) -> Any:
    """Returns the narrowest spec that includes all of ``column``.

    Raises:
        NoCommonType: there is none.
    """
    first, rest = column[0], column[1:]
    if _is_spec(first):
        common = first.most_specific_common_supertype(list(rest))
        if common is None:
            raise NoCommonType
        return common
    if nest.is_nested(first):
        leaves = [nest.flatten(item) for item in column]
        if any(len(other) != len(leaves[0]) for other in leaves):
            raise NoCommonType
        return nest.pack_sequence_as(first, [common_spec(group) for group in zip(*leaves, strict=True)])
    if any(type(other) is not type(first) or other != first for other in rest):
        raise NoCommonType
    return first


def split_tensors(value: Any, parts: list[Any]) -> Any:
    """Appends the tensors of a field's value to ``parts``, and returns the rest of it: a hashable form."""
    if isinstance(value, Tensor):
        parts.append(value)
        return _TENSOR_FORM, None
    if isinstance(value, Composite):
        form, tensors = value._to_components()
        parts.extend(tensors)
        return type(value), (form, len(tensors))
    if isinstance(value, Mapping):
        return "a mapping", tuple([(key, split_tensors(value[key], parts)) for key in sorted(value)])
    if isinstance(value, tuple):
        return "a tuple", tuple([split_tensors(item, parts) for item in value])
    return "a value", (type(value), value)


def join_tensors(form: Any, parts: Any) -> Any:
    """Returns the value of a field from its form and the iterator of all tensors; undoes ``split_tensors``."""
    kind, content = form
    if kind == _TENSOR_FORM:
        return next(parts)
    if kind == "a mapping":
        return ImmutableDict({key: join_tensors(item, parts) for key, item in content})
    if kind == "a tuple":
        return tuple([join_tensors(item, parts) for item in content])
    if kind == "a value":
        return content[1]
    return kind._from_components(content[0], [next(parts) for _ in range(content[1])])
