"""Writes the code of forward mode: a function that computes a result together with its tangent."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

from numba import types

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow
from fastgrad._src.derivatives.codegen.tape_memory import contiguous
from fastgrad._src.derivatives.functions.numba_types import is_float_type
from fastgrad._src.derivatives.ir.call_rules import Callee, CallRule
from fastgrad._src.derivatives.ir.operands import Constant, Location, Operand, Root, Scalar, View, leaf_types_of
from fastgrad._src.derivatives.ir.partials import partial_of
from fastgrad._src.derivatives.ir.representation import Block, Function, statements_in
from fastgrad._src.derivatives.ir.statements import Call, Compute, Return
from fastgrad._src.derivatives.ir.values import parts_of
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.output.text import expression
from fastgrad._src.derivatives.transform.emission import Derivative, Emitter, incoming
from fastgrad._src.derivatives.transform.tangents import Tangents
from fastgrad._src.scalars.formulas import Term, as_term
from fastgrad._src.scalars.terms import NOT_EQUAL

WIDTH = 8
"""The tangents that one run computes for a matrix: they share the function's own numbers."""


def tangents_per_run(function: Function, flow: ControlFlow) -> int:
    """Returns how many tangents one run may compute: one if calls or chunks of loops compute results and tangents together, or if results are complex."""
    statements = list(statements_in(function.blocks))
    rules = [statement.rule for statement in statements if isinstance(statement, Call)]
    is_alone = any(isinstance(rule, Callee) or rule.with_tangent is not None for rule in rules)
    is_alone = is_alone or any(counter.is_parallel for counter in flow.counted.values())
    return WIDTH if not is_alone and is_float_type(function.result) else 1


class ExpressionStatements:
    """Appends the numbers of tangents to a function that is not differentiated again: each is one expression.

    Attributes:
        function, block, is_last: as in ``TangentStatements``.
    """

    function: Function
    block: Block
    is_last = True

    def __init__(self, width: int) -> None:
        self._count = 0
        self._width = width
        self.checks: list[code.Statement] = []
        """The statements that check shapes."""

    def name(self, hint: str) -> str:
        """Returns a name that no number or array of the function has."""
        self._count += 1
        return f"{hint}{self._count}"

    def number(self, name: str, statement: Compute, terms: Sequence[tuple[Term, Operand]]) -> Operand:
        """Returns the sum of some partials of a statement, each for the tangent of its operand."""
        operands = [*statement.operands, statement.target, *[tangent for _, tangent in terms]]
        result = len(statement.operands)
        if not terms:
            return Constant(0, statement.target.type)

        def sum_of_partials(*values: Term) -> Term:
            partials = [
                partial_of(term, values[:result], values[result + number], values[result])
                for number, (term, _) in enumerate(terms, 1)
            ]
            return functools.reduce(operator.add, partials)

        target = Scalar(name, statement.target.type, self.block)
        operation = expression(sum_of_partials, len(operands))
        self.block.statements.append(Compute(statement.location, target, operation, operands))
        return target

    def call(
        self, location: Location, function: Any, arguments: list[Operand | View], results: Sequence[Scalar | Root]
    ) -> Sequence[Operand | Root]:
        """Returns what a function returns, a tuple: ``results``."""
        rule = CallRule(function, None, None, (), returns_tuple=True)
        self.block.statements.append(Call(location, rule, arguments, [*results]))
        return results

    def copy(self, location: Location, view: View) -> Root:
        """Returns a copy of an array."""
        type = types.Array(view.root.type.dtype, view.rank, "C")
        copy = Root(self.name("copy"), type, "local", self.block, location, dims=view.sizes)
        self.function.roots.append(copy)
        self.block.statements.append(Call(location, CallRule(contiguous, None, None, ()), [view], [copy]))
        return copy

    def check_shape(self, location: Location, argument: View, tangent: View, message: str) -> None:
        """Raises ValueError if a tangent has not the shape of its argument, before the first block."""
        expected = code.attribute(argument.root.term, "shape")
        if self._width > 1:
            expected = expected + code.tuple_of([as_term(self._width)])
        differs = NOT_EQUAL(code.attribute(tangent.root.term, "shape"), expected)
        self.checks.append(code.raise_if(differs, ValueError, message))


class ForwardMode(Emitter):
    """Writes a function and its tangents.

    Args:
        function: the function.
        flow: its control flow.
        positions, is_callee, width: as in ``Tangents``.
    """

    def __init__(
        self,
        function: Function,
        flow: ControlFlow,
        positions: tuple[int, ...],
        is_callee: bool = False,
        width: int = 1,
    ) -> None:
        self._statements = ExpressionStatements(width)
        tangents = Tangents(function, flow, positions, self._statements, is_callee, width)
        super().__init__(tangents.function, flow)
        self._is_callee = is_callee
        self._source = function

    def derivative(self) -> Derivative:
        """Returns the code of ``(*arguments, *tangents) -> (result, tangent of the result)``."""
        function = self.function
        for block in function.blocks:
            self.begin_block(block.number)
            self._block(block)
        name = f"derivative_of_{function.name}"
        if self._is_callee:
            parameters = [part.term for part in parts_of(function)]
            return self.result(name, parameters, [], results=leaf_types_of(function.result))
        prologue = [*self.unpacked_parameters(), *self.memory_checks(self._source), *self._statements.checks]
        return self.result(name, self.parameters_of_function(), prologue)

    def _block(self, block: Block) -> None:
        for phi in block.phis:
            self.write(code.assign(phi.target.term, incoming(phi.target)))
        for statement in block.statements:
            self.location = statement.location
            statement.write(self)
        self.write_block_end(block)

    def write_return(self, block: Block, end: Return) -> None:
        self.location = end.location
        if self._is_callee:
            self.write(code.Return(code.tuple_of(self.results_of(end))))
            return
        self.write(code.Return(self.result_of_parts([self.argument(value) for value in end.values])))
