"""Derivatives with respect to arguments that are lists of floats, of arrays of floats and of lists of floats."""

import numba
import numba.experimental
import numpy as np
import pytest
from numba.core.runtime import _nrt_python
from numba.typed import List

import fastgrad as fg
from fastgrad.errors import DifferentiationError
from tests.derivatives.both_ways import differences

pytestmark = pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaPendingDeprecationWarning")


def arrays():
    return [np.array([0.5, 1.5]), np.array([0.3, -0.4, 0.7]), np.array([1.7])]


def matrices():
    return [np.arange(6.0).reshape(2, 3) * 0.3, np.cos(np.arange(12.0)).reshape(3, 4)]


def lists():
    return List([List([0.5, 1.5]), List([0.3]), List([0.2, 0.9, -0.4])])


@numba.njit
def of_numbers(xs, y):
    total = 0.5
    for number, x in enumerate(xs):
        if x > 0.4:
            total = np.sin(total) * x + number * y
    return total * xs[0] * xs[-1] + sum(xs) * y


@numba.njit
def with_a_local_copy(xs, y):
    copy = xs.copy()
    copy.append(xs[1] * y)
    copy[0] = copy[-1] * xs[0]
    total = 0.0
    for value in copy[::2]:
        total += value * value
    return total


@numba.njit
def of_arrays(xs, y):
    total, best = 0.0, xs[0]
    for x in xs:
        total += (np.sin(x) * x).sum() * y
        if x.sum() > best.sum():
            best = x
    return total * xs[1][0] + best[-1] ** 2 * len(xs) + xs[0] @ xs[1][:2]


@numba.njit
def of_matrices(xs, y):
    return (xs[0] @ xs[1]).sum() * y + xs[1][0, 1] ** 2 + (xs[0].T * y).max()


@numba.njit
def of_transposes(xs, y):
    total = 0.0
    for x in xs:
        for i in range(x.shape[0]):
            total += x[i, 0] * x[i, -1] ** 2 * (i + y)
    return total


@numba.njit
def of_lists(xs, y):
    total = 0.0
    for row in xs:
        for value in row:
            total += value * value * len(row) * y
    return total * xs[0][1]


@numba.njit
def of_complex_numbers(xs, y):
    return (xs[0] * xs[1] * y).real + (xs[0] * xs[0]).imag


@numba.njit
def of_complex_arrays(xs, y):
    return (xs[0] * xs[1][:2] * y).sum().real + abs(xs[1][2]) ** 2


@numba.njit
def of_complex_matrices(xs, y):
    return (xs[0] @ xs[1]).sum().imag * y + abs(xs[1].T[1, 2]) ** 2 + xs[0].real.sum() * xs[0][1, 1].imag


@numba.njit
def of_lists_of_complex_numbers(xs, y):
    total = 0.0
    for row in xs:
        for value in row:
            total += (value * value * y).imag + abs(row[0]) * value.real
    return total


@numba.njit
def of_arrays_without_axes(xs, y):
    return xs[0][()] * xs[1][()] ** 2 * y


@numba.njit
def one_item(x, y):
    return (x * x).sum() * y


@numba.njit
def of_calls(xs, y):
    return one_item(xs[0], y) + of_arrays(xs, y) * one_item(xs[2], 1.0)


@numba.njit(parallel=True)
def in_parallel(xs, y):
    total = 0.0
    for i in numba.prange(len(xs)):
        for value in xs[i]:
            total += value * value * y
    return total


@numba.njit
def of_a_list_and_indices(xs, indices, y):
    total = 0.0
    for index in indices:
        total += xs[index] ** 2 * y
    return total


