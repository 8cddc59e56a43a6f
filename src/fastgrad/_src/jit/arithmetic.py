"""LLVM IR of the scalar functions of `body`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from fastgrad._src.jit import body
from fastgrad._src.jit.atomics import declared_function
from fastgrad._src.jit.library_calls import symbol_of
from fastgrad._src.jit.native import target_machine

_FLOAT_LAYOUTS = {"float": (32, 127, 23), "double": (64, 1023, 52)}
# The width of a float, the bias of its exponent, and the position of the exponent.


def _lower_fused_multiply_add(builder: Any, args: Any) -> Any:
    return builder.fma(*args)


def _rounding_lowering(name: str) -> Callable[[Any, Any], Any]:
    def lower(builder: Any, args: Any) -> Any:
        return builder.call(builder.module.declare_intrinsic(f"llvm.{name}", [args[0].type]), args)

    return lower


def _library_call_lowering(function: str) -> Callable[[Any, Any], Any]:
    def lower(builder: Any, args: Any) -> Any:
        kind = ir.FunctionType(args[0].type, [arg.type for arg in args])
        symbol = symbol_of(function, str(args[0].type))
        return builder.call(declared_function(builder, kind, symbol), args)

    return lower


@functools.cache
def _has_ldexp_instruction() -> bool:
    """True if LLVM can use an instruction of this CPU that multiplies vectors by powers of two."""
    return "+avx512vl" in target_machine().features.split(",") and bool(llvm.llvm_version_info[0] >= 22)


def _lower_scale_by_power_of_two(builder: Any, args: Any) -> Any:
    x, k = args
    width, bias, start = _FLOAT_LAYOUTS[str(x.type)]
    narrow, word = ir.IntType(32), ir.IntType(width)
    if _has_ldexp_instruction():
        k = k if k.type == narrow else builder.trunc(k, narrow)
        kind = ir.FunctionType(x.type, [x.type, narrow])
        return builder.call(declared_function(builder, kind, f"llvm.ldexp.f{width}.i32"), [x, k])
    # In two steps, the first of which is exact: 2^k itself may be out of range.
    if k.type != word:
        k = builder.sext(k, word) if k.type.width < width else builder.trunc(k, word)
    half = builder.ashr(k, word(1))
    for part in (half, builder.sub(k, half)):
        power = builder.shl(builder.add(part, word(bias)), word(start))
        x = builder.fmul(x, builder.bitcast(power, x.type))
    return x


LOWERINGS: dict[body.Special, Callable[[Any, Any], Any]] = {
    body.fused_multiply_add: _lower_fused_multiply_add,
    body.library_cos: _library_call_lowering("cos"),
    body.library_fmod: _library_call_lowering("fmod"),
    body.library_sin: _library_call_lowering("sin"),
    body.library_tan: _library_call_lowering("tan"),
    body.round_down: _rounding_lowering("floor"),
    body.round_to_even: _rounding_lowering("rint"),
    body.round_to_zero: _rounding_lowering("trunc"),
    body.round_up: _rounding_lowering("ceil"),
    body.scale_by_power_of_two: _lower_scale_by_power_of_two,
}
"""For each name, a function of an IR builder and the arguments; the result has the type of the first argument."""
