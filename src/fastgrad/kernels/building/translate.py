"""A kernel's body as the text of LLVM IR, straight from its syntax tree.

Bodies are Numba's Python, and mean what they mean there: types are Numba's (`number_types`), integers are extended as
there, a division of integers by 0 is 0. But Numba takes most of the time of a compilation for what bodies have no use
for. They are loops over ranges, branches, numbers, pointers and tuples; here one walk over the tree writes them down
(60 ms become 3). What this walk does not know it refuses (`Untranslatable`). Numba is the tests' referee.

Variables are slots on the stack, one for each type that a name has; LLVM makes registers of them. Where ways meet, a name
gets a type that holds both its types, so what a loop changes may have to be written down again with another type.

In checked builds (`bounds`) each access of an element looks first, and the first one outside leaves the function for the block
`outside` at its end; whoever has called it looks at the record, and leaves, too.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any, NamedTuple

from fastgrad.kernels.building import bounds
from fastgrad.kernels.building.expressions import Expressions
from fastgrad.kernels.building.function_text import Hole
from fastgrad.kernels.building.number_types import Type, Untranslatable, Value, constant, is_pointer, llvm_type, unified
from fastgrad.kernels.building.source import syntax_of
from fastgrad.kernels.building.specials import Specials, Write
from fastgrad.kernels.building.wrapper import RAISED


class Translated(NamedTuple):
    """A body in LLVM's terms: text to be put behind the wrapper's, and a module to be linked with it."""

    text: str
    specials: str


def translated(
    function: FunctionType,
    arguments: Sequence[Type],
    result: Type,
    types: Mapping[str, Type],
    noalias: bool,
    of_machine: Mapping[Any, Write] | None = None,
) -> Translated:
    """A body as the function `@.body`.

    Args:
        function: the body.
        arguments: the types of its parameters.
        result: that of what it gives, or `"none"`.
        types: the type for each name that stands for one.
        noalias: whether no two arrays overlap.
        of_machine: how specials of another machine than this one are written; its body may be inlined.

    Raises:
        Untranslatable: if it has something that bodies must not have.
    """
    module = _Module(types, Specials(of_machine), "noinline" if of_machine is None else "alwaysinline")
    module.define(".body", function, arguments, result, noalias)
    specials = str(module.specials.module) if module.specials.used else ""
    return Translated("\n".join([*module.declared.values(), *module.parts]), specials)


class _Module:
    """All functions of one kernel.

    Attributes:
        types: for each name that stands for a type.
        parts: the definitions so far.
        declared: functions that are defined elsewhere.
        specials: what `body`'s names have become.
        inlining: whether the body itself is inlined, as LLVM says that.
        leaving: names of those that an access outside may leave, in checked builds.
    """

    def __init__(self, types: Mapping[str, Type], specials: Specials, inlining: str) -> None:
        self.types = types
        self.parts: list[str] = []
        self.declared: dict[str, str] = {}
        self.specials = specials
        self.inlining = inlining
        self.leaving: set[str] = set()
        self._known: dict[tuple[FunctionType, tuple[Type, ...]], tuple[str, Type]] = {}

    def declare(self, name: str, text: str) -> None:
        """Notes a function that is defined elsewhere."""
        self.declared.setdefault(name, text)

    def function(self, function: FunctionType, arguments: tuple[Type, ...]) -> tuple[str, Type]:
        """The name of a scalar function for arguments of these types, and the type of what it gives."""
        key = function, arguments
        if key not in self._known:
            name = f".f{len(self._known)}.{function.__name__}"
            self._known[key] = name, None
            self._known[key] = name, self.define(name, function, arguments)
        name, result = self._known[key]
        if result is None:
            raise Untranslatable(f"{function.__name__} calls itself")
        return name, result

    def name_of(self, text: str) -> str:
        """A constant with a name that `bounds` tells."""
        symbol = f".text{len(self.parts)}"
        self.parts.append(bounds.constant(symbol, text))
        return f"@{symbol}"

    def define(
        self,
        name: str,
        function: FunctionType,
        arguments: Sequence[Type],
        result: Type | None = None,
        noalias: bool = False,
    ) -> Type:
        """Writes a definition; returns the type of what the function gives."""
        writer = _Function(self, function, arguments)
        formal = ", ".join([writer.parameter(i, kind, result is not None, noalias) for i, kind in enumerate(arguments)])
        found = writer.written(result)
        if writer.leaves:
            self.leaving.add(name)
        inlined = "alwaysinline" if result is None else self.inlining
        head = f"define internal {llvm_type(found)} @{name}({formal}) {inlined} nounwind {{\nentry:"
        self.parts.append("\n".join([head, *writer.entry, *_flat(writer.lines), "}\n"]))
        return found


def _flat(lines: Hole) -> Iterator[str]:
    for line in lines:
        if isinstance(line, str):
            yield line
        else:
            yield from _flat(line)


class _Way(NamedTuple):
    """How a block is left: where its last lines will stand, and the types of variables there."""

    end: Hole
    types: dict[str, Type]


class _Loop(NamedTuple):
    """The ways out of the body of a loop that is being written."""

    continues: list[_Way]
    breaks: list[_Way]


class _Function(Expressions):
    """Writes the statements of one function."""

    def __init__(self, module: _Module, function: FunctionType, arguments: Sequence[Type]) -> None:
        code = function.__code__
        super().__init__(module, function.__globals__, code.co_varnames)
        self.tree = syntax_of(code)
        self.loops: list[_Loop] = []
        self.returns: list[tuple[Hole, Value | None]] = []
        for i, (name, kind) in enumerate(zip(code.co_varnames, arguments, strict=False)):
            self.put(name, Value(kind, f"%a{i}"))

    def parameter(self, number: int, kind: Type, apart: bool, noalias: bool) -> str:
        """A parameter's definition; `apart` if the parts of a pointer come as parameters of their own."""
        text = llvm_type(kind)
        distinct = " noalias" if noalias and is_pointer(kind) else ""
        if not (apart and text.startswith("{")):
            return f"{text}{distinct} %a{number}"
        whole, parts = "poison", text.strip("{ }").split(", ")
        for i, part in enumerate(parts):
            name = f"%a{number}" if i == len(parts) - 1 else f"%a{number}.with{i}"
            self.entry.append(f"  {name} = insertvalue {text} {whole}, {part} %a{number}.{i}, {i}")
            whole = name
        return ", ".join([f"{part}{'' if i else distinct} %a{number}.{i}" for i, part in enumerate(parts)])

    def written(self, result: Type | None) -> Type:
        """Writes the function; returns the type of its result, which is `result` if that is given."""
        self.body(self.tree.body)
        if self.types is not None:
            self.returns.append((self.hole(), None))
        given = [value for _, value in self.returns if value is not None]
        if given and len(given) < len(self.returns):
            raise Untranslatable("some ways give nothing")
        found = given[0].type if given else "none"
        for value in given[1:]:
            found = unified(found, value.type)
        declared = result is not None
        result = found if result is None else result
        if (result == "none") != (not given):
            raise Untranslatable("the body gives something else than was declared")
        for hole, answer in self.returns:
            text = "" if answer is None else f" {self.cast_in(hole, answer, result).text}"
            hole.append(f"  ret {llvm_type(result)}{text}")
        if self.leaves:
            self.start("outside")
            if declared:
                self.line("call void @.blame(ptr @.kernel_name)")
            self.line("ret void" if result == "none" else f"ret {llvm_type(result)} zeroinitializer")
        return result

    # ---- ways ------------------------------------------------------------------------------------------------

    def end(self) -> list[_Way]:
        """Leaves the block, if it is reached at all."""
        if self.types is None:
            return []
        way = _Way(self.hole(), self.types)
        self.types = None
        return [way]

    def join(self, label: str, ways: Sequence[_Way], kept: Mapping[str, Type] | None = None) -> None:
        """Begins the block where ways meet, if there are any; `kept` has types that variables must get."""
        if not ways:
            self.types = None
            return
        types = _merged([way.types for way in ways])
        types.update(kept or {})
        for way in ways:
            self._lead(way, types, label)
        self.start(label)
        self.types = types

    def _lead(self, way: _Way, types: Mapping[str, Type], label: str) -> None:
        """Makes variables what they are where a way leads."""
        kept, self.lines = self.lines, way.end
        for name, kind in types.items():
            given = way.types.get(name, kind)
            if given != kind:
                value = Value(given, self.new(f"load {llvm_type(given)}, ptr {self.slot(name, given)}"))
                self.line(f"store {llvm_type(kind)} {self.cast(value, kind).text}, ptr {self.slot(name, kind)}")
        self.line(f"br label %{label}")
        self.lines = kept

    # ---- statements ------------------------------------------------------------------------------------------

    def body(self, statements: Sequence[ast.stmt]) -> None:
        """Writes statements, up to one that is not left."""
        for statement in statements:
            if self.types is None:
                return
            write = getattr(self, f"_{type(statement).__name__}", None)
            if write is None:
                raise Untranslatable(type(statement).__name__)
            write(statement)

    def _Pass(self, node: ast.Pass) -> None:
        """Nothing."""

    def _Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.expression(node.value)
        elif not isinstance(node.value, ast.Constant):
            raise Untranslatable(ast.unparse(node))

    def _Assign(self, node: ast.Assign) -> None:
        if len(node.targets) == 1 and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            targets, values = node.targets[0].elts, [self.expression(part) for part in node.value.elts]
            if len(targets) != len(values):
                raise Untranslatable(ast.unparse(node))
            for target, value in zip(targets, values, strict=True):
                self._assign(target, value)
            return
        value = self.expression(node.value)
        for target in node.targets:
            self._assign(target, value)

    def _assign(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self.put(target.id, value)
        elif isinstance(target, ast.Subscript):
            self._store(*self.place(target), value)
        elif isinstance(target, ast.Tuple):
            parts = self.parts(value)
            if len(parts) != len(target.elts):
                raise Untranslatable(ast.unparse(target))
            for part, part_value in zip(target.elts, parts, strict=True):
                self._assign(part, part_value)
        else:
            raise Untranslatable(ast.unparse(target))

    def _store(self, address: str, kind: Type, value: Value) -> None:
        self.line(f"store {llvm_type(kind)} {self.cast(value, kind).text}, ptr {address}")

    def _AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.put(node.target.id, self.binary(node.op, self.get(node.target.id), self.expression(node.value)))
            return
        if not isinstance(node.target, ast.Subscript):
            raise Untranslatable(ast.unparse(node))
        address, kind = self.place(node.target)
        old = Value(kind, self.new(f"load {llvm_type(kind)}, ptr {address}"))
        self._store(address, kind, self.binary(node.op, old, self.expression(node.value)))

    def _Return(self, node: ast.Return) -> None:
        value = None if node.value is None else self.expression(node.value)
        self.returns.append((self.hole(), value))
        self.types = None

    def _If(self, node: ast.If) -> None:
        test = self.truth(node.test)
        number = self.number()
        before = self.types
        assert before is not None
        self.line(f"br i1 {test.text}, label %then{number}, label %else{number}")
        ways = []
        for label, statements in (("then", node.body), ("else", node.orelse)):
            self.start(f"{label}{number}")
            self.types = dict(before)
            self.body(statements)
            ways += self.end()
        self.join(f"after{number}", ways)

    def _While(self, node: ast.While) -> None:
        if node.orelse:
            raise Untranslatable("else of a loop")
        self._loop(lambda: self.truth(node.test), lambda: self.body(node.body), lambda: None)

    def _For(self, node: ast.For) -> None:
        call = node.iter
        ranged = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"
        if not ranged or node.orelse or not isinstance(node.target, ast.Name) or "range" in self.scope:
            raise Untranslatable(ast.unparse(call))
        assert isinstance(call, ast.Call)
        target = node.target.id
        numbers = [self.expression(argument) for argument in call.args]
        if any(number.type != "int64" for number in numbers):
            raise Untranslatable("a range of other numbers than int64")
        first, last = ([Value("int64", "0"), *numbers] if len(numbers) == 1 else numbers)[:2]
        step = numbers[2] if len(numbers) == 3 else constant(1)
        upward = self._sign_of(step)
        counter = f"{target} counts {self.number()}"
        self.put(counter, first)

        def test() -> Value:
            now = self.get(counter).text
            below, above = [self.new(f"icmp {order} i64 {now}, {last.text}") for order in ("slt", "sgt")]
            return Value("bool", self.new(f"select i1 {upward}, i1 {below}, i1 {above}"))

        def inside() -> None:
            self.put(target, self.get(counter))
            self.body(node.body)

        def advance() -> None:
            self.put(counter, Value("int64", self.new(f"add nsw i64 {self.get(counter).text}, {step.text}")))

        self._loop(test, inside, advance)

    def _sign_of(self, step: Value) -> str:
        """Whether a range grows. A step of 0 is an error, which LLVM must find to be impossible."""
        if type(step.literal) is int and step.literal != 0:
            return "true" if step.literal > 0 else "false"
        number = self.number()
        self.line(f"br i1 {self.truth_of(step).text}, label %steps{number}, label %stays{number}")
        self.start(f"stays{number}")
        self.line(f"call void @{RAISED}()")
        self.line("unreachable")
        self.start(f"steps{number}")
        return self.new(f"icmp sgt i64 {step.text}, 0")

    def _loop(self, test: Callable[[], Value], inside: Callable[[], None], advance: Callable[[], None]) -> None:
        """Writes a loop, again as long as its body gives variables other types than they had before."""
        before = self.types
        assert before is not None
        start, returns, assumed = len(self.lines), len(self.returns), dict(before)
        while True:
            number = self.number()
            self._lead(_Way(self.hole(), before), assumed, f"head{number}")
            self.start(f"head{number}")
            self.types = dict(assumed)
            self.line(f"br i1 {test().text}, label %inside{number}, label %done{number}")
            self.start(f"inside{number}")
            loop = _Loop([], [])
            self.loops.append(loop)
            inside()
            self.loops.pop()
            loop.continues.extend(self.end())
            merged = _merged([assumed, *[way.types for way in loop.continues]])
            wanted = {name: merged.get(name) for name in assumed}
            if wanted == assumed:
                break
            del self.lines[start:], self.returns[returns:]
            assumed = {name: kind for name, kind in wanted.items() if kind is not None}
        self.join(f"next{number}", loop.continues, assumed)
        if self.types is not None:
            advance()
            merged = self.types
            self.line(f"br label %head{number}")
        self.start(f"done{number}")
        self.types = {name: kind for name, kind in merged.items() if name in assumed or name not in before}
        self.join(f"after{number}", [*self.end(), *loop.breaks])

    def _Continue(self, node: ast.Continue) -> None:
        self.loops[-1].continues.extend(self.end())

    def _Break(self, node: ast.Break) -> None:
        self.loops[-1].breaks.extend(self.end())


def _merged(ways: Sequence[Mapping[str, Type]]) -> dict[str, Type]:
    """The types of variables where several ways meet; without those that have none there."""
    merged: dict[str, Type] = {}
    for name in dict.fromkeys(name for way in ways for name in way):
        try:
            kinds = [way[name] for way in ways if name in way]
            kind = kinds[0]
            for other in kinds[1:]:
                kind = unified(kind, other)
            merged[name] = kind
        except Untranslatable:
            continue  # of two types that nothing holds: it must not be read
    return merged
