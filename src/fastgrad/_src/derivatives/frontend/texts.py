"""Lowering of strings: each string of a function has a number. Comparisons and choices use the numbers."""

from __future__ import annotations

from typing import Any

from fastgrad._src.derivatives.frontend.builder import Builder
from fastgrad._src.derivatives.ir.operands import INDEX, Operand, index_constant
from fastgrad._src.derivatives.ir.statements import Compute
from fastgrad._src.derivatives.ir.values import NumberedText, TextParameter, describe, static_text
from fastgrad._src.scalars.formulas import ScalarOperation


def quote(text: Any) -> str:
    """Returns the text of a constant in the template of a statement."""
    return repr(text).replace("{", "{{").replace("}", "}}")


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
        numbers = [(quote(text), number) for text, number in self._texts.items()]
        for name, statements in self._numbered_parameters.items():
            own = len(numbers)
            choices = "".join(f"{number} if {name} == {text} else " for text, number in numbers)
            for statement in statements:
                statement.operation = ScalarOperation(f"({choices}{own})", 0, reads_parameter=True)
            numbers.append((name, own))
