"""The values of variables during lowering: numbers, arrays, tuples, and known values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from numba import types

from fastgrad._src.derivatives.ir.operands import (
    Axis,
    Constant,
    Counter,
    Operand,
    Root,
    Scalar,
    TypedValue,
    Value,
    View,
)
from fastgrad._src.derivatives.ir.representation import Function
from fastgrad._src.jit.numba_internals import cpu_target

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.phis import Phis
    from fastgrad._src.derivatives.frontend.splicing import Splice
    from fastgrad._src.derivatives.ir.representation import Block


@dataclass(eq=False, slots=True)
class Static(Value):
    """A Python value that is known: a function, a module, None."""

    value: Any

    @property
    def is_none(self) -> bool:  # type: ignore[override]
        """Whether it is None."""
        return self.value is None

    @property
    def python_value(self) -> Any:
        """The value."""
        return self.value

    @property
    def leaves(self) -> list[Any]:
        """None has no parts."""
        return [] if self.value is None else [self]

    @property
    def argument_type(self) -> types.Type:
        if isinstance(self.value, tuple) and type(self.value).__name__ == "Slice":
            return types.slice2_type
        return types.none if self.value is None else cpu_target.typing_context.resolve_value_type(self.value)

    def describe(self) -> str:
        known = self.value
        module = getattr(known, "__module__", "")
        name = getattr(known, "__name__", None)
        if isinstance(known, ModuleType) or not isinstance(name, str):
            shown = repr(known)
            return f"a {type(known).__name__}" if " object at 0x" in shown else shown
        return f"{module}.{name}" if module and module not in ("builtins", "_operator") else str(name)


@dataclass(eq=False, slots=True)
class FunctionChoice(TypedValue):
    """A function that is one of several, by its number, which is known when the derivative runs."""

    words = "a function"

    functions: tuple[Any, ...]
    index: Operand
    type: types.FunctionType

    def add_incoming(self, phis: Phis, block: Block, value: Any) -> None:
        self.index.add_incoming(phis, block, phis.index_of_function(self, block, value))


@dataclass(eq=False, slots=True)
class Items(Value):
    """A tuple or list whose items are values."""

    values: list[Any]
    type: types.Type

    @property
    def leaves(self) -> list[Any]:
        return [leaf for item in self.values for leaf in item.leaves]

    @property
    def python_value(self) -> Any:
        """The tuple of the items' values, if all are known."""
        items = [static_value(item) for item in self.values]
        return None if None in items else tuple(items)

    @property
    def argument_type(self) -> types.Type:
        items = [type_of(item) for item in self.values]
        if isinstance(self.type, types.List):
            return self.type
        if isinstance(self.type, types.BaseNamedTuple):
            return types.NamedTuple(items, self.type.instance_class)
        return types.Tuple(items)

    def describe(self) -> str:
        return "a list" if isinstance(self.type, types.List) else "a tuple"

    def add_incoming(self, phis: Phis, block: Block, value: Any) -> None:
        items = [None] * len(self.values) if value is None else value.values
        for item, item_value in zip(self.values, items, strict=True):
            item.add_incoming(phis, block, item_value)

    def bind(self, splice: Splice, value: Any) -> None:
        for item, item_value in zip(self.values, value.values, strict=True):
            item.bind(splice, item_value)


@dataclass(eq=False, slots=True)
class Selection(Value):
    """An array of a tuple, by its number: accesses to elements are branches to those of the arrays, so that each name of an array sees a write."""

    items: list[View]
    index: Operand
    type: types.Array


class List(TypedValue):
    """The base of lists that may grow."""

    __slots__ = ()
    words = "a list"
    is_list = True

    @property
    def list_of_same_length(self) -> NumberList:
        """A list of numbers that has as many items."""
        raise NotImplementedError


