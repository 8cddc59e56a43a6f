"""The structure of a dataset's elements: tuples, named tuples and dicts of tensors; a list is one tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite, CompositeSpec
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.core.type_spec import TypeSpec
from fastgrad._src.structures.extension_types.extension_type import ExtensionTypeSpec


class DatasetSpec(TypeSpec):
    """The spec of a dataset that is an element of another dataset.

    Args:
        element_spec: the spec of its elements.
        dataset_shape: kept for TensorFlow's signature.
    """

    def __init__(self, element_spec: Any, dataset_shape: Any = ()) -> None:
        self.element_spec = element_spec
        self.shape = TensorShape(dataset_shape)

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        if not (isinstance(spec_or_value, DatasetSpec) or is_dataset(spec_or_value)):
            return False
        ours, theirs = nest.flatten(self.element_spec), nest.flatten(spec_or_value.element_spec)
        return len(ours) == len(theirs) and all(
            spec.is_compatible_with(other) for spec, other in zip(ours, theirs, strict=True)
        )

    def most_specific_common_supertype(self, others: Any) -> DatasetSpec | None:
        """Returns the narrowest spec that includes this spec and all ``others``; None if they differ in more than sizes."""
        others = list(others)
        if not all(isinstance(other, DatasetSpec) for other in others):
            return None
        columns = [nest.flatten(spec.element_spec) for spec in (self, *others)]
        if len({len(column) for column in columns}) > 1:
            return None
        common = [leaf.most_specific_common_supertype(rest) for leaf, *rest in zip(*columns, strict=True)]
        return None if None in common else DatasetSpec(nest.pack_sequence_as(self.element_spec, common), self.shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatasetSpec) and self.element_spec == other.element_spec

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"DatasetSpec({self.element_spec!r}, {self.shape!r})"


def is_dataset(value: Any) -> bool:
    """True if ``value`` is a dataset. A check by class would be a circular import."""
    return getattr(type(value), "gives_elements", False) is True


def to_element(value: Any) -> Any:
    """Converts every leaf of ``value`` to a tensor; a list is one leaf. None stays."""
    if isinstance(value, Tensor) or value is None or is_dataset(value):
        return value
    if isinstance(value, Mapping):
        return nest._mapping_of_same_type(value, {key: to_element(item) for key, item in value.items()})
    if isinstance(value, tuple):
        items = [to_element(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value if isinstance(value, Composite) else convert_to_tensor(value)


def result_element(value: Any, method: str) -> Any:
    """Converts the result of a user's function to an element; a list at the top becomes a tuple.

    Raises:
        TypeError: the function returned None.
    """
    if isinstance(value, Tensor):
        return value
    if type(value) is tuple or type(value) is list:
        for item in value:
            if not isinstance(item, Tensor):
                return to_element(tuple(value))
        return tuple(value)
    if value is None:
        raise TypeError(f"{method}: the function returned None; it must return a tensor or a structure of tensors.")
    return to_element(value)


def checked_next_state(state: Any, value: Any, method: str) -> Any:
    """Converts the result of a user's function to the next state, and checks that it has the form of ``state``.

    Raises:
        InvalidArgumentError: the result has another structure.
        TypeError: the result has other dtypes.
    """
    next_state = result_element(value, method)
    old_leaves, new_leaves = nest.flatten(state), nest.flatten(next_state)
    if len(old_leaves) != len(new_leaves):
        raise InvalidArgumentError(
            f"{method}: The number of components of the initial state and the reduce function output must match: "
            f"{len(old_leaves)} and {len(new_leaves)}."
        )
    for old, new in zip(old_leaves, new_leaves, strict=True):
        if isinstance(old, Tensor) and isinstance(new, Tensor) and old._array.dtype != new._array.dtype:
            raise TypeError(
                f"{method}: The element types for the new state must match the initial state. "
                f"Expected {old.dtype!r} but got {new.dtype!r}."
            )
    return next_state


def packer(structure: Any) -> Callable[[list[Any]], Any]:
    """Returns a function that gives a list of leaves the structure of ``structure``."""
    if not nest.is_nested(structure):
        return lambda leaves: leaves[0]
    if type(structure) is tuple and not any(nest.is_nested(item) for item in structure):
        return tuple
    if type(structure) is dict and not any(nest.is_nested(item) for item in structure.values()):
        positions = {key: position for position, key in enumerate(sorted(structure))}
        order = [(key, positions[key]) for key in structure]
        return lambda leaves: {key: leaves[position] for key, position in order}
    return lambda leaves: nest.pack_sequence_as(structure, leaves)


def spec_of(element: Any) -> Any:
    """Returns the TensorSpecs of an element's tensors, in its structure."""

    def leaf_spec(leaf: Any) -> Any:
        if leaf is None:
            return None
        if isinstance(leaf, Composite):
            return leaf._spec()
        return DatasetSpec(leaf.element_spec) if is_dataset(leaf) else TensorSpec(leaf.shape, leaf.dtype)

    return map_leaves(leaf_spec, element)


