"""Functions that ask for literals with ``numba.literally``, and overloads that read them, as those of the package interpolation."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba import literally
from numba.extending import overload

import fastgrad as fg
from fastgrad._src.derivatives.frontend import calls
from fastgrad.errors import DifferentiationError
from tests.derivatives.interpreted import value_and_gradients


def _power():
    """Is implemented by ``_power_of_literals``."""


@overload(_power, prefer_literal=True)
def _power_of_literals(x, out=None, order=1, mode="plain"):
    product = " * ".join(["x"] * order.literal_value)
    sign = "-" if mode.literal_value == "negative" else ""
    scope = {}
    exec(f"def f(x, out=None, order=1, mode='plain'): return {sign}({product})", scope)
    return scope["f"]


@numba.njit
def power(x, out=None, order=1, mode="plain"):
    k = literally(order)
    m = numba.literally(mode)
    return _power(x, out=out, order=k, mode=m)


def _cube():
    """Is implemented by two functions."""


@overload(_cube)
def _cube_of_one(x):
    return lambda x: power(x, order=literally(3), mode=literally("negative"))


@overload(_cube)
def _square_of_product(x, y):
    return lambda x, y: power(x * y, order=2, mode="plain")


@numba.njit
def cube(*args):
    return _cube(*args)


@numba.njit
def two_orders(x):
    return power(x, None, 2, "plain") * x + power(x, None, 4, "negative")


@numba.njit
def passed_on(x, n, mode):
    return power(x, None, n, mode)


@numba.njit
def caller_of_passed_on(x):
    return passed_on(x, 2, "plain") + passed_on(x, 3, "negative") * x


@numba.njit
def of_a_literal_in_a_loop(x):
    total = 0.0
    for i in range(3):
        total += power(x + i, None, 3, "plain") * i
    return total


def _kind():
    """Is implemented by literals only where it has no other function."""


@overload(_kind)
def _kind_of_literals(x, n):
    if not isinstance(n, numba.types.IntegerLiteral):
        return None
    return (lambda x, n: x * x) if n.literal_value == 2 else (lambda x, n: x * n)


@numba.njit
def overload_of_literals(x):
    return _kind(x, 2) * _kind(x, 5)


@numba.njit
def polynomial(x, n):
    k = literally(n)
    total = x
    for i in range(3):
        total = total * x + i if k == 2 else total + x * i
    return total * k


@numba.njit
def two_literals_of_a_function(x):
    return polynomial(x, 2) * polynomial(x, 3) + polynomial(x, 2)


def differences(function, x):
    step = 1e-5
    return (function(x + step) - function(x - step)) / (2.0 * step)


@pytest.mark.parametrize(
    "function",
    [
        cube,
        two_orders,
        caller_of_passed_on,
        of_a_literal_in_a_loop,
        overload_of_literals,
        two_literals_of_a_function,
    ],
    ids=lambda function: function.py_func.__name__,
)
def test_derivatives_of_functions_of_literals(function):
    slope = differences(function, 1.3)
    value, gradient = fg.value_and_grad(function)(1.3)
    assert value == function(1.3)
    assert gradient == pytest.approx(slope, rel=1e-7)
    assert fg.jvp(function, (1.3,), (1.0,)) == pytest.approx((value, slope), rel=1e-7)
    curvature = differences(fg.grad(function), 1.3)
    assert fg.hessian(function)(1.3) == pytest.approx(curvature, rel=1e-6)


def test_literals_beside_arrays():
    @numba.njit
    def f(a):
        return (power(a, None, 3, "negative") * a).sum()

    a = np.array([1.3, 0.7])
    np.testing.assert_allclose(fg.grad(f)(a), -4.0 * a**3)


def test_a_number_that_no_function_passes_as_a_constant_is_refused():
    for derivative in (fg.grad(passed_on), fg.value_and_grad(passed_on)):
        with pytest.raises(DifferentiationError, match=r"test_literals.py:\d+: passed_on needs a literal for n"):
            derivative(1.3, 3, "plain")
    with pytest.raises(
        DifferentiationError, match=r"power needs a literal for \w+ .*function of njit passes a constant"
    ):
        fg.grad(power)(1.3, None, 2, "plain")


def test_a_large_function_of_literals_is_inlined_for_each(monkeypatch):
    monkeypatch.setattr(calls, "LARGE_CALLEE", 1)
    monkeypatch.setattr(calls, "LARGE_PROGRAM", 1)
    _, (gradient,) = value_and_gradients(two_literals_of_a_function, (1.3,), 1.0)
    assert gradient == pytest.approx(differences(two_literals_of_a_function, 1.3), rel=1e-7)
