"""Terms: formulas of numbers as data, and the table of the scalar functions that they are made of.

A row of the operation table says its formula as a function of terms: ``code=lambda x: x / (1 + terms.abs(x))``. It is traced once. Printers make
of the term the body of a kernel (compiler/fusion/scalar_code.py), the text of a derivative (derivatives/transform/emission.py), and what tests evaluate.
"""

from __future__ import annotations

import enum
import functools
import operator
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

from fastgrad._src.scalars.constants import (
    ROOT_HALF_OVER_PI,
    SELU_SCALE,
    SELU_SCALED_ALPHA,
    TANH_GELU_CUBIC,
)

CHEAP_COST, DIVISION_COST, FUNCTION_COST = 1, 4, 20
"""The costs of operations, where an addition costs 1."""


class Singularity(enum.Flag):
    """Kinds of operands where a slope is infinite.

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
        name: of the function that it calls; None for an operator.
        function: the function that it calls in a derivative; None for an operator, and where a table of functions says it.
        cost: of computing it, where an addition costs 1.
        definition: the function of terms that it stands for where a printer has no function of its name; None for others.
        may_raise: whether it may raise, so that it is needed though nothing uses its result.
        is_speculatable: whether it may be computed where its result may not be needed: it costs little and raises nothing.
        keeps_naturals: whether the result is an integer of at least 0 if all operands are.
        reads_parameter: whether it reads a parameter that is no number and no array.
        singularity: where its slope is infinite at a finite operand.
        is_singular_at_0_only: whether its slope is infinite at 0 alone.
        flat_at: the singularities of its operands at which its slope may be 0, so that the product of both slopes may have any limit.
            The slope of a square is 0 at that of a root. That of a reciprocal is 0 where the operand is infinite. That of ``exp`` falls quicker
            than a pole rises, but not than a logarithm does.
        is_never_negative: whether no result is below 0.
    """

    __slots__ = (
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
        "reads_parameter",
        "singularity",
        "text",
    )

    def __init__(  # noqa: PLR0913  # each argument is a fact of the operation
        self,
        text: str,
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
    ) -> None:
        self.text = text
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

    def __repr__(self) -> str:
        return f"<operation {self.text}>"

    def __call__(self, *operands: Any) -> Term:
        """Returns the term of the operation of terms and Python numbers."""
        return Term(self, tuple([as_term(operand) for operand in operands]))


# ---- operators ----------------------------------------------------------------------------------------------------

ADD = ScalarOperation("({0} + {1})", is_speculatable=True, keeps_naturals=True)
SUBTRACT = ScalarOperation("({0} - {1})", is_speculatable=True)
MULTIPLY = ScalarOperation("({0} * {1})", is_speculatable=True, keeps_naturals=True, flat_at=Singularity.ROOT)
DIVIDE = ScalarOperation("({0} / {1})", cost=DIVISION_COST, flat_at=AT_INFINITY)
FLOOR_DIVIDE = ScalarOperation("({0} // {1})", cost=DIVISION_COST)
REMAINDER = ScalarOperation("({0} % {1})", cost=DIVISION_COST)
POWER = ScalarOperation("({0} ** {1})", cost=FUNCTION_COST, is_singular_at_0_only=True)
NEGATIVE = ScalarOperation("(-{0})", is_speculatable=True)
POSITIVE = ScalarOperation("(+{0})", is_speculatable=True)
LESS = ScalarOperation("({0} < {1})")
LESS_EQUAL = ScalarOperation("({0} <= {1})")
GREATER = ScalarOperation("({0} > {1})")
GREATER_EQUAL = ScalarOperation("({0} >= {1})")
EQUAL = ScalarOperation("({0} == {1})")
NOT_EQUAL = ScalarOperation("({0} != {1})")
NOT = ScalarOperation("(not {0})")
AND = ScalarOperation("({0} and {1})")
OR = ScalarOperation("({0} or {1})")
SELECT = ScalarOperation("({1} if {0} else {2})")
COMPARISONS = frozenset([LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, EQUAL, NOT_EQUAL])