NUMBERS = [0.3, 0.5, 0.7, 1.1]
CASES = [
    (of_numbers, (NUMBERS, 0.8)),
    (of_numbers, (List(NUMBERS), 0.8)),
    (with_a_local_copy, (NUMBERS, 0.8)),
    (of_arrays, (arrays(), 0.8)),
    (of_arrays, (List(arrays()), 0.8)),
    (of_matrices, (matrices(), 0.8)),
    (of_matrices, (List(matrices()), 0.8)),
    (of_transposes, ([np.asfortranarray(matrix) for matrix in matrices()], 0.8)),
    (of_transposes, ([matrix.T for matrix in matrices()], 0.8)),
    (of_lists, (lists(), 0.8)),
    (of_complex_numbers, ([1.0 + 2.0j, 3.0 - 0.5j], 0.8)),
    (of_complex_arrays, ([np.array([1.0 + 2.0j, 3.0j]), np.array([1.0, 0.5 - 1.0j, 2.0j])], 0.8)),
    (of_complex_matrices, ([(1.0 + 0.5j) * matrix for matrix in matrices()], 0.8)),
    (of_lists_of_complex_numbers, (List([List([1.0 + 2.0j]), List([0.5j, 2.0 + 1.0j])]), 0.8)),
    (of_arrays_without_axes, ([np.array(0.5), np.array(1.5)], 0.8)),
    (of_calls, (arrays(), 0.8)),
    (in_parallel, (arrays(), 0.8)),
    (in_parallel, ([np.arange(8.0)[::4], np.arange(1.0, 8.0)[::3]], 0.8)),
    (of_a_list_and_indices, (NUMBERS, [0, 2, 2], 0.8)),
]
parametrized = pytest.mark.parametrize(("function", "arguments"), CASES, ids=lambda part: getattr(part, "__name__", ""))


def assert_same(result, expected):
    assert type(result) is type(expected)
    if isinstance(result, (list, tuple)):
        assert len(result) == len(expected)
        for part, other in zip(result, expected, strict=True):
            assert_same(part, other)
    else:
        np.testing.assert_allclose(result, expected, rtol=1e-10, atol=1e-12)


@parametrized
def test_gradients_and_tangents_are_central_differences(function, arguments):
    before = repr(arguments)
    assert fg.check_gradients(function, *arguments) is None
    assert repr(arguments) == before


@parametrized
def test_both_ways_agree(function, arguments):
    _nrt_python.memsys_enable_stats()
    assert differences(function, arguments) == []


@numba.njit
def square(x):
    return x * x


@fg.adjoint(square)
def wrong_adjoint(g, result, x):
    return g * x  # the factor 2 is missing


@numba.njit
def of_a_wrong_adjoint(xs, rows):
    return square(xs[0]) * rows[0] + square(rows[1])


def test_a_wrong_gradient_of_a_list_is_found():
    with pytest.raises(AssertionError, match=r"with respect to rows\[1\] differ"):
        fg.check_gradients(of_a_wrong_adjoint, [0.5, 1.5], [0.5, 1.5], argnums=1)


@pytest.mark.parametrize("make", [list, List])
def test_the_gradient_is_a_list_of_the_same_shapes(make):
    assert_same(fg.grad(of_a_list_and_indices)(make([0.5, 1.5]), [0, 1, 1], 2.0), [2.0, 12.0])
    value, (by_list, by_number) = fg.value_and_grad(one_item_of, (0, 1))(make(arrays()), 2.0)
    assert_same(by_list, [np.array([2.0, 6.0]), np.zeros(3), np.zeros(1)])
    assert (value, by_number) == (5.0, 2.5)
    singles = make([x.astype(np.float32) for x in arrays()])
    assert [part.dtype for part in fg.grad(one_item_of)(singles, 2.0)] == [np.float32] * 3
    assert fg.grad(of_lists)(lists(), 0.0) == [[0.0, 0.0], [0.0], [0.0, 0.0, 0.0]]


@numba.njit
def one_item_of(xs, y):
    return one_item(xs[0], y)


@numba.njit
def length(xs, y):
    return len(xs) * y


def test_a_list_that_is_not_read_has_the_gradient_0():
    assert fg.grad(length)(NUMBERS, 2.0) == [0.0] * 4
    assert_same(fg.grad(length)(arrays(), 2.0), [np.zeros(2), np.zeros(3), np.zeros(1)])


@numba.njit
def with_aux(xs, y):
    return xs[0][1] * y, len(xs)


