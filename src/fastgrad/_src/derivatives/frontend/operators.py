"""Lowering of operators and of functions of numbers: for numbers with their partials, tuples, strings and members of enumerations."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.frontend import array_expressions, complex_numbers, containers, mappings, methods
from fastgrad._src.derivatives.frontend.operands import Part
from fastgrad._src.derivatives.ir import scalar_rules
from fastgrad._src.derivatives.ir.operands import INDEX, Constant, Operand, Scalar, index_constant, is_constant
from fastgrad._src.derivatives.ir.partials import (
    ZERO_PRODUCT,
    Partial,
    deciding_comparison,
    float_constant,
    with_operand,
    without_zeros,
)
from fastgrad._src.derivatives.ir.scalar_operations import (
    IS_TRUE,
    KEEPING_NATURALS,
    POWER_OF_FLOAT,
    may_raise,
    njit_that_may_raise,
)
from fastgrad._src.derivatives.ir.statements import Compute
from fastgrad._src.derivatives.ir.values import (
    EnumerationMember,
    Items,
    Mapping,
    NumberedText,
    OptionalValue,
    Static,
    TextParameter,
    describe,
    is_complex,
    static_value,
    tuple_of,
    type_of,
)
from fastgrad._src.derivatives.output.text import of_parameters
from fastgrad._src.derivatives.output.tree import Variable
from fastgrad._src.jit.library_functions import njit_kept_on_disk
from fastgrad._src.jit.numba_internals import ir
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import COTANGENT, OPERANDS, OPERATORS, ScalarOperation, Singularity
from fastgrad._src.scalars.terms import EQUAL, NOT, POWER, SELECT, where

_MOST_MULTIPLICATIONS = 1 << 16
"""The largest exponent of which Numba multiplies the base; powers of larger ones are those of C's ``pow``, which does not raise."""


@njit_that_may_raise
def checked_quotient(x, y):  # type: ignore[no-untyped-def]
    """Returns ``x / y``; raises as Python does if ``y`` is 0."""
    if y == 0:
        raise ZeroDivisionError("division by zero")
    return x / y


@njit_that_may_raise
def checked_floor_quotient(x, y):  # type: ignore[no-untyped-def]
    """Returns ``x // y``; raises as Python does if ``y`` is 0."""
    if y == 0:
        raise ZeroDivisionError("integer division or modulo by zero")
    return x // y


@njit_that_may_raise
def checked_remainder(x, y):  # type: ignore[no-untyped-def]
    """Returns ``x % y``; raises as Python does if ``y`` is 0."""
    if y == 0:
        raise ZeroDivisionError("integer division or modulo by zero")
    return x % y


@may_raise
@njit_kept_on_disk(error_model="python")
def checked_power(x, exponent):  # type: ignore[no-untyped-def]
    """Returns ``x ** exponent`` for an integer; raises as Python does if ``x`` is 0, or the power underflows, and ``exponent`` is negative."""
    if x == 0 and -_MOST_MULTIPLICATIONS <= exponent < 0:
        raise ZeroDivisionError("division by zero")
    return x**exponent  # Numba's division raises where the power of a number other than 0 is 0


def check_power(x, exponent):  # type: ignore[no-untyped-def]
    """Raises as `checked_power` does. Within ``try`` the derivative does the power itself without a check."""
    if -_MOST_MULTIPLICATIONS <= exponent < 0 and math.pow(x, -exponent) == 0:
        raise ZeroDivisionError("division by zero")


_CHECKED_DIVISIONS = {
    operator.truediv: checked_quotient,
    operator.floordiv: checked_floor_quotient,
    operator.mod: checked_remainder,
}
KEEPING_NATURALS.update([checked_floor_quotient, checked_remainder])


_FOLDED_OPERATORS = frozenset(
    [
        *(operator.add, operator.sub, operator.mul, operator.neg, operator.not_),
        *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
    ]
)


def fold(function: Any, numbers: list[Any], type: types.Type) -> Constant:
    """Returns an operator of constants, in the arithmetic of its type."""
    values = [number.value for number in numbers]
    if isinstance(type, (types.Float, types.Integer)):
        dtype = np.dtype(str(type)).type
        with np.errstate(all="ignore"):
            return Constant(function(*[dtype(value) for value in values]).item(), type)
    return Constant(bool(function(*values)), type)


