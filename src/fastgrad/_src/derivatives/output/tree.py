"""The code of a derivative as data: statements, whose expressions are terms.

`text.py` writes code as Python. `runtime/code_emission.py` writes it as LLVM IR.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from numba import types

from fastgrad._src.scalars.formulas import Leaf, Number, ScalarOperation, Term, as_term
from fastgrad._src.scalars.terms import ADD, SUBTRACT

if TYPE_CHECKING:
    from fastgrad._src.jit.numba_internals import ir as numba_ir

BLOCK_VARIABLE = "_block"
"""The variable that has the number of the next block, where code runs as Python."""
GENERAL = "general"
"""What code calls the function for arguments that its guard refuses."""

# ---- expressions --------------------------------------------------------------------------------------------------


class Variable(Leaf):
    """A variable of the code.

    Attributes:
        type: its Numba type; None if its first assignment decides.
    """

    __slots__ = ("type",)

    def __init__(self, name: str, type: types.Type | None = None) -> None:
        super().__init__(name)
        self.type = type


class Global(Leaf):
    """A value from outside, which the code calls by a name."""

    __slots__ = ()


class Attribute(ScalarOperation):
    """An attribute of a value, ``named`` so."""

    __slots__ = ("named",)

    def __init__(self, named: str) -> None:
        super().__init__(f"{{0}}.{named}", 1)
        self.named = named


class SizeAlong(ScalarOperation):
    """The size of an array along an ``axis``."""

    __slots__ = ("axis",)

    def __init__(self, axis: int) -> None:
        super().__init__(f"{{0}}.shape[{axis}]", 1)
        self.axis = axis


class Item(ScalarOperation):
    """The item of a tuple that has a ``number``."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        super().__init__(f"{{0}}[{number}]", 1)
        self.number = number


class TupleOf(ScalarOperation):
    """A tuple of the operands."""

    __slots__ = ()

    def __init__(self, count: int) -> None:
        super().__init__(f"({''.join(f'{{{number}}}, ' for number in range(count))})", count)


class Method(ScalarOperation):
    """The result of a method, ``named`` so, of the first operand; the others are its arguments. Some are known not to raise."""

    __slots__ = ("may_raise", "named")

    def __init__(self, named: str, count: int, may_raise: bool = True) -> None:
        operands = ", ".join(f"{{{number}}}" for number in range(1, count + 1))
        super().__init__(f"{{0}}.{named}({operands})", count + 1)
        self.named = named
        self.may_raise = may_raise


class Transposition(ScalarOperation):
    """An array with its axes in another ``order``."""

    __slots__ = ("order",)

    def __init__(self, order: tuple[int, ...]) -> None:
        is_reversed = order == tuple(reversed(range(len(order))))
        super().__init__("{0}.T" if is_reversed else f"np.transpose({{0}}, {order})", 1)
        self.order = order


class Slice(NamedTuple):
    """A slice of an axis; what is None is left out."""

    start: Term | None = None
    stop: Term | None = None
    step: Term | None = None


ALL = Slice()
INDEX, NEW_AXIS = "index", "new axis"


class Subscript(ScalarOperation):
    """The element, or the part, of an array that a subscript names.

    Attributes:
        kinds: for each part of the subscript `INDEX`, `NEW_AXIS`, or for a slice whether it has a start, a stop and a step.
    """

    __slots__ = ("kinds",)

    def __init__(self, kinds: tuple[Any, ...]) -> None:
        count = 0
        texts = []

        def operand() -> str:
            nonlocal count
            count += 1
            return f"{{{count}}}"

        for kind in kinds:
            if kind is INDEX:
                texts.append(operand())
            elif kind is NEW_AXIS:
                texts.append("None")
            else:
                start, stop, step = [operand() if is_given else "" for is_given in kind]
                texts.append(f"{start}:{stop}:{step}" if step else f"{start}:{stop}")
        super().__init__(f"{{0}}[{', '.join(texts) or '()'}]", 1 + count)
        self.kinds = kinds

    @property
    def is_element(self) -> bool:
        """Whether it has an index for each axis that it names."""
        return all(kind is INDEX for kind in self.kinds)


