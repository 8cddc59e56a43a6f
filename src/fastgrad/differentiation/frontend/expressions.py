"""Lowering of expressions: operators and functions of numbers, tuples, items, attributes, constants.

Each construct has its own method. Constructs without one are refused: there is no default rule.
"""

from __future__ import annotations

import inspect
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad.core import terms
from fastgrad.core.terms import EQUAL, NOT, OPERANDS, OPERATORS, SELECT, ScalarOperation
from fastgrad.differentiation.frontend import complex_numbers, containers, lists, mappings, selections
from fastgrad.differentiation.frontend import views as view_rules
from fastgrad.differentiation.frontend.builder import Builder
from fastgrad.differentiation.frontend.views import Slice
from fastgrad.differentiation.ir import scalar_rules
from fastgrad.differentiation.ir.partials import (
    COTANGENT,
    ZERO_PRODUCT,
    Partial,
    deciding_comparison,
    number_of_type,
    with_operand,
    without_zeros,
)
from fastgrad.differentiation.ir.representation import (
    INDEX,
    Block,
    Branch,
    Compute,
    Constant,
    Function,
    Operand,
    Scalar,
    View,
    index_constant,
    is_constant,
    is_natural_number,
    refuse,
)
from fastgrad.differentiation.ir.scalar_operations import IS_TRUE, POWER_OF_FLOAT, may_raise
from fastgrad.differentiation.ir.values import (
    Complex,
    Deferred,
    Elements,
    Fields,
    FunctionChoice,
    Items,
    Mapping,
    Maybe,
    Member,
    Method,
    NumberedText,
    Selection,
    Static,
    Step,
    Text,
    Window,
    describe,
    is_complex,
    static_value,
    tuple_of,
    type_of,
)
from fastgrad.differentiation.numpy.loop_sources import checked_index, common_size
from fastgrad.differentiation.runtime.complex_arrays import real_parts
from fastgrad.differentiation.runtime.numba_internals import cpu_target, ir


@may_raise
@numba.njit
def checked_quotient(x, y):  # type: ignore[no-untyped-def]
    """Returns ``x / y``; raises as Python does if ``y`` is 0."""
    if y == 0:
        raise ZeroDivisionError("division by zero")
    return x / y


@may_raise
@numba.njit
def checked_floor_quotient(x, y):  # type: ignore[no-untyped-def]
    """Returns ``x // y``; raises as Python does if ``y`` is 0."""
    if y == 0:
        raise ZeroDivisionError("integer division or modulo by zero")
    return x // y


@may_raise
@numba.njit
def checked_remainder(x, y):  # type: ignore[no-untyped-def]
    """Returns ``x % y``; raises as Python does if ``y`` is 0."""
    if y == 0:
        raise ZeroDivisionError("integer division or modulo by zero")
    return x % y


@may_raise
@numba.njit
def checked_optional(is_set):  # type: ignore[no-untyped-def]
    """Raises as Numba does if a value is None."""
    if not is_set:
        raise TypeError("expected a value, got None")
    return is_set


