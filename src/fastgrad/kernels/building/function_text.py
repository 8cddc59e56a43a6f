"""The text of a function in LLVM IR: lines, variables and pointers, conversions of numbers; see `translate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastgrad.kernels.building.bounds import NO_BOUND, OUTSIDE, RECORD, checks_bounds
from fastgrad.kernels.building.number_types import (
    FLOATS,
    INTEGERS,
    Type,
    Untranslatable,
    Value,
    conversion,
    float_text,
    is_pointer,
    llvm_type,
)

Hole = list[Any]
"""Lines that are written later, in their place among others."""


class FunctionText:
    """What is written of one function: its lines, its variables, its pointers, and numbers as other numbers.

    Attributes:
        module: the translation that the function is part of.
        scope: the globals that it sees.
        locals: all its own names.
        types: the types of those that have one here; None where nothing comes.
        lines: what is written, with holes.
        entry: room for variables.
        block: the label of the block that is being written.
        leaves: whether the function may be left because of an access outside, in checked builds (`bounds`).
    """

    def __init__(self, module: Any, scope: Mapping[str, Any], names: Sequence[str]) -> None:
        self.module = module
        self.scope = scope
        self.locals = frozenset(names)
        self.types: dict[str, Type] | None = {}
        self.lines: Hole = []
        self.entry: list[str] = []
        self.block = "entry"
        self.leaves = False
        self._slots: dict[tuple[str, Type], str] = {}
        self._count = 0

    # ---- text ------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Writes an instruction."""
        self.lines.append("  " + text)

    def number(self) -> int:
        """One that no name has yet."""
        self._count += 1
        return self._count

    def new(self, text: str) -> str:
        """Writes an instruction; returns the name of what it gives."""
        name = f"%v{self.number()}"
        self.lines.append(f"  {name} = {text}")
        return name

    def start(self, label: str) -> None:
        """Begins a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def hole(self) -> Hole:
        """A place for lines."""
        lines: Hole = []
        self.lines.append(lines)
        return lines

    def room(self, kind: Type, count: int) -> str:
        """Memory on the stack."""
        name = f"%m{self.number()}"
        self.entry.append(f"  {name} = alloca [{count} x {llvm_type(kind)}], align 64")
        return name

    def slot(self, name: str, kind: Type) -> str:
        """Where a variable is while it has a type."""
        if (name, kind) not in self._slots:
            self._slots[name, kind] = f"%s{self.number()}"
            self.entry.append(f"  {self._slots[name, kind]} = alloca {llvm_type(kind)}")
        return self._slots[name, kind]

    def put(self, name: str, value: Value) -> None:
        """Assigns to a variable."""
        if value.type == "none":
            raise Untranslatable(f"{name} is nothing")
        assert self.types is not None
        self.types[name] = value.type
        self.line(f"store {llvm_type(value.type)} {value.text}, ptr {self.slot(name, value.type)}")

    def get(self, name: str) -> Value:
        """The value of a variable."""
        assert self.types is not None
        if name not in self.types:
            raise Untranslatable(f"{name} may not be there, or have two types")
        kind = self.types[name]
        return Value(kind, self.new(f"load {llvm_type(kind)}, ptr {self.slot(name, kind)}"))

    def call(self, name: str, result: Type, arguments: Sequence[Value], attributes: str = "") -> Value:
        """Writes a call of a function of another module, or of LLVM's."""
        kinds = [llvm_type(a.type) for a in arguments]
        self.module.declare(name, f"declare {llvm_type(result)} @{name}({', '.join(kinds)}){attributes}")
        return self.call_known(name, result, arguments)

    def call_known(self, name: str, result: Type, arguments: Sequence[Value]) -> Value:
        """Writes a call of a function of this module."""
        given = ", ".join([f"{llvm_type(a.type)} {a.text}" for a in arguments])
        text = f"call {llvm_type(result)} @{name}({given})"
        if result == "none":
            self.line(text)
            return Value("none", "")
        return Value(result, self.new(text))

    # ---- pointers --------------------------------------------------------------------------------------------

    def pointer(self, kind: Type, address: str, count: int | str, name: str) -> Value:
        """A pointer to so many elements; the name is that of LLVM's constant."""
        if not checks_bounds():
            return Value(kind, address)
        text = "poison"
        for place, part in enumerate((f"ptr {address}", f"i64 {count}", f"ptr {name}")):
            text = self.new(f"insertvalue {llvm_type(kind)} {text}, {part}, {place}")
        return Value(kind, text)

    def address(self, pointer: Value) -> str:
        """Where the elements of a pointer are."""
        return self._field(pointer, 0) if checks_bounds() else pointer.text

    def _field(self, pointer: Value, place: int) -> str:
        return self.new(f"extractvalue {llvm_type(pointer.type)} {pointer.text}, {place}")

    def check(self, pointer: Value, index: str) -> None:
        """In checked builds, leaves the function if a pointer has no element of this number."""
        if not checks_bounds():
            return
        last = 3 if is_pointer(pointer.type[1:]) else 2
        size, name = self._field(pointer, last - 1), self._field(pointer, last)
        below, unknown = self.new(f"icmp ult i64 {index}, {size}"), self.new(f"icmp eq i64 {size}, {NO_BOUND}")
        number = self.number()
        self.line(f"br i1 {self.new(f'or i1 {below}, {unknown}')}, label %fine{number}, label %beyond{number}")
        self.start(f"beyond{number}")
        self.line(f"call void @{OUTSIDE}(ptr {name}, i64 {index}, i64 {size})")
        self.line("br label %outside")
        self.start(f"fine{number}")
        self.leaves = True

    def _go_on_inside(self) -> None:
        """Leaves the function if one that it has called was left."""
        number = self.number()
        flag = self.new(f"load i64, ptr @{RECORD}")
        self.line(f"br i1 {self.new(f'icmp eq i64 {flag}, 0')}, label %fine{number}, label %outside")
        self.start(f"fine{number}")
        self.leaves = True

    # ---- conversions -----------------------------------------------------------------------------------------

    def cast(self, value: Value, wanted: Type) -> Value:
        """A number as another type."""
        given = value.type
        if given == wanted:
            return value
        if isinstance(given, tuple) and isinstance(wanted, tuple) and len(given) == len(wanted):
            return self.tuple_of([self.cast(p, k) for p, k in zip(self.parts(value), wanted, strict=True)])
        if wanted == "bool":
            return self.truth_of(value)
        if wanted == "float64" and type(value.literal) is int and abs(value.literal) < 1 << 53:
            return Value(wanted, float_text(float(value.literal)))
        instruction = conversion(given, wanted)
        if instruction is None:
            return Value(wanted, value.text)
        return Value(wanted, self.new(f"{instruction} {llvm_type(given)} {value.text} to {llvm_type(wanted)}"))

    def cast_in(self, lines: Hole, value: Value, wanted: Type) -> Value:
        """The same, written to a hole."""
        kept, self.lines = self.lines, lines
        found = self.cast(value, wanted)
        self.lines = kept
        return found

    def truth_of(self, value: Value) -> Value:
        """Whether a number is not 0."""
        if value.type == "bool":
            return value
        if value.type in FLOATS:
            return Value("bool", self.new(f"fcmp une {llvm_type(value.type)} {value.text}, {float_text(0.0)}"))
        if value.type not in INTEGERS:
            raise Untranslatable(f"the truth of {value.type}")
        return Value("bool", self.new(f"icmp ne {llvm_type(value.type)} {value.text}, 0"))

    def tuple_of(self, values: Sequence[Value]) -> Value:
        """Several values as one."""
        kind = tuple([value.type for value in values])
        text = "poison"
        for i, value in enumerate(values):
            text = self.new(f"insertvalue {llvm_type(kind)} {text}, {llvm_type(value.type)} {value.text}, {i}")
        return Value(kind, text)

    def parts(self, value: Value) -> list[Value]:
        """The values of a tuple."""
        if not isinstance(value.type, tuple):
            raise Untranslatable(f"{value.type} taken apart")
        kind = llvm_type(value.type)
        return [Value(k, self.new(f"extractvalue {kind} {value.text}, {i}")) for i, k in enumerate(value.type)]
