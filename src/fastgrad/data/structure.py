"""The structure of a dataset's elements: tuples, named tuples and dicts of tensors; a list is one tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastgrad import nest
from fastgrad.shape import TensorShape
from fastgrad.tensor import Tensor, convert_to_tensor
from fastgrad.tensor_spec import TensorSpec


def converted(value: Any) -> Any:
    """``value`` with every leaf a tensor (or None): what ``tf.convert_to_tensor`` takes, lists included."""
    if type(value) is Tensor or value is None:
        return value
    if isinstance(value, Mapping):
        return _mapping_like(value, {key: converted(item) for key, item in value.items()})
    if isinstance(value, tuple) and not isinstance(value, TensorShape):
        return _tuple_like(value, [converted(item) for item in value])
    return convert_to_tensor(value)


def result_element(value: Any, what: str) -> Any:
    """What a user's function returned, as an element: as ``converted``, but a list at the top is a tuple.

    Raises:
        TypeError: the function returned nothing.
    """
    if type(value) is Tensor:
        return value
    if type(value) is tuple or type(value) is list:
        for item in value:
            if type(item) is not Tensor:
                return converted(tuple(value))
        return tuple(value)
    if value is None:
        raise TypeError(f"{what}: the function returned None; it must return a tensor or a structure of tensors.")
    return converted(value)


def packer(structure: Any) -> Callable[[list[Any]], Any]:
    """A function that gives a list of leaves the form of ``structure``."""
    if not nest.is_nested(structure):
        return lambda leaves: leaves[0]
    if type(structure) is tuple and not any(nest.is_nested(item) for item in structure):
        return tuple
    if type(structure) is dict and not any(nest.is_nested(item) for item in structure.values()):
        place = {key: position for position, key in enumerate(sorted(structure))}
        order = [(key, place[key]) for key in structure]
        return lambda leaves: {key: leaves[position] for key, position in order}
    return lambda leaves: nest.pack_sequence_as(structure, leaves)


def spec_of(element: Any) -> Any:
    """The TensorSpecs of an element's tensors, in its form."""
    return map_leaves(lambda leaf: None if leaf is None else TensorSpec(leaf.shape, leaf.dtype), element)


def map_leaves(function: Callable[..., Any], *structures: Any) -> Any:
    """``function`` on the corresponding leaves of elements or specs of one form."""
    flat = zip(*[nest.flatten(structure) for structure in structures], strict=True)
    return packer(structures[0])([function(*leaves) for leaves in flat])


def numpy_element(element: Any) -> Any:
    """The element with NumPy arrays and scalars in place of its tensors."""
    if type(element) is Tensor:
        return element.numpy()
    return map_leaves(lambda leaf: None if leaf is None else leaf.numpy(), element)


def placeholder(spec: Any, unknown: int) -> Any:
    """An element of zeros (empty strings) that fits ``spec``, with ``unknown`` for every dimension that is not known."""

    def zeros(leaf: TensorSpec | None) -> Tensor | None:
        if leaf is None:
            return None
        sizes = () if leaf.shape.rank is None else tuple(unknown if size is None else size for size in leaf.shape)
        array = np.zeros(sizes, leaf.dtype.numpy)
        if array.dtype == object:
            array.fill(b"")
        return Tensor(array)

    return map_leaves(zeros, spec)


def _mapping_like(structure: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    if type(structure) is dict:
        return values
    if hasattr(structure, "default_factory"):
        return type(structure)(structure.default_factory, values)  # type: ignore[call-arg]  # a defaultdict
    return type(structure)(values)  # type: ignore[call-arg]  # mappings are built from mappings


def _tuple_like(structure: tuple[Any, ...], values: list[Any]) -> Any:
    return type(structure)(*values) if hasattr(structure, "_fields") else tuple(values)