OPERATORS: dict[Any, ScalarOperation] = {
    operator.add: ADD,
    operator.sub: SUBTRACT,
    operator.mul: MULTIPLY,
    operator.truediv: DIVIDE,
    operator.floordiv: FLOOR_DIVIDE,
    operator.mod: REMAINDER,
    operator.pow: POWER,
    operator.lt: LESS,
    operator.le: LESS_EQUAL,
    operator.gt: GREATER,
    operator.ge: GREATER_EQUAL,
    operator.eq: EQUAL,
    operator.ne: NOT_EQUAL,
    operator.and_: ScalarOperation("({0} & {1})"),
    operator.or_: ScalarOperation("({0} | {1})"),
    operator.xor: ScalarOperation("({0} ^ {1})"),
    operator.lshift: ScalarOperation("({0} << {1})"),
    operator.rshift: ScalarOperation("({0} >> {1})"),
    operator.neg: NEGATIVE,
    operator.pos: POSITIVE,
    operator.invert: ScalarOperation("(~{0})"),
    operator.not_: NOT,
}
"""The operations of Python's operators of numbers."""


def _binary(operation: ScalarOperation) -> Callable[[Any, Any], Any]:
    return lambda x, y: operation(x, y)  # noqa: PLW0108  # only functions become methods


def _reflected(operation: ScalarOperation) -> Callable[[Any, Any], Any]:
    return lambda x, y: operation(y, x)


def _unary(operation: ScalarOperation) -> Callable[[Any], Any]:
    return lambda x: operation(x)  # noqa: PLW0108


# ---- terms --------------------------------------------------------------------------------------------------------


class Term:
    """A node of a formula: an operation on other terms, or a leaf (`Leaf`, `Number`). Python's operators make terms.

    Attributes:
        operation: computes it from the operands; None for leaves.
        operands: the terms that the operation is applied to.
        dtype: the NumPy dtype of the number; None if it takes the dtype of the numbers beside it.
    """

    __slots__ = ("dtype", "operands", "operation")

    def __init__(self, operation: ScalarOperation | None, operands: tuple[Term, ...] = (), dtype: Any = None) -> None:
        self.operation = operation
        self.operands = operands
        self.dtype = dtype

    def __bool__(self) -> bool:
        raise TypeError(
            "a term has no truth value: use terms.where, terms.logical_and, terms.logical_or or terms.logical_not"
        )

    __add__, __radd__ = _binary(OPERATORS[operator.add]), _reflected(OPERATORS[operator.add])
    __sub__, __rsub__ = _binary(OPERATORS[operator.sub]), _reflected(OPERATORS[operator.sub])
    __mul__, __rmul__ = _binary(OPERATORS[operator.mul]), _reflected(OPERATORS[operator.mul])
    __truediv__, __rtruediv__ = _binary(OPERATORS[operator.truediv]), _reflected(OPERATORS[operator.truediv])
    __floordiv__, __rfloordiv__ = _binary(OPERATORS[operator.floordiv]), _reflected(OPERATORS[operator.floordiv])
    __mod__, __rmod__ = _binary(OPERATORS[operator.mod]), _reflected(OPERATORS[operator.mod])
    __pow__, __rpow__ = _binary(OPERATORS[operator.pow]), _reflected(OPERATORS[operator.pow])
    __and__, __rand__ = _binary(OPERATORS[operator.and_]), _reflected(OPERATORS[operator.and_])
    __or__, __ror__ = _binary(OPERATORS[operator.or_]), _reflected(OPERATORS[operator.or_])
    __xor__, __rxor__ = _binary(OPERATORS[operator.xor]), _reflected(OPERATORS[operator.xor])
    __lshift__, __rlshift__ = _binary(OPERATORS[operator.lshift]), _reflected(OPERATORS[operator.lshift])
    __rshift__, __rrshift__ = _binary(OPERATORS[operator.rshift]), _reflected(OPERATORS[operator.rshift])
    __lt__ = _binary(OPERATORS[operator.lt])
    __le__ = _binary(OPERATORS[operator.le])
    __gt__ = _binary(OPERATORS[operator.gt])
    __ge__ = _binary(OPERATORS[operator.ge])
    __eq__ = _binary(OPERATORS[operator.eq])
    __ne__ = _binary(OPERATORS[operator.ne])
    __neg__ = _unary(OPERATORS[operator.neg])
    __pos__ = _unary(OPERATORS[operator.pos])
    __invert__ = _unary(OPERATORS[operator.invert])
    __hash__ = object.__hash__


