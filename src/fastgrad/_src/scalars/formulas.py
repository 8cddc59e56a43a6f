"""Formulas of numbers as data: terms, and their operations.

A row of the operation table gives its formula as a function of terms: ``code=lambda x: x / (1 + terms.abs(x))``. The function is traced once. Printers turn
the term into the body of a kernel (compiler/fusion/scalar_code.py), into the source of a derivative (derivatives/transform/emission.py), and into code for tests.
"""

from __future__ import annotations

import enum
import functools
import operator
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

CHEAP_COST, DIVISION_COST, FUNCTION_COST = 1, 4, 20
"""The costs of operations, where an addition costs 1."""


class Singularity(enum.Flag):
    """Kinds of operands where a derivative is infinite.

    Attributes:
        ROOT: the result is finite, as that of a square root at 0.
        POLE: the result is infinite, as that of a reciprocal at 0.
        LOGARITHM: the result is infinite, and grows slower than any power, as that of a logarithm at 0.
    """

    ROOT = enum.auto()
    POLE = enum.auto()
    LOGARITHM = enum.auto()


NO_SINGULARITY = Singularity(0)
AT_INFINITY = Singularity.POLE | Singularity.LOGARITHM
ANYWHERE = AT_INFINITY | Singularity.ROOT


class ScalarOperation:
    """An operation of numbers. Two are equal if they are one object. A call with terms returns their term.

    Attributes:
        text: its expression in Python, with ``{0}``, ``{1}`` … for the operands.
        arity: the number of operands.
        name: of the function that it calls; None for an operator.
        function: the function that it calls in a derivative; None for an operator, and where a table of functions says it.
        cost: of computing it, where an addition costs 1.
        definition: the function of terms that it stands for where a printer has no function of its name; None for others.
        may_raise: whether it may raise, so that it is needed though nothing uses its result.
        is_speculatable: whether it may be computed where its result may not be needed: it costs little and raises nothing.
        keeps_naturals: whether the result is an integer of at least 0 if all operands are.
        reads_parameter: whether it reads a parameter that is no number and no array.
        singularity: where its derivative is infinite at a finite operand.
        is_singular_at_0_only: whether its derivative is infinite at 0 alone.
        flat_at: the singularities of its operands at which its derivative may be 0, so that the product of both derivatives may have any limit.
            The derivative of a square is 0 at that of a root. That of a reciprocal is 0 where the operand is infinite. That of ``exp`` falls quicker
            than a pole rises, but not than a logarithm does.
        is_never_negative: whether no result is below 0.
        partials: for each operand a function from the cotangent of the result, the result and the operands to the cotangent of this
            operand, all terms; 0 for an operand that changes the result by jumps, None for one that has no derivative. Empty for an
            operation without derivatives.
    """

    __slots__ = (
        "arity",
        "cost",
        "definition",
        "flat_at",
        "function",
        "is_never_negative",
        "is_singular_at_0_only",
        "is_speculatable",
        "keeps_naturals",
        "may_raise",
        "name",
        "partials",
        "reads_parameter",
        "singularity",
        "text",
    )

    def __init__(  # noqa: PLR0913  # each argument is a fact of the operation
        self,
        text: str,
        arity: int,
        function: Any = None,
        *,
        name: str | None = None,
        cost: int = CHEAP_COST,
        definition: Callable[..., Any] | None = None,
        may_raise: bool = False,
        is_speculatable: bool = False,
        keeps_naturals: bool = False,
        reads_parameter: bool = False,
        singularity: Singularity = NO_SINGULARITY,
        is_singular_at_0_only: bool = False,
        flat_at: Singularity = ANYWHERE,
        is_never_negative: bool = False,
        partials: tuple[Callable[..., Any] | None, ...] = (),
    ) -> None:
        self.text = text
        self.arity = arity
        self.function = function
        self.name = name
        self.cost = cost
        self.definition = definition
        self.may_raise = may_raise
        self.is_speculatable = is_speculatable
        self.keeps_naturals = keeps_naturals
        self.reads_parameter = reads_parameter
        self.singularity = singularity
        self.is_singular_at_0_only = is_singular_at_0_only
        self.flat_at = flat_at
        self.is_never_negative = is_never_negative
        self.partials = partials

    def __repr__(self) -> str:
        return f"<operation {self.text}>"

    def __call__(self, *operands: Any) -> Term:
        """Returns the term of the operation of terms and Python numbers; raises TypeError for another number of them than it takes."""
        if len(operands) != self.arity:
            raise TypeError(f"{self.text} takes {self.arity} operands, got {len(operands)}")
        return Term(self, tuple([as_term(operand) for operand in operands]))


