"""LLVM IR of thread synchronisation: atomic operations on int64 words, and hints for a waiting thread.

All are sequentially consistent: writes of one thread before an operation are visible to another thread after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from fastgrad._src.jit.body import (
    Special,
    atomic_add,
    atomic_load,
    atomic_min,
    atomic_store,
    spin_loop_hint,
    yield_processor,
)
from fastgrad._src.jit.external_symbols import YIELD_FUNCTION
from fastgrad._src.jit.native import target_machine

I64 = ir.IntType(64)
MEMORY_ORDER = "seq_cst"


def _word_pointer(builder: Any, args: Any) -> Any:
    return builder.gep(args[0], [args[1]])


def _lower_atomic_load(builder: Any, args: Any) -> Any:
    return builder.load_atomic(_word_pointer(builder, args), MEMORY_ORDER, 8)


def _lower_atomic_store(builder: Any, args: Any) -> Any:
    builder.store_atomic(args[2], _word_pointer(builder, args), MEMORY_ORDER, 8)
    return None


def _lower_atomic_add(builder: Any, args: Any) -> Any:
    return builder.atomic_rmw("add", _word_pointer(builder, args), args[2], MEMORY_ORDER)


def _lower_atomic_min(builder: Any, args: Any) -> Any:
    return builder.atomic_rmw("min", _word_pointer(builder, args), args[2], MEMORY_ORDER)


def _lower_spin_loop_hint(builder: Any, args: Any) -> Any:
    """Emits the hint that the thread waits, if the processor has one."""
    machine = target_machine().triple.split("-")[0]
    if machine in ("x86_64", "i686"):
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(declared_function(builder, kind, "llvm.x86.sse2.pause"), [])
    elif machine in ("aarch64", "arm64"):
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)])
        builder.call(declared_function(builder, kind, "llvm.aarch64.hint"), [ir.IntType(32)(1)])
    return None


def _lower_yield_processor(builder: Any, args: Any) -> Any:
    builder.call(declared_function(builder, ir.FunctionType(ir.IntType(32), []), YIELD_FUNCTION), [])
    return None


def declared_function(builder: Any, function_type: Any, name: str) -> Any:
    """Returns the declaration, in the builder's module, of a function that is defined elsewhere."""
    found = builder.module.globals.get(name)
    return found if found is not None else ir.Function(builder.module, function_type, name)


WORD_LOWERINGS: dict[Special, Callable[..., Any]] = {
    atomic_add: _lower_atomic_add,
    atomic_load: _lower_atomic_load,
    atomic_min: _lower_atomic_min,
}
VOID_LOWERINGS: dict[Special, Callable[..., Any]] = {
    atomic_store: _lower_atomic_store,
    spin_loop_hint: _lower_spin_loop_hint,
    yield_processor: _lower_yield_processor,
}
