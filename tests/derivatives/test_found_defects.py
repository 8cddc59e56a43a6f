"""Functions whose derivatives were wrong once: each gives the right number, or is refused."""

import math
from typing import NamedTuple

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad.errors import DifferentiationError
from tests.derivatives.interpreted import value_and_gradients

A = np.array([1.3, 0.7, 2.1])


@numba.njit
def returned_value_of_an_increment(a):
    t = a[0] + 2.0
    a[0] = t
    return t


@numba.njit
def choice(a, k):
    if k > 0:
        return a
    return a * 2.0


@numba.njit
def written_by_another_name(a):
    total = 0.0
    for i in range(3):
        total += a[i] * a[i]
    p = choice(a, 1)
    p[0] = 0.0
    p[1] = total
    return total * p[1]


@numba.njit
def tuple_of_a_loop(a):
    best = (0.0, 0)
    for j in range(2):
        best = (a[j] * a[j], j)
        if best[0] > 100.0:
            break
    return best[0] * a[best[1]]


@numba.njit
def range_without_items(a):
    total = a[0] * len(range(5, 2))
    for i, x in zip(range(5, 2), a):  # noqa: B905  # Numba has no `strict`
        total += x * x * i
    return total + a[1]


@numba.njit
def clip_by_keywords(a):
    return (np.clip(a, a_max=1.5, a_min=1.0) * a).sum()


@numba.njit
def sum_with_a_start(a):
    return sum(a, 1) * a[0]


@numba.njit
def singular_determinant(a):
    m = np.array([[a[0], 2.0], [a[1], 4.0]])
    m[1, 0] = 2.0 * m[0, 0]
    return np.linalg.det(m) + a[2] * a[2]


@numba.njit
def in_place_with_overlap(a):
    a[1:] += a[:-1]
    return a.sum() * a[2]


@numba.njit
def transpose_added_in_place(a):
    m = np.outer(a, a)
    m += m.T
    m *= m[1]
    return (m * a).sum() * m[0, 2]


@numba.njit
def sum_in_place_of_what_may_be_itself(a):
    b = a if a[0] > 1.0 else a * 2.0
    a[1:] += b[:-1]
    return (a * a).sum()


@numba.njit
def ravel_of_a_slice_with_a_step(a):
    b = a[::1].ravel()
    b[0] = 5.0
    return a[0] * a[0]


@numba.njit
def ravel_of_fortran_order(a):
    f = np.asfortranarray(np.outer(a, a)) * 2.0
    r = f.ravel()
    r[1] = 0.0
    return (f * f).sum()


@numba.njit
def reshape_by_a_number(a):
    n = -1
    for _ in range(2):
        n = -1
    return (a.reshape(n, 1) * 2.0).sum() * a[0]


@numba.njit
def one_number_by_a_mask(a):
    a[a > 1.0] = np.array([2.0])
    return (a * a).sum()


@numba.njit
def elements_of_itself(a):
    a[np.array([2, 0, 1])] = a
    return a[0] + 2.0 * a[1] * a[2]


@numba.njit
def no_difference(a):
    z = np.diff(a, 0)
    z[0] = 5.0 * a[1]
    return (a * a).sum()


@numba.njit
def large_norm(a):
    return np.linalg.norm(a * 1e200) * 1e-200


@numba.njit
def transpose_as_an_array(a):
    m = np.outer(a, a)
    b = np.asarray(m.T)
    b[0, 1] = 5.0 * a[2]
    return (m * m).sum()


@numba.njit
def contiguous_array_of_a_contiguous_slice(a):
    b = np.ascontiguousarray(a[::1])
    b[0] = 5.0 * a[2]
    return (a * a).sum() + b.sum() * b[1]


@numba.njit
def contiguous_array_that_is_a_copy(a):
    total, m = 0.0, np.zeros((3, 3))
    for k in range(3):
        m[:, k] = a * a[k]
        column = np.ascontiguousarray(m[:, k])
        total += (column * column * a).sum()
    return total


@numba.njit
def ravel_of_a_row_of_a_transpose(a):
    m = np.outer(a, a)
    b = m.T[:, 1].ravel()
    b[1] = 5.0 * a[2]
    return (m * m).sum() + b.sum() * b[1]


@numba.njit
def ravel_of_a_slice_of_all_columns(a):
    m = np.outer(a, a)
    b = m[1:, :].ravel()
    b[0] = 5.0 * a[2]
    return (m * m).sum() + b.sum() * b[1]


@numba.njit
def weighted_by_order(m):
    total, k = 0.0, 1.0
    for x in np.nditer(m):
        total += k * x.item() * x.item()
        k += 1.0
    return total


@numba.njit
def iteration_in_the_order_of_memory(a):
    m = np.outer(a, np.array([1.0, 2.0]) * a[0])
    return weighted_by_order(m.T) * a[1] + weighted_by_order(m) + weighted_by_order(m[:, 1:].T)


FUNCTIONS = [value for value in list(globals().values()) if isinstance(value, numba.core.dispatcher.Dispatcher)]


