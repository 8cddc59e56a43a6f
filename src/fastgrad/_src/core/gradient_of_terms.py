"""Gradients of element-wise rows, from the partials of the scalar functions that they compute (scalars/terms.py).

A partial is a term. It becomes a function of tensors that calls rows: ``g * conj(cos(x))`` becomes ``multiply(g, conj(cos(x0)))``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from fastgrad._src.jit.generated_source import function_from_source
from fastgrad._src.scalars.formulas import (
    COTANGENT,
    OPERANDS,
    RESULT,
    Number,
    ScalarOperation,
    Term,
    in_postorder,
    partials_of,
)
from fastgrad._src.scalars.terms import (
    ADD,
    DIVIDE,
    EQUAL,
    GREATER,
    GREATER_EQUAL,
    LESS,
    LESS_EQUAL,
    MULTIPLY,
    NEGATIVE,
    NOT,
    NOT_EQUAL,
    SUBTRACT,
)

_ROWS_OF_OPERATORS = {
    ADD: "add",
    SUBTRACT: "subtract",
    MULTIPLY: "multiply",
    DIVIDE: "divide",
    NEGATIVE: "negative",
    EQUAL: "equal",
    NOT_EQUAL: "not_equal",
    LESS: "less",
    LESS_EQUAL: "less_equal",
    GREATER: "greater",
    GREATER_EQUAL: "greater_equal",
    NOT: "logical_not",
}
"""The names of the rows that compute operators of numbers."""
_FUNCTIONS_OF_TENSORS: dict[str, Callable[..., Any]] = {}
"""The functions of tensors that compute scalar functions of these names, if the rows of the same names do not."""
_ZEROS_OF = ScalarOperation("zeros_of({0})", 1, name="zeros_of")
_NAMES: dict[Term, str] = {COTANGENT: "g", RESULT: "y", **{operand: f"x{operand.position}" for operand in OPERANDS}}


def computes(name: str) -> Callable[[Any], Any]:
    """A decorator of a function of tensors that computes the scalar function ``name`` in gradients."""

    def register(function: Any) -> Any:
        _FUNCTIONS_OF_TENSORS[name] = function
        return function

    return register


def gradient_of(row: str, operation: ScalarOperation, table: dict[str, Any]) -> Any:
    """Returns the gradient of a row that computes a scalar function: a function of tensors, or one for each operand.

    Args:
        row: its name.
        operation: the scalar function.
        table: the operation table.
    """
    partials = partials_of(operation)
    arguments = ["g", "y", *[_NAMES[operand] for operand in OPERANDS[: len(partials)]]]
    rules: list[Any] = []
    for operand, partial in zip(OPERANDS, partials, strict=False):
        if partial is None:
            rules.append(None)
            continue
        if isinstance(partial, Number):  # the operand changes the result by jumps
            partial = _ZEROS_OF(operand)
        nodes = [node for node in in_postorder(partial) if node.operation is not None]
        names = [_name_of(node) for node in nodes]
        scope = {"__name__": __name__} | {name: _FUNCTIONS_OF_TENSORS.get(name) or table[name] for name in names}
        uses = Counter(id(operand) for node in nodes for operand in node.operands)
        variables = dict(_NAMES)
        lines: list[str] = []
        for node in nodes:
            if uses[id(node)] > 1:  # it is computed once
                name = f"t{len(lines)}"
                lines.append(f"    {name} = {_text_of(node, variables)}\n")
                variables[node] = name
        source = f"def gradient({', '.join(arguments)}):\n{''.join(lines)}    return {_text_of(partial, variables)}\n"
        filename = f"<fastgrad gradient of {row} by {operand.name}>"
        rules.append(function_from_source("gradient", source, filename, scope))
    return tuple(rules) if len(rules) > 1 else rules[0]


def _name_of(term: Term) -> str:
    """Returns the name of the row, or the function of tensors, that computes a term from its operands."""
    assert term.operation is not None
    return _ROWS_OF_OPERATORS.get(term.operation) or str(term.operation.name)


def _text_of(term: Term, variables: Mapping[Term, str]) -> str:
    """Returns the Python expression of a term, with the names of rows, and of the variables that have terms."""
    if term in variables:
        return variables[term]
    if isinstance(term, Number):
        return repr(term.value)
    return f"{_name_of(term)}({', '.join([_text_of(operand, variables) for operand in term.operands])})"
