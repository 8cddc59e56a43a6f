"""Numbers and arrays of the intermediate representation.

Scalars are in SSA form. An access names a root (an array that owns its memory) and one index for each axis of the root.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numba import types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.functions.numba_types import leaf_types
from fastgrad._src.derivatives.output.text import term_text
from fastgrad._src.derivatives.output.tree import Variable
from fastgrad._src.jit.numba_internals import ir as numba_ir
from fastgrad._src.scalars.formulas import Number as NumberTerm
from fastgrad._src.scalars.formulas import Term

if TYPE_CHECKING:
    from typing import Self

    from fastgrad._src.derivatives.frontend.phis import Phis
    from fastgrad._src.derivatives.frontend.splicing import Splice
    from fastgrad._src.derivatives.ir.representation import Block
    from fastgrad._src.derivatives.ir.statements import Statement
    from fastgrad._src.scalars.formulas import ScalarOperation

Location: TypeAlias = numba_ir.Loc


def refuse(reason: str, location: Location) -> DifferentiationError:
    """Returns the error for code that can't be differentiated, with its file and line."""
    return DifferentiationError(f"{location.filename}:{location.line}: {reason}")


def leaf_types_of(type: types.Type) -> list[types.Type]:
    """Returns the types of the numbers and arrays of a value of ``type``, from left to right."""
    return [leaf for leaf in leaf_types(type) if leaf != types.none]


class Value:
    """The base of what a variable stands for while a function is lowered. Each kind says what it is made of and how phis and calls take it."""

    __slots__ = ()

    is_none = False
    """Whether it is None."""
    is_complex = False
    """Whether it is a complex number, or an array of complex numbers."""
    python_value: Any = None
    """The Python value, if it is known."""
    is_number = False
    """Whether it is a number, real or of integers: one that statements take."""
    is_array = False
    """Whether it is an array in memory."""
    is_list = False
    """Whether it is a list that may grow."""
    kind: str | None = None
    """The word for a list, a dictionary or a set, by which its methods are found; None for others."""
    rank = 0
    """The number of axes of an array; 0 of others."""
    words = ""
    """What error messages call it; by default the name of the class."""
    part: Any = None
    """What has a cotangent of its own: a number itself, and of an array of the intermediate representation its root."""
    roots: Sequence[Root] = ()
    """The array that it is, or shows elements of, if it is an array of the intermediate representation."""

    @property
    def leaves(self) -> list[Any]:
        """The numbers and arrays that it is made of, from left to right."""
        return [self]

    @property
    def argument_type(self) -> types.Type:
        """Its Numba type, as an argument of a call."""
        raise TypeError(f"no type for {self.describe()}")

    def describe(self) -> str:
        """Returns words for it in an error message."""
        return self.words or f"a {type(self).__name__.lower()}"

    def add_incoming(self, phis: Phis, block: Block, value: Any) -> None:
        """Gives it, the value of a phi, the value that it has if the way to it comes from ``block``; None if it has none there."""

    def bind(self, splice: Splice, value: Any) -> None:
        """Notes what it, a parameter of a function that becomes part of another one, stands for."""


class TypedValue(Value):
    """The base of values that have a Numba type as an attribute."""

    __slots__ = ()

    type: types.Type

    @property
    def argument_type(self) -> types.Type:
        return types.unliteral(self.type)


class Number(TypedValue):
    """The base of numbers that statements take: constants and scalars."""

    __slots__ = ()
    is_number = True
    words = "a number"

    @property
    def part(self) -> Self:
        """What has a cotangent of its own: the number itself, and of a view the array."""
        return self

    memory_owner = part

    @property
    def index_operands(self) -> list[Self]:
        """The numbers by which it is read: itself."""
        return [self]

    @property
    def sizes(self) -> list[Operand]:
        """A number has none."""
        return []


@dataclass(eq=False, slots=True)
class Constant(Number):
    """A number that is known. No statement and no block defines it, and it has no derivative."""

    definition = None
    block = None
    is_real = False
    operation = None
    operands: ClassVar[list[Operand]] = []

    value: Any
    type: types.Type

    @property
    def is_natural(self) -> bool:
        """Whether it is at least 0."""
        return bool(self.value >= 0)

    @property
    def python_value(self) -> Any:
        """The number."""
        return self.value

    @property
    def term(self) -> Term:
        """What the derivative's code calls it: a number of its type."""
        value = self.value
        if isinstance(value, str):
            return NumberTerm(value)
        if isinstance(value, (bool, np.bool_)) or isinstance(self.type, types.Boolean):
            return NumberTerm(bool(value))
        number = float(value) if isinstance(self.type, types.Float) else int(value)
        is_plain = self.type in (types.float64, types.int64, types.intp)
        return NumberTerm(number, None if is_plain else np.dtype(str(self.type)))


