"""The error of an assignment to a slice of another shape in a function that a derivative calls."""

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives.codegen.shape_errors import REPLACEMENTS
from tests.kernels.process import run_python


def square_with_adjoint(adjoint):
    """Returns a function of a number and two arrays whose adjoint is a compiled function of the cotangent and the arrays."""

    @numba.njit
    def function(x, target, source):
        return x * x

    @fg.adjoint(function)
    def _(cotangent, result, x, target, source):
        return adjoint(cotangent, target, source)

    return function


@pytest.mark.parametrize("shapes", [((2,), (3,)), ((2, 3), (0, 1 << 40)), ((3,), (2, 2))])
def test_the_message_is_that_of_numba(shapes):
    source, target = map(np.zeros, shapes)

    @numba.njit
    def assigned(x, target, source):
        copy = target.copy()
        copy[:] = source
        return x, None, None

    function = square_with_adjoint(assigned)
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

    function = square_with_adjoint(caught)
    assert fg.grad(function)(1.0, np.zeros(2), np.zeros(3)) == 3.0
    assert fg.grad(function)(1.0, np.zeros(2), np.zeros(2)) == 1.0


MODULES_OF_CALLEES = """
import numba
import numpy as np
import fastgrad as fg
from fastgrad._src.derivatives.codegen import inferred_overloads

run = inferred_overloads._run_compiler
def noted(pipeline, dispatcher, *arguments):
    print(dispatcher.py_func.__module__)
    return run(pipeline, dispatcher, *arguments)
inferred_overloads._run_compiler = noted

def adjoint(cotangent, result, x):
    copy = np.zeros((3, x.size))
    copy[:] = x
    return copy[0] * cotangent

@numba.njit
def function(x):
    return np.sum(x)

fg.adjoint(function)(adjoint)
fg.grad(function)(np.ones(2))
"""


def test_derivatives_have_no_code_of_the_text(tmp_path):
    """In a process of its own, as Numba keeps what other derivatives have called."""
    assert len(REPLACEMENTS) == 1  # Numba has the function under this name
    finished = run_python("-c", MODULES_OF_CALLEES, FASTGRAD_CACHE_DIR=str(tmp_path))
    assert finished.returncode == 0, finished.stderr
    modules = finished.stdout.split()
    assert "numba.np.arrayobj" in modules
    assert "numba.cpython.unicode" not in modules