@pytest.mark.parametrize(
    "function",
    [f for f in FUNCTIONS if f not in (choice, weighted_by_order)],
    ids=lambda function: function.py_func.__name__,
)
def test_the_gradient_is_right_or_refused(function):
    try:
        value, (gradient,) = value_and_gradients(function, (A.copy(),), 1.0)
    except DifferentiationError:
        return
    assert value == pytest.approx(function(A.copy()), rel=1e-12)
    steps = 1e-5 * np.eye(len(A))
    expected = [(function(A + step) - function(A - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


def test_small_unsigned_integers_become_int64():
    @numba.njit
    def f(x, n):
        below = n[0] + 0
        return -below * x[0] + (n[1] - 0) * -(1 * n[2]) * x[1]

    n = np.array([3, 2, 1], np.uint8)
    value, gradient = fg.value_and_grad(f)(np.array([2.0, 5.0]), n)
    assert value == -16.0
    np.testing.assert_allclose(gradient, [-3.0, -2.0])


def test_matrices_of_functions_that_write_their_arguments():
    @numba.njit
    def f(x):
        x[0] = x[0] * x[1]
        return x * 1.0

    np.testing.assert_allclose(fg.jacobian(f)(np.array([2.0, 3.0])), [[3.0, 2.0], [0.0, 1.0]])


def test_forward_mode_of_arrays_that_may_be_one():
    @numba.njit
    def f(x, n):
        b = np.zeros(2)
        p = b if n > 0 else x
        p[0] = x[1] * x[1]
        return b * 1.0

    _, tangent = fg.jvp(f)(np.array([1.0, 2.0]), 1, np.array([0.0, 1.0]))
    np.testing.assert_allclose(tangent, [4.0, 0.0])


def test_a_gradient_that_writes_is_not_differentiated_again():
    gradient = fg.grad(numba.njit(_product_in_place))

    @numba.njit
    def outer(x):
        s = x[0] * x[0]
        return gradient(x)[0] * x[0] + s

    with pytest.raises(DifferentiationError, match="writes its arguments"):
        fg.grad(outer)(A.copy())


def _product_in_place(x):
    x[0] = x[0] * x[1]
    return x[0] * x[2]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.max(x[3:]) + x[0],
        lambda x: np.dot(x, x[:2]),
        lambda x: (x[:2].reshape(3, 1) * 1.0)[0, 0],
        lambda x: np.concatenate((np.outer(x, x), np.outer(x, x[:2]))).sum(),
        lambda x: np.stack((x, x[:2])).sum(),
        lambda x: np.column_stack((x[:1], x)).sum(),
        lambda x: np.interp(1.5, x, x[:2]),
        lambda x: np.interp(x, x[3:], x[3:]).sum(),
        lambda x: np.cov(x, x[:1])[0, 1],
        lambda x: x.item(),
        lambda x: np.repeat(x, np.array([1, 2])).sum(),
        lambda x: np.take(x, int(x[2]) + 1),
        lambda x: np.take(x, np.array([3])).sum(),
        lambda x: (x[0], x[1])[int(x[2])],
        lambda x: [x[0], x[1]][int(x[2])],
        lambda x: np.linalg.solve(np.outer(x, x) + np.eye(3), x[:1])[0],
        lambda x: np.linalg.cholesky(np.outer(x[:1], x))[0, 0],
        lambda x: np.linalg.matrix_power(np.outer(x[:1], x), 0)[0, 0],
    ],
)
def test_wrong_sizes_raise(function):
    with pytest.raises(
        (ValueError, IndexError), match=r"size|zero|range|incompatible|empty|broadcast|square|index out"
    ):
        value_and_gradients(numba.njit(function), (A.copy(),), 1.0)


def test_a_wrong_number_of_variables_raises():
    @numba.njit
    def f(x):
        first, second = x
        return first * second

    with pytest.raises(ValueError, match="sizes"):
        value_and_gradients(f, (A.copy(),), 1.0)


def test_a_division_by_zero_raises_though_nothing_uses_it():
    @numba.njit
    def f(x):
        unused = x[0] / (x[1] - x[1])  # noqa: F841
        return x[0]

    with pytest.raises(ZeroDivisionError):
        value_and_gradients(f, (A.copy(),), 1.0)


@numba.njit(boundscheck=True)
def checked_reads(x, n):
    total = 0.0
    for i in range(n):
        total += x[i] * x[-1]
    return total


@numba.njit(boundscheck=True)
def checked_writes(x, n):
    y = np.zeros((2, 3))
    y[0, n] = x[0]
    return y.sum()


@numba.njit
def calls_a_checked_function(x, n):
    return checked_reads(x, n) + x[0]


@pytest.mark.parametrize("function", [checked_reads, checked_writes, calls_a_checked_function])
def test_bounds_are_checked_where_the_function_checks_them(function):
    gradient = fg.value_and_grad(function)
    value, _ = gradient(A, 2)
    assert value == function(A, 2)
    fg.check_gradients(function, A, 2)
    for call in (function, gradient, fg.jacobian(function)):
        with pytest.raises(IndexError, match="out of bounds"):
            call(A, 4)


# ---- types of variables and signatures that numba.njit was given -------------------------------------------------


@numba.njit(locals={"k": numba.int64})
def truncated(x):
    k = x * 3.7
    return k * x


@numba.njit
def caller_of_truncated(x):
    return truncated(x * x) + truncated(x)


@numba.njit(locals={"x": numba.int64})
def truncated_argument(x):
    return x * 2.5


@numba.njit(locals={"k": numba.uint8})
def counter_that_wraps(x):
    k = 0
    total = 0.0
    for _ in range(300):
        k += 1  # noqa: SIM113  # its type is the point
        total += k * x
    return total


@numba.njit(locals={"k": numba.uint8})
def counted_while_loop(x):
    k = n = 0
    total = 0.0
    while k < 250 and n < 400:
        k += 7
        n += 1
        total += k * x * x
    return total


@numba.njit(locals={"k": numba.int64})
def versions_of_a_variable(x):
    k = x
    k = k * x
    if x > 1:
        k = k + x
    return k * 1.0 * x


@numba.njit(locals={"k": numba.boolean})
def truth_value(x):
    k = x
    return k * x


@numba.njit(locals={"i": numba.float64})
def float_loop_variable(x):
    total = 0.0
    for i in range(3):
        total += i / 2 * x
    return total


@numba.njit(locals={"k": numba.int64})
def closure_with_the_same_name(x):
    def inner(y):
        k = y * 1.5
        return k  # noqa: RET504  # the name is the point

    k = inner(x)
    return k * x + inner(x)


@numba.njit(locals={"k": numba.int64})
def recursive_with_locals(x, n):
    k = x * 2.5
    if n == 0:
        return k * x
    return recursive_with_locals(x * 1.5, n - 1) * x


@numba.njit
def caller_of_recursive_with_locals(x):
    return recursive_with_locals(x, 3)


@numba.njit
def applied(function, x):
    return function(x) * x


@numba.njit
def truncated_as_argument(x):
    return applied(truncated, x)


@numba.njit("float64(int64)")
def integer_parameter(n):
    return n * 2.0


@numba.njit
def caller_of_integer_parameter(x):
    return integer_parameter(x * x) * x


@numba.njit
def caller_of_caller(x):
    return caller_of_integer_parameter(x) + applied(integer_parameter, x)


@numba.njit("float32(float32)")
def single_precision(x):
    return x * x * 1.1


@numba.njit("int64(float64)")
def integer_result(x):
    return x * 1.5


@numba.njit
def caller_of_integer_result(x):
    return integer_result(x) * x


@numba.njit(["float64(int64)", "float32(float32)"])
def two_signatures(x):
    return x * x


@numba.njit
def caller_of_two_signatures(x):
    return two_signatures(x) + two_signatures(3) * x


@numba.njit("float64(float64,int64)")
def recursive_with_signature(x, n):
    if n <= 0:
        return x
    return recursive_with_signature(x * 1.5, n - 1) * x


@numba.njit
def caller_of_recursive_with_signature(x):
    return recursive_with_signature(x, 3.9)


@numba.njit("UniTuple(float32,2)(float64)")
def pair_of_results(x):
    return x * 1.1, x * x


@numba.njit
def caller_of_pair(x):
    a, b = pair_of_results(x)
    return a * b


GIVEN_TYPES = [
    (truncated, 2.5, 9.0),
    (caller_of_truncated, 1.5, 29.0),
    (truncated_argument, 1.9, 0.0),
    (counter_that_wraps, 1.3, 33630.0),
    (counted_while_loop, 1.3, 12121.2),
    (versions_of_a_variable, 2.7, 7.0),
    (truth_value, 2.7, 1.0),
    (float_loop_variable, 1.5, 1.5),
    (closure_with_the_same_name, 2.5, 4.5),
    (caller_of_recursive_with_locals, 1.3, 4 * 113.90625 * 1.3**3),
    (truncated_as_argument, 2.5, 45.0),
    (integer_parameter, 2.7, 0.0),
    (caller_of_integer_parameter, 2.7, 14.0),
    (caller_of_caller, 2.7, 18.0),
    (single_precision, 0.3, 0.66),
    (caller_of_integer_result, 1.9, 2.0),
    (caller_of_two_signatures, 1.9, 9.0),
    (caller_of_recursive_with_signature, 1.3, 100.1008125),
    (caller_of_pair, 1.5, 3.0 * 1.1 * 1.5**2),
]


@pytest.mark.parametrize(("function", "x", "slope"), GIVEN_TYPES, ids=lambda value: getattr(value, "__name__", ""))
def test_given_types_of_variables_and_signatures_hold_in_derivatives(function, x, slope):
    value, gradient = fg.value_and_grad(function)(x)
    assert value == pytest.approx(function(x), rel=1e-15)
    assert gradient == pytest.approx(slope, rel=1e-6)
    assert fg.jvp(function, (x,), (1.0,)) == pytest.approx((value, gradient), rel=1e-6)
    assert fg.vjp(function, x)[1](1.0)[0] == pytest.approx(gradient, rel=1e-6)
    step = 1e-4  # no function has a jump so near
    curvature = (fg.grad(function)(x + step) - fg.grad(function)(x - step)) / (2 * step)
    assert fg.hessian(function)(x) == pytest.approx(curvature, rel=2e-3, abs=1e-6)


def test_given_types_hold_for_arrays():
    @numba.njit(locals={"total": numba.float32})
    def squares(a):
        total = 0.0
        for x in a:
            total += x * x
        return total

    @numba.njit("float32[:](float64[:])")
    def halved(a):
        return (a * 0.5).astype(np.float32)

    @numba.njit
    def f(a):
        return squares(a) * halved(a).sum()

    a = np.array([0.1, 0.2, 0.3])
    value, gradient = fg.value_and_grad(f)(a)
    assert value == f(a) != (a * a).sum() * a.sum() / 2
    np.testing.assert_allclose(gradient, a * a.sum() + (a * a).sum() / 2, rtol=1e-6)
    np.testing.assert_allclose(fg.jacobian(f)(a), gradient, rtol=1e-6)


def test_arguments_that_no_signature_takes_are_errors():
    @numba.njit("float64(float32[::1])")
    def single(a):
        return a[0] * a[0]

    @numba.njit(["float64(int64, float64)", "float64(float64, int64)"])
    def ambiguous(x, y):
        return x * y

    for derivative in (fg.value_and_grad(single), fg.jacobian(single)):
        with pytest.raises(TypeError, match=r"test_found_defects.py:\d+: single was compiled for .*float32.* only"):
            derivative(A)
    with pytest.raises(TypeError, match=r"single was compiled for .*float32.* only"):
        fg.vjp(single, A)
    with pytest.raises(TypeError, match="Ambiguous overloading for ambiguous"):
        fg.grad(ambiguous)(1.5, 2.5)


def test_functions_with_given_types_keep_their_defaults():
    @numba.njit("float64(float64, float64)", locals={"k": numba.int64})
    def f(x, scale=3.0):
        k = scale
        return x * k

    assert fg.value_and_grad(f)(1.5, scale=2.9) == (3.0, 2.0)
    with pytest.raises(TypeError, match="f was compiled for .* only, and is called with .*omitted"):
        fg.grad(f)(1.5)  # as Numba's own call
    with pytest.raises(
        DifferentiationError, match=r"test_found_defects.py:\d+: grad: the argument x of f is of type int64"
    ):
        fg.grad(f)(1, 2.0)


def test_given_types_hold_within_tapes():
    def both(x):
        return truncated(x) + integer_parameter(x) * x

    x = fg.Variable(np.array([2.5, 1.3]))
    for function, values, slopes in [
        (truncated, [22.5, 5.2], [9.0, 4.0]),
        (integer_parameter, [4.0, 2.0], [0.0, 0.0]),
        (both, [32.5, 7.8], [13.0, 6.0]),
    ]:
        with fg.GradientTape() as tape:
            y = fg.elementwise(function)(x)
        np.testing.assert_allclose(y, values)
        np.testing.assert_allclose(tape.gradient(y, x), slopes)

    @fg.kernel("(n)->()")
    @numba.njit(locals={"k": numba.int64})
    def total(a):
        result = 0.0
        for i in range(len(a)):
            k = a[i] * 3.7
            result += k * a[i] * integer_parameter(a[i])
        return result

    with fg.GradientTape() as tape:
        y = total(x)
    np.testing.assert_allclose(y, 9 * 2.5 * 4 + 4 * 1.3 * 2)
    np.testing.assert_allclose(tape.gradient(y, x), [36.0, 8.0])


def test_a_kernel_with_signatures_tells_the_remedy():
    @fg.kernel("(n)->()")
    @numba.njit("float64(float64[:])")
    def squares(a):
        return (a * a).sum()

    with pytest.raises(TypeError, match="compiled for given signatures only: give numba.njit none"):
        squares(A)


def test_an_adjoint_takes_what_a_signature_casts_to():
    @numba.njit("float64(int64)")
    def f(n):
        return n * 2.0

    @fg.adjoint(f)
    def adjoint(g, y, n):
        return g * 10.0

    g = numba.njit(lambda x: f(x) * x)
    assert fg.value_and_grad(g)(1.5) == (3.0, 17.0)


# ---- functions that run a second time ----------------------------------------------------------------------------


@numba.njit
def scaled_by_draws(a):
    return a * np.random.random() + a * a * np.random.standard_normal() * np.random.normal()


@numba.njit
def total_of_draws(a):
    return (a * a).sum() * np.random.normal()


@numba.njit
def seed(number):
    np.random.seed(number)


@numba.njit
def draw():
    return np.random.random(), np.random.normal()


def test_a_pullback_draws_what_the_function_drew():
    @numba.njit
    def f(x):
        return x * np.random.normal()

    seed(3)
    for _ in range(3):  # the second of a pair of normal draws is kept in the generator
        value, pull = fg.vjp(f, 2.0)
        state = draw()
        assert pull(1.0) == (value / 2.0,)
        assert pull(3.0) == (1.5 * value,)
        assert state != draw()
    fg.check_gradients(f, 2.0)


def test_a_pullback_leaves_the_generator_alone():
    seed(5)
    fg.vjp(total_of_draws, A)
    expected = draw()
    seed(5)
    fg.vjp(total_of_draws, A)[1](1.0)
    assert draw() == expected


def test_columns_of_matrices_have_the_same_draws():
    a = np.linspace(0.5, 1.5, 10)
    seed(7)
    value, following = scaled_by_draws(a), draw()
    seed(7)
    jacobian = fg.jacobian(scaled_by_draws)(a)
    assert draw() == following  # as after one call
    seed(7)
    _, tangent = fg.jvp(scaled_by_draws, (a,), (np.ones(10),))
    np.testing.assert_allclose(jacobian, np.diag(tangent))
    assert value.shape == (10,)
    hessian = fg.hessian(total_of_draws)(A)
    np.testing.assert_allclose(hessian, np.eye(3) * hessian[0, 0])

    two = numba.njit(lambda a, x: a * x * np.random.random())
    of_a, of_x = fg.jacobian(two, (0, 1))(A, 2.0)
    np.testing.assert_allclose(of_x, of_a.diagonal() * A / 2.0)


def test_gradients_of_functions_that_draw_are_not_differentiated():
    gradient = fg.grad(total_of_draws)

    @numba.njit
    def f(a):
        return gradient(a).sum()

    f(A)
    with pytest.raises(DifferentiationError, match="total_of_draws draws random numbers.*pass them"):
        fg.grad(f)(A)


@numba.njit
def product_of_pair(pair, x):
    return (pair[0] * pair[1][0]).sum() * x


def test_a_pullback_has_the_primals_of_the_call():
    a, b = A.copy(), A * 2.0
    _, pull = fg.vjp(product_of_pair, (a, (b,)), 3.0)
    a[:] = b[:] = 0.0
    (of_a, (of_b,)), of_x = pull(1.0)
    np.testing.assert_allclose(of_a, A * 6.0)
    np.testing.assert_allclose(of_b, A * 3.0)
    assert of_x == pytest.approx((A * A).sum() * 2.0)


# ---- the user's own texts ----------------------------------------------------------------------------------------


@numba.njit
def prints_and_raises(a, b):
    d_norm = a[0] * b
    print("d_norm pd_x _lane", d_norm)
    if d_norm < 0:
        raise ValueError("d_max is negative")
    return a * d_norm


def test_texts_of_the_user_stay_as_they_are(capfd):
    fg.jacobian(prints_and_raises)(A, 2.0)
    assert capfd.readouterr().out == "d_norm pd_x _lane 2.6\n"
    fg.jacobian(prints_and_raises, (0, 1))(A, 2.0)
    assert capfd.readouterr().out == "d_norm pd_x _lane 2.6\n" * 2  # a run for each argument
    with pytest.raises(ValueError, match="^d_max is negative$"):
        fg.jacobian(prints_and_raises, (0, 1))(A, -2.0)


# ---- infinite quotients, arrays without axes, third derivatives ---------------------------------------------------


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_an_infinite_quotient_whose_exponential_is_zero_adds_zero(gamma):
    largest = np.finfo(np.float64).max

    @numba.njit
    def soft_minimum(gamma, x):
        return -gamma * math.log(math.exp(largest / -gamma) + math.exp(x / -gamma)) + np.exp(largest / -gamma)

    value, gradients = fg.value_and_grad(soft_minimum, (0, 1))(gamma, 0.7)
    assert (value, *gradients) == pytest.approx((0.7, 0.0, 1.0))
    assert fg.jvp(soft_minimum, (gamma, 0.7), (1.0, 1.0)) == pytest.approx((0.7, 1.0))


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min"])
@pytest.mark.parametrize("is_method", [False, True])
def test_arrays_without_axes_are_reduced(name, is_method):
    scope = {"np": np}
    exec(f"def f(a): return 3.0 * {f'a.{name}()' if is_method else f'np.{name}(a)'}", scope)
    f = numba.njit(scope["f"])
    value, gradient = fg.value_and_grad(f)(np.array(2.0))
    assert value == f(np.array(2.0)) == 6.0
    np.testing.assert_array_equal(gradient, np.array(3.0))


def test_third_derivatives_of_functions_of_arrays_name_the_function():
    @numba.njit
    def cubes(a):
        return (a * a * a).sum()

    first = fg.grad(cubes)

    of_first = numba.njit(lambda a: first(a).sum())
    second = fg.grad(of_first)

    of_second = numba.njit(lambda a: second(a).sum())
    message = r"test_found_defects.py:\d+: third derivatives of functions of arrays are refused, here of cubes"
    with pytest.raises(DifferentiationError, match=message):
        fg.grad(of_second)(A)
    with pytest.raises(DifferentiationError, match=message):
        fg.jvp(second, (A,), (A,))


# ---- arguments that share memory, are tuples, or have columns ------------------------------------------------------


@numba.njit
def writes_first(a, b):
    a[0] = b[1] * 3.0
    return (a * b).sum()


@numba.njit
def writes_item(pair, x):
    pair[1][0] = x[0] * pair[0]
    return pair[1] * x


class Scaled(NamedTuple):
    scale: float
    values: np.ndarray


@pytest.mark.parametrize(
    "derivative",
    [
        lambda a: fg.grad(writes_first)(a, a),
        lambda a: fg.vjp(writes_first, a, a),
        lambda a: fg.jvp(writes_first, (a, a[1:]), (A, A[1:])),
        lambda a: fg.jacobian(writes_first)(a, a),
        lambda a: fg.jacobian(writes_first, 1)(a, a),
        lambda a: fg.hessian(writes_first, 1)(a, a),
        lambda a: fg.jacobian(writes_item, 1)((2.0, a), a),
        lambda a: fg.vjp(writes_item, (2.0, a), a),
    ],
)
def test_arguments_that_share_memory_and_are_written_are_refused_in_all_modes(derivative):
    a = A.copy()
    with pytest.raises(ValueError, match="the arguments (a and b|pair and x) share memory, which the function writes"):
        derivative(a)
    np.testing.assert_array_equal(a, A)


def test_products_of_hessians_name_the_arguments_that_share_memory():
    a = A.copy()
    with pytest.raises(ValueError, match="the arguments a and b share memory"):
        fg.hvp(writes_first)(a, a, A)
    with pytest.raises(ValueError, match="the arguments a and the tangent of a share memory"):
        fg.hvp(writes_first)(a, A, a)


def test_arguments_that_share_memory_are_read():
    product = numba.njit(lambda a, b: (a * b).sum())
    a = A.copy()
    np.testing.assert_array_equal(fg.vjp(product, a, a)[1](1.0), (A, A))


def test_a_tangent_that_is_an_argument_keeps_its_numbers():
    a, b = A.copy(), 2.0 * A

    @numba.njit
    def writes_constant(a, b):
        a[0] = 7.0
        return (a * b).sum()

    _, tangent = fg.jvp(writes_constant, (a, b), (np.zeros(3), a))
    assert tangent == pytest.approx(7.0 * A[0] + A[1] ** 2 + A[2] ** 2)


@pytest.mark.parametrize("pair", [(2.0, A), Scaled(2.0, A)])
def test_columns_with_a_tuple_whose_array_is_written(pair):
    before = A.copy()
    matrix = fg.jacobian(writes_item, 1)(pair, A * 1.0)
    np.testing.assert_allclose(matrix, np.diag([4.0 * A[0], A[1], A[2]]))
    np.testing.assert_array_equal(A, before)


@pytest.mark.parametrize("maker", [fg.jacobian, fg.hessian])
def test_matrices_of_tuples_are_refused(maker):
    product_of_items = numba.njit(lambda pair: (pair[0] * pair[1]).sum())

    with pytest.raises(DifferentiationError, match=r"the argument pair is a tuple.*pass its items one by one"):
        maker(product_of_items)((2.0, A))


def test_copies_of_arguments_keep_the_layout_that_a_signature_wants():
    @numba.njit("f8(f8[::1,:])")
    def columns(a):
        return (a[0] * a[1]).sum()

    a = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(fg.vjp(columns, a)[1](1.0)[0], a[::-1])
    fg.check_gradients(columns, a)


# ---- 0 times an infinite slope ----------------------------------------------------------------------------------


def root_of_zero_times(x):
    return math.sqrt(abs(x) * 0.0)


def root_of_square(x):
    return math.sqrt((x - 0.7) ** 2)


def distance(x):
    dx, dy = x - 0.7, 0.0 * x
    return math.sqrt(dx * dx + dy * dy)


def cube_root(x):
    return np.cbrt((x - 0.7) * (x - 0.7))


def root_of_cosine(x):
    return math.sqrt(1.0 - math.cos(x - 0.7))


def constant_power(x):
    return ((x - 0.7) ** 2) ** 0.25


def variable_power(x):
    exponent = 0.5
    for _ in range(2):
        exponent *= 0.9
    return ((x - 0.7) * (x - 0.7)) ** exponent


def arcsine(x):
    return math.asin(1.0 - (x - 0.7) ** 2) - math.asin(1.0)


def arccosine(x):
    return math.acos(1.0 - (x - 0.7) * (x - 0.7))


def area_cosine(x):
    return math.acosh(1.0 + (x - 0.7) * (x - 0.7))


def root_of_loop(x):
    total = 0.0
    for k in range(3):
        total += (x - 0.7) * (x - 0.7) * k
    return math.sqrt(total)


def root_of_quotient(x):
    return math.sqrt(abs(x - 0.7) / x) + math.sqrt((x - 0.7) ** 2 / x)


def root_of_root(x):
    return math.sqrt(math.sqrt((x - 0.7) ** 2)) + math.sqrt(math.hypot(x - 0.7, 0.0))


def root_of_modulus(x):
    return abs(complex(x - 0.7, 0.0 * x)) ** 0.5


def root_of_single_precision(x):
    return math.sqrt(np.float32(x - 0.7) * np.float32(x - 0.7))


def roots_of_array(x):
    squares = np.array([(x - 0.7) ** 2, 0.0 * x])
    return np.sqrt(squares).sum() + squares.sum()


def pairwise_distances(x):
    points = np.array([[x, x], [x, 0.7]])
    differences = np.expand_dims(points, 1) - np.expand_dims(points, 0)
    return np.sqrt((differences * differences).sum(axis=2)).sum()


@pytest.mark.parametrize(
    "function",
    [
        *(root_of_zero_times, root_of_square, distance, cube_root, root_of_cosine, constant_power, variable_power),
        *(arcsine, arccosine, area_cosine, root_of_loop, root_of_quotient, root_of_root, root_of_modulus),
        *(root_of_single_precision, roots_of_array, pairwise_distances),
    ],
)
def test_a_slope_of_zero_times_an_infinite_one_is_zero_in_both_modes(function):
    term = numba.njit(function)

    with_square = numba.njit(lambda x: term(x) + x * x)
    value, slope = fg.value_and_grad(with_square)(0.7)
    assert (value, slope) == pytest.approx((0.49, 1.4))
    assert fg.jvp(with_square, (0.7,), (1.0,)) == pytest.approx((0.49, 1.4))


@pytest.mark.parametrize("function", [math.asin, math.acos, math.acosh, np.cbrt, math.sqrt])
def test_a_cotangent_of_zero_adds_zero_where_the_slope_is_infinite(function):
    edge = 0.0 if function in (np.cbrt, math.sqrt) else 1.0

    without_influence = numba.njit(lambda x, y: 0.0 * function(x) + y * y)
    assert fg.grad(without_influence, (0, 1))(edge, 0.7) == (0.0, 1.4)
    assert fg.jvp(without_influence, (edge, 0.7), (0.0, 1.0))[1] == 1.4


def test_infinite_slopes_stay_infinite():
    @numba.njit
    def root(x):
        return math.sqrt(3.0 * x)

    assert fg.grad(root)(0.0) == fg.jvp(root, (0.0,), (1.0,))[1] == math.inf


def test_impossible_states_add_zero():
    @numba.njit
    def log_likelihood(x):
        state = np.array([0.0, -np.inf])
        for _ in range(3):
            stays = state[1] + x
            state[1] = np.logaddexp(stays, stays - 1.0) + 2.0 * x
            state[0] += x * x
        return np.logaddexp(state[0], state[1])

    assert fg.value_and_grad(log_likelihood)(0.5) == pytest.approx((0.75, 3.0))
    assert fg.jvp(log_likelihood, (0.5,), (1.0,)) == pytest.approx((0.75, 3.0))


def test_a_result_that_may_be_none_is_refused_with_the_remedy():
    @numba.njit
    def largest(a):
        best = None
        for x in a:
            if best is None or x > best:
                best = x
        if best is None:
            return 0.0
        return best

    with pytest.raises(DifferentiationError, match=r"largest returns OptionalType\(float64\).*return x \+ 0.0"):
        fg.grad(largest)(A)


SMOOTH_AT_ZEROS = {
    "the root of a sum of squares": (lambda x, y: math.sqrt(x * x + y * y + 1.0), (0.0, 0.0)),
    "the root of a squared sine": (lambda x, y: math.sqrt(math.sin(x) * math.sin(x) + y), (0.0, 1.0)),
    "a root, by the cotangent": (lambda x, y: (x - 1.0) * math.sqrt(y), (1.0, 4.0)),
    "a quotient, by the cotangent": (lambda x, y: (x - 1.0) * (3.0 / y), (1.0, 4.0)),
    "an exponential, by the cotangent": (lambda x, y: (x - 1.0) * math.exp(y), (1.0, 1.5)),
    "a power, by its exponent": (lambda x, y: x**y, (2.0, 0.0)),
    "a cube root": (lambda x, y: (x - 1.0) * np.cbrt(y), (1.0, 4.0)),
    "an arc sine": (lambda x, y: (x - 1.0) * math.asin(y), (1.0, 0.5)),
    "a distance": (lambda x, y: math.sqrt((x - y) * (x - y) + 0.25), (1.0, 1.0)),
}


@pytest.mark.parametrize("name", SMOOTH_AT_ZEROS)
def test_second_derivatives_are_right_where_a_first_one_is_0(name):
    """A rule that takes 0 for 0 times infinity must not lose the derivative of the 0."""
    function, point = SMOOTH_AT_ZEROS[name]
    compiled = numba.njit(function)
    step = 1e-4

    def at(x, y):
        return compiled(point[0] + x * step, point[1] + y * step)

    mixed = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * step**2)
    pure = [(at(1, 0) - 2 * at(0, 0) + at(-1, 0)) / step**2, (at(0, 1) - 2 * at(0, 0) + at(0, -1)) / step**2]
    expected = np.array([[pure[0], mixed], [mixed, pure[1]]])
    of_array = numba.njit(lambda v: compiled(v[0], v[1]))
    np.testing.assert_allclose(fg.hessian(of_array)(np.array(point)), expected, rtol=1e-5, atol=1e-5)
    first = [fg.grad(compiled, argnums=number) for number in (0, 1)]
    nested = [
        [fg.grad(numba.njit(lambda x, y, d=d: d(x, y)), argnums=number)(*point) for number in (0, 1)] for d in first
    ]
    np.testing.assert_allclose(nested, expected, rtol=1e-5, atol=1e-5)