class Scalar(Number):
    """A number that one statement, phi or parameter defines.

    Attributes:
        name: its variable in the derivative's code.
        type: its Numba type.
        block: the block that defines it. None for parameters.
        definition: the statement that defines it. None for parameters and phis.
        position: the number of the parameter. None for others.
        is_natural: whether it is known to be an integer of at least 0.
    """

    __slots__ = ("block", "definition", "is_natural", "name", "position", "type")

    def __init__(
        self, name: str, type: types.Type, block: Block | None, position: int | None = None, is_natural: bool = False
    ) -> None:
        self.name = name
        self.type = type
        self.block = block
        self.position = position
        self.definition: Statement | None = None
        self.is_natural = is_natural or (isinstance(type, types.Integer) and not type.signed)

    @property
    def term(self) -> Variable:
        """What the derivative's code calls it: its variable."""
        return Variable(self.name, self.type)

    @property
    def operation(self) -> ScalarOperation | None:
        """The operation that computes it; None if it is loaded, or of a phi, a parameter, a call or a counter."""
        return None if self.definition is None else self.definition.operation

    @property
    def operands(self) -> list[Operand]:
        """What the operation computes it from; none without one."""
        return [] if self.definition is None or self.operation is None else self.definition.operands

    def add_incoming(self, phis: Phis, block: Block, value: Any) -> None:
        """Adds the number to the phi; 0 if there is none."""
        phis.add_incoming_number(self, block, value)

    def bind(self, splice: Splice, value: Any) -> None:
        splice.bind_number(self, value)

    @property
    def is_real(self) -> bool:
        """Whether it is a real float, which may have a derivative."""
        return isinstance(self.type, types.Float)


Operand = Constant | Scalar
INDEX = types.intp


def index_constant(value: int) -> Constant:
    """Returns an integer constant for indices and sizes."""
    return Constant(int(value), INDEX)


def is_constant(operand: Operand, value: Any) -> bool:
    """True if ``operand`` is the constant ``value``."""
    return isinstance(operand, Constant) and operand.value == value


def equal_operands(first: Operand, second: Operand) -> bool:
    """True if two operands are one scalar, or equal constants."""
    if isinstance(first, Constant) and isinstance(second, Constant):
        return bool(first.value == second.value)
    return first is second


class Field(NamedTuple):
    """A field of a parameter.

    Attributes:
        owner: the parameter's variable in the derivative's code.
        name: of the field.
        is_complex: whether it has complex numbers.
        is_of_record: whether the fields share no memory: the owner is a record, an array of records, a list or a dictionary; else it is an
            instance of ``jitclass``.
        is_copy: whether it is a copy: the owner is a list or a dictionary.
        like: for the tangent of a list the list's variable; the tangent must have its lengths and shapes. Empty for others.
    """

    owner: str
    name: str
    is_complex: bool
    is_of_record: bool
    is_copy: bool = False
    like: str = ""


@dataclass(eq=False, slots=True)
class Root:
    """An array with memory of its own.

    Attributes:
        name: its variable in the derivative's code.
        type: its Numba type.
        kind: "parameter"; "global"; "local", made by an ``Allocate``; "reshaped", by a ``Reshape``; "phi", one of several arrays,
            as the way to its block decides.
        block: the block that defines it. None for parameters and globals.
        position: the number of the parameter. None for others.
        dims: its sizes, one operand for each axis.
        field: which field of a parameter it is, a record, an array of records or an instance. None for others.
        source: the root whose memory a reshaped array shares.
        is_written: whether a statement stores elements of it.
        is_growing: whether a ``Grow`` may replace its memory by larger memory. No view of it outlives that.
    """

    name: str
    type: types.Array
    kind: str
    block: Block | None
    location: Location
    position: int | None = None
    dims: list[Operand] = dataclasses.field(default_factory=list)
    field: Field | None = None
    source: Root | None = None
    is_written: bool = False
    is_growing: bool = False

    @property
    def term(self) -> Variable:
        """What the derivative's code calls it: its variable."""
        return Variable(self.name, self.type if self.kind == "phi" else None)

    @property
    def is_copy_of_argument(self) -> bool:
        """True for the numbers of an argument that is a list or a dictionary."""
        return self.field is not None and self.field.is_copy

    def is_sibling_field(self, other: Root) -> bool:
        """True if both are fields of one record or array of records: they share no memory."""
        field, second = self.field, other.field
        return field is not None and second is not None and field.owner == second.owner and field.is_of_record

    @property
    def part(self) -> Root:
        """What has a cotangent of its own, as numbers say it: the array itself."""
        return self

    @property
    def roots(self) -> Sequence[Root]:
        """The array itself, as views say it."""
        return (self,)

    @property
    def memory_owner(self) -> Root:
        """The root that owns the memory."""
        return self if self.source is None else self.source.memory_owner

    @property
    def sizes(self) -> list[Operand]:
        """Its sizes, as views say them."""
        return self.dims

    @property
    def index_operands(self) -> list[Operand]:
        """The numbers by which its elements are read: none, as of a view of all."""
        return []

    @property
    def dtype(self) -> types.Type:
        """The type of the elements."""
        return self.type.dtype

    @property
    def is_real(self) -> bool:
        """Whether its elements are real floats, which may have derivatives."""
        return isinstance(self.type.dtype, types.Float)


