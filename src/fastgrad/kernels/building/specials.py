"""How `translate` writes the names of `body` that mean something in a body alone.

Some are a line of text. Those that have a translation for LLVM's IR builder already (see `arithmetic`, `atomics`,
`window_emission`) become small functions of a module beside the body's, which LLVM inlines before all else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir

from fastgrad.kernels.building import body
from fastgrad.kernels.building.arithmetic import LOWERINGS
from fastgrad.kernels.building.atomics import GIVES_NOTHING, GIVES_WORD
from fastgrad.kernels.building.body import Special
from fastgrad.kernels.building.bounds import NO_BOUND, checks_bounds
from fastgrad.kernels.building.isa import host_isa
from fastgrad.kernels.building.native import target
from fastgrad.kernels.building.number_types import (
    FLOATS,
    INTEGERS,
    Type,
    Untranslatable,
    Value,
    constant,
    is_pointer,
    is_whole,
    llvm_type,
)
from fastgrad.kernels.building.pair_emission import PairTiles
from fastgrad.kernels.building.tile_bounds import CHECKS
from fastgrad.kernels.building.window_emission import WindowTiles

Write = Callable[[Sequence[Value], Any], Value]
"""Writes a call of a special, given its arguments and the writer of the function that calls it; gives its value."""

TOUCHED = Special("touched")
"""What another machine may want to be told: the address of each element that is read or written, its bytes, and which of the two."""

_SAME_BITS = {
    body.float_bits: {"float32": "int32", "float64": "int64"},
    body.from_bits: {"int32": "float32", "int64": "float64"},
}


class Specials:
    """The functions of one kernel's module that specials have become.

    Args:
        of_machine: how specials of another machine than this one are written, and functions that it has its own for; see `Write`.

    Attributes:
        module: with their definitions.
        places: a number for each place in the kernel that needs one.
    """

    def __init__(self, of_machine: Mapping[Any, Write] | None = None) -> None:
        self._written = {**_WRITTEN, **(of_machine or {})}
        self._isa = host_isa() if of_machine is None else host_isa()._replace(pairs=False)
        self.module = ir.Module("specials")
        self.places = itertools.count()
        self._known: dict[tuple[Special, tuple[Type, ...]], tuple[str, Type]] = {}

    @property
    def used(self) -> bool:
        """Whether there are any."""
        return bool(self._known)

    def call(self, special: Special, arguments: Sequence[Value], writer: Any) -> Value:
        """Writes a call.

        Args:
            special: what is called.
            arguments: its values.
            writer: of the function that calls it.
        """
        if special in self._written:
            return self._written[special](arguments, writer)
        if special in GIVES_WORD or special in GIVES_NOTHING:
            arguments = [a if is_pointer(a.type) else writer.cast(a, "int64") for a in arguments]
            if arguments:
                writer.check(arguments[0], arguments[1].text)
        elif special in CHECKS and checks_bounds():
            _check_tiles(special, arguments, writer)
        kinds = tuple([a.type for a in arguments])
        if (special, kinds) not in self._known:
            self._known[special, kinds] = self._defined(special, kinds)
        name, result = self._known[special, kinds]
        plain = [Value("address", writer.address(a)) if is_pointer(a.type) else a for a in arguments]
        return writer.call(name, result, plain)

    def call_function(self, function: Any, arguments: Sequence[Value], writer: Any) -> Value:
        """Writes a call of a scalar function, in the place of which the machine may have one of its own."""
        own = self._written.get(function)
        found: Value = writer.call_function(function, arguments) if own is None else own(arguments, writer)
        return found

    def touch(self, address: str, kind: Type, written: bool, writer: Any) -> None:
        """Writes what a machine does at each access of an element, if it does something."""
        if TOUCHED in self._written:
            size = INTEGERS_OR_FLOATS.get(kind, 64) // 8
            told = [Value("address", address), Value("int64", str(size)), Value("bool", "true" if written else "false")]
            self._written[TOUCHED](told, writer)

    def _defined(self, special: Special, kinds: tuple[Type, ...]) -> tuple[str, Type]:
        name = f"special_{special.name}_{len(self._known)}"
        taken = [_ir_type(kind) for kind in kinds]
        result = kinds[0] if special in LOWERINGS else "int64" if special in GIVES_WORD else "none"
        function = ir.Function(self.module, ir.FunctionType(_ir_type(result), taken), name)
        function.attributes.add("alwaysinline")
        function.attributes.add("nounwind")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        arguments = list(function.args)
        if special in LOWERINGS:
            builder.ret(LOWERINGS[special](builder, arguments))
        elif special in GIVES_WORD:
            builder.ret(GIVES_WORD[special](builder, arguments))
        else:
            if special in GIVES_NOTHING:
                GIVES_NOTHING[special](builder, arguments)
            elif special in CHECKS:
                of_pairs = special in (body.multiply_pairs, body.pack_pairs)
                if of_pairs:
                    tiles: WindowTiles | PairTiles = PairTiles(self.module, self._isa)
                else:
                    tiles = WindowTiles(self.module, taken[0].pointee, self._isa)
                getattr(tiles, special.name)(builder, arguments)
            elif special is body.prefetch:
                _prefetch(builder, arguments)
            else:
                raise Untranslatable(special.name)
            builder.ret_void()
        return name, result


def _ir_type(kind: Type) -> Any:
    if kind == "none":
        return ir.VoidType()
    if is_pointer(kind):
        return _ir_type(kind[1:]).as_pointer()
    if kind in FLOATS:
        return ir.FloatType() if kind == "float32" else ir.DoubleType()
    if not is_whole(kind):
        raise Untranslatable(f"a special with an argument of type {kind}")
    return ir.IntType(INTEGERS.get(kind, 1))


def _check_tiles(special: Special, arguments: Sequence[Value], writer: Any) -> None:
    machine = host_isa()
    size = INTEGERS_OR_FLOATS[arguments[0].type[1:]] // 8
    numbers = [a if is_pointer(a.type) else writer.cast(a, "int64")._replace(literal=None) for a in arguments]
    known = (size, machine.vector_bytes // size, int(machine.masks))
    writer.call_function(CHECKS[special], [*numbers, *[constant(one) for one in known]])


def _prefetch(builder: Any, arguments: Sequence[Any]) -> None:
    flag = ir.IntType(32)
    line = builder.bitcast(builder.gep(arguments[0], [arguments[1]]), ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [line.type, flag, flag, flag])
    builder.call(ir.Function(builder.module, kind, "llvm.prefetch.p0"), [line, flag(0), flag(3), flag(1)])


def _machine(number: Callable[[int], int]) -> Write:
    return lambda arguments, writer: constant(number(INTEGERS_OR_FLOATS[arguments[0].type] // 8))


INTEGERS_OR_FLOATS = INTEGERS | FLOATS


def _local_array(
    arguments: Sequence[Value], writer: Any, rows_of: int = 1, special: Special = body.local_array
) -> Value:
    element, length = arguments
    if type(length.literal) is not int:
        raise Untranslatable("a local array whose length is no literal")
    count = length.literal * rows_of
    name = writer.module.name_of(f"{special.name} of {element.type}") if checks_bounds() else ""
    found: Value = writer.pointer("*" + element.type, writer.room(element.type, count), count, name)
    return found


def _panel_array(arguments: Sequence[Value], writer: Any) -> Value:
    columns = host_isa().panel_bytes * 8 // INTEGERS_OR_FLOATS[arguments[0].type]
    return _local_array(arguments, writer, columns, body.panel_array)


def _reinterpret(special: Special) -> Write:
    def write(arguments: Sequence[Value], writer: Any) -> Value:
        (x,) = arguments
        if x.type not in _SAME_BITS[special]:
            raise Untranslatable(f"{special.name} of {x.type}")
        wanted = _SAME_BITS[special][x.type]
        return Value(wanted, writer.new(f"bitcast {llvm_type(x.type)} {x.text} to {llvm_type(wanted)}"))

    return write


def _pointer(arguments: Sequence[Value], writer: Any) -> Value:
    element, address = arguments
    there = writer.new(f"inttoptr i64 {writer.cast(address, 'int64').text} to ptr")
    found: Value = writer.pointer("*" + element.type, there, NO_BOUND, "null")
    return found


def _address_of(arguments: Sequence[Value], writer: Any) -> Value:
    (array,) = arguments
    return Value("int64", writer.new(f"ptrtoint ptr {writer.address(array)} to i64"))


def _call_step(arguments: Sequence[Value], writer: Any) -> Value:
    step, *words = [writer.cast(a, "int64").text for a in arguments]
    entry = writer.new(f"inttoptr i64 {step} to ptr")
    return Value("int64", writer.new(f"call i64 {entry}({', '.join(f'i64 {word}' for word in words)})"))


def _call_real(arguments: Sequence[Value], writer: Any) -> Value:
    entry = writer.new(f"inttoptr i64 {writer.cast(arguments[0], 'int64').text} to ptr")
    numbers = "".join(f"double {writer.cast(a, 'float64').text}, " for a in arguments[1:])
    return Value("float64", writer.new(f"call double {entry}({numbers}i32 0)"))


def _call_pair(arguments: Sequence[Value], writer: Any) -> Value:
    address, x, pair = arguments
    entry = writer.new(f"inttoptr i64 {writer.cast(address, 'int64').text} to ptr")
    first = writer.address(pair)
    second = writer.new(f"getelementptr double, ptr {first}, i64 1")
    writer.line(f"call void {entry}(double {writer.cast(x, 'float64').text}, ptr {first}, ptr {second})")
    return Value("float64", writer.new(f"load double, ptr {first}"))


def _cycle_counter(_: Sequence[Value], writer: Any) -> Value:
    # The one counts cycles where programs may read those; ARM lets them read its steady clock alone.
    counter = "cycle" if target().triple.startswith("x86") else "steady"
    return writer.call(f"llvm.read{counter}counter", "int64", [])


_WRITTEN: dict[Special, Write] = {
    body.address_of: _address_of,
    body.call_pair: _call_pair,
    body.call_real: _call_real,
    body.call_step: _call_step,
    body.cycle_counter: _cycle_counter,
    body.float_bits: _reinterpret(body.float_bits),
    body.from_bits: _reinterpret(body.from_bits),
    body.local_array: _local_array,
    body.masked_loads: _machine(lambda size: int(host_isa().masks)),
    body.panel_array: _panel_array,
    body.panel_columns: _machine(lambda size: host_isa().panel_bytes // size),
    body.pointer: _pointer,
    body.vector_lanes: _machine(lambda size: host_isa().vector_bytes // size),
}
