"""Writes the parts of a derivative's source that forward mode and reverse mode share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numba import types

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.functions.numba_types import is_complex_type
from fastgrad._src.derivatives.ir.call_rules import Callee, CallRule, TangentOf
from fastgrad._src.derivatives.ir.operands import (
    Constant,
    Counter,
    Location,
    Number,
    Operand,
    Root,
    View,
    is_constant,
    item_name,
    refuse,
    zero,
)
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.scalar_operations import TEXT_GLOBALS
from fastgrad._src.derivatives.ir.statements import Call, Load, Raise, Return
from fastgrad._src.derivatives.runtime.complex_arrays import complex_of_parts, real_parts
from fastgrad._src.derivatives.runtime.jumps import BLOCK_VARIABLE
from fastgrad._src.derivatives.runtime.record_fields import field_of
from fastgrad._src.jit.generated_source import Line


class DerivedCall(NamedTuple):
    """What the text of a derivative calls for a function that is not inlined.

    Attributes:
        form: "augmented" or "reverse", of reverse mode, or "tangent".
        callee: the function.
        arguments: for reverse mode the numbers of the arrays that nothing writes; for forward mode those of the arguments that have tangents.
    """

    form: str
    callee: Callee
    arguments: tuple[int, ...]


class Derivative(NamedTuple):
    """The text of a derivative, what its names stand for, what it calls by names that have no value yet, and the user's lines by its own."""

    name: str
    source: str
    scope: dict[str, Any]
    calls: dict[str, DerivedCall]
    user_lines: dict[int, Line] | None = None


def flat_index(dims: list[str], indices: list[str]) -> str:
    """Returns the text of an element's position in C order."""
    if not indices:
        return "0"
    text = indices[0]
    for size, index in zip(dims[1:], indices[1:], strict=True):
        text = f"({text})*{size} + {index}" if text != "0" else index
    return text


def unsigned_index_text(index: str) -> str:
    """Returns the text of an index that counts from the start: an unsigned one, which Numba does not test for counting from the end."""
    return index if index.isdigit() else f"unsigned({index})"


def memory_check_line(first: str, second: str, names: tuple[str, str]) -> str:
    """Returns the line that raises if two arguments share memory, one of which the function writes: their cotangents would have to share it, too.

    The message is a constant: code that puts texts together takes seconds to compile.
    """
    return f"if may_share_memory({first}, {second}): raise ValueError({shared_memory_message(names)!r})"


def shared_memory_message(names: Iterable[str]) -> str:
    """Returns the message of the error for two arguments that share memory."""
    return (
        f"the arguments {' and '.join(names)} share memory, which the function writes: "
        "its derivative would be wrong. Pass a copy of one of them."
    )


