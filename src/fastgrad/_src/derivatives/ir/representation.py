"""The intermediate representation that derivatives are made of: blocks of statements on scalars and array elements.

Scalars are in SSA form. Views of arrays do not exist in it: each access names a root, an array with memory of its own,
and one index for each of its axes. Calls exist of functions with adjoints of their own, and of recursive functions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import types

from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives.ir.partials import Partial, value_text
from fastgrad._src.jit.generated_source import line_of_user
from fastgrad._src.jit.numba_internals import ir as numba_ir
from fastgrad._src.scalars.formulas import NO_SINGULARITY, ScalarOperation

Location: TypeAlias = numba_ir.Loc


def refuse(reason: str, location: Location) -> DifferentiationError:
    """Returns the error for code that can't be differentiated, with its file and line."""
    file, line = line_of_user(location.filename, location.line)
    return DifferentiationError(f"{file}:{line}: {reason}")


def leaf_types_of(type: types.Type) -> list[types.Type]:
    """Returns the types of the numbers and arrays of a value of ``type``, from left to right."""
    if isinstance(type, types.BaseTuple):
        return [leaf for item in type for leaf in leaf_types_of(item)]
    return [] if isinstance(type, types.NoneType) else [type]


def is_real(type: types.Type) -> bool:
    """True if numbers or arrays of ``type`` may have derivatives."""
    return isinstance(type.dtype if isinstance(type, types.Array) else type, types.Float)


class Constant:
    """A number that is known."""

    __slots__ = ("type", "value")

    def __init__(self, value: Any, type: types.Type) -> None:
        self.value = value
        self.type = type


class Scalar:
    """A number that one statement, phi or parameter defines.

    Attributes:
        name: its variable in the derivative's text.
        type: its Numba type.
        block: the block that defines it. None for parameters.
        definition: the statement that defines it. None for parameters and phis.
        position: the number of the parameter. None for others.
        is_natural: whether it is known to be an integer of at least 0.
    """

    __slots__ = ("block", "definition", "is_natural", "name", "position", "type")

    def __init__(self, name: str, type: types.Type, block: Block | None, position: int | None = None) -> None:
        self.name = name
        self.type = type
        self.block = block
        self.position = position
        self.definition: Statement | None = None
        self.is_natural = isinstance(type, types.Integer) and not type.signed

    @property
    def is_real(self) -> bool:
        """Whether it is a real float, which may have a derivative."""
        return isinstance(self.type, types.Float)


Operand = Constant | Scalar
INDEX = types.intp
COST_OF_EFFECTS = 10**6
"""The cost of a number that must be computed once: a random draw, or a print."""


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
        owner: the parameter's variable in the derivative's text.
        name: of the field.
        is_complex: whether it has complex numbers.
        is_of_record: whether the owner is a record or an array of records, whose fields share no memory; else it is an instance of ``jitclass``.
    """

    owner: str
    name: str
    is_complex: bool
    is_of_record: bool


class Root:
    """An array with memory of its own.

    Attributes:
        name: its variable in the derivative's text.
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

    __slots__ = (
        "block",
        "dims",
        "field",
        "is_growing",
        "is_written",
        "kind",
        "location",
        "name",
        "position",
        "source",
        "type",
    )

    def __init__(self, name: str, type: types.Array, kind: str, block: Block | None, location: Location) -> None:
        self.name = name
        self.type = type
        self.kind = kind
        self.block = block
        self.location = location
        self.position: int | None = None
        self.dims: list[Operand] = []
        self.field: Field | None = None
        self.source: Root | None = None
        self.is_written = False
        self.is_growing = False

    def is_beside(self, other: Root) -> bool:
        """True if both are fields of one record or array of records: they share no memory."""
        field, second = self.field, other.field
        return field is not None and second is not None and field.owner == second.owner and field.is_of_record

    @property
    def memory(self) -> Root:
        """The root that owns the memory."""
        return self if self.source is None else self.source.memory

    @property
    def is_real(self) -> bool:
        """Whether its elements are real floats, which may have derivatives."""
        return isinstance(self.type.dtype, types.Float)


class Axis:
    """An axis of a view.

    Attributes:
        root_axis: the axis of the root that it runs along. None for an axis that repeats one element.
        step: how far one step of it goes along the root's axis.
        size: the number of elements.
    """

    __slots__ = ("root_axis", "size", "step")

    def __init__(self, root_axis: int | None, step: Operand, size: Operand) -> None:
        self.root_axis = root_axis
        self.step = step
        self.size = size


