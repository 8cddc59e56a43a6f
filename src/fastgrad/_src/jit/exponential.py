"""The exponential function in derivatives: the C library's, bit for bit, as code that LLVM vectorizes and inlines.

Numba calls the C library for each exponential. In a loop, a call takes twice as long as the same arithmetic within the loop, and four times as long as
vectorized arithmetic. glibc (from 2.28 on, on processors with fused multiply-add) computes e^x from a table of 2^(i/128) and a polynomial of degree 5, by the
algorithm of ARM's optimized routines (``math/exp.c`` there). The same operations in the same order have the same bits, so a function's value has the
same bits as in Numba.

Derivatives use this code only if the C library of this process gives the expected bits. The test uses arguments at which other algorithms give other bits.
"""

from __future__ import annotations

import ctypes
import decimal
import functools
import struct
from typing import Any

import llvmlite.binding as llvm

from fastgrad._src.jit.body import digest
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import is_on
from fastgrad._src.jit.numba_internals import config
from fastgrad._src.jit.object_code import run_passes

INTRINSIC = "llvm.exp.f64"
SYMBOL = "fastgrad_differentiation_exp"
_TABLE_BITS = 7
_STEPS = 1 << _TABLE_BITS
_LANES = (2, 4, 8)
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
"""The digest of the results for `probe_arguments`."""


def probe_arguments() -> list[float]:
    """Returns the arguments by which an algorithm is known: of both signs, up to 512, near 0 too."""
    hard = [int(_HARD[start : start + 4], 16) for start in range(0, len(_HARD), 4)]
    return [
        ((number * 2654435761 % (1 << 32)) / (1 << 31) - 1.0) * 2.0 ** (9 - number % 20)
        for number in [*range(_EASY), *hard]
    ]


@functools.cache
def is_known() -> bool:
    """True if the exponential of this process's C library has the bits of this module's algorithm."""
    address = llvm.address_of_symbol("exp")
    if address is None or config.USING_SVML:
        return False
    exp = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(address)
    results = list(map(exp, probe_arguments()))
    return digest(struct.pack(f"<{len(results)}d", *results)) == _EXPECTED


def has_fused_multiply_add(features: str, triple: str) -> bool:
    """True if the processor that code is compiled for, with LLVM's ``features``, has the instruction; else it would be a call, too."""
    return "+fma" in features.split(",") or triple.startswith(("aarch64", "arm64"))


def replace_exponentials(module: Any, codegen: Any) -> None:
    """Replaces the calls of the exponential in a module that LLVM has not optimized yet.

    What they call then has the facts of the intrinsic function, so that LLVM may still move one of a constant out of a loop, and versions for the lanes of
    vectors, by which it vectorizes loops. It is not inlined before `inline_exponentials`.

    Args:
        module: the module.
        codegen: Numba's generator of code.
    """
    called = (
        [function for function in module.functions if function.name == INTRINSIC] if is_on(Feature.EXPONENTIALS) else []
    )
    if called and has_fused_multiply_add(codegen._tm_features, module.triple) and is_known():
        called[0].name = SYMBOL  # an intrinsic function is one by its name alone
        _link(_text("weak"), module)


def inline_exponentials(module: Any, codegen: Any) -> None:
    """Inlines in an optimized module what `replace_exponentials` made the module call."""
    if not any(function.name == SYMBOL for function in module.functions):
        return
    _link(_text("alwaysinline"), module)  # these take the place of weak functions
    for function in module.functions:
        if function.name.startswith(SYMBOL):
            function.linkage = "internal"
    builder = llvm.create_pass_builder(codegen._tm, llvm.create_pipeline_tuning_options(speed_level=1))
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_global_dead_code_eliminate_pass()
    run_passes(passes, module, builder)


def _link(text: str, module: Any) -> None:
    """Adds the functions of a text to a module."""
    code = llvm.parse_assembly(text)
    code.triple, code.data_layout = module.triple, module.data_layout
    module.link_in(code)


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
def _text(kind: str) -> str:
    """Returns the text of a module with the function, and its versions for the lanes of vectors.

    Args:
        kind: "weak" for functions that LLVM does not inline, since others may take their place, or "alwaysinline".
    """
    words = ", ".join(f"i64 {word}" for word in table())
    versions = ",".join(f"_ZGV_LLVM_N{lanes}v_{SYMBOL}({SYMBOL}_{lanes})" for lanes in _LANES)
    return f"""
@{SYMBOL}_table = private unnamed_addr constant [{2 * _STEPS} x i64] [{words}], align 64
; Not the intrinsic function: where a derivative is part of another one, that would be replaced again.
declare double @exp(double) #1
declare double @llvm.fabs.f64(double)
declare double @llvm.fma.f64(double, double, double)
attributes #0 = {{ nofree nosync nounwind willreturn speculatable memory(none) "vector-function-abi-variant"="{versions}" }}
attributes #1 = {{ nofree nosync nounwind willreturn memory(none) }}
!0 = !{{!"branch_weights", i32 1048576, i32 1}}
{"".join([_function_text(lanes, kind) for lanes in (1, *_LANES)])}"""


