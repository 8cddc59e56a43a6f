"""Functions that derivatives call, not inline: recursive functions."""

import math

import numpy as np
import pytest
from numba import njit
from numba.core import analysis

import fastgrad as fg
from fastgrad._src.derivatives.codegen.text_pipeline import live_map
from fastgrad._src.derivatives.frontend import calls
from fastgrad.errors import DifferentiationError


@njit
def product_of_halves(x, weight):
    if len(x) == 1:
        return math.sin(x[0]) * weight
    middle = len(x) // 2
    return product_of_halves(x[:middle], weight) * product_of_halves(x[middle:], weight * x[0]) + x[0]


def test_second_derivatives_of_a_recursive_function():
    x, vector, step = np.array([0.3, 1.2, 0.7, 0.9]), np.array([1.0, -0.5, 0.25, 2.0]), 1e-5
    gradient = fg.grad(product_of_halves)
    expected = (gradient(x + step * vector, 0.8) - gradient(x - step * vector, 0.8)) / (2 * step)
    np.testing.assert_allclose(fg.hvp(product_of_halves)(x, 0.8, vector), expected, rtol=1e-8)


@njit
def running_products(x, first):
    if first + 1 < len(x):
        x[first + 1] *= x[first]
        running_products(x, first + 1)


@njit
def sum_of_running_products(x):
    running_products(x, 0)
    return x.sum()


def test_second_derivatives_of_a_recursive_function_that_writes_its_argument():
    x, vector = np.array([1.5, 2.0, 0.5]), np.array([1.0, -0.5, 0.25])
    hessian = np.array([[0.0, 1.0 + x[2], x[1]], [1.0 + x[2], 0.0, x[0]], [x[1], x[0], 0.0]])
    np.testing.assert_allclose(fg.hvp(sum_of_running_products)(x.copy(), vector), hessian @ vector)


def test_a_function_that_was_not_called_before():
    @njit
    def power(x, n):
        return 1.0 if n == 0 else x * power(x, n - 1)

    assert fg.grad(power)(2.0, 3) == 12.0


@njit
def checked(x, n):
    if x > 100.0:
        raise ValueError("too large")
    return x if n == 0 else checked(x * x, n - 1)


def test_an_exception_in_depth_leaves_the_stacks_to_later_calls():
    gradient = fg.grad(checked)
    for _ in range(3):
        with pytest.raises(ValueError, match="too large"):
            gradient(3.0, 40)
        assert gradient(1.5, 2) == pytest.approx(4 * 1.5**3)


def test_many_calls_deep():
    @njit
    def total(x, n):
        return 0.0 if n == 0 else x + total(x, n - 1)

    assert fg.value_and_grad(total)(0.5, 20_000) == (10_000.0, 20_000.0)


@njit
def swapped(a, b, n):
    if n > 0:
        a[0], b[0] = b[0] * a[0], a[0]
        swapped(b, a, n - 1)


def test_arguments_that_share_memory_raise_where_one_is_written():
    @njit
    def overlapping(x):
        y = x.copy()
        swapped(y[:2], y[1:], 3)
        return y[0]

    with pytest.raises(ValueError, match="share memory"):
        fg.grad(overlapping)(np.array([1.0, 2.0, 3.0]))


@njit
def first_or_copy(x, n):
    return x if n == 0 else first_or_copy(x, n - 1)


def test_a_returned_argument_that_is_written_while_both_are_in_use_is_refused():
    @njit
    def both(x):
        y = x * 2.0
        z = first_or_copy(y, 2)
        z[0] *= 3.0
        return z[0] * y[0]

    with pytest.raises(DifferentiationError, match=r"test_callees.py:\d+: .*copy the array"):
        fg.grad(both)(np.array([1.0, 2.0]))


@njit
def grows(values, x, n):
    values.append(x)
    return x if n == 0 else grows(values, x * x, n - 1) + values[0]