class Leaf(Term):
    """A number that a formula is computed from. Two are equal if they are one object.

    Attributes:
        name: for messages.
        position: the number of the operand; None for others.
    """

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


# ---- functions ----------------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, ScalarOperation] = {}
"""The scalar functions by name."""
OTHER_NAMES: dict[str, str] = {}
"""Maps names of ``math``, NumPy and SciPy to the names of the same functions here, where the two differ."""


def _function_of(
    name: str, arity: int = 1, cost: int = FUNCTION_COST, other_names: tuple[str, ...] = (), **facts: Any
) -> ScalarOperation:
    """Declares a scalar function.

    Args:
        name: its name in formulas.
        arity: the number of its operands.
        cost: of computing it, where an addition costs 1.
        other_names: its names in ``math``, NumPy and ``scipy.special``, where they differ.
        **facts: further attributes of `ScalarOperation`.
    """
    operands = ", ".join(f"{{{number}}}" for number in range(arity))
    FUNCTIONS[name] = ScalarOperation(f"{name}({operands})", name=name, cost=cost, **facts)
    OTHER_NAMES.update(dict.fromkeys(other_names, name))
    return FUNCTIONS[name]


def function_named(name: str) -> ScalarOperation | None:
    """Returns the scalar function that has a name in formulas, ``math``, NumPy or ``scipy.special``, or None."""
    return FUNCTIONS.get(OTHER_NAMES.get(name, name))


def names_of(name: str) -> list[str]:
    """Returns all names of the scalar function that has a name in formulas."""
    return [name, *[other_name for other_name, own_name in OTHER_NAMES.items() if own_name == name]]


_ROOT: dict[str, Any] = {"singularity": Singularity.ROOT}
_LOGARITHM: dict[str, Any] = {"singularity": Singularity.LOGARITHM, "flat_at": AT_INFINITY}
_EXPONENTIAL: dict[str, Any] = {"flat_at": Singularity.LOGARITHM}

