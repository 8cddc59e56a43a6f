"""Stages that look inside elements: functions of them, batches, several datasets at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastgrad import nest
from fastgrad.data.batch import element_groups, row_groups, stacked
from fastgrad.data.node import INFINITE, UNKNOWN, Chunk, Node, Stage
from fastgrad.data.rows import ZippedRows
from fastgrad.data.structure import map_leaves, packer, placeholder, result_element, spec_of
from fastgrad.errors import InvalidArgumentError
from fastgrad.recording import recorders
from fastgrad.shape import TensorShape
from fastgrad.tensor import Tensor, convert_to_tensor
from fastgrad.tensor_spec import TensorSpec


def unrecorded(function: Callable[..., Any], *arguments: Any) -> Any:
    """``function(*arguments)``, unseen by the gradient tapes of this thread."""
    active = recorders.active
    if not active:
        return function(*arguments)
    recorders.active = ()
    try:
        return function(*arguments)
    finally:
        recorders.active = active


def call(function: Callable[..., Any], element: Any) -> Any:
    """A user's function on an element, unrecorded: a tuple is unpacked into arguments, anything else passed whole."""
    return unrecorded(function, *element) if isinstance(element, tuple) else unrecorded(function, element)


def checked_function(function: Any, what: str) -> Callable[..., Any]:
    """``function``; ValueError if it cannot be called."""
    if not callable(function):
        raise ValueError(
            f"{what}: Argument `func` must be a callable. Received func={function!r} (of type {type(function)})"
        )
    return function


class Mapped(Stage):
    """``function`` of each element."""

    name = "_MapDataset"

    def __init__(self, source: Node, function: Callable[..., Any]) -> None:
        super().__init__(source)
        self._function = checked_function(function, "Dataset.map")

    def elements(self) -> Iterator[Any]:
        function = self._function
        for element in self.source.elements():
            yield result_element(call(function, element), "Dataset.map")

    def make_spec(self) -> Any:
        """The form of what the function gives for elements of zeros, with two sizes for each unknown dimension."""
        spec = self.source.spec()
        try:
            first, second = [self._sample(placeholder(spec, unknown)) for unknown in (2, 3)]
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, InvalidArgumentError):
            # Zeros are no value for it: a real element says all but which dimensions vary.
            for element in self.source.elements():
                return self._sample(element)
            raise
        return map_leaves(lambda a, b: None if a is None else a.most_specific_common_supertype([b]), first, second)

    def _sample(self, element: Any) -> Any:
        return spec_of(result_element(call(self._function, element), "Dataset.map"))


class Filtered(Stage):
    """The elements for which ``predicate`` is true."""

    name = "_FilterDataset"

    def __init__(self, source: Node, predicate: Callable[..., Any]) -> None:
        super().__init__(source)
        self._predicate = checked_function(predicate, "Dataset.filter")

    def elements(self) -> Iterator[Any]:
        for element in self.source.elements():
            if _holds(self._predicate, element):
                yield element

    def count(self) -> int:
        return UNKNOWN


class TakenWhile(Filtered):
    """The elements before the first for which ``predicate`` is false."""

    name = "_TakeWhileDataset"

    def elements(self) -> Iterator[Any]:
        for element in self.source.elements():
            if not _holds(self._predicate, element):
                return
            yield element


def _holds(predicate: Callable[..., Any], element: Any) -> bool:
    answer = convert_to_tensor(call(predicate, element))
    if answer.ndim or not answer.dtype.is_bool:
        raise ValueError(
            f"Invalid `predicate`. `predicate` must return a `tf.bool` scalar tensor, but its return type is "
            f"{TensorSpec.from_tensor(answer)}."
        )
    return bool(answer)


class FlatMapped(Stage):
    """The elements of all datasets that ``function`` gives."""

    name = "_FlatMapDataset"

    def __init__(self, source: Node, function: Callable[..., Any]) -> None:
        super().__init__(source)
        self._function = checked_function(function, "Dataset.flat_map")

    def _inner(self, element: Any) -> Node:
        dataset = call(self._function, element)
        node = getattr(dataset, "_node", None)
        if not isinstance(node, Node):
            raise TypeError(f"Invalid `map_func`. `map_func` must return a `Dataset` object. Got {type(dataset)!r}.")
        return node

    def elements(self) -> Iterator[Any]:
        for element in self.source.elements():
            yield from self._inner(element).elements()

    def count(self) -> int:
        return UNKNOWN

    def make_spec(self) -> Any:
        return self._inner(placeholder(self.source.spec(), 1)).spec()