def test_a_recursive_function_of_a_list_is_refused():
    of_a_list = njit(lambda x, n: grows([x], x, n))

    with pytest.raises(
        DifferentiationError, match=r"test_callees.py:\d+: grows calls itself with arguments that are not"
    ):
        fg.grad(of_a_list)(1.5, 3)


def test_the_live_variables_of_blocks_are_those_that_numba_finds(monkeypatch):
    original = analysis.compute_live_map
    compared = []

    def both(*arguments):
        compared.append(live_map(*arguments) == original(*arguments))
        return original(*arguments)

    monkeypatch.setattr(analysis, "compute_live_map", both)

    @njit
    def loops(x, n):
        total = 0.0
        for i in range(n):
            if x > i:
                total += x
            else:
                while total > 3:
                    total *= 0.5
        return total

    assert loops(1.5, 3) == 3.0
    assert compared
    assert all(compared)


scale = 2.0


def test_a_recursive_function_is_derived_again_when_what_it_reads_has_changed(monkeypatch):
    @njit
    def power(x, n):
        return scale if n == 0 else x * power(x, n - 1)

    assert fg.grad(power)(2.0, 3) == 24.0
    monkeypatch.setitem(globals(), "scale", 3.0)
    assert fg.grad(power)(2.0, 3) == 36.0


@njit
def chain_of_sines(x, weights, out):
    total = x
    for i in range(weights.shape[0]):
        total = math.sin(total * weights[i]) + total * x
        out[i] += total
    return total


@njit
def three_chains(x, weights, out):
    return chain_of_sines(x, weights, out) + chain_of_sines(x * 2.0, weights, out) * chain_of_sines(x, weights, out)


def nine_chains(x, weights):
    out = np.zeros(weights.shape[0])
    y = three_chains(x, weights, out) + three_chains(x + 1.0, weights, out)
    return y * three_chains(out[0] * 0.1, weights, out) + out.sum()


def nine_chains_again():
    """Returns a function whose derivative is that of `nine_chains`, under a name of its own."""
    compiled = njit(nine_chains)

    def again(x, weights):
        return compiled(x, weights)

    return again


WEIGHTS = np.array([0.3, -0.4, 0.7])


@pytest.fixture
def all_are_large(monkeypatch):
    def set_limits():
        monkeypatch.setattr(calls, "LARGE_CALLEE", 8)
        monkeypatch.setattr(calls, "LARGE_PROGRAM", 20)

    return set_limits


@pytest.mark.usefixtures("no_kept_derivatives")
def test_large_functions_of_large_programs_are_called(monkeypatch, all_are_large):
    apart = []
    is_called_apart = calls.Calls._is_called_without_inlining
    monkeypatch.setattr(
        calls.Calls, "_is_called_without_inlining", lambda *given: apart.append(is_called_apart(*given)) or apart[-1]
    )
    inlined = fg.value_and_grad(nine_chains, argnums=(0, 1))(0.4, WEIGHTS)
    assert not any(apart)
    all_are_large()
    again = nine_chains_again()
    value, gradient = fg.value_and_grad(again, argnums=(0, 1))(0.4, WEIGHTS)
    assert any(apart)
    assert value == inlined[0] == again(0.4, WEIGHTS)
    np.testing.assert_allclose(gradient[0], inlined[1][0], rtol=1e-13)
    np.testing.assert_allclose(gradient[1], inlined[1][1], rtol=1e-13)


def test_derivatives_of_large_functions_that_are_called(all_are_large):
    gradient = fg.grad(nine_chains)(0.4, WEIGHTS)
    hessian = fg.hessian(nine_chains)(0.4, WEIGHTS)
    all_are_large()
    again = nine_chains_again()
    np.testing.assert_allclose(fg.jvp(again, (0.4, WEIGHTS), (1.0, 0.0 * WEIGHTS))[1], gradient, rtol=1e-12)
    np.testing.assert_allclose(fg.hessian(again)(0.4, WEIGHTS), hessian, rtol=1e-12)