SLOPES = {
    "sqrt": lambda y: math.sqrt(2.0 * y),
    "exp": lambda y: math.exp(2.0 * y),
    "cbrt": lambda y: np.cbrt(2.0 * y),
    "asin": lambda y: math.asin(0.5 * y),
    "reciprocal": lambda y: np.reciprocal(2.0 * y),
    "quotient": lambda y: y / (y + 1.0),
    "root": lambda y: y**0.5,
    "power": lambda y: y**y,
}


@pytest.mark.parametrize("name", SLOPES)
def test_a_tangent_of_0_has_the_slope_for_its_derivative(name):
    function = numba.njit(SLOPES[name])
    tangent, slope = fg.jvp(function), fg.grad(function)(0.75)
    by_direction = numba.njit(lambda t, y: tangent(y, t)[1])
    assert fg.grad(by_direction)(0.0, 0.75) == pytest.approx(slope, rel=1e-12)
    assert fg.jvp(by_direction, (0.0, 0.75), (1.0, 0.0))[1] == pytest.approx(slope, rel=1e-12)


FACTOR = 2.0


def made_stencil(offset):
    @numba.stencil
    def kernel(a):
        return a[0] * a[-1] * FACTOR + offset * a[0]

    offset += 1.0
    return kernel


KERNEL = made_stencil(3.0)


