"""What variables stand for while a function is lowered: numbers, arrays, tuples, and values that are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from numba import types

from fastgrad._src.derivatives.ir.operands import Axis, Constant, Counter, Operand, Root, Scalar, View, is_constant
from fastgrad._src.derivatives.ir.representation import Function
from fastgrad._src.jit.numba_internals import ParallelOptions, config, cpu_target


class Options(NamedTuple):
    """The options of ``numba.njit`` that say what a function computes.

    Attributes:
        error_model: "python" or "numpy".
        is_parallel: whether its ``prange`` loops run on several threads.
        checks_bounds: whether an index beyond an array's end is an error.
    """

    error_model: str = "python"
    is_parallel: bool = False
    checks_bounds: bool = False

    @classmethod
    def of(cls, function: Any) -> Options:
        """Returns the options of a function, which Numba may have compiled."""
        options = getattr(function, "targetoptions", {})
        is_parallel = bool(ParallelOptions(options.get("parallel", False)).prange)
        checks_bounds = bool(options.get("boundscheck") or config.BOUNDSCHECK)
        return cls(str(options.get("error_model", "python")), is_parallel, checks_bounds)

    def agree(self, other: Options) -> bool:
        """True if a statement computes and raises the same under both options."""
        return self.error_model == other.error_model and self.checks_bounds == other.checks_bounds


DEFAULT_OPTIONS = Options()


@dataclass(eq=False, slots=True)
class Static:
    """A Python value that is known: a function, a module, None."""

    value: Any


@dataclass(eq=False, slots=True)
class FunctionChoice:
    """A function that is one of several, by its number, which is known when the derivative runs."""

    functions: tuple[Any, ...]
    index: Operand
    type: types.FunctionType


@dataclass(eq=False, slots=True)
class Items:
    """A tuple or list whose items are values."""

    values: list[Any]
    type: types.Type


@dataclass(eq=False, slots=True)
class Selection:
    """An array of a tuple, by its number: accesses to elements are branches to those of the arrays, so that each name of an array sees a write."""

    items: list[View]
    index: Operand
    type: types.Array


@dataclass(eq=False, slots=True)
class NumberList:
    """A list of numbers: an array that grows, and an array that holds the length.

    The length of an item of a list of lists is the number that it had when the item was read.
    """

    kind = "list"
    data: View
    length: View | Operand
    type: types.Type


@dataclass(eq=False, slots=True)
class ArrayList:
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


@dataclass(eq=False, slots=True)
class TupleList:
    """A list of tuples: a list for each item of the tuples."""

    kind = "list of tuples"
    columns: list[NumberList | ArrayList | TupleList]
    type: types.Type


@dataclass(eq=False, slots=True)
class Mapping:
    """A dictionary of numbers, or a set: the lists of the numbers that keys are made of, and a list of values; None for a set.

    ``history`` has the lists of what was done to a set: of the operations, and of their keys. None if no loop goes through the set.
    """

    keys: tuple[NumberList, ...]
    values: NumberList | None
    type: types.Type
    history: tuple[NumberList, NumberList] | None = field(default=None, init=False)

    @property
    def kind(self) -> str:
        """The word for it: a set or a dictionary."""
        return "set" if self.values is None else "dictionary"


@dataclass(eq=False, slots=True)
class MappingView:
    """The "keys", "values" or "items" of a dictionary, as they are when they are gone through."""

    mapping: Mapping
    parts: str
    type: types.Type


@dataclass(eq=False, slots=True)
class Window:
    """An array in the kernel of a stencil, whose indices are relative to a place.

    Attributes:
        array: the array.
        place: by axis the index that 0 stands for.
        starts: by axis a number that the place is never less than.
    """

    array: View
    place: list[Operand]
    starts: tuple[int, ...]


@dataclass(eq=False, slots=True)
class Elements:
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


@dataclass(eq=False, slots=True)
class Fields:
    """A record, an array of records, or an instance of ``jitclass``: an array for each field.

    ``depth`` is the number of calls around the constructor of an instance while it runs, else None.
    """

    parts: dict[str, View]
    type: types.Type
    depth: int | None = field(default=None, init=False)


@dataclass(eq=False, slots=True)
class Complex:
    """A complex number: its real and its imaginary part, and its type."""

    real: Operand
    imag: Operand
    type: types.Type = field(init=False)

    def __post_init__(self) -> None:
        self.type = types.complex64 if self.real.type == self.imag.type == types.float32 else types.complex128


@dataclass(eq=False, slots=True)
class Maybe:
    """A number or array, or None: whether it is one, and the number or array."""

    is_set: Operand
    value: Any


@dataclass(eq=False, slots=True)
class Text:
    """A parameter that is a text: its name."""

    name: str


@dataclass(eq=False, slots=True)
class NumberedText:
    """A text that is known when the derivative runs: its number among the texts of the function."""

    number: Operand


@dataclass(eq=False, slots=True)
class Member:
    """A member of an enumeration that is known when the derivative runs: its value."""

    number: Operand
    type: types.EnumMember


@dataclass(eq=False, slots=True)
class Method:
    """A method of an array."""

    owner: Any
    name: str


@dataclass(eq=False, slots=True)
class Deferred:
    """A value that can't be differentiated: an error where it is used."""

    reason: str


