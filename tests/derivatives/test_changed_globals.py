"""Values that a function and its callees read from outside: each call of a transform has those of its time."""

from types import ModuleType

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives.transform_cache import PreparedPullback

FACTOR = 2.0
FACTORS = np.array([2.0, 1.0])
COUNT = 2
settings = ModuleType("settings_of_users")


def change_to(value):
    global FACTOR, COUNT
    FACTOR, COUNT, FACTORS[0], settings.factor = float(value), value, value, float(value)


def of_global():
    inner = numba.njit(lambda x: x * FACTOR)
    return inner, numba.njit(lambda x: inner(x) * x)


def of_own_global():
    inner = numba.njit(lambda x: x * 1.0)
    return inner, numba.njit(lambda x: inner(x) * x * FACTOR)


def of_element():
    inner = numba.njit(lambda x: x * FACTORS[0])
    return inner, numba.njit(lambda x: inner(x) * x)


def of_callee_of_callee():
    inner = numba.njit(lambda x: x * FACTOR)
    middle = numba.njit(lambda x: inner(x) * 1.0)
    return middle, numba.njit(lambda x: middle(x) * x)


def of_ufunc():
    inner = numba.vectorize(lambda x: x * FACTOR)
    return inner, numba.njit(lambda x: inner(x) * x)


def of_derivative():
    inner = fg.grad(numba.njit(lambda x: 0.5 * x * x * FACTOR))
    return inner, numba.njit(lambda x: inner(x) * x)


def of_module():
    inner = numba.njit(lambda x: x * settings.factor)
    return inner, numba.njit(lambda x: inner(x) * x)


def of_threads():
    @numba.njit(parallel=True)
    def inner(x):
        total = 0.0
        for _ in numba.prange(COUNT):
            total += x
        return total

    return inner, numba.njit(lambda x: inner(x) * x)


CASES = [of_global, of_own_global, of_element, of_callee_of_callee, of_ufunc, of_derivative, of_module, of_threads]


def results(f):
    value, pullback = fg.vjp(f, 3.0)
    return (value, *pullback(1.0)), fg.value_and_grad(f)(3.0), fg.jvp(f, (3.0,), (1.0,))


@pytest.mark.parametrize("compiled", ["vjp", "function", "callee"])
@pytest.mark.parametrize("case", CASES)
def test_every_transform_has_the_values_of_its_call(case, compiled):
    change_to(2)
    inner, f = case()
    if compiled == "vjp":
        assert results(f) == ((18.0, 12.0),) * 3
    elif compiled == "function":
        f(3.0)
    else:
        inner(3.0)
    change_to(5)
    assert results(f) == ((45.0, 30.0),) * 3


@pytest.mark.parametrize("case", CASES)
def test_a_pullback_has_the_values_of_its_result(case):
    change_to(2)
    _, f = case()
    value, pullback = fg.vjp(f, 3.0)
    change_to(5)
    assert (value, *pullback(1.0)) == (18.0, 12.0)


def test_a_replaced_callee_is_the_new_one():
    inner = numba.njit(lambda x: x * 2.0)
    f = numba.njit(lambda x: inner(x) * x)
    assert f(3.0) == 18.0
    inner = numba.njit(lambda x: x * 5.0)
    assert results(f) == ((45.0, 30.0),) * 3


def test_copies_of_functions_keep_their_threads():
    change_to(2)
    inner, _ = of_threads()
    inner(3.0)
    call, values = PreparedPullback.of(inner, (3.0,), {})
    assert call.run(values)[0] == 6.0
    assert call._compiled is not inner
    assert call._compiled.targetoptions["parallel"]