@numba.njit
def sum_of_a_stencil(a):
    return KERNEL(a).sum()


def test_a_stencil_reads_what_its_globals_and_closure_were_when_it_was_made(monkeypatch):
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    value, (gradient,) = value_and_gradients(sum_of_a_stencil, (A,), 1.0)
    assert value == pytest.approx(sum_of_a_stencil(A), rel=1e-15)
    expected = [(sum_of_a_stencil(A + step) - sum_of_a_stencil(A - step)) / 0.5 for step in 0.25 * np.eye(3)]
    np.testing.assert_allclose(gradient, expected, rtol=1e-12)


@numba.njit("float64(float64)")
def given_square(x):
    return x * x


@numba.njit("float64(float64)")
def given_double(x):
    return 2.0 * x


@numba.njit
def of_a_tuple_of_functions(functions, x, i):
    return functions[i](x)


def test_functions_that_are_known_by_type_only_are_refused_with_the_remedy():
    line = of_a_tuple_of_functions.py_func.__code__.co_firstlineno + 2
    with pytest.raises(
        DifferentiationError, match=f":{line}: the parameter functions has .*pass functions of njit one by one"
    ):
        value_and_gradients(of_a_tuple_of_functions, ((given_square, given_double), 1.5, 1), 1.0, (1,))