@dataclass(eq=False, slots=True)
class Axis:
    """An axis of a view.

    Attributes:
        root_axis: the axis of the root that it runs along. None for an axis that repeats one element.
        step: how far one step of it goes along the root's axis.
        size: the number of elements.
    """

    root_axis: int | None
    step: Operand
    size: Operand


@dataclass(eq=False, slots=True)
class View(Value):
    """An array as the elements of a root: a start along each axis of the root, and the view's own axes.

    Attributes:
        root: the array that has the memory.
        starts: the position of the first element along each axis of the root.
        axes: the view's own axes.
        parts: of an array of complex numbers the axis of size 2 along which their real and imaginary parts are; else None. The
            intermediate representation has no such views.
        layout: that of Numba's type of the variable that the view belongs to, which decides what is copied; None where there is no variable.
    """

    words = "an array"
    is_array = True

    root: Root
    starts: list[Operand]
    axes: list[Axis]
    parts: Axis | None = None
    layout: str | None = None

    @classmethod
    def whole(cls, root: Root, dtype: types.Type | None = None) -> View:
        """Returns the view of all elements of a root; with a complex ``dtype`` as complex numbers."""
        one = index_constant(1)
        axes = [Axis(axis, one, size) for axis, size in enumerate(root.dims)]
        view = cls(root, [index_constant(0)] * len(axes), axes)
        return view.complex() if isinstance(dtype, types.Complex) else view

    @property
    def argument_type(self) -> types.Type:
        real = self.real()
        layout = self.layout or (self.root.type.layout if real.is_whole() else "C" if real.is_trailing_block() else "A")
        return types.Array(self.dtype, len(self.axes), layout)

    @property
    def is_complex(self) -> bool:  # type: ignore[override]  # a constant of other values
        """Whether the elements are complex numbers."""
        return self.parts is not None

    @property
    def rank(self) -> int:  # type: ignore[override]
        """The number of axes."""
        return len(self.axes)

    def add_incoming(self, phis: Phis, block: Block, value: Any) -> None:
        """Adds the array to the phi; one without elements if there is none."""
        phis.add_incoming_array(self, block, value)

    def bind(self, splice: Splice, value: Any) -> None:
        splice.bind_array(self, value)

    def is_trailing_block(self) -> bool:
        """True if the view, one of a contiguous root, is the whole of its last axes."""
        root, rank = self.root, len(self.axes)
        return root.type.layout == "C" and all(
            axis.root_axis is not None
            and axis.root_axis == root.type.ndim - rank + number
            and is_constant(axis.step, 1)
            and (equal_operands(axis.size, root.dims[axis.root_axis]) or number == 0)
            for number, axis in enumerate(self.axes)
        )

    @property
    def part(self) -> Root:
        """The array that has the cotangents of the elements."""
        return self.root

    @property
    def roots(self) -> Sequence[Root]:  # type: ignore[override]  # a constant of other values
        """The array that it shows elements of."""
        return (self.root,)

    @property
    def memory_owner(self) -> Root:
        """The root that owns the memory."""
        return self.root.memory_owner

    @property
    def sizes(self) -> list[Operand]:
        """The number of elements along each axis."""
        return [axis.size for axis in self.axes]

    @property
    def dtype(self) -> types.Type:
        """The type of the elements."""
        dtype = self.root.type.dtype
        return dtype if self.parts is None else types.complex128 if dtype == types.float64 else types.complex64

    def real(self) -> View:
        """Returns an array of complex numbers as one of floats with one more axis, the last; other arrays as they are."""
        if self.parts is None:
            return self
        layout = self.layout if self.layout in (None, "C") else "A"
        return View(self.root, self.starts, [*self.axes, self.parts], layout=layout)

    def complex(self) -> View:
        """Returns an array of floats, whose last axis has real and imaginary parts, as one of complex numbers."""
        return View(self.root, self.starts, self.axes[:-1], self.axes[-1])

    def is_whole(self) -> bool:
        """True if the view has the root's elements in the root's order."""
        return len(self.axes) == len(self.starts) and all(
            axis.root_axis == number and is_constant(axis.step, 1) and equal_operands(axis.size, self.root.dims[number])
            for number, axis in enumerate(self.axes)
        )

    def has_slices(self) -> bool:
        """True if its axes are slices of different axes of the root, or new axes of one element."""
        root_axes = [axis.root_axis for axis in self.axes if axis.root_axis is not None]
        return (
            len(set(root_axes)) == len(root_axes)
            and (bool(root_axes) or not self.axes)
            and all(isinstance(axis.step, Constant) for axis in self.axes)
            and all(axis.root_axis is not None or is_constant(axis.size, 1) for axis in self.axes)
        )

    @property
    def index_operands(self) -> list[Operand]:
        """The numbers that its slices of the root read; none if it is the whole root."""
        sizes = [axis.size for axis in self.axes if axis.root_axis is not None]
        return [] if self.is_whole() else [*self.starts, *sizes]

    def has_same_elements(self, other: View) -> bool:
        """True if two views are certain to have the same elements in the same order."""
        return (
            self.root is other.root
            and self.dtype == other.dtype
            and len(self.axes) == len(other.axes)
            and all(map(equal_operands, self.starts, other.starts))
            and all(
                a.root_axis == b.root_axis and equal_operands(a.step, b.step) and equal_operands(a.size, b.size)
                for a, b in zip(self.axes, other.axes, strict=True)
            )
        )


