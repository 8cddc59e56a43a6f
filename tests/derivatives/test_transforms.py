"""The interface of derivatives of functions that Numba compiles."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

import fastgrad as fg
from fastgrad._src.derivatives import transform_cache
from fastgrad.errors import DifferentiationError
from tests.derivatives.cases import PROGRAMS, REFUSED_TODAY, RIGHT
from tests.derivatives.interpreted import array_positions, several_tangents


@numba.njit
def loss(w, x, scale=2.0):
    total = 0.0
    for i in range(len(w)):
        total += math.sin(w[i] * x) * scale
    return total


W = np.array([0.5, -1.0, 2.0])


def slopes(scale=2.0):
    """The gradients of ``loss`` at W and 0.7."""
    return np.cos(W * 0.7) * 0.7 * scale, float(np.sum(np.cos(W * 0.7) * W) * scale)


# ---- argnums, has_aux, default values ------------------------------------------------------------------------


def test_one_argnum_gives_one_gradient_and_several_a_tuple():
    of_w, of_x = slopes()
    np.testing.assert_allclose(fg.grad(loss)(W, 0.7), of_w)
    assert fg.grad(loss, 1)(W, 0.7) == pytest.approx(of_x)
    assert fg.grad(loss, -2)(W, 0.7) == pytest.approx(of_x)
    value, gradients = fg.value_and_grad(loss, (1, 0))(W, 0.7)
    assert value == pytest.approx(loss(W, 0.7))
    assert gradients[0] == pytest.approx(of_x)
    np.testing.assert_allclose(gradients[1], of_w)
    assert isinstance(fg.grad(loss, (0,))(W, 0.7), tuple)


@pytest.mark.parametrize("argnums", [3, -4, (0, 0), (0, -3), (), True, (0, 5), (1.0,)])
def test_argnums_that_are_no_parameters_are_errors(argnums):
    with pytest.raises(ValueError, match=r"argnums is .*use (numbers from 0 to 2|different numbers)"):
        fg.value_and_grad(loss, argnums)


def test_default_values_are_taken():
    np.testing.assert_allclose(fg.grad(loss)(W, 0.7, 3.0), slopes(3.0)[0])
    np.testing.assert_allclose(fg.grad(loss)(W, 0.7, scale=3.0), slopes(3.0)[0])
    assert fg.hessian(loss)(W, 0.7).shape == (3, 3)


@numba.njit
def weighted_sum(w, scale=2.0, *parts):
    total = w[0] * scale
    for part in parts:
        total = total * part + w[1] ** 2
    return total


scaled = numba.njit(lambda w, scale=2.0, *parts: w[0] * scale * (1 + len(parts)))


def weighted_sum_of_three(w, scale, first, second):
    return weighted_sum(w, scale, first, second)


def python_sum(*numbers):
    return numbers[0] ** 2 * numbers[-1]


def test_a_function_with_any_number_of_arguments_has_the_derivatives_of_one_with_so_many():
    arguments = W[:2], 3.0, 0.7, -1.3
    same = weighted_sum_of_three
    value, gradients = fg.value_and_grad(weighted_sum, (0, 2, -1))(*arguments)
    expected, right = fg.value_and_grad(same, (0, 2, 3))(*arguments)
    assert value == pytest.approx(expected)
    for found, part in zip(gradients, right, strict=True):
        np.testing.assert_allclose(found, part)
    np.testing.assert_allclose(fg.grad(scaled)(W[:2]), [2.0, 0.0])
    np.testing.assert_allclose(fg.grad(scaled)(W[:2], scale=5.0), [5.0, 0.0])
    np.testing.assert_allclose(fg.grad(scaled)(W[:2], 5.0, 1.0), [10.0, 0.0])
    np.testing.assert_allclose(fg.hessian(weighted_sum)(*arguments), fg.hessian(same)(*arguments))
    np.testing.assert_allclose(fg.jacobian(weighted_sum, 3)(*arguments), fg.jacobian(same, 3)(*arguments))
    np.testing.assert_allclose(fg.hvp(weighted_sum)(*arguments, W[1:]), fg.hvp(same)(*arguments, W[1:]))
    assert fg.jvp(weighted_sum, argnums=(0, 3))(*arguments, W[1:], 0.4)[1] == pytest.approx(
        fg.jvp(same, argnums=(0, 3))(*arguments, W[1:], 0.4)[1]
    )
    tangents = W[1:], 0.1, 0.2, 0.3
    assert fg.jvp(weighted_sum, arguments, tangents) == pytest.approx(fg.jvp(same, arguments, tangents))
    cotangents = fg.vjp(weighted_sum, *arguments)[1](1.5)
    for found, part in zip(cotangents, fg.vjp(same, *arguments)[1](1.5), strict=True):
        np.testing.assert_allclose(found, part)
    fg.check_gradients(weighted_sum, *arguments)
    assert fg.grad(python_sum, (0, 1))(3.0, 2.0) == pytest.approx((12.0, 9.0))
    assert fg.grad(python_sum, 2)(3.0, 2.0, 5.0) == pytest.approx(9.0)
    with pytest.raises(ValueError, match="argnums is 4, but weighted_sum has 2 parameters"):
        fg.grad(weighted_sum, 4)(W, 2.0)


def dictionary_in_a_function_with_any_number(x, *rest):
    return {1: {2: x}}[1][2]


def test_a_refusal_of_a_function_with_any_number_of_arguments_has_its_line():
    with pytest.raises(DifferentiationError, match=r"test_transforms.py:\d+: "):
        fg.grad(dictionary_in_a_function_with_any_number)(1.0, 2.0)


@numba.njit
def views_that_a_loop_moves(x):
    v = x[1:]
    for _ in range(3):
        v[0] = v[0] * v[-1]
        if len(v) > 1:
            v = v[1:]
    return x.sum()


def test_a_refusal_of_a_second_derivative_has_the_users_line():
    line = views_that_a_loop_moves.py_func.__code__.co_firstlineno + 4
    with pytest.raises(DifferentiationError, match=rf"test_transforms\.py:{line}: .*copy the array"):
        fg.hvp(views_that_a_loop_moves)(np.arange(1.0, 6.0), np.ones(5))


def selected_power(x, places, n, name):
    return x[places] ** n if name == "power" else x[places] * 2.0


def test_arguments_without_derivatives_have_no_tangents_and_cotangents():
    places, x = np.array([2, 0]), W + 2.0
    arguments, direction = (x, places, 3, "power"), np.array([1.0, 2.0, 3.0])
    right = 3.0 * x[places] ** 2 * direction[places]
    for tangents in ((direction, None, None, None), (direction, np.zeros(2, np.int64), 0, None)):
        np.testing.assert_allclose(fg.jvp(selected_power, arguments, tangents)[1], right)
    with pytest.raises(DifferentiationError, match="which has no derivative"):
        fg.jvp(selected_power, arguments, (direction, None, 1, None))
    of_x, *others = fg.vjp(selected_power, *arguments)[1](np.array([1.0, -1.0]))
    assert others == [None, None, None]
    expected = np.zeros(3)
    expected[places] = 3.0 * x[places] ** 2 * [1.0, -1.0]
    np.testing.assert_allclose(of_x, expected)
    of_x, none = fg.vjp(selected_power, x, places, name="power", n=2)[1](np.ones(2))
    np.testing.assert_allclose(of_x, [2.0 * x[0], 0.0, 2.0 * x[2]])
    assert none is None


@numba.njit
def applied(function, x, power, offset, unread):
    y = function(x) ** power
    return y if offset is None else y + offset


def test_functions_none_and_lists_of_integers_have_no_tangents_and_cotangents():
    sine, x = numba.njit(lambda x: math.sin(1.0 * x)), 0.7
    numbers = numba.typed.List([1, 2])
    arguments, slope = (sine, x, 2, None, numbers), math.sin(1.4)
    assert fg.grad(applied, 1)(*arguments) == pytest.approx(slope)
    cotangents = fg.vjp(applied, *arguments)[1](2.0)
    assert cotangents == (None, pytest.approx(2.0 * slope), None, None, None)
    assert fg.jvp(applied, arguments, (None, 3.0, 0, None, None))[1] == pytest.approx(3.0 * slope)
    assert fg.jvp(applied, argnums=1)(*arguments, 3.0)[1] == pytest.approx(3.0 * slope)
    assert fg.hvp(applied, 1)(*arguments, 3.0) == pytest.approx(6.0 * math.cos(1.4))
    with pytest.raises(DifferentiationError, match=r"argument unread of applied .*List.*no derivative.*Pass None"):
        fg.jvp(applied, arguments, (None, 3.0, 0, None, numbers))


class Parameters(NamedTuple):
    weights: np.ndarray
    rate: float
    count: int
    inner: tuple


def of_parameters(p, x):
    total = p.rate**2 * x
    for _ in range(p.count):
        total = math.sin(total) + np.sum(p.weights**3) * p.inner[0].real * p.inner[0].imag + p.inner[1][0]
    return total * p.inner[0].real


POINT = Parameters(np.array([0.3, -0.2, 0.5]), 1.1, 2, (0.4 - 0.3j, (0.2, 3)))
DIRECTION = Parameters(np.array([1.0, 0.5, -2.0]), 0.7, None, (0.2 + 0.1j, (-1.5, None)))


def moved(step):
    (z, (a, n)), (dz, (da, _)) = POINT.inner, DIRECTION.inner
    inner = (z + step * dz, (a + step * da, n))
    return Parameters(POINT.weights + step * DIRECTION.weights, POINT.rate + step * DIRECTION.rate, 2, inner)


def test_tangents_of_tuples_are_tuples():
    f, step = numba.njit(of_parameters), 1e-6
    slope = (f(moved(step), 0.9) - f(moved(-step), 0.9)) / (2 * step)
    assert fg.jvp(f, (POINT, 0.9), (DIRECTION, 0.0)) == pytest.approx((f(POINT, 0.9), slope))
    assert fg.jvp(f)(POINT, 0.9, DIRECTION)[1] == pytest.approx(slope)
    assert fg.jvp(f)(POINT, 0.9, tuple(DIRECTION))[1] == pytest.approx(slope)
    zeros = DIRECTION._replace(count=0)
    assert fg.jvp(f, (POINT, 0.9), (zeros, 0.0))[1] == pytest.approx(slope)
    gradient = fg.vjp(f, POINT, 0.9)[1](1.0)[0]
    product = np.sum(gradient[0] * DIRECTION.weights) + gradient[1] * DIRECTION.rate
    of_complex, of_float = gradient[3][0], gradient[3][1][0]
    product += np.vdot(of_complex, DIRECTION.inner[0]).real + of_float * DIRECTION.inner[1][0]
    assert product == pytest.approx(slope)

    called = numba.njit(lambda p, direction, x: tangent(p, x, direction)[1])
    tangent = fg.jvp(f)
    assert called(POINT, DIRECTION, 0.9) == pytest.approx(slope)
    by_x = (called(POINT, DIRECTION, 0.9 + step) - called(POINT, DIRECTION, 0.9 - step)) / (2 * step)
    assert fg.grad(called, 2)(POINT, DIRECTION, 0.9) == pytest.approx(by_x)


def test_products_of_the_hessian_and_a_tuple_are_tuples():
    f, step = numba.njit(of_parameters), 1e-6
    found = fg.hvp(f)(POINT, 0.9, DIRECTION)
    more, less = [fg.grad(f)(moved(sign * step), 0.9) for sign in (1, -1)]

    def check(found, more, less):
        if found is None:
            assert more is None
        elif isinstance(found, tuple):
            for parts in zip(found, more, less, strict=True):
                check(*parts)
        else:
            np.testing.assert_allclose(found, (more - less) / (2 * step), rtol=1e-7)

    check(found, more, less)


@pytest.mark.parametrize(
    ("direction", "message"),
    [
        (DIRECTION[:3], "the tangent of p .*Pass a tuple of so many items"),
        (1.0, "the tangent of p .*Pass a tuple of so many items"),
        (DIRECTION._replace(count=1), "item .*p of of_parameters is of type int64.* no derivative.*Pass None"),
        (DIRECTION._replace(rate=None), "item 1 of the tangent of p of of_parameters is of type none"),
        (DIRECTION._replace(inner=(0.1j, 1.0)), "item 1 of item 3 of the tangent of p .*Pass a tuple"),
        (NamedTuple("Other", [("a", int), ("b", int), ("c", int), ("d", int)])(*DIRECTION), "Pass a tuple"),
    ],
)
def test_tangents_of_tuples_have_their_structure(direction, message):
    for call in (
        lambda: fg.jvp(of_parameters, (POINT, 0.9), (direction, 0.0)),
        lambda: fg.jvp(of_parameters)(POINT, 0.9, direction),
        lambda: fg.hvp(of_parameters)(POINT, 0.9, direction),
    ):
        with pytest.raises(DifferentiationError, match=message):
            call()


def test_tangents_of_arrays_in_tuples_have_their_shapes():
    direction = DIRECTION._replace(weights=np.ones(2))
    with pytest.raises(ValueError, match="the tangent of p has another shape"):
        fg.jvp(of_parameters, (POINT, 0.9), (direction, 0.0))
    with pytest.raises(TypeError, match="a real number or array has no complex tangent"):
        fg.jvp(of_parameters, (POINT, 0.9), (DIRECTION._replace(rate=1j), 0.0))


SCALE = 2.0


def scaled_by_a_global(x, more=1.0):
    return x * x * SCALE * more


def noisy(x):
    x[0] = x[0] * np.random.normal()
    return x * x


def test_later_calls_prepare_nothing_and_notice_what_has_changed(monkeypatch):
    def check(more=1.0):
        scale, (result, pullback) = SCALE * more, fg.vjp(scaled_by_a_global, 3.0)
        assert result == pytest.approx(9.0 * scale)
        assert pullback(1.0) == (pytest.approx(6.0 * scale),)
        assert fg.jvp(scaled_by_a_global, (3.0,), (0.5,)) == pytest.approx((9.0 * scale, 3.0 * scale))

    check()
    with monkeypatch.context() as patch:
        for name in ("Snapshot", "bind_arguments", "wrapped_function", "type_of"):
            patch.setattr(transform_cache, name, None)
        check()
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    check()
    monkeypatch.setattr(scaled_by_a_global, "__defaults__", (3.0,))
    check(3.0)
    assert fg.vjp(scaled_by_a_global, 3.0, more=2.0)[1](1.0) == (pytest.approx(60.0),)
    assert fg.vjp(scaled_by_a_global, np.float32(3.0))[1](1.0) == (pytest.approx(90.0),)


def test_calls_notice_changed_elements_of_arrays_and_changed_globals_of_compiled_functions(monkeypatch):
    factors, pair = np.array([1.0, 2.0]), (np.array([1.0]), 3.0)

    def scaled_by_arrays(x):
        return x * x * factors[0] * factors[1] + pair[0][0] * x

    @numba.njit
    def compiled(x):
        return x * x * SCALE + factors[0] * x

    def check(function, value, slope):
        result, pullback = fg.vjp(function, 3.0)
        np.testing.assert_equal((result, pullback(1.0)), (value, (slope,)))
        np.testing.assert_equal(fg.jvp(function, (3.0,), (1.0,)), (value, slope))
        np.testing.assert_equal(fg.value_and_grad(function)(3.0), (value, slope))

    check(scaled_by_arrays, 21.0, 13.0)
    check(compiled, 21.0, 13.0)
    factors[0] = 5.0
    check(scaled_by_arrays, 93.0, 61.0)
    check(compiled, 33.0, 17.0)
    monkeypatch.setitem(globals(), "SCALE", 4.0)
    check(compiled, 51.0, 29.0)
    pair[0][0] = math.nan
    check(scaled_by_arrays, math.nan, math.nan)
    first = transform_cache._function_of(scaled_by_arrays, "vjp")
    assert transform_cache._function_of(scaled_by_arrays, "vjp") is first  # NaN is no change


def test_pullbacks_have_the_arguments_and_random_draws_of_their_call():
    x = np.array([1.0, 2.0])
    for _ in range(2):
        result, pullback = fg.vjp(noisy, x)
        factor = result[0] / x[0] ** 2
        expected = [2.0 * x[0] * factor, 2.0 * x[1]]
        x[:] += 1.0  # neither the function nor the caller changes the copy that the pullback has
        for _ in range(2):
            np.testing.assert_allclose(pullback(np.ones(2))[0], expected)


def test_calls_check_cotangents_that_do_not_fit():
    pullback = fg.vjp(field, X)[1]
    for _ in range(2):
        np.testing.assert_allclose(pullback(np.ones(2))[0], JACOBIAN.sum(axis=0))
        np.testing.assert_allclose(pullback(np.ones(2, np.float32))[0], JACOBIAN.sum(axis=0))
        np.testing.assert_allclose(pullback(np.ones(2, np.int64))[0], JACOBIAN.sum(axis=0))
        with pytest.raises(ValueError, match="a cotangent has the shape"):
            pullback(np.ones((2, 1)))
        with pytest.raises(TypeError, match="a real number or array has no complex tangent or cotangent"):
            pullback(np.ones(2) * 1j)
        with pytest.raises(ValueError, match="2 cotangents for 1 results"):
            pullback((np.ones(2), np.ones(2)))


def written_first(x, y):
    x[0] = y[0]
    return x * y


def test_later_calls_find_shared_memory():
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(fg.vjp(written_first, x[:2], x[2:])[0], [9.0, 6.0])
    with pytest.raises(ValueError, match=r"vjp: .*x.* y.*shar"):
        fg.vjp(written_first, x[:2], x[1:])


def test_arrays_without_axes_are_taken_for_numbers():
    one = np.array(2.0)
    assert fg.jvp(loss, (W, 0.7), (W, one))[1] == pytest.approx(fg.jvp(loss, (W, 0.7), (W, 2.0))[1])
    of_w, of_x = fg.vjp(loss, W, 0.7)[1](one)
    np.testing.assert_allclose(of_w, 2.0 * slopes()[0])
    assert of_x == pytest.approx(2.0 * slopes()[1])
    assert fg.jvp(lambda x: x * x, (np.array(3.0),), (1.0,))[1] == pytest.approx(6.0)


def test_other_results_come_along():
    def f(x):
        return x * x, (x + 1.0, 7)

    assert fg.value_and_grad(f, has_aux=True)(3.0) == ((9.0, (4.0, 7)), 6.0)
    assert fg.grad(f, has_aux=True)(3.0) == (6.0, (4.0, 7))
    with pytest.raises(DifferentiationError, match=r"has_aux=True.*returns \(value, aux\)"):
        fg.grad(loss, has_aux=True)(W, 0.7)


# ---- wrong input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "type"),
    [
        (1, "int64"),
        (np.arange(3), "array.int64"),
        (np.array([None]), "pyobject"),
        ([1], "list"),
        ([(1.0, 2.0)], "list"),
    ],
)
def test_arguments_without_derivatives_are_refused_before_anything_is_compiled(argument, type):
    gradient = fg.grad(numba.njit(lambda x: x))
    with pytest.raises(DifferentiationError, match=rf"argument x .* is of type .*{type}"):
        gradient(argument)
    assert not gradient.signatures


def test_the_gradient_of_an_array_is_refused():
    with pytest.raises(DifferentiationError, match=r"the gradient of one float is defined.*use vjp, jvp or jacobian"):
        fg.grad(lambda x: 2.0 * x)(W)
    with pytest.raises(DifferentiationError, match="returns int64"):
        fg.grad(lambda x: len(x) + 1)(W)


class Square:
    def __call__(self, x):
        return x * x


def values(x):
    yield x


async def later(x):
    return x


def keyword_only(a, b=1.0, *, x):
    return a * b * x


@pytest.mark.parametrize(
    "function", [3, None, "f", Square, Square(), Square().__call__, math.sin, np.sin, numba.vectorize(lambda x: x)]
)
def test_what_is_no_function_is_refused(function):
    for transform in (fg.grad, fg.value_and_grad, fg.jacobian, fg.hessian, fg.hvp, fg.jvp, fg.check_gradients):
        with pytest.raises(
            TypeError, match=r"expected a Python function or one compiled by numba\.njit, got .*Write a function"
        ):
            transform(function)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (values, "values is a generator or a coroutine, which returns no value. Return one"),
        (numba.njit(values), "values is a generator"),
        (later, "later is a generator or a coroutine"),
        (lambda *values, **options: values[0], r"takes \*args.*Give each parameter a name"),
        (lambda x, **options: x, r"takes \*args, \*\*kwargs or"),
        (keyword_only, "keyword-only arguments"),
    ],
)
def test_functions_without_one_result_or_fixed_parameters_are_refused(function, message):
    with pytest.raises(TypeError, match=f"grad: .*{message}"):
        fg.grad(function)


def test_a_function_needs_no_source():
    scope = {}
    exec("f = lambda x: x * x", scope)
    assert fg.grad(scope["f"])(3.0) == 6.0


@pytest.mark.parametrize("argnums", ["w", None, 1.5, {0: 1}, np.array([0]), (None,)])
def test_argnums_of_other_types_are_errors(argnums):
    for transform in (fg.grad, fg.jacobian, fg.hessian, fg.hvp):
        with pytest.raises(ValueError, match=r": argnums is .*use numbers from 0 to 2"):
            transform(loss, argnums)


def test_argnums_may_be_numbers_of_numpy():
    assert fg.grad(loss, np.int64(1))(W, 0.7) == pytest.approx(slopes()[1])
    assert len(fg.grad(loss, [np.int32(0), 1])(W, 0.7)) == 2


def test_second_derivatives_take_one_argnum():
    for transform in (fg.hessian, fg.hvp):
        with pytest.raises(ValueError, match=r"argnums is \(0, 1\): use one number"):
            transform(loss, (0, 1))
    with pytest.raises(ValueError, match="has no parameters"):
        fg.grad(lambda: 1.0)


@pytest.mark.parametrize(
    ("argument", "type"),
    [("a", "unicode_type"), (None, "none"), (object(), "object"), ({1.0}, "set"), (np.ones(2, np.float16), "float16")],
)
def test_arguments_that_are_no_floats_are_refused(argument, type):
    calls = [fg.grad(loss), fg.jacobian(loss), fg.hessian(loss)]
    for call in calls:
        with pytest.raises(DifferentiationError, match=rf"argument w of loss is of type .*{type}.*no derivative. Pass"):
            call(argument, 0.7)
    if argument is not None:  # None is the tangent of None
        with pytest.raises(DifferentiationError, match="jvp: .*the argument w of loss is of type .*no derivative"):
            fg.jvp(loss, (argument, 0.7), (argument, 0.7))


@pytest.mark.parametrize("argument", [object(), np.ones(2, np.float16), 3])
def test_errors_of_calls_do_not_name_argnums(argument):
    for call in (lambda: fg.vjp(loss, argument, 1), lambda: fg.jvp(loss, (argument, 1), (argument, 1))):
        with pytest.raises(DifferentiationError, match=r"the argument w of loss is of type .* no derivative") as caught:
            call()
        assert "argnums" not in str(caught.value)


def test_other_arguments_that_numba_does_not_know_are_refused():
    with pytest.raises(DifferentiationError, match=r"argument x of loss is of type object, which Numba can't compile"):
        fg.grad(loss)(W, object())
    with pytest.raises(DifferentiationError, match="argument x of loss is of type array.pyobject"):
        fg.grad(loss)(W, np.array([None]))


class Series:
    """A class as that of pandas."""

    def to_numpy(self):
        return np.ones(2)


def test_objects_of_other_libraries_are_refused_with_their_conversion():
    def total(x):
        return x.sum()

    series = Series()
    calls = [
        lambda: fg.grad(total)(series),
        lambda: fg.vjp(total, series),
        lambda: fg.jvp(total, (series,), (series,)),
        lambda: fg.jacobian(total)(series),
    ]
    for call in calls:
        with pytest.raises(DifferentiationError, match=r"x of total is of type .*\.Series, .*Pass x\.to_numpy\(\)"):
            call()
    with pytest.raises(DifferentiationError, match=r"can't compile. Pass y\.to_numpy\(\)\.$"):
        fg.grad(lambda x, y: x * y.sum())(1.0, series)
    with pytest.raises(DifferentiationError, match=r"check_gradients: the argument x .* Pass x\.to_numpy\(\)\.$"):
        fg.check_gradients(total, series)
    with pytest.raises(DifferentiationError, match=r"Pass x\.numpy\(\)"):
        fg.grad(total)(fg.constant([1.0, 2.0]))


@pytest.mark.parametrize("direction", [1.0, "a", None, np.ones((3, 1)), np.ones(3, bool)])
def test_directions_of_other_types_are_refused(direction):
    with pytest.raises(DifferentiationError, match=r"jvp: the tangent of w of loss is of type .*Pass floats"):
        fg.jvp(loss)(W, 0.7, 2.0, direction)
    with pytest.raises(DifferentiationError, match=r"hvp: the tangent of w of loss is of type .*Pass floats"):
        fg.hvp(loss)(W, 0.7, 2.0, direction)


def test_calls_with_other_numbers_of_arguments_are_errors():
    with pytest.raises(TypeError, match=r"vjp: loss: missing a required argument: 'x'"):
        fg.vjp(loss, W)
    with pytest.raises(TypeError, match="vjp: loss: too many"):
        fg.vjp(loss, W, 0.7, 2.0, 3.0)
    with pytest.raises(TypeError, match="jvp: primals and tangents are tuples"):
        fg.jvp(loss, W, W)
    with pytest.raises(TypeError, match="enough arguments"):
        fg.grad(loss)(W)


@pytest.mark.parametrize("cotangent", ["a", None])
def test_cotangents_of_other_types_are_errors(cotangent):
    _, pullback = fg.vjp(loss, W, 0.7)
    with pytest.raises(TypeError, match=r"vjp: a cotangent is .*; pass a float or an array"):
        pullback(cotangent)


def test_results_without_matrices_are_refused():
    def pair(x):
        return x[0], x[1]

    for transform in (fg.hvp, lambda f: lambda x, _: fg.hessian(f)(x)):
        for function in (pair, lambda x: 2.0 * x):
            with pytest.raises(DifferentiationError, match=r"test_transforms\.py:.*returns .*one float is defined"):
                transform(function)(np.ones(2), np.ones(2))
    with pytest.raises(DifferentiationError, match="jacobian: pair returns .*; return a float or an array of floats"):
        fg.jacobian(pair)(np.ones(2))
    for function in (lambda x: "a", lambda x: None, lambda x: x > 1.0):
        with pytest.raises(DifferentiationError, match="grad: .* returns .*the gradient of one float is defined"):
            fg.grad(function)(1.0)


def test_a_refusal_has_file_and_line():
    def f(x):
        y = {1: {2: x}}
        return y[1][2]

    line = f.__code__.co_firstlineno + 1
    with pytest.raises(DifferentiationError, match=rf"test_transforms\.py:{line}: "):
        fg.grad(f)(1.0)


@pytest.mark.parametrize("none", [None, 0])
def test_results_without_derivatives_take_none_or_zero_as_cotangents(none):
    of_several_kinds = numba.njit(lambda x: ((x * x).sum(), x.argmax(), x > 1.0, "a text"))
    result, pullback = fg.vjp(of_several_kinds, X)
    assert result[3] == "a text"
    mask = None if none is None else np.zeros(X.shape)
    (cotangent,) = pullback((1.0, none, mask, none))
    np.testing.assert_array_equal(cotangent, 2.0 * X)


def test_a_text_that_is_one_of_several_is_refused_as_a_result():
    @numba.njit
    def with_name(x):
        name = "low"
        if x > 1.0:
            name = "high"
        return x * x, name

    with pytest.raises(
        DifferentiationError, match=r"\.py:\d+: with_name returns one of several texts.*return a number"
    ):
        fg.vjp(with_name, 2.0)[1]((1.0, None))


# ---- jvp, vjp, jacobian, hessian, hvp ----------------------------------------------------------------------------


@numba.njit
def field(x):
    y = np.empty(2)
    y[0] = x[0] * x[1] + x[2]
    y[1] = math.exp(x[0])
    return y


X = np.array([0.5, 2.0, -1.0])
JACOBIAN = np.array([[2.0, 0.5, 1.0], [math.exp(0.5), 0.0, 0.0]])


def test_the_transformations_agree():
    np.testing.assert_allclose(fg.jacobian(field)(X), JACOBIAN)
    t, g = np.array([1.0, 2.0, 3.0]), np.array([2.0, -1.0])
    value, tangent = fg.jvp(field, (X,), (t,))
    np.testing.assert_allclose(value, field(X))
    np.testing.assert_allclose(tangent, JACOBIAN @ t)
    np.testing.assert_allclose(fg.jvp(field)(X, t)[1], JACOBIAN @ t)
    value, pullback = fg.vjp(field, X)
    np.testing.assert_allclose(value, field(X))
    np.testing.assert_allclose(pullback(g)[0], g @ JACOBIAN)


def test_shapes_of_directions_are_checked():
    with pytest.raises(ValueError, match="shape"):
        fg.vjp(field, X)[1](np.ones(3))
    with pytest.raises(ValueError, match="tangent of x has another shape"):
        fg.jvp(field, (X,), (np.ones(2),))
    with pytest.raises(ValueError, match="need as many tangents"):
        fg.jvp(field, (X,), ())


def test_second_derivatives_of_arrays():
    hessian = np.diag(-np.sin(W * 0.7) * 0.49 * 2.0)
    np.testing.assert_allclose(fg.hessian(loss)(W, 0.7), hessian, atol=1e-15)
    np.testing.assert_allclose(fg.hvp(loss)(W, 0.7, 2.0, np.array([1.0, 2.0, 3.0])), hessian @ [1.0, 2.0, 3.0])


def test_matrices_of_numbers_and_of_no_elements():
    assert fg.jacobian(lambda x: x**3)(2.0) == 12.0
    assert fg.hessian(lambda x: x**3)(2.0) == 12.0
    assert fg.jacobian(lambda x: 2.0 * x)(np.ones(0)).shape == (0, 0)
    assert fg.hessian(lambda x: np.sum(x * x))(np.ones(0)).shape == (0, 0)


def test_gradients_of_gradients_of_numbers_go_to_any_order():
    def f(x, n):
        y = 1.0
        for _ in range(n):
            y *= x
        return y

    derivative = f
    for expected in (5 * 2.0**4, 20 * 2.0**3, 60 * 2.0**2, 120 * 2.0):
        derivative = fg.grad(derivative)
        assert derivative(2.0, 5) == pytest.approx(expected)


def test_a_function_that_calls_a_gradient_is_differentiated_or_refused():
    slope = fg.grad(numba.njit(lambda x: math.sin(1.0 * x)))

    @numba.njit
    def f(x):
        return x[0] * slope(x[1])

    np.testing.assert_allclose(fg.grad(f)(np.array([2.0, 0.5])), [math.cos(0.5), -2.0 * math.sin(0.5)])
    gradient = fg.grad(numba.njit(lambda w: np.sum(w**3)))

    g = numba.njit(lambda w: gradient(w)[0])
    assert g(W) == pytest.approx(3 * W[0] ** 2)
    np.testing.assert_allclose(fg.grad(g)(W), [6 * W[0], *[0.0] * (len(W) - 1)])
    curvature = fg.hvp(numba.njit(lambda w: np.sum(w**3)))

    @numba.njit
    def h(w):
        return curvature(w, w)[0]

    line = h.py_func.__code__.co_firstlineno + 2
    with pytest.raises(DifferentiationError, match=rf"test_transforms\.py:{line}: .*use fg\.hvp or fg\.hessian"):
        fg.grad(h)(W)


def test_forward_mode_of_a_function_that_writes_to_its_arguments():
    @numba.njit
    def f(out, x):
        out[0] = x[0] * x[1]
        x[0], x[1] = x[1], x[0]
        return out[0] + x[0] ** 2 + 3.0 * x[1]

    tangent = np.array([1.0, 2.0])
    _, slope = fg.jvp(f, argnums=1)(np.zeros(1), np.array([0.5, 0.7]), tangent)
    assert slope == pytest.approx((0.7 + 3.0) * 1.0 + (0.5 + 2 * 0.7) * 2.0)
    assert tangent.tolist() == [1.0, 2.0]


@numba.njit
def mixed(x, scale):
    result = np.empty((2, 2), x.dtype)
    work = x * scale
    for i in range(x.shape[0]):
        x[i, 0] = work[i, -1] * x[i, 0]  # the argument is written
    for i in range(2):
        for j in range(2):
            total = result.dtype.type(0.0)
            for k in range(x.shape[0]):
                total += np.sin(x[k, 0] + i) * work[k, j] if work[k, j] > 0.4 else x[k, 1]
            result[i, j] = total
    return result


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_the_columns_of_a_jacobian_are_directional_derivatives(rows, dtype):
    x = np.linspace(0.2, 0.9, 2 * rows).reshape(rows, 2).astype(dtype)
    before, scale = x.copy(), dtype(1.5)
    matrix, by_scale = fg.jacobian(mixed, argnums=(0, 1))(x, scale)
    np.testing.assert_array_equal(x, before)
    assert matrix.shape == (2, 2, rows, 2)
    assert matrix.dtype == dtype
    for index in np.ndindex(rows, 2):
        direction = np.zeros_like(x)
        direction[index] = 1.0
        column = fg.jvp(mixed, argnums=0)(x.copy(), scale, direction)[1]
        np.testing.assert_array_equal(matrix[(..., *index)], column)
    np.testing.assert_array_equal(by_scale, fg.jvp(mixed, argnums=1)(x.copy(), scale, dtype(1.0))[1])


@numba.njit
def power(x, n):
    return x * power(x, n - 1) if n > 1 else x


def test_a_jacobian_of_a_function_that_is_not_inlined():
    gradient = fg.grad(numba.njit(energy), argnums=0)

    @numba.njit
    def function(x, w):
        return gradient(x, w) * power(x[1], 3)

    x, w = np.array([0.4, -0.7, 1.1]), np.array([3.0, 1.5, 2.0])
    columns = [fg.jvp(function, argnums=0)(x, w, direction)[1] for direction in np.eye(3)]
    np.testing.assert_array_equal(fg.jacobian(function)(x, w), np.stack(columns, axis=1))


def transposed(x):
    scaled = x * np.sum(x)
    return scaled[::-1].T[1:]


def appended(x):
    values = [x[0, 0]]
    for i in range(9):
        values.append(values[i] * x[1, i % 2])
    return sum(values)


def exchanged(x):
    a, b = x * 2.0, x * x
    for i in range(3):
        a, b = b, np.sin(a) + i
    return a.reshape(4)


def solved(x):
    return np.linalg.solve(x, x[0] * 3.0) + np.linalg.det(x)


@pytest.mark.parametrize("function", [transposed, appended, exchanged, solved])
def test_several_tangents_of_a_run_are_those_of_one(function):
    x = np.array([[1.3, 0.4], [-0.2, 0.9]])
    columns = [fg.jvp(function, argnums=0)(x, direction.reshape(2, 2))[1] for direction in np.eye(4)]
    np.testing.assert_allclose(fg.jacobian(function)(x).reshape(-1, 4).T, np.reshape(columns, (4, -1)), rtol=1e-14)


@pytest.mark.parametrize("name", [name for name in dict(RIGHT) if name not in REFUSED_TODAY][::12])
def test_several_tangents_of_a_program_are_those_of_one(name):
    program = PROGRAMS[name]
    arguments, positions = program.cases[0], array_positions(program.cases[0])
    generator = np.random.default_rng(0)
    directions = [tuple(generator.normal(size=arguments[k].shape) for k in positions) for _ in range(3)]
    tangents = several_tangents(program.function, arguments, directions)
    for direction, tangent in zip(directions, tangents or (), strict=False):
        np.testing.assert_array_equal(several_tangents(program.function, arguments, [direction]), [tangent])


def energy(x, w):
    closest = np.inf
    for i in range(len(x)):
        closest = min(closest, w[i] * (x[i] * x[i] * x[0] - 0.5) ** 2)
    return closest + w[1] * math.sin(x[0]) * x[1]


def test_forward_mode_of_a_gradient_is_its_directional_derivative():
    compiled = numba.njit(energy)
    x, w, t = np.array([0.4, -0.7, 1.1]), np.array([3.0, 1.5, 2.0]), np.array([0.3, 1.0, -0.5])
    gradient = fg.grad(compiled)(x, w)
    step = 1e-6
    by_w = (fg.grad(compiled)(x, w + step * t) - fg.grad(compiled)(x, w - step * t)) / (2 * step)
    for argnums, directions, expected in [
        (0, (t,), fg.hvp(compiled)(x, w, t)),
        (1, (t,), by_w),  # x has no tangent, and the gradient is by x
        ((0, 1), (t, t), fg.hvp(compiled)(x, w, t) + by_w),
    ]:
        value, tangent = fg.jvp(fg.grad(compiled), argnums=argnums)(x, w, *directions)
        np.testing.assert_allclose(value, gradient, rtol=1e-13)
        np.testing.assert_allclose(tangent, expected, rtol=1e-8)
        values, tangents = fg.jvp(fg.value_and_grad(compiled), argnums=argnums)(x, w, *directions)
        _, slope = fg.jvp(compiled, argnums=argnums)(x, w, *directions)
        assert values[0] == compiled(x, w)
        assert tangents[0] == pytest.approx(slope)
        np.testing.assert_array_equal(values[1], value)
        np.testing.assert_array_equal(tangents[1], tangent)


# ---- compiled callers, threads, kinds of arrays -------------------------------------------------------------------


def test_compiled_functions_call_derivatives():
    both = fg.value_and_grad(loss)

    @numba.njit
    def descend(w, x):
        for _ in range(3):
            value, gradient = both(w, x, 2.0)
            w = w - 0.1 * gradient
        return value, w

    w = W
    for _ in range(3):
        value = loss(w, 0.7)
        w = w - 0.1 * np.cos(w * 0.7) * 0.7 * 2.0
    found = descend(W, 0.7)
    assert found[0] == pytest.approx(value)
    np.testing.assert_allclose(found[1], w)


@numba.njit
def derivatives_of(function, w, x):
    gradient, by_x = fg.grad(function, (0, 1))(w, x)
    value, same = fg.value_and_grad(loss, argnums=1)(w, x)
    (total, other), by_w = fg.value_and_grad(loss_and_size, has_aux=True)(w, x)
    rest = total - value, other
    tangent = fg.jvp(function, argnums=1)(w, x, 2.0)[1]
    both = fg.jvp(function, (w, x), (w, 3.0))
    return gradient, by_x, same, by_w, tangent, both, fg.hvp(function)(w, x, w), fg.jacobian(function)(w, x), rest


@numba.njit
def loss_and_size(w, x):
    return plain_loss(w, x) * 2.0, w.size


plain_loss = numba.njit(lambda w, x: np.sum(np.sin(w * x)))


def test_compiled_functions_call_transforms():
    of_w, of_x = slopes(1.0)
    gradient, by_x, same, by_w, tangent, both, product, jacobian, rest = derivatives_of(plain_loss, W, 0.7)
    np.testing.assert_allclose(gradient, of_w)
    np.testing.assert_allclose(by_w, 2.0 * of_w)
    np.testing.assert_allclose(jacobian, of_w)
    assert (by_x, same, tangent) == pytest.approx((of_x, 2.0 * of_x, 2.0 * of_x))
    assert both == pytest.approx((plain_loss(W, 0.7), of_w @ W + 3.0 * of_x))
    np.testing.assert_allclose(product, -np.sin(W * 0.7) * 0.49 * W)
    assert rest == (pytest.approx(0.0), 3)


@numba.njit
def waves(w, x):
    w *= x
    return np.sin(w), (w.sum(), x)


jittered = numba.njit(lambda w, x: np.sum(w) * x + np.random.random())


@numba.njit
def pulled_back(w, x, both):
    (y, _), pull = fg.vjp(waves, w, x)
    first = pull((2.0 * y, (1, 0.0)))
    _, pull_of_tuple = fg.vjp(of_tuple, both, 2)
    return first, pull((y, (0.0, 1.0))), pull_of_tuple(3.0)


of_tuple = numba.njit(lambda both, n: both[0].sum() ** n * both[1])


def test_compiled_functions_call_pullbacks():
    w = W.copy()
    _nrt_python.memsys_enable_stats()
    pulled_back(w, 0.7, (W, 0.5))
    before = rtsys.get_allocation_stats()
    (by_w, by_x), (again, by_x_again), ((by_items, by_number), nothing) = pulled_back(w, 0.7, (W, 0.5))
    (y, _), pull = fg.vjp(waves, w, 0.7)
    for found, expected in (((by_w, by_x), pull((2.0 * y, (1.0, 0.0)))), ((again, by_x_again), pull((y, (0.0, 1.0))))):
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1] == expected[1]
    np.testing.assert_allclose(by_items, np.full(W.size, 3.0 * W.sum()))
    assert (by_number, nothing) == (pytest.approx(3.0 * W.sum() ** 2), None)
    np.testing.assert_array_equal(w, W)
    del by_w, again, by_items, y, pull, found, expected
    after = rtsys.get_allocation_stats()
    assert after.alloc - before.alloc == after.free - before.free


slope_times = numba.njit(lambda x, n: fg.grad(cubed)(x) * fg.jvp(cubed, (x, n), (1.0, None))[1])
cubed = numba.njit(lambda x, n=3: x**n)


def test_functions_that_call_transforms_are_differentiated():
    assert slope_times(2.0, 2) == pytest.approx(12.0 * 4.0)
    assert fg.grad(slope_times)(2.0, 2) == pytest.approx(72.0)  # that of 3x² 2x
    assert fg.jvp(slope_times, (2.0, 2), (0.5, None))[1] == pytest.approx(36.0)
    nested = numba.njit(lambda x: fg.grad(slope_times)(x, 2))
    assert nested(2.0) == pytest.approx(72.0)


def test_a_transform_that_is_first_called_in_a_compiled_function(tmp_path):
    program = (
        "import numba, fastgrad as fg\n"
        "f = numba.njit(lambda x: x * x)\n"
        "print(numba.njit(lambda x: fg.grad(f)(x))(3.0))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "FASTGRAD_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(fg.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert finished.stdout == "6.0\n", finished.stderr


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda w, x: fg.grad(x)(w), r"fg\.grad in a compiled function: the function is of type float64.*numba\.njit"),
        (lambda w, x: fg.grad(loss, len(w))(w, x), r"argnums is of type int64.*write numbers"),
        (lambda w, x: fg.grad(weighted_sum)(w, x)[0], r"takes \*args"),
        (lambda w, x: fg.vjp(loss, w, x)[0], "loss has 3 parameters, and the call has 2 primals"),
        (lambda w, x: fg.vjp(plain_loss, 2, 3)[0], r"no argument has a derivative.*Pass a float"),
        (lambda w, x: fg.vjp(jittered, w, x)[0], r"random draws do not allow\. Use fg\.value_and_grad"),
        (lambda w, x: fg.vjp(loss_and_size, w, x)[0], r"loss_and_size returns Tuple\(float64, int64\)\. Return floats"),
        (lambda w, x: fg.vjp(waves, w, x)[1](w), r"the cotangent is of type array.*Pass a tuple of as many"),
        (lambda w, x: fg.vjp(waves, w, x)[1](), "a pullback takes one argument"),
        (lambda w, x: fg.jvp(loss, w, w), "primals and tangents are of types array.*Pass tuples"),
        (lambda w, x: fg.jvp(loss, (w, x), (w, x)), "loss has 3 parameters, and primals 2 items"),
        (lambda w, x: fg.jvp(loss, (w, x, 1), (w, x, 1)), "argument 2 is of type .*int.*Pass None"),
    ],
)
def test_calls_of_transforms_that_are_not_known_are_errors_of_numba(function, message):
    with pytest.raises(numba.TypingError, match=message):
        numba.njit(function)(W, 0.7)


def test_threads_share_derivatives():
    def f(x):
        y = x[0]
        while y < 50.0:
            y = y * y if y > 2.0 else y + x[1]
        return y

    gradient = fg.grad(f)
    points = [np.array([0.1 + 0.01 * number, 0.3]) for number in range(64)]
    expected = [gradient(point) for point in points]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            np.testing.assert_array_equal(list(pool.map(gradient, points)), expected)


def test_float32_stays_float32():
    w = W.astype(np.float32)
    gradient = fg.grad(loss)(w, 0.7)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, slopes()[0], rtol=1e-5)


@pytest.mark.parametrize("view", [lambda x: x[:, ::2], lambda x: x.T, np.asfortranarray, lambda x: x[::-1]])
def test_arrays_need_not_be_contiguous(view):
    def f(x):
        total = 0.0
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                total += (i + 2 * j + 1) * x[i, j] ** 2
        return total

    x = view(np.arange(12.0).reshape(3, 4))
    i, j = np.indices(x.shape)
    np.testing.assert_allclose(fg.grad(f)(x), 2.0 * (i + 2 * j + 1) * x)


# ---- check_gradients ------------------------------------------------------------------------------------------------


def test_right_gradients_pass_the_check():
    assert fg.check_gradients(loss, W, 0.7) is None
    assert fg.check_gradients(field, X) is None
    assert fg.check_gradients(loss, W.astype(np.float32), 0.7, argnums=0) is None
    assert fg.check_gradients(lambda x, n: (x**n, np.sum(x)), X, 2) is None
    assert fg.check_gradients(lambda x: np.log(x) * np.exp(x), np.array([1e-3, 2.0, 300.0])) is None


def test_differences_that_contradict_name_argument_and_index():
    def f(w):
        return w[0] + (w[1] if w[1] < 1.0 else 3.0 * w[1] - 2.0)

    with pytest.raises(
        AssertionError, match=r"respect to w\[1\] differ: reverse mode 3\.0, forward mode 3\.0, central differences 2\."
    ):
        fg.check_gradients(f, np.ones(2))
    with pytest.raises(AssertionError, match="respect to x differ"):
        fg.check_gradients(lambda x: math.floor(x) * x, 2.0)


def test_what_a_function_raises_beside_the_point_is_raised():
    def f(x):
        if x > 1.0:
            raise RuntimeError("beyond 1")
        return x * x

    with pytest.raises(RuntimeError, match="^beyond 1$"):
        fg.check_gradients(f, 1.0)


def kinks_in_tuples(x, y):
    near, (n, (weights, z)) = x
    return max(near, 0.0) * n + np.maximum(weights, 0.0).sum() * y + max(z.real, 0.0) * z.imag


@pytest.mark.parametrize(
    ("near", "weights", "z", "name"),
    [
        (0.0, [0.5, 1.5], 1.0 + 0.5j, r"x\[0\]"),
        (0.3, [0.5, 0.0], 1.0 + 0.5j, r"x\[1\]\[1\]\[0\]\[1\]"),
        (0.3, [0.5, 1.5], 0.5j, r"the real part of x\[1\]\[1\]\[1\]"),
    ],
)
def test_each_float_in_tuples_is_checked(near, weights, z, name):
    with pytest.raises(AssertionError, match=f"with respect to {name} differ"):
        fg.check_gradients(kinks_in_tuples, (near, (2, (np.array(weights), z))), 0.8)


def test_right_gradients_by_tuples_pass_the_check():
    assert fg.check_gradients(kinks_in_tuples, (0.3, (2, (np.array([0.5, 1.5]), 1.0 + 0.5j))), 0.8) is None
    assert fg.check_gradients(kinks_in_tuples, (np.float32(0.3), (2, (W, 1.0 + 0.5j))), 0.8, argnums=0) is None
    with pytest.raises(DifferentiationError, match=r"UniTuple\(int64 x 2\)"):
        fg.check_gradients(lambda x: x[0] * x[1], (2, 3), argnums=0)


def test_a_check_needs_floats():
    with pytest.raises(ValueError, match="got no float"):
        fg.check_gradients(lambda n: n, 3)
    with pytest.raises(DifferentiationError, match="int64"):
        fg.check_gradients(lambda n: 2.0 * n, 3, argnums=0)


# ---- compilations inside compilations ------------------------------------------------------------------------------


def test_a_rule_that_needs_a_kernel_is_found_while_numba_compiles(tmp_path):
    program = (
        "import numba, numpy as np, fastgrad as fg\n"
        "def f(x, k):\n"
        "    total = 0.0\n"
        "    for i in range(len(x)):\n"
        "        total += x[i] ** k[i]\n"
        "    return total\n"
        "print(fg.grad(f)(np.array([1.0, 3.0]), np.array([2, 3])))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "FASTGRAD_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(fg.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert finished.stdout == "[ 2. 27.]\n", finished.stderr


def test_parameters_may_have_any_names():
    def plain(x, b, c, d, e, f, g, h):
        return (x * x * b * c).sum() * d + e * f * x[0] + g * h * x[1] * x[1] * x[1]

    def named(np, first, row, vector, callee, elements, _, width):
        return (np * np * first * row).sum() * vector + callee * elements * np[0] + _ * width * np[1] * np[1] * np[1]

    def others(value, function, pull, values, tangent_of_value, tangent_3, matrix_0, u_0):
        return (value * value * function * pull).sum() * values + (
            tangent_of_value * tangent_3 * value[0] + matrix_0 * u_0 * value[1] * value[1] * value[1]
        )

    x, numbers = np.array([1.3, 0.7, 2.1]), (0.3, 1.2, -0.7, 0.9, 1.1, -0.4, 0.6)
    ones = (x, *[1.0 for _ in numbers])

    def derivatives(function):
        inner = fg.grad(function)

        slope = fg.grad(function, 3)
        two = fg.value_and_grad(function, (0, 1))

        def outer(np, callee):
            value, gradients = two(np, *numbers)
            return inner(np, *numbers)[0] * callee + slope(np, *numbers) + value * gradients[1]

        matrices = [transform(function)(x, *numbers) for transform in (fg.grad, fg.jacobian, fg.hessian)]
        pullback = fg.vjp(function, x, *numbers)[1]
        tangents = fg.jvp(function, (x, *numbers), ones)
        return [*matrices, fg.hvp(function)(x, *numbers, x), *tangents, *pullback(1.0), fg.grad(outer)(x, 2.0)]

    for one, other, third in zip(derivatives(plain), derivatives(named), derivatives(others), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-13)
        np.testing.assert_allclose(third, one, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_gradient_in_huge_pages_is_right(dtype):
    x = np.ones(2**20 + 3, dtype)

    def squares(x):
        return np.sum(x * x)

    np.testing.assert_array_equal(fg.grad(squares)(x), 2 * x)


@numba.njit
def scaled_by_default(x, scale=2.0, n=3):
    return x * scale**n


def test_gradients_with_respect_to_default_values():
    assert fg.grad(scaled_by_default, argnums=1)(0.7) == pytest.approx(0.7 * 3.0 * 4.0)
    assert fg.grad(scaled_by_default, argnums=1)(0.7, 3.0) == pytest.approx(0.7 * 3.0 * 9.0)
    assert fg.grad(scaled_by_default, argnums=(0, 1))(0.7) == pytest.approx((8.0, 0.7 * 3.0 * 4.0))
    assert fg.jacobian(scaled_by_default, argnums=1)(0.7) == pytest.approx(0.7 * 3.0 * 4.0)
    with pytest.raises(
        DifferentiationError, match="the argument n of scaled_by_default is of type int64, which has no derivative"
    ):
        fg.grad(scaled_by_default, argnums=2)(0.7)
