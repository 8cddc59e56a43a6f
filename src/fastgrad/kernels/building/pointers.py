"""Pointers as Numba knows them: plain ones, and in checked builds those that know how many elements there are (`bounds.py`)."""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core import types as numba_types
from numba.core.callconv import RETCODE_USEREXC
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_builtin

from fastgrad.kernels.building.bounds import NO_BOUND, OUTSIDE, checks_bounds

types: Any = numba_types  # whose names are made when it is imported
WORD = ir.IntType(64)


class CheckedPointer(types.CPointer):  # type: ignore[misc]  # Numba has no types
    """A pointer to a known number of elements."""

    def __init__(self, dtype: Any) -> None:
        super().__init__(dtype)
        self.name = f"checked({dtype})"


class CheckedTable(types.CPointer):  # type: ignore[misc]  # Numba has no types
    """A pointer to a known number of pointers, each to a known number of elements."""

    def __init__(self, element: Any) -> None:
        super().__init__(CheckedPointer(element))
        self.element = element
        self.name = f"table({element})"


@register_default(CheckedPointer)
class _PointerModel(models.StructModel):  # type: ignore[misc]  # Numba has no types
    def __init__(self, manager: Any, kind: Any) -> None:
        members = [("data", types.CPointer(kind.dtype)), ("size", types.int64), ("name", types.voidptr)]
        super().__init__(manager, kind, members)


@register_default(CheckedTable)
class _TableModel(models.StructModel):  # type: ignore[misc]  # Numba has no types
    def __init__(self, manager: Any, kind: Any) -> None:
        plain = types.CPointer(types.CPointer(kind.element))
        sizes = types.CPointer(types.int64)
        members = [("data", plain), ("sizes", sizes), ("size", types.int64), ("name", types.voidptr)]
        super().__init__(manager, kind, members)


def pointer_to(element: Any) -> Any:
    """The type of a pointer to elements."""
    return CheckedPointer(element) if checks_bounds() else types.CPointer(element)


def table_of(element: Any) -> Any:
    """The type of a pointer to pointers to elements."""
    return CheckedTable(element) if checks_bounds() else types.CPointer(types.CPointer(element))


def made(context: Any, builder: Any, kind: Any, memory: Any, count: int, name: str) -> Any:
    """A pointer of a type that `pointer_to` gave, to `count` elements of memory."""
    data = builder.bitcast(memory, context.get_value_type(types.CPointer(kind.dtype)))
    if not isinstance(kind, CheckedPointer):
        return data
    parts = cgutils.create_struct_proxy(kind)(context, builder)
    parts.data, parts.size = data, WORD(count)
    parts.name = context.insert_const_string(builder.module, name)
    return parts._getvalue()


def address(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """The address that a pointer holds, for what is not a single access."""
    if not isinstance(kind, (CheckedPointer, CheckedTable)):
        return value
    return cgutils.create_struct_proxy(kind)(context, builder, value=value).data


def check(context: Any, builder: Any, kind: Any, value: Any, index: Any) -> None:
    """Ends the kernel if a pointer has no element of this number."""
    if not isinstance(kind, (CheckedPointer, CheckedTable)):
        return
    parts = cgutils.create_struct_proxy(kind)(context, builder, value=value)
    inside = builder.icmp_unsigned("<", index, parts.size)
    inside = builder.or_(inside, builder.icmp_signed("==", parts.size, WORD(NO_BOUND)))
    with builder.if_then(builder.not_(inside), likely=False):
        kind = ir.FunctionType(ir.VoidType(), [parts.name.type, WORD, WORD])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, OUTSIDE), [parts.name, index, parts.size])
        builder.ret(RETCODE_USEREXC)


def check_box(context: Any, builder: Any, kind: Any, value: Any, start: Any, *extents: tuple[Any, Any]) -> None:
    """Ends the kernel if a pointer lacks one of the elements from `start` on along axes: (stride, length) of each."""
    if not isinstance(kind, CheckedPointer):
        return
    low = high = start
    some = ir.Constant(ir.IntType(1), 1)
    for stride, length in extents:
        reach = builder.mul(stride, builder.sub(length, WORD(1)))
        down = builder.icmp_signed("<", reach, WORD(0))
        low = builder.add(low, builder.select(down, reach, WORD(0)))
        high = builder.add(high, builder.select(down, WORD(0), reach))
        some = builder.and_(some, builder.icmp_signed(">", length, WORD(0)))
    with builder.if_then(some):
        check(context, builder, kind, value, low)
        check(context, builder, kind, value, high)


@lower_builtin(operator.getitem, CheckedPointer, types.Integer)
def _get(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.load(_element(context, builder, signature, args))


@lower_builtin(operator.setitem, CheckedPointer, types.Integer, types.Any)
def _set(context: Any, builder: Any, signature: Any, args: Any) -> None:
    builder.store(args[2], _element(context, builder, signature, args))


def _element(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    kind = signature.args[0]
    check(context, builder, kind, args[0], args[1])
    return builder.gep(address(context, builder, kind, args[0]), [args[1]])


@lower_builtin(operator.getitem, CheckedTable, types.Integer)
def _get_pointer(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    kind = signature.args[0]
    check(context, builder, kind, args[0], args[1])
    table = cgutils.create_struct_proxy(kind)(context, builder, value=args[0])
    parts = cgutils.create_struct_proxy(kind.dtype)(context, builder)
    parts.data = builder.load(builder.gep(table.data, [args[1]]))
    parts.size = builder.load(builder.gep(table.sizes, [args[1]]))
    parts.name = table.name
    return parts._getvalue()
