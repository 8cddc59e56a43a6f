"""The partials of the table of scalar functions are the derivatives of the functions, and give the gradients of rows."""

import math
import operator

import numpy as np
import pytest
from scipy import special

import fastgrad as tf
from fastgrad._src.core.operation import TABLE
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import (
    COTANGENT,
    OPERANDS,
    RESULT,
    Number,
    ScalarOperation,
    arity_of,
    expand,
    partials_of,
    trace,
)
from tests.gradients import gradient_of
from tests.scalars.operations import OPERATIONS

_PYTHON = {
    **{operation: function for function, operation in terms.OPERATORS.items()},
    terms.SELECT: lambda condition, x, y: x if condition else y,
    terms.AND: lambda x, y: x and y,
    terms.OR: lambda x, y: x or y,
    terms.where: lambda condition, x, y: x if condition else y,
    terms.maximum: max,
    terms.minimum: min,
    terms.clip: lambda x, low, high: min(max(x, low), high),
    terms.abs: abs,
    terms.pow: operator.pow,
    terms.sign: np.sign,
    terms.digamma: special.digamma,
    terms.square: np.square,
    terms.cbrt: np.cbrt,
    terms.logaddexp: np.logaddexp,
    terms.logaddexp2: np.logaddexp2,
    terms.exp2: np.exp2,
    terms.floor: math.floor,
    terms.rint: np.rint,
}
POINTS = (0.37, 0.81, 0.59)
POINTS_OF = {"acosh": (1.4,), "clip": (0.37, 0.1, 0.9), "where": (1.0, 0.37, 0.81), "masked": (0.37, 1.0)}


def evaluate(term, values):
    """Returns the value of a term, from the values of its leaves."""
    if isinstance(term, Number):
        return term.value
    if term in values:
        return values[term]
    operation = term.operation
    operands = [evaluate(operand, values) for operand in term.operands]
    if operation in _PYTHON:
        return _PYTHON[operation](*operands)
    return getattr(math, operation.name)(*operands)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_partials_are_derivatives(name):
    operation = OPERATIONS[name]
    points = POINTS_OF.get(name, POINTS)[: arity_of(operation)]
    formula = expand(trace(operation))

    def value_at(*numbers):
        return float(evaluate(formula, dict(zip(OPERANDS, numbers, strict=False))))

    result, step = value_at(*points), 1e-6
    for position, partial in enumerate(partials_of(operation)):
        if partial is None:
            continue
        values = {COTANGENT: 1.7, RESULT: result, **dict(zip(OPERANDS, points, strict=False))}
        moved = [[x + sign * step * (number == position) for number, x in enumerate(points)] for sign in (1, -1)]
        expected = 1.7 * (value_at(*moved[0]) - value_at(*moved[1])) / (2 * step)
        assert evaluate(expand(partial), values) == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_element_wise_rows_have_the_gradients_of_their_scalar_functions():
    rows = [row for row in TABLE.values() if isinstance(row.lowering.elementwise.term, ScalarOperation)]
    with_partials = [row for row in rows if row.lowering.elementwise.term.partials]
    assert len(with_partials) > 50
    for row in with_partials:
        rules = row.gradient if type(row.gradient) is tuple else (row.gradient,)
        assert len(rules) == arity_of(row.lowering.elementwise.term), row


def test_the_text_of_a_gradient_calls_rows():
    import inspect

    assert (
        inspect.getsource(TABLE["sin"].gradient) == "def gradient(g, y, x0):\n    return multiply(g, conj(cos(x0)))\n"
    )


def test_an_operand_that_changes_the_result_by_jumps_has_the_gradient_zero():
    x = tf.constant([1.5, -2.5])
    assert gradient_of(tf.sign, x).numpy().tolist() == [0.0, 0.0]