@dataclass(eq=False, slots=True)
class NumberList(List):
    """A list of numbers: an array that grows, and an array that holds the length.

    The length of an item of a list of lists is the number that it had when the item was read.
    """

    kind = "list"
    data: View
    length: View | Operand
    type: types.Type

    @property
    def list_of_same_length(self) -> NumberList:
        return self


@dataclass(eq=False, slots=True)
class ArrayList(List):
    """A list of arrays of one rank, or of lists of numbers.

    Attributes:
        elements: the elements of all items.
        starts: for each item the number of its first element.
        sizes: for each axis the list of the items' sizes.
        type: of the list.
    """

    kind = "list of arrays"
    elements: NumberList
    starts: NumberList
    sizes: tuple[NumberList, ...]
    type: types.Type

    @property
    def list_of_same_length(self) -> NumberList:
        return self.starts


@dataclass(eq=False, slots=True)
class TupleList(List):
    """A list of tuples: a list for each item of the tuples."""

    kind = "list of tuples"
    columns: list[NumberList | ArrayList | TupleList]
    type: types.Type

    @property
    def list_of_same_length(self) -> NumberList:
        return self.columns[0].list_of_same_length


@dataclass(eq=False, slots=True)
class Mapping(TypedValue):
    """A dictionary or a set: the list of keys, in which texts are numbers, and the list of values; None for a set."""

    keys: NumberList | TupleList
    values: List | Static
    type: types.Type

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The word for it: a set or a dictionary."""
        return "set" if self.values.is_none else "dictionary"

    @property
    def list_of_same_length(self) -> NumberList:
        """A list of numbers that has as many items as there are keys."""
        return self.keys.list_of_same_length

    def describe(self) -> str:
        return f"a {self.kind}"


@dataclass(eq=False, slots=True)
class MappingView(TypedValue):
    """The "keys", "values" or "items" of a dictionary, as they are when they are gone through."""

    mapping: Mapping
    parts: str
    type: types.Type

    def describe(self) -> str:
        return f"the {self.parts} of a dictionary"


@dataclass(eq=False, slots=True)
class Window(Value):
    """An array in the kernel of a stencil, whose indices are relative to a place.

    Attributes:
        array: the array.
        place: by axis the index that 0 stands for.
        starts: by axis a number that the place is never less than.
    """

    array: View
    place: list[Operand]
    starts: tuple[int, ...]

    @property
    def argument_type(self) -> types.Type:
        return type_of(self.array)


@dataclass(eq=False, slots=True)
class Elements(Value):
    """An array that is not in memory: each read computes the element.

    Attributes:
        function: a Python function of numbers.
        operands: its arguments: numbers, and arrays of which it takes the elements.
        axes: of the array; only their sizes count.
        dtype: the type of the elements.
    """

    function: FunctionType
    operands: list[Any]
    axes: list[Axis]
    dtype: types.Type

    @property
    def rank(self) -> int:  # type: ignore[override]
        """The number of axes."""
        return len(self.axes)

    @property
    def is_complex(self) -> bool:  # type: ignore[override]
        """Whether the elements are complex numbers."""
        return isinstance(self.dtype, types.Complex)

    @property
    def argument_type(self) -> types.Type:
        return types.Array(self.dtype, len(self.axes), "C")


@dataclass(eq=False, slots=True)
class Fields(TypedValue):
    """A record, an array of records, or an instance of ``jitclass``: an array for each field.

    ``depth`` is the number of calls around the constructor of an instance while it runs, else None.
    """

    parts: dict[str, View]
    type: types.Type
    depth: int | None = field(default=None, init=False)

    @property
    def sizes(self) -> list[Operand]:
        """The sizes of an array of records; none for others."""
        return next(iter(self.parts.values())).sizes[: getattr(self.type, "ndim", 0)]

    @property
    def length(self) -> Operand | None:
        """The number of records of an array of them; None for others."""
        return next(iter(self.sizes), None)

    def describe(self) -> str:
        if isinstance(self.type, types.ClassInstanceType):
            return "an instance of a jitclass"
        return "an array of records" if isinstance(self.type, types.Array) else "a record"

    def add_incoming(self, phis: Phis, block: Block, value: Any) -> None:
        for name, part in self.parts.items():
            part.add_incoming(phis, block, None if value is None else value.parts[name])

    def bind(self, splice: Splice, value: Any) -> None:
        names = value.type.fields if isinstance(value, Items) else ()
        for name, part in self.parts.items():
            part.bind(splice, value.values[names.index(name)] if names else value.parts[name])


@dataclass(eq=False, slots=True)
class Complex(TypedValue):
    """A complex number: its real and its imaginary part, and its type."""

    words = "a complex number"

    real: Operand
    imag: Operand
    type: types.Type = field(init=False)

    def __post_init__(self) -> None:
        self.type = types.complex64 if self.real.type == self.imag.type == types.float32 else types.complex128

    is_complex = True

    def add_incoming(self, phis: Phis, block: Block, value: Any) -> None:
        is_real = value is not None and value.is_number
        self.real.add_incoming(phis, block, value.real if isinstance(value, Complex) else value)
        self.imag.add_incoming(phis, block, value.imag if isinstance(value, Complex) else None if is_real else value)

    def bind(self, splice: Splice, value: Any) -> None:
        number = splice.complex_number(value, self.type)
        self.real.bind(splice, number.real)
        self.imag.bind(splice, number.imag)


@dataclass(eq=False, slots=True)
class OptionalValue(Value):
    """A number or array, or None: whether it is one, and the number or array."""

    words = "a value that may be None"

    is_set: Operand
    value: Any

    @property
    def argument_type(self) -> types.Type:
        return types.Optional(type_of(self.value))

    def add_incoming(self, phis: Phis, block: Block, value: Any) -> None:
        has_none = value is None or value.is_none
        is_maybe = isinstance(value, OptionalValue)
        self.is_set.add_incoming(phis, block, value.is_set if is_maybe else Constant(not has_none, types.boolean))
        self.value.add_incoming(phis, block, None if has_none else value.value if is_maybe else value)


class Text(Value):
    """The base of texts that are known when the derivative runs."""

    __slots__ = ()
    words = "a text"

    @property
    def argument_type(self) -> types.Type:
        return types.unicode_type


@dataclass(eq=False, slots=True)
class TextParameter(Text):
    """A parameter that is a text: its name."""

    name: str


@dataclass(eq=False, slots=True)
class NumberedText(Text):
    """A text that is one of several: its number among the texts of the function."""

    number: Operand

    def add_incoming(self, phis: Phis, block: Block, value: Any) -> None:
        self.number.add_incoming(phis, block, phis.text_number(block, value))


@dataclass(eq=False, slots=True)
class RandomGenerator(TypedValue):
    """A parameter that is a ``numpy.random.Generator``, or the source of its bits: the parameter's variable, and Numba's type."""

    words = "a random generator"

    name: str
    type: types.Type


@dataclass(eq=False, slots=True)
class EnumerationMember(TypedValue):
    """A member of an enumeration that is known when the derivative runs: its value."""

    words = "a member of an enumeration"

    number: Operand
    type: types.EnumMember

    def add_incoming(self, phis: Phis, block: Block, value: Any) -> None:
        self.number.add_incoming(phis, block, None if value is None else phis.enum_member_value(value))


@dataclass(eq=False, slots=True)
class Method(Value):
    """A method of an array."""

    owner: Any
    name: str


@dataclass(eq=False, slots=True)
class Deferred(Value):
    """A value that can't be differentiated: an error where it is used."""

    reason: str