@numba.njit
def scaled_by_recursion(a, n):
    if n <= 0:
        return a * a[0], a[0]
    a[1] *= a[0]
    scaled_by_recursion(a, n - 1)
    return a * 2.0, a[1]


@numba.njit
def calls_for_the_write(a, n):
    scaled_by_recursion(a, n)
    for i in range(n):
        if a[i] > 1.0:
            scaled_by_recursion(a[i:], 1)
    return a[1] * a[2]


def test_a_recursive_function_that_writes_an_array_is_called_without_use_of_its_results():
    fg.check_gradients(calls_for_the_write, A, 2)
    assert fg.value_and_grad(calls_for_the_write)(A.copy(), 2)[0] == pytest.approx(calls_for_the_write(A.copy(), 2))


@numba.njit
def array_without_axes_by_recursion(a, n):
    if n <= 0:
        return a
    b = np.zeros((), a.dtype)
    b[()] = a[()] * 1.5
    return array_without_axes_by_recursion(b, n - 1)


@numba.njit
def of_arrays_without_axes(a, n):
    total = a[()]
    for i in range(n):
        total += array_without_axes_by_recursion(a, i)[()] ** 2 * total
    return total


def test_a_recursive_function_returns_an_array_without_axes():
    a = np.array(1.2)
    fg.check_gradients(of_arrays_without_axes, a, 3)
    assert fg.value_and_grad(of_arrays_without_axes)(a, 3)[0] == pytest.approx(of_arrays_without_axes(a, 3))


