"""How the names of `cuda.building.body` are written: for the GPU, and for the simulation of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastgrad.cuda.building import body, library
from fastgrad.kernels.building.body import (
    Special,
    call_pair,
    call_real,
    call_step,
    library_cos,
    library_fmod,
    library_sin,
    library_tan,
    scale_by_power_of_two,
)
from fastgrad.kernels.building.number_types import Type, Untranslatable, Value, llvm_type
from fastgrad.kernels.building.specials import INTEGERS_OR_FLOATS, TOUCHED, Write
from fastgrad.kernels.functions.power import power_in_parts, power_through_float64

_WHOLE_WARP = Value("int32", "-1")
_LAST_LANE = Value("int32", "31")


def _register(name: str) -> Write:
    def write(_: Sequence[Value], writer: Any) -> Value:
        return writer.cast(writer.call(f"llvm.nvvm.read.ptx.sreg.{name}", "int32", []), "int64")

    return write


def _synchronize(_: Sequence[Value], writer: Any) -> Value:
    return writer.call("llvm.nvvm.barrier0", "none", [])


def _bits_of(x: Value, writer: Any) -> tuple[Value, Type]:
    """A number's bits as an integer, and the integer's type."""
    if x.type not in INTEGERS_OR_FLOATS or INTEGERS_OR_FLOATS[x.type] < 32:
        raise Untranslatable(f"threads exchange numbers of 32 and 64 bits, not {x.type}")
    kind = f"int{INTEGERS_OR_FLOATS[x.type]}"
    if llvm_type(kind) == llvm_type(x.type):
        return Value(kind, x.text), kind
    return Value(kind, writer.new(f"bitcast {llvm_type(x.type)} {x.text} to {llvm_type(kind)}")), kind


def _of_bits(bits: Value, kind: Type, writer: Any) -> Value:
    if llvm_type(bits.type) == llvm_type(kind):
        return Value(kind, bits.text)
    return Value(kind, writer.new(f"bitcast {llvm_type(bits.type)} {bits.text} to {llvm_type(kind)}"))


def _shuffle(mode: str) -> Write:
    def write(arguments: Sequence[Value], writer: Any) -> Value:
        x, lanes = arguments
        bits, kind = _bits_of(x, writer)
        distance = writer.cast(lanes, "int32")

        def exchanged(half: Value) -> Value:
            return writer.call(f"llvm.nvvm.shfl.sync.{mode}.i32", "int32", [_WHOLE_WARP, half, distance, _LAST_LANE])

        if kind == "int32":
            return _of_bits(exchanged(bits), x.type, writer)
        low = writer.cast(Value("uint32", exchanged(writer.cast(bits, "int32")).text), "uint64")
        above = Value("int64", writer.new(f"lshr i64 {bits.text}, 32"))
        high = writer.cast(Value("uint32", exchanged(writer.cast(above, "int32")).text), "uint64")
        moved = writer.new(f"shl i64 {high.text}, 32")
        return _of_bits(Value("int64", writer.new(f"or i64 {moved}, {low.text}")), x.type, writer)

    return write


def _shared_array(arguments: Sequence[Value], writer: Any) -> Value:
    element, length = arguments
    if type(length.literal) is not int:
        raise Untranslatable("a shared array whose length is no literal")
    name = f"@shared{next(writer.module.specials.places)}"
    kind = f"[{length.literal} x {llvm_type(element.type)}]"
    writer.module.declare(name, f"{name} = internal addrspace(3) global {kind} undef, align 16")
    return Value("*" + element.type, writer.new(f"addrspacecast ptr addrspace(3) {name} to ptr"))


def _element(arguments: Sequence[Value], writer: Any, written: bool) -> tuple[Type, str]:
    pointer, index = arguments[:2]
    at = writer.cast(index, "int64").text
    writer.check(pointer, at)
    return pointer.type[1:], writer._place(pointer, at, written)


def _load_aligned(arguments: Sequence[Value], writer: Any) -> Value:
    kind, place = _element(arguments, writer, written=False)
    return Value(kind, writer.new(f"load {llvm_type(kind)}, ptr {place}, align 16"))


def _store_aligned(arguments: Sequence[Value], writer: Any) -> Value:
    kind, place = _element(arguments, writer, written=True)
    writer.line(f"store {llvm_type(kind)} {writer.cast(arguments[2], kind).text}, ptr {place}, align 16")
    return Value("none", "")


def _scale_by_power_of_two(arguments: Sequence[Value], writer: Any) -> Value:
    """In two steps, of which the first is exact, as the power itself may be out of range."""
    x, power = arguments
    whole, bias, start = {"float32": ("int32", 127, 23), "float64": ("int64", 1023, 52)}[x.type]
    kind, number = llvm_type(whole), llvm_type(x.type)
    k = writer.cast(power, whole).text
    half = writer.new(f"ashr {kind} {k}, 1")
    text = x.text
    for part in (half, writer.new(f"sub {kind} {k}, {half}")):
        exponent = writer.new(f"add {kind} {part}, {bias}")
        bits = writer.new(f"shl {kind} {exponent}, {start}")
        factor = writer.new(f"bitcast {kind} {bits} to {number}")
        text = writer.new(f"fmul {number} {text}, {factor}")
    return Value(x.type, text)


_ALIGNED: Mapping[Special, Write] = {body.load_aligned: _load_aligned, body.store_aligned: _store_aligned}


def _refused(arguments: Sequence[Value], writer: Any) -> Value:
    raise Untranslatable("a call by an address, which is the host's")


def _written_as(function: Any) -> Write:
    return lambda arguments, writer: writer.call_function(function, arguments)


_OF_ANY_GPU: Mapping[Any, Write] = {
    power_through_float64: _written_as(power_in_parts),  # most GPUs have 1 unit for float64 to 64 for float32
    library_cos: _written_as(library.far_cosine),
    library_fmod: _written_as(library.remainder),
    library_sin: _written_as(library.far_sine),
    library_tan: _written_as(library.far_tangent),
    scale_by_power_of_two: _scale_by_power_of_two,
}

ON_GPU: Mapping[Any, Write] = {
    **dict.fromkeys((call_pair, call_real, call_step), _refused),
    **_OF_ANY_GPU,
    body.thread: _register("tid.x"),
    body.threads: _register("ntid.x"),
    body.shared_array: _shared_array,
    body.synchronize: _synchronize,
    body.shuffle_xor: _shuffle("bfly"),
    body.shuffle_down: _shuffle("down"),
    **_ALIGNED,
}
"""The GPU's own registers and instructions."""