OPERATORS: dict[Any, ScalarOperation] = {}
"""The operations of Python's operators of numbers, which ``terms.py`` declares."""


def _binary(function: Any) -> Callable[[Any, Any], Any]:
    return lambda x, y: OPERATORS[function](x, y)  # noqa: PLW0108  # the table is filled later


def _reflected(function: Any) -> Callable[[Any, Any], Any]:
    return lambda x, y: OPERATORS[function](y, x)


def _unary(function: Any) -> Callable[[Any], Any]:
    return lambda x: OPERATORS[function](x)  # noqa: PLW0108


# ---- terms --------------------------------------------------------------------------------------------------------


class Term:
    """A node of a formula: an operation on other terms, or a leaf (`Leaf`, `Number`). Python's operators make terms.

    Attributes:
        operation: computes it from the operands; None for leaves.
        operands: the terms that the operation is applied to.
        dtype: the NumPy dtype of the number; None if it takes the dtype of the numbers beside it.
    """

    __slots__ = ("dtype", "operands", "operation")

    position: int | None = None
    """The number of the operand that it is; None for others."""

    def __init__(self, operation: ScalarOperation | None, operands: tuple[Term, ...] = (), dtype: Any = None) -> None:
        self.operation = operation
        self.operands = operands
        self.dtype = dtype

    def __bool__(self) -> bool:
        raise TypeError(
            "a term has no truth value: use terms.where, terms.logical_and, terms.logical_or or terms.logical_not"
        )

    __add__, __radd__ = _binary(operator.add), _reflected(operator.add)
    __sub__, __rsub__ = _binary(operator.sub), _reflected(operator.sub)
    __mul__, __rmul__ = _binary(operator.mul), _reflected(operator.mul)
    __truediv__, __rtruediv__ = _binary(operator.truediv), _reflected(operator.truediv)
    __floordiv__, __rfloordiv__ = _binary(operator.floordiv), _reflected(operator.floordiv)
    __mod__, __rmod__ = _binary(operator.mod), _reflected(operator.mod)
    __pow__, __rpow__ = _binary(operator.pow), _reflected(operator.pow)
    __and__, __rand__ = _binary(operator.and_), _reflected(operator.and_)
    __or__, __ror__ = _binary(operator.or_), _reflected(operator.or_)
    __xor__, __rxor__ = _binary(operator.xor), _reflected(operator.xor)
    __lshift__, __rlshift__ = _binary(operator.lshift), _reflected(operator.lshift)
    __rshift__, __rrshift__ = _binary(operator.rshift), _reflected(operator.rshift)
    __lt__ = _binary(operator.lt)
    __le__ = _binary(operator.le)
    __gt__ = _binary(operator.gt)
    __ge__ = _binary(operator.ge)
    __eq__ = _binary(operator.eq)
    __ne__ = _binary(operator.ne)
    __neg__ = _unary(operator.neg)
    __pos__ = _unary(operator.pos)
    __invert__ = _unary(operator.invert)
    __hash__ = object.__hash__


class Leaf(Term):
    """A number that a formula is computed from, whose ``name`` is for messages. Two are equal if they are one object."""

    __slots__ = ("name", "position")

    def __init__(self, name: str, position: int | None = None, dtype: Any = None) -> None:
        super().__init__(None, dtype=dtype)
        self.name = name
        self.position = position

    def __repr__(self) -> str:
        return f"<leaf {self.name}>"