class Operators(Part):
    """Lowers operators, and functions of numbers."""

    def array_expression(self, name: str, value: ir.Expr) -> Any:
        """Lowers an expression of arrays, element by element."""
        return self._operands.array_of_elements(
            name, array_expressions.expression(self._lowering, value, self._lowering.frame.type_of(name))
        )

    def binary(self, name: str, value: ir.Expr) -> Any:
        """Lowers an operator of two operands."""
        operands = [self._operands.optional_value(value.lhs), self._operands.optional_value(value.rhs)]
        return self.apply(value.fn, operands, self._lowering.frame.type_of(name), name)

    def in_place(self, name: str, value: ir.Expr) -> Any:
        """Lowers an operator such as ``+=``."""
        left, right = self._operands.value(value.lhs), self._operands.value(value.rhs)
        if left.is_list and value.immutable_fn is operator.add:
            methods.call(self._lowering, left, "extend", [right], types.none)
            return left
        if left.is_array:
            return self._lowering.array_functions.update(self._lowering, value.immutable_fn, left, right)
        return self.apply(value.immutable_fn, [left, right], self._lowering.frame.type_of(name), name)

    def unary(self, name: str, value: ir.Expr) -> Any:
        """Lowers an operator of one operand."""
        function = (
            value.fn if callable(value.fn) else {"-": operator.neg, "+": operator.pos, "not": operator.not_}[value.fn]
        )
        return self.apply(function, [self._operands.value(value.value)], self._lowering.frame.type_of(name), name)

    def apply(self, function: Any, operands: list[Any], type: types.Type, hint: str = "t") -> Any:
        """Lowers an operator or function of numbers, of arrays element by element, or of tuples."""
        compares = function in (operator.is_, operator.is_not, operator.eq, operator.ne)
        if compares and any(operand.is_none for operand in operands):
            for operand in operands:
                if isinstance(operand, OptionalValue):
                    operation = NOT if function in (operator.is_, operator.eq) else IS_TRUE
                    return self._builder.compute(types.boolean, operation, [operand.is_set])
        operands = [self._operands.definite(operand) for operand in operands]
        compared = self._compare(function, operands, type) if compares else None
        if compared is not None:
            return compared
        self._check_single_operand(function, operands, type)
        if any(isinstance(operand, Mapping) for operand in operands):
            return mappings.apply(self._lowering, function, operands, type)
        if any(operand.is_list for operand in operands):
            return containers.apply(self._lowering, function, operands, type)
        if function is operator.contains and operands[0].is_array:
            return self._lowering.calls.inline(containers.is_element, [operands[0], self._operands.number(operands[1])])
        if any(operand.is_array and operand.axes for operand in operands):
            return self._lowering.array_functions.lower_elementwise(self._lowering, function, operands, type)
        if any(isinstance(operand, Items) for operand in operands):
            return self._apply_to_tuples(function, operands)
        if isinstance(type, types.Complex) or any(map(is_complex, operands)):
            return complex_numbers.apply(
                self._lowering, function, [self._operands.number(operand) for operand in operands], type
            )
        return self._apply_to_numbers(function, [self._operands.scalar(operand) for operand in operands], type, hint)

    def _apply_to_numbers(self, function: Any, numbers: list[Operand], type: types.Type, hint: str) -> Operand:
        """Lowers an operator or function of real numbers, with its partials."""
        builder = self._builder
        if function in _FOLDED_OPERATORS and all(isinstance(number, Constant) for number in numbers):
            return fold(function, numbers, type)
        if type == INDEX and function in (operator.add, operator.sub, operator.mul):
            return builder.index(OPERATORS[function], *numbers)
        if builder.is_in_try and self._is_checked(function, numbers):
            return self._lowering.calls.inline(_CHECKED_DIVISIONS[function].py_func, numbers)
        is_raising_power = self._is_raising_power(function, numbers)
        if is_raising_power and builder.is_in_try:
            self._lowering.calls.inline(check_power, numbers)
            is_raising_power = False
        operation = self._raising_power(numbers) if is_raising_power else self._checked_operation(function, numbers)
        cost = scalar_rules.cost_of(function, numbers)
        partials = self._partials(function, numbers, type)
        comparison = deciding_comparison(partials)
        if comparison is not None:  # a number of its own: the reverse sweep needs it alone, not what it compares
            assert comparison.operation is not None
            partials = [*[with_operand(partial, comparison, len(numbers)) for partial in partials], None]
            numbers = [*numbers, builder.compute(types.boolean, comparison.operation, numbers)]
        result = builder.compute(type, operation, numbers, cost, partials, hint)
        assert isinstance(result.definition, Compute)
        if isinstance(type, types.Float):
            result.definition.singularity = scalar_rules.singularity_of(function, numbers)
            result.definition.flat_at = scalar_rules.flat_at(function, numbers)
        return result

    def _check_single_operand(self, function: Any, operands: list[Any], type: types.Type) -> None:
        """Refuses a function of one container, as ``max`` of a dictionary is, and the truth value of an array."""
        if len(operands) > 1:
            return
        (operand,) = operands
        if operand.kind is not None:
            name, remedy = getattr(function, "__name__", function), "use a loop over its items"
            raise self._builder.refuse(f"{name} of a list, a set or a dictionary can't be differentiated; {remedy}")
        if operand.is_array and operand.axes and not isinstance(type, types.Array):
            remedy = "use an element of it, or np.any or np.all"
            raise self._builder.refuse(f"the truth value of an array can't be differentiated; {remedy}")

    def _compare(self, function: Any, operands: list[Any], type: types.Type) -> Operand | None:
        """Lowers the comparison of texts, of members of enumerations, or of known values; returns None for other operands."""
        if any(isinstance(operand, NumberedText) for operand in operands):
            numbers: Operand = self.apply(
                function, [self._lowering.texts.number_of(operand) for operand in operands], type
            )
            return numbers
        if any(isinstance(operand, TextParameter) for operand in operands):
            terms = [
                Variable(operand.name, types.unicode_type)
                if isinstance(operand, TextParameter)
                else static_value(operand)
                for operand in operands
            ]
            return self._builder.compute(type, of_parameters(OPERATORS[function](*terms)), [])
        if any(isinstance(operand, EnumerationMember) for operand in operands):
            return self._compare_enum_members(function, operands)
        if any(isinstance(operand, Static) for operand in operands):
            known = [operand.value if isinstance(operand, Static) else operand for operand in operands]
            return self._builder.constant(bool(function(*known)))
        return None

    def _compare_enum_members(self, function: Any, members: list[Any]) -> Operand:
        """Lowers the comparison of two members of enumerations, of which Numba compares the values if their classes are the same."""
        is_equal, classes = function in (operator.is_, operator.eq), [type_of(member) for member in members]
        if classes[0] != classes[1]:
            return self._builder.constant(not is_equal)
        numbers = [self._operands.enum_member_value(member) for member in members]
        result: Operand = self.apply(operator.eq if is_equal else operator.ne, numbers, types.boolean)
        return result

    def _apply_to_tuples(self, function: Any, operands: list[Any]) -> Any:
        if function is operator.add and all(isinstance(operand, Items) for operand in operands):
            return tuple_of([*operands[0].values, *operands[1].values])
        if function in (operator.eq, operator.ne) and all(isinstance(operand, Items) for operand in operands):
            return self._compare_tuples(function, operands[0].values, operands[1].values)
        if function is operator.contains and isinstance(operands[0], Items):
            result: Any = self._builder.constant(False)
            for item in operands[0].values:
                equal = self.apply(operator.eq, [item, operands[1]], types.boolean)
                result = (
                    equal if is_constant(result, False) else self.apply(operator.or_, [result, equal], types.boolean)
                )
            return result
        raise self._builder.refuse(f"{getattr(function, '__name__', function)} of tuples can't be differentiated")

    def _compare_tuples(self, function: Any, first: list[Any], second: list[Any]) -> Operand:
        """Lowers the comparison of two tuples of numbers."""
        if len(first) != len(second):
            return self._builder.constant(function is operator.ne)
        result: Operand = self._builder.constant(True)
        for x, y in zip(first, second, strict=True):
            equal = self.apply(operator.eq, [x, y], types.boolean)
            result = equal if is_constant(result, True) else self.apply(operator.and_, [result, equal], types.boolean)
        return self.apply(operator.not_, [result], types.boolean) if function is operator.ne else result

    def _is_checked(self, function: Any, numbers: list[Operand]) -> bool:
        """True if an operator raises where its second operand is 0."""
        if function not in _CHECKED_DIVISIONS or self._lowering.frame.error_model != "python":
            return False
        return not (isinstance(numbers[1], Constant) and numbers[1].value != 0)

    def _checked_operation(self, function: Any, numbers: list[Operand]) -> ScalarOperation:
        if self._is_checked(function, numbers):
            return self._builder.call_of(_CHECKED_DIVISIONS[function], 2)
        if function in (operator.pow, pow) and isinstance(numbers[0].type, types.Float):
            return POWER_OF_FLOAT
        return OPERATORS.get(function) or self._builder.call_of(function, len(numbers))

    def _is_raising_power(self, function: Any, numbers: list[Operand]) -> bool:
        """True if a power raises where its base is 0: the integer that is its exponent may be negative."""
        base, exponent = numbers[0], numbers[-1]
        if function not in (operator.pow, pow) or not isinstance(exponent.type, types.Integer) or exponent.is_natural:
            return False
        if not isinstance(base.type, types.Float):
            return self._lowering.frame.error_model == "python"
        return not isinstance(exponent, Constant) or exponent.value >= -_MOST_MULTIPLICATIONS

    def _raising_power(self, numbers: list[Operand]) -> ScalarOperation:
        """Returns the power of a number and an integer that may be negative."""
        base, exponent = numbers
        if not isinstance(exponent, Constant) or not isinstance(base.type, types.Float):
            return self._builder.call_of(checked_power, 2)
        quotient, one = self._builder.call_of(checked_quotient, 2), float_constant(1.0, base.type)
        return self._builder.expression(quotient(one, POWER(OPERANDS[0], -int(exponent.value))))

    def _partials(self, function: Any, numbers: list[Operand], type: types.Type) -> list[Partial]:
        if not isinstance(type, types.Float) or function in scalar_rules.WITHOUT_DERIVATIVE:
            return [None] * len(numbers)
        if not any(number.is_real for number in numbers):
            return [None] * len(numbers)
        partials = scalar_rules.partials(function, type)
        if partials is None:
            raise self._builder.refuse(f"{describe(Static(function))} has no derivative")
        if scalar_rules.operation_of(function) is POWER:
            partials = [self._partial_of_base(numbers[1], partials[0], type), partials[1]]
        if partials[0] is not None and Singularity.ROOT in scalar_rules.singularity_of(function, numbers):
            partials = [without_zeros(partials[0], type), *partials[1:]]
        return [partial if number.is_real else None for partial, number in zip(partials, numbers, strict=True)]

    def _partial_of_base(self, exponent: Operand, partial: Partial, type: types.Float) -> Partial:
        """Returns the partial of the base of a power; ``partial`` is that for an exponent of which nothing is known."""
        if isinstance(exponent, Constant) and (isinstance(exponent.type, types.Integer) or exponent.value == 0):
            return scalar_rules.partial_of_power(int(exponent.value), type)
        if isinstance(exponent, Scalar):  # 0 if the exponent is, also of 0 ** 0
            base, power = OPERANDS[:2]
            return ZERO_PRODUCT(power, COTANGENT * terms.pow(base, power - float_constant(1.0, type)))
        return partial

    def select_number(self, values: list[Any], index: Operand, type: types.Type) -> Operand:
        """Returns the number of ``values`` at a position, by a chain of choices."""
        builder = self._builder
        result: Operand = self._operands.cast(values[-1], type)
        for number in range(len(values) - 2, -1, -1):
            of_items: list[Partial] = [None, SELECT(OPERANDS[0], COTANGENT, 0.0), SELECT(OPERANDS[0], 0.0, COTANGENT)]
            condition = builder.compute(types.boolean, EQUAL, [index, index_constant(number)])
            operands = [condition, self._operands.cast(values[number], type), result]
            result = builder.compute(type, SELECT, operands, partials=of_items)
        return result

    def where(self, operands: list[Operand], type: types.Type, hint: str) -> Scalar:
        """Returns the first of two numbers if a condition holds, else the second, without a branch."""
        condition = OPERANDS[0]
        partials: list[Partial] = [None, where(condition, COTANGENT, 0), where(condition, 0, COTANGENT)]
        operation = self._builder.call_of(scalar_rules.where, 3)
        is_real = isinstance(type, types.Float)
        return self._builder.compute(type, operation, operands, partials=partials if is_real else None, hint=hint)
