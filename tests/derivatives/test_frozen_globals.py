"""A function with signatures has the values of globals and closures that Numba read when it was decorated."""

import numba

import fastgrad as fg

FACTOR = 2.0


@numba.njit("float64(float64)")
def scaled(x):
    return FACTOR * x * x


@numba.njit(["float64(float64)"])
def repeated(x):
    return x * FACTOR if x > 2.0 else repeated(x * 1.5)


caller = numba.njit(lambda x: scaled(x) * 1.5)


def closure(factor):
    @numba.njit("float64(float64)")
    def function(x):
        return factor * x * x

    def change(value):
        nonlocal factor
        factor = value

    return function, change


def test_a_global_that_changes_later_is_the_one_that_numba_compiled(monkeypatch):
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    assert fg.value_and_grad(scaled)(1.0) == (scaled(1.0), 4.0) == (2.0, 4.0)
    assert fg.value_and_grad(caller)(1.0) == (caller(1.0), 6.0)
    assert fg.value_and_grad(repeated)(1.0) == (repeated(1.0), 4.5)


def test_functions_that_froze_different_values_have_different_derivatives():
    slopes = []
    for factor in (3.0, 4.0):
        function, change = closure(factor)
        change(9.0)
        slopes.append(fg.grad(function)(1.0))
    assert slopes == [6.0, 8.0]
