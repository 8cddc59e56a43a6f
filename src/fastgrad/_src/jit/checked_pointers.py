"""Pointers of checked builds in Numba: an address with a number of elements and a name; see `bounds`."""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core import types as numba_types
from numba.extending import lower_builtin, models, register_model, type_callable

from fastgrad._src.jit.body import Special
from fastgrad._src.jit.bounds import NO_BOUND, RECORDER_SYMBOL
from fastgrad._src.jit.isa import host_isa
from fastgrad._src.jit.tile_bounds import CHECKS

types: Any = numba_types  # Numba adds names to this module when it is imported

_I64 = ir.IntType(64)


class CheckedPointer(types.Type):  # type: ignore[misc]  # Numba has no types
    """A pointer whose accesses are checked against its bounds.

    Args:
        dtype: the type of its elements, which may be pointers themselves.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"CheckedPointer({dtype})")

    @property
    def key(self) -> Any:
        """The key by which Numba compares checked pointer types: equal types have equal keys."""
        return self.dtype


@register_model(CheckedPointer)
class _PointerModel(models.StructModel):  # type: ignore[misc]  # Numba has no types
    """The data model of a checked pointer: address, address of the sizes of a list's arrays, element count, name."""

    def __init__(self, manager: Any, kind: Any) -> None:
        fields = [("data", types.CPointer(_type_in_memory(kind.dtype))), ("size", types.int64), ("name", types.voidptr)]
        if isinstance(kind.dtype, CheckedPointer):
            fields.insert(1, ("sizes", types.CPointer(types.int64)))
        super().__init__(manager, kind, fields)


def _type_in_memory(kind: Any) -> Any:
    """Returns the type of an element in memory: an address for a pointer."""
    return types.CPointer(kind.dtype) if isinstance(kind, CheckedPointer) else kind


def pointer_value(context: Any, builder: Any, kind: Any, start: Any, size: Any, name: Any) -> Any:
    """Returns a checked pointer to `size` elements from `start` on; `name` is a text or an LLVM value."""
    pointer = cgutils.create_struct_proxy(kind)(context, builder)
    pointer.data, pointer.size = start, size
    pointer.name = context.insert_const_string(builder.module, name) if isinstance(name, str) else name
    return pointer._getvalue()


def emit_access_check(context: Any, builder: Any, kind: Any, value: Any, index: Any) -> None:
    """Emits the check of an access: outside of the pointer's elements, it is recorded and the function returns."""
    pointer = cgutils.create_struct_proxy(kind)(context, builder, value)
    inside = builder.icmp_unsigned("<", index, pointer.size)
    unknown = builder.icmp_signed("==", pointer.size, _I64(NO_BOUND))
    with builder.if_then(builder.not_(builder.or_(inside, unknown)), likely=False):
        text = ir.IntType(8).as_pointer()
        record = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [text, _I64, _I64]), RECORDER_SYMBOL
        )
        builder.call(record, [pointer.name, index, pointer.size])
        context.call_conv.return_user_exc(builder, IndexError, ())


def emit_tile_check(context: Any, builder: Any, special: Special, kinds: Any, args: Any) -> None:
    """Emits the check of all accesses of a tile function: if one is outside, the function returns."""
    from fastgrad._src.jit.frontend import frontend
    from fastgrad._src.jit.intrinsics import cpu_machine

    machine = host_isa()
    size = kinds[0].dtype.bitwidth // 8
    numbers = (size, machine.vector_bytes // size, int(machine.masks))
    operands = [
        value if isinstance(kind, CheckedPointer) else context.cast(builder, value, kind, types.int64)
        for value, kind in zip(args, kinds, strict=True)
    ]
    operand_types = [kind if isinstance(kind, CheckedPointer) else types.int64 for kind in kinds]
    outcome = (
        frontend(cpu_machine)
        .scalar_function(CHECKS[special], {})
        .compiled_function((*operand_types, *[types.int64] * len(numbers)))
    )
    context.active_code_library.add_linking_library(outcome.library)
    context.call_internal(builder, outcome.fndesc, outcome.signature, [*operands, *map(_I64, numbers)])


def _are_access_types(pointer_type: Any, index_type: Any) -> bool:
    return isinstance(pointer_type, CheckedPointer) and isinstance(index_type, (types.Integer, types.Boolean))


@type_callable(operator.getitem)
def _type_getitem(_typing_context: Any) -> Any:
    def signature(pointer: Any, index: Any) -> Any:
        return pointer.dtype(pointer, types.intp) if _are_access_types(pointer, index) else None

    return signature


@type_callable(operator.setitem)
def _type_setitem(_typing_context: Any) -> Any:
    def signature(pointer: Any, index: Any, value: Any) -> Any:
        return types.none(pointer, types.intp, pointer.dtype) if _are_access_types(pointer, index) else None

    return signature


@lower_builtin(operator.getitem, CheckedPointer, types.Integer)
def _lower_getitem(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    kind, (value, index) = sig.args[0], args
    emit_access_check(context, builder, kind, value, index)
    pointer = cgutils.create_struct_proxy(kind)(context, builder, value)
    element = builder.load(builder.gep(pointer.data, [index]))
    if not isinstance(kind.dtype, CheckedPointer):
        return element
    size = builder.load(builder.gep(pointer.sizes, [index]))
    return pointer_value(context, builder, kind.dtype, element, size, pointer.name)


@lower_builtin(operator.setitem, CheckedPointer, types.Integer, types.Any)
def _lower_setitem(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    kind, (value, index, element) = sig.args[0], args
    emit_access_check(context, builder, kind, value, index)
    pointer = cgutils.create_struct_proxy(kind)(context, builder, value)
    builder.store(element, builder.gep(pointer.data, [index]))
    return context.get_dummy_value()
