"""Users' functions become functions that kernels can call, with the values that their globals have then."""

import math

import numba
import numpy as np
import pytest

from fastgrad._src.jit.body import fingerprint, is_scalar_function
from fastgrad._src.jit.user_function import kernel_function, python_function

SHARE = 0.25


@numba.njit
def square(x):
    return x * x


def root_of_share(x):
    return math.sqrt(square(x) * SHARE) + np.float32(0)


def calls_itself(x):
    return calls_itself(x - 1) if x > 0 else x


def with_default(x, y=1.0):
    return x + y


def with_array(x):
    return x * ARRAY[0]


ARRAY = np.ones(3)


def test_functions_that_are_called_are_copied_too():
    copy = kernel_function(root_of_share, "test")
    assert is_scalar_function(copy)
    assert is_scalar_function(copy.__globals__["square"])
    assert copy.__globals__["square"].__code__ is square.py_func.__code__
    assert copy(3.0) == 1.5


def test_globals_are_those_of_the_declaration(monkeypatch):
    before = kernel_function(root_of_share, "test")
    monkeypatch.setitem(globals(), "SHARE", 1.0)
    after = kernel_function(root_of_share, "test")
    assert (before(3.0), after(3.0)) == (1.5, 3.0)
    assert fingerprint(before) != fingerprint(after)


def test_functions_of_equal_code_keep_globals_of_their_own():
    source = "def scaled(x):\n    return FACTOR * x\n"
    twice, thrice = {"FACTOR": 2.0}, {"FACTOR": 3.0}
    exec(source, twice)
    exec(source, thrice)
    assert twice["scaled"].__code__ == thrice["scaled"].__code__
    copies = []
    for last in (twice, thrice):
        scope = {"first": twice["scaled"], "second": thrice["scaled"], "third": last["scaled"]}
        exec("def total(x):\n    return first(x) + second(x) + 10.0 * third(x)\n", scope)
        copies.append(kernel_function(scope["total"], "test"))
    assert [copy(1.0) for copy in copies] == [25.0, 35.0]
    assert len(set(map(fingerprint, copies))) == 2


def test_the_python_function_of_what_numba_has_compiled():
    assert python_function(square) is square.py_func
    assert python_function(root_of_share) is root_of_share
    assert python_function(3) is None


def test_a_function_may_call_itself_in_its_copy():
    copy = kernel_function(calls_itself, "test")
    assert copy.__globals__["calls_itself"] is copy


def test_what_kernels_can_not_use_is_refused():
    def inner(x):
        return x * share

    share = 2.0
    with pytest.raises(TypeError, match="owner: inner .* uses share of an enclosing function"):
        kernel_function(inner, "owner")
    with pytest.raises(TypeError, match="owner: with_default .* has default values"):
        kernel_function(with_default, "owner")
    with pytest.raises(TypeError, match="owner: it uses the global ARRAY = "):
        kernel_function(with_array, "owner")
    with pytest.raises(
        TypeError, match="owner: expected a Python function or a function compiled by numba.njit, got 3"
    ):
        kernel_function(3, "owner")