_subscript = functools.cache(Subscript)
_attribute = functools.cache(Attribute)
_size_along = functools.cache(SizeAlong)
_item = functools.cache(Item)
_tuple_of = functools.cache(TupleOf)
_method = functools.cache(Method)
_transposition = functools.cache(Transposition)


@functools.cache
def _call(name: str, count: int) -> ScalarOperation:
    return ScalarOperation(f"{name}({', '.join(f'{{{number}}}' for number in range(count))})", count, name=name)


def integer(name: str) -> Variable:
    """Returns a variable that has an integer."""
    return Variable(name, types.int64)


def call(name: str, *operands: Any) -> Term:
    """Returns the result of the function that the code calls by a name."""
    return _call(name, len(operands))(*operands)


def attribute(value: Term, name: str) -> Term:
    """Returns an attribute of a value."""
    return _attribute(name)(value)


def size(array: Term) -> Term:
    """Returns the number of elements of an array."""
    return _attribute("size")(array)


def size_along(array: Term, axis: int) -> Term:
    """Returns the size of an array along an axis."""
    return _size_along(axis)(array)


def item(value: Term, number: int) -> Term:
    """Returns the item of a tuple that has a number."""
    return _item(number)(value)


def tuple_of(items: Sequence[Term]) -> Term:
    """Returns a tuple."""
    return _tuple_of(len(items))(*items)


def copied(array: Term) -> Term:
    """Returns a copy of an array."""
    return _method("copy", 0)(array)


def reshaped(array: Term, shape: Term, may_raise: bool = False) -> Term:
    """Returns an array in another shape, a tuple. It has as many elements, or raises ValueError if it ``may_raise``."""
    return _method("reshape", 1, may_raise)(array, shape)


def transposed(array: Term, order: Sequence[int]) -> Term:
    """Returns an array with its axes in another order."""
    return _transposition(tuple(order))(array)


def subscript(array: Term, parts: Sequence[Term | Slice | None]) -> Term:
    """Returns the part of an array that a subscript names; None is a new axis."""
    kinds: list[Any] = []
    operands = [array]
    for part in parts:
        if part is None:
            kinds.append(NEW_AXIS)
        elif isinstance(part, Slice):
            kinds.append(tuple(bound is not None for bound in part))
            operands += [bound for bound in part if bound is not None]
        else:
            kinds.append(INDEX)
            operands.append(part)
    return _subscript(tuple(kinds))(*operands)


def product(factors: Sequence[Term]) -> Term:
    """Returns the product of integers, from left to right; 1 of none. Constants are multiplied at once."""
    return functools.reduce(times, factors) if factors else as_term(1)


def times(first: Term, second: Term) -> Term:
    """Returns the product of two integers, that of constants as a constant."""
    if isinstance(first, Number) and isinstance(second, Number):
        return as_term(int(first.value * second.value))
    return second if is_number(first, 1) else first if is_number(second, 1) else first * second


def is_number(term: Term, value: int) -> bool:
    """True if a term is a constant of this value."""
    return isinstance(term, Number) and bool(term.value == value)


def conjunction(conditions: Sequence[Term]) -> Term:
    """Returns whether all conditions hold; all are computed."""
    return functools.reduce(operator.and_, conditions)


# ---- statements ---------------------------------------------------------------------------------------------------


class Statement:
    """The base of statements.

    Attributes:
        location: the place in the user's source that it comes from; None if no such place is known.
    """

    location: numba_ir.Loc | None = None

    @property
    def bodies(self) -> Sequence[list[Statement]]:
        """The lists of statements in it."""
        return ()

    @property
    def terms(self) -> Sequence[Term]:
        """The expressions that it reads."""
        return ()


