"""Lowering of items and slices: reads, assignments and deletions of those of arrays, tuples, lists, dictionaries and records."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.frontend import array_expressions, containers, lists, methods, selections
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.operands import Part, by_class
from fastgrad._src.derivatives.frontend.statements import operation_of
from fastgrad._src.derivatives.frontend.views import Slice
from fastgrad._src.derivatives.ir.operands import Constant, Operand, Scalar, View, index_constant
from fastgrad._src.derivatives.ir.values import (
    ArrayList,
    Deferred,
    Elements,
    Fields,
    FunctionChoice,
    Items,
    List,
    Mapping,
    Selection,
    Static,
    Window,
    describe,
    item_if_read,
    listed,
    static_value,
    tuple_of,
    type_of,
)
from fastgrad._src.derivatives.numpy.loop_sources import checked_index
from fastgrad._src.jit.numba_internals import ir
from fastgrad._src.scalars import terms


def _has_static_index(statement: Any) -> bool:
    """True if the index of an access is a Python value, not a variable."""
    return isinstance(statement, ir.StaticSetItem) or operation_of(statement) == "static_getitem"


class Subscripts(Part):
    """Lowers reads, assignments and deletions of items."""

    def _indices(self, statement: Any) -> list[Any]:
        """Returns the indices of an access: operands, slices, arrays, new axes, ellipses."""
        if _has_static_index(statement):
            items = statement.index if isinstance(statement.index, tuple) else (statement.index,)
            return [self._static_index(item) for item in items]
        value = self._operands.value(statement.index)
        return [self._index(item) for item in listed(value)]

    def _mapping_key(self, statement: Any) -> Any:
        """Returns the key of an access to a dictionary."""
        key_of = self._operands.static if _has_static_index(statement) else self._operands.value
        return key_of(statement.index)

    def _static_index(self, item: Any) -> Any:
        if isinstance(item, slice):
            bounds = (item.start, item.stop, item.step)
            return Slice(*[None if bound is None else index_constant(bound) for bound in bounds])
        if item is None or item is Ellipsis:
            return view_rules.NEW_AXIS if item is None else view_rules.ALL_AXES
        if isinstance(item, (int, np.integer)):
            return index_constant(int(item))
        raise self._builder.refuse("this kind of index can't be differentiated")

    def _index(self, value: Any) -> Any:
        if isinstance(value, Static) and isinstance(value.value, Slice):
            return Slice(*[None if bound is None else self._operands.as_signed(bound) for bound in value.value])
        if isinstance(value, Static):
            return self._static_index(value.value)
        if value.is_array and not value.axes:
            return self._operands.as_signed(self._operands.scalar(value))
        if isinstance(value, Scalar):
            return self._operands.as_signed(value)
        if isinstance(value, Items):
            raise self._builder.refuse("an index that is a tuple within a tuple can't be differentiated")
        return value

    def window(self, variable: ir.Var) -> Window | None:
        """Returns the value of a variable that is an array in the kernel of a stencil, else None."""
        value = self._lowering.frame.values[variable.name]
        return value if isinstance(value, Window) else None

    def selection(self, variable: ir.Var) -> Selection | None:
        """Returns the value of a variable that is a written array of a tuple, else None."""
        value = item_if_read(self._lowering.frame.values[variable.name])
        return value if isinstance(value, Selection) else None

    def is_written(self, name: str) -> bool:
        """True if elements of a variable, or of another item of its tuple, are assigned in the function or in one that it calls."""
        origin, blocks = self._source_variable(name), self._lowering.frame.function.ir.blocks.values()
        for statement in itertools.chain.from_iterable(block.body for block in blocks):
            value: Any = getattr(statement, "value", None)
            if (
                isinstance(statement, (ir.SetItem, ir.StaticSetItem))
                and self._source_variable(statement.target.name) == origin
            ):
                return True
            if operation_of(value) == "call":
                given = [*value.args, *[other for _, other in value.kws]]
                is_given = any(self._source_variable(other.name) == origin for other in given)
                if is_given and any(
                    self._source_variable(other.name) == origin for other in self._written_arguments(value)
                ):
                    return True
        return False

    def _written_arguments(self, call: ir.Expr) -> list[ir.Var]:
        """Returns the arguments that a call of a function that Numba compiled writes, as far as they are known."""
        called = self._lowering.frame.function.types[call.func.name]
        if not isinstance(called, types.Dispatcher) or call.vararg is not None:
            return []
        parameters = inspect.signature(called.dispatcher.py_func).parameters
        if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters.values()):
            return []
        given = {**dict(zip(parameters, call.args, strict=False)), **dict(call.kws)}
        argument_types = [
            self._lowering.frame.type_of(given[name].name) if name in given else types.Omitted(parameter.default)
            for name, parameter in parameters.items()
        ]
        written = self._lowering.written_parameters(called.dispatcher, tuple(argument_types))
        return [given[name] for place, name in enumerate(parameters) if place in written and name in given]

    def _source_variable(self, name: str) -> str:
        """Returns the tuple that a variable is an item of, else the variable that it is a copy of."""
        definition: Any = self._lowering.frame.definitions.get(name)
        while isinstance(definition, ir.Var):
            name, definition = definition.name, self._lowering.frame.definitions.get(definition.name)
        is_item = operation_of(definition) in ("getitem", "static_getitem", "typed_getitem")
        if is_item and isinstance(self._lowering.frame.type_of(definition.value.name), (types.BaseTuple, types.List)):
            return self._source_variable(definition.value.name)
        return name

    def _item_of_window(self, window: Window, indices: list[Any]) -> Any:
        """Lowers an element at a place of a stencil."""
        if len(indices) != len(window.place) or not all(isinstance(index, (Constant, Scalar)) for index in indices):
            raise self._builder.refuse("an index of this kind in the kernel of a stencil can't be differentiated")
        absolute = [
            self._builder.index(
                terms.ADD, index, place, is_natural=isinstance(index, Constant) and index.value + start >= 0
            )
            for index, place, start in zip(indices, window.place, window.starts, strict=True)
        ]
        return self._operands.element_or_view(view_rules.subview(self._builder, window.array, absolute))

    def item(self, name: str, value: ir.Expr) -> Any:
        """Lowers the read of an item."""
        window = self.window(value.value)
        if window is not None:
            return self._item_of_window(window, self._indices(value))
        selection = self.selection(value.value)
        if selection is not None and not isinstance(self._lowering.frame.type_of(name), types.Array):
            indices = self._indices(value)
            return self._lowering.phis.choose(
                self._lowering.frame.type_of(name),
                selection.items,
                selection.index,
                lambda view: self._operands.element_or_view(view_rules.subview(self._builder, view, indices)),
            )
        container = self._operands.value(value.value)
        rule = by_class(_ITEMS, container)
        if rule is None:
            raise self._builder.refuse(f"an item of {describe(container)} can't be differentiated")
        return rule(self, name, value, container)

    def _item_of_tuple(self, name: str, value: ir.Expr, container: Items) -> Any:
        index = static_value(self._operands.value(value.index)) if value.op == "getitem" else value.index
        if isinstance(index, Slice):
            given = [bound for bound in index if bound is not None]
            if any(static_value(bound) is None for bound in given):
                whole = lists.new_list(self._lowering, container.type, container.values)
                return methods.call(self._lowering, whole, "__getitem__", [index], container.type)
            index = slice(*[None if bound is None else static_value(bound) for bound in index])
        if isinstance(index, slice):
            return tuple_of(container.values[index])
        if not isinstance(index, int):
            check = self._builder.call_of(checked_index, 2)
            size = index_constant(len(container.values))
            operand = self._operands.scalar(self._operands.value(value.index))
            position = self._builder.index(check, operand, size, is_natural=True)
            if self.is_selection(container) and self.is_written(name):
                return Selection(container.values, position, self._lowering.frame.type_of(name))
            return self.item_at(container, position, self._lowering.frame.type_of(name))
        if not -len(container.values) <= index < len(container.values):
            raise self._builder.refuse("an index is out of range")
        return container.values[index]

    def _item_of_container(self, name: str, value: ir.Expr, container: Any) -> Any:
        index = self._mapping_key(value) if isinstance(container, Mapping) else self._indices(value)[0]
        return methods.call(self._lowering, container, "__getitem__", [index], self._lowering.frame.type_of(name))

    def _item_of_records(self, name: str, value: ir.Expr, container: Fields) -> Any:
        is_field = value.op == "static_getitem" and isinstance(value.index, str)
        return containers.field_item(self._lowering, container, value.index if is_field else self._indices(value))

    def _item_of_array(self, name: str, value: ir.Expr, container: View) -> Any:
        indices = self._indices(value)
        if any(isinstance(index, View) for index in indices):
            return selections.select(self._lowering, container, indices)
        return self._operands.element_or_view(view_rules.subview(self._builder, container, indices))

    def item_at(self, container: Items, index: Operand, type: types.Type) -> Any:
        """Lowers an item of a tuple at a position that is not known: numbers by a chain of choices, others by branches."""
        builder, values = self._builder, container.values
        if not values:
            return Deferred("an item of an empty tuple")
        index = view_rules.normalize(builder, index, index_constant(len(values)))
        if all(isinstance(value, Static) and value.value is values[0].value for value in values):
            return values[0]
        if all(value.is_number for value in values):
            return self._lowering.operators.select_number(values, index, type)
        for value in values:
            if isinstance(value, Deferred):
                raise builder.refuse(f"{value.reason}, which can't be differentiated")
        if isinstance(type, types.FunctionType) and all(isinstance(value, Static) for value in values):
            return FunctionChoice(tuple(value.value for value in values), index, type.get_precise())
        return self._lowering.phis.choose(type, values, index, lambda value: value)

    def is_selection(self, container: Items) -> bool:
        """True if an item of a tuple of several arrays may be a `Selection`."""
        views = container.values
        return len(views) > 1 and all(
            view.is_array and type_of(view).dtype == type_of(views[0]).dtype for view in views
        )

    def set_item(self, statement: Any) -> None:
        """Lowers the assignment of an item."""
        builder = self._builder
        selection = self.selection(statement.target)
        if selection is not None:
            assigned = array_expressions.materialize(self._lowering, self._operands.value(statement.value))
            indices = self._indices(statement)
            self._lowering.phis.apply_in_branches(
                selection.items, selection.index, lambda view: self._lower_element_assignment(view, indices, assigned)
            )
            return
        target = self._operands.value(statement.target)
        value = self._operands.value(statement.value)
        if not target.is_array:
            value = array_expressions.materialize(self._lowering, value)
        if isinstance(target, Fields) and isinstance(statement, ir.StaticSetItem) and isinstance(statement.index, str):
            containers.set_field(self._lowering, target, statement.index, value)
            return
        if isinstance(target, Mapping):
            methods.call(self._lowering, target, "__setitem__", [self._mapping_key(statement), value], types.none)
            return
        if not (target.is_array or target.is_list or isinstance(target, Fields)):
            raise builder.refuse(f"the assignment of an item of {describe(target)} can't be differentiated")
        indices = self._indices(statement)
        if isinstance(target, Fields):
            containers.set_field(self._lowering, target, indices, value)
            return
        if isinstance(target, ArrayList) and self._is_item_updated_in_place(statement):
            return
        if target.is_list:
            if isinstance(indices[0], Slice):
                raise builder.refuse(
                    "the assignment to a slice of a list can't be differentiated: assign the items one by one, or make a new list"
                )
            methods.call(self._lowering, target, "__setitem__", [indices[0], value], types.none)
            return
        self._lower_element_assignment(target, indices, value)

    def delete_item(self, statement: ir.DelItem) -> None:
        """Lowers ``del`` of an item of a dictionary or a list."""
        target, index = self._operands.value(statement.target), self._operands.value(statement.index)
        position = self._index(index) if target.is_list else index
        if not isinstance(target, Mapping) and not (target.is_list and isinstance(position, (Constant, Scalar))):
            raise self._builder.refuse(
                f"del of an item of {describe(target)} like this can't be differentiated: delete the items one by one, or make a new list"
            )
        methods.call(self._lowering, target, "pop", [position], types.none)

    def _is_item_updated_in_place(self, statement: Any) -> bool:
        """True if a statement assigns to an item what an operator such as ``rows[i] += x`` returns, which is the item."""
        definitions = self._lowering.frame.definitions
        update: Any = definitions.get(statement.value.name)
        if operation_of(update) != "inplace_binop":
            return False
        read: Any = definitions.get(update.lhs.name)
        if operation_of(read) not in ("getitem", "static_getitem", "typed_getitem"):
            return False
        indices = [getattr(index, "name", index) for index in (read.index, statement.index)]
        return bool(read.value.name == statement.target.name and indices[0] == indices[1])

    def _lower_element_assignment(self, target: View, indices: list[Any], value: Any) -> None:
        """Lowers the assignment of elements of an array."""
        builder = self._builder
        if len(indices) == len(target.axes) and all(isinstance(index, (Constant, Scalar)) for index in indices):
            view_rules.store_element(builder, target, indices, self._operands.number(value))
            return
        if any(isinstance(index, View) for index in indices):
            value = array_expressions.materialize(self._lowering, value)
            selections.assign_selected(self._lowering, target, indices, value)
            return
        self._lowering.array_functions.assign(self._lowering, view_rules.subview(builder, target, indices), value)


_ITEMS: dict[type, Callable[[Subscripts, str, ir.Expr, Any], Any]] = {
    Items: Subscripts._item_of_tuple,
    **dict.fromkeys([Mapping, List], Subscripts._item_of_container),
    Fields: Subscripts._item_of_records,
    Elements: lambda part, name, value, container: array_expressions.element(
        part._lowering, container, part._indices(value)
    ),
    View: Subscripts._item_of_array,
}
"""What reads an item, by the class of what it is an item of."""
