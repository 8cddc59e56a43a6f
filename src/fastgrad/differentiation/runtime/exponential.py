"""The exponential in derivatives: that of the C library, bit for bit, as code that LLVM inlines.

Numba calls the C library for each exponential. In a loop, a call takes twice as long as the same arithmetic within the loop: around it nothing stays
in vector registers, and it tests for errors. glibc (from 2.28 on, on processors with fused multiply-add) computes e^x from a table of 2^(i/128) and a
polynomial of degree 5, by the algorithm of ARM's optimized routines (``math/exp.c`` there). The same operations in the same order have the same bits,
so the value of a function stays that of Numba.

No derivative has this code unless the C library of this process gives the expected bits for thousands of arguments.
"""

from __future__ import annotations

import ctypes
import decimal
import functools
import struct
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from fastgrad.differentiation.runtime.numba_internals import config
from fastgrad.kernels.codegen.body import digest
from fastgrad.kernels.codegen.object_code import run_passes

INTRINSIC = "llvm.exp.f64"
SYMBOL = "fastgrad_differentiation_exp"
_TABLE_BITS = 7
_STEPS = 1 << _TABLE_BITS
_FROM_LIBRARY = 512.0
"""Arguments of at least this size, whose results may be out of range, are left to the C library."""
_STEPS_PER_UNIT = float.fromhex("0x1.71547652b82fep+7")
_STEP_HIGH, _STEP_LOW = float.fromhex("-0x1.62e42fefa0000p-8"), float.fromhex("-0x1.cf79abc9e3b3ap-47")
"""The negative of log(2)/128 in two parts."""
_ROUNDING_SHIFT = float.fromhex("0x1.8p52")
_SERIES = tuple(
    map(
        float.fromhex,
        ("0x1.ffffffffffdbdp-2", "0x1.555555555543cp-3", "0x1.55555cf172b91p-5", "0x1.1111167a4d017p-7"),
    )
)
"""The coefficients of r^2 to r^5 in e^r - 1, for \\|r\\| <= log(2)/256."""
_EASY = 1024
_HARD = (
    "0029013102d0033604b904ba052106be0724079309450d5b0e0f0e240eb10fdb10c110eb114a15be166b16d9175d179817be18fb1a5b1af01bb71d091f3a211e"
    "21ec225e249d24e42688272c2774289f28b1290a294d2b362c872cde2eed2ef92f113054311e31a232733356339533a233a534b139143b8e3c833caf3fc540b0"
    "40db42204326445046264663468247974882494349544a374abf4c484cf54e794f2b4f5a4f745101517d523254665768576e57dd581c58db5c8f5e3d5ef55f65"
    "6008604b645f64dd651365d267bc69276ba76bb66c0f6c886d096e446ee9703771637198743f7487748c74c175617823789778c279c17aaf7b407be17c157e84"
    "7f7f80fc81ec82e684fb85a78657868d87c88bc28cce8d548d588d688d6e8dcd8ddd8e878f4e90d3915992c392ec94b096a096df981298a89a9a9b9d9d769de1"
    "9f42a206a343a352a42aa4d1a4faa6bbaa92ab12ab44ab6aabb7ac22acc8ad7bae68aebdaee0af16b028b033b099b11eb18ab1f5b2b8b481b49eb64cb70db75f"
    "b87fba09ba70ba93bb73bc55bc95bd1cbda1bf42c089c0f4c221c299c29ac381c41fc432c48dc589c6b7ca25cadccb58cb79cb9cccd8ce29cfd9d035d0abd195"
    "d274d3c5d4ebd516d51ad5f4d73dd7ded839da41dadcdb7ee092e0cee15de405e532e613eae2eafdeb5debc2ed45f091f5ccf689f77dfabdfadbfbf7fda2ff09"
)
"""The numbers, of four digits each, of arguments whose results are within 1/500 of a rounding error of the middle between two floats.

Of these 256, an algorithm that rounds all results correctly gets 43 others, and this one without fused multiply-add 29.
"""
_EXPECTED = "176163379194ec7f4d8922ebb260376aef13186da180dff0e6dd546fb0084bf9"
"""The digest of the results for `tried_arguments`."""


def tried_arguments() -> list[float]:
    """Returns the arguments by which an algorithm is known: of both signs, up to 512, near 0 too."""
    hard = [int(_HARD[start : start + 4], 16) for start in range(0, len(_HARD), 4)]
    return [
        ((number * 2654435761 % (1 << 32)) / (1 << 31) - 1.0) * 2.0 ** (9 - number % 20)
        for number in [*range(_EASY), *hard]
    ]


@functools.cache
def is_known() -> bool:
    """True if the C library's exponential, which Numba calls, is the one that this module knows."""
    address = llvm.address_of_symbol("exp")
    if address is None or config.USING_SVML:
        return False
    exp = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(address)
    results = list(map(exp, tried_arguments()))
    return digest(struct.pack(f"<{len(results)}d", *results)) == _EXPECTED


