"""Variables that exchange arrays in a loop: the reverse sweep exchanges their cotangents, and copies none."""

import inspect

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives.codegen.functions_of_code import with_text
from tests.derivatives import central
from tests.derivatives.interpreted import value_and_gradients
from tests.derivatives.table import active, copy_of

RNG = np.random.default_rng(3)
LINE, PLANE, CUBE = RNG.normal(size=7), RNG.normal(size=(4, 5)), RNG.normal(size=(3, 2, 4))
STEPS = 5


@numba.njit
def on_a_line(u, k, steps):
    a, b = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(1, len(a) - 1):
            b[i] = a[i] + k * a[i] * (a[i - 1] - 2 * a[i] + a[i + 1])
        a, b = b, a
    return (a * a).sum()


@numba.njit
def in_a_plane(u, k, steps):
    a, b = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(1, a.shape[0] - 1):
            for j in range(1, a.shape[1] - 1):
                b[i, j] = a[i, j] + k * (a[i - 1, j] + a[i + 1, j] + a[i, j - 1] + a[i, j + 1] - 4 * a[i, j])
        a, b = b, a
    return (a * a).sum()


@numba.njit
def in_a_plane_by_slices(u, k, steps):
    a, b = u.copy(), u.copy()
    for _ in range(steps):
        b[1:-1, 1:-1] = a[1:-1, 1:-1] * (1 + k * (a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:]))
        a, b = b, a
    return (a * a).sum()


@numba.njit
def in_space(u, k, steps):
    a, b = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(1, a.shape[0] - 1):
            for j in range(a.shape[1]):
                for m in range(1, a.shape[2] - 1):
                    b[i, j, m] = a[i, j, m] * a[i - 1, j, m] + k * a[i + 1, j, m] * a[i, j, m - 1] - a[i, j, m + 1]
        a, b = b, a
    return (a * b).sum()


@numba.njit
def three_that_rotate(u, k, steps):
    a, b, c = u.copy(), 0.5 * u, np.zeros_like(u)
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            c[i] = 2 * b[i] - a[i] + k * b[i] * (b[i - 1] - 2 * b[i] + b[i + 1])
        a, b, c = b, c, a
    return (a * b).sum() + c[1]


@numba.njit
def made_in_each_step(u, k, steps):
    a = u
    for _ in range(steps):
        b = np.empty_like(a)
        b[0], b[-1] = a[0], a[-1]
        for i in range(1, len(a) - 1):
            b[i] = a[i] + k * a[i] * (a[i - 1] - 2 * a[i] + a[i + 1])
        a = b
    return (a * a).sum()


@numba.njit
def two_made_in_each_step(u, k, steps):
    old, a = u.copy(), u * u
    for _ in range(steps):
        b = a + k * a * old
        old, a = a, b
    return (a * old).sum()


@numba.njit
def of_different_sizes(u, k, steps):
    a, b, c = u.copy(), np.sin(u[1:]), np.cos(u[:3])
    total = 0.0
    for step in range(steps):
        a[1] = k * a[0] * b[1]
        b[0] += a[1] * c[2] ** 2
        total += step * a[0] * c[0]
        a, b, c = c, a, b
    return total + (a * a).sum() + b[1] * c[1]


@numba.njit
def smaller_in_each_step(u, k, steps):
    a, b = u.copy(), u * k
    for _ in range(steps):
        c = a[1:] * b[:-1] + k
        b = a[:-1].copy()
        a = c
    return (a * a).sum() + b.sum()


@numba.njit
def larger_in_each_step(u, k, steps):
    a = u[:2].copy()
    for _ in range(steps):
        b = np.zeros(len(a) + 1)
        for i in range(len(a)):
            b[i + 1] += k * a[i] * a[i]
            b[i] += a[i]
        a = b
    return (a * a).sum()


@numba.njit
def in_some_steps(u, k, steps):
    a, b = u.copy(), np.exp(0.1 * u)
    for step in range(steps):
        for i in range(1, len(a)):
            b[i] = a[i] * a[i - 1] + k * b[i]
        if step % 3 != 1:
            a, b = b, a
    return (a * b).sum() + b[0]


