"""Lowering of strings: each string of a function has a number. Comparisons and choices use the numbers."""

from __future__ import annotations

from typing import Any

from numba import types

from fastgrad._src.derivatives.frontend.builder import Builder
from fastgrad._src.derivatives.ir.operands import INDEX, Operand, index_constant
from fastgrad._src.derivatives.ir.statements import Compute
from fastgrad._src.derivatives.ir.values import NumberedText, TextParameter, describe, static_text
from fastgrad._src.derivatives.output.text import of_parameters
from fastgrad._src.derivatives.output.tree import Variable
from fastgrad._src.scalars.formulas import ScalarOperation, Term, as_term
from fastgrad._src.scalars.terms import EQUAL, SELECT


class Texts:
    """The numbers of the texts of a function. A function that is lowered for a caller has those of the caller."""

    def __init__(self, builder: Builder, of_caller: Texts | None) -> None:
        self._builder = builder
        self._texts: dict[str, int] = {} if of_caller is None else of_caller._texts
        self._numbered_parameters: dict[str, list[Compute]] = (
            {} if of_caller is None else of_caller._numbered_parameters
        )

    def number_of(self, value: Any) -> Operand:
        """Returns the number of a text, which no other text has while the function runs."""
        if isinstance(value, NumberedText):
            return value.number
        text = static_text(value)
        if text is not None:
            return index_constant(self._texts.setdefault(text, len(self._texts)))
        if isinstance(value, TextParameter):  # `number_parameters` writes the operation, when all texts are known
            number = self._builder.compute(INDEX, ScalarOperation("", 0, reads_parameter=True), [])
            assert isinstance(number.definition, Compute)
            self._numbered_parameters.setdefault(value.name, []).append(number.definition)
            return number
        raise self._builder.refuse(f"a text is needed here, this is {describe(value)}")

    def intern_text_parameters(self) -> None:
        """Writes how parameters that are texts get their numbers: the number of an equal text or of an earlier equal parameter, else a new one."""
        numbers: list[tuple[Term, int]] = [(as_term(text), number) for text, number in self._texts.items()]
        for name, statements in self._numbered_parameters.items():
            parameter = Variable(name, types.unicode_type)
            number = as_term(len(numbers))
            for text, number_of_text in reversed(numbers):
                number = SELECT(EQUAL(parameter, text), number_of_text, number)
            for statement in statements:
                statement.operation = of_parameters(number)
            numbers.append((parameter, len(numbers)))