@numba.njit
def cube_of_array_without_axes(a):
    return a[()] ** 3


slope_of_cube = fg.grad(cube_of_array_without_axes)


@numba.njit
def of_slope_of_cube(a):
    return slope_of_cube(a)[()] * a[()]


def test_a_gradient_with_respect_to_an_array_without_axes_is_differentiated():
    a = np.array(1.2)
    fg.check_gradients(of_slope_of_cube, a)
    assert fg.grad(of_slope_of_cube)(a)[()] == pytest.approx(9.0 * 1.2**2)


@numba.njit
def slices_between_unsigned_integers(x, first, last):
    total, width = 0.0, np.uint64(2)
    for i in range(first, last):
        j = np.uint64(i + first)
        total += np.linalg.norm(x[j : j + width] - x[i : i + width]) ** 2 * x[i]
    return total


@numba.njit
def indices_from_an_unsigned_start(x, first, last):
    places = np.arange(x.size)[::-1]
    total = 0.0
    for k in range(first, last):
        total += x[places[k]] ** 2 * x[k - first] * (k + 0.5)
    return total


@pytest.mark.parametrize("function", [slices_between_unsigned_integers, indices_from_an_unsigned_start])
def test_unsigned_integers_are_indices(function):
    x, bounds = np.arange(8.0) ** 2 + 0.3, (np.uint64(1), np.uint64(4))
    steps = 1e-5 * np.eye(8)
    differences = [(function(x + step, *bounds) - function(x - step, *bounds)) / 2e-5 for step in steps]
    np.testing.assert_allclose(fg.grad(function)(x, *bounds), differences, rtol=1e-7, atol=1e-5)
    np.testing.assert_allclose(fg.jacobian(function)(x, *bounds), differences, rtol=1e-7, atol=1e-5)


@numba.njit
def cube_of_number(x):
    return x**3


@fg.adjoint(cube_of_number)
def slope_of_cube_of_number(cotangent, result, x):
    return 3.0 * x**2 * cotangent


@numba.njit
def calls_that_record_nothing(x):
    rounded = np.empty(x.shape[0], np.float32)
    for i in range(x.shape[0]):
        rounded[i] = x[i]
    total = 0.0
    for i in range(x.shape[0]):
        total += cube_of_number(1.0 * rounded[i])
    return total


def test_a_loop_of_calls_that_records_nothing():
    x = np.array([0.25, 0.5, 1.5])
    np.testing.assert_allclose(fg.grad(calls_that_record_nothing)(x), 3.0 * x**2, rtol=1e-6)