@dataclass(eq=False, slots=True)
class Counter:
    """The state of a ``for`` loop: the number of the iteration, from 0.

    Attributes:
        name: its variable in the derivative's code.
        count: the number of iterations.
        block: the block that begins the loop.
        head: the block that steps it. None before that is known.
        is_internal: whether it implements a function of NumPy, not a loop of the user.
        is_parallel: whether Numba runs the loop on several threads.
    """

    name: str
    count: Operand
    block: Block
    is_internal: bool = False
    is_parallel: bool = False
    head: Block | None = None


def item_name(name: str, number: int) -> str:
    """Returns the variable of an item of the tuple whose variable is ``name``."""
    return f"item_{number}_of_{name}"


def zero(type: types.Type) -> Term:
    """Returns 0 of a type, as code has it."""
    return Constant(False if isinstance(type, types.Boolean) else 0, type).term


def zero_text(type: types.Type) -> str:
    """Returns the text of 0 of a type."""
    return term_text(zero(type))


def resolved(replaced: Mapping[Any, Any], value: Any) -> Any:
    """Returns what takes the place of a number, an array or a block in the end: what replaces it may be replaced, too."""
    while value in replaced:
        value = replaced[value]
    return value


def with_replaced_numbers(value: Operand | View, final: Callable[[Operand], Operand]) -> Operand | View:
    """Returns a number or a view with its numbers replaced. Several places share a view, so the result is a new one."""
    if isinstance(value, View):
        axes = [Axis(axis.root_axis, final(axis.step), final(axis.size)) for axis in value.axes]
        return View(value.root, [final(start) for start in value.starts], axes, layout=value.layout)
    return final(value)


def parts_of_value(value: Operand | View) -> list[Operand | Root]:
    """Returns the numbers and the array that an operand or a view is made of."""
    return [value.root, *operands_of_view(value)] if isinstance(value, View) else [value]


def operands_of_view(view: View) -> list[Operand]:
    """Returns the numbers that a view is made of."""
    return [*view.starts, *[axis.step for axis in view.axes], *view.sizes]


def scalars_among(parts: Iterable[Operand | View | Root]) -> list[Scalar]:
    """Returns the numbers among ``parts`` that the function computes, or takes."""
    return [part for part in parts if isinstance(part, Scalar)]


def views_among(values: Iterable[Operand | View]) -> list[View]:
    """Returns the arrays among ``values``."""
    return [value for value in values if isinstance(value, View)]
