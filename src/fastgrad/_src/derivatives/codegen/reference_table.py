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
Path = tuple[int, ...]
"""The indices of a part of a value."""


class ReferenceTable:
    """Counts references. It is an array on the stack of a function, whose slots have references or null.

    Args:
        context: Numba's target.
        builder: of the function, after its arguments.
    """

    def __init__(self, context: Any, builder: Any) -> None:
        self._context = context
        self._builder = builder
        self._pointer = context.get_value_type(_REFERENCE)
        self._null = ir.Constant(self._pointer, None)
        self._size = 0
        with builder.goto_entry_block():  # a truth value among the arguments begins other blocks
            self._table = builder.alloca(self._pointer, size=ir.Constant(ir.IntType(32), 1), name="references")
        self._unused: list[Any] = []
        self._paths: dict[types.Type, list[Path] | None] = {}

    # ---- references of values -------------------------------------------------------------------------------------

    def _paths_in(self, type: types.Type) -> list[Path] | None:
        """Returns where values of a type have their references; None if that depends on the value."""
        if type not in self._paths:
            self._paths[type] = self._find_paths(type)
        return self._paths[type]

    def _find_paths(self, type: types.Type) -> list[Path] | None:
        model = self._context.data_model_manager[type]
        if not model.contains_nrt_meminfo():
            return []
        if isinstance(type, types.Array):
            return [(model.get_field_position("meminfo"),)]
        if not isinstance(type, types.BaseTuple):
            return None
        paths: list[Path] = []
        for number, item in enumerate(type):
            inner = self._paths_in(item)
            if inner is None:
                return None
            paths += [(number, *path) for path in inner]
        return paths

    def _references_in(self, type: types.Type, value: Any) -> list[Any]:
        """Returns the references that a value of a type holds. Numba's own function extracts all parts of the value."""
        paths = self._paths_in(type)
        if paths is None:
            return [reference for _, reference in self._context.nrt.get_meminfos(self._builder, type, value)]
        return [self._builder.extract_value(value, path) for path in paths]

    def incref(self, type: types.Type, value: Any) -> None:
        """Counts new references to the memory of a value."""
        for reference in self._references_in(type, value):
            self._context.nrt.incref(self._builder, _REFERENCE, reference)

    def decref(self, type: types.Type, value: Any) -> None:
        """Drops the references that a value holds."""
        for reference in self._references_in(type, value):
            self._context.nrt.decref(self._builder, _REFERENCE, reference)

    def clear(self, type: types.Type, pointer: Any) -> None:
        """Stores null for the references of the value at a pointer."""
        paths = self._paths_in(type)
        if paths is None:
            self._builder.store(cgutils.get_null_value(pointer.type.pointee), pointer)
            return
        for path in paths:
            self._builder.store(self._null, cgutils.gep_inbounds(self._builder, pointer, 0, *path))

    # ---- slots ----------------------------------------------------------------------------------------------------

    def slots_of(self, type: types.Type) -> list[Any]:
        """Returns unused slots for the references that values of a type hold."""
        paths = self._paths_in(type)
        if paths is None:
            undefined = ir.Constant(self._context.get_value_type(type), ir.Undefined)
            block = ir.Block(self._builder.function, "unused")  # only the number counts
            count = len(self._context.nrt.get_meminfos(ir.IRBuilder(block), type, undefined))
        else:
            count = len(paths)
        return [self._unused.pop() if self._unused else self._new_slot() for _ in range(count)]

    def _new_slot(self) -> Any:
        with self._builder.goto_entry_block():
            slot = self._builder.gep(self._table, [ir.Constant(ir.IntType(32), self._size)])
            self._builder.store(self._null, slot)
        self._size += 1
        return slot

    def note(self, type: types.Type, value: Any, slots: Sequence[Any]) -> None:
        """Stores the references that a value holds."""
        for reference, slot in zip(self._references_in(type, value), slots, strict=True):
            self._builder.store(reference, slot)

    def forget(self, slots: Sequence[Any]) -> None:
        """Stores null."""
        for slot in slots:
            self._builder.store(self._null, slot)

    def reuse(self, slots: Sequence[Any]) -> None:
        """Takes slots back that have null."""
        self._unused.extend(slots)

    def release(self) -> None:
        """Drops all references in the slots."""
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
