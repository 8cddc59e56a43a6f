"""The calls of all NumPy functions that Numba compiles: values and gradients, against NumPy and central differences."""

import warnings

import numba
import numpy as np
import pytest
from numba.core.errors import NumbaError

import fastgrad as fg
from fastgrad.errors import DifferentiationError
from tests.derivatives.interpreted import value_and_gradients
from tests.derivatives.numpy_calls import (
    ARGUMENTS,
    CALLS,
    Call,
    calls_with_keywords,
    float_positions,
    numpy_calls,
    results_and_gradients,
    status,
    statuses_on_page,
    weights,
)
from tests.selection import once_in

STATUSES = statuses_on_page()
SAMPLE = [name for name in STATUSES if once_in(20, f"numpy {name}")]
SMOOTH_DRAWS = [name for name, text in STATUSES.items() if name.startswith("random.") and text == "derived"]
NAMED = [
    name
    for name, text in STATUSES.items()
    if "random." not in name and "refused" not in text and not isinstance(getattr(np, name, None), np.ufunc)
]
STEP = 1e-5


@pytest.fixture(autouse=True)
def _without_warnings():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # functions that NumPy will drop
        yield


@pytest.mark.completeness
def test_each_function_of_numba_has_a_call():
    assert [name for name, call in numpy_calls().items() if call.function is None] == []


def test_the_page_has_all_functions():
    assert set(numpy_calls()) <= set(STATUSES), "run python -m tests.derivatives.numpy_calls"


@pytest.mark.parametrize("name", SAMPLE)
def test_the_page_has_the_status(name):
    call = numpy_calls().get(name)
    if call is not None:  # another NumPy may lack it
        assert status(call).partition(":")[0] == STATUSES[name].partition(":")[0]


@pytest.mark.parametrize("name", [name for name in SAMPLE if STATUSES[name] == "derived" and "random." not in name])
def test_values_and_gradients(name):
    call = numpy_calls().get(name)
    if call is None:
        return
    _check(call, call, True)


def _check(call, plain, has_slopes):
    """Compares a call by its derivative with a call of NumPy."""
    expected = plain.results
    results, gradients = results_and_gradients(call, expected)
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, wanted, rtol=1e-12, atol=1e-13)
    for place, gradient in zip(float_positions(call), gradients, strict=True) if has_slopes else ():
        np.testing.assert_allclose(gradient, _differences(plain, place), rtol=3e-6, atol=3e-7)


@pytest.mark.parametrize("name", NAMED)
def test_arguments_by_keyword(name):
    for option, call in calls_with_keywords(name).items() if name in numpy_calls() else ():
        plain = call if option else numpy_calls()[name]  # some parameters have other names in NumPy
        try:
            _check(call, plain, STATUSES[name] == "derived")
        except DifferentiationError as error:
            place, _, reason = str(error).partition(": ")
            assert place.rpartition(":")[2].isdigit()
            assert any(f"numpy.{name}" in reason for name in call.names)
        except NumbaError:
            with pytest.raises(NumbaError):
                numba.njit(call.function)(*call.arguments)


def _named(x, y):
    total = np.sum(a=x) + np.max(a=x) * np.min(a=y) + np.dot(a=x, b=y) + np.prod(a=x) + np.mean(a=y)
    total += np.cumsum(a=x * y)[3] + np.cumprod(a=x)[2] + np.outer(a=x, b=y)[2, 1] + np.vdot(left=x, right=y)
    total += (
        np.round(a=x, decimals=1)[0] * y[0]
        + x.clip(a_max=0.6)[1]
        + np.median(a=x)
        + np.clip(a_max=0.6, a_min=y, a=x)[2]
    )
    return (
        total + np.stack(arrays=(x, y), axis=1)[1, 0] + np.linalg.norm(ord=None, x=x) + x.reshape((2, 3)).sum(axis=1)[0]
    )


def _in_order(x, y):
    total = np.sum(x) + np.max(x) * np.min(y) + np.dot(x, y) + np.prod(x) + np.mean(y)
    total += np.cumsum(x * y)[3] + np.cumprod(x)[2] + np.outer(x, y)[2, 1] + np.vdot(x, y)
    total += np.round(x, 1)[0] * y[0] + np.minimum(x, 0.6)[1] + np.median(x) + np.clip(x, y, 0.6)[2]
    return total + np.stack((x, y), 1)[1, 0] + np.linalg.norm(x) + x.reshape((2, 3)).sum(1)[0]


def _into_given_arrays(x, y):
    first, second, third, fourth = np.empty(6), np.empty((6, 6)), np.empty((3, 3)), np.empty(6)
    np.clip(x, -0.5, 0.6, first)
    np.clip(first, -0.5, 0.5, out=first)
    np.outer(x, y, out=second)
    np.dot(second[:3, :3].copy(), second[1:4, :3].copy(), out=third)
    np.round(x, 1, fourth)
    return first.sum() + second[2, 3] + third[0, 1] * fourth[0] + third.sum() + np.multiply(x, y, first)[1]


