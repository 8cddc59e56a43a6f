"""Writes the expressions of a derivative's code as LLVM IR."""

from __future__ import annotations

import builtins
import contextlib
import functools
import math
import operator
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir as llvm_ir
from numba import types

from fastgrad._src.derivatives.codegen.code_functions import FUNCTION_RULES
from fastgrad._src.derivatives.codegen.code_values import UNKNOWN, NotEmittedError, Value, can_become
from fastgrad._src.derivatives.codegen.late_functions import call_late
from fastgrad._src.derivatives.codegen.matrix_products import add_product
from fastgrad._src.derivatives.codegen.record_fields import field_of
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.jit.library_functions import njit_kept_on_disk
from fastgrad._src.jit.numba_internals import (
    _empty_nd_impl,
    _Intrinsic,
    cgutils,
    fold_arguments,
    load_item,
    make_array,
    populate_array,
    store_item,
)
from fastgrad._src.jit.numba_internals import signature as signature_of_types
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import OPERATORS, Leaf, Number, ScalarOperation, Term

if TYPE_CHECKING:
    from fastgrad._src.derivatives.codegen.code_emission import CodeLower

_INTEGER = llvm_ir.IntType(64)
_PYTHON_OPERATORS = {operation: function for function, operation in OPERATORS.items()}
_FLOAT_INSTRUCTIONS = {terms.ADD: "fadd", terms.SUBTRACT: "fsub", terms.MULTIPLY: "fmul", terms.DIVIDE: "fdiv"}
_INTEGER_INSTRUCTIONS = {terms.ADD: "add", terms.SUBTRACT: "sub", terms.MULTIPLY: "mul"}
_FOLDED = {terms.ADD: operator.add, terms.SUBTRACT: operator.sub, terms.MULTIPLY: operator.mul}
"""The operations of constant integers that are computed at once, as Python's compiler does."""
_BIT_INSTRUCTIONS = {OPERATORS[operator.and_]: "and_", OPERATORS[operator.or_]: "or_"}
_COMPARISONS = {
    terms.LESS: "<",
    terms.LESS_EQUAL: "<=",
    terms.GREATER: ">",
    terms.GREATER_EQUAL: ">=",
    terms.EQUAL: "==",
    terms.NOT_EQUAL: "!=",
}
_CHEAP = {
    *(terms.ADD, terms.SUBTRACT, terms.MULTIPLY, terms.NEGATIVE, terms.NOT, terms.AND, terms.OR, terms.SELECT),
    *_COMPARISONS,
    *_BIT_INSTRUCTIONS,
}
"""The operations of numbers that are instructions: they may be computed where nothing uses their results."""


@njit_kept_on_disk(error_model="numpy")
def integer_power(base, exponent):  # type: ignore[no-untyped-def]
    """Returns the power of a float and an integer with the bits of Numba's, which each process would compile."""
    count = -exponent if exponent < 0 else exponent
    if count > _MOST_MULTIPLICATIONS:
        return math.pow(base, float(exponent))
    result = 1.0
    while count != 0:
        if count & 1:
            result *= base
        count >>= 1
        base *= base
    return 1.0 / result if exponent < 0 else result


_LARGEST = (1 << 63) - 1
_MOST_MULTIPLICATIONS = 1 << 16
_LITERAL_ARGUMENTS = (add_product, field_of)
"""The functions whose implementation depends on the values of constants."""