class Batched(Stage):
    """Groups of ``size`` elements, stacked."""

    name = "_BatchDataset"

    def __init__(self, source: Node, size: int, drop_remainder: bool) -> None:
        super().__init__(source)
        self._size, self._drop_remainder = size, drop_remainder

    def elements(self) -> Iterator[Any]:
        rows = self.source.rows
        if rows is not None:
            return map(rows.batch, row_groups(self.source.chunks(), self._size, self._drop_remainder))
        return map(stacked, element_groups(self.source.elements(), self._size, self._drop_remainder))

    def count(self) -> int:
        count = self.source.count()
        if count < 0:
            return count
        return count // self._size if self._drop_remainder else -(-count // self._size)

    def make_spec(self) -> Any:
        rows = TensorShape([self._size if self._drop_remainder else None])
        return map_leaves(
            lambda leaf: None if leaf is None else TensorSpec(rows.concatenate(leaf.shape), leaf.dtype),
            self.source.spec(),
        )


class Unbatched(Stage):
    """The rows of each element."""

    name = "_UnbatchDataset"

    def chunks(self) -> Iterator[Chunk]:
        for element in self.source.elements():
            leaves, pack = nest.flatten(element), packer(element)
            counts = {len(leaf._array) if leaf.ndim else -1 for leaf in leaves if leaf is not None}
            if len(counts) != 1 or -1 in counts:
                shapes = [leaf.shape for leaf in leaves if leaf is not None]
                raise InvalidArgumentError(
                    f"Dataset.unbatch: Input tensors must be at least rank 1 and have the same first dimension, got {shapes}."
                )
            yield [
                pack([None if leaf is None else Tensor(leaf._array[row, ...]) for leaf in leaves])
                for row in range(counts.pop())
            ]

    def count(self) -> int:
        count = self.source.count()
        return UNKNOWN if count else 0

    def make_spec(self) -> Any:
        return map_leaves(
            lambda leaf: None if leaf is None else TensorSpec(leaf.shape[1:], leaf.dtype), self.source.spec()
        )


class Zipped(Node):
    """Elements of several datasets side by side.

    Args:
        pack: gives their elements the structure wanted.
        sources: the stages before.
    """

    name = "_ZipDataset"

    def __init__(self, pack: Callable[[list[Any]], Any], sources: list[Node]) -> None:
        self._pack, self._sources = pack, sources
        if all(source.rows is not None and source.in_order for source in sources):
            self.rows = ZippedRows(pack, [source.rows for source in sources])
            self.in_order = True

    def chunks(self) -> Iterator[Chunk]:
        if self.rows is not None:
            yield range(self.rows.count)
            return
        pack = self._pack
        for elements in zip(*[source.elements() for source in self._sources], strict=False):
            yield [pack(list(elements))]

    def count(self) -> int:
        counts = [source.count() for source in self._sources]
        if UNKNOWN in counts:
            return 0 if 0 in counts else UNKNOWN
        return min((count for count in counts if count != INFINITE), default=INFINITE)

    def make_spec(self) -> Any:
        return self._pack([source.spec() for source in self._sources])


class Concatenated(Node):
    """One dataset after another.

    Raises:
        TypeError: their elements differ in form or dtype.
    """

    name = "_ConcatenateDataset"

    def __init__(self, first: Node, second: Node) -> None:
        self._first, self._second = first, second
        a, b = first.spec(), second.spec()
        try:
            nest.assert_same_structure(a, b)
            self._spec = map_leaves(_common, a, b)
        except (TypeError, ValueError):
            raise TypeError(f"Dataset.concatenate: Incompatible dataset elements:\n  {a} vs.   {b}") from None

    def chunks(self) -> Iterator[Chunk]:
        for source in (self._first, self._second):
            for element in source.elements():
                yield [element]

    def count(self) -> int:
        counts = self._first.count(), self._second.count()
        if INFINITE in counts:
            return INFINITE
        return UNKNOWN if UNKNOWN in counts else sum(counts)


def _common(first: Any, second: Any) -> Any:
    if first is None and second is None:
        return None
    common = first.most_specific_common_supertype([second])
    if common is None:
        raise TypeError("dtypes differ")
    return common
