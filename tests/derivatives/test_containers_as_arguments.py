"""Lists and dictionaries as constant arguments. ``test_gradients_of_lists.py`` has derivatives by lists."""

import numba
import numpy as np
import pytest
from numba.typed import Dict, List

import fastgrad as fg
from fastgrad.errors import DifferentiationError

pytestmark = pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaPendingDeprecationWarning")
X = np.array([0.5, 1.5])


def ragged():
    return [np.array([1.0, 2.0]), np.array([3.0, -4.0, 5.0])]


def dictionary():
    values = Dict.empty(numba.int64, numba.float64)
    values[1], values[2], values[5] = 2.0, 3.0, 0.3
    return values


@numba.njit
def of_arrays(subjects, x):
    total, best = 0.0, subjects[0]
    for number, subject in enumerate(subjects):
        for value in subject:
            total += x[number % 2] * value * value
        if subject.sum() > best.sum():
            best = subject
    return total * len(subjects) + subjects[-1][0] * x[0] + subjects[0] @ x + best[-1] * x[1] ** 2


@numba.njit
def of_two_lists(subjects, weights, x):
    total = 0.0
    for subject, weight in zip(subjects, weights):  # noqa: B905  # Numba knows no strict
        total += np.exp(x[0] * subject).sum() * weight * x[1]
    return total


@numba.njit
def of_matrices(matrices, x):
    total = 0.0
    for matrix in matrices:
        total += (matrix[1] * x[0] ** 2).sum() + (matrix.T[0] * x).sum()
    return total


@numba.njit
def of_lists(rows, x):
    total = 0.0
    for row in rows:
        for value in row:
            total += value * x[0] ** 2
    return total * len(rows[0])


@numba.njit
def of_numbers(numbers, x):
    copy = numbers.copy()
    copy.append(numbers[0])
    copy[0] = numbers[1]
    return copy[0] * copy[-1] * x[0] ** 2 + len(copy) * sum(numbers) * x[1]


@numba.njit
def of_indices(parents, x):
    total = 0.0
    for parent in parents:
        total += x[parent] * x[parents[0]]
    return total + np.array(parents).sum() * x[1]


of_complex_numbers = numba.njit(lambda numbers, x: (numbers[0] * x[0]).real * numbers[1].imag * x[1])


@numba.njit
def of_complex_arrays(arrays, x):
    total = (arrays[0] * arrays[1][:2] * x[0]).sum().real + abs(arrays[1][2]) ** 2 * x[1]
    for array in arrays:
        total += array.imag.sum() * x[1] ** 2 + array[0].real * x[0] ** 2
    return total


@numba.njit
def of_dictionary(values, x):
    total = 0.0
    for key, value in values.items():
        total += value * x[key % 2] ** 2 * key
    if 1 in values:
        total *= values[1] * x[0]
    return total + values.get(9, 2.0) * x[1] + len(values) + values[2]


@numba.njit
def of_arrays_by_key(arrays, x):
    total = np.sum(arrays[hash((3, True))] * x[0] ** 2)
    for key, array in arrays.items():
        total += np.sum(array[0]) * x[1] * (key % 3)
    return total * len(arrays)


def arrays_by_key():
    arrays = Dict.empty(numba.int64, numba.float64[:, :])
    for size in (3, 4):
        arrays[hash((size, True))] = np.arange(2.0 * size).reshape(2, size)
    return arrays


@numba.njit
def of_pairs_by_key(pairs, x):
    first, second = pairs[2]
    return first @ x * second + (pairs[5][0] if 5 in pairs else first) @ x * x[0]


def pairs_by_key():
    pairs = Dict.empty(numba.int64, numba.types.Tuple((numba.float64[::1], numba.float64)))
    pairs[2], pairs[5] = (X * 3.0, 2.0), (X * 4.0, 0.5)
    return pairs


@numba.njit
def of_tuples(rows, x):
    total = 0.0
    for number, (array, weight) in rows:
        total += x[number] ** 2 * weight * array.sum()
    return total + rows[-1][1][0] @ x