_CHECKED_DIVISIONS = {
    operator.truediv: checked_quotient,
    operator.floordiv: checked_floor_quotient,
    operator.mod: checked_remainder,
}
_FOLDED_OPERATORS = frozenset(
    [
        operator.add,
        operator.sub,
        operator.mul,
        operator.lt,
        operator.le,
        operator.gt,
        operator.ge,
        operator.eq,
        operator.ne,
        operator.neg,
        operator.not_,
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


def quote(text: Any) -> str:
    """Returns the text of a constant in the template of a statement."""
    return repr(text).replace("{", "{{").replace("}", "}}")


class Expressions:
    """Lowers the expressions of a call. `Lowering` has the rest: calls, statements and loops."""

    builder: Builder
    frame: Any
    result: Function

    def phi_of_type(self, type: types.Type, hint: str) -> Any:
        """Returns the value of a new phi of the current block."""
        raise NotImplementedError

    def written_parameters(self, function: Any, argument_types: tuple[types.Type, ...]) -> frozenset[int]:
        """Returns the numbers of the parameters, arrays, that a function writes; none if that can't be told."""
        raise NotImplementedError

    def inline(self, function: Any, arguments: list[Any]) -> Any:
        """Lowers a call of a Python function in place; returns its result."""
        raise NotImplementedError

    def add_incoming(self, phi: Any, block: Block, value: Any) -> None:
        """Gives a phi its value on the way from a block."""
        raise NotImplementedError

    @property
    def array_functions(self) -> Any:
        """The rules of NumPy's functions of arrays."""
        from fastgrad.differentiation.numpy import array_functions  # the import adds rules
        from fastgrad.differentiation.numpy import functions as numpy_functions  # noqa: F401  # the import adds rules

        return array_functions

    @property
    def array_expressions(self) -> Any:
        """The lowering of element-wise expressions of arrays."""
        from fastgrad.differentiation.frontend import array_expressions

        return array_expressions

    # ---- values ------------------------------------------------------------------------------------------------

    def value(self, variable: ir.Var) -> Any:
        """Returns what a variable stands for, which is not None where Numba's type is optional."""
        return self.definite(self.optional_value(variable))

    def definite(self, value: Any) -> Any:
        """Returns the value of a `Maybe`, with a check that it is not None; other values as they are."""
        if not isinstance(value, Maybe):
            return value
        self.builder.compute(types.boolean, self.builder.call_of(checked_optional, 1), [value.is_set])
        return value.value

    def optional_value(self, variable: ir.Var) -> Any:
        """Returns what a variable stands for, a `Maybe` if it may be None."""
        value = self.frame.values[variable.name]
        while isinstance(value, Step) and value.is_resolved:
            value = value.item
        if isinstance(value, Selection):
            value = self.selected_item(Items(value.items, types.none), value.index, value.type)
        if isinstance(value, Deferred):
            raise refuse(f"{value.reason}, which can't be differentiated", self.builder.location)
        if isinstance(value, Window):
            raise refuse(
                "an array in the kernel of a stencil can be differentiated only where it is indexed",
                self.builder.location,
            )
        if isinstance(value, View):
            layout = getattr(self.frame.function.types.get(variable.name), "layout", value.layout)
            return View(value.root, value.starts, value.axes, value.parts, layout)
        return value

    def scalar(self, value: Any) -> Operand:
        """Returns ``value`` as a number."""
        if isinstance(value, (Constant, Scalar)):
            return value
        if isinstance(value, Static) and isinstance(value.value, (bool, int, float, np.number, np.bool_)):
            return self.builder.constant(value.value)
        if isinstance(value, Maybe):
            return self.scalar(self.definite(value))
        if isinstance(value, View) and not value.axes and value.parts is None:
            return view_rules.load_real(self.builder, value, [])
        raise refuse(f"a number is needed here, this is {describe(value)}", self.builder.location)

    def number(self, value: Any) -> Operand | Complex:
        """Returns ``value`` as a number, which may be complex."""
        if isinstance(value, View) and not value.axes:
            return view_rules.load_element(self.builder, value, [])
        return value if isinstance(value, Complex) else self.scalar(value)

    def _static(self, value: Any) -> Any:
        """Returns what a known Python value stands for."""
        if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
            return self.builder.constant(value)
        if isinstance(value, np.ndarray):
            return self._global_array(value)
        if isinstance(value, tuple):
            numba_type = cpu_target.typing_context.resolve_value_type(value)
            return Items([self._static(item) for item in value], numba_type)
        if isinstance(value, (complex, np.complexfloating)):
            float_type = types.float32 if isinstance(value, np.complex64) else types.float64
            return Complex(Constant(float(value.real), float_type), Constant(float(value.imag), float_type))
        return Static(value)

    def _global_array(self, value: np.ndarray) -> Any:
        builder = self.builder
        numba_type = cpu_target.typing_context.resolve_value_type(value)
        if not isinstance(numba_type, types.Array):
            return Deferred(f"a global of type {numba_type}")
        name = builder.bind(value, "array")
        if isinstance(numba_type.dtype, types.Complex):
            self.result.globals[name + "_parts"] = real_parts(value)
            name += "_parts"
        for root in self.result.roots:
            if root.kind == "global" and root.name == name:
                return View.whole(root, numba_type.dtype)
        root = builder.root(numba_type, "global", name, [index_constant(size) for size in value.shape])
        root.name, root.block = name, None
        return View.whole(root, numba_type.dtype)

    def _assign(self, name: str, value: Any) -> Any:
        frame = self.frame
        if isinstance(value, ir.Arg):
            return frame.arguments[value.index]
        if isinstance(value, (ir.Const, ir.Global, ir.FreeVar)):
            return self._static(value.value)
        if isinstance(value, ir.Var):
            copied = frame.values[value.name]
            return self.optional_value(value) if isinstance(copied, Window) else copied
        if isinstance(value, ir.Yield):
            raise refuse(
                "a generator can be differentiated only where calls of next(), one after the other, then one for loop or list() read it in the function that calls it",
                self.builder.location,
            )
        if not isinstance(value, ir.Expr):
            raise refuse(f"{type(value).__name__} can't be differentiated", self.builder.location)
        method = getattr(self, f"_expression_{value.op}", None)
        if method is None:
            raise refuse(f"the operation {value.op} can't be differentiated: {value}", self.builder.location)
        return method(name, value)

    def _type(self, name: str) -> types.Type:
        return types.unliteral(self.frame.function.types[name])

    # ---- expressions ---------------------------------------------------------------------------------------------

    def _expression_cast(self, name: str, value: ir.Expr) -> Any:
        return self.cast(self.optional_value(value.value), self._type(name))

    def as_signed(self, index: Operand) -> Operand:
        """Returns an index; one of uint64, whose sum with a size is a float in Numba, as one of int64."""
        return self.cast(index, INDEX) if index.type == types.uint64 else index

    def cast(self, value: Any, type: types.Type) -> Any:
        """Returns ``value`` as Numba casts it to ``type``."""
        if not isinstance(type, types.Optional):
            value = self.definite(value)
        if (
            isinstance(value, (Constant, Scalar))
            and isinstance(type, (types.Float, types.Integer))
            and value.type != type
        ):
            if isinstance(value, Constant) and (isinstance(type, types.Float) or abs(value.value) < 2**31):
                return Constant(np.array(value.value).astype(str(type)).item(), type)
            is_real = isinstance(type, types.Float) and isinstance(value, Scalar) and value.is_real
            partials: list[Partial] = [COTANGENT if is_real else None]
            cast = self.builder.call_of(getattr(np, str(type)), 1, f"_{type}")
            result = self.builder.compute(type, cast, [value], 0, partials)
            result.is_natural = is_natural_number(value) and getattr(value.type, "bitwidth", 8) <= type.bitwidth
            return result
        if isinstance(type, types.Boolean) and isinstance(value, (Constant, Scalar)) and value.type != type:
            return self.apply(operator.ne, [value, Constant(0, value.type)], type)
        if isinstance(type, types.Complex) and isinstance(value, (Constant, Scalar, Complex)):
            return complex_numbers.as_complex(self, value, type)
        if isinstance(value, Items) and isinstance(type, types.BaseTuple) and len(type) == len(value.values):
            return Items([self.cast(item, item_type) for item, item_type in zip(value.values, type, strict=True)], type)
        return value

    def _indices(self, statement: Any) -> list[Any]:
        """Returns the indices of an access: operands, slices, arrays, new axes, ellipses."""
        if isinstance(statement, ir.StaticSetItem) or getattr(statement, "op", "") == "static_getitem":
            items = statement.index if isinstance(statement.index, tuple) else (statement.index,)
            return [self._static_index(item) for item in items]
        value = self.value(statement.index)
        return [self._index(item) for item in (value.values if isinstance(value, Items) else [value])]

    def _mapping_key(self, statement: Any) -> Any:
        """Returns the key of an access to a dictionary."""
        is_static = isinstance(statement, ir.StaticSetItem) or getattr(statement, "op", "") == "static_getitem"
        return self._static(statement.index) if is_static else self.value(statement.index)

    def number_of_text(self, value: Any) -> Operand:
        """Returns the number of a text, which no other text has while the function runs."""
        raise NotImplementedError

    def _static_index(self, item: Any) -> Any:
        if isinstance(item, slice):
            bounds = (item.start, item.stop, item.step)
            return Slice(*[None if bound is None else index_constant(bound) for bound in bounds])
        if item is None or item is Ellipsis:
            return view_rules.NEW_AXIS if item is None else view_rules.ALL_AXES
        if isinstance(item, (int, np.integer)):
            return index_constant(int(item))
        raise refuse("this kind of index can't be differentiated", self.builder.location)

    def _index(self, value: Any) -> Any:
        if isinstance(value, Static) and isinstance(value.value, Slice):
            return Slice(*[None if bound is None else self.as_signed(bound) for bound in value.value])
        if isinstance(value, Static):
            return self._static_index(value.value)
        if isinstance(value, View) and not value.axes:
            return self.as_signed(self.scalar(value))
        if isinstance(value, Scalar):
            return self.as_signed(value)
        if isinstance(value, Items):
            raise refuse("an index that is a tuple within a tuple can't be differentiated", self.builder.location)
        return value

    def _expression_arrayexpr(self, name: str, value: ir.Expr) -> Any:
        return self._array_of_elements(name, self.array_expressions.expression(self, value, self._type(name)))

    def _array_of_elements(self, name: str, value: Any) -> Any:
        """Returns the value of a variable: `Elements` as the array of its elements, unless they are computed where they are read."""
        if name in self.frame.function.read_once and not is_complex(value):
            return value
        return self.array_expressions.materialize(self, value)

    def _expression_binop(self, name: str, value: ir.Expr) -> Any:
        operands = [self.optional_value(value.lhs), self.optional_value(value.rhs)]
        return self.apply(value.fn, operands, self._type(name), name)

    def _expression_inplace_binop(self, name: str, value: ir.Expr) -> Any:
        left, right = self.value(value.lhs), self.value(value.rhs)
        if isinstance(left, lists.LISTS) and value.immutable_fn is operator.add:
            lists.call_method(self, left, "extend", [right], types.none)
            return left
        if isinstance(left, Mapping):
            return mappings.update(self, value.immutable_fn, left, right)
        if isinstance(left, View):
            return self.array_functions.update(self, value.immutable_fn, left, right)
        return self.apply(value.immutable_fn, [left, right], self._type(name), name)

    def _expression_unary(self, name: str, value: ir.Expr) -> Any:
        function = (
            value.fn if callable(value.fn) else {"-": operator.neg, "+": operator.pos, "not": operator.not_}[value.fn]
        )
        return self.apply(function, [self.value(value.value)], self._type(name), name)

    def apply(self, function: Any, operands: list[Any], type: types.Type, hint: str = "t") -> Any:
        """Lowers an operator or function of numbers, of arrays element by element, or of tuples."""
        builder = self.builder
        compares = function in (operator.is_, operator.is_not, operator.eq, operator.ne)
        if compares and any(isinstance(operand, Static) and operand.value is None for operand in operands):
            for operand in operands:
                if isinstance(operand, Maybe):
                    operation = NOT if function in (operator.is_, operator.eq) else IS_TRUE
                    return builder.compute(types.boolean, operation, [operand.is_set])
        operands = [self.definite(operand) for operand in operands]
        compared = self._compare(function, operands, type) if compares else None
        if compared is not None:
            return compared
        self._check_single_operand(function, operands, type)
        if isinstance(operands[0], Mapping):
            return mappings.apply(self, function, operands[0], operands[1], type)
        if any(isinstance(operand, lists.LISTS) for operand in operands):
            return containers.apply(self, function, operands, type)
        if function is operator.contains and isinstance(operands[0], View):
            return self.inline(containers.is_element, [operands[0], self.number(operands[1])])
        if any(isinstance(operand, View) and operand.axes for operand in operands):
            return self.array_functions.element_by_element(self, function, operands, type)
        if any(isinstance(operand, Items) for operand in operands):
            return self._apply_to_tuples(function, operands)
        if isinstance(type, types.Complex) or any(map(is_complex, operands)):
            return complex_numbers.apply(self, function, [self.number(operand) for operand in operands], type)
        numbers = [self.scalar(operand) for operand in operands]
        if function in _FOLDED_OPERATORS and all(isinstance(number, Constant) for number in numbers):
            return fold(function, numbers, type)
        if isinstance(type, types.Integer) and function in (operator.add, operator.sub, operator.mul) and type == INDEX:
            return builder.index(OPERATORS[function], *numbers)
        if builder.is_in_try and self._is_checked(function, numbers):
            return self.inline(_CHECKED_DIVISIONS[function].py_func, numbers)
        operation, cost = self._operation(function, numbers), scalar_rules.cost_of(function, numbers)
        partials = self._partials(function, numbers, type)
        comparison = deciding_comparison(partials)
        if comparison is not None:  # a number of its own: the way back needs it alone, not what it compares
            assert comparison.operation is not None
            partials = [*[with_operand(partial, comparison, len(numbers)) for partial in partials], None]
            numbers = [*numbers, builder.compute(types.boolean, comparison.operation, numbers)]
        result = builder.compute(type, operation, numbers, cost, partials, hint)
        assert isinstance(result.definition, Compute)
        if not scalar_rules.is_away_from_zero(function, numbers):
            result.definition.has_pole = scalar_rules.has_pole(function)
            result.definition.has_infinite_slope = scalar_rules.has_infinite_slope(function, numbers)
        return result

    def _check_single_operand(self, function: Any, operands: list[Any], type: types.Type) -> None:
        """Refuses a function of one container, as ``max`` of a dictionary is, and the truth value of an array."""
        if len(operands) > 1:
            return
        (operand,) = operands
        if isinstance(operand, (Mapping, *lists.LISTS)):
            name, remedy = getattr(function, "__name__", function), "use a loop over its items"
            raise refuse(
                f"{name} of a list, a set or a dictionary can't be differentiated; {remedy}", self.builder.location
            )
        if isinstance(operand, View) and operand.axes and not isinstance(type, types.Array):
            remedy = "use an element of it, or np.any or np.all"
            raise refuse(f"the truth value of an array can't be differentiated; {remedy}", self.builder.location)

    def _compare(self, function: Any, operands: list[Any], type: types.Type) -> Operand | None:
        """Lowers the comparison of texts, of members of enumerations, or of known values; returns None for other operands."""
        if any(isinstance(operand, NumberedText) for operand in operands):
            numbers: Operand = self.apply(function, [self.number_of_text(operand) for operand in operands], type)
            return numbers
        if any(isinstance(operand, Text) for operand in operands):
            texts = [
                operand.name if isinstance(operand, Text) else quote(static_value(operand)) for operand in operands
            ]
            comparison_text = OPERATORS[function].text.format(*texts)
            return self.builder.compute(type, ScalarOperation(comparison_text, reads_parameter=True), [])
        if any(isinstance(operand, Member) for operand in operands):
            return self._compared_members(function, operands)
        if any(isinstance(operand, Static) for operand in operands):
            known = [operand.value if isinstance(operand, Static) else operand for operand in operands]
            return self.builder.constant(bool(function(*known)))
        return None

    def number_of_member(self, value: Any) -> Operand:
        """Returns the value of a member of an enumeration."""
        return value.number if isinstance(value, Member) else self.builder.constant(value.value.value)

    def _compared_members(self, function: Any, members: list[Any]) -> Operand:
        """Lowers the comparison of two members of enumerations, of which Numba compares the values if their classes are the same."""
        is_equal, classes = function in (operator.is_, operator.eq), [type_of(member) for member in members]
        if classes[0] != classes[1]:
            return self.builder.constant(not is_equal)
        numbers = [self.number_of_member(member) for member in members]
        result: Operand = self.apply(operator.eq if is_equal else operator.ne, numbers, types.boolean)
        return result

    def _apply_to_tuples(self, function: Any, operands: list[Any]) -> Any:
        if function is operator.add and all(isinstance(operand, Items) for operand in operands):
            values = [*operands[0].values, *operands[1].values]
            return Items(values, types.Tuple([type_of(value) for value in values]))
        if function in (operator.eq, operator.ne) and all(isinstance(operand, Items) for operand in operands):
            return self._compared_tuples(function, operands[0].values, operands[1].values)
        if function is operator.contains and isinstance(operands[0], Items):
            result: Any = self.builder.constant(False)
            for item in operands[0].values:
                equal = self.apply(operator.eq, [item, operands[1]], types.boolean)
                result = (
                    equal if is_constant(result, False) else self.apply(operator.or_, [result, equal], types.boolean)
                )
            return result
        raise refuse(
            f"{getattr(function, '__name__', function)} of tuples can't be differentiated", self.builder.location
        )

    def _compared_tuples(self, function: Any, first: list[Any], second: list[Any]) -> Operand:
        """Lowers the comparison of two tuples of numbers."""
        if len(first) != len(second):
            return self.builder.constant(function is operator.ne)
        result: Operand = self.builder.constant(True)
        for x, y in zip(first, second, strict=True):
            equal = self.apply(operator.eq, [x, y], types.boolean)
            result = equal if is_constant(result, True) else self.apply(operator.and_, [result, equal], types.boolean)
        return self.apply(operator.not_, [result], types.boolean) if function is operator.ne else result

    def _is_checked(self, function: Any, numbers: list[Operand]) -> bool:
        """True if an operator raises where its second operand is 0."""
        if function not in _CHECKED_DIVISIONS or self.frame.error_model != "python":
            return False
        return not (isinstance(numbers[1], Constant) and numbers[1].value != 0)

    def _operation(self, function: Any, numbers: list[Operand]) -> ScalarOperation:
        if self._is_checked(function, numbers):
            return self.builder.call_of(_CHECKED_DIVISIONS[function], 2)
        if function is operator.pow and isinstance(numbers[0].type, types.Float):
            return POWER_OF_FLOAT
        return OPERATORS.get(function) or self.builder.call_of(function, len(numbers))

    def _partials(self, function: Any, numbers: list[Operand], type: types.Type) -> list[Partial]:
        if not isinstance(type, types.Float) or function in scalar_rules.WITHOUT_DERIVATIVE:
            return [None] * len(numbers)
        if not any(isinstance(number, Scalar) and number.is_real for number in numbers):
            return [None] * len(numbers)
        name = scalar_rules.rule_name(function)
        if function not in scalar_rules.PARTIALS and name is None:
            raise refuse(f"{describe(Static(function))} has no derivative", self.builder.location)
        dtypes = [
            int(number.value)
            if name == "power" and isinstance(number, Constant) and isinstance(number.type, types.Integer)
            else np.dtype(str(type))
            for number in numbers
        ]
        partials = list(scalar_rules.PARTIALS.get(function) or scalar_rules.partials(str(name), tuple(dtypes)))
        if name == "power" and isinstance(numbers[1], Scalar):  # 0 if the exponent is, also of 0 ** 0
            base, exponent = OPERANDS[:2]
            partials[0] = ZERO_PRODUCT(exponent, COTANGENT * terms.pow(base, exponent - number_of_type(1.0, type)))
        elif name == "power" and is_constant(numbers[1], 0):
            partials[0] = None
        is_infinite = scalar_rules.has_infinite_slope(function, numbers)
        if partials[0] is not None and is_infinite and not scalar_rules.is_away_from_zero(function, numbers):
            partials[0] = without_zeros(partials[0], type)
        return [
            partial if isinstance(number, Scalar) and number.is_real else None
            for partial, number in zip(partials, numbers, strict=True)
        ]

    def _expression_build_tuple(self, name: str, value: ir.Expr) -> Any:
        return Items([self.optional_value(item) for item in value.items], self._type(name))

    def _expression_build_list(self, name: str, value: ir.Expr) -> Any:
        items, list_type = [self.value(item) for item in value.items], self._type(name)
        is_of_numbers = isinstance(list_type.dtype, containers.NUMBERS)
        is_empty = not items and not is_of_numbers
        if lists.has_kind(list_type) and (
            is_empty or not self._is_constant_list(name, may_be_passed=not is_of_numbers)
        ):
            return lists.new_list(self, list_type, items)
        return Items(items, list_type)

    def _expression_build_map(self, name: str, value: ir.Expr) -> Any:
        map_type = self._type(name)
        if not isinstance(map_type, types.DictType):
            raise refuse(f"a dictionary of type {map_type} can't be differentiated", self.builder.location)
        result = mappings.new_mapping(self, map_type, [])
        for key, item in value.items:
            mappings.set_item(self, result, self.value(key), self.value(item))
        return result

    def _expression_build_set(self, name: str, value: ir.Expr) -> Any:
        items = Items([self.value(item) for item in value.items[::-1]], types.none)  # Numba adds the last one first
        return mappings.new_mapping(self, self._type(name), [items])

    def _is_constant_list(self, name: str, may_be_passed: bool = False) -> bool:
        """True if a list is only read, or passed to functions that only read it: then it is as good as a tuple.

        With ``may_be_passed`` functions that are inlined count as such, whatever they do.
        """
        names = {name}
        blocks = self.frame.function.ir.blocks.values()
        statements = [statement for block in blocks for statement in block.body if not isinstance(statement, ir.Del)]
        while True:
            size = len(names)
            for statement in statements:
                value = statement.value if isinstance(statement, ir.Assign) else None
                if isinstance(value, ir.Var) and value.name in names:
                    names.add(statement.target.name)
                elif isinstance(value, ir.Expr) and names & {variable.name for variable in value.list_vars()}:
                    if value.op in ("cast", "build_list", "build_tuple"):
                        names.add(statement.target.name)
                    elif value.op == "call":
                        is_known = isinstance(self.frame.function.types[value.func.name], types.Function)
                        if not (is_known or may_be_passed):
                            return False
                    elif value.op not in ("getitem", "static_getitem", "typed_getitem", "getiter", "exhaust_iter"):
                        return False
                elif not isinstance(statement, ir.Assign) and names & {
                    variable.name for variable in statement.list_vars()
                }:
                    return False
            if len(names) == size:
                return True

    def _expression_exhaust_iter(self, name: str, value: ir.Expr) -> Any:
        result = self.value(value.value)
        if isinstance(result, Items):
            if len(result.values) != value.count:
                raise refuse(
                    f"{len(result.values)} items are unpacked to {value.count} variables", self.builder.location
                )
            return result
        (result,) = containers.as_arrays(self, [result])
        if isinstance(result, View):
            check = self.builder.call_of(common_size, 2)
            self.builder.index(check, result.axes[0].size, index_constant(value.count))
            first = [
                view_rules.subview(self.builder, result, [index_constant(number)]) for number in range(value.count)
            ]
            items = [self.element_or_view(view) for view in first]
            return Items(items, types.Tuple([type_of(item) for item in items]))
        raise refuse("this can't be unpacked in a derivative", self.builder.location)

    def element_or_view(self, view: View) -> Any:
        """Returns a view, or its element if it has no axes."""
        return view if view.axes else view_rules.load_element(self.builder, view, [])

    def _window(self, variable: ir.Var) -> Window | None:
        """Returns the value of a variable that is an array in the kernel of a stencil, else None."""
        value = self.frame.values[variable.name]
        return value if isinstance(value, Window) else None

    def selection(self, variable: ir.Var) -> Selection | None:
        """Returns the value of a variable that is a written array of a tuple, else None."""
        value = self.frame.values[variable.name]
        while isinstance(value, Step) and value.is_resolved:
            value = value.item
        return value if isinstance(value, Selection) else None

    def is_written(self, name: str) -> bool:
        """True if elements of a variable, or of another item of its tuple, are assigned in the function or in one that it calls."""
        origin, blocks = self._origin(name), self.frame.function.ir.blocks.values()
        for statement in itertools.chain.from_iterable(block.body for block in blocks):
            value = getattr(statement, "value", None)
            if isinstance(statement, (ir.SetItem, ir.StaticSetItem)) and self._origin(statement.target.name) == origin:
                return True
            if isinstance(value, ir.Expr) and value.op == "call":
                given = [*value.args, *[other for _, other in value.kws]]
                is_given = any(self._origin(other.name) == origin for other in given)
                if is_given and any(self._origin(other.name) == origin for other in self._written_arguments(value)):
                    return True
        return False

    def _written_arguments(self, call: ir.Expr) -> list[ir.Var]:
        """Returns the arguments that a call of a function that Numba compiled writes, as far as they are known."""
        called = self.frame.function.types[call.func.name]
        if not isinstance(called, types.Dispatcher) or call.vararg is not None:
            return []
        parameters = inspect.signature(called.dispatcher.py_func).parameters
        if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters.values()):
            return []
        given = {**dict(zip(parameters, call.args, strict=False)), **dict(call.kws)}
        argument_types = [
            self._type(given[name].name) if name in given else types.Omitted(parameter.default)
            for name, parameter in parameters.items()
        ]
        written = self.written_parameters(called.dispatcher, tuple(argument_types))
        return [given[name] for place, name in enumerate(parameters) if place in written and name in given]

    def _origin(self, name: str) -> str:
        """Returns the tuple that a variable is an item of, else the variable that it is a copy of."""
        definition = self.frame.definitions.get(name)
        while isinstance(definition, ir.Var):
            name, definition = definition.name, self.frame.definitions.get(definition.name)
        is_item = isinstance(definition, ir.Expr) and definition.op in ("getitem", "static_getitem", "typed_getitem")
        if is_item and isinstance(self._type(definition.value.name), (types.BaseTuple, types.List)):
            return self._origin(definition.value.name)
        return name

    def _item_of_window(self, window: Window, indices: list[Any]) -> Any:
        """Lowers an element at a place of a stencil."""
        if len(indices) != len(window.place) or not all(isinstance(index, (Constant, Scalar)) for index in indices):
            raise refuse(
                "an index of this kind in the kernel of a stencil can't be differentiated", self.builder.location
            )
        absolute = [
            self.builder.index(
                terms.ADD, index, place, is_natural=isinstance(index, Constant) and index.value + start >= 0
            )
            for index, place, start in zip(indices, window.place, window.starts, strict=True)
        ]
        return self.element_or_view(view_rules.subview(self.builder, window.array, absolute))

    def _expression_getitem(self, name: str, value: ir.Expr) -> Any:
        window = self._window(value.value)
        if window is not None:
            return self._item_of_window(window, self._indices(value))
        selection = self.selection(value.value)
        if selection is not None and not isinstance(self._type(name), types.Array):
            indices = self._indices(value)
            return self.merge(
                self._type(name),
                self.by_branches(
                    selection.items,
                    selection.index,
                    lambda view: self.element_or_view(view_rules.subview(self.builder, view, indices)),
                ),
            )
        container = self.value(value.value)
        if isinstance(container, Items):
            index = static_value(self.value(value.index)) if value.op == "getitem" else value.index
            if isinstance(index, Slice):
                bounds = [None if bound is None else static_value(bound) for bound in index]
                index = slice(*bounds)
            if isinstance(index, slice):
                items = container.values[index]
                return Items(items, types.Tuple([type_of(item) for item in items]))
            if not isinstance(index, int):
                check = self.builder.call_of(checked_index, 2)
                size = index_constant(len(container.values))
                operand = self.scalar(self.value(value.index))
                position = self.builder.index(check, operand, size, is_natural=True)
                if self.is_selection(container) and self.is_written(name):
                    return Selection(container.values, position, self._type(name))
                return self.selected_item(container, position, self._type(name))
            if not -len(container.values) <= index < len(container.values):
                raise refuse("an index is out of range", self.builder.location)
            return container.values[index]
        if isinstance(container, Mapping):
            return mappings.item(self, container, self._mapping_key(value))
        if isinstance(container, lists.LISTS):
            return lists.item(self, container, self._indices(value)[0], self._type(name))
        if isinstance(container, Fields):
            is_field = value.op == "static_getitem" and isinstance(value.index, str)
            return containers.field_item(self, container, value.index if is_field else self._indices(value))
        if not isinstance(container, (View, Elements)):
            raise refuse(f"an item of {describe(container)} can't be differentiated", self.builder.location)
        indices = self._indices(value)
        if isinstance(container, Elements):
            return self.array_expressions.element(self, container, indices)
        if any(isinstance(index, View) for index in indices):
            return selections.select(self, container, indices)
        return self.element_or_view(view_rules.subview(self.builder, container, indices))

    _expression_static_getitem = _expression_typed_getitem = _expression_getitem

    def selected_item(self, container: Items, index: Operand, type: types.Type) -> Any:
        """Lowers an item of a tuple at a position that is not known: numbers by a chain of choices, others by branches."""
        builder, values = self.builder, container.values
        if not values:
            return Deferred("an item of an empty tuple")
        index = view_rules.normalize(builder, index, index_constant(len(values)))
        if all(isinstance(value, Static) and value.value is values[0].value for value in values):
            return values[0]
        if all(isinstance(value, (Constant, Scalar)) for value in values):
            return self._selected_number(values, index, type)
        for value in values:
            if isinstance(value, Deferred):
                raise refuse(f"{value.reason}, which can't be differentiated", builder.location)
        if isinstance(type, types.FunctionType) and all(isinstance(value, Static) for value in values):
            return FunctionChoice(tuple(value.value for value in values), index, type.get_precise())
        return self.merge(type, self.by_branches(values, index, lambda value: value))

    def is_selection(self, container: Items) -> bool:
        """True if an item of a tuple of several arrays may be a `Selection`."""
        views = container.values
        return len(views) > 1 and all(
            isinstance(view, View) and type_of(view).dtype == type_of(views[0]).dtype for view in views
        )

    def by_branches(
        self, values: Sequence[Any], index: Operand, action: Callable[[Any], Any]
    ) -> list[tuple[Block, Any]]:
        """Applies ``action`` to the item of ``values`` at a position, by a branch for each; returns the ends of the branches with the results."""
        builder = self.builder
        after = builder.new_block()
        incoming = []
        for number, value in enumerate(values):
            if number < len(values) - 1:
                here, others = builder.new_block(), builder.new_block()
                condition = builder.compute(types.boolean, EQUAL, [index, index_constant(number)])
                builder.block.end = Branch(condition, here, others)
                builder.enter(here)
            result = action(value)
            incoming.append((builder.block, result))
            builder.jump(after)
            if number < len(values) - 1:
                builder.enter(others)
        builder.enter(after)
        return incoming

    def merge(self, type: types.Type, incoming: list[tuple[Block, Any]]) -> Any:
        """Returns the phi of the results of branches."""
        merged = self.phi_of_type(type, "item")
        for block, value in incoming:
            self.add_incoming(merged, block, value)
        return merged

    def _selected_number(self, values: list[Any], index: Operand, type: types.Type) -> Operand:
        builder = self.builder
        result: Operand = self.cast(values[-1], type)
        for number in range(len(values) - 2, -1, -1):
            of_items = [None, SELECT(OPERANDS[0], COTANGENT, 0.0), SELECT(OPERANDS[0], 0.0, COTANGENT)]
            condition = builder.compute(types.boolean, EQUAL, [index, index_constant(number)])
            operands = [condition, self.cast(values[number], type), result]
            partials = [
                partial if isinstance(operand, Scalar) and operand.is_real else None
                for partial, operand in zip(of_items, operands, strict=True)
            ]
            result = builder.compute(type, SELECT, operands, partials=partials)
        return result

    def _expression_getattr(self, name: str, value: ir.Expr) -> Any:
        window, attribute = self._window(value.value), value.attr
        if window is not None and attribute in ("shape", "size", "ndim"):
            return self._array_attribute(window.array, attribute)
        owner = self.value(value.value)
        builder = self.builder
        if isinstance(owner, Static):
            try:
                return self._static(getattr(owner.value, attribute))
            except AttributeError:
                raise refuse(f"{describe(owner)} has no attribute {attribute}", builder.location) from None
        if isinstance(owner, View):
            return self._array_attribute(owner, attribute)
        if isinstance(owner, Elements) and attribute == "shape":
            return tuple_of([axis.size for axis in owner.axes])
        if isinstance(owner, Elements):
            return Method(owner, attribute)
        if isinstance(owner, Fields):
            return containers.field_attribute(self, owner, attribute)
        if isinstance(owner, (*lists.LISTS, Mapping)):
            return Method(owner, attribute)
        if isinstance(owner, Items) and attribute in getattr(owner.type, "fields", ()):
            return owner.values[owner.type.fields.index(attribute)]
        if isinstance(owner, Items) and attribute in ("count", "index"):
            return Method(owner, attribute)
        if isinstance(owner, Items) and isinstance(owner.type, types.List) and hasattr(list, attribute):
            raise refuse(
                f"{attribute} of a list that another function made with items can't be differentiated; make it empty, and append the items",
                builder.location,
            )
        if isinstance(owner, Member) and attribute == "value":
            return owner.number
        if isinstance(owner, (Constant, Scalar)) and attribute in ("real", "imag", "value"):  # `value` of an IntEnum
            return Constant(0, owner.type) if attribute == "imag" else owner
        if isinstance(owner, Complex) and attribute in ("real", "imag"):
            return getattr(owner, attribute)
        if isinstance(owner, (Constant, Scalar, Complex)) and attribute in ("conjugate", "item"):
            return Method(owner, attribute)
        raise refuse(f"the attribute {attribute} of {describe(owner)} can't be differentiated", builder.location)

    def _array_attribute(self, array: View, attribute: str) -> Any:
        builder = self.builder
        if attribute == "shape":
            sizes: list[Any] = [axis.size for axis in array.axes]
            return Items(sizes, types.UniTuple(INDEX, len(sizes)))
        if attribute == "size":
            return view_rules.size_of(builder, array)
        if attribute == "ndim":
            return index_constant(len(array.axes))
        if attribute == "T":
            return view_rules.transpose(array, list(range(len(array.axes)))[::-1])
        if attribute == "dtype":
            return Static(np.dtype(str(array.dtype)))
        if attribute in ("real", "imag") and array.parts is not None:
            return view_rules.part(builder, array, ("real", "imag").index(attribute))
        if attribute == "imag":
            return builder.allocate(array.dtype, [axis.size for axis in array.axes], "zeros")
        if attribute == "real":
            return array
        if attribute == "flat" and type_of(array).layout == "C":
            return view_rules.reshape(builder, array, [view_rules.size_of(builder, array)], True)
        return Method(array, attribute)
