"""How the names of `cuda.building.body` are written for the simulation of a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastgrad.cuda.building import body
from fastgrad.cuda.building.library import OF_GPU
from fastgrad.kernels.building.body import ByDtype, Special, call_pair, call_real, call_step
from fastgrad.kernels.building.number_types import Type, Untranslatable, Value, llvm_type
from fastgrad.kernels.building.specials import INTEGERS_OR_FLOATS, TOUCHED, Write


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


_ALIGNED: Mapping[Special, Write] = {body.load_aligned: _load_aligned, body.store_aligned: _store_aligned}


def _refused(arguments: Sequence[Value], writer: Any) -> Value:
    raise Untranslatable("a call by an address, which is the host's")


def _written_as(function: Any) -> Write:
    def write(arguments: Sequence[Value], writer: Any) -> Value:
        chosen = function.choices[arguments[0].type] if isinstance(function, ByDtype) else function
        return writer.call_function(chosen, arguments)

    return write


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
    **{value: _written_as(function) for value, function in OF_GPU.items()},
    **dict.fromkeys((call_pair, call_real, call_step), _refused),
    TOUCHED: lambda told, writer: writer.call(WATCH, "none", told),
}
"""Questions to `simulation`."""