def test_gradients_with_other_results():
    gradient, aux = fg.grad(with_aux, has_aux=True)(arrays(), 2.0)
    assert_same(gradient, [np.array([0.0, 2.0]), np.zeros(3), np.zeros(1)])
    assert aux == 3


@numba.njit
def total_of(xs, y):
    total = y
    for x in xs:
        total += x * y
    return total


def test_lists_of_lists_of_arrays_have_no_derivative():
    nested = List([List([np.ones(2)])])
    with pytest.raises(DifferentiationError, match=r"has no derivative. Pass a list of floats .*tuple\(xs\)"):
        fg.grad(length)(nested, 2.0)
    assert fg.vjp(length, NUMBERS, 2.0)[1](1.0) == ([0.0] * 4, 4.0)


@numba.experimental.jitclass([("scale", numba.float64), ("items", numba.types.ListType(numba.float64))])
class WithAList:
    def __init__(self, scale, items):
        self.scale = scale
        self.items = items


@numba.njit
def of_an_instance(instance, y):
    return instance.scale**2 * y


def test_lists_that_are_fields_of_instances_have_no_derivative():
    gradient = fg.grad(of_an_instance)(WithAList(1.5, List(NUMBERS)), 2.0)
    assert gradient._asdict() == {"scale": 6.0}


def test_empty_lists():
    empty = List.empty_list(numba.float64)
    assert fg.grad(total_of, (0, 1))(empty, 2.0) == ([], 1.0)
    assert fg.jvp(total_of, (empty, 2.0), ([], 3.0)) == (2.0, 3.0)
    assert fg.vjp(total_of, empty, 2.0)[1](1.0) == ([], 1.0)
    no_arrays = List.empty_list(numba.float64[::1])
    assert fg.grad(length, (0, 1))(no_arrays, 2.0) == ([], 0.0)
    assert fg.jvp(length, (no_arrays, 2.0), (None, 1.0)) == (0.0, 0.0)


@numba.njit
def list_of_products(xs, y):
    return [x * y for x in xs]


@numba.njit
def list_in_a_tuple(xs, y):
    return y, (xs, 1.0)


@numba.njit
def typed_list_of_numbers(xs, y):
    result = List()
    result.append(xs[0] * y)
    return result


@numba.njit
def dictionary(xs, y):
    return {1: xs[0] * y}


@pytest.mark.parametrize("function", [list_of_products, list_in_a_tuple, typed_list_of_numbers, dictionary])
def test_lists_and_dictionaries_as_results_are_refused(function):
    xs = [0.5, 1.5]
    for derivative in (
        lambda: fg.vjp(function, xs, 0.8),
        lambda: fg.jvp(function, (xs, 0.8), (xs, 0.0)),
        lambda: fg.jvp(function, argnums=1)(xs, 0.8, 1.0),
    ):
        with pytest.raises(DifferentiationError, match="lists and dictionaries have no tangents .* Return a tuple"):
            derivative()


@numba.njit
def none_or_square(x, n):
    return x * x if n > 2 else None


@numba.njit
def none_in_a_tuple(x, n):
    return x, none_or_square(x, n)


@pytest.mark.parametrize(
    "derivative",
    [
        lambda: fg.vjp(none_or_square, 2.0, 3)[1](1.0),
        lambda: fg.vjp(none_in_a_tuple, 2.0, 1)[1]((1.0, None)),
        lambda: fg.jvp(none_in_a_tuple, (2.0, 3), (1.0, None)),
        lambda: fg.value_and_grad(none_in_a_tuple, has_aux=True)(2.0, 3),
    ],
)
def test_results_that_may_be_none_are_refused(derivative):
    with pytest.raises(
        DifferentiationError, match="a value that may be None.*Return a number or an array in all cases"
    ):
        derivative()


def product(tangents, gradient):
    """Returns the scalar product of two lists."""
    return sum(np.sum(np.asarray(t) * g) for t, g in zip(tangents, gradient, strict=True))