@dataclass(eq=False, slots=True)
class Range(Value):
    """The range of a ``for`` loop; ``is_parallel`` of a ``prange``."""

    start: Operand
    stop: Operand
    step: Operand
    is_parallel: bool = False

    @property
    def argument_type(self) -> types.Type:
        return types.range_state64_type

    def add_incoming(self, phis: Phis, block: Block, value: Any) -> None:
        for part in ("start", "stop", "step"):
            getattr(self, part).add_incoming(phis, block, None if value is None else getattr(value, part))


@dataclass(eq=False, slots=True)
class Iterable(Value):
    """What a ``for`` loop goes through: the number of items, a function from a number to the item, and lists that must not grow meanwhile.

    ``selection`` is the function from a number to the item of a tuple of arrays, if the item is written. An iterator of the user's, such as one of
    ``zip``, has a ``type``, and an ``origin``: where it was made.
    """

    words = "an iterator"

    count: Operand
    item: Callable[[Scalar], Any]
    lists: tuple[NumberList, ...] = ()
    type: types.Type | None = None
    origin: Any = field(default=None, init=False)
    selection: Callable[[Scalar], Selection] | None = field(default=None, init=False)

    @property
    def argument_type(self) -> types.Type:
        if self.type is None:
            raise TypeError(f"no type for {self.describe()}")
        return self.type