@dataclass(eq=False)
class Assign(Statement):
    """Gives a variable, variables in a tuple, or an element or a part of an array a value."""

    target: Term
    value: Term

    @property
    def terms(self) -> Sequence[Term]:
        return (self.value, *self.target.operands) if isinstance(self.target.operation, Subscript) else (self.value,)


@dataclass(eq=False)
class Update(Statement):
    """Gives a variable or an element what an operation makes of it and a value."""

    target: Term
    operation: ScalarOperation
    value: Term

    @property
    def terms(self) -> Sequence[Term]:
        return self.value, self.target


@dataclass(eq=False)
class If(Statement):
    """Runs statements if a condition holds, else others."""

    condition: Term
    then: list[Statement] = field(default_factory=list)
    otherwise: list[Statement] = field(default_factory=list)

    @property
    def bodies(self) -> Sequence[list[Statement]]:
        return self.then, self.otherwise

    @property
    def terms(self) -> Sequence[Term]:
        return (self.condition,)


@dataclass(eq=False)
class For(Statement):
    """Runs statements for each integer below a count, which a variable has."""

    variable: Variable
    count: Term
    body: list[Statement] = field(default_factory=list)

    @property
    def bodies(self) -> Sequence[list[Statement]]:
        return (self.body,)

    @property
    def terms(self) -> Sequence[Term]:
        return (self.count,)


@dataclass(eq=False)
class Jump(Statement):
    """Goes to the block of a number."""

    block: int


@dataclass(eq=False)
class Return(Statement):
    """Ends the function with a result."""

    value: Term

    @property
    def terms(self) -> Sequence[Term]:
        return (self.value,)


@dataclass(eq=False)
class Raise(Statement):
    """Raises an exception with constant arguments; ``name`` is what the code calls the class."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(eq=False)
class Evaluate(Statement):
    """Computes a value for its effect."""

    value: Term

    @property
    def terms(self) -> Sequence[Term]:
        return (self.value,)


def add_to(target: Term, value: Any) -> Update:
    """Returns the statement that adds to a variable or an element."""
    return Update(target, ADD, as_term(value))


def subtract_from(target: Term, value: Any) -> Update:
    """Returns the statement that subtracts from a variable or an element."""
    return Update(target, SUBTRACT, as_term(value))


def assign(target: Term, value: Any) -> Assign:
    """Returns the statement that gives a variable, an element or variables in a tuple a value."""
    return Assign(target, as_term(value))


def raise_if(condition: Term, exception: type[BaseException], message: str) -> If:
    """Returns the statement that raises an exception of Python if a condition holds."""
    return If(condition, [Raise(exception.__name__, (message,))])


def statements_in(body: Sequence[Statement]) -> Iterator[Statement]:
    """Yields statements, each before those within it."""
    for statement in body:
        yield statement
        for inner in statement.bodies:
            yield from statements_in(inner)


def assigned_variables(statement: Statement) -> Iterator[Variable]:
    """Yields the variables that a statement itself gives values, not those within it."""
    if isinstance(statement, For):
        yield statement.variable
    elif isinstance(statement, (Assign, Update)):
        targets = [statement.target]
        while targets:
            target = targets.pop()
            if isinstance(target, Variable):
                yield target
            elif isinstance(target.operation, TupleOf):
                targets += target.operands


# ---- functions ----------------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Code:
    """The code of a function.

    Attributes:
        name: of the function.
        parameters: its parameters.
        prologue: what it does first.
        blocks: the blocks that follow, by their numbers. Each ends with a `Jump`, a `Return` or a `Raise`. None if the prologue returns.
        start: the number of the first block.
        result: the type of the result, of a function that may call itself; None if its first return decides.
        guard: where it is false, the function that is called ``general`` computes the result. None: it is always true.
    """

    name: str
    parameters: list[Variable]
    prologue: list[Statement]
    blocks: dict[int, list[Statement]] = field(default_factory=dict)
    start: int = 0
    result: types.Type | None = None
    guard: Term | None = None