class Number(Term):
    """A constant.

    Attributes:
        value: a Python number.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any, dtype: Any = None) -> None:
        super().__init__(None, dtype=dtype)
        self.value = value

    def __repr__(self) -> str:
        return f"<number {self.value!r}>"


def as_term(value: Any) -> Term:
    """Returns a term as it is, a Python number as a constant."""
    return value if isinstance(value, Term) else Number(value)


# ---- formulas -----------------------------------------------------------------------------------------------------

OPERANDS: tuple[Leaf, ...] = tuple([Leaf(f"operand {number}", number) for number in range(8)])
"""The operands of formulas, by their numbers."""
COTANGENT = Leaf("cotangent")
"""The cotangent of the result, in partials."""
RESULT = Leaf("result")
"""The result, in partials."""


@functools.cache
def trace(code: Callable[..., Any]) -> Term:
    """Returns the term of a formula: a function of terms, or a scalar function."""
    return as_term(code(*OPERANDS[: arity_of(code)]))


@functools.cache
def partials_of(operation: ScalarOperation) -> tuple[Term | None, ...]:
    """Returns the partials of an operation as terms of `COTANGENT`, `RESULT` and `OPERANDS`."""
    operands = OPERANDS[: operation.arity]
    return tuple([None if rule is None else as_term(rule(COTANGENT, RESULT, *operands)) for rule in operation.partials])


def arity_of(code: Callable[..., Any]) -> int:
    """Returns the number of operands of a formula: a function of terms, or a scalar function."""
    return code.arity if isinstance(code, ScalarOperation) else code.__code__.co_argcount


def nodes_of(term: Term) -> Iterator[Term]:
    """Yields the nodes of a term, a node as often as it is used."""
    yield term
    for operand in term.operands:
        yield from nodes_of(operand)


def in_postorder(*terms: Term) -> list[Term]:
    """Returns ``terms`` and all nodes that they are computed from, each once, operands first."""
    order: list[Term] = []
    visited_ids: set[int] = set()
    stack = [(term, False) for term in reversed(terms)]
    while stack:
        term, is_ready = stack.pop()
        if is_ready:
            order.append(term)
        elif id(term) not in visited_ids:
            visited_ids.add(id(term))
            stack.append((term, True))
            stack += [(operand, False) for operand in reversed(term.operands)]
    return order


def transform(term: Term, replace: Callable[[Term], Term | None]) -> Term:
    """Returns a term with other nodes: ``replace`` takes a node whose operands are transformed, and returns a term, or None to keep it."""
    new_terms: dict[Term, Term] = {}
    for node in in_postorder(term):
        new_node = _with_operands(node, new_terms)
        replacement = replace(new_node)
        new_terms[node] = new_node if replacement is None else replacement
    return new_terms[term]


def _with_operands(term: Term, new_terms: Mapping[Term, Term]) -> Term:
    """Returns a term with the terms of ``new_terms`` for its operands."""
    operands = tuple([new_terms[operand] for operand in term.operands])
    is_new = any(new is not old for new, old in zip(operands, term.operands, strict=True))
    return Term(term.operation, operands, term.dtype) if is_new else term


def substitute(term: Term, values: Mapping[Term, Term]) -> Term:
    """Returns a term with the terms of ``values`` for some of its nodes."""
    new_terms = dict(values)
    for node in in_postorder(term):
        if node not in new_terms:
            new_terms[node] = _with_operands(node, new_terms)
    return new_terms[term]


def expand(term: Term) -> Term:
    """Returns a term without the functions that have definitions."""

    def replace(node: Term) -> Term | None:
        if node.operation is None or node.operation.definition is None:
            return None
        return expand(as_term(node.operation.definition(*node.operands)))

    return transform(term, replace)


def key_of(term: Term) -> Hashable:
    """Returns a key that two terms share if they are one operation of the same operands."""
    if isinstance(term, Number):
        return term.value, term.dtype
    return id(term) if term.operation is None else (term.operation, *map(key_of, term.operands))


def is_same(first: Term, second: Term) -> bool:
    """True if two terms are one operation of the same operands."""
    return key_of(first) == key_of(second)


def text_of(term: Term, text_of_leaf: Callable[[Term], str]) -> str:
    """Returns the Python expression of a term."""
    if term.operation is None:
        return text_of_leaf(term)
    return term.operation.text.format(*[text_of(operand, text_of_leaf) for operand in term.operands])
