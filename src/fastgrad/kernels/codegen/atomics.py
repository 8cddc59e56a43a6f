"""LLVM IR of thread synchronisation: atomic operations on int64 words, and hints for a waiting thread.

All are sequentially consistent: writes of one thread before an operation are visible to another thread after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from fastgrad.kernels.codegen.body import (
    Special,
    atomic_add,
    atomic_load,
    atomic_min,
    atomic_store,
    relax,
    yield_processor,
)
from fastgrad.kernels.codegen.native import target

WORD = ir.IntType(64)
ORDER = "seq_cst"


def _place(builder: Any, args: Any) -> Any:
    return builder.gep(args[0], [args[1]])


def _load(builder: Any, args: Any) -> Any:
    return builder.load_atomic(_place(builder, args), ORDER, 8)


def _store(builder: Any, args: Any) -> Any:
    builder.store_atomic(args[2], _place(builder, args), ORDER, 8)
    return None


def _add(builder: Any, args: Any) -> Any:
    return builder.atomic_rmw("add", _place(builder, args), args[2], ORDER)


def _min(builder: Any, args: Any) -> Any:
    return builder.atomic_rmw("min", _place(builder, args), args[2], ORDER)


def _relax(builder: Any, args: Any) -> Any:
    """Emits the hint that the thread waits, if the processor has one."""
    machine = target().triple.split("-")[0]
    if machine in ("x86_64", "i686"):
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(declared(builder, kind, "llvm.x86.sse2.pause"), [])
    elif machine in ("aarch64", "arm64"):
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)])
        builder.call(declared(builder, kind, "llvm.aarch64.hint"), [ir.IntType(32)(1)])
    return None


def _yield(builder: Any, args: Any) -> Any:
    builder.call(declared(builder, ir.FunctionType(ir.IntType(32), []), YIELD), [])
    return None


def declared(builder: Any, kind: Any, name: str) -> Any:
    """Returns a function that is defined elsewhere."""
    found = builder.module.globals.get(name)
    return found if found is not None else ir.Function(builder.module, kind, name)


YIELD = "sched_yield"
"""The C library's function (POSIX) with which a thread lets other threads run."""

GIVES_WORD: dict[Special, Callable[..., Any]] = {atomic_add: _add, atomic_load: _load, atomic_min: _min}
GIVES_NOTHING: dict[Special, Callable[..., Any]] = {atomic_store: _store, relax: _relax, yield_processor: _yield}
