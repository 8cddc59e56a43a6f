"""Sources of elements: rows of arrays, one element, numbers, a generator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite, CompositeSpec
from fastgrad._src.core.dtypes import DType, as_dtype
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.recording import call_unrecorded
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data.columns import rows_of_composite
from fastgrad._src.data.element_spec import map_leaves, spec_of
from fastgrad._src.data.node import INFINITE, Chunk, Failure, Node, RandomStage
from fastgrad._src.data.prefetch import close_iterator
from fastgrad._src.data.rows import ArrayRows, RangeRows


class RowSource(Node):
    """The stage of a dataset of all rows of a row source, in their order."""

    in_order = True

    def __init__(self, rows: Any, name: str) -> None:
        self.rows = rows
        self.name = name

    def chunks(self) -> Iterator[Chunk]:
        yield range(self.rows.count)

    def count(self) -> int:
        return self.rows.count

    def make_spec(self) -> Any:
        return self.rows.spec()


def rows_of_tensors(tensors: Any) -> RowSource:
    """Returns the stage whose elements are the rows of ``tensors``.

    Raises:
        ValueError: there is no tensor, a tensor is a scalar, or first dimensions differ.
    """
    leaves = nest.flatten(tensors)
    arrays = [None if leaf is None else _copied_if_mutable(leaf) for leaf in leaves]
    present_arrays = [array for array in arrays if array is not None]
    if not present_arrays:
        raise ValueError("Dataset.from_tensor_slices: Invalid `tensors`. `tensors` should not be empty.")
    for array in present_arrays:
        if isinstance(array, np.ndarray) and not array.ndim:
            raise ValueError("from_tensor_slices: Unbatching a tensor is only supported for rank >= 1, got a scalar.")
        if len(array) != len(present_arrays[0]):
            raise ValueError(
                f"Dataset.from_tensor_slices: Dimensions {len(present_arrays[0])} and {len(array)} are not compatible: "
                f"all tensors need the same number of rows."
            )
    return RowSource(ArrayRows(tensors, arrays, len(present_arrays[0])), "_TensorSliceDataset")


def range_node(start: int, stop: int, step: int, dtype: DType) -> RowSource:
    """Returns the stage of the numbers of a Python range, in ``dtype``."""
    return RowSource(RangeRows(start, step, len(range(start, stop, step)), dtype), "_RangeDataset")


def _copied_if_mutable(tensor: Any) -> Any:
    if isinstance(tensor, Composite):
        return rows_of_composite(tensor)
    # A view of a variable's memory would see its updates, because the variable does not know of the rows.
    return tensor._on_host() if tensor._owner is None else tensor._on_host().copy()


class SingleElement(Node):
    """The stage of a dataset of one element."""

    name = "_TensorDataset"

    def __init__(self, element: Any) -> None:
        self._element = map_leaves(
            lambda leaf: Tensor(_copied_if_mutable(leaf)) if isinstance(leaf, Tensor) else leaf, element
        )

    def elements(self) -> Iterator[Any]:
        yield self._element

    def count(self) -> int:
        return 1

    def make_spec(self) -> Any:
        return spec_of(self._element)


class RandomNumbers(RandomStage):
    """The stage of an infinite dataset of random numbers below 2**32."""

    name = "_RandomDataset"

    def elements(self) -> Iterator[Any]:
        generator = self.next_generators()(0)
        while True:
            for number in generator.integers(0, 2**32, 64):
                yield Tensor(np.array(number))

    def count(self) -> int:
        return INFINITE

    def make_spec(self) -> Any:
        return TensorSpec((), "int64")


class Counter(Node):
    """The stage of an infinite dataset of the numbers ``start``, ``start + step`` and so on."""

    name = "_CounterDataset"

    def __init__(self, start: int, step: int, dtype: DType) -> None:
        self._start, self._step, self._dtype = start, step, dtype

    def elements(self) -> Iterator[Any]:
        for number in itertools.count(self._start, self._step):
            yield Tensor(np.array(number, self._dtype.numpy))

    def count(self) -> int:
        return INFINITE

    def make_spec(self) -> Any:
        return TensorSpec((), self._dtype)


class Generated(Node):
    """The stage of a dataset of the values that a Python generator yields.

    Args:
        generator: a function that returns an iterable.
        arguments: the arguments of ``generator``.
        signature: the specs of an element.
    """

    name = "_FlatMapDataset"

    def __init__(self, generator: Callable[..., Any], arguments: list[Any], signature: Any) -> None:
        self._generator, self._arguments, self._signature = generator, arguments, signature

    def elements(self) -> Iterator[Any]:
        signature = self._signature
        iterator = iter(call_unrecorded(self._generator, *self._arguments))
        end = object()

        def next_element() -> Any:
            # A separate function: a traceback with this generator's frame would end it when ``unittest`` clears the frame.
            try:
                value = call_unrecorded(next, iterator, end)
                return end if value is end else _element_of_yielded_value(value, signature)
            except Exception as error:  # noqa: BLE001  # of whatever class the generator raises
                return Failure(error)

        try:
            while (element := next_element()) is not end:
                yield element
        finally:
            close_iterator(iterator)

    def make_spec(self) -> Any:
        return self._signature


def _element_of_yielded_value(value: Any, signature: Any) -> Any:
    """Converts a yielded value to an element that fits ``signature``."""
    if isinstance(signature, CompositeSpec):
        try:
            return signature.fitted(value)
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(
                f"Dataset.from_generator: `generator` yielded an element that did not match the expected structure: {error}"
            ) from None
    if isinstance(signature, TensorSpec):
        return _leaf_of_yielded_value(value, signature)
    if isinstance(signature, tuple) and isinstance(value, list):
        value = tuple(value)
    same_form = (
        set(value) == set(signature)
        if isinstance(signature, dict) and isinstance(value, dict)
        else isinstance(signature, tuple) and isinstance(value, tuple) and len(value) == len(signature)
    )
    if not same_form:
        raise InvalidArgumentError(
            f"Dataset.from_generator: `generator` yielded an element that did not match the expected structure. "
            f"The expected structure was {signature}, but the yielded element was {value!r}."
        )
    if isinstance(signature, dict):
        return {key: _element_of_yielded_value(value[key], spec) for key, spec in signature.items()}
    leaves = [_element_of_yielded_value(item, spec) for item, spec in zip(value, signature, strict=True)]
    return type(signature)(*leaves) if hasattr(signature, "_fields") else tuple(leaves)


def _leaf_of_yielded_value(value: Any, spec: TensorSpec) -> Tensor:
    try:
        tensor = convert_to_tensor(value, spec.dtype)
    except (TypeError, ValueError):
        raise InvalidArgumentError(
            f"Dataset.from_generator: `generator` yielded an element that did not match the expected structure. "
            f"The expected structure was {spec}, but the yielded element was {value!r}."
        ) from None
    if not spec.shape.is_compatible_with(tensor.shape):
        raise InvalidArgumentError(
            f"Dataset.from_generator: `generator` yielded an element of shape {tensor.shape} "
            f"where an element of shape {spec.shape} was expected."
        )
    return Tensor(_copied_if_mutable(tensor))


def generator_signature(output_types: Any, output_shapes: Any, output_signature: Any) -> Any:
    """Returns the specs of a generator's elements, from types and shapes or a signature.

    Raises the errors of ``Dataset.from_generator``.
    """
    if output_signature is not None:
        if output_types is not None or output_shapes is not None:
            raise TypeError("`output_types` and `output_shapes` cannot be used together with `output_signature`.")
        signature = _lists_as_tuples(output_signature)
        for leaf in nest.flatten(signature):
            if not isinstance(leaf, (TensorSpec, CompositeSpec)):
                raise TypeError(f"`output_signature` must contain `tf.TypeSpec`s but found {leaf!r}.")
        return signature
    if output_types is None:
        raise TypeError("Dataset.from_generator: provide `output_signature` or `output_types`.")
    types = _checked_types(output_types)
    if output_shapes is None:
        return map_leaves(lambda dtype: TensorSpec(None, as_dtype(dtype)), types)
    return _signature_specs(types, output_shapes)


def _signature_specs(types: Any, shapes: Any) -> Any:
    """Returns the specs for types and shapes. A shape may be a list or tuple, so ``types`` gives the structure."""
    if isinstance(types, dict):
        return {key: _signature_specs(dtype, shapes[key]) for key, dtype in types.items()}
    if isinstance(types, tuple):
        return tuple(_signature_specs(dtype, shape) for dtype, shape in zip(types, shapes, strict=True))
    return TensorSpec(TensorShape(shapes), as_dtype(types))


def _checked_types(types: Any) -> Any:
    """Returns ``types``, checked: a list is not a structure of elements.

    Raises:
        TypeError: ``types`` holds a list.
    """
    if isinstance(types, list):
        raise TypeError(f"from_generator: got the list {types} in `output_types`; use a tuple or a dict.")
    for item in types.values() if isinstance(types, dict) else types if isinstance(types, tuple) else ():
        _checked_types(item)
    return types


def _lists_as_tuples(structure: Any) -> Any:
    if isinstance(structure, list) or type(structure) is tuple:
        return tuple(_lists_as_tuples(item) for item in structure)
    if isinstance(structure, dict):
        return {key: _lists_as_tuples(item) for key, item in structure.items()}
    return structure
