"""Lowering of variables to what they stand for, and of these to numbers: known values, casts."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types

from fastgrad._src.derivatives.frontend import array_expressions, complex_numbers, containers
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.views import Slice
from fastgrad._src.derivatives.functions.argument_types import members_of
from fastgrad._src.derivatives.ir.operands import (
    INDEX,
    Constant,
    Operand,
    Scalar,
    View,
    index_constant,
    is_natural_number,
    item_name,
    refuse,
)
from fastgrad._src.derivatives.ir.partials import Partial
from fastgrad._src.derivatives.ir.scalar_operations import may_raise
from fastgrad._src.derivatives.ir.values import (
    Complex,
    Deferred,
    Items,
    Maybe,
    Member,
    Selection,
    Static,
    Text,
    Window,
    describe,
    is_complex,
    type_of,
    without_step,
)
from fastgrad._src.derivatives.runtime.complex_arrays import real_parts
from fastgrad._src.jit.numba_internals import cpu_target, ir
from fastgrad._src.scalars.formulas import COTANGENT, ScalarOperation

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering


@may_raise
@numba.njit
def checked_optional(is_set):  # type: ignore[no-untyped-def]
    """Raises as Numba does if a value is None."""
    if not is_set:
        raise TypeError("expected a value, got None")
    return is_set


class Operands:
    """What variables stand for, as the numbers and arrays that statements take."""

    def __init__(self, lowering: Lowering) -> None:
        self._lowering = lowering
        self._builder = lowering.builder

    def value(self, variable: ir.Var) -> Any:
        """Returns what a variable stands for, which is not None where Numba's type is optional."""
        return self.definite(self.optional_value(variable))

    def definite(self, value: Any) -> Any:
        """Returns the value of a `Maybe`, with a check that it is not None; other values as they are."""
        if not isinstance(value, Maybe):
            return value
        self._builder.compute(types.boolean, self._builder.call_of(checked_optional, 1), [value.is_set])
        return value.value

    def optional_value(self, variable: ir.Var) -> Any:
        """Returns what a variable stands for, a `Maybe` if it may be None."""
        value = without_step(self._lowering.frame.values[variable.name])
        if isinstance(value, Selection):
            value = self._lowering.subscripts.item_at(Items(value.items, types.none), value.index, value.type)
        if isinstance(value, Deferred):
            raise refuse(f"{value.reason}, which can't be differentiated", self._builder.location)
        if isinstance(value, Window):
            raise refuse(
                "an array in the kernel of a stencil can be differentiated only where it is indexed",
                self._builder.location,
            )
        if isinstance(value, View):
            layout = getattr(self._lowering.frame.function.types.get(variable.name), "layout", value.layout)
            return View(value.root, value.starts, value.axes, value.parts, layout)
        return value

    def scalar(self, value: Any) -> Operand:
        """Returns ``value`` as a number."""
        if isinstance(value, (Constant, Scalar)):
            return value
        if isinstance(value, Static) and isinstance(value.value, (bool, int, float, np.number, np.bool_)):
            return self._builder.constant(value.value)
        if isinstance(value, Maybe):
            return self.scalar(self.definite(value))
        if isinstance(value, View) and not value.axes and value.parts is None:
            return view_rules.load_real(self._builder, value, [])
        raise refuse(f"a number is needed here, this is {describe(value)}", self._builder.location)

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
        if (
            isinstance(value, (Constant, Scalar))
            and isinstance(type, (types.Float, types.Integer))
            and value.type != type
        ):
            if isinstance(value, Constant) and (isinstance(type, types.Float) or abs(value.value) < 2**31):
                return Constant(np.array(value.value).astype(str(type)).item(), type)
            is_real = isinstance(type, types.Float) and isinstance(value, Scalar) and value.is_real
            partials: list[Partial] = [COTANGENT if is_real else None]
            cast = self._builder.call_of(getattr(np, str(type)), 1, f"_{type}")
            result = self._builder.compute(type, cast, [value], 0, partials)
            result.is_natural = is_natural_number(value) and getattr(value.type, "bitwidth", 8) <= type.bitwidth
            return result
        if isinstance(type, types.Boolean) and isinstance(value, (Constant, Scalar)) and value.type != type:
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

    def number_of_member(self, value: Any) -> Operand:
        """Returns the value of a member of an enumeration."""
        return value.number if isinstance(value, Member) else self._builder.constant(value.value.value)

    def element_or_view(self, view: View) -> Any:
        """Returns a view, or its element if it has no axes."""
        return view if view.axes else view_rules.load_element(self._builder, view, [])

    def types_of(self, values: list[Any]) -> list[types.Type]:
        """Returns the Numba types of values."""
        try:
            return [type_of(value) for value in values]
        except (TypeError, ValueError) as error:
            raise refuse(
                f"a call with an argument without a type can't be differentiated ({error})", self._builder.location
            ) from None

    def plain(self, view: View) -> View:
        """Returns a view, or its copy if no slices of its root give it."""
        return (
            view
            if view.real().has_slices()
            else self._lowering.array_functions.copy(self._lowering, [view], {}, types.none)
        )

    def parameter(self, name: str, type: types.Type, position: int) -> Any:
        """Returns what a parameter of the outermost function stands for."""
        type = types.unliteral(type)
        builder = self._builder
        if isinstance(type, types.Omitted):
            return self.static(type.value)
        if members_of(type) is not None:
            return containers.parameter_fields(self._lowering, name, type, position)
        if isinstance(type, types.Array):
            if not isinstance(type.dtype, (types.Float, types.Integer, types.Boolean, types.Complex)):
                return Deferred(f"the parameter {self._lowering.result.names[position]} is an array of {type.dtype}")
            root = builder.root(type, "parameter", name)
            root.name, root.block, root.position = name, None, position
            if isinstance(type.dtype, types.Complex):
                root.name = f"parts_of_{name}"
            builder.read_dims(root, type)
            return View.whole(root, type.dtype)
        if isinstance(type, types.Complex):
            float_type = type.underlying_float
            return Complex(*[self.parameter(f"{part}_of_{name}", float_type, position) for part in ("real", "imag")])
        if isinstance(type, (types.Float, types.Integer, types.Boolean)):
            scalar = Scalar(name, type, None, position)
            self._lowering.result.scalars.append(scalar)
            return scalar
        if isinstance(type, types.BaseTuple):
            items = [self.parameter(item_name(name, number), item, position) for number, item in enumerate(type)]
            return Items(items, type)
        if isinstance(type, types.NoneType):
            return Static(None)
        if isinstance(type, types.Dispatcher):
            return Static(type.dispatcher)
        if isinstance(type, types.UnicodeType):
            return Text(name)
        if isinstance(type, types.EnumMember):
            number = builder.compute(type.dtype, ScalarOperation(f"{name}.value", reads_parameter=True), [])
            return number if isinstance(type, types.IntEnumMember) else Member(number, type)
        if isinstance(type, types.SliceType) and type.members == 2:
            bounds = [
                self._builder.compute(INDEX, ScalarOperation(f"{name}.{bound}", reads_parameter=True), [])
                for bound in ("start", "stop")
            ]
            return Static(Slice(bounds[0], bounds[1], None))
        owner = f"the parameter {self._lowering.result.names[position]}"
        if isinstance(type, types.FunctionType):
            return Deferred(
                f"{owner} has functions that are known by type only (pass functions of njit one by one, or read them from a global tuple)"
            )
        return Deferred(f"{owner} is of type {type}")
