"""Calls of a function by Python, which compiles the function at the first call. Code that seldom needs it waits for no compilation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad._src.derivatives.codegen.code_values import NotEmittedError, Value
from fastgrad._src.jit.numba_internals import cgutils


def call_by_python(lower: Any, function: Any, arguments: Sequence[Value]) -> Value:
    """Returns the result of a function that can be pickled, of the type of the results of the function that is written.

    Args:
        lower: writes the function.
        function: what is called.
        arguments: of the call.
    """
    type, builder = lower.func_ir.result, lower.builder
    if type is None:
        raise NotEmittedError("a call by Python before the type of the result is known")
    lower.init_pyapi()
    python = lower.pyapi
    lock = python.gil_ensure()
    for argument in arguments:
        lower.context.nrt.incref(builder, argument.type, argument.llvm)  # the object takes the reference
    objects = [python.from_native_value(argument.type, argument.llvm, lower.env_manager) for argument in arguments]
    callee = python.unserialize(python.serialize_object(function))
    result = python.call_function_objargs(callee, objects)
    for each in (callee, *objects):
        python.decref(each)
    with cgutils.if_unlikely(builder, cgutils.is_null(builder, result)):
        python.gil_release(lock)
        lower.call_conv.return_exc(builder)
    native = python.to_native_value(type, result)
    python.decref(result)
    if callable(native.cleanup):
        native.cleanup()
    python.gil_release(lock)
    with cgutils.if_unlikely(builder, native.is_error):
        lower.call_conv.return_exc(builder)
    return Value(type, native.value, lower.has_references(type))
