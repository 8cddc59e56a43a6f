"""Calls of a derivative that Numba compiles when a call needs it: code that seldom needs it waits for no compilation."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from llvmlite import ir as llvm_ir
from numba import types

from fastgrad._src.derivatives.codegen.code_values import NotEmittedError, Value
from fastgrad._src.jit.numba_internals import cgutils

_ADDRESS = llvm_ir.IntType(64)
_COMPILED: list[Any] = []
"""The derivatives whose machine code is called."""


def call_late(lower: Any, derivative: Any, arguments: Sequence[Value]) -> Value:
    """Returns the result of a derivative, which has the type of the results of the function that is written.

    Args:
        lower: writes the function.
        derivative: a dispatcher that can be pickled. It is called with the types of the function that is written.
        arguments: of the call.
    """
    context, builder, written = lower.context, lower.builder, lower.func_ir
    if written.result is None:
        raise NotEmittedError("a late call before the type of the result is known")
    slot = cgutils.add_global_variable(lower.module, _ADDRESS, "late_function")
    slot.linkage, slot.initializer = "internal", _ADDRESS(0)
    with cgutils.if_unlikely(builder, builder.icmp_unsigned("==", builder.load(slot), _ADDRESS(0))):
        _write_compilation(lower, functools.partial(_address, derivative, written.argument_types, written.result), slot)
    convention = context.call_conv
    kind = convention.get_function_type(written.result, written.argument_types).as_pointer()
    function = builder.inttoptr(builder.load(slot), kind)
    values = [argument.llvm for argument in arguments]
    status, result = convention.call_function(builder, function, written.result, written.argument_types, values)
    with cgutils.if_unlikely(builder, status.is_error):
        convention.return_status_propagate(builder, status)
    return Value(written.result, result, lower.has_references(written.result))


def _write_compilation(lower: Any, address: functools.partial[int], slot: Any) -> None:
    """Writes the call of a function of Python that returns an address, which the slot keeps."""
    builder = lower.builder
    lower.init_pyapi()
    python = lower.pyapi
    lock = python.gil_ensure()
    function = python.unserialize(python.serialize_object(address))
    _leave_if_null(lower, function, lock)
    result = python.call_function_objargs(function, [])
    python.decref(function)
    _leave_if_null(lower, result, lock)
    builder.store(python.long_as_longlong(result), slot)
    python.decref(result)
    python.gil_release(lock)


def _leave_if_null(lower: Any, pointer: Any, lock: Any) -> None:
    """Writes the exit by Python's exception if an object is missing."""
    with cgutils.if_unlikely(lower.builder, cgutils.is_null(lower.builder, pointer)):
        lower.pyapi.gil_release(lock)
        lower.call_conv.return_exc(lower.builder)


def _address(derivative: Any, argument_types: tuple[types.Type, ...], result: types.Type) -> int:
    """Compiles a derivative; returns the address of its machine code."""
    derivative.compile(argument_types)
    compiled = derivative.overloads[argument_types]
    if compiled.signature.return_type != result:
        raise TypeError(f"a derivative has results of the types {result} and {compiled.signature.return_type}")
    _COMPILED.append(derivative)
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))