def has_fused_multiply_add(features: str, triple: str) -> bool:
    """True if the processor that code is compiled for, with LLVM's ``features``, has the instruction; else it would be a call, too."""
    return "+fma" in features.split(",") or triple.startswith(("aarch64", "arm64"))


def inline_exponentials(module: Any, codegen: Any) -> None:
    """Replaces the calls of the exponential in an optimized module.

    Before, LLVM has to see the intrinsic function: it moves one of a constant out of a loop, and folds two of the same number into one.

    Args:
        module: the module.
        codegen: Numba's generator of code.
    """
    called = [function for function in module.functions if function.name == INTRINSIC]
    if not called or not has_fused_multiply_add(codegen._tm_features, module.triple) or not is_known():
        return
    called[0].name = SYMBOL  # an intrinsic function is one by its name alone
    module.link_in(llvm.parse_assembly(_text(module.triple, str(codegen._data_layout))))
    module.get_function(SYMBOL).linkage = "internal"
    builder = llvm.create_pass_builder(codegen._tm, llvm.create_pipeline_tuning_options(speed_level=1))
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    run_passes(passes, module, builder)


def table() -> list[int]:
    """Returns two integers for each i from 0 to 127.

    The first has the bits of the relative error of 2^(i/128) as a float, the second the bits of that float less i in the place of the exponent's
    fraction: the number of steps, added there, gives the power of two with its exponent.
    """
    with decimal.localcontext() as context:
        context.prec = 60
        step = decimal.Decimal(2).ln() / _STEPS
        powers = [(step * i).exp() for i in range(_STEPS)]
        rests = [float(power / decimal.Decimal(float(power)) - 1) for power in powers]
    words = []
    for i, (power, rest) in enumerate(zip(powers, rests, strict=True)):
        words += [_bits(rest), _bits(float(power)) - (i << (52 - _TABLE_BITS))]
    return words


def _bits(number: float) -> int:
    (bits,) = struct.unpack("<q", struct.pack("<d", number))
    return int(bits)


@functools.cache
def _text(triple: str, data_layout: str) -> str:
    """Returns the text of a module with the function."""
    module = ir.Module(SYMBOL)
    module.triple, module.data_layout = triple, data_layout
    real, integer = ir.DoubleType(), ir.IntType(64)
    words = table()
    values = ir.GlobalVariable(module, ir.ArrayType(integer, len(words)), f"{SYMBOL}_table")
    values.initializer = ir.Constant(values.value_type, words)
    values.global_constant, values.linkage, values.unnamed_addr = True, "private", True
    function = ir.Function(module, ir.FunctionType(real, [real]), SYMBOL)
    function.attributes.add("alwaysinline")
    function.attributes.add("nounwind")
    (x,) = function.args
    entry, inside, outside = map(function.append_basic_block, ("entry", "inside", "outside"))
    builder = ir.IRBuilder(entry)
    is_inside = builder.fcmp_ordered(
        "<", builder.call(module.declare_intrinsic("llvm.fabs", [real]), [x]), real(_FROM_LIBRARY)
    )
    builder.cbranch(is_inside, inside, outside).set_weights([1 << 20, 1])
    builder.position_at_end(outside)
    # Not by the intrinsic function: where a derivative is part of another one, that would be replaced again.
    library = ir.Function(module, function.function_type, "exp")
    for attribute in ("readnone", "nounwind"):
        library.attributes.add(attribute)
    builder.ret(builder.call(library, [x]))

    builder.position_at_end(inside)
    second, third, fourth, fifth = map(real, _SERIES)
    shifted = builder.fma(x, real(_STEPS_PER_UNIT), real(_ROUNDING_SHIFT))
    steps = builder.fsub(shifted, real(_ROUNDING_SHIFT))
    r = builder.fma(steps, real(_STEP_LOW), builder.fma(steps, real(_STEP_HIGH), x))
    number = builder.bitcast(shifted, integer)
    place = builder.shl(builder.and_(number, integer(_STEPS - 1)), integer(1))
    rest, power = (
        builder.load(builder.gep(values, [integer(0), builder.or_(place, integer(part))], inbounds=True))
        for part in range(2)
    )
    square = builder.fmul(r, r)
    less = builder.fma(builder.fma(r, third, second), square, builder.fadd(r, builder.bitcast(rest, real)))
    less = builder.fma(builder.fmul(square, square), builder.fma(r, fifth, fourth), less)
    scale = builder.bitcast(builder.add(power, builder.shl(number, integer(52 - _TABLE_BITS))), real)
    builder.ret(builder.fma(scale, less, scale))
    return str(module)