@dataclass(eq=False, slots=True)
class Range:
    """The range of a ``for`` loop; ``is_parallel`` of a ``prange``."""

    start: Operand
    stop: Operand
    step: Operand
    is_parallel: bool = False


@dataclass(eq=False, slots=True)
class Iterable:
    """What a ``for`` loop goes through: the number of items, a function from a number to the item, and lists that must not grow meanwhile.

    ``selection`` is the function from a number to the item of a tuple of arrays, if the item is written. An iterator of the user's, such as one of
    ``zip``, has a ``type``, and an ``origin``: where it was made.
    """

    count: Operand
    item: Callable[[Scalar], Any]
    lists: tuple[NumberList, ...] = ()
    type: types.Type | None = None
    origin: Any = field(default=None, init=False)
    selection: Callable[[Scalar], Selection] | None = field(default=None, init=False)


@dataclass(eq=False, slots=True)
class LoopState:
    """An iterator."""

    counter: Counter
    iterable: Iterable


@dataclass(eq=False, slots=True)
class Step:
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


def is_complex(value: Any) -> bool:
    """True if ``value`` is a complex number or an array of complex numbers."""
    if isinstance(value, (Elements, View)):
        return isinstance(value.dtype, types.Complex)
    return isinstance(value, Complex)


def type_of(value: Any) -> types.Type:
    """Returns the Numba type of a value, as an argument of a call."""
    if isinstance(value, (Constant, Scalar)):
        return types.unliteral(value.type)
    if isinstance(value, View):
        real = value.real()
        layout = value.layout or (value.root.type.layout if real.is_whole() else "C" if _is_row(real) else "A")
        return types.Array(value.dtype, len(value.axes), layout)
    if isinstance(value, Elements):
        return types.Array(value.dtype, len(value.axes), "C")
    if isinstance(value, Window):
        return type_of(value.array)
    if isinstance(value, Items):
        items = [type_of(item) for item in value.values]
        if isinstance(value.type, types.List):
            return value.type
        if isinstance(value.type, types.BaseNamedTuple):
            return types.NamedTuple(items, value.type.instance_class)
        return types.Tuple(items)
    if isinstance(
        value, (ArrayList, Complex, NumberList, TupleList, Mapping, MappingView, Member, Fields, FunctionChoice)
    ):
        return value.type
    if isinstance(value, Iterable) and value.type is not None:
        return value.type
    if isinstance(value, Maybe):
        return types.Optional(type_of(value.value))
    if isinstance(value, (NumberedText, Text)):
        return types.unicode_type
    if isinstance(value, Static):
        if isinstance(value.value, tuple) and type(value.value).__name__ == "Slice":
            return types.slice2_type
        return types.none if value.value is None else cpu_target.typing_context.resolve_value_type(value.value)
    if isinstance(value, Range):
        return types.range_state64_type
    raise TypeError(f"no type for {describe(value)}")