of_pairs = numba.njit(lambda pairs, x: pairs[0][1] * x[0])
of_tuple = numba.njit(lambda parts, x: parts[0][1] @ parts[0][1] * x[0] ** 2 * parts[1])


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (of_arrays, (ragged(),)),
        (of_arrays, (List(ragged()),)),
        (of_two_lists, (ragged(), [0.5, 1.5])),
        (of_matrices, ([np.arange(4.0).reshape(2, 2), np.arange(6.0).reshape(2, 3)],)),
        (of_matrices, ([np.asfortranarray(np.arange(6.0).reshape(2, 3))],)),
        (of_lists, (List([List([1.0, 2.0]), List([3.0])]),)),
        (of_numbers, ([1.5, 2.5],)),
        (of_numbers, (List([1, 2, 3]),)),
        (of_indices, ([1, 0, 1],)),
        (of_complex_numbers, ([1.0 + 2.0j, 3.0 + 1.0j],)),
        (of_complex_arrays, ([np.array([1.0 + 2.0j, 3.0j]), np.array([1.0, 0.5 - 1.0j, 2.0j])],)),
        (of_complex_arrays, (List([np.array([1.0 + 2.0j, 3.0j]), np.array([1.0, 0.5 - 1.0j, 2.0j])]),)),
        (of_dictionary, (dictionary(),)),
        (of_tuple, ((ragged(), 2.0),)),
        (of_arrays_by_key, (arrays_by_key(),)),
        (of_pairs_by_key, (pairs_by_key(),)),
        (of_tuples, ([(1, (X * 2.0, 0.5)), (0, (X * 3.0, 1.5))],)),
        (of_pairs, ([(1, 2), (3, 4)],)),
    ],
)
def test_containers_are_constant(function, arguments):
    before = repr(arguments)
    fg.check_gradients(function, *arguments, X, argnums=len(arguments))
    assert repr(arguments) == before


def test_other_transforms_take_lists():
    value, pull = fg.vjp(of_arrays, ragged(), X)
    by_list, slope = pull(1.0)
    np.testing.assert_allclose(by_list[1], fg.grad(of_arrays)(ragged(), X)[1], rtol=1e-14)
    np.testing.assert_allclose(slope, fg.grad(of_arrays, argnums=1)(ragged(), X), rtol=1e-14)
    assert fg.jvp(of_arrays, (ragged(), X), (None, X))[1] == pytest.approx(slope @ X)
    hessian = fg.hessian(of_arrays, 1)(ragged(), X)
    np.testing.assert_allclose(hessian, [[0.0, 0.0], [0.0, 10.0]], atol=1e-14)
    assert value == of_arrays(ragged(), X)


@numba.njit
def written_beside(subjects, x):
    x[0] = x[1] * 2.0
    return subjects[0] @ x + subjects[1][0] * x[0]


@pytest.mark.parametrize("make", [list, List])
def test_a_written_array_that_is_an_item_of_a_list_is_an_error(make):
    np.testing.assert_array_equal(fg.grad(written_beside, argnums=1)(make(ragged()), X.copy()), [0.0, 2.0 + 2.0 + 6.0])
    x = X.copy()
    for call in (
        lambda: fg.grad(written_beside, argnums=1)(make([x, ragged()[1]]), x),
        lambda: fg.jvp(written_beside, (make([x, ragged()[1]]), x), (None, X)),
        lambda: fg.vjp(written_beside, make([x, ragged()[1]]), x),
    ):
        with pytest.raises(ValueError, match="share memory"):
            call()


@numba.njit
def written_beside_pairs(pairs, x):
    x[0] = x[1] * 2.0
    return pairs[2][0] @ x


@pytest.mark.parametrize("make", [dict, list])
def test_a_written_array_within_a_dictionary_or_a_tuple_is_an_error(make):
    def pairs(x):
        if make is list:
            return [(X, 1.0)] * 2 + [(x, 2.0)]
        result = pairs_by_key()
        result[2] = (x, 2.0)
        return result

    x = X.copy()
    np.testing.assert_array_equal(fg.grad(written_beside_pairs, argnums=1)(pairs(X), x), [0.0, 2.0 * X[0] + X[1]])
    with pytest.raises(ValueError, match="share memory"):
        fg.grad(written_beside_pairs, argnums=1)(pairs(x), x)


@numba.njit
def item_is_written(subjects, x):
    subjects[1][0] = x[0]
    return subjects[0] @ x


@numba.njit
def item_is_written_in_a_loop(subjects, x):
    for subject in subjects:
        subject[:] = x[0]
    return subjects[0] @ x


@numba.njit
def item_is_replaced(subjects, x):
    subjects[0] = x
    return subjects[0] @ x


@numba.njit
def list_grows(subjects, x):
    subjects.append(x)
    return subjects[0] @ x


list_shrinks = numba.njit(lambda subjects, x: subjects.pop() @ x)


@numba.njit
def one_of_several_is_written(subjects, x):
    chosen = subjects[0] if x[0] > 0.0 else x
    chosen[0] = 3.0
    return chosen[0] * x[1]


@numba.njit
def number_is_assigned(numbers, x):
    numbers[0] = x[0]
    return numbers[0] * x[1]


