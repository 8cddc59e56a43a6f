"""Derivatives of functions with members of enumerations: as variables with several definitions, in tuples, as parameters and results."""

from __future__ import annotations

import enum

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad.errors import DifferentiationError
from tests.derivatives.interpreted import value_and_tangent_of


class Status(enum.Enum):
    FIRST = 0
    SECOND = 1
    LAST = 7


class Order(enum.IntEnum):
    SQUARE = 2
    CUBE = 3


class Scale(enum.Enum):
    SMALL = 1.5
    LARGE = 2.5


@numba.njit
def ended_early(x):
    status = Status.FIRST
    total = x
    for i in range(5):
        total += x * i
        if x * i > 3.0:
            status = Status.SECOND
            break
    return total * x if status == Status.SECOND else total


@numba.njit
def changed_in_a_loop(x):
    status, y = Status.FIRST, x
    for _ in range(4):
        if status == Status.FIRST:
            y = y * x
            status = Status.LAST
        elif status is Status.LAST:
            y = y + x
            status = Status.FIRST
    return y * status.value + y


@numba.njit
def _status_and_number(x):
    if x > 2:
        return Status.SECOND, x * x
    if x > 1:
        return Status.FIRST, x * x * x
    return Status.LAST, x


@numba.njit
def result_of_a_callee(x):
    status, y = _status_and_number(x)
    if status not in (Status.FIRST, Status.LAST):
        y *= 2.0
    if status is Status.LAST:
        y *= 5.0
    if status is not Status.SECOND:
        y *= 3.0
    return y


@numba.njit
def value_of_a_float(x):
    scale = Scale.SMALL
    if x > 1.0:
        scale = Scale.LARGE
    return scale.value * x * x


@numba.njit
def integers(x):
    order = Order.SQUARE
    if x > 1.0:
        order = Order.CUBE
    return x**order.value + x * (order + 1) if order == Order.CUBE else x * order.value


@numba.njit
def _power(status, x):
    return x * x if status == Status.FIRST else x * x * x


@numba.njit
def arguments_of_a_callee(x):
    status = Status.FIRST if x > 1.0 else Status.SECOND
    return _power(status, x) + 3.0 * _power(Status.SECOND if x > 1.0 else Status.FIRST, x)


@numba.njit
def item_of_a_tuple(x):
    pair, total = (Status.FIRST, Status.SECOND), 0.0
    for i in range(3):
        total += x * x if pair[i % 2] == Status.FIRST else x
    return total


@numba.njit
def none_at_first(x):
    status, total = None, 0.0
    for _ in range(3):
        if status is not None and status == Status.SECOND:
            total += x * x
        status = Status.SECOND
    return total


@numba.njit
def recursive(status, x, n):
    if n == 0:
        return x if status == Status.FIRST else x * x
    return recursive(Status.SECOND if status == Status.FIRST else Status.FIRST, x * 1.1, n - 1)


@numba.njit
def caller_of_recursive(x):
    return recursive(Status.FIRST, x, 4) * recursive(Status.FIRST, x, 3)


@numba.njit
def contained(x):
    status = Status.FIRST if x > 1.0 else Status.LAST
    pair = (status, 1) == (Status.FIRST, 1)
    return (x * x if status in (Status.SECOND, Status.LAST) else x) * (x if pair else 2.0)


def differences(function, x, *others):
    step = 1e-5
    return (function(x + step, *others) - function(x - step, *others)) / (2.0 * step)


FUNCTIONS = [
    *(ended_early, changed_in_a_loop, result_of_a_callee, value_of_a_float, integers, arguments_of_a_callee),
    *(item_of_a_tuple, none_at_first, caller_of_recursive, contained),
]


@pytest.mark.parametrize("x", [0.6, 1.3, 2.7])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.py_func.__name__)
def test_derivatives_with_members_of_enumerations(function, x):
    slope = differences(function, x)
    value, gradient = fg.value_and_grad(function)(x)
    assert value == function(x)
    assert gradient == pytest.approx(slope, rel=1e-7)
    assert fg.jvp(function, (x,), (1.0,)) == pytest.approx((value, slope), rel=1e-7)
    curvature = differences(fg.grad(function), x)
    assert fg.hessian(function)(x) == pytest.approx(curvature, rel=1e-6, abs=1e-9)


@numba.njit
def member_as_a_parameter(x, status):
    other = status
    for i in range(3):
        if x * i > 2.0:
            other = Status.LAST
    return x * x * (other.value + 1) if status == Status.SECOND else x * other.value


@numba.njit
def scale_as_a_parameter(x, scale):
    return x * x * scale.value if scale is Scale.SMALL else x


@numba.njit
def integer_as_a_parameter(x, order):
    return x * x * (order + 1) if order == Order.CUBE else x * order.value


@pytest.mark.parametrize(
    ("function", "member"),
    [(member_as_a_parameter, member) for member in Status]
    + [(scale_as_a_parameter, member) for member in Scale]
    + [(integer_as_a_parameter, member) for member in Order],
)
def test_a_member_of_an_enumeration_may_be_an_argument(function, member):
    for x in (0.6, 1.3):
        slope = differences(function, x, member)
        assert fg.value_and_grad(function)(x, member) == pytest.approx((function(x, member), slope), rel=1e-7)
        tangent = value_and_tangent_of(function, (x, member), (0,))(x, member, 1.0)
        assert tangent == pytest.approx((function(x, member), slope), rel=1e-7)


def test_a_member_of_an_enumeration_is_no_result():
    @numba.njit
    def one_member(x):
        return x * x, Status.LAST

    @numba.njit
    def several_members(x):
        return x * x, Status.LAST if x > 1.0 else Status.FIRST

    for function in (one_member, several_members):
        with pytest.raises(DifferentiationError, match=r"test_enumerations.py:\d+: \w+ returns .*return a number"):
            fg.value_and_grad(function, has_aux=True)(1.3)


def test_members_beside_arrays():
    @numba.njit
    def f(a):
        status, total = Status.FIRST, 0.0
        for x in a:
            if status is Status.SECOND:
                total += x * x
                status = Status.FIRST
            else:
                total += x
                status = Status.SECOND
        return total

    np.testing.assert_allclose(fg.grad(f)(np.array([1.3, 0.7, 2.0, 3.0])), [1.0, 1.4, 1.0, 6.0])
