"""Lowering of variables to values, and of values to numbers: known values, casts."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types

from fastgrad._src.derivatives.codegen.complex_arrays import real_parts
from fastgrad._src.derivatives.frontend import array_expressions, complex_numbers, containers
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.views import Slice
from fastgrad._src.derivatives.functions.argument_types import field_types_of
from fastgrad._src.derivatives.ir.operands import INDEX, Constant, Operand, Scalar, View, index_constant, item_name
from fastgrad._src.derivatives.ir.partials import Partial
from fastgrad._src.derivatives.ir.scalar_operations import checked_size, may_raise
from fastgrad._src.derivatives.ir.values import (
    Complex,
    Deferred,
    EnumerationMember,
    Items,
    OptionalValue,
    RandomGenerator,
    Selection,
    Static,
    TextParameter,
    Window,
    describe,
    is_complex,
    item_if_read,
    type_of,
)
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.output.text import of_parameters
from fastgrad._src.jit.numba_internals import cpu_target, ir
from fastgrad._src.scalars.formulas import COTANGENT

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering


@may_raise
@numba.njit
def checked_optional(is_set):  # type: ignore[no-untyped-def]
    """Raises as Numba does if a value is None."""
    if not is_set:
        raise TypeError("expected a value, got None")
    return is_set


def by_class(table: dict[type, Any], value: Any) -> Any:
    """Returns the entry of a table for the nearest class of a value, or None."""
    return next((table[cls] for cls in type(value).__mro__ if cls in table), None)


class Part:
    """The base of the parts of a lowering."""

    def __init__(self, lowering: Lowering) -> None:
        self._lowering = lowering
        self._builder = lowering.builder
        self._operands = lowering.operands


class Operands:
    """What variables stand for, as the numbers and arrays that statements take."""

    def __init__(self, lowering: Lowering) -> None:
        self._lowering = lowering
        self._builder = lowering.builder

    def value(self, variable: ir.Var) -> Any:
        """Returns what a variable stands for, which is not None where Numba's type is optional."""
        return self.definite(self.optional_value(variable))

    def definite(self, value: Any) -> Any:
        """Returns the value of an `OptionalValue`, with a check that it is not None; other values as they are."""
        if not isinstance(value, OptionalValue):
            return value
        self._builder.compute(types.boolean, self._builder.call_of(checked_optional, 1), [value.is_set])
        return value.value

    def optional_value(self, variable: ir.Var) -> Any:
        """Returns what a variable stands for, an `OptionalValue` if it may be None."""
        value = item_if_read(self._lowering.frame.values[variable.name])
        if isinstance(value, Selection):
            value = self._lowering.subscripts.item_at(Items(value.items, types.none), value.index, value.type)
        if isinstance(value, Deferred):
            raise self._builder.refuse(f"{value.reason}, which can't be differentiated")
        if isinstance(value, Window):
            raise self._builder.refuse(
                "an array in the kernel of a stencil can be differentiated only where it is indexed"
            )
        if value.is_array:
            layout = getattr(self._lowering.frame.function.types.get(variable.name), "layout", value.layout)
            return View(value.root, value.starts, value.axes, value.parts, layout)
        return value

    def scalar(self, value: Any) -> Operand:
        """Returns ``value`` as a number."""
        if isinstance(value, (Constant, Scalar)):
            return value
        if isinstance(value, Static) and isinstance(value.value, (bool, int, float, np.number, np.bool_)):
            return self._builder.constant(value.value)
        if isinstance(value, OptionalValue):
            return self.scalar(self.definite(value))
        if isinstance(value, View) and not value.axes and value.parts is None:
            return view_rules.load_real(self._builder, value, [])
        raise self._builder.refuse(f"a number is needed here, this is {describe(value)}")

    def array_size(self, value: Any) -> Operand:
        """Returns ``value`` as a size of a new array; checks it within ``try``, which may catch the error."""
        size = self.scalar(value)
        if size.type == types.uint64 and not isinstance(size, Constant):
            size = self.cast(size, INDEX)
            size.is_natural = False  # from 2**63 on it is below 0
        if self._builder.is_in_try and not size.is_natural:
            self._lowering.calls.inline(checked_size.py_func, [size])
        return size

    def number(self, value: Any) -> Operand | Complex:
        """Returns ``value`` as a number, which may be complex."""
        if isinstance(value, View) and not value.axes:
            return view_rules.load_element(self._builder, value, [])
        return value if isinstance(value, Complex) else self.scalar(value)

    def static(self, value: Any) -> Any:
        """Returns what a known Python value stands for."""
        if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
            return self._builder.constant(value)
        if isinstance(value, np.ndarray):
            return self._global_array(value)
        if isinstance(value, tuple):
            numba_type = cpu_target.typing_context.resolve_value_type(value)
            return Items([self.static(item) for item in value], numba_type)
        if isinstance(value, (complex, np.complexfloating)):
            float_type = types.float32 if isinstance(value, np.complex64) else types.float64
            return Complex(Constant(float(value.real), float_type), Constant(float(value.imag), float_type))
        return Static(value)

    def _global_array(self, value: np.ndarray) -> Any:
        builder = self._builder
        numba_type = cpu_target.typing_context.resolve_value_type(value)
        if not isinstance(numba_type, types.Array):
            return Deferred(f"a global of type {numba_type}")
        name = builder.bind(value, "array")
        if isinstance(numba_type.dtype, types.Complex):
            self._lowering.result.globals[name + "_parts"] = real_parts(value)
            name += "_parts"
        for root in self._lowering.result.roots:
            if root.kind == "global" and root.name == name:
                return View.whole(root, numba_type.dtype)
        root = builder.root(numba_type, "global", name, [index_constant(size) for size in value.shape])
        root.name, root.block = name, None
        return View.whole(root, numba_type.dtype)

    def cast_expression(self, name: str, value: ir.Expr) -> Any:
        """Lowers a cast that Numba inserts."""
        return self.cast(self.optional_value(value.value), self._lowering.frame.type_of(name))

    def as_signed(self, index: Operand) -> Operand:
        """Returns an index; one of uint64, whose sum with a size is a float in Numba, as one of int64."""
        return self.cast(index, INDEX) if index.type == types.uint64 else index

    def cast(self, value: Any, type: types.Type) -> Any:
        """Returns ``value`` as Numba casts it to ``type``."""
        if not isinstance(type, types.Optional):
            value = self.definite(value)
        if value.is_number and isinstance(type, (types.Float, types.Integer)) and value.type != type:
            if isinstance(value, Constant) and (isinstance(type, types.Float) or abs(value.value) < 2**31):
                return Constant(np.array(value.value).astype(str(type)).item(), type)
            is_real = isinstance(type, types.Float) and value.is_real
            partials: list[Partial] = [COTANGENT if is_real else None]
            cast = self._builder.call_of(getattr(np, str(type)), 1, f"_{type}")
            result = self._builder.compute(type, cast, [value], 0, partials)
            result.is_natural = value.is_natural and getattr(value.type, "bitwidth", 8) <= type.bitwidth
            return result
        if isinstance(type, types.Boolean) and value.is_number and value.type != type:
            return self._lowering.operators.apply(operator.ne, [value, Constant(0, value.type)], type)
        if isinstance(type, types.Complex) and isinstance(value, (Constant, Scalar, Complex)):
            return complex_numbers.as_complex(self._lowering, value, type)
        if isinstance(value, Items) and isinstance(type, types.BaseTuple) and len(type) == len(value.values):
            return Items([self.cast(item, item_type) for item, item_type in zip(value.values, type, strict=True)], type)
        return value

    def array_of_elements(self, name: str, value: Any) -> Any:
        """Returns the value of a variable: `Elements` as the array of its elements, unless they are computed where they are read."""
        if name in self._lowering.frame.function.read_once and not is_complex(value):
            return value
        return array_expressions.materialize(self._lowering, value)

    def enum_member_value(self, value: Any) -> Operand:
        """Returns the value of a member of an enumeration."""
        return value.number if isinstance(value, EnumerationMember) else self._builder.constant(value.value.value)

    def element_or_view(self, view: View) -> Any:
        """Returns a view, or its element if it has no axes."""
        return view if view.axes else view_rules.load_element(self._builder, view, [])

    def types_of(self, values: list[Any]) -> list[types.Type]:
        """Returns the Numba types of values."""
        try:
            return [type_of(value) for value in values]
        except (TypeError, ValueError) as error:
            raise self._builder.refuse(
                f"a call with an argument without a type can't be differentiated ({error})"
            ) from None

    def plain(self, view: View) -> View:
        """Returns a view, or its copy if no slices of its root give it."""
        return view if view.real().has_slices() else self._lowering.array_functions.copy(self._lowering, view)

    def parameter(self, name: str, type: types.Type, position: int) -> Any:
        """Returns what a parameter of the outermost function stands for."""
        type = types.unliteral(type)
        if field_types_of(type) is not None:
            return containers.parameter_fields(self._lowering, name, type, position)
        rule = by_class(_PARAMETERS, type)
        value = f"is of type {type}" if rule is None else rule(self, name, type, position)
        is_refused = isinstance(value, str)
        return Deferred(f"the parameter {self._lowering.result.names[position]} {value}") if is_refused else value

    def _array(self, name: str, type: types.Array, position: int) -> View | str:
        if not isinstance(type.dtype, containers.NUMBERS):
            return f"is an array of {type.dtype}"
        root = self._builder.root(type, "parameter", name)
        root.name, root.block, root.position = name, None, position
        if isinstance(type.dtype, types.Complex):
            root.name = f"parts_of_{name}"
        self._builder.read_dims(root, type)
        return View.whole(root, type.dtype)

    def _complex_number(self, name: str, type: types.Complex, position: int) -> Complex:
        float_type = type.underlying_float
        return Complex(*[self.parameter(f"{part}_of_{name}", float_type, position) for part in ("real", "imag")])

    def _number(self, name: str, type: types.Type, position: int) -> Scalar:
        scalar = Scalar(name, type, None, position)
        self._lowering.result.scalars.append(scalar)
        return scalar

    def _tuple(self, name: str, type: types.BaseTuple, position: int) -> Items:
        items = [self.parameter(item_name(name, number), item, position) for number, item in enumerate(type)]
        return Items(items, type)

    def _enum_member(self, name: str, type: types.EnumMember, position: int) -> Any:
        number = self._parameter_number(type.dtype, name, "value")
        return number if isinstance(type, types.IntEnumMember) else EnumerationMember(number, type)

    def _slice(self, name: str, type: types.SliceType, position: int) -> Static | str:
        if type.members != 2:
            return f"is of type {type}"
        return Static(
            Slice(self._parameter_number(INDEX, name, "start"), self._parameter_number(INDEX, name, "stop"), None)
        )

    def _container(self, name: str, type: types.Type, position: int) -> Any:
        from fastgrad._src.derivatives.frontend import lists, mappings  # they import this module

        rule = mappings.parameter if isinstance(type, types.DictType) else lists.parameter
        return rule(self._lowering, name, type, position)

    def _parameter_number(self, type: types.Type, name: str, attribute: str) -> Scalar:
        """Returns the number that is an attribute of a parameter."""
        number = code.attribute(code.Variable(name), attribute)
        return self._builder.compute(type, of_parameters(number), [])


_PARAMETERS: dict[type, Callable[[Operands, str, Any, int], Any]] = {
    types.Omitted: lambda operands, name, kind, position: operands.static(kind.value),
    types.Array: Operands._array,
    types.Complex: Operands._complex_number,
    **dict.fromkeys([types.Float, types.Integer, types.Boolean], Operands._number),
    types.BaseTuple: Operands._tuple,
    types.NoneType: lambda operands, name, kind, position: Static(None),
    types.Dispatcher: lambda operands, name, kind, position: Static(kind.dispatcher),
    types.UnicodeType: lambda operands, name, kind, position: TextParameter(name),
    types.NumPyRandomGeneratorType: lambda operands, name, kind, position: RandomGenerator(name, kind),
    types.EnumMember: Operands._enum_member,
    types.SliceType: Operands._slice,
    **dict.fromkeys([types.List, types.ListType, types.DictType], Operands._container),
    types.FunctionType: lambda operands, name, kind, position: (
        "has functions that are known by type only (pass functions of njit one by one, or read them from a global tuple)"
    ),
}
"""What a parameter stands for, by the class of Numba's type; a text why it can't be differentiated."""