@numba.njit
def until_the_sum_is_large(u, k, steps):
    a, b = u.copy(), u.copy()
    for _ in range(steps):
        b[:] = a * a + k
        a, b = b, a
        if a.sum() > 20:
            break
    return (a * b * b).sum()


@numba.njit
def in_two_loops(u, k, steps):
    a, b = u.copy(), 2 * u
    for _ in range(2):
        for _ in range(steps // 2):
            b[1:] = a[1:] * a[:-1] + k * b[1:]
            a, b = b, a
        b, a = a, np.sin(b)
    return (a * b).sum() + a[0]


@numba.njit
def with_another_that_stays(u, k, steps):
    first = np.tanh(u)
    a, b = first.copy(), u.copy()
    for _ in range(steps):
        b[:] = k * a + first * a
        a, b = b, a
    return (a * first).sum()


@numba.njit
def one_begins_as_the_argument(u, k, steps):
    a = u
    for _ in range(steps):
        a = a + k * np.sin(a)
    return (a * u).sum()


@numba.njit
def one_without_cotangents(u, k, steps):
    a, b = u * u, np.ones(len(u))
    for _ in range(steps):
        c = k * a + b
        a, b = c, np.ones(len(u))
    return (a * a).sum()


@numba.njit
def complex_numbers(u, k, steps):
    a, b = u + 1j * k, u * 1j
    for _ in range(steps):
        b[1:] = a[1:] * a[:-1] * 0.3 + k * b[1:]
        a, b = b, a
    return (a * b).sum().real


@numba.njit
def reaction_and_diffusion(u, k, steps):
    a, b = u.copy(), np.cos(u)
    next_a, next_b = a.copy(), b.copy()
    for _ in range(steps):
        for i in range(1, a.shape[0] - 1):
            for j in range(1, a.shape[1] - 1):
                reaction = a[i, j] * b[i, j] * b[i, j]
                next_a[i, j] = a[i, j] + k * (a[i - 1, j] + a[i, j + 1] - 2 * a[i, j]) - 0.1 * reaction
                next_b[i, j] = b[i, j] + k * (b[i + 1, j] + b[i, j - 1] - 2 * b[i, j]) + 0.1 * reaction
        a, next_a = next_a, a
        b, next_b = next_b, b
    return (a * b).sum()


ON_A_LINE = [
    on_a_line,
    three_that_rotate,
    made_in_each_step,
    two_made_in_each_step,
    of_different_sizes,
    smaller_in_each_step,
    larger_in_each_step,
    in_some_steps,
    until_the_sum_is_large,
    in_two_loops,
    with_another_that_stays,
    one_begins_as_the_argument,
    one_without_cotangents,
    complex_numbers,
]
CASES = [
    *[(program, LINE) for program in ON_A_LINE],
    (in_a_plane, PLANE),
    (in_a_plane_by_slices, PLANE),
    (reaction_and_diffusion, PLANE),
    (reaction_and_diffusion, PLANE[:, :2]),
    (in_space, CUBE),
]
IDS = [f"{program.__name__}-{u.shape}" for program, u in CASES]


@pytest.mark.parametrize("steps", [1, STEPS])
@pytest.mark.parametrize(("program", "u"), CASES, ids=IDS)
def test_the_gradient_is_right(program, u, steps):
    arguments = (0.8 * u, 0.3, steps)
    places = active(arguments)
    expected, errors = central.reference(program, arguments, places)
    _, interpreted = value_and_gradients(program, arguments, 1.0, places)
    compiled_value, compiled = fg.value_and_grad(program, argnums=places)(*map(copy_of, arguments))
    np.testing.assert_allclose(compiled_value, program(*map(copy_of, arguments)), rtol=1e-14)
    for found in (interpreted, compiled):
        for gradient, right, error in zip(found, expected, errors, strict=True):
            assert np.all(np.abs(gradient - right) <= error + 1e-9 * (1 + np.max(np.abs(right))))


@pytest.mark.parametrize(("program", "u"), CASES, ids=IDS)
def test_checkpoints_change_no_bit(program, u, monkeypatch):
    arguments = (0.8 * u, 0.3, 3 * STEPS)
    expected = fg.grad(program, argnums=(0, 1))(*arguments)
    monkeypatch.setenv("FASTGRAD_CHECKPOINT_BYTES", "1000")
    for found, right in zip(fg.grad(program, argnums=(0, 1))(*arguments), expected, strict=True):
        np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("program", [on_a_line, three_that_rotate, made_in_each_step, of_different_sizes])
def test_other_derivatives_agree(program):
    u, direction = 0.8 * LINE, RNG.normal(size=LINE.shape)
    gradient = fg.grad(program)
    _, tangent = fg.jvp(program)(u, 0.3, STEPS, direction)
    np.testing.assert_allclose(tangent, (gradient(u, 0.3, STEPS) * direction).sum(), rtol=1e-10, atol=1e-12)
    step = 1e-6
    ahead, behind = gradient(u + step * direction, 0.3, STEPS), gradient(u - step * direction, 0.3, STEPS)
    product = fg.hvp(program)(u, 0.3, STEPS, direction)
    slope = (ahead - behind) / (2 * step)
    np.testing.assert_allclose(product, slope, rtol=1e-4, atol=1e-6 * np.abs(slope).max())


@numba.njit
def sum_of_squares_after(u, k, steps):
    """Runs itself again, so its derivative has functions of the forward sweep and of the reverse sweep."""
    if steps == 0:
        return (u * u).sum()
    a, b = u.copy(), u.copy()
    for _ in range(3):
        for i in range(1, len(a)):
            b[i] = k * a[i] * a[i - 1] * np.sin(a[i])
        a, b = b, a
    return sum_of_squares_after(a, k, steps - 1) + b[0]


def test_a_recursive_function():
    arguments = (LINE, 0.3, 2)
    expected, errors = central.reference(sum_of_squares_after, arguments, (0, 1))
    found = fg.grad(sum_of_squares_after, argnums=(0, 1))(*arguments)
    for gradient, right, error in zip(found, expected, errors, strict=True):
        assert np.all(np.abs(gradient - right) <= error + 1e-9 * (1 + np.max(np.abs(right))))


NOT_COPIED = [
    on_a_line,
    in_a_plane,
    in_a_plane_by_slices,
    in_space,
    three_that_rotate,
    two_made_in_each_step,
    of_different_sizes,
    in_some_steps,
    with_another_that_stays,
]


@pytest.mark.parametrize(("program", "u"), [case for case in CASES if case[0] in NOT_COPIED])
def test_no_cotangent_of_an_exchanged_array_is_copied(program, u):
    text = inspect.getsource(with_text(fg.grad(program).derive(tuple(map(numba.typeof, (u, 0.3, 2))))))
    assert "= exchange(" in text
    assert ".copy()" not in text


@pytest.mark.parametrize("program", [made_in_each_step, one_begins_as_the_argument])
def test_only_the_cotangent_of_the_argument_gets_a_copy(program):
    text = inspect.getsource(with_text(fg.grad(program).derive(tuple(map(numba.typeof, (LINE, 0.3, 2))))))
    _, *after_copies = text.split(".copy()")
    assert "= exchange(" in text
    assert after_copies
    assert all("d_a_u[" in after.partition("_block =")[0] for after in after_copies)


def test_what_iterations_record_is_in_rows():
    """Rows have the step 1, and lie apart, so that LLVM can vectorize the loop although the arrays may be one."""
    text = inspect.getsource(
        with_text(fg.grad(reaction_and_diffusion).derive(tuple(map(numba.typeof, (PLANE, 0.3, 2)))))
    )
    pushes = [line.strip() for line in text.splitlines() if "push_value(" in line and "_row)" in line]
    assert len(pushes) == 2  # of the steps, and of the sum of products
    assert "values_top += 1\n" in text