class Expressions:
    """Writes expressions.

    Args:
        lower: writes the statements of the function.
    """

    def __init__(self, lower: CodeLower) -> None:
        self._lower = lower
        self._context = lower.context
        self._typing = lower.context.typing_context
        self.builder = lower.builder
        self._room_on_stack = 0
        self._rules: dict[ScalarOperation, Callable[[ScalarOperation, Sequence[Term]], Value]] = {
            **dict.fromkeys(
                [*_FLOAT_INSTRUCTIONS, *_BIT_INSTRUCTIONS],
                lambda operation, operands: self._computed(operation, *self._operands(operands)),
            ),
            **dict.fromkeys(
                _COMPARISONS, lambda operation, operands: self.compared(operation, *self._operands(operands))
            ),
            terms.POWER: self._power,
            terms.NEGATIVE: self._negative,
            terms.NOT: lambda _, operands: Value(types.boolean, self.builder.not_(self.truth(self.value(operands[0])))),
            terms.AND: self._condition,
            terms.OR: self._condition,
            terms.SELECT: self._select,
        }
        self._rules_of_classes: dict[type, Callable[[Any, Sequence[Term]], Value]] = {
            code.Attribute: lambda operation, operands: self._attribute(operation.named, operands),
            code.SizeAlong: self._size_along,
            code.Item: self._item,
            code.TupleOf: lambda _, operands: Value(None, items=[*map(self.value, operands)]),
            code.Method: self._method,
            code.Transposition: self._transposition,
            code.Subscript: self._subscript,
        }

    def value(self, term: Term) -> Value:
        """Writes an expression and returns its value."""
        if isinstance(term, Number):
            return self.constant(term.value, term.dtype)
        if isinstance(term, Leaf):
            return self._leaf(term)
        operation = term.operation
        assert operation is not None
        rule = self._rules.get(operation) or self._rules_of_classes.get(type(operation))
        if rule is not None:
            return rule(operation, term.operands)
        function = operation.function
        if function is None and operation.name is not None:
            function = self.global_value(operation.name)
        if function is not None:
            return self._call_of_terms(function, term.operands)
        if operation.definition is not None:
            return self.value(operation.definition(*term.operands))
        if operation in _PYTHON_OPERATORS:
            return self.call(_PYTHON_OPERATORS[operation], [*map(self.value, term.operands)])
        raise NotEmittedError(f"no rule for {operation.text}")

    # ---- leaves ---------------------------------------------------------------------------------------------------

    def _leaf(self, leaf: Leaf) -> Value:
        known = self._lower.lookup(leaf.name)
        if known is not None:
            return known
        if self._has_global(leaf.name):
            value = self.global_value(leaf.name)
            is_constant = isinstance(value, (bool, int, float, str)) or value is None
            return self.constant(value) if is_constant else Value(None, python=value)
        if isinstance(leaf, code.Variable):
            return self._lower.declared(leaf)
        raise NotEmittedError(f"{leaf.name} is not known")

    def _has_global(self, name: str) -> bool:
        first = name.partition(".")[0]
        return first in self._lower.func_ir.scope or hasattr(builtins, first)

    def global_value(self, name: str) -> Any:
        """Returns what a name stands for outside of the function."""
        first, *attributes = name.split(".")
        scope = self._lower.func_ir.scope
        if not self._has_global(name):
            raise NotEmittedError(f"{name} is not known")
        value = scope[first] if first in scope else getattr(builtins, first)
        for attribute in attributes:
            value = getattr(value, attribute)
        return value

    def constant(self, value: Any, dtype: Any = None) -> Value:
        """Returns a constant; without a ``dtype`` Numba's type of the Python value."""
        if isinstance(value, np.generic):
            value = value.item()
        if dtype is not None:
            type = getattr(types, dtype.name)
        elif isinstance(value, (bool, float)):
            type = types.boolean if isinstance(value, bool) else types.float64
        elif isinstance(value, int):
            type = types.int64 if value <= _LARGEST else types.uint64  # as Numba has it
        elif isinstance(value, str):
            return Value(types.StringLiteral(value), self._context.get_dummy_value(), constant=value)
        elif value is None:
            return Value(types.none, self._context.get_dummy_value(), constant=None)
        else:
            raise NotEmittedError(f"the constant {value!r}")
        if isinstance(type, types.Float):
            value = float(value)
        return Value(type, self._context.get_constant(type, value), constant=value)

    def as_value(self, value: Value) -> Value:
        """Returns a value with a type and an LLVM value: a tuple that is made of its items, whose references stay theirs, or an outside value."""
        if value.items is not None:
            items = [self.as_value(item) for item in value.items]
            type = types.Tuple([types.unliteral(item.type) for item in items])
            return Value(type, self._context.make_tuple(self.builder, type, [*map(self._plain, items)]))
        if value.llvm is None:
            type = self.type_of_outside(value.python)
            if isinstance(value.python, (np.ndarray, tuple)):
                return Value(type, self._context.get_constant_generic(self.builder, type, value.python))
            return Value(type, self._context.get_dummy_value())
        return value

    def _plain(self, value: Value) -> Any:
        return self.cast(value, types.unliteral(value.type))

    def type_of_outside(self, value: Any) -> types.Type:
        """Returns the type that Numba gives a function, a class or an array from outside."""
        type = self._typing.resolve_value_type(value)
        return type.copy(readonly=True) if isinstance(type, types.Array) else type

    def items_of(self, value: Value) -> list[Value]:
        """Returns the items of a tuple."""
        if value.items is not None:
            return value.items
        if not isinstance(value.type, types.BaseTuple):
            raise NotEmittedError(f"a tuple of the type {value.type}")
        return [Value(type, self.builder.extract_value(value.llvm, number)) for number, type in enumerate(value.type)]

    # ---- numbers --------------------------------------------------------------------------------------------------

    def cast(self, value: Value, type: types.Type) -> Any:
        """Returns the LLVM value of a value as one of ``type``, which Numba's cast makes."""
        value = self.as_value(value)
        if value.type == type:
            return value.llvm
        return self._context.cast(self.builder, value.llvm, value.type, type)

    def truth(self, value: Value) -> Any:
        """Returns the truth value of a number."""
        value = self.as_value(value)
        if value.type == types.boolean:
            return value.llvm
        if isinstance(value.type, (types.Integer, types.Float)):
            zero = Value(value.type, self._context.get_constant(value.type, 0))
            return self.compared(terms.NOT_EQUAL, value, zero).llvm
        return self.call(bool, [value]).llvm

    def unified(self, first: Value, second: Value) -> types.Type:
        """Returns the type of which two values are, as Numba unifies them."""
        if first.type == second.type:
            return first.type
        type = self._typing.unify_types(types.unliteral(first.type), types.unliteral(second.type))
        if type is None:
            raise NotEmittedError(f"{first.type} or {second.type}")
        return type

    def _operands(self, operands: Sequence[Term]) -> tuple[Value, Value]:
        first, second = [self.as_value(self.value(operand)) for operand in operands]
        if {first.type, second.type} == {types.float64, types.int64}:
            first, second = [Value(types.float64, self.cast(value, types.float64)) for value in (first, second)]
        return first, second

    def _computed(self, operation: ScalarOperation, first: Value, second: Value) -> Value:
        """Returns what an operation makes of two numbers: an instruction where both have one type that has it."""
        type, instruction = first.type, None
        if operation in _FOLDED and all(_is_integer(value) for value in (first, second)):
            return self.constant(_FOLDED[operation](first.constant, second.constant))
        if type == second.type:
            if isinstance(type, types.Float):
                instruction = _FLOAT_INSTRUCTIONS.get(operation)
            elif type == types.int64:
                instruction = _INTEGER_INSTRUCTIONS.get(operation) or _BIT_INSTRUCTIONS.get(operation)
            elif type == types.boolean:
                instruction = _BIT_INSTRUCTIONS.get(operation)
        if instruction is None:
            return self.call(_PYTHON_OPERATORS[operation], [first, second])
        return Value(type, getattr(self.builder, instruction)(first.llvm, second.llvm))

    def compared(self, operation: ScalarOperation, first: Value, second: Value) -> Value:
        """Returns the truth value of a comparison of two numbers."""
        sign, type = _COMPARISONS[operation], first.type
        if type == second.type == types.int64:
            return Value(types.boolean, self.builder.icmp_signed(sign, first.llvm, second.llvm))
        if type == second.type and isinstance(type, types.Float):
            compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
            return Value(types.boolean, compare(sign, first.llvm, second.llvm))
        return self.call(_PYTHON_OPERATORS[operation], [first, second])

    def _power(self, operation: ScalarOperation, operands: Sequence[Term]) -> Value:
        first, second = [self.as_value(self.value(operand)) for operand in operands]
        if _is_integer(second) and abs(second.constant) <= _MOST_MULTIPLICATIONS:
            if first.type == types.float64:
                return Value(first.type, self._power_of_float(first.llvm, second.constant))
            second = Value(types.literal(second.constant), self._context.get_dummy_value())
        elif first.type == types.float64 and second.type == types.int64:
            return self.call(integer_power, [first, second])
        return self.call(operator.pow, [first, second])

    def _power_of_float(self, base: Any, exponent: int) -> Any:
        """Returns the power of a float and a constant integer, by the multiplications of Numba."""
        builder, count = self.builder, abs(exponent)
        one = result = llvm_ir.Constant(base.type, 1.0)
        while count != 0:
            if count & 1:
                result = builder.fmul(result, base)
            count >>= 1
            if count:
                base = builder.fmul(base, base)
        return builder.fdiv(one, result) if exponent < 0 else result

    def _negative(self, operation: ScalarOperation, operands: Sequence[Term]) -> Value:
        value = self.as_value(self.value(operands[0]))
        if value.constant is not UNKNOWN and not isinstance(value.constant, bool):
            is_plain = value.type in (types.int64, types.float64)
            return self.constant(-value.constant, None if is_plain else np.dtype(str(value.type)))
        return self.call(operator.neg, [value])

    def _condition(self, operation: ScalarOperation, operands: Sequence[Term]) -> Value:
        """Writes ``and`` and ``or``, whose second operand is computed only if the first one does not decide."""
        is_and = operation is terms.AND
        first = self.truth(self.value(operands[0]))
        if _is_cheap(operands[1]):
            second = self.truth(self.value(operands[1]))
            return Value(types.boolean, (self.builder.and_ if is_and else self.builder.or_)(first, second))
        decided = self._context.get_constant(types.boolean, not is_and)
        condition = first if is_and else self.builder.not_(first)
        return self._choice(
            condition,
            lambda: Value(types.boolean, self.truth(self.value(operands[1]))),
            lambda: Value(types.boolean, decided),
        )

    def _select(self, operation: ScalarOperation, operands: Sequence[Term]) -> Value:
        condition = self.truth(self.value(operands[0]))
        if _is_cheap(operands[1]) and _is_cheap(operands[2]):
            first, second = [self.as_value(self.value(operand)) for operand in operands[1:]]
            type = self.unified(first, second)
            if isinstance(type, (types.Float, types.Integer, types.Boolean)):
                chosen = self.builder.select(condition, self.cast(first, type), self.cast(second, type))
                return Value(type, chosen)
        return self._choice(condition, lambda: self.value(operands[1]), lambda: self.value(operands[2]))

    def _choice(self, condition: Any, first: Callable[[], Value], second: Callable[[], Value]) -> Value:
        """Returns one of two values, of which the one alone is computed."""
        builder = self.builder
        then, otherwise, done = [builder.append_basic_block(name) for name in ("then", "otherwise", "done")]
        builder.cbranch(condition, then, otherwise)
        values, ends = [], []
        for block, compute in ((then, first), (otherwise, second)):
            builder.position_at_end(block)
            values.append(self.as_value(compute()))
            ends.append(builder.block)
        type = self.unified(*values)
        if self._lower.has_references(type):
            raise NotEmittedError("a choice of arrays")
        chosen = []
        for end, value in zip(ends, values, strict=True):
            builder.position_at_end(end)
            chosen.append((self.cast(value, type), builder.block))
            builder.branch(done)
        builder.position_at_end(done)
        phi = builder.phi(chosen[0][0].type)
        for value, block in chosen:
            phi.add_incoming(value, block)
        return Value(type, phi)

    # ---- arrays ---------------------------------------------------------------------------------------------------

    def field(self, array: Value, name: str, axis: int | None = None) -> Any:
        """Returns a part of an array's description."""
        position = self._context.data_model_manager[array.type].get_field_position(name)
        return self.builder.extract_value(array.llvm, position if axis is None else (position, axis))

    def _attribute(self, name: str, operands: Sequence[Term]) -> Value:
        value = self.as_value(self.value(operands[0]))
        if isinstance(value.type, types.Array) and name in ("size", "shape"):
            is_size = name == "size"
            type = types.intp if is_size else types.UniTuple(types.intp, value.type.ndim)
            result = Value(type, self.field(value, "nitems" if is_size else "shape"))
        else:
            type = self._typing.resolve_getattr(value.type, name)
            if type is None:
                raise NotEmittedError(f"{name} of {value.type}")
            get = self._context.get_getattr(value.type, name)
            found = get(self._context, self.builder, value.type, value.llvm, name)
            result = Value(type, found, self._lower.has_references(type))
        self._lower.drop(value)
        return result

    def _size_along(self, operation: code.SizeAlong, operands: Sequence[Term]) -> Value:
        array = self.as_value(self.value(operands[0]))
        if not isinstance(array.type, types.Array):
            raise NotEmittedError(f"a size of {array.type}")
        size = Value(types.intp, self.field(array, "shape", operation.axis))
        self._lower.drop(array)
        return size

    def _item(self, operation: code.Item, operands: Sequence[Term]) -> Value:
        value = self.value(operands[0])
        item = self.items_of(value)[operation.number]
        if value.is_owned:
            item = self._lower.keep(item)
            self._lower.drop(value)
        return item

    def _index(self, term: Term) -> tuple[Any, bool]:
        """Returns an index, and whether it may count from the end."""
        operation = term.operation
        if operation is not None and operation.name == "unsigned":
            return self.cast(self.value(term.operands[0]), types.intp), False
        value = self.as_value(self.value(term))
        if not isinstance(value.type, (types.Integer, types.Boolean)):
            raise NotEmittedError(f"an index of the type {value.type}")
        is_natural = (value.constant is not UNKNOWN and value.constant >= 0) or not getattr(value.type, "signed", True)
        return self.cast(value, types.intp), not is_natural

    def _element(self, operation: code.Subscript, array: Value, indices: Sequence[Term]) -> Any:
        """Returns the pointer to an element; None if a subscript names more than one."""
        type = array.type
        if not isinstance(type, types.Array) or not operation.is_element or len(indices) != type.ndim:
            return None
        builder, rank = self.builder, type.ndim
        positions = []
        for axis, term in enumerate(indices):
            position, may_be_negative = self._index(term)
            if may_be_negative:
                is_negative = builder.icmp_signed("<", position, _INTEGER(0))
                wrapped = builder.add(self.field(array, "shape", axis), position)
                position = builder.select(is_negative, wrapped, position)
            positions.append(position)
        shape = [self.field(array, "shape", axis) for axis in range(rank)]
        has_strides = type.layout == "A"
        strides = [self.field(array, "strides", axis) for axis in range(rank if has_strides else 0)]
        return cgutils.get_item_pointer2(
            self._context, builder, self.field(array, "data"), shape, strides, type.layout, positions
        )

    def _subscript(self, operation: code.Subscript, operands: Sequence[Term]) -> Value:
        array = self.as_value(*self._held_values(operands[:1]))
        pointer = self._element(operation, array, operands[1:])
        if pointer is None:
            index = self._subscript_value(operation, operands[1:])
            return self._dropping([array], self.call(operator.getitem, [array, index]))
        loaded = load_item(self._context, self.builder, array.type, pointer)
        return self._dropping([array], Value(array.type.dtype, loaded))

    def _dropping(self, values: Sequence[Value], result: Value) -> Value:
        for value in values:
            self._lower.drop(value)
        return result

    def _subscript_value(self, operation: code.Subscript, operands: Sequence[Term]) -> Value:
        """Returns what stands between the brackets of a subscript."""
        remaining = iter(operands)
        parts: list[Value] = []
        for kind in operation.kinds:
            if kind is code.INDEX:
                parts.append(self.value(next(remaining)))
            elif kind is code.NEW_AXIS:
                parts.append(self.constant(None))
            else:
                bounds = [self.cast(self.value(next(remaining)), types.intp) if is_given else None for is_given in kind]
                parts.append(self._slice(*bounds))
        return parts[0] if len(parts) == 1 else self.as_value(Value(None, items=parts))

    def _slice(self, start: Any, stop: Any, step: Any) -> Value:
        type = types.slice2_type if step is None else types.slice3_type
        made = self._context.make_helper(self.builder, type)
        made.step = _INTEGER(1) if step is None else step
        is_backward = self.builder.icmp_signed("<", made.step, _INTEGER(0))
        if start is None:
            start = self.builder.select(is_backward, _INTEGER(_LARGEST), _INTEGER(0))
        if stop is None:
            stop = self.builder.select(is_backward, _INTEGER(-_LARGEST - 1), _INTEGER(_LARGEST))
        made.start, made.stop = start, stop
        return Value(type, made._getvalue())

    def set_item(self, target: Term, value: Value) -> None:
        """Gives an element or a part of an array a value."""
        operation, operands = target.operation, target.operands
        if not isinstance(operation, code.Subscript):
            raise NotEmittedError(f"an assignment to {operation}")
        self._lower.hold(value)
        array = self.as_value(*self._held_values(operands[:1]))
        pointer = self._element(operation, array, operands[1:])
        if pointer is not None:
            store_item(self._context, self.builder, array.type, self.cast(value, array.type.dtype), pointer)
        elif not self._fill_with_zeros(operation, array, operands[1:], value):
            index, value = self._subscript_value(operation, operands[1:]), self.as_value(value)
            self._call_setitem(array, index, value)
        self._lower.drop(array)

    def _call_setitem(self, array: Value, index: Value, value: Value) -> None:
        signature = self._typing.resolve_setitem(array.type, types.unliteral(index.type), types.unliteral(value.type))
        if signature is None:
            raise NotEmittedError(f"an assignment to a part of {array.type}")
        given = zip((array, index, value), signature.args, strict=True)
        arguments = [self.cast(each, type) for each, type in given]
        self._context.get_function(operator.setitem, signature)(self.builder, arguments)

    def _fill_with_zeros(self, operation: code.Subscript, array: Value, operands: Sequence[Term], value: Value) -> bool:
        """Gives the first elements of a flat array the value 0; returns whether that is what an assignment does."""
        type = array.type
        is_flat = isinstance(type, types.Array) and type.ndim == 1 and type.layout == "C"
        if not is_flat or operation.kinds not in (((False, False, False),), ((False, True, False),)):
            return False
        if value.constant is UNKNOWN or value.constant != 0 or str(value.constant).startswith("-"):
            return False
        builder, count = self.builder, self.field(array, "nitems")
        if operands:
            wanted = self.cast(self.value(operands[0]), types.intp)  # a number of elements: it is not negative
            count = builder.select(builder.icmp_signed("<", wanted, count), wanted, count)
        size = builder.mul(count, self.field(array, "itemsize"))
        cgutils.memset(builder, self.field(array, "data"), size, 0)
        return True

    def update_item(self, target: Term, operation: ScalarOperation, value: Term) -> None:
        """Gives an element what an operation makes of it and a value."""
        subscript = target.operation
        assert isinstance(subscript, code.Subscript)
        array = self.as_value(*self._held_values(target.operands[:1]))
        pointer = self._element(subscript, array, target.operands[1:])
        if pointer is None:
            raise NotEmittedError("an update of a part of an array")
        before = Value(array.type.dtype, load_item(self._context, self.builder, array.type, pointer))
        given = self.as_value(self.value(value))
        if {before.type, given.type} == {types.float64, types.int64}:
            given = Value(types.float64, self.cast(given, types.float64))
        after = self.cast(self._computed(operation, before, given), array.type.dtype)
        store_item(self._context, self.builder, array.type, after, pointer)
        self._lower.drop(array)

    def new_array(self, sizes: Sequence[Value], dtype: types.Type, is_zero: bool) -> Value:
        """Returns a new array in C order; one on the stack has no reference count."""
        type = types.Array(dtype, len(sizes), "C")
        shape = [self.cast(size, types.intp) for size in sizes]
        if self._room_on_stack:
            array = self._array_on_stack(type, shape, [size.constant for size in sizes])
        else:
            array = _empty_nd_impl(self._context, self.builder, type, shape)
        if is_zero:
            cgutils.memset(self.builder, array.data, self.builder.mul(array.itemsize, array.nitems), 0)
        return Value(type, array._getvalue(), is_owned=True)

    @contextlib.contextmanager
    def new_arrays_on_stack(self, room: int) -> Iterator[None]:
        """Says how many elements of a new array may be on the stack; 0 for none."""
        before, self._room_on_stack = self._room_on_stack, room
        try:
            yield
        finally:
            self._room_on_stack = before

    def _array_on_stack(self, type: types.Array, shape: Sequence[Any], constants: Sequence[Any]) -> Any:
        """Returns a new array that is on the stack. If its sizes are no constants, it is on the heap where the stack has no room for it."""
        builder, room = self.builder, self._room_on_stack
        item = self._context.get_data_type(type.dtype)
        memory = cgutils.alloca_once(builder, llvm_ir.ArrayType(item, room))
        data = builder.bitcast(memory, item.as_pointer())
        if all(isinstance(size, int) for size in constants):
            return self._described_array(type, data, shape, None)
        fits = [builder.icmp_unsigned("<=", size, _INTEGER(room)) for size in shape]
        fits.append(builder.icmp_unsigned("<=", functools.reduce(builder.mul, shape), _INTEGER(room)))
        start, on_heap, done = builder.block, *[builder.append_basic_block(name) for name in ("on_heap", "done")]
        builder.cbranch(functools.reduce(builder.and_, fits), done, on_heap)
        builder.position_at_end(on_heap)
        array = _empty_nd_impl(self._context, builder, type, shape)
        parts = [(data, array.data), (array.meminfo.type(None), array.meminfo)]
        end = builder.block
        builder.branch(done)
        builder.position_at_end(done)
        joined = []
        for of_stack, of_heap in parts:
            phi = builder.phi(of_stack.type)
            phi.add_incoming(of_stack, start)
            phi.add_incoming(of_heap, end)
            joined.append(phi)
        return self._described_array(type, joined[0], shape, joined[1])

    def _described_array(self, type: types.Array, data: Any, shape: Sequence[Any], meminfo: Any) -> Any:
        """Returns the description of an array in C order."""
        itemsize = self._context.get_constant(
            types.intp, self._context.get_abi_sizeof(self._context.get_data_type(type.dtype))
        )
        strides: list[Any] = []
        step = itemsize
        for size in reversed(shape):
            strides.insert(0, step)
            step = self.builder.mul(step, size)
        array = make_array(type)(self._context, self.builder)
        populate_array(
            array,
            data=data,
            shape=cgutils.pack_array(self.builder, shape, ty=_INTEGER),
            strides=cgutils.pack_array(self.builder, strides, ty=_INTEGER),
            itemsize=itemsize,
            meminfo=meminfo,
        )
        return array

    def _reshaped(self, array: Value, sizes: Sequence[Value], may_raise: bool) -> Value:
        """Returns a flat array in C order in another shape; if it ``may_raise``, that is as Numba does if the shape has not as many elements."""
        builder, old = self.builder, array.type
        type = types.Array(old.dtype, len(sizes), "C", readonly=not old.mutable, aligned=old.aligned)
        shape = [self.cast(size, types.intp) for size in sizes]
        if may_raise:
            count = functools.reduce(builder.mul, shape, _INTEGER(1))
            with cgutils.if_unlikely(builder, builder.icmp_signed("!=", count, self.field(array, "nitems"))):
                self._lower.raise_(ValueError, ("total size of new array must be unchanged",))
        data, meminfo = self.field(array, "data"), self.field(array, "meminfo")
        result = self._described_array(type, data, shape, meminfo)
        self._lower.let_go(array)
        return self._lower.keep(Value(type, result._getvalue(), array.is_owned))

    # ---- calls ----------------------------------------------------------------------------------------------------

    def _call_of_terms(self, function: Any, operands: Sequence[Term]) -> Value:
        arguments = self._held_values(operands)
        if isinstance(function, _Intrinsic) and not _is_among(function, _LITERAL_ARGUMENTS):
            result = self._call_intrinsic(function, arguments)
        elif getattr(function, "is_late", False):
            result = call_late(self._lower, function, [self.as_value(argument) for argument in arguments])
        elif (rule := FUNCTION_RULES.get(function) if isinstance(function, Hashable) else None) is not None and (
            found := rule(self, arguments)
        ) is not None:
            result = found
        else:
            result = self.call(function, arguments)
        return self._dropping(arguments, result)

    def _held_values(self, operands: Sequence[Term]) -> list[Value]:
        """Returns the values of operands, whose references an exception drops from now on."""
        values = []
        for operand in operands:
            values.append(self.value(operand))
            self._lower.hold(values[-1])
        return values

    def _call_intrinsic(self, function: Any, arguments: Sequence[Value]) -> Value:
        given = [self.as_value(argument) for argument in arguments]
        made = function._defn(self._typing, *[types.unliteral(argument.type) for argument in given])
        if made is None:
            raise NotEmittedError(f"{function} of {[argument.type for argument in given]}")
        signature, generate = made
        values = [self.cast(argument, type) for argument, type in zip(given, signature.args, strict=True)]
        result = generate(self._context, self.builder, signature, values)
        type = signature.return_type
        return Value(type, result, self._lower.has_references(type))

    def call(self, function: Any, arguments: Sequence[Value]) -> Value:
        """Returns the result of a function that Numba has an implementation of, or compiles."""
        given = [self.as_value(argument) for argument in arguments]
        takes_literals = _is_among(function, _LITERAL_ARGUMENTS)
        argument_types = [
            types.literal(argument.constant)
            if takes_literals and isinstance(argument.constant, (bool, str))
            else argument.type
            if isinstance(argument.type, types.StringLiteral) or function is operator.pow
            else types.unliteral(argument.type)
            for argument in given
        ]
        if self._is_this_function(function, argument_types):
            return self._call_of_itself(given)
        callee = self._typing.resolve_value_type(function)
        signature = self._typing.resolve_function_type(callee, tuple(argument_types), {})
        if signature is None:
            raise NotEmittedError(f"{function} of {argument_types}")
        if isinstance(callee, types.ExternalFunctionPointer) and not callee.requires_gil:
            return self._call_of_pointer(function, callee, given)
        implementation = self._context.get_function(callee, signature)
        values = self._call_values(signature, [*zip(given, argument_types, strict=True)])
        result = implementation(self.builder, values, self._lower.location)
        type = signature.return_type
        return Value(type, result, self._lower.has_references(type))

    def _call_of_pointer(self, function: Any, callee: types.ExternalFunctionPointer, given: Sequence[Value]) -> Value:
        """Returns the result of a function of C."""
        pointer = self._context.get_constant_generic(self.builder, callee, function)
        values = [self.cast(argument, type) for argument, type in zip(given, callee.sig.args, strict=True)]
        result = self._context.call_function_pointer(self.builder, pointer, values, callee.cconv)
        return Value(callee.sig.return_type, result)

    def _call_values(self, signature: Any, given: Sequence[tuple[Value, types.Type]]) -> Sequence[Any]:
        """Returns the values that an implementation takes for the arguments of a call, with default values and ``*args`` as a tuple."""

        def cast(argument: tuple[Value, types.Type], wanted: types.Type) -> Any:
            value, type = argument
            return value.llvm if type == wanted else self._context.cast(self.builder, value.llvm, type, wanted)

        if signature.pysig is None:
            return [*map(cast, given, signature.args)]
        folded: Sequence[Any] = fold_arguments(
            signature.pysig,
            tuple(given),
            {},
            lambda index, _, argument: cast(argument, signature.args[index]),
            lambda index, _, value: self._context.get_constant_generic(self.builder, signature.args[index], value),
            lambda index, _, arguments: self._context.make_tuple(
                self.builder, signature.args[index], [*map(cast, arguments, signature.args[index])]
            ),
        )
        return folded

    def _is_this_function(self, function: Any, argument_types: Sequence[types.Type]) -> bool:
        """True if a call is one of the function that is written, for arguments of its types."""
        written = self._lower.func_ir
        return getattr(function, "py_func", None) is written.func_id.func and all(
            map(can_become, argument_types, written.argument_types)
        )

    def _call_of_itself(self, arguments: Sequence[Value]) -> Value:
        written = self._lower.func_ir
        if written.result is None:
            raise NotEmittedError("a call of itself before the type of the result is known")
        signature = signature_of_types(written.result, *written.argument_types)
        values = [self.cast(argument, type) for argument, type in zip(arguments, signature.args, strict=True)]
        result = self._context.call_internal(self.builder, self._lower.fndesc, signature, values)
        return Value(written.result, result, self._lower.has_references(written.result))

    def _method(self, operation: code.Method, operands: Sequence[Term]) -> Value:
        receiver, *arguments = self._held_values(operands)
        receiver = self.as_value(receiver)
        type = receiver.type
        if operation.named == "reshape" and isinstance(type, types.Array) and type.ndim == 1 and type.layout == "C":
            return self._reshaped(receiver, self.items_of(arguments[0]), operation.may_raise)
        method = self._typing.resolve_getattr(type, operation.named)
        if not isinstance(method, types.BoundFunction):
            raise NotEmittedError(f"{operation.named} of {type}")
        given = [self.as_value(argument) for argument in arguments]
        argument_types = tuple(types.unliteral(argument.type) for argument in given)
        signature = self._typing.resolve_function_type(method, argument_types, {})
        if signature is None:
            raise NotEmittedError(f"{operation.named} of {type} with {argument_types}")
        implementation = self._context.get_function(method, signature)
        values = [self.cast(argument, wanted) for argument, wanted in zip(given, signature.args, strict=True)]
        result = implementation(self.builder, [receiver.llvm, *values])
        found = Value(signature.return_type, result, self._lower.has_references(signature.return_type))
        return self._dropping([receiver, *arguments], found)

    def _transposition(self, operation: code.Transposition, operands: Sequence[Term]) -> Value:
        if operation.order == tuple(reversed(range(len(operation.order)))):
            return self._attribute("T", operands)
        array = self.as_value(*self._held_values(operands[:1]))
        order = Value(None, items=[self.constant(axis) for axis in operation.order])
        return self._dropping([array], self.call(np.transpose, [array, order]))


def _is_cheap(term: Term) -> bool:
    """True if a term of numbers is made of instructions alone, which may be computed where nothing uses their results."""
    return (
        (isinstance(term, Leaf) and not isinstance(term, code.Global))
        or isinstance(term, Number)
        or (term.operation in _CHEAP and all(map(_is_cheap, term.operands)))
    )


def _is_integer(value: Value) -> bool:
    """True for a constant integer."""
    return value.type == types.int64 and value.constant is not UNKNOWN


def _is_among(function: Any, others: Sequence[Any]) -> bool:
    return any(function is other for other in others)
