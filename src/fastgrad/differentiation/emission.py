"""Parts of a derivative's text that forward mode and reverse mode share."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numba.core import types

from fastgrad.differentiation.control_flow import ControlFlow
from fastgrad.differentiation.ir import (
    Allocate,
    BeginLoop,
    Block,
    Branch,
    Call,
    Compute,
    Constant,
    Counter,
    Function,
    Grow,
    Jump,
    Load,
    NextIteration,
    Operand,
    Raise,
    Reshape,
    Root,
    Scalar,
    Size,
    Statement,
    Store,
    View,
    is_constant,
    item_name,
    literal,
    refuse,
)
from fastgrad.differentiation.jumps import BLOCK_VARIABLE
from fastgrad.differentiation.residuals import targets_of


class Derivative:
    """The text of a derivative and what its names stand for."""

    def __init__(self, name: str, source: str, scope: dict[str, Any]) -> None:
        self.name = name
        self.source = source
        self.scope = scope


def zero(type: types.Type) -> str:
    """Returns the text of 0 of a type."""
    return "0.0" if type == types.float64 else f"_{type}(0)" if not isinstance(type, types.Boolean) else "False"


class Emitter:
    """Writes text, block by block."""

    def __init__(self, function: Function, flow: ControlFlow) -> None:
        self.function = function
        self.flow = flow
        self.lines: list[str] = []
        self._numpy_types: set[str] = set()

    def write(self, line: str, indent: int = 3) -> None:
        """Appends a line."""
        self.lines.append("    " * indent + line)

    def operand(self, operand: Operand) -> str:
        """Returns the text of a number in forward order."""
        return literal(operand) if isinstance(operand, Constant) else operand.name

    def converted(self, operand: Operand, type: types.Type) -> str:
        """Returns the text of a number as one of ``type``."""
        if operand.type == type:
            return self.operand(operand)
        if isinstance(operand, Constant):
            value = float(operand.value) if isinstance(type, types.Float) else operand.value
            return literal(Constant(bool(value) if isinstance(type, types.Boolean) else value, type))
        return (
            f"_{type}({self.operand(operand)})"
            if not isinstance(type, types.Boolean)
            else f"bool({self.operand(operand)})"
        )

    def element(self, root: Root, indices: list[str]) -> str:
        """Returns the text of an element of an array."""
        return f"{root.name}[{', '.join(indices) or '()'}]"

    def flat_index(self, dims: list[str], indices: list[str]) -> str:
        """Returns the text of an element's position in C order."""
        if not indices:
            return "0"
        text = indices[0]
        for size, index in zip(dims[1:], indices[1:], strict=True):
            text = f"({text})*{size} + {index}" if text != "0" else index
        return text

    def shape(self, dims: list[Operand]) -> str:
        """Returns the text of a tuple of sizes."""
        return f"({''.join(self.operand(size) + ', ' for size in dims)})"

    def view(self, view: View) -> str:
        """Returns the text of a view of an array."""
        if view.is_whole():
            return view.root.name
        if not view.has_slices():
            raise refuse("an array that repeats elements can't be passed on here; copy it", view.root.location)
        numbers = {axis.root_axis: number for number, axis in enumerate(view.axes)}
        indices, sizes, order = [], [], []
        for root_axis, start in enumerate(view.starts):
            first = self.operand(start)
            if root_axis not in numbers:
                indices.append(first)
                continue
            order.append(numbers[root_axis])
            axis = view.axes[order[-1]]
            size, is_dense = self.operand(axis.size), is_constant(axis.step, 1)
            indices.append(f"{first}:{first} + {size}" if is_dense else f"{first}::{self.operand(axis.step)}")
            sizes.append(f":{size}")
        text = f"{view.root.name}[{', '.join(indices)}]"
        if not all(is_constant(axis.step, 1) for axis in view.axes):
            text = f"{text}[{', '.join(sizes)}]"
        return text if order == sorted(order) else f"np.transpose({text}, {tuple(map(order.index, range(len(order))))})"

    # ---- forward order ------------------------------------------------------------------------------------------

    def forward_statement(self, statement: Statement) -> None:
        """Writes what the user's function does."""
        operands = [self.operand(operand) for operand in statement.operands]
        if isinstance(statement, Compute):
            self.write(f"{statement.target.name} = {statement.text.format(*operands)}")
        elif isinstance(statement, Size):
            self.write(f"{statement.target.name} = {statement.root.name}.shape[{statement.axis}]")
        elif isinstance(statement, Load):
            self.write(f"{statement.target.name} = {self.element(statement.root, operands)}")
        elif isinstance(statement, Store):
            self.write(f"{self.element(statement.root, operands[1:])} = {operands[0]}")
        elif isinstance(statement, Allocate):
            dtype = statement.root.type.dtype
            self.write(
                f"{statement.root.name} = np.{statement.function}({self.shape(statement.root.dims)}, {self.dtype(dtype)})"
            )
        elif isinstance(statement, Grow):
            self.write(f"{statement.root.name} = grown({statement.root.name}, {operands[0]})")
        elif isinstance(statement, Reshape):
            source = statement.root.source
            assert source is not None
            self.write(f"{statement.root.name} = {source.name}.reshape({self.shape(statement.root.dims)})")
        elif isinstance(statement, Call):
            self._call(statement)
        elif isinstance(statement, BeginLoop):
            counter = statement.counter
            self.write(f"{counter.name}_count = {operands[0]}")
            self.write(f"{counter.name} = -1")
        elif isinstance(statement, NextIteration):
            counter = statement.counter
            self.write(f"{counter.name} += 1")
            self.write(f"{statement.is_valid.name} = {counter.name} < {self.end_of(counter)}")
            self.write(f"{statement.target.name} = {counter.name}")

    def end_of(self, counter: Counter) -> str:
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

    def _call(self, statement: Call) -> None:
        """Writes a call of a function with derivatives of its own."""
        arguments = ", ".join(self.argument(value) for value in statement.arguments)
        targets = ", ".join(result.name for result in statement.results)
        self.write(f"{targets} = {self.bound(statement.rule.function, 'function')}({arguments})")

    def dtype(self, type: types.Type) -> str:
        """Returns the text of a dtype."""
        name = str(type)
        return "np.bool_" if name == "bool" else f"np.{name}"

    def jump(self, number: int, indent: int = 3) -> None:
        """Writes a jump to the block of a number."""
        self.write(f"{BLOCK_VARIABLE} = {number}", indent)
        self.write("continue", indent)

    def go_on(self, block: Block) -> None:
        """Writes how a block that has successors goes on."""
        end = block.end
        if isinstance(end, Jump):
            self.edge(block, end.target, 3)
        elif isinstance(end, Branch):
            self.write(f"if {self.operand(end.condition)}:")
            self.edge(block, end.then, 4)
            self.edge(block, end.otherwise, 3)

    def edge(self, block: Block, target: Block, indent: int) -> None:
        """Writes the values of the target's phis on the way from a block, and the jump."""
        raise NotImplementedError  # each mode has its own

    def raise_(self, end: Raise) -> None:
        """Writes the raise of an exception."""
        self.write(f"raise {end.exception.__name__}({', '.join(map(repr, end.arguments))})")
        self.function.globals[end.exception.__name__] = end.exception

    def structured(self, texts: list[str]) -> str:
        """Returns the text of the function's result from those of its leaves."""
        remaining = iter(texts)

        def text_of(type: types.Type) -> str:
            if isinstance(type, types.BaseTuple):
                return f"({''.join(text_of(item) + ', ' for item in type)})"
            return "None" if isinstance(type, types.NoneType) else next(remaining)

        return text_of(self.function.result)

    def unpacked_parameters(self) -> list[str]:
        """Returns lines that give the items of parameters that are tuples names."""
        lines: list[str] = []

        def unpack(name: str, type: types.Type) -> None:
            if isinstance(type, types.BaseTuple):
                for number, item in enumerate(type):
                    lines.append(f"{item_name(name, number)} = {name}[{number}]")
                    unpack(item_name(name, number), item)

        for root in self.function.roots:
            if root.kind == "parameter" and root.name.startswith("field_"):
                field, _, name = root.name[len("field_") :].partition("_of_a_")
                lines.append(f"{root.name} = a_{name}[{field!r}]")
        for name, type in zip(self.function.parameters, self.function.types, strict=True):
            unpack(f"a_{name}", type)
        return lines

    def result(self, header: str, body: list[str]) -> Derivative:
        """Returns the derivative of a header, the lines before the first block, and the blocks."""
        source = "\n".join([header, *["    " + line for line in body], *self.lines, ""])
        casts = {f"_{name}": getattr(np, name) for name in set(re.findall(r"\b_((?:u?int|float)\d+)\(", source))}
        scope = {"np": np, "math": math, "_nan": math.nan, "_inf": math.inf, **casts, **self.function.globals}
        return Derivative(f"derivative_of_{self.function.name}", source, scope)


def scalars_of(blocks: list[Block]) -> list[Scalar]:
    """Returns the scalars that blocks define."""
    found: list[Scalar] = []
    for block in blocks:
        found += [phi.target for phi in block.phis if isinstance(phi.target, Scalar)]
        for statement in block.statements:
            found += targets_of(statement)
    return found


__all__ = ["Counter", "Derivative", "Emitter", "scalars_of", "zero"]
