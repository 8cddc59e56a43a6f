"""Recorded calls: which derivatives are compared, and what the comparison says of each."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives import derivation
from fastgrad._src.derivatives.package_check.compare import compare_derivatives_of_call
from fastgrad._src.derivatives.package_check.record import Call, CallRecorder

X = np.linspace(0.2, 1.7, 9)


def outcome_of(function, *arguments, **keywords):
    return compare_derivatives_of_call(Call(numba.njit(function), arguments, keywords))


@numba.njit
def cube(x):
    return x**3


@fg.adjoint(cube)
def wrong_adjoint(cotangent, result, x):
    return 2.0 * x**2 * cotangent


def slope_of_wrong_adjoint(x, n):
    return cube(x) * n


slope_of_wrong_adjoint_in_numba = numba.njit(slope_of_wrong_adjoint)


@numba.njit
def fourth_power(x):
    return x**4


@fg.adjoint(fourth_power)
def wrong_adjoint_at_2_only(cotangent, result, x):
    if x != 2.0:
        raise ValueError("only at 2")
    return 30.0 * cotangent


def of_fourth_power(x):
    return fourth_power(x) * 1.0


def squares(x, y):
    for i in range(x.shape[0]):
        y[i] += x[i] ** 2


def complex_array_without_axes(x):
    total = np.zeros_like(x, dtype=np.complex128)
    total += np.exp(1j * x)
    return total


def raise_beyond_1(x):
    if x > 1.0:
        raise ValueError("beyond 1")
    return x


def of_a_dictionary(x):
    return {"a": np.array([x])}.get("a")[0] * x


@pytest.mark.parametrize(
    ("function", "arguments", "directions"),
    [
        (lambda x: 1.0 + 1e-25 * x, (0.7,), 1),  # changes by less than its rounding
        (lambda x, n: x**n, (1.5, 3), 1),
        (lambda x: x[2] * x[3], (X,), 7),
        (squares, (X[:4], np.ones(4)), 8),
        (lambda pair, none: (len(pair[1]), pair[0] * pair[1]), ((0.7, X[:3]), None), 4),
        (lambda f, x: f(x), (numba.njit(lambda x: x * x), 0.3), 1),
        (lambda x, how: x if how == "line" else x * x, (0.5, "square"), 1),
        (lambda *numbers: numbers[0] * numbers[1], (0.5, 0.6), 2),
        (lambda z: z * z, (0.3 + 0.4j,), 2),
        (lambda x: np.full_like(x, x), (0.3,), 1),
        (complex_array_without_axes, (0.3,), 1),
    ],
)
def test_a_right_derivative(function, arguments, directions):
    assert outcome_of(function, *arguments) == ("right", "", {"right": directions})


def sign_by_square_root(x):
    w = x * x * 0.3 + x * 0.7
    return w / np.sqrt(w * w)


@pytest.mark.parametrize("x", [0.6406779661016948, 0.935593220338983, 1.1813559322033897, 1.771186440677966])
def test_a_rounding_of_reverse_mode_where_the_terms_of_forward_mode_cancel_is_right(x):
    assert outcome_of(sign_by_square_root, x) == ("right", "", {"right": 1})


def test_keyword_arguments():
    assert outcome_of(lambda x, a=2.0, b=3.0: x * a * b, 0.5, b=0.7).directions == {"right": 3}


def test_a_wrong_derivative_disagrees_and_has_the_three_numbers():
    status, reason, _ = outcome_of(slope_of_wrong_adjoint, 2.0, 1)
    assert status == "disagrees"
    assert "by x: reverse mode 8.0" in reason
    assert "central differences 12.0" in reason or "central differences 11.99" in reason


@pytest.mark.parametrize(("function", "x"), [(lambda x: math.floor(x) * x, 2.0), (lambda x: max(x, 0.0), 0.0)])
def test_a_kink_or_a_jump_is_not_smooth(function, x):
    assert outcome_of(function, x).status == "not smooth"


def test_a_refused_construct_has_its_line_and_reason():
    status, reason, _ = outcome_of(of_a_dictionary, 2.0)
    assert status == "refused"
    assert f"{__file__}:{of_a_dictionary.__code__.co_firstlineno + 1}" in reason
    assert "dictionary" in reason


@pytest.mark.parametrize(
    ("function", "arguments", "reason"),
    [
        (lambda n: n + 1, (2,), "takes no floats"),
        (lambda x: x > 1.0, (0.5,), "neither returns nor writes floats"),
        (raise_beyond_1, (2.0,), "the call raises ValueError: beyond 1"),
    ],
)
def test_a_call_without_derivatives_is_skipped(function, arguments, reason):
    status, text, _ = outcome_of(function, *arguments)
    assert (status, text) == ("skipped", reason)


def test_arguments_stay_as_they_were_recorded():
    x, y = X.copy(), np.zeros(9)
    outcome_of(squares, x, y)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, 0.0)


def test_calls_are_recorded_with_the_arguments_from_before_them():
    recorder = CallRecorder(__name__, limit=2)
    compiled, x, y = numba.njit(squares), X.copy(), np.zeros(9)
    with recorder.recording():
        for _ in range(4):
            compiled(x, y)
    compiled(x, y)
    ((_, first, _), (_, second, _)) = recorder.calls[squares.__code__]
    np.testing.assert_array_equal(first[1], 0.0)
    np.testing.assert_array_equal(second[1], X**2)


def test_a_call_of_a_vectorized_function_is_recorded():
    squared = numba.vectorize(lambda x, n: x**n)
    recorder = CallRecorder(__name__, limit=1)
    with recorder.recording():
        squared(X[:3], 2)
    ((call,),) = recorder.calls.values()
    assert compare_derivatives_of_call(call) == ("right", "", {"right": 3})


def test_other_packages_are_not_recorded():
    recorder = CallRecorder("test", limit=1)
    with recorder.recording():
        numba.njit(lambda x: x)(1.0)
    assert recorder.calls == {}


def test_calls_of_compiled_functions_are_recorded():
    inner = numba.njit(lambda x: x * x)
    outer = numba.njit(lambda x: inner(x) + inner(2.0 * x))
    recorder = CallRecorder(__name__, limit=2)
    with recorder.recording():
        outer(1.0)
    recorder.record_inner_calls()
    assert [call.arguments for call in recorder.calls[inner.py_func.__code__]] == [(1.0,), (2.0,)]


def test_a_function_that_raises_a_step_away_is_not_smooth():
    def f(x):
        if x != 0.5:
            raise RuntimeError("only 0.5")
        return x

    assert outcome_of(f, 0.5).status == "not smooth"


def test_a_result_whose_shape_changes_a_step_away_is_not_smooth():
    def distinct(x):
        return np.unique(x) * 2.0

    assert outcome_of(distinct, np.array([1.0, 1.0, 2.0])).directions == {"not smooth": 2, "right": 1}
    assert outcome_of(distinct, np.array([1.0, 3.0, 2.0])).status == "right"
    with pytest.raises(ValueError, match=r"check_gradients: results have the shapes \[\(2,\)\].*they have \[\(3,\)\]"):
        fg.check_gradients(distinct, np.array([1.0, 1.0, 2.0]))


def test_a_defect_beside_a_disagreement_is_a_failure():
    def defect(*_):
        raise NameError("name 'x' is not defined")

    call = Call(slope_of_wrong_adjoint_in_numba, (2.0, 1), {})
    assert compare_derivatives_of_call(call, defect) == ("failed", "NameError: name 'x' is not defined", {})


def test_a_derivative_that_raises_where_the_function_does_not_is_a_failure():
    assert outcome_of(of_fourth_power, 2.0) == ("failed", "ValueError: only at 2", {})


def test_a_function_that_forward_mode_refuses_is_refused(monkeypatch):
    def refuse(*_):
        raise DifferentiationError("no tangents")

    monkeypatch.setattr(derivation, "forward_mode", refuse)
    assert outcome_of(lambda x: x * 2.0, 0.7) == ("refused", "no tangents", {})


def test_a_function_that_raises_beside_a_disagreement_keeps_its_status():
    def f(x):
        if abs(x - 2.0) > 0.05:  # differences do not go so far, the search for a reason does
            raise RuntimeError("not near 2")
        return slope_of_wrong_adjoint_in_numba(x, 1)

    assert outcome_of(f, 2.0).status == "disagrees"
