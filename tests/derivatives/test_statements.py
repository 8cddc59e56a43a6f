"""A statement of derivatives is one class: passes, the code, forward mode and reverse mode need nothing else."""

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives import derivation
from fastgrad._src.derivatives.ir.operands import Constant, Scalar
from fastgrad._src.derivatives.ir.statements import Compute, Statement
from fastgrad._src.derivatives.output.tree import assign
from fastgrad._src.derivatives.transform.adjoint import add_partial, take
from fastgrad._src.scalars.formulas import COTANGENT
from fastgrad._src.scalars.terms import MULTIPLY


class Halve(Statement):
    """Half of a number: a statement that the library does not have."""

    __slots__ = ("target",)
    defined = ("target",)
    is_needed = False
    is_pure = True
    written_count = 0

    def __init__(self, location, target, operand):
        super().__init__(location, [operand])
        self.target = target

    @property
    def derivative_edges(self):
        return [(self.operands[0], self.target)]

    def write(self, emitter):
        Halve.written_count += 1
        emitter.write(assign(self.target.term, emitter.operand(self.operands[0]) / 2.0))

    def add_tangents(self, tangents):
        if self.target in tangents:
            operands = tangents.numbers(self.operands[0])
            for (operand, _), (target, _) in zip(operands, tangents.new_numbers(self.target), strict=True):
                target.definition = Halve(self.location, target, operand)
                tangents.append(target.definition)

    def adjoint(self, adjoint):
        if self.target in adjoint.activity:
            yield take(self.target)
            if isinstance(self.operands[0], Scalar):
                yield add_partial(self.operands[0], self, COTANGENT * 0.5)


def with_halves(function):
    """Replaces the products of a number and 0.5 in a function of the intermediate representation; returns their number."""
    count = 0
    for block in function.blocks:
        for number, statement in enumerate(block.statements):
            is_product = isinstance(statement, Compute) and statement.operation is MULTIPLY
            if is_product and isinstance(statement.operands[1], Constant) and statement.operands[1].value == 0.5:
                half = Halve(statement.location, statement.target, statement.operands[0])
                block.statements[number] = statement.target.definition = half
                count += 1
    return count


@pytest.fixture
def halves(monkeypatch, tmp_path):
    """Makes the frontend lower ``x * 0.5`` to `Halve`."""
    lower, lowering_of = derivation.lower, derivation.lowering_of

    def lower_with_halves(*arguments, **keywords):
        function = lower(*arguments, **keywords)
        assert with_halves(function)
        return function

    def lowering_with_halves(*arguments, **keywords):
        lowering = lowering_of(*arguments, **keywords)
        assert with_halves(lowering.result)
        return lowering

    monkeypatch.setattr(derivation, "lower", lower_with_halves)
    monkeypatch.setattr(derivation, "lowering_of", lowering_with_halves)
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))  # derivatives with halves are not kept
    Halve.written_count = 0


def make_function(number):
    """Returns a function with products by 0.5 in a loop, in a branch and in arrays; no derivative of another ``number`` serves it."""

    @numba.njit
    def function(x, steps):
        values = np.zeros(steps)
        total = x * 0.5
        for step in range(steps + number - number):
            values[step] = total * x * 0.5
            if values[step] > 0.1:
                total = (total + values[step]) * 0.5
            else:
                total = total * total * 0.5 + x
        return total + values.sum()

    return function


@pytest.mark.parametrize("transformation", ["grad", "jvp", "grad of grad"])
def test_a_statement_is_one_class(transformation, request):
    x, steps = 0.7, 5

    def derivative(number):
        function = make_function(number)
        if transformation == "grad":
            return fg.grad(function)(x, steps)
        if transformation == "jvp":
            return fg.jvp(function, (x, steps), (1.0, None))[1]
        return fg.hvp(function)(x, steps, 1.0)

    expected = derivative(1)
    request.getfixturevalue("halves")
    assert derivative(2) == pytest.approx(expected, rel=1e-14)
    assert Halve.written_count > 2