class View:
    """An array as the elements of a root: a start along each axis of the root, and the view's own axes.

    Attributes:
        root: the array that has the memory.
        starts: the position of the first element along each axis of the root.
        axes: the view's own axes.
        parts: of an array of complex numbers the axis of size 2 along which their real and imaginary parts are; else None. The
            intermediate representation has no such views.
        layout: that of Numba's type of the variable that the view belongs to, which decides what is copied; None where there is no variable.
    """

    __slots__ = ("axes", "layout", "parts", "root", "starts")

    def __init__(
        self,
        root: Root,
        starts: list[Operand],
        axes: list[Axis],
        parts: Axis | None = None,
        layout: str | None = None,
    ) -> None:
        self.root = root
        self.starts = starts
        self.axes = axes
        self.parts = parts
        self.layout = layout

    @classmethod
    def whole(cls, root: Root, dtype: types.Type | None = None) -> View:
        """Returns the view of all elements of a root; with a complex ``dtype`` as complex numbers."""
        one = index_constant(1)
        axes = [Axis(axis, one, size) for axis, size in enumerate(root.dims)]
        view = cls(root, [index_constant(0)] * len(axes), axes)
        return view.complex() if isinstance(dtype, types.Complex) else view

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
            axis.root_axis == number and is_constant(axis.step, 1) and axis.size is self.root.dims[number]
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
    def slice_operands(self) -> list[Operand]:
        """The numbers that its slices of the root read; none if it is the whole root."""
        sizes = [axis.size for axis in self.axes if axis.root_axis is not None]
        return [] if self.is_whole() else [*self.starts, *sizes]

    def same_elements(self, other: View) -> bool:
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


class Counter:
    """The state of a ``for`` loop: the number of the iteration, from 0.

    Attributes:
        name: its variable in the derivative's text.
        count: the number of iterations.
        block: the block that begins the loop.
        head: the block that steps it. None before that is known.
        is_internal: whether it implements a function of NumPy, not a loop of the user.
        is_parallel: whether Numba runs the loop on several threads.
    """

    __slots__ = ("block", "count", "head", "is_internal", "is_parallel", "name")

    def __init__(
        self, name: str, count: Operand, block: Block, is_internal: bool = False, is_parallel: bool = False
    ) -> None:
        self.name = name
        self.count = count
        self.block = block
        self.head: Block | None = None
        self.is_internal = is_internal
        self.is_parallel = is_parallel


class Statement:
    """The base of statements. ``operands`` are the scalars and constants that it reads."""

    __slots__ = ("location", "operands")

    def __init__(self, location: Location, operands: list[Operand]) -> None:
        self.location = location
        self.operands = operands

    @property
    def reads(self) -> list[Operand]:
        """All scalars and constants that it reads."""
        return self.operands


class Compute(Statement):
    """A number from numbers.

    Attributes:
        target: the result.
        operation: computes the target from the operands.
        cost: of computing it once more, where an addition has cost 1.
        partials: for each operand its partial, see `partials.py`; None if it has no derivative. By default none has one.
        singularity: where its slopes are infinite at finite operands.
        flat_at: the singularities of its operands at which a slope may be 0, see `ScalarOperation`.
    """

    __slots__ = ("cost", "flat_at", "operation", "partials", "singularity", "target")

    def __init__(
        self,
        location: Location,
        target: Scalar,
        operation: ScalarOperation,
        operands: list[Operand],
        cost: int | None = None,
        partials: list[Partial] | None = None,
    ) -> None:
        super().__init__(location, operands)
        self.target = target
        self.operation = operation
        self.cost = operation.cost if cost is None else cost
        self.partials: list[Partial] = partials or [None] * len(operands)
        self.singularity = NO_SINGULARITY
        self.flat_at = operation.flat_at