@pytest.mark.parametrize("make", [list, List])
def test_pullbacks_and_tangents_take_and_return_lists(make):
    xs, t = make(arrays()), [np.array([1.0, -2.0]), np.array([0.5, 1.0, 2.0]), np.array([-1.0])]
    value, pull = fg.vjp(of_arrays, xs, 0.8)
    by_list, by_number = pull(2.0)
    assert_same(by_list, [2.0 * part for part in fg.grad(of_arrays)(xs, 0.8)])
    expected = product(t, by_list) / 2.0
    for tangent in (t, make(t), tuple(t), [part.tolist() for part in t]):
        assert fg.jvp(of_arrays, (xs, 0.8), (tangent, 0.0)) == pytest.approx((value, expected), rel=1e-13)
    assert fg.jvp(of_arrays, argnums=0)(xs, 0.8, make(t)) == pytest.approx((value, expected), rel=1e-13)
    assert fg.jvp(of_arrays, (xs, 0.8), ([None, t[1], None], 1.0))[1] == pytest.approx(
        t[1] @ by_list[1] / 2.0 + by_number / 2.0, rel=1e-13
    )
    assert fg.jvp(of_arrays, (xs, 0.8), (None, 1.0))[1] == pytest.approx(by_number / 2.0, rel=1e-13)
    assert fg.jvp(of_numbers, (make(NUMBERS), 0.8), ([1, 0, 2.0, 0], 0.0))[1] == pytest.approx(
        product([1, 0, 2, 0], fg.grad(of_numbers)(NUMBERS, 0.8)), rel=1e-13
    )


def test_tangents_of_lists_of_lists():
    gradient = fg.grad(of_lists)(lists(), 0.8)
    expected = sum(product(*rows) for rows in zip([[1, 2], [0], [0.0, 1.0, 1.0]], gradient, strict=True))
    tangent = fg.jvp(of_lists, (lists(), 0.8), ([[1, 2], None, [0.0, 1.0, 1.0]], 0.0))[1]
    assert tangent == pytest.approx(expected, rel=1e-13)


@numba.njit
def array_result(xs, y):
    return xs[0] * xs[1][0] * y, xs[1] * y


def test_results_may_be_arrays():
    xs, t = arrays(), [np.array([1.0, -2.0]), np.array([0.5, 1.0, 2.0]), np.array([-1.0])]
    result, pull = fg.vjp(array_result, xs, 0.8)
    seeds = np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0])
    pushed = fg.jvp(array_result, (xs, 0.8), (t, 0.0))
    assert_same(pushed[0], result)
    assert product(t, pull(seeds)[0]) == pytest.approx(product(seeds, pushed[1]), rel=1e-13)


@pytest.mark.parametrize(
    ("function", "xs", "vector"),
    [
        (of_numbers, NUMBERS, [1.0, -2.0, 0.5, 0.3]),
        (of_arrays, arrays(), [np.array([1.0, -2.0]), np.array([0.5, 1.0, 2.0]), np.array([-1.0])]),
        (of_matrices, matrices(), matrices()),
        (of_lists, lists(), List([List([1.0, 2.0]), List([3.0]), List([0.5, 0.2, 0.1])])),
    ],
)
def test_products_of_the_hessian(function, xs, vector):
    def shift(step):
        if isinstance(xs[0], float):
            return [x + step * v for x, v in zip(xs, vector, strict=True)]
        if isinstance(xs, List):
            return List(
                [List([x + step * v for x, v in zip(*rows, strict=True)]) for rows in zip(xs, vector, strict=True)]
            )
        return [x + step * v for x, v in zip(xs, vector, strict=True)]

    def flat(gradient):
        return np.concatenate([np.ravel(part) for part in gradient])

    step = 1e-5
    gradient = fg.grad(function)
    expected = (flat(gradient(shift(step), 0.8)) - flat(gradient(shift(-step), 0.8))) / (2.0 * step)
    result = fg.hvp(function)(xs, 0.8, vector)
    assert type(result) is list
    np.testing.assert_allclose(flat(result), expected, rtol=1e-7, atol=1e-7)


@numba.njit
def of_a_tuple(parts, y):
    xs, factor, matrices = parts
    return of_arrays(xs, y) * factor + of_matrices(matrices, factor)