def _function_text(lanes: int, kind: str) -> str:
    """Returns the text of the function of so many lanes."""

    def typed(type: str) -> str:
        return type if lanes == 1 else f"<{lanes} x {type}>"

    def constant(type: str, value: Any) -> str:
        text = f"0x{_bits(value) % (1 << 64):016X}" if type == "double" else str(value)
        return text if lanes == 1 else f"<{', '.join([f'{type} {text}'] * lanes)}>"

    def fused(name: str, a: str, b: str, c: str) -> str:
        return f"  %{name} = call {real} @llvm.fma.{suffix}({real} {a}, {real} {b}, {real} {c})\n"

    def loaded(name: str, part: int) -> str:
        pointers = f"getelementptr inbounds i64, ptr @{SYMBOL}_table, {integer} %place_{name}"
        place = f"  %place_{name} = or {integer} %place, {constant('i64', part)}\n  %pointer_{name} = {pointers}\n"
        if lanes == 1:
            return f"{place}  %{name} = load i64, ptr %pointer_{name}, align 8\n"
        mask = constant("i1", "true")
        gather = f"call {integer} @llvm.masked.gather.v{lanes}i64.v{lanes}p0"
        return f"{place}  %{name} = {gather}({typed('ptr')} %pointer_{name}, i32 8, {typed('i1')} {mask}, {integer} poison)\n"

    real, integer = typed("double"), typed("i64")
    suffix = "f64" if lanes == 1 else f"v{lanes}f64"
    second, third, fourth, fifth = [constant("double", coefficient) for coefficient in _SERIES]
    shift = constant("double", _ROUNDING_SHIFT)
    outside, result = "  %y = call double @exp(double %x)\n", "%y"
    are_inside = "  %is_inside = or i1 %inside_lanes, false\n"
    if lanes > 1:
        are_inside = f"  %is_inside = call i1 @llvm.vector.reduce.and.v{lanes}i1({typed('i1')} %inside_lanes)\n"
        outside, result = "", "poison"
        for lane in range(lanes):
            outside += (
                f"  %x{lane} = extractelement {real} %x, i64 {lane}\n  %y{lane} = call double @exp(double %x{lane})\n"
            )
            outside += f"  %all{lane} = insertelement {real} {result}, double %y{lane}, i64 {lane}\n"
            result = f"%all{lane}"
    linkage, attribute = ("weak", "") if kind == "weak" else ("", kind)
    return f"""
define {linkage} {real} @{SYMBOL}{f"_{lanes}" if lanes > 1 else ""}({real} %x) {attribute} {"#0" if lanes == 1 else "#1"} {{
entry:
  %size = call {real} @llvm.fabs.{suffix}({real} %x)
  %inside_lanes = fcmp olt {real} %size, {constant("double", _FROM_LIBRARY)}
{are_inside}  br i1 %is_inside, label %inside, label %outside, !prof !0
outside:
{outside}  ret {real} {result}
inside:
{fused("shifted", "%x", constant("double", _STEPS_PER_UNIT), shift)}  %steps = fsub {real} %shifted, {shift}
{fused("high", "%steps", constant("double", _STEP_HIGH), "%x")}{fused("r", "%steps", constant("double", _STEP_LOW), "%high")}
  %number = bitcast {real} %shifted to {integer}
  %step = and {integer} %number, {constant("i64", _STEPS - 1)}
  %place = shl {integer} %step, {constant("i64", 1)}
{loaded("rest", 0)}{loaded("power", 1)}
  %rest_of_power = bitcast {integer} %rest to {real}
  %square = fmul {real} %r, %r
  %fourth_power = fmul {real} %square, %square
{fused("low", "%r", third, second)}{fused("up", "%r", fifth, fourth)}
  %first = fadd {real} %r, %rest_of_power
{fused("some", "%low", "%square", "%first")}{fused("less", "%fourth_power", "%up", "%some")}
  %exponent = shl {integer} %number, {constant("i64", 52 - _TABLE_BITS)}
  %bits = add {integer} %power, %exponent
  %scale = bitcast {integer} %bits to {real}
{fused("result", "%scale", "%less", "%scale")}  ret {real} %result
}}
{"" if lanes == 1 else _declarations(lanes)}"""


def _declarations(lanes: int) -> str:
    """Returns the declarations of LLVM's functions of vectors."""
    real, truth = f"<{lanes} x double>", f"<{lanes} x i1>"
    return f"""
declare {real} @llvm.fabs.v{lanes}f64({real})
declare {real} @llvm.fma.v{lanes}f64({real}, {real}, {real})
declare i1 @llvm.vector.reduce.and.v{lanes}i1({truth})
declare <{lanes} x i64> @llvm.masked.gather.v{lanes}i64.v{lanes}p0(<{lanes} x ptr>, i32, {truth}, <{lanes} x i64>)
"""
