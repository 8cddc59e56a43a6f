"""Writes code as Python: for people, for tests that run it without compilation, and for Numba's own pipeline."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.scalars.formulas import Leaf, Number, ScalarOperation, Term, text_of
from fastgrad._src.scalars.terms import ADD, SUBTRACT

_SIGNS = {ADD: "+", SUBTRACT: "-"}


def value_text(value: Any) -> str:
    """Returns the text of a Python number."""
    if isinstance(value, float) and not math.isfinite(value):
        return "_nan" if math.isnan(value) else "_inf" if value > 0 else "(-_inf)"
    text = repr(value)
    return f"({text})" if text.startswith("-") else text


def number_text(number: Number) -> str:
    """Returns the text of a constant."""
    text = value_text(number.value)
    return text if number.dtype is None else f"_{number.dtype.name}({text})"


def term_text(term: Term) -> str:
    """Returns the text of an expression."""
    return text_of(term, _text_of_leaf)


def expression(definition: Callable[..., Term], count: int, **facts: Any) -> ScalarOperation:
    """Returns the operation of ``count`` operands that computes what a function of terms returns; ``facts`` are attributes of it."""
    operands = [Leaf(f"{{{number}}}") for number in range(count)]

    def template_of_leaf(leaf: Term) -> str:
        if any(leaf is operand for operand in operands):
            return _text_of_leaf(leaf)
        return _text_of_leaf(leaf).replace("{", "{{").replace("}", "}}")

    return ScalarOperation(text_of(definition(*operands), template_of_leaf), count, definition=definition, **facts)


def of_parameters(value: Term) -> ScalarOperation:
    """Returns the operation without operands that computes a term of parameters that are no numbers and no arrays."""
    return expression(lambda: value, 0, reads_parameter=True)


def _text_of_leaf(leaf: Term) -> str:
    if isinstance(leaf, Number):
        return number_text(leaf)
    assert isinstance(leaf, Leaf)
    return leaf.name


class _Writer:
    """Appends lines of Python."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._writers: dict[type, Callable[[Any, int], None]] = {
            code.Assign: self._assign,
            code.Update: self._update,
            code.If: self._if,
            code.For: self._for,
            code.Jump: self._jump,
            code.Return: self._return,
            code.Raise: self._raise,
            code.Evaluate: self._evaluate,
        }

    def write(self, body: Sequence[code.Statement], indent: int) -> None:
        """Writes statements."""
        for statement in body:
            self._writers[type(statement)](statement, indent)

    def line(self, text: str, indent: int) -> None:
        """Writes a line."""
        self.lines.append("    " * indent + text)

    def _assign(self, statement: code.Assign, indent: int) -> None:
        self.line(f"{term_text(statement.target)} = {term_text(statement.value)}", indent)

    def _update(self, statement: code.Update, indent: int) -> None:
        sign = _SIGNS[statement.operation]
        self.line(f"{term_text(statement.target)} {sign}= {term_text(statement.value)}", indent)

    def _if(self, statement: code.If, indent: int) -> None:
        self.line(f"if {term_text(statement.condition)}:", indent)
        self.write(statement.then, indent + 1)
        if statement.otherwise:
            self.line("else:", indent)
            self.write(statement.otherwise, indent + 1)

    def _for(self, statement: code.For, indent: int) -> None:
        self.line(f"for {statement.variable.name} in range({term_text(statement.count)}):", indent)
        self.write(statement.body, indent + 1)

    def _jump(self, statement: code.Jump, indent: int) -> None:
        self.line(f"{code.BLOCK_VARIABLE} = {statement.block}", indent)
        self.line("continue", indent)

    def _return(self, statement: code.Return, indent: int) -> None:
        self.line(f"return {term_text(statement.value)}", indent)

    def _raise(self, statement: code.Raise, indent: int) -> None:
        self.line(f"raise {statement.name}({', '.join(map(repr, statement.arguments))})", indent)

    def _evaluate(self, statement: code.Evaluate, indent: int) -> None:
        self.line(term_text(statement.value), indent)


def text_of_code(written: code.Code) -> str:
    """Returns the text of a function."""
    writer = _Writer()
    writer.line(f"def {written.name}({', '.join(parameter.name for parameter in written.parameters)}):", 0)
    if written.guard is not None:
        writer.line(f"if not {term_text(written.guard)}:", 1)
        writer.line(f"return {term_text(code.call(code.GENERAL, *written.parameters))}", 2)
    writer.write(written.prologue, 1)
    if written.blocks:
        writer.line(f"{code.BLOCK_VARIABLE} = {written.start}", 1)
        writer.line("while True:", 1)
        for number, body in written.blocks.items():
            writer.line(f"if {code.BLOCK_VARIABLE} == {number}:", 2)
            writer.write(body, 3)
    return "\n".join([*writer.lines, ""])