@numba.njit
def list_is_reversed(numbers, x):
    numbers.reverse()
    return numbers[0] * x[1]


@numba.njit
def value_is_assigned(values, x):
    values[1] = x[0]
    return values[1] * x[1]


@numba.njit
def first_pair_is_replaced(pairs, x):
    pairs[0] = (x, 2.0)
    return pairs[0][0] @ x


of_named_arrays = numba.njit(lambda arrays, x: arrays["a"] @ x)


def named_arrays():
    arrays = Dict.empty(numba.types.unicode_type, numba.float64[::1])
    arrays["a"] = X
    return arrays


CHANGED = "is an argument and is changed here, .*change a copy"


@pytest.mark.parametrize(
    ("function", "container", "reason"),
    [
        (item_is_written, ragged(), rf"{CHANGED}.*tuple\(subjects\)"),
        (item_is_written_in_a_loop, List(ragged()), CHANGED),
        (item_is_replaced, ragged(), CHANGED),
        (list_grows, ragged(), CHANGED),
        (list_shrinks, List(ragged()), CHANGED),
        (one_of_several_is_written, ragged(), "copy the array"),
        (number_is_assigned, [1.0, 2.0], CHANGED),
        (list_is_reversed, [1.0, 2.0], CHANGED),
        (value_is_assigned, dictionary(), CHANGED),
        (first_pair_is_replaced, [(X, 1.0)], CHANGED),
        (of_named_arrays, named_arrays(), "as a named tuple"),
    ],
)
def test_what_is_refused_names_the_remedy(function, container, reason):
    for derivative in (
        lambda: fg.grad(function, argnums=1)(container, X),
        lambda: fg.jvp(function, argnums=1)(container, X, X),
    ):
        with pytest.raises(DifferentiationError, match=f"test_containers_as_arguments.py:.*{reason}"):
            derivative()


@pytest.mark.parametrize("container", [[1, 2], List([1, 2]), [(1.0, 2.0), (3.0, 4.0)]])
def test_a_derivative_by_a_list_without_floats_is_refused_with_the_remedy(container):
    with pytest.raises(
        DifferentiationError, match=r"Pass a list of floats .*, or a tuple of its items, tuple\(pairs\)"
    ):
        fg.grad(of_pairs)(container, X)


slope_by_x = fg.jvp(of_indices, argnums=1)


of_slope = numba.njit(lambda parents, x: slope_by_x(parents, x, x)[1])


def test_a_derivative_of_a_call_with_a_list_is_refused():
    with pytest.raises(DifferentiationError, match="with a list or a dictionary can't be differentiated: pass a tuple"):
        fg.grad(of_slope, argnums=1)([1, 0], X)


@numba.njit(parallel=True)
def of_arrays_in_parallel(subjects, x):
    total = 0.0
    for i in numba.prange(len(subjects)):
        for value in subjects[i]:
            total += value * x[0] ** 2 * x[i % 2]
    return total


sums = numba.njit(lambda first, subjects, x: (first[0] * x).sum() + (subjects[1][:2] * x * x).sum())
of_a_call = numba.njit(lambda subjects, x: sums(subjects, subjects, x) * len(subjects))


@pytest.mark.parametrize("function", [of_arrays_in_parallel, of_a_call])
def test_lists_are_passed_on(function):
    assert fg.check_gradients(function, ragged(), X, argnums=1) is None


@numba.njit
def written_by_another_name(x, y, z, flag):
    chosen = x if flag else y
    chosen[0] = z[1] * 2.0
    return (chosen * chosen).sum() + (z * z).sum()


def test_a_write_through_one_of_several_arrays_counts_for_shared_memory():
    x, y = X.copy(), X.copy()
    gradients = fg.grad(written_by_another_name, (0, 1, 2))(x, y, X.copy(), True)
    np.testing.assert_allclose(gradients, [[0.0, 3.0], [0.0, 0.0], [1.0, 3.0 + 8.0 * 1.5]])
    for call in (
        lambda: fg.grad(written_by_another_name, (0, 1, 2))(x, y, x, True),
        lambda: fg.jvp(written_by_another_name, (x, y, x, True), (X, X, X, None)),
        lambda: fg.vjp(written_by_another_name, x, y, x, True),
    ):
        with pytest.raises(ValueError, match="the arguments x and z share memory"):
            call()


@numba.njit
def with_a_prefix(a_numbers, x):
    a_numbers[0] = x[0]
    return a_numbers[0] * x[1]


def test_a_changed_list_has_the_name_of_the_parameter():
    with pytest.raises(DifferentiationError, match="the list or dictionary a_numbers, "):
        fg.grad(with_a_prefix, argnums=1)([1.0, 2.0], X)
