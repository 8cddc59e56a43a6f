"""The error of an assignment to a slice of another shape in a function that a derivative calls."""

import numba
import numpy as np
import pytest

import fastgrad as fg


@pytest.mark.parametrize("shapes", [((2,), (3,)), ((2, 3), (0, 1 << 40)), ((3,), (2, 2))])
def test_the_message_is_that_of_numba(shapes):
    source, target = map(np.zeros, shapes)

    @numba.njit
    def assigned(x, target, source):
        copy = target.copy()
        copy[:] = source
        return x, None, None

    @numba.njit
    def function(x, target, source):
        return x * x

    @fg.adjoint(function)
    def _(cotangent, result, x, target, source):
        return assigned(cotangent, target, source)

    with pytest.raises(ValueError, match="cannot assign slice") as of_numba:
        assigned(1.0, target, source)
    for _ in range(2):
        with pytest.raises(ValueError, match="cannot assign slice") as error:
            fg.grad(function)(1.0, target, source)
        assert str(error.value) == str(of_numba.value)


def test_a_function_that_catches_the_error():
    @numba.njit
    def caught(x, target, source):
        try:
            target.copy()[:] = source
        except Exception:  # noqa: BLE001 - Numba takes no other
            return 3.0 * x, None, None
        return x, None, None

    @numba.njit
    def function(x, target, source):
        return x * x

    @fg.adjoint(function)
    def _(cotangent, result, x, target, source):
        return caught(cotangent, target, source)

    assert fg.grad(function)(1.0, np.zeros(2), np.zeros(3)) == 3.0
    assert fg.grad(function)(1.0, np.zeros(2), np.zeros(2)) == 1.0
