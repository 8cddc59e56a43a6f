"""Expressions of a kernel's body as lines of LLVM IR; see `translate`."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from fastgrad.kernels.building.body import ByDtype, Special, is_scalar_function
from fastgrad.kernels.building.bounds import checks_bounds
from fastgrad.kernels.building.function_text import FunctionText
from fastgrad.kernels.building.number_types import (
    FLOATS,
    INTEGERS,
    Type,
    Untranslatable,
    Value,
    compared_as,
    constant,
    float_text,
    is_pointer,
    is_signed,
    is_whole,
    llvm_type,
    number_result,
    unified,
    whole_result,
)

_SUMS = {ast.Add: ("add", "fadd"), ast.Sub: ("sub", "fsub"), ast.Mult: ("mul", "fmul")}
_BITS = {ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor"}
_ORDERS = {
    ast.Eq: ("eq", "oeq"),
    ast.NotEq: ("ne", "une"),
    ast.Lt: ("lt", "olt"),
    ast.LtE: ("le", "ole"),
    ast.Gt: ("gt", "ogt"),
    ast.GtE: ("ge", "oge"),
}
_FOLDED: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
}
_INTRINSICS = {"fabs": "fabs", "exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "sqrt": "sqrt"}
_LIBRARY = frozenset(
    [
        "log1p",
        "expm1",
        "erf",
        "erfc",
        "tan",
        "asin",
        "acos",
        "atan",
        "asinh",
        "acosh",
        "atanh",
        "sinh",
        "cosh",
        "tanh",
        "lgamma",
        "atan2",
        "hypot",
    ]
)
_WHOLE = {"floor": "floor", "ceil": "ceil", "trunc": "trunc"}
_CHEAP = (
    ast.Compare, ast.cmpop, ast.Name, ast.Constant, ast.UnaryOp, ast.unaryop, ast.BoolOp, ast.boolop, ast.Attribute,
    ast.expr_context, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor,
)  # fmt: skip


class Expressions(FunctionText):
    """Writes the expressions of a function."""

    # ---- expressions -----------------------------------------------------------------------------------------

    def expression(self, node: ast.expr) -> Value:
        """Writes what computes an expression."""
        folded = _literal(node)
        if folded is not None:
            return constant(folded)
        write = getattr(self, f"_{type(node).__name__}", None)
        if write is None:
            raise Untranslatable(f"{type(node).__name__} in an expression")
        found: Value = write(node)
        return found

    def _Name(self, node: ast.Name) -> Value:
        if node.id in self.locals:
            return self.get(node.id)
        if node.id in self.scope and not self.is_type(node):
            return constant(self.scope[node.id])
        raise Untranslatable(f"{node.id} is no number")

    def _Tuple(self, node: ast.Tuple) -> Value:
        return self.tuple_of([self.expression(part) for part in node.elts])

    def _Attribute(self, node: ast.Attribute) -> Value:
        return constant(getattr(self._module_of(node), node.attr))

    def _module_of(self, node: ast.Attribute) -> ModuleType:
        found = self.scope.get(node.value.id) if isinstance(node.value, ast.Name) else None
        if found is not math:
            raise Untranslatable(ast.unparse(node))
        return math

    def _Subscript(self, node: ast.Subscript) -> Value:
        base, at = self._element(node)
        kind = base.type[1:]
        if not (checks_bounds() and is_pointer(kind)):
            return Value(kind, self.new(f"load {llvm_type(kind)}, ptr {self._place(base, at, written=False)}"))
        data = self.new(f"load ptr, ptr {self.new(f'getelementptr ptr, ptr {self.address(base)}, i64 {at}')}")
        size = self.new(f"getelementptr i64, ptr {self._field(base, 1)}, i64 {at}")
        return self.pointer(kind, data, self.new(f"load i64, ptr {size}"), self._field(base, 3))

    def place(self, node: ast.Subscript) -> tuple[str, Type]:
        """The address of an element that is written, and its type."""
        base, at = self._element(node)
        return self._place(base, at, written=True), base.type[1:]

    def _place(self, base: Value, at: str, written: bool) -> str:
        kind = base.type[1:]
        place = self.new(f"getelementptr {llvm_type(kind)}, ptr {self.address(base)}, i64 {at}")
        self.module.specials.touch(place, kind, written, self)
        return place

    def _element(self, node: ast.Subscript) -> tuple[Value, str]:
        """The pointer, and the number of an element that it has."""
        base = self.expression(node.value)
        if not is_pointer(base.type):
            raise Untranslatable(f"an element of {base.type}")
        index = self.expression(node.slice)
        if not is_whole(index.type):
            raise Untranslatable(f"an index of type {index.type}")
        at = self.cast(index, "int64").text
        self.check(base, at)
        return base, at

    def _UnaryOp(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return self._not(self.truth(node.operand))
        value = self.expression(node.operand)
        if isinstance(node.op, ast.USub) and value.type in FLOATS:
            return Value(value.type, self.new(f"fsub {llvm_type(value.type)} {float_text(-0.0)}, {value.text}"))
        if isinstance(node.op, ast.Invert) and value.type in INTEGERS:
            turned = Value(value.type, self.new(f"xor {llvm_type(value.type)} {value.text}, -1"))
            return self.cast(turned, whole_result(value.type, value.type))
        if isinstance(node.op, ast.USub) and value.type in INTEGERS:
            negative = Value(value.type, self.new(f"sub {llvm_type(value.type)} 0, {value.text}"))
            return self.cast(negative, whole_result(value.type, value.type))
        raise Untranslatable(ast.unparse(node))

    def _not(self, value: Value) -> Value:
        return Value("bool", self.new(f"xor i1 {value.text}, true"))

    def _BinOp(self, node: ast.BinOp) -> Value:
        return self.binary(node.op, self.expression(node.left), self.expression(node.right))

    def binary(self, op: ast.operator, a: Value, b: Value) -> Value:
        """Writes an operation of two numbers."""
        kind = type(op)
        if kind in _SUMS:
            result = number_result(a.type, b.type)
            name = _SUMS[kind][result in FLOATS] + (" nsw" if result == "int64" else "")
            return self._of_two(name, result, a, b)
        if kind is ast.Div:
            result = number_result(a.type, b.type)
            return self._of_two("fdiv", result if result in FLOATS else "float64", a, b)
        if not (is_whole(a.type) and is_whole(b.type)):
            raise Untranslatable(f"{kind.__name__} of {a.type} and {b.type}")
        if kind in _BITS:
            result = "bool" if a.type == b.type == "bool" else whole_result(a.type, b.type)
            return self._of_two(_BITS[kind], result, a, b)
        if kind in (ast.LShift, ast.RShift) and a.type != "bool":
            result = whole_result(a.type, a.type)
            name = "shl" if kind is ast.LShift else "ashr" if result == "int64" else "lshr"
            return self._of_two(name, result, a, b)
        if kind in (ast.FloorDiv, ast.Mod):
            result = whole_result(a.type, b.type)
            return self._divided(kind is ast.Mod, result, self.cast(a, result).text, self.cast(b, result).text)
        raise Untranslatable(kind.__name__)

    def _of_two(self, name: str, result: Type, a: Value, b: Value) -> Value:
        x, y = self.cast(a, result).text, self.cast(b, result).text
        return Value(result, self.new(f"{name} {llvm_type(result)} {x}, {y}"))

    def _divided(self, rest: bool, result: Type, x: str, y: str) -> Value:
        """The quotient, rounded down, or the rest; 0 for a divisor of 0, and for one that does not fit."""
        new = self.new
        bad = new(f"icmp eq i64 {y}, 0")
        if result == "uint64":
            safe = new(f"select i1 {bad}, i64 1, i64 {y}")
            found = new(f"{'urem' if rest else 'udiv'} i64 {x}, {safe}")
            return Value(result, new(f"select i1 {bad}, i64 0, i64 {found}"))
        least, minus = new(f"icmp eq i64 {x}, {-(1 << 63)}"), new(f"icmp eq i64 {y}, -1")
        bad = new(f"or i1 {bad}, {new(f'and i1 {least}, {minus}')}")
        safe = new(f"select i1 {bad}, i64 1, i64 {y}")
        left = new(f"srem i64 {x}, {safe}")
        some, other = new(f"icmp ne i64 {left}, 0"), new(f"icmp slt i64 {new(f'xor i64 {left}, {safe}')}, 0")
        down = new(f"and i1 {some}, {other}")
        if rest:
            found = new(f"add i64 {left}, {new(f'select i1 {down}, i64 {safe}, i64 0')}")
        else:
            found = new(f"sub i64 {new(f'sdiv i64 {x}, {safe}')}, {new(f'zext i1 {down} to i64')}")
        return Value(result, new(f"select i1 {bad}, i64 0, i64 {found}"))

    # ---- truth -----------------------------------------------------------------------------------------------

    def truth(self, node: ast.expr) -> Value:
        """Writes what finds whether an expression is true."""
        return (
            self._BoolOp(node, as_truth=True) if isinstance(node, ast.BoolOp) else self.truth_of(self.expression(node))
        )

    def _BoolOp(self, node: ast.BoolOp, as_truth: bool = False) -> Value:
        def of(part: ast.expr) -> Value:
            value = self.truth(part) if as_truth else self.expression(part)
            if value.type != "bool":
                raise Untranslatable(f"{ast.unparse(node)} as a number")
            return value

        both = isinstance(node.op, ast.And)
        found = of(node.values[0])
        for part in node.values[1:]:
            if all(isinstance(inner, _CHEAP) for inner in ast.walk(part)):
                found = self._joined(both, found, of(part))
                continue
            number = self.number()
            before = self.block
            more, after = f"more{number}", f"known{number}"
            self.line(f"br i1 {found.text}, label %{more if both else after}, label %{after if both else more}")
            self.start(more)
            second = of(part)
            last = self.block
            self.line(f"br label %{after}")
            self.start(after)
            short = "false" if both else "true"
            found = Value("bool", self.new(f"phi i1 [ {short}, %{before} ], [ {second.text}, %{last} ]"))
        return found

    def _joined(self, both: bool, a: Value, b: Value) -> Value:
        text = f"i1 {b.text}, i1 false" if both else f"i1 true, i1 {b.text}"
        return Value("bool", self.new(f"select i1 {a.text}, {text}"))

    def _Compare(self, node: ast.Compare) -> Value:
        left, found = self.expression(node.left), None
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In):
                this = self._is_among(left, right_node)
            else:
                right = self.expression(right_node)
                this, left = self._compared(type(op), left, right), right
            found = this if found is None else self._joined(True, found, this)
        assert found is not None
        return found

    def _is_among(self, value: Value, node: ast.expr) -> Value:
        if not isinstance(node, ast.Tuple):
            raise Untranslatable(ast.unparse(node))
        found = self._compared(ast.Eq, value, self.expression(node.elts[0]))
        for choice in node.elts[1:]:
            found = self._joined(False, found, self._compared(ast.Eq, value, self.expression(choice)))
        return found

    def _compared(self, op: type, a: Value, b: Value) -> Value:
        if op not in _ORDERS:
            raise Untranslatable(op.__name__)
        kind = compared_as(a.type, b.type)
        whole, real = _ORDERS[op]
        if kind in FLOATS:
            name = f"fcmp {real}"
        else:
            name = f"icmp {whole if whole in ('eq', 'ne') else ('s' if is_signed(kind) else 'u') + whole}"
        x, y = self.cast(a, kind).text, self.cast(b, kind).text
        return Value("bool", self.new(f"{name} {llvm_type(kind)} {x}, {y}"))

    def _IfExp(self, node: ast.IfExp) -> Value:
        test = self.truth(node.test)
        number = self.number()
        after = f"chosen{number}"
        ways = []
        self.line(f"br i1 {test.text}, label %yes{number}, label %no{number}")
        for label, arm in (("yes", node.body), ("no", node.orelse)):
            self.start(f"{label}{number}")
            value = self.expression(arm)
            ways.append((value, self.hole(), self.block))
        kind = unified(ways[0][0].type, ways[1][0].type)
        coming = []
        for value, hole, block in ways:
            coming.append(f"[ {self.cast_in(hole, value, kind).text}, %{block} ]")
            hole.append(f"  br label %{after}")
        self.start(after)
        return Value(kind, self.new(f"phi {llvm_type(kind)} {', '.join(coming)}"))

    # ---- calls -----------------------------------------------------------------------------------------------

    def is_type(self, node: ast.expr) -> bool:
        """Whether an expression is a type of numbers."""
        if not isinstance(node, ast.Name) or node.id in self.locals:
            return False
        found = self.scope.get(node.id)
        return node.id in self.module.types or (isinstance(found, type) and issubclass(found, np.generic))

    def type_of(self, node: ast.expr) -> Type:
        """The type that an expression is."""
        if not self.is_type(node):
            raise Untranslatable(f"{ast.unparse(node)} is no type")
        assert isinstance(node, ast.Name)
        name = self.module.types.get(node.id) or np.dtype(self.scope[node.id]).name
        return "uint8" if name == "bool" else name

    def _Call(self, node: ast.Call) -> Value:
        if node.keywords:
            raise Untranslatable("a call with names of arguments")
        if isinstance(node.func, ast.Attribute):
            self._module_of(node.func)
            return self._mathematical(node.func.attr, [self.expression(a) for a in node.args])
        if not isinstance(node.func, ast.Name):
            raise Untranslatable(ast.unparse(node.func))
        if self.is_type(node.func):
            (argument,) = node.args
            return self._number_as(self.expression(argument), self.type_of(node.func))
        name = node.func.id
        known = self.scope.get(name, abs if name == "abs" else None)
        if isinstance(known, Special):
            typed = known.takes_type
            first = [Value(self.type_of(node.args[0]), "")] if typed else []
            return self.module.specials.call(known, first + [self.expression(a) for a in node.args[typed:]], self)
        arguments = [self.expression(a)._replace(literal=None) for a in node.args]
        if known is abs and len(arguments) == 1:
            return self._absolute(arguments[0])
        if isinstance(known, ByDtype) and arguments[0].type in known.choices:
            known = known.choices[arguments[0].type]
        if not is_scalar_function(known):
            raise Untranslatable(ast.unparse(node.func))
        return self.module.specials.call_function(known, arguments, self)

    def call_function(self, function: Any, arguments: Sequence[Value]) -> Value:
        """Writes a call of a scalar function."""
        symbol, result = self.module.function(function, tuple([a.type for a in arguments]))
        found = self.call_known(symbol, result, arguments)
        if symbol in self.module.leaving:
            self._go_on_inside()
        return found

    def _number_as(self, value: Value, kind: Type) -> Value:
        if not (is_whole(value.type) or value.type in FLOATS):
            raise Untranslatable(f"{value.type} as {kind}")
        return self.cast(value, kind)._replace(literal=None)

    def _absolute(self, x: Value) -> Value:
        if x.type in FLOATS:
            return self._mathematical("fabs", [x])
        if not is_signed(x.type):
            raise Untranslatable(f"abs of {x.type}")
        kind = llvm_type(x.type)
        negative, low = self.new(f"sub {kind} 0, {x.text}"), self.new(f"icmp slt {kind} {x.text}, 0")
        return Value(x.type, self.new(f"select i1 {low}, {kind} {negative}, {kind} {x.text}"))

    def _mathematical(self, name: str, arguments: list[Value]) -> Value:
        """A function of `math`, which computes in float32 only if all its arguments are float32."""
        kind: Type = "float64"
        for a, b in zip(arguments, arguments[1:] or arguments, strict=False):
            kind = number_result(a.type, b.type)
        kind = kind if kind in FLOATS else "float64"
        if name == "pow" and not all(a.type in FLOATS for a in arguments):
            raise Untranslatable("a power of integers")
        numbers = [self.cast(a, kind) for a in arguments]
        suffix = "f32" if kind == "float32" else "f64"
        if name in _INTRINSICS or name in ("pow", "copysign"):
            return self.call(f"llvm.{_INTRINSICS.get(name, name)}.{suffix}", kind, numbers)
        if name in _LIBRARY:
            symbol = name + ("f" if kind == "float32" else "")
            return self.call(symbol, kind, numbers, " nounwind memory(read)")
        if name in _WHOLE and arguments[0].type in FLOATS:
            return self.cast(self.call(f"llvm.{_WHOLE[name]}.{suffix}", kind, numbers), "int64")
        if name == "isnan" and arguments[0].type in FLOATS:
            x = numbers[0].text
            return Value("bool", self.new(f"fcmp uno {llvm_type(kind)} {x}, {x}"))
        raise Untranslatable(f"math.{name}")


def _literal(node: ast.expr) -> Any:
    """The number that an expression of literals is, as Python's compiler has it; else None."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, (bool, int, float)) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.BinOp) and type(node.op) in _FOLDED:
        a, b = _literal(node.left), _literal(node.right)
        return None if a is None or b is None else _FOLDED[type(node.op)](a, b)
    return None