class Emitter:
    """Writes text, block by block."""

    def __init__(self, function: Function, flow: ControlFlow) -> None:
        self.function = function
        self.flow = flow
        self.lines: list[str] = []
        self._user_lines: dict[int, Line] = {}
        self._calls: dict[DerivedCall, str] = {}

    def write(self, line: str, indent: int = 3) -> None:
        """Appends a line."""
        self.lines.append("    " * indent + line)

    def note_line(self, location: Location) -> None:
        """Notes the user's line that the next line comes from."""
        self._user_lines[len(self.lines)] = location.filename, location.line

    def operand(self, operand: Operand) -> str:
        """Returns the text of a number in forward order."""
        return operand.text

    def convert(self, operand: Operand, type: types.Type) -> str:
        """Returns the text of a number as one of ``type``."""
        if operand.type == type:
            return self.operand(operand)
        if isinstance(operand, Constant):
            value = float(operand.value) if isinstance(type, types.Float) else operand.value
            return Constant(bool(value) if isinstance(type, types.Boolean) else value, type).text
        return (
            f"_{type}({self.operand(operand)})"
            if not isinstance(type, types.Boolean)
            else f"bool({self.operand(operand)})"
        )

    def element(self, root: Root, indices: list[str]) -> str:
        """Returns the text of an element of an array, whose indices count from the start.

        With Numba's test of signed indices, LLVM would not see that the elements of a loop follow each other.
        """
        return f"{root.name}[{', '.join(map(unsigned_index_text, indices)) or '()'}]"

    def load(self, statement: Load, indices: list[str], guards: list[str]) -> str:
        """Returns the text of what a ``Load`` reads."""
        element = self.element(statement.root, indices)
        condition = " and ".join(f"{count} > 0" for count in guards)
        return f"({element} if {condition} else {zero(statement.target.type)})" if condition else element

    def memory_check_lines(self, function: Function) -> list[str]:
        """Returns the lines that raise if an argument of a function that is written shares memory with another one."""
        parameters = [root for root in function.roots if root.kind == "parameter"]
        lines = []
        for root in parameters:
            for other in parameters if root.is_written else []:
                if other is not root and not root.is_sibling_field(other):
                    names = function.names[root.position], function.names[other.position]  # type: ignore[index]
                    lines.append(memory_check_line(root.name, other.name, names))
        return lines

    def shape(self, dims: list[Operand]) -> str:
        """Returns the text of a tuple of sizes."""
        return f"({''.join(self.operand(size) + ', ' for size in dims)})"

    def view(
        self, view: View, text_of: Callable[[Operand], str] | None = None, name: str = "", more_axes: int = 0
    ) -> str:
        """Returns the text of a view of an array.

        Args:
            view: the view.
            text_of: returns the text of a number. Without it numbers are in forward order.
            name: the text of the whole array, if it is not the root's own.
            more_axes: how many axes the whole array has more than the root, after its own.
        """
        name, text_of = name or view.root.name, text_of or self.operand
        if view.is_whole():
            return name
        if not view.has_slices():
            raise refuse("an array that repeats elements can't be passed on here; copy it", view.root.location)
        axes = [axis for axis in view.axes if axis.root_axis is not None]
        numbers = {axis.root_axis: number for number, axis in enumerate(axes)}
        indices, sizes, order = [], [], []
        for root_axis, start in enumerate(view.starts):
            first = text_of(start)
            if root_axis not in numbers:
                indices.append(first)
                continue
            order.append(numbers[root_axis])
            axis = axes[order[-1]]
            size, is_dense = text_of(axis.size), is_constant(axis.step, 1)
            is_all = is_constant(start, 0) and is_dense and axis.size is view.root.dims[root_axis]
            indices.append(
                ":" if is_all else f"{first}:{first} + {size}" if is_dense else f"{first}::{text_of(axis.step)}"
            )
            sizes.append(f":{size}")
        while len(indices) > 1 and indices[-1] == ":":  # rows of an array in C order are contiguous if nothing follows
            indices.pop()
        text = f"{name}[{', '.join(indices)}]"
        if not all(is_constant(axis.step, 1) for axis in axes):
            text = f"{text}[{', '.join(sizes)}]"
        if order != sorted(order):
            order += range(len(order), len(order) + more_axes)
            is_reversed = order == sorted(order, reverse=True)
            text = f"{text}.T" if is_reversed else f"np.transpose({text}, {tuple(map(order.index, range(len(order))))})"
        if len(axes) < len(view.axes):
            text += f"[{', '.join('None' if axis.root_axis is None else ':' for axis in view.axes)}]"
        return text

    # ---- forward order ------------------------------------------------------------------------------------------

    def loop_end_text(self, counter: Counter) -> str:
        """Returns the text of the iteration before which a loop ends."""
        return f"{counter.name}_count"

    def bound(self, value: Any, hint: str) -> str:
        """Returns the name by which the text calls a function."""
        for name, known in self.function.globals.items():
            if known is value:
                return name
        name = f"g_{hint}_{len(self.function.globals)}"
        self.function.globals[name] = value
        return name

    def argument(self, value: Operand | View) -> str:
        """Returns the text of an argument of a call."""
        return self.view(value) if isinstance(value, View) else self.operand(value)

    def call(self, statement: Call) -> None:
        """Writes a call of a function with derivatives of its own."""
        rule = statement.rule
        arguments = [self.argument(value) for value in statement.arguments]
        callee = statement.callee
        if callee is not None and (callee.is_exact or isinstance(callee.function, TangentOf)):
            tangent = callee.function if isinstance(callee.function, TangentOf) else TangentOf(callee, ())
            targets = "".join(f"{result.name}, " for result in statement.results)
            call = f"{self.derived_call('tangent', tangent.callee, tangent.active)}({', '.join(arguments)})"
            self.write(f"{targets}= {call}" if targets else call)
            return
        targets = ", ".join(result.name for result in statement.results)
        if callee is not None:
            remaining = iter(arguments)
            arguments = [self._structure(type, remaining) for type in callee.types]
            targets = self._structure(callee.result, iter([result.name for result in statement.results]))
        if isinstance(rule, CallRule) and rule.returns_tuple:
            targets += ","
        call = f"{self.bound(rule.function, 'function')}({', '.join(arguments)})"
        self.write(f"{targets} = {call}" if statement.results else call)

    def derived_call(self, form: str, callee: Callee, arguments: tuple[int, ...]) -> str:
        """Returns the name by which the text calls a derivative of a function that is not inlined."""
        call = DerivedCall(form, callee, arguments)
        return self._calls.setdefault(call, f"{form}_{callee.function.__name__}_{len(self._calls)}")

    def dtype(self, type: types.Type) -> str:
        """Returns the text of a dtype."""
        name = str(type)
        return "np.bool_" if name == "bool" else f"np.{name}"

    def jump(self, number: int, indent: int = 3) -> None:
        """Writes a jump to the block of a number."""
        self.write(f"{BLOCK_VARIABLE} = {number}", indent)
        self.write("continue", indent)

    def write_block_end(self, block: Block) -> None:
        """Writes how the function goes on after the statements of a block."""
        block.end.write(self, block)

    def write_return(self, block: Block, end: Return) -> None:
        """Writes what the derivative does where the function returns."""
        raise NotImplementedError

    def edge(self, block: Block, target: Block, indent: int) -> None:
        """Writes the values of the target's phis on the way from a block, and the jump."""
        self.write_phi_values(block, target, indent)
        self.jump(target.number, indent)

    def write_phi_values(self, block: Block, target: Block, indent: int) -> None:
        """Writes the values that the target's phis have on the way from a block."""
        for phi in target.phis:
            value = phi.incoming.get(block)
            if isinstance(phi.target, Root):
                assert isinstance(value, View)
                text = self.view(value)
            else:
                operand = value if isinstance(value, Number) else Constant(0, phi.target.type)
                text = self.convert(operand, phi.target.type)
            self.write(f"p_{phi.target.name} = {text}", indent)

    def raise_(self, end: Raise) -> None:
        """Writes the raise of an exception."""
        self.write(f"raise {end.exception.__name__}({', '.join(map(repr, end.arguments))})")
        self.function.globals[end.exception.__name__] = end.exception

    def result_of(self, value: Operand | View, type: types.Type) -> str:
        """Returns the text of a result of a function that derivatives call."""
        if not isinstance(value, View):
            return self.convert(value, type)
        return self.view(value) if type.layout == "C" else f"contiguous({self.view(value)})"

    def result_text(self, texts: list[str]) -> str:
        """Returns the text of the function's result from those of its leaves."""
        return self._structure(self.function.result, iter(texts))

    def _structure(self, type: types.Type, leaves: Iterator[str]) -> str:
        """Returns the text of a value of ``type`` from those of its leaves."""
        if isinstance(type, types.BaseTuple):
            return f"({''.join(self._structure(item, leaves) + ', ' for item in type)})"
        if isinstance(type, types.Complex):
            return self.complex_number(type, next(leaves), next(leaves))
        if is_complex_type(type):
            return f"complex_of_parts({next(leaves)})"
        if isinstance(type, types.Dispatcher):
            return self.bound(type.dispatcher, "function")
        return "None" if type == types.none else next(leaves)

    def complex_number(self, type: types.Type, real: str, imag: str) -> str:
        """Returns the text of a complex number."""
        return f"complex({real}, {imag})" if type == types.complex128 else f"np.{type}(complex({real}, {imag}))"

    def unpacked_parts(self, name: str, type: types.Type, prefix: str = "") -> list[str]:
        """Returns lines that give the real and the imaginary parts of a parameter names."""
        if isinstance(type, types.Complex):
            return [f"{prefix}{part}_of_{name} = {prefix}{name}.{part}" for part in ("real", "imag")]
        if is_complex_type(type):
            return [f"{prefix}parts_of_{name} = real_parts({prefix}{name})"]
        return []

    def unpacked_field(self, root: Root, prefix: str = "") -> list[str]:
        """Returns the line that gives a field of a parameter, a record or an instance, its name; with the prefix ``d_`` its tangent."""
        if root.field is None:
            return []
        text = f"field_of({prefix}{root.field.owner}, {root.field.name!r})"
        return [f"{prefix}{root.name} = {f'real_parts({text})' if root.field.is_complex else text}"]

    def unpacked_parameters(self) -> list[str]:
        """Returns lines that give the parts of parameters that are tuples, records or complex names."""
        lines: list[str] = []

        def unpack(name: str, type: types.Type) -> None:
            lines.extend(self.unpacked_parts(name, type))
            if isinstance(type, types.BaseTuple):
                for number, item in enumerate(type):
                    lines.append(f"{item_name(name, number)} = {name}[{number}]")
                    unpack(item_name(name, number), item)

        for name, type in zip(self.function.parameters, self.function.types, strict=True):
            unpack(f"a_{name}", type)
        return lines + [line for root in self.function.roots for line in self.unpacked_field(root)]

    def result(self, name: str, parameters: list[str], body: list[str]) -> Derivative:
        """Returns the derivative of a name, parameters, the lines before the first block, and the blocks."""
        header = f"def {name}({', '.join(parameters)}):"
        source = "\n".join([header, *["    " + line for line in body], *self.lines, ""])
        scope = {"np": np, "math": math, **TEXT_GLOBALS, **self.function.globals}
        scope |= {"real_parts": real_parts, "complex_of_parts": complex_of_parts, "field_of": field_of}
        calls = {name: call for call, name in self._calls.items()}
        first = len(body) + 2
        user_lines = {first + number: line for number, line in self._user_lines.items()}
        return Derivative(name, source, scope, calls, user_lines)