def tuple_of(items: list[Any]) -> Items:
    """Returns the tuple of values."""
    return Items(items, types.Tuple([type_of(item) for item in items]))


def _is_row(view: View) -> bool:
    """True if a view of a contiguous root is the whole of its last axes."""
    root, rank = view.root, len(view.axes)
    return root.type.layout == "C" and all(
        axis.root_axis is not None
        and axis.root_axis == root.type.ndim - rank + number
        and is_constant(axis.step, 1)
        and (axis.size is root.dims[axis.root_axis] or number == 0)
        for number, axis in enumerate(view.axes)
    )


def is_value(value: Any) -> bool:
    """True if ``value`` is what a variable stands for, not a plain Python value."""
    numbers = (Constant, Scalar, Complex, Maybe, Member, NumberedText, Text)
    arrays = (ArrayList, Elements, Fields, Items, Mapping, MappingView, NumberList, Selection, TupleList, View, Window)
    return isinstance(
        value, (*numbers, *arrays, Static, FunctionChoice, Method, Deferred, Range, Iterable, LoopState, Step)
    )


def leaves(value: Any) -> list[Any]:
    """Returns the numbers and arrays of a value, from left to right."""
    if isinstance(value, Items):
        return [leaf for item in value.values for leaf in leaves(item)]
    if isinstance(value, Static) and value.value is None:
        return []
    return [value]


def parts_of(function: Function) -> list[Any]:
    """Returns the scalars and roots that the parameters of a function are made of, from left to right."""
    parts = [leaf.root if isinstance(leaf, View) else leaf for value in function.arguments for leaf in leaves(value)]
    return [part for part in parts if isinstance(part, (Scalar, Root))]


def without_step(value: Any) -> Any:
    """Returns the item of a `Step` whose item is read already; other values as they are."""
    while isinstance(value, Step) and value.is_resolved:
        value = value.item
    return value


def static_value(value: Any) -> Any:
    """Returns the Python value of a known value, else None."""
    if isinstance(value, (Constant, Static)):
        return value.value
    if isinstance(value, Items):
        items = [static_value(item) for item in value.values]
        return None if None in items else tuple(items)
    return None


def describe(value: Any) -> str:
    """Returns words for a value in an error message."""
    if isinstance(value, Static):
        known = value.value
        module = getattr(known, "__module__", "")
        name = getattr(known, "__name__", None)
        if isinstance(known, ModuleType) or not isinstance(name, str):
            shown = repr(known)
            return f"a {type(known).__name__}" if " object at 0x" in shown else shown
        return f"{module}.{name}" if module and module not in ("builtins", "_operator") else str(name)
    if isinstance(value, Items):
        return "a list" if isinstance(value.type, types.List) else "a tuple"
    if isinstance(value, Mapping):
        return f"a {value.kind}"
    if isinstance(value, MappingView):
        return f"the {value.parts} of a dictionary"
    if isinstance(value, Fields):
        is_array, is_instance = [isinstance(value.type, kind) for kind in (types.Array, types.ClassInstanceType)]
        return "an array of records" if is_array else "an instance of a jitclass" if is_instance else "a record"
    return _WORDS.get(type(value)) or f"a {type(value).__name__.lower()}"


_WORDS: dict[type, str] = {
    View: "an array",
    **dict.fromkeys([Constant, Scalar], "a number"),
    Complex: "a complex number",
    **dict.fromkeys([ArrayList, NumberList, TupleList], "a list"),
    FunctionChoice: "a function",
    NumberedText: "a text",
    Member: "a member of an enumeration",
    Iterable: "an iterator",
}


def is_hashable(value: Any) -> bool:
    """True if a value can be a key."""
    try:
        hash(value)
    except TypeError:
        return False
    return True
