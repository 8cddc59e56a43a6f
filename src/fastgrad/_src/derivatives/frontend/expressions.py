"""Lowering of expressions that make or unpack tuples, lists, dictionaries and sets, and of attributes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.frontend import containers, lists, mappings, methods, random_generators
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.builder import Builder
from fastgrad._src.derivatives.frontend.operands import Part
from fastgrad._src.derivatives.frontend.statements import assigned_value
from fastgrad._src.derivatives.ir.operands import INDEX, Constant, Scalar, View, index_constant
from fastgrad._src.derivatives.ir.values import (
    ArrayList,
    Complex,
    Elements,
    EnumerationMember,
    Fields,
    Items,
    Mapping,
    Method,
    NumberList,
    RandomGenerator,
    Static,
    TupleList,
    describe,
    tuple_of,
    type_of,
)
from fastgrad._src.derivatives.numpy.loop_sources import common_size
from fastgrad._src.jit.numba_internals import ir

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering


class Expressions(Part):
    """Lowers displays, unpacking, and attributes."""

    def __init__(self, lowering: Lowering) -> None:
        super().__init__(lowering)
        self._rules_of_attributes: dict[type, Callable[[Any, str], Any]] = {
            Static: self._attribute_of_known,
            View: self._attribute_of_array,
            Items: self._attribute_of_items,
            Fields: functools.partial(containers.field_attribute, lowering),
            EnumerationMember: lambda owner, attribute: owner.number if attribute == "value" else NotImplemented,
            Elements: lambda owner, attribute: (
                tuple_of([axis.size for axis in owner.axes]) if attribute == "shape" else Method(owner, attribute)
            ),
            RandomGenerator: random_generators.attribute,
            **dict.fromkeys([Constant, Scalar, Complex], self._attribute_of_number),
            **dict.fromkeys([Mapping, NumberList, ArrayList, TupleList], Method),
        }

    def build_tuple(self, name: str, value: ir.Expr) -> Any:
        """Lowers a tuple of values."""
        return Items([self._operands.optional_value(item) for item in value.items], self._lowering.frame.type_of(name))

    def build_list(self, name: str, value: ir.Expr) -> Any:
        """Lowers a list of values; one that is only read is a tuple."""
        items, list_type = [self._operands.value(item) for item in value.items], self._lowering.frame.type_of(name)
        is_of_numbers = isinstance(list_type.dtype, containers.NUMBERS)
        is_empty = not items and not is_of_numbers
        if lists.is_growable_list_type(list_type) and (
            is_empty or not self._is_constant_list(name, may_be_passed=not is_of_numbers)
        ):
            return lists.new_list(self._lowering, list_type, items)
        return Items(items, list_type)

    def build_map(self, name: str, value: ir.Expr) -> Any:
        """Lowers a dictionary."""
        map_type = self._lowering.frame.type_of(name)
        if not isinstance(map_type, types.DictType):
            raise self._builder.refuse(f"a dictionary of type {map_type} can't be differentiated")
        result = mappings.new_mapping(self._lowering, map_type, [])
        for key, item in value.items:
            items = [self._operands.value(key), self._operands.value(item)]
            methods.call(self._lowering, result, "__setitem__", items, types.none)
        return result

    def build_set(self, name: str, value: ir.Expr) -> Any:
        """Lowers a set."""
        # Numba adds the last one first.
        items = Items([self._operands.value(item) for item in value.items[::-1]], types.none)
        return mappings.new_mapping(self._lowering, self._lowering.frame.type_of(name), [items])

    def _is_constant_list(self, name: str, may_be_passed: bool = False) -> bool:
        """True if a list is only read, or passed to functions that only read it: then it is as good as a tuple.

        With ``may_be_passed`` functions that are inlined count as such, whatever they do.
        """
        names = {name}
        blocks = self._lowering.frame.function.ir.blocks.values()
        statements = [statement for block in blocks for statement in block.body if not isinstance(statement, ir.Del)]
        while True:
            size = len(names)
            for statement in statements:
                value = assigned_value(statement)
                if isinstance(value, ir.Var) and value.name in names:
                    names.add(statement.target.name)
                elif isinstance(value, ir.Expr) and names & {variable.name for variable in value.list_vars()}:
                    if value.op in ("cast", "build_list", "build_tuple"):
                        names.add(statement.target.name)
                    elif value.op == "call":
                        is_known = isinstance(self._lowering.frame.function.types[value.func.name], types.Function)
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

    def unpack(self, name: str, value: ir.Expr) -> Any:
        """Lowers the unpacking of a value to several variables."""
        result = self._operands.value(value.value)
        if isinstance(result, Items):
            if len(result.values) != value.count:
                raise self._builder.refuse(f"{len(result.values)} items are unpacked to {value.count} variables")
            return result
        (result,) = containers.as_arrays(self._lowering, [result])
        if result.is_array:
            check = self._builder.call_of(common_size, 2)
            self._builder.index(check, result.axes[0].size, index_constant(value.count))
            first = [
                view_rules.subview(self._builder, result, [index_constant(number)]) for number in range(value.count)
            ]
            return tuple_of([self._operands.element_or_view(view) for view in first])
        raise self._builder.refuse("this can't be unpacked in a derivative")

    def attribute(self, name: str, value: ir.Expr) -> Any:
        """Lowers the read of an attribute."""
        window, attribute = self._lowering.subscripts.window(value.value), value.attr
        if window is not None and attribute in ("shape", "size", "ndim"):
            return self._attribute_of_array(window.array, attribute)
        owner = self._operands.value(value.value)
        rule = self._rules_of_attributes.get(type(owner))
        result = NotImplemented if rule is None else rule(owner, attribute)
        if result is NotImplemented:
            raise self._builder.refuse(f"the attribute {attribute} of {describe(owner)} can't be differentiated")
        return result

    def _attribute_of_known(self, owner: Static, attribute: str) -> Any:
        try:
            return self._operands.static(getattr(owner.value, attribute))
        except AttributeError:
            raise self._builder.refuse(f"{describe(owner)} has no attribute {attribute}") from None

    def _attribute_of_array(self, array: View, attribute: str) -> Any:
        if attribute == "flat" and len(array.axes) == 1:
            return array
        if attribute == "flat" and type_of(array).layout == "C":
            return view_rules.reshape(self._builder, array, [view_rules.product(self._builder, array.sizes)], True)
        rule = _ATTRIBUTES_OF_ARRAYS.get(attribute)
        return Method(array, attribute) if rule is None else rule(self._builder, array)

    def _attribute_of_items(self, owner: Items, attribute: str) -> Any:
        names = getattr(owner.type, "fields", ())
        if attribute in names:
            return owner.values[names.index(attribute)]
        if attribute in ("count", "index"):
            return Method(owner, attribute)
        if isinstance(owner.type, types.List) and hasattr(list, attribute):
            raise self._builder.refuse(
                f"{attribute} of a list that another function made with items can't be differentiated; make it empty, and append the items"
            )
        return NotImplemented

    def _attribute_of_number(self, owner: Constant | Scalar | Complex, attribute: str) -> Any:
        if attribute in ("conjugate", "item"):
            return Method(owner, attribute)
        if isinstance(owner, Complex):
            return getattr(owner, attribute) if attribute in ("real", "imag") else NotImplemented
        values = {"real": owner, "imag": Constant(0, owner.type), "value": owner}  # `value` of an IntEnum
        return values.get(attribute, NotImplemented)


def _part_of_array(builder: Builder, array: View, attribute: str) -> View:
    """Returns the real or the imaginary part of an array."""
    if array.parts is not None:
        return view_rules.part(builder, array, ("real", "imag").index(attribute))
    return array if attribute == "real" else builder.allocate(array.dtype, array.sizes, "zeros")


_ATTRIBUTES_OF_ARRAYS: dict[str, Callable[[Builder, View], Any]] = {
    "shape": lambda _, array: Items(array.sizes, types.UniTuple(INDEX, len(array.axes))),
    "size": lambda builder, array: view_rules.product(builder, array.sizes),
    "ndim": lambda _, array: index_constant(len(array.axes)),
    "T": lambda _, array: view_rules.transpose(array, list(range(len(array.axes)))[::-1]),
    "dtype": lambda _, array: Static(np.dtype(str(array.dtype))),
    "real": lambda builder, array: _part_of_array(builder, array, "real"),
    "imag": lambda builder, array: _part_of_array(builder, array, "imag"),
}
"""What reads an attribute of an array. Other attributes are methods."""
