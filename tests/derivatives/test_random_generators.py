"""`numpy.random.Generator` as an argument: a constant whose state moves."""

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad.errors import DifferentiationError
from tests.derivatives.both_ways import bits, compiled_from_text

X = np.array([0.5, 1.5])


@numba.njit
def numbers(x, rng):
    total = rng.normal(x[0], x[1]) * rng.random() + rng.uniform(-x[0], x[1]) ** 2
    total += rng.exponential(x[0]) * rng.integers(1, 5) + rng.gamma(2.0, x[1]) + rng.beta(2.0, 3.0) * x[0]
    return total + rng.laplace(x[0], x[1]) * rng.poisson(3.0) + rng.weibull(x[1])


@numba.njit
def arrays(x, rng):
    steps = x[0] + x[1] * rng.standard_normal((3, 2))
    return (steps**2).sum() + (rng.random(3) * x[0]).sum() * rng.integers(1, 9, 2).sum() + rng.lognormal(0.0, x[1])


callee = numba.njit(lambda y, rng: np.sin(y) + 0.1 * rng.normal())


@numba.njit
def walk(x, rng):
    y = x[0]
    for _ in range(3000):
        y = callee(y, rng) * x[1] / 1.5
    return y


@numba.njit
def of_tuple(x, parts):
    return x[0] * parts[1].normal() + x[1] ** 2 * parts[0]


FUNCTIONS = [numbers, arrays, walk]


def test_a_generator_within_a_tuple():
    def results(call):
        rng = np.random.default_rng(3)
        return call((2.0, rng)), rng.bit_generator.state["state"]

    value, after = results(lambda parts: of_tuple(X, parts))
    draw = np.random.default_rng(3).normal()

    def by_a_second_pullback(parts):
        y, pull = fg.vjp(of_tuple, X, parts)
        pull(1.0)
        return y, pull(1.0)[0]

    for call in (lambda parts: fg.value_and_grad(of_tuple)(X, parts), by_a_second_pullback):
        (found, gradient), state = results(call)
        assert (found, state) == (value, after)
        np.testing.assert_allclose(gradient, [draw, 4.0 * X[1]], rtol=1e-15)
    (found, tangent), state = results(lambda parts: fg.jvp(of_tuple, (X, parts), (np.ones_like(X), (0.0, None))))
    assert (found, state) == (value, after)
    np.testing.assert_allclose(tangent, draw + 4.0 * X[1], rtol=1e-15)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937])
def test_derivatives_with_the_same_draws(function, kind):
    rng = np.random.Generator(kind(3))
    before = rng.bit_generator.state
    fg.check_gradients(function, X, rng, argnums=0)
    np.testing.assert_equal(rng.bit_generator.state, before)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_state_after_a_derivative_is_that_after_the_function(function):
    own = np.random.default_rng(3)
    value = function(X, own)
    gradient = fg.grad(function)(X, np.random.default_rng(3))
    results = []

    def with_generator(call):
        rng = np.random.default_rng(3)
        results.append(call(rng))
        np.testing.assert_equal(rng.bit_generator.state, own.bit_generator.state)

    with_generator(lambda rng: fg.value_and_grad(function)(X, rng))
    assert results[-1][0] == value
    with_generator(lambda rng: fg.jvp(function, (X, rng), (np.ones(2), None)))
    assert results[-1] == (value, pytest.approx(gradient.sum()))
    with_generator(lambda rng: fg.hvp(function)(X, rng, X))
    with_generator(lambda rng: fg.vjp(function, X, rng))
    result, pull = results[-1]
    assert result == value
    for _ in range(2):  # the draws are those of the first run
        np.testing.assert_allclose(pull(1.0)[0], gradient, rtol=1e-13)


def test_two_names_of_one_generator_draw_in_turn():
    @numba.njit
    def function(x, first, second):
        return x * first.normal() + x * x * second.normal()

    rng = np.random.default_rng(1)
    draws = np.random.default_rng(1).standard_normal(2)
    _, pull = fg.vjp(function, 2.0, rng, rng)
    assert pull(1.0)[0] == pytest.approx(draws[0] + 4.0 * draws[1])
    assert fg.grad(function)(2.0, np.random.default_rng(1), rng) != pull(1.0)[0]


@pytest.mark.parametrize("function", [numbers, arrays])
def test_both_ways_of_compilation_agree(function):
    emitted = fg.value_and_grad(function)(X, np.random.default_rng(5))
    with compiled_from_text():
        from_text = fg.value_and_grad(function)(X, np.random.default_rng(5))
    assert bits(emitted) == bits(from_text)


jumping = numba.njit(lambda x, rng: x[0] * rng.poisson(x[1]))
shuffling = numba.njit(lambda x, rng: (x * rng.permutation(2)).sum())


@numba.njit
def recursive(x, n, rng):
    if n == 0:
        return x
    return recursive(x * rng.normal(), n - 1, rng)


@numba.njit
def choosing(x, first, second):
    rng = first if x[0] > 0.0 else second
    return x[0] * rng.normal()


gradient_again = numba.njit(lambda x, rng: (slope(x, rng) ** 2).sum())


slope = fg.grad(numbers)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("derivative", "arguments", "reason"),
    [
        (
            fg.grad(jumping),
            (X, RNG),
            "test_random_generators.py:.*Generator.poisson .* may jump where its parameters change",
        ),
        (fg.grad(shuffling), (X, RNG), "test_random_generators.py:.*Generator.permutation"),
        (fg.grad(recursive), (2.0, 3, RNG), "use a loop"),
        (fg.grad(choosing), (X, RNG, RNG), "has several definitions"),
        (
            fg.jacobian(numbers),
            (X, RNG),
            "jacobian: the argument rng of numbers is or has a random generator.*use vjp, jvp or hvp",
        ),
        (fg.hessian(numbers), (X, RNG), "hessian: the argument rng of numbers is or has a random generator"),
        (fg.jacobian(of_tuple), (X, (2.0, RNG)), "the argument parts of of_tuple is or has a random generator"),
        (fg.grad(gradient_again), (X, RNG), "draw them before"),
    ],
)
def test_what_is_refused_names_the_remedy(derivative, arguments, reason):
    with pytest.raises(DifferentiationError, match=reason):
        derivative(*arguments)