def _into_new_arrays(x, y):
    first, second, fourth = np.clip(np.clip(x, -0.5, 0.6), -0.5, 0.5), np.outer(x, y), np.round(x, 1)
    third = np.dot(second[:3, :3].copy(), second[1:4, :3].copy())
    return first.sum() + second[2, 3] + third[0, 1] * fourth[0] + third.sum() + np.multiply(x, y)[1]


@pytest.mark.parametrize(("function", "plain"), [(_named, _in_order), (_into_given_arrays, _into_new_arrays)])
def test_keywords_and_given_arrays_make_no_difference(function, plain):
    arguments = ARGUMENTS["x"], ARGUMENTS["y"]
    value, gradients = value_and_gradients(function, arguments, 1.0)
    expected, wanted = value_and_gradients(plain, arguments, 1.0)
    np.testing.assert_allclose(value, plain(*arguments), rtol=1e-13)
    assert value == expected
    for gradient, each in zip(gradients, wanted, strict=True):
        np.testing.assert_array_equal(gradient, each)


def _product_into_operand(a):
    np.dot(a, a, a)
    return a.sum()


def _sum_by_keyword(x):
    return np.add(x, x, out=np.empty(6)).sum()


def _clip_to_more_axes(x):
    return np.round(x[0], 1, np.empty(6)).sum()


def _sum_of_axis(a):
    return np.sum(a, axis=2)[0]


@pytest.mark.parametrize(
    ("function", "argument", "message"),
    [
        (_product_into_operand, "a", "may read other elements of the array that it writes its result to"),
        (_sum_by_keyword, "x", r"numpy\.add with keywords .* pass arguments by position"),
        (_clip_to_more_axes, "x", "has not as many axes as the result"),
        (_sum_of_axis, "a", "axis 2 is out of bounds for an array of 2 axes"),
    ],
)
def test_calls_that_are_refused(function, argument, message):
    with pytest.raises(DifferentiationError, match=rf"test_numpy_calls\.py:\d+: .*{message}"):
        value_and_gradients(function, (ARGUMENTS[argument],), 1.0)


def test_an_array_of_other_sizes_for_a_result_is_an_error():
    with pytest.raises(ValueError, match="the sizes of two arrays differ"):
        value_and_gradients(lambda x: np.clip(x, 0.0, 1.0, np.empty(1)).sum(), (ARGUMENTS["x"],), 1.0)


def _running_along_axes(a, c):
    rows, columns = np.cumsum(a, axis=0), np.cumsum(a, 1)
    return np.sum(rows * rows) + np.sum(columns * columns) + np.cumsum(a)[4] + np.sum(np.cumsum(c, axis=-2) * c)


def test_running_sums_along_axes():
    call = Call(("cumsum",), _running_along_axes)
    _check(call, call, True)


def _draws_by_keyword(p):
    np.random.seed(3)
    total = np.random.normal(loc=p[0], scale=p[1]) + np.random.uniform(low=p[0], high=p[3])
    return total + np.random.exponential(scale=p[2]) + np.sum(np.random.normal(p[0], p[1], size=3))


def _draws_in_order(p):
    np.random.seed(3)
    total = np.random.normal(p[0], p[1]) + np.random.uniform(p[0], p[3])
    return total + np.random.exponential(p[2]) + np.sum(np.random.normal(p[0], p[1], 3))


def test_draws_with_keywords():
    values = [value_and_gradients(each, (ARGUMENTS["p"],), 1.0) for each in (_draws_by_keyword, _draws_in_order)]
    assert values[0][0] == values[1][0]
    np.testing.assert_array_equal(values[0][1], values[1][1])


def _differences(call, place):
    gradient = np.zeros_like(call.arguments[place])
    for index in np.ndindex(gradient.shape):
        for axis in (1.0, 1j) if gradient.dtype.kind == "c" else (1.0,):
            above, below = (_moved(call, place, index, sign * STEP * axis) for sign in (1.0, -1.0))
            gradient[index] += axis * (above - below) / (2.0 * STEP)
    return gradient


def _moved(call, place, index, step):
    arguments = [np.array(argument) for argument in call.arguments]
    arguments[place][index] += step
    arguments = [argument if argument.ndim else argument[()] for argument in arguments]
    result = call.function(*arguments)
    results = [np.asarray(part) for part in (result if isinstance(result, (tuple, list)) else [result])]
    return sum(float(np.sum(np.real(np.conj(weights(part)) * part))) for part in results)


@pytest.mark.parametrize("name", [name for name in SMOOTH_DRAWS if once_in(16, f"draw {name}")])
def test_draws(name):
    assert fg.check_gradients(numba.njit(CALLS[name]), *numpy_calls()[name].arguments) is None