def batched_spec(leaf: Any, size: int | None) -> Any:
    """Returns the spec of batches of ``size`` leaves."""
    if leaf is None or isinstance(leaf, CompositeSpec):
        return leaf if leaf is None else leaf.batched(size)
    return TensorSpec(TensorShape([size]).concatenate(leaf.shape), leaf.dtype)


def row_spec(leaf: Any) -> Any:
    """Returns the spec of the rows of a leaf."""
    if leaf is None or isinstance(leaf, CompositeSpec):
        return leaf if leaf is None else leaf.of_rows()
    return TensorSpec(leaf.shape[1:], leaf.dtype)


def map_leaves(function: Callable[..., Any], *structures: Any) -> Any:
    """Applies ``function`` to the corresponding leaves of elements or specs of one structure."""
    flat = zip(*[nest.flatten(structure) for structure in structures], strict=True)
    return packer(structures[0])([function(*leaves) for leaves in flat])


def numpy_element(element: Any) -> Any:
    """Returns the element with NumPy arrays and scalars in place of its tensors."""
    if isinstance(element, Tensor):
        return _numpy_leaf(element)
    return map_leaves(lambda leaf: leaf if leaf is None or is_dataset(leaf) else _numpy_leaf(leaf), element)


def _numpy_leaf(leaf: Any) -> Any:
    value = leaf.numpy()
    if type(value) is np.ndarray and value.ndim:
        value = value.view()
        value.flags.writeable = False  # read-only, as in TensorFlow
    return value


_PLACEHOLDER_TEXTS = (b"", b"1 1,1;1|1\t1\n1:1/1-1_1.1", b"2")
"""Strings by fill value: with one part and with several, for most separators, so that the number of parts differs; a number."""


def placeholder(spec: Any, unknown_size: int, fill_value: int = 0) -> Any:
    """Returns an element of ``spec``: numbers are ``fill_value``, strings a text for it, unknown sizes ``unknown_size``."""
    text = _PLACEHOLDER_TEXTS[fill_value]

    def leaf_placeholder(leaf: Any) -> Any:
        if leaf is None:
            return None
        if isinstance(leaf, DatasetSpec):
            from fastgrad._src.data.dataset import Dataset

            return Dataset.from_tensors(placeholder(leaf.element_spec, unknown_size, fill_value))
        if isinstance(leaf, ExtensionTypeSpec):
            fields = [nest.map_structure(field_placeholder, field) for field in leaf._values()]
            return leaf.value_type._of(fields)
        if isinstance(leaf, CompositeSpec):
            return leaf.placeholder(unknown_size, text if leaf.dtype.name == "string" else fill_value)  # type: ignore[attr-defined]
        sizes = () if leaf.shape.rank is None else tuple(unknown_size if size is None else size for size in leaf.shape)
        array = np.full(sizes, fill_value, leaf.dtype.numpy)
        if array.dtype == object:
            array.fill(text)
        return Tensor(array)

    def field_placeholder(field: Any) -> Any:
        return leaf_placeholder(field) if isinstance(field, (TensorSpec, CompositeSpec)) else field

    return map_leaves(leaf_placeholder, spec)
