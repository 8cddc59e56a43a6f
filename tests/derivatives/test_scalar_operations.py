"""The attributes of scalar operations agree with what the operations, and the functions that they call, compute."""

import inspect
import itertools
import operator

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives.frontend.builder import Builder
from fastgrad._src.derivatives.frontend.calls import KEPT_CALLS
from fastgrad._src.derivatives.frontend.operands import checked_optional
from fastgrad._src.derivatives.frontend.operators import checked_quotient
from fastgrad._src.derivatives.ir import scalar_operations
from fastgrad._src.derivatives.ir.operands import Location
from fastgrad._src.derivatives.ir.representation import Function
from fastgrad._src.derivatives.ir.scalar_operations import POWER_OF_FLOAT, RAISING
from fastgrad._src.scalars.formulas import OPERANDS, OPERATORS, ScalarOperation
from fastgrad._src.scalars.terms import SELECT

NAMED = [value for value in vars(scalar_operations).values() if isinstance(value, ScalarOperation)]
OPERATIONS = list(dict.fromkeys([*NAMED, *OPERATORS.values()]))
ARITY = {operation: max(n for n in range(3) if f"{{{n}}}" in operation.text) + 1 for operation in OPERATIONS}


DIVISIONS = (OPERATORS[operator.floordiv], OPERATORS[operator.mod])


def computed(operation, numbers):
    return eval(operation.text.format(*map(repr, numbers)), {"max": max, "min": min})


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.text)
def test_facts_of_operations(operation):
    for numbers in itertools.product((0, 1, 2, 5), repeat=ARITY[operation]):
        raises = operation in DIVISIONS and numbers[1] == 0
        if operation.is_speculatable or (operation.keeps_naturals and not raises):
            assert computed(operation, numbers) >= 0 or not operation.keeps_naturals
    for numbers in itertools.product((-3, -1, 0, 2), repeat=ARITY[operation]):
        if operation.is_speculatable and operation is not POWER_OF_FLOAT:
            computed(operation, numbers)
    assert not operation.may_raise


@pytest.mark.parametrize("function", OPERATORS, ids=lambda function: function.__name__)
def test_operators(function):
    for numbers in itertools.product((3, 1, 2), repeat=ARITY[OPERATORS[function]]):
        assert computed(OPERATORS[function], numbers) == function(*numbers)


def test_other_operations():
    known = {
        scalar_operations.FROM_START: {(-1, 5): 4, (2, 5): 2},
        scalar_operations.DISTANCE: {(2, 5): 3, (5, 2): 0},
        scalar_operations.STEPS: {(5, 2): 3, (4, 2): 2, (0, 2): 0},
        SELECT: {(True, 1, 2): 1, (False, 1, 2): 2},
        scalar_operations.SHARE_START: {(10, 0, 3): 0, (10, 2, 3): 6},
        scalar_operations.SHARE_END: {(10, 0, 3): 3, (10, 2, 3): 10},
    }
    for operation, results in known.items():
        assert {numbers: computed(operation, numbers) for numbers in results} == results


def test_a_power_of_a_float_raises_nothing():
    power = numba.njit(lambda x, y: x**y)
    assert power(0.0, -1.0) == np.inf
    assert POWER_OF_FLOAT.is_speculatable
    with pytest.raises(ZeroDivisionError):
        power(0, -1)
    assert not OPERATORS[operator.pow].is_speculatable


def test_functions_that_may_raise_are_marked():
    assert {function for function in KEPT_CALLS if "raise " in inspect.getsource(function.py_func)} == {
        *RAISING
    } & KEPT_CALLS
    assert all("raise " in inspect.getsource(function.py_func) for function in RAISING)
    assert {checked_optional, checked_quotient} <= RAISING


def test_one_call_is_one_operation():
    builder = Builder(Function("f", Location("f.py", 1), [], ()))
    assert builder.call_of(checked_quotient, 2) is builder.call_of(checked_quotient, 2)
    assert builder.call_of(checked_quotient, 2).may_raise
    assert builder.call_of(max, 2).text.endswith("({0}, {1})")
    assert not builder.call_of(max, 2).may_raise
    assert builder.expression(OPERANDS[0] < OPERANDS[1]) is OPERATORS[operator.lt]
    assert builder.expression(OPERANDS[0] <= 3) is builder.expression(OPERANDS[0] <= 3)


@numba.njit
def broadcast_in_vain(x, y):
    np.broadcast_to(y, (3,))
    return (x * x).sum()


def test_an_error_of_sizes_is_raised_though_nothing_uses_the_array():
    x = np.ones(3)
    assert fg.value_and_grad(broadcast_in_vain)(x, np.ones(1))[0] == 3
    with pytest.raises(ValueError, match="broadcast"):
        broadcast_in_vain(x, np.ones(2))
    with pytest.raises(ValueError, match="broadcast"):
        fg.value_and_grad(broadcast_in_vain)(x, np.ones(2))
