"""Tangents as statements that can be differentiated again: each operation of a partial becomes a statement with its own partials."""

from __future__ import annotations

import functools
import operator
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numba import types

from fastgrad._src.core.errors import InternalError
from fastgrad._src.derivatives.frontend import complex_numbers
from fastgrad._src.derivatives.ir import special_functions
from fastgrad._src.derivatives.ir.call_rules import SumOfProducts
from fastgrad._src.derivatives.ir.operands import Constant, Location, Operand, Root, Scalar, View
from fastgrad._src.derivatives.ir.partials import where
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.scalar_operations import CASTS, POWER_OF_FLOAT
from fastgrad._src.derivatives.ir.statements import Branch, Compute
from fastgrad._src.derivatives.ir.values import Complex, is_hashable
from fastgrad._src.jit.numba_internals import cpu_target
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import COTANGENT, OPERANDS, OPERATORS, RESULT, Number, Term, key_of
from fastgrad._src.scalars.terms import SELECT

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering

_FUNCTIONS: dict[Any, Any] = {
    **{operation: function for function, operation in OPERATORS.items()},
    POWER_OF_FLOAT: operator.pow,
    terms.AND: operator.and_,
    terms.OR: operator.or_,
    terms.abs: abs,
}
"""What Python calls for operations that are operators. Operands of ``and`` and ``or`` are truth values, which cost nothing."""
_TYPES_OF_CASTS = {operation: getattr(types, name) for name, operation in CASTS.items()}


def _result_type(function: Any, argument_types: tuple[types.Type, ...]) -> types.Type:
    """Returns the type that Numba gives the result of a function."""
    context = cpu_target.typing_context
    signature = context.resolve_function_type(context.resolve_value_type(function), argument_types, {})
    if signature is None:
        raise InternalError(f"Numba has no {function} of {argument_types}, which a derivative calls.")
    return types.unliteral(signature.return_type)


_result_type_of_operator = functools.lru_cache(maxsize=4096)(_result_type)