@dataclass(eq=False, slots=True)
class LoopState(Value):
    """An iterator."""

    counter: Counter
    iterable: Iterable


@dataclass(eq=False, slots=True)
class Step(Value):
    """What an iterator gives: whether there is an item, and the item, which is read where the loop's body begins."""

    is_valid: Scalar
    make: Callable[[], Any]
    select: Callable[[], Any] | None = None
    is_resolved: bool = field(default=False, init=False)
    item: Any = field(default=None, init=False)

    def resolve(self) -> None:
        """Reads the item."""
        if not self.is_resolved:
            self.item = self.make()
            self.is_resolved = True


def tuple_of(items: list[Any]) -> Items:
    """Returns the tuple of values."""
    return Items(items, types.Tuple([type_of(item) for item in items]))


def is_complex(value: Any) -> bool:
    """True if ``value`` is a complex number or an array of complex numbers."""
    return isinstance(value, Value) and value.is_complex


def type_of(value: Any) -> types.Type:
    """Returns the Numba type of a value, as an argument of a call."""
    if not isinstance(value, Value):
        raise TypeError(f"no type for {describe(value)}")
    return value.argument_type


def static_value(value: Any) -> Any:
    """Returns the Python value of a known value, else None."""
    return value.python_value if isinstance(value, Value) else None


def describe(value: Any) -> str:
    """Returns words for a value in an error message."""
    return value.describe() if isinstance(value, Value) else f"a {type(value).__name__.lower()}"


def static_integer(value: Any) -> int | None:
    """Returns the integer that a value is known to be, else None."""
    known = static_value(value)
    return known if isinstance(known, int) else None


def static_integers(values: list[Any]) -> list[int] | None:
    """Returns the integers that values are known to be; None if one of them is not known."""
    known = [number for value in values if (number := static_integer(value)) is not None]
    return known if len(known) == len(values) else None


def static_text(value: Any) -> str | None:
    """Returns the text that a value is known to be, else None."""
    known = static_value(value)
    return known if isinstance(known, str) else None


def listed(value: Any) -> list[Any]:
    """Returns the items of a tuple, or a value that is none as the only one: as arguments that are sizes, axes or indices."""
    return value.values if isinstance(value, Items) else [value]


def parts_of(function: Function) -> list[Any]:
    """Returns the scalars and roots that the parameters of a function are made of, from left to right."""
    parts = [leaf.part for value in function.arguments for leaf in value.leaves]
    return [part for part in parts if isinstance(part, (Scalar, Root))]


def item_if_read(value: Any) -> Any:
    """Returns the item of a `Step` whose item is read already; other values as they are."""
    while isinstance(value, Step) and value.is_resolved:
        value = value.item
    return value


def is_hashable(value: Any) -> bool:
    """True if a value can be a key."""
    try:
        hash(value)
    except TypeError:
        return False
    return True
