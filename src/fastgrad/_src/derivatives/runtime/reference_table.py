"""The references that a function holds to memory, where its exit by exceptions finds them.

Were the variables themselves read there, LLVM would pass the values of all variables to the exit from each call that may raise: its time would grow with
the product of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types

from fastgrad._src.jit.numba_internals import cgutils

_REFERENCE = types.MemInfoPointer(types.voidptr)
_RELEASE = "fastgrad_release_references"


class ReferenceTable:
    """An array on the stack of a function, whose slots have references or null.

    Args:
        context: Numba's target.
        builder: at the first block of the function, which has no end yet.
    """

    def __init__(self, context: Any, builder: Any) -> None:
        self._context = context
        self._builder = builder
        self._pointer = context.get_value_type(_REFERENCE)
        self._null = ir.Constant(self._pointer, None)
        self._size = 0
        self._table = builder.alloca(self._pointer, size=ir.Constant(ir.IntType(32), 1), name="references")
        self._unused: list[Any] = []

    def slots_of(self, type: types.Type) -> list[Any]:
        """Returns unused slots for the references that values of a type hold."""
        undefined = ir.Constant(self._context.get_value_type(type), ir.Undefined)
        block = ir.Block(self._builder.function, "unused")  # only the number counts
        count = len(self._context.nrt.get_meminfos(ir.IRBuilder(block), type, undefined))
        return [self._unused.pop() if self._unused else self._new_slot() for _ in range(count)]

    def _new_slot(self) -> Any:
        with self._builder.goto_entry_block():
            slot = self._builder.gep(self._table, [ir.Constant(ir.IntType(32), self._size)])
            self._builder.store(self._null, slot)
        self._size += 1
        return slot

    def note(self, type: types.Type, value: Any, slots: Sequence[Any]) -> None:
        """Stores the references that a value holds."""
        for (_, reference), slot in zip(self._context.nrt.get_meminfos(self._builder, type, value), slots, strict=True):
            self._builder.store(reference, slot)

    def forget(self, slots: Sequence[Any]) -> None:
        """Stores null."""
        for slot in slots:
            self._builder.store(self._null, slot)

    def reuse(self, slots: Sequence[Any]) -> None:
        """Takes slots back that have null."""
        self._unused.extend(slots)

    def release(self) -> None:
        """Drops all references."""
        self._table.operands[0] = ir.Constant(ir.IntType(32), max(self._size, 1))
        if self._size:
            self._builder.call(self._release_function(), [self._table, ir.Constant(ir.IntType(64), self._size)])

    def _release_function(self) -> Any:
        """Returns the function of a table and its size that drops the references. It is not inlined: LLVM would turn slots into values again."""
        module = self._builder.module
        kind = ir.FunctionType(ir.VoidType(), [self._pointer.as_pointer(), ir.IntType(64)])
        function = cgutils.get_or_insert_function(module, kind, _RELEASE)
        function.linkage = "internal"
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block())
        table, size = function.args
        with cgutils.for_range(builder, size) as loop:
            self._context.nrt.decref(builder, _REFERENCE, builder.load(builder.gep(table, [loop.index])))
        builder.ret_void()
        return function