class Draw(Compute):
    """A random draw that jumps where an operand without a partial changes: it is refused where such an operand depends on the inputs.

    Attributes:
        name: of the function, for messages.
    """

    __slots__ = ("name",)

    def __init__(self, name: str, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.name = name


class Size(Statement):
    """The size of an array along an axis."""

    __slots__ = ("axis", "root", "target")

    def __init__(self, location: Location, target: Scalar, root: Root, axis: int) -> None:
        super().__init__(location, [])
        self.target = target
        self.root = root
        self.axis = axis


class Load(Statement):
    """Reads an element of a root; the operands are the indices.

    Attributes:
        guards: it reads nothing, and the result is 0, unless all of these are above 0.
    """

    __slots__ = ("guards", "root", "target")

    def __init__(self, location: Location, target: Scalar, root: Root, indices: list[Operand]) -> None:
        super().__init__(location, indices)
        self.target = target
        self.root = root
        self.guards: list[Operand] = []

    @property
    def reads(self) -> list[Operand]:
        """All scalars and constants that it reads."""
        return [*self.operands, *self.guards]


class Store(Statement):
    """Writes an element of a root; the operands are the value and the indices."""

    __slots__ = ("root",)

    def __init__(self, location: Location, root: Root, value: Operand, indices: list[Operand]) -> None:
        super().__init__(location, [value, *indices])
        self.root = root


class Allocate(Statement):
    """Makes an array of the sizes that are its operands; ``function`` is "zeros" or "empty"."""

    __slots__ = ("function", "root")

    def __init__(self, location: Location, root: Root, function: str) -> None:
        super().__init__(location, list(root.dims))
        self.root = root
        self.function = function


class Grow(Statement):
    """Moves the elements of a root to larger memory, unless it has as many as the operand."""

    __slots__ = ("root",)

    def __init__(self, location: Location, root: Root, size: Operand) -> None:
        super().__init__(location, [size])
        self.root = root


class Reshape(Statement):
    """Names the elements of a contiguous root by other indices; the operands are the new sizes."""

    __slots__ = ("root",)

    def __init__(self, location: Location, root: Root) -> None:
        super().__init__(location, list(root.dims))
        self.root = root


class Call(Statement):
    """A call of a function that has derivatives of its own.

    Attributes:
        rule: the function and its derivatives.
        arguments: numbers and views.
        results: scalars, and roots of arrays that the call makes.
    """

    __slots__ = ("arguments", "results", "rule")

    def __init__(
        self, location: Location, rule: CallRule | Callee, arguments: list[Operand | View], results: list[Scalar | Root]
    ) -> None:
        super().__init__(location, [argument for argument in arguments if not isinstance(argument, View)])
        self.rule = rule
        self.arguments = arguments
        self.results = results

    @property
    def inputs(self) -> list[Operand | Root]:
        """The arguments that have derivatives, arrays as their roots."""
        arguments = [self.arguments[position] for position in self.rule.active]
        return [value.root if isinstance(value, View) else value for value in arguments]

    @property
    def written(self) -> set[Root]:
        """The memory that the call writes."""
        arguments = [self.arguments[position] for position in self.rule.written]
        return {value.root.memory for value in arguments if isinstance(value, View)}

    @property
    def outputs(self) -> list[Scalar | Root]:
        """The results, and the memory that the call writes."""
        return [*self.results, *self.written]


class Callee(NamedTuple):
    """A function that Numba compiled, for arguments of some types, which is called and not inlined.

    Its arguments are numbers and arrays: the items of tuples are arguments of their own.

    Attributes:
        function: the dispatcher.
        types: the types of the parameters.
        result: the type of the result.
        active: the numbers of the arguments that have derivatives.
        written: the numbers of the arrays that it writes.
        returned: the numbers of the arrays whose memory it may return.
        content: tells the values that the function reads from outside from others, which it may read later.
        is_exact: whether its derivatives take the cotangents of those arguments alone that have some where it is called.
    """

    function: Any
    types: tuple[types.Type, ...]
    result: types.Type
    active: tuple[int, ...] = ()
    written: frozenset[int] = frozenset()
    returned: frozenset[int] = frozenset()
    content: str = ""
    is_exact: bool = False

    @property
    def argument_types(self) -> list[Any]:
        """The types of the arguments."""
        return [leaf for type in self.types for leaf in leaf_types_of(type) if not isinstance(leaf, types.Dispatcher)]


@dataclasses.dataclass(frozen=True)
class TangentOf:
    """What computes the results of a function that is not inlined and their tangents: ``Callee.function`` of such a call.

    Attributes:
        callee: the function.
        active: the numbers of the arguments that have tangents.
    """

    callee: Callee
    active: tuple[int, ...]

    @property
    def __name__(self) -> str:
        return f"tangent_of_{self.callee.function.__name__}"


class CallRule:
    """A function with derivatives of its own, which reads its arguments only.

    Attributes:
        function: a dispatcher of Numba, or a function that Numba knows.
        adjoint: a dispatcher of the cotangents of the results, the results, and the arguments. It returns a tuple: the cotangent of each
            argument. None if the function has no reverse mode.
        tangent: a dispatcher of the tangents of the arguments, the results, and the arguments. It returns a tuple: the tangent of each
            result. None if the function has no forward mode.
        active: the numbers of the arguments that have derivatives; the tuples that adjoints return and tangents take have these alone.
        unread: the numbers of the results and arguments, counted together, of which the adjoint reads nothing but the shape.
        name: of the function, for messages.
        with_tangent: if one function computes results and tangents for less, the function that returns it, for the numbers of the arguments
            that have tangents. It takes these tangents and the arguments, and returns a tuple: the results, then their tangents.
        returns_tuple: whether the function returns a tuple also of one result.
    """

    written: frozenset[int] = frozenset()
    returned: frozenset[int] = frozenset()
    with_tangent: Callable[[tuple[int, ...]], Any] | None = None
    returns_tuple = False

    def __init__(
        self,
        function: Any,
        adjoint: Any,
        tangent: Any,
        active: tuple[int, ...],
        unread: frozenset[int] = frozenset(),
        name: str = "a gradient",
        with_tangent: Callable[[tuple[int, ...]], Any] | None = None,
        returns_tuple: bool = False,
    ) -> None:
        self.function = function
        self.adjoint = adjoint
        self.tangent = tangent
        self.active = active
        self.unread = unread
        self.name = name
        self.with_tangent = with_tangent
        self.returns_tuple = returns_tuple

    def narrowed(self, active: tuple[int, ...]) -> CallRule:
        """Returns the rule by which only the arguments numbered ``active`` have derivatives, if that costs less; else this one."""
        return self


class ProductRule(CallRule):
    """A product of two matrices, or of a matrix and a vector. Its way back adds to the cotangents of the operands in place.

    Args:
        function: a dispatcher of the operands.
        tangents: for the numbers of the operands that have tangents the dispatcher of these, the product, the operands, and whether a product
            of 0 and an infinite number is 0.
        active: the numbers of the operands that have derivatives.
    """

    def __init__(self, function: Any, tangents: dict[tuple[int, ...], Any], active: tuple[int, ...] = (0, 1)) -> None:
        unread = {0, *[1 + position for position in (0, 1) if active == (position,)]}  # the other one is read
        super().__init__(function, None, tangents.get(active), active, frozenset(unread), "a product")
        self._tangents = tangents

    def narrowed(self, active: tuple[int, ...]) -> CallRule:
        """Returns the rule by which only the operands numbered ``active`` have derivatives."""
        return ProductRule(self.function, self._tangents, active)


class BeginLoop(Statement):
    """Sets a loop's counter; the operand is the number of iterations."""

    __slots__ = ("counter",)

    def __init__(self, location: Location, counter: Counter) -> None:
        super().__init__(location, [counter.count])
        self.counter = counter


class NextIteration(Statement):
    """Steps a loop's counter: ``target`` is the number of the iteration, ``is_valid`` False after the last one."""

    __slots__ = ("counter", "is_valid", "target")

    def __init__(self, location: Location, counter: Counter, target: Scalar, is_valid: Scalar) -> None:
        super().__init__(location, [])
        self.counter = counter
        self.target = target
        self.is_valid = is_valid


class Jump:
    """The end of a block that has one successor."""

    __slots__ = ("target",)

    def __init__(self, target: Block) -> None:
        self.target = target


class Branch:
    """The end of a block that has two successors."""

    __slots__ = ("condition", "otherwise", "then")

    def __init__(self, condition: Operand, then: Block, otherwise: Block) -> None:
        self.condition = condition
        self.then = then
        self.otherwise = otherwise


class Return:
    """The end of the function. ``values`` are the leaves of the result: operands and views."""

    __slots__ = ("location", "values")

    def __init__(self, values: list[Operand | View], location: Location) -> None:
        self.values = values
        self.location = location


class Raise:
    """The end of a block that raises an exception, with constant arguments."""

    __slots__ = ("arguments", "exception")

    def __init__(self, exception: type[BaseException], arguments: tuple[Any, ...]) -> None:
        self.exception = exception
        self.arguments = arguments


class Phi:
    """A scalar or array that takes its value from the way to its block.

    Attributes:
        target: the scalar, or a root of kind "phi".
        incoming: the value by the block before; views for arrays.
    """

    __slots__ = ("incoming", "location", "target")

    def __init__(self, target: Scalar | Root, location: Location) -> None:
        self.target = target
        self.location = location
        self.incoming: dict[Block, Operand | View] = {}


class Block:
    """A basic block: phis, statements, and how it ends."""

    __slots__ = ("end", "number", "phis", "statements")

    def __init__(self, number: int) -> None:
        self.number = number
        self.phis: list[Phi] = []
        self.statements: list[Statement] = []
        self.end: Jump | Branch | Return | Raise | None = None

    @property
    def successors(self) -> list[Block]:
        """The blocks that may follow, each once."""
        if isinstance(self.end, Jump):
            return [self.end.target]
        if isinstance(self.end, Branch):
            return [self.end.then] if self.end.then is self.end.otherwise else [self.end.then, self.end.otherwise]
        return []


class Function:
    """A function in this representation.

    Attributes:
        name: of the user's function.
        location: where it is defined.
        parameters: the names of its parameters.
        names: what error messages call them.
        types: their Numba types.
        blocks: in an order in which each block comes after those that dominate it.
        scalars, roots: all of them.
        globals: values that the text names.
        copies: the copies of arrays for which Numba takes the arrays themselves if they are contiguous. Of each the array, the stores that fill the
            copy, and the place.
        appended: the arrays that are copied to lists of arrays, by the first statement that makes room for them or writes one of their sizes.
        fills: of the elements of each list of arrays the stores that append items.
        last_choices: for running minima and maxima, see ``transform/running_extrema.py``, the last iteration that gave them another value.
        result: the structure of the result: a Numba type.
    """

    def __init__(
        self, name: str, location: Location, parameters: list[str], parameter_types: tuple[types.Type, ...]
    ) -> None:
        self.name = name if name.isidentifier() else "function"
        self.location = location
        self.parameters = self.names = parameters
        self.types = parameter_types
        self.blocks: list[Block] = []
        self.arguments: list[Any] = []
        self.scalars: list[Scalar] = []
        self.roots: list[Root] = []
        self.counters: list[Counter] = []
        self.globals: dict[str, Any] = {}
        self.copies: dict[Root, tuple[Root, set[Statement], Location]] = {}
        self.appended: dict[Statement, Root] = {}
        self.fills: dict[Root, set[Statement]] = {}
        self.last_choices: dict[Scalar, Scalar] = {}
        self.result: types.Type = types_none

    def note_copy(self, copy: Root, source: Root, location: Location) -> None:
        """Notes a copy for which Numba may take the array itself."""
        stores: set[Statement] = {
            statement
            for block in self.blocks
            for statement in block.statements
            if isinstance(statement, Store) and statement.root is copy
        }
        self.copies[copy] = (source, stores, location)


types_none = types.none


def item_name(name: str, number: int) -> str:
    """Returns the variable of an item of the tuple whose variable is ``name``."""
    return f"item_{number}_of_{name}"


def literal(constant: Constant) -> str:
    """Returns the text of a constant, which Numba gives the constant's type."""
    value = constant.value
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, (bool, np.bool_)) or isinstance(constant.type, types.Boolean):
        return repr(bool(value))
    is_float = isinstance(constant.type, types.Float)
    text = value_text(float(value) if is_float else int(value))
    return text if constant.type in (types.float64, types.int64, types.intp) else f"_{constant.type}({text})"


def zero(type: types.Type) -> str:
    """Returns the text of 0 of a type."""
    return literal(Constant(False if isinstance(type, types.Boolean) else 0, type))


def operands_of_view(view: View) -> list[Operand]:
    """Returns the numbers that a view is made of."""
    return [*view.starts, *[axis.step for axis in view.axes], *[axis.size for axis in view.axes]]


def has_effect(statement: Statement) -> bool:
    """True if a statement is needed even where its result is not: a random draw, a print, a test that may raise."""
    return isinstance(statement, Compute) and (statement.cost >= COST_OF_EFFECTS or statement.operation.may_raise)


def is_natural_number(operand: Operand) -> bool:
    """True if ``operand`` is known to be an integer of at least 0."""
    return operand.value >= 0 if isinstance(operand, Constant) else operand.is_natural