def test_lists_in_tuples():
    parts = (arrays(), 1.5, matrices())
    by_parts = fg.grad(of_a_tuple)(parts, 0.8)
    by_arrays, by_factor = fg.grad(lambda xs, factor: of_arrays(xs, 0.8) * factor, (0, 1))(arrays(), 1.5)
    by_matrices, more = fg.grad(of_matrices, (0, 1))(matrices(), 1.5)
    assert_same(by_parts, (by_arrays, by_factor + more, by_matrices))
    assert_same(fg.vjp(of_a_tuple, parts, 0.8)[1](1.0)[0], by_parts)
    expected = product(arrays(), by_arrays) + 2.0 * by_parts[1]
    assert fg.jvp(of_a_tuple, (parts, 0.8), ((arrays(), 2.0, None), 0.0))[1] == pytest.approx(expected, rel=1e-13)
    assert fg.jvp(of_a_tuple, argnums=0)(parts, 0.8, (arrays(), 2.0, [0.0 * x for x in matrices()]))[
        1
    ] == pytest.approx(expected, rel=1e-13)


def test_one_array_twice_in_a_list_has_two_gradients():
    x = np.array([0.5, 1.5])
    gradient = fg.grad(of_arrays)([x, x, x], 0.8)
    assert_same(gradient, fg.grad(of_arrays)([x.copy(), x.copy(), x.copy()], 0.8))
    assert not np.may_share_memory(gradient[0], gradient[1])
    total = fg.grad(lambda x, y: of_arrays([x, x, x], y))(x, 0.8)
    np.testing.assert_allclose(sum(gradient), total, rtol=1e-13)


@numba.njit
def array_beside_a_list(xs, x):
    return (xs[0] * x).sum() + xs[1][0]


@numba.njit
def written_array_beside_a_list(xs, x):
    x[0] = xs[0][1] * 2.0
    return (xs[0] * x).sum()


def test_an_item_that_is_another_argument():
    x = np.array([0.5, 1.5])
    by_list, by_array = fg.grad(array_beside_a_list, (0, 1))([x, np.ones(2)], x)
    assert_same((by_list, by_array), ([x, np.array([1.0, 0.0])], x))
    by_list, by_array = fg.grad(written_array_beside_a_list, (0, 1))([x.copy(), np.ones(2)], x.copy())
    assert_same((by_list, by_array), ([np.array([3.0, 1.0 + 1.5]), np.zeros(2)], np.array([0.0, 1.5])))
    for call in (
        lambda: fg.grad(written_array_beside_a_list)([x, np.ones(2)], x),
        lambda: fg.vjp(written_array_beside_a_list, [x, np.ones(2)], x),
        lambda: fg.jvp(written_array_beside_a_list, ([x, np.ones(2)], x), ([x, x], x)),
        lambda: fg.hvp(written_array_beside_a_list)([x, np.ones(2)], x, [x, x]),
    ):
        with pytest.raises(ValueError, match="share memory"):
            call()


@numba.njit
def replaces_an_item(xs, y):
    xs[0] = xs[1] * y
    return xs[0]


@numba.njit
def appends_an_item(xs, y):
    xs.append(y)
    return xs[0] * xs[-1]


@numba.njit
def writes_an_element(xs, y):
    xs[0][1] = y
    return xs[0][1] * xs[1][0]


@pytest.mark.parametrize(
    ("function", "xs"),
    [
        (replaces_an_item, NUMBERS),
        (replaces_an_item, List(NUMBERS)),
        (appends_an_item, NUMBERS),
        (writes_an_element, arrays()),
        (writes_an_element, List(arrays())),
    ],
)
def test_changes_of_the_list_are_refused(function, xs):
    before = repr(xs)
    for derivative in (
        lambda: fg.grad(function)(xs, 0.8),
        lambda: fg.jvp(function, argnums=0)(xs, 0.8, xs),
        lambda: fg.hvp(function)(xs, 0.8, xs),
        lambda: fg.vjp(function, xs, 0.8)[1](1.0),
    ):
        with pytest.raises(DifferentiationError, match="is an argument and is changed here, .*change a copy"):
            derivative()
    assert repr(xs) == before