SIMULATED = "fastgrad_simulated"
"""The function that a simulated kernel calls: (number in `ASKED`, place in the kernel, a, b) gives a number."""

WATCH = "fastgrad_watch"
"""The function that a simulated kernel calls at each access of an element: (its address, its bytes, whether it is written)."""

ASKED = (body.thread, body.threads, body.shared_array, body.synchronize, body.shuffle_xor, body.shuffle_down)
BLOCK, BLOCKS = len(ASKED), len(ASKED) + 1


def ask(kind: int, a: str, b: str, writer: Any) -> str:
    """Writes a question to the simulation; gives the name of its answer, an int64."""
    words = [Value("int64", str(word)) for word in (kind, next(writer.module.specials.places), a, b)]
    return str(writer.call(SIMULATED, "int64", words).text)


def _asked(special: Special) -> Write:
    kind = ASKED.index(special)

    def write(arguments: Sequence[Value], writer: Any) -> Value:
        if special is body.shared_array:
            element, length = arguments
            size = INTEGERS_OR_FLOATS[element.type] // 8
            address = writer.new(f"inttoptr i64 {ask(kind, str(length.literal), str(size), writer)} to ptr")
            name = writer.module.name_of(f"shared_array of {element.type}")
            shared: Value = writer.pointer("*" + element.type, address, length.literal, name)
            return shared
        if not arguments:
            answer = ask(kind, "0", "0", writer)
            return Value("none", "") if special is body.synchronize else Value("int64", answer)
        x, lanes = arguments
        bits, whole = _bits_of(x, writer)
        mine, distance = [writer.cast(value, "int64").text for value in (bits, lanes)]
        exchanged = Value("int64", ask(kind, mine, distance, writer))
        return _of_bits(writer.cast(exchanged, whole), x.type, writer)

    return write


IN_SIMULATION: Mapping[Any, Write] = {
    **{special: _asked(special) for special in ASKED},
    **_ALIGNED,
    **_OF_ANY_GPU,
    TOUCHED: lambda told, writer: writer.call(WATCH, "none", told),
}
"""Questions to `simulation`."""