class TangentNumbers:
    """Appends the numbers of tangents to the function that a lowering has made.

    Args:
        lowering: the lowering, a ``Lowering``.

    Attributes:
        is_last: as in ``TangentStatements``.
    """

    is_last = False

    def __init__(self, lowering: Lowering) -> None:
        self._lowering = lowering
        self._builder = lowering.builder
        self._evaluated: dict[Hashable, Any] = {}

    @property
    def function(self) -> Function:
        """The function."""
        return self._builder.function

    @function.setter
    def function(self, function: Function) -> None:
        self._lowering.result = self._builder.function = function

    @property
    def block(self) -> Block:
        """The current block of the function."""
        return self._builder.block

    @block.setter
    def block(self, block: Block) -> None:
        self._builder.enter(block)

    def name(self, hint: str) -> str:
        """Returns a name that no number or array of the function has, nor of a function that it becomes a part of."""
        name: str = self._builder.name(hint)
        return name

    def number(self, name: str, statement: Compute, partials: Sequence[tuple[Term, Operand]]) -> Operand:
        """Returns the sum of some partials of a statement, each for the tangent of its operand."""
        type = statement.target.type
        total: Operand = Constant(0, type)
        self._evaluated.clear()
        with self._lowering.internal_frame(statement.location):
            known = self._known_operands(statement)
            known[RESULT] = statement.target
            for number, (partial, tangent) in enumerate(partials):
                value = self._value(partial, {**known, COTANGENT: tangent})
                total = value if number == 0 else self._apply(operator.add, [total, value])
            result: Operand = self._lowering.operands.cast(total, type)
        return result

    def call(
        self, location: Location, function: Any, arguments: list[Operand | View], results: Sequence[Scalar | Root]
    ) -> Sequence[Operand | Root]:
        """Returns what a function returns, a tuple: numbers, and arrays that are whole."""
        lowering = self._lowering
        with lowering.internal_frame(location):
            if isinstance(function, SumOfProducts):
                value = lowering.calls.inline(function.function, arguments)
            else:
                type = _result_type(function, tuple(lowering.operands.types_of(arguments)))
                value = lowering.calls.call(function, arguments, {}, type, "t")
            return [self._whole_root(leaf) if isinstance(leaf, View) else leaf for leaf in value.leaves]

    def copy(self, location: Location, view: View) -> Root:
        """Returns a copy of an array."""
        with self._lowering.internal_frame(location):
            return self._copy(view)

    def check_shape(self, location: Location, argument: View, tangent: View, message: str) -> None:
        """Raises ValueError if a tangent has not the shape of its argument."""
        axes = len(argument.axes)

        def check(x: Any, t: Any) -> None:
            if x.shape != t.shape[:axes]:
                raise ValueError(message)

        with self._lowering.internal_frame(location):
            self._lowering.calls.inline(check, [argument, tangent])

    def _whole_root(self, view: View) -> Root:
        return view.root if view.is_whole() else self._copy(view)

    def _copy(self, view: View) -> Root:
        lowering = self._lowering
        copy: View = lowering.array_functions.copy(lowering, view)
        return copy.root

    def _known_operands(self, statement: Compute) -> dict[Term, Operand]:
        """Returns the operands of a statement's partials. An operand with a formula but without partials is evaluated again, with partials."""
        known: dict[Term, Operand] = {}
        for leaf, operand in zip(OPERANDS, statement.operands, strict=False):
            known[leaf] = operand
            made = operand.definition
            if (
                isinstance(made, Compute)
                and made.is_repeatable
                and made.target.is_real
                and made.operation.definition is not None
                and made.partials[0] is None
            ):
                term = made.operation.definition(*OPERANDS[: made.operation.arity])
                known[leaf] = self._value(term, self._known_operands(made))
        return known

    # ---- terms -------------------------------------------------------------------------------------------------------

    def _value(self, term: Term, known: Mapping[Term, Operand]) -> Any:
        """Returns the number that a term stands for, which may be complex."""
        if term in known:
            return known[term]
        if isinstance(term, Number):
            return self._constant(term)
        operation = term.operation
        if operation is SELECT or (operation is not None and operation.function is where):
            return self._selection(term, known)
        if operation in complex_numbers.PARTS:  # both parts of one number
            inner = term.operands[0]
            key = key_of(inner), tuple(known.values())
            if key not in self._evaluated:
                self._evaluated[key] = self._value(inner, known)
            number = self._evaluated[key]
            return (number.real, number.imag)[complex_numbers.PARTS.index(operation)]
        operands = [self._value(operand, known) for operand in term.operands]
        if operation in _TYPES_OF_CASTS:
            cast: Operand = self._lowering.operands.cast(operands[0], _TYPES_OF_CASTS[operation])
            return cast
        if operation is complex_numbers.COMPLEX:
            return self._complex(*operands)
        function = _FUNCTIONS.get(operation) or getattr(operation, "function", None)
        if function is None:
            raise InternalError(f"the operation {operation} of a partial has no function.")
        return self._apply(function, operands)

    def _complex(self, real: Operand, imag: Operand) -> Complex:
        type = self._common_type([real, imag])
        return Complex(self._lowering.operands.cast(real, type), self._lowering.operands.cast(imag, type))

    def _constant(self, number: Number) -> Constant:
        constant: Constant = self._builder.constant(number.value)
        return constant if number.dtype is None else Constant(number.value, getattr(types, number.dtype.name))

    def _apply(self, function: Any, operands: list[Any]) -> Any:
        lowering = self._lowering
        argument_types = tuple(types.unliteral(operand.type) for operand in operands)
        if is_hashable(function) and function in OPERATORS:
            return lowering.operators.apply(function, operands, _result_type_of_operator(function, argument_types))
        type = _result_type(function, argument_types)
        special_name = special_functions.special_name(function)
        if special_name is not None:
            return special_functions.call(lowering, special_name, function, operands, type)
        return lowering.calls.call(function, operands, {}, type, "t")

    def _selection(self, term: Term, known: Mapping[Term, Operand]) -> Any:
        """Returns one of two numbers, as a condition decides: by a branch, unless both are known."""
        condition = self._value(term.operands[0], known)
        choices = term.operands[1:]
        if isinstance(condition, Constant):
            return self._value(choices[0 if condition.value else 1], known)
        if all(choice.operation is None for choice in choices):
            return self._choice(condition, *[self._value(choice, known) for choice in choices])
        builder, ways = self._builder, []
        then, otherwise, after = [builder.new_block() for _ in range(3)]
        builder.block.end = Branch(condition, then, otherwise)
        evaluated = {**self._evaluated}
        for block, choice in zip((then, otherwise), choices, strict=True):
            builder.enter(block)
            value = self._value(choice, known)
            ways.append((builder.block, value))
            builder.jump(after)
            self._evaluated = {**evaluated}
        builder.enter(after)
        return self._lowering.phis.merge(self._common_type([value for _, value in ways]), ways, "t")

    def _choice(self, condition: Operand, first: Operand, second: Operand) -> Any:
        type = self._common_type([first, second])
        operands = [condition, *[self._lowering.operands.cast(value, type) for value in (first, second)]]
        return self._lowering.calls.call(where, operands, {}, type, "t")

    def _common_type(self, values: Sequence[Any]) -> types.Type:
        floats = [value.type for value in values if isinstance(value.type, types.Float)]
        return max(floats, key=operator.attrgetter("bitwidth")) if floats else values[0].type