def test_tangents_of_other_shapes_are_errors():
    xs = arrays()
    for tangent in (xs[:2], [xs[1], xs[0], xs[2]], [*xs, xs[0]]):
        for call in (
            lambda tangent: fg.jvp(of_arrays, argnums=0)(xs, 0.8, tangent),
            lambda tangent: fg.jvp(of_arrays, (xs, 0.8), (tangent, 0.0)),
            lambda tangent: fg.hvp(of_arrays)(xs, 0.8, tangent),
        ):
            with pytest.raises(ValueError, match="pass a list of tangents"):
                call(tangent)
    for short in ([1.0], NUMBERS * 2):
        with pytest.raises(ValueError, match="pass a list of tangents"):
            fg.hvp(of_numbers)(NUMBERS, 0.8, short)
    rows = List([List([0.5]), List([1.5, 0.3]), List([0.2, 0.9, -0.4])])
    with pytest.raises(ValueError, match="pass a list of tangents"):
        fg.hvp(of_lists)(lists(), 0.8, rows)
    with pytest.raises(ValueError, match="the tangent of the list xs is of the shape"):
        fg.jvp(of_arrays, (xs, 0.8), ([1.0, 2.0, 3.0], 0.0))
    with pytest.raises(ValueError, match="the tangent of the list xs is 3.0, for 3 items"):
        fg.jvp(of_arrays, (xs, 0.8), (3.0, 0.0))


@pytest.mark.parametrize("tangent", [1.0, [np.ones(1)], [1j, 2j], (1.0, 2.0)])
def test_tangents_of_other_types_are_errors(tangent):
    for derivative in (fg.jvp(total_of, argnums=0), fg.hvp(total_of)):
        with pytest.raises(DifferentiationError, match="for a list of type .*Pass a list of as many items"):
            derivative([0.5, 1.5], 0.8, tangent)
    with pytest.raises(TypeError, match="no complex tangent"):
        fg.jvp(total_of, ([0.5, 1.5], 0.8), ([1j, 2.0], 0.0))


@pytest.mark.parametrize("matrix", [fg.jacobian, fg.hessian])
def test_matrices_of_derivatives_by_lists_are_refused(matrix):
    for xs, function in ((arrays(), of_arrays), (NUMBERS, of_numbers)):
        with pytest.raises(DifferentiationError, match="the argument xs is a list.*pass its items one by one"):
            matrix(function)(xs, 0.8)


grad_of_arrays = fg.grad(of_arrays)


@numba.njit
def descend(xs, y, steps):
    for _ in range(steps):
        gradient = grad_of_arrays(xs, y)
        for x, g in zip(xs, gradient):  # noqa: B905  # Numba knows no strict
            x -= 0.01 * g
    return fg.jvp(of_arrays, (xs, y), (gradient, 0.0)), fg.jvp(of_arrays, (xs, y), (None, 1.0))


def test_compiled_functions_call_gradients_of_lists():
    xs, expected = arrays(), arrays()
    (value, slope), (_, by_number) = descend(xs, 0.8, 3)
    for _ in range(3):
        gradient = fg.grad(of_arrays)(expected, 0.8)
        for x, g in zip(expected, gradient, strict=True):
            x -= 0.01 * g
    assert_same(xs, expected)
    assert value == pytest.approx(of_arrays(expected, 0.8), rel=1e-13)
    by_list, by_y = fg.grad(of_arrays, (0, 1))(expected, 0.8)
    assert slope == pytest.approx(product(gradient, by_list), rel=1e-12)
    assert by_number == pytest.approx(by_y, rel=1e-13)


@numba.njit
def of_a_gradient(xs, y):
    return grad_of_arrays(xs, y)[0][0]


def test_a_gradient_by_a_list_is_not_differentiated_again():
    with pytest.raises(DifferentiationError, match="the items of lists as arguments of their own"):
        fg.grad(of_a_gradient)(arrays(), 0.8)