where = _function_of("where", 3, CHEAP_COST)
logical_and, logical_or, logical_not = AND, OR, NOT
cast = _function_of("cast", 1, CHEAP_COST)
"""The conversion to the dtype of the row's result."""
abs = _function_of("abs", 1, CHEAP_COST, ("absolute", "fabs"), is_never_negative=True, flat_at=Singularity.ROOT)
sign = _function_of("sign", 1, CHEAP_COST)
floor = _function_of("floor", 1, CHEAP_COST)
ceil = _function_of("ceil", 1, CHEAP_COST)
rint = _function_of("rint", 1, CHEAP_COST)
isnan = _function_of("isnan", 1, CHEAP_COST)
isinf = _function_of("isinf", 1, CHEAP_COST)
isfinite = _function_of("isfinite", 1, CHEAP_COST)
maximum = _function_of("maximum", 2, CHEAP_COST)
minimum = _function_of("minimum", 2, CHEAP_COST)
sqrt = _function_of(
    "sqrt", 1, DIVISION_COST, **_ROOT, is_singular_at_0_only=True, is_never_negative=True, flat_at=AT_INFINITY
)
exp = _function_of("exp", is_never_negative=True, **_EXPONENTIAL)
expm1 = _function_of("expm1", **_EXPONENTIAL)
log = _function_of("log", is_singular_at_0_only=True, **_LOGARITHM)
log1p = _function_of("log1p", **_LOGARITHM)
log2 = _function_of("log2", is_singular_at_0_only=True, **_LOGARITHM)
log10 = _function_of("log10", is_singular_at_0_only=True, **_LOGARITHM)
sin = _function_of("sin")
cos = _function_of("cos")
tan = _function_of("tan")
asin = _function_of("asin", other_names=("arcsin",), **_ROOT)
acos = _function_of("acos", other_names=("arccos",), **_ROOT)
atan = _function_of("atan", other_names=("arctan",), flat_at=AT_INFINITY)
sinh = _function_of("sinh")
cosh = _function_of("cosh")
tanh = _function_of("tanh", **_EXPONENTIAL)
asinh = _function_of("asinh", other_names=("arcsinh",), flat_at=AT_INFINITY)
acosh = _function_of("acosh", other_names=("arccosh",), **_ROOT)
atanh = _function_of("atanh", other_names=("arctanh",), singularity=Singularity.LOGARITHM)
erf = _function_of("erf", **_EXPONENTIAL)
erfc = _function_of("erfc", **_EXPONENTIAL)
lgamma = _function_of("lgamma", other_names=("gammaln",))
digamma = _function_of("digamma", other_names=("psi",))
atan2 = _function_of("atan2", 2, other_names=("arctan2",))
hypot = _function_of("hypot", 2)
pow = _function_of("pow", 2, other_names=("power",), is_singular_at_0_only=True)
fmod = _function_of("fmod", 2)
nextafter = _function_of("nextafter", 2)
log1p_of_fraction = _function_of("log1p_of_fraction", definition=log1p)
"""``log1p`` of a number between 0 and 1."""
sigmoid = _function_of("sigmoid", other_names=("expit",), definition=lambda x: 1 / (1 + exp(-x)), **_EXPONENTIAL)
log_sigmoid = _function_of("log_sigmoid", definition=lambda x: minimum(x, 0) - log1p(exp(-abs(x))), **_EXPONENTIAL)
softplus = _function_of("softplus", definition=lambda x: maximum(x, 0) + log1p(exp(-abs(x))), **_EXPONENTIAL)
elu_of = _function_of("elu_of", definition=lambda x: where(x >= 0, x, expm1(minimum(x, 0))))
selu_of = _function_of(
    "selu_of", definition=lambda x: where(x >= 0, SELU_SCALE * x, SELU_SCALED_ALPHA * expm1(minimum(x, 0)))
)
selu_slope = _function_of(
    "selu_slope", definition=lambda x: where(x >= 0, SELU_SCALE, SELU_SCALED_ALPHA * exp(minimum(x, 0)))
)
sigmoid_cross_entropy_of = _function_of(
    "sigmoid_cross_entropy_of",
    2,
    definition=lambda x, z: maximum(x, 0) - x * z + log1p(exp(-abs(x))),
)
"""Of a logit ``x`` and a label ``z``."""
_SQRT_HALF = 0.7071067811865476
gelu_of = _function_of("gelu_of", definition=lambda x: where(x < -40.0, 0.0, 0.5 * x * erfc(x * -_SQRT_HALF)))
"""``x`` times the normal distribution function of ``x``."""
gelu_slope = _function_of(
    "gelu_slope",
    definition=lambda x: where(
        x < -40.0, 0.0, where(x > 40.0, 1.0, 0.5 * erfc(x * -_SQRT_HALF) + x * exp(-0.5 * x * x) * ROOT_HALF_OVER_PI)
    ),
)
_TWICE_SQRT_2_OVER_PI = 1.5957691216057308
gelu_tanh_of = _function_of(
    "gelu_tanh_of",
    definition=lambda x: where(
        x < -40.0, 0.0, x / (1.0 + exp(-_TWICE_SQRT_2_OVER_PI * (x + TANH_GELU_CUBIC * x * x * x)))
    ),
)
"""``gelu_of`` by a sigmoid of a polynomial, which is Hendrycks and Gimpel's formula by ``tanh``."""


def _gelu_tanh_slope(x: Any) -> Term:
    exponent = x + TANH_GELU_CUBIC * x * x * x
    of_sigmoid = (
        _TWICE_SQRT_2_OVER_PI * x * (1.0 + 3 * TANH_GELU_CUBIC * x * x) / (1.0 + exp(_TWICE_SQRT_2_OVER_PI * exponent))
    )
    return where(
        x < -40.0, 0.0, where(x > 40.0, 1.0, (1.0 + of_sigmoid) / (1.0 + exp(-_TWICE_SQRT_2_OVER_PI * exponent)))
    )


gelu_tanh_slope = _function_of("gelu_tanh_slope", definition=_gelu_tanh_slope)

# ---- formulas -------------------------------------------------------------------------------------------------------

OPERANDS: tuple[Leaf, ...] = tuple([Leaf(f"operand {number}", number) for number in range(8)])
"""The operands of formulas, by their numbers."""


@functools.cache
def trace(code: Callable[..., Any]) -> Term:
    """Returns the term of a formula: a function of terms, or a scalar function."""
    return as_term(code(*OPERANDS[: arity_of(code)]))


def arity_of(code: Callable[..., Any]) -> int:
    """Returns the number of operands of a formula."""
    return code.text.count("{") if isinstance(code, ScalarOperation) else code.__code__.co_argcount


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
