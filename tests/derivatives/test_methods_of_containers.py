"""Methods of lists and dictionaries, their keyword arguments, and lists and dictionaries that are made of others."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba.typed import List

import fastgrad as fg
from fastgrad.errors import DifferentiationError
from tests.derivatives.interpreted import value_and_gradients

X = 1.3


def set_defaults(x):
    values = {1: x * x}
    first = values.setdefault(1, 5.0)
    second = values.setdefault(2, default=3.0 * x)
    return first * second + values[2] * len(values)


def default_of_an_empty_dictionary(x):
    values = {(0, "a"): x}
    values.pop((0, "a"))
    values.setdefault((1, "b"), x * x)
    return values[(1, "b")] * values.setdefault((1, "b"), 7.0)


def updated_dictionary(x):
    values = {(1, "a"): x, (3, "c"): 2.0 * x}
    values.update({(1, "a"): x * x, (2, "b"): 3.0 * x})
    return values[(1, "a")] * values[(2, "b")] * values[(3, "c")] * len(values)


def popped_with_defaults(x):
    values = {1: x, 2: x * x}
    return values.pop(3, 3.0 * x) * values.pop(2, 5.0) + len(values) * values.pop(1, 2.0) + len(values) * x


def dictionary_of_pairs(x):
    pairs = [(1, x)]
    pairs.append((2, x * x))
    rows = (1, x), (5, 2.0 * x)
    values, others = dict(pairs), dict(rows)
    return values[1] * values[2] * len(values) + others[5] * len(others)


def dictionary_of_arrays(x):
    arrays = {1: np.ones(2) * x, 4: np.ones(3) * x * x}
    arrays[1] = arrays[4][:2] * 3.0
    arrays.setdefault(4, np.zeros(1))
    total = arrays.pop(4).sum()
    for key, array in arrays.items():
        total += array.sum() * key * len(arrays)
    return total * (4 in arrays or 1 in arrays)


def dictionary_of_tuples_of_arrays(x):
    pairs = {}
    for k in range(3):
        pairs[(k, "a")] = (np.arange(k + 1.0) * x, x * k)
    array, number = pairs[(2, "a")]
    return array.sum() * number + sum([values[0][-1] * values[1] for values in pairs.values()])


def counted(x):
    values = [x, 2.0, x, x * x]
    return x * values.count(x) + x * x * [1, 2, 2].count(2.5) + x**3 * [1, 2, 2].count(2.0)


def indices(x):
    values = [x, x * x, x]
    return x * values.index(x, 1) + x * x * values.index(x * x, -2, 5) + x * values.index(x)


def removed(x):
    values = [x, x * x, x, 3.0 * x]
    values.remove(x)
    values.remove(3.0 * x)
    return values[0] * values[1] + len(values) * x


def removed_from_a_typed_list(x):
    values = List()
    for k in range(4):
        values.append(x * k)
    values.remove(x * 2)
    return values[2] * values[1] + values.index(x * 3) * x


def deleted(x):
    values, rows, arrays = [x, x * x, 3.0 * x], [(x, 1)], [np.ones(2) * x]
    rows.append((x * x, 2))
    arrays.append(np.ones(3) * x * x)
    del values[-1], values[0], rows[0], arrays[0]
    return values[0] * len(values) + rows[0][0] * rows[0][1] + arrays[0].sum() * len(arrays)


def sorted_list(x):
    values = [3.0 * x, x]
    values.append(2.0 * x)
    values.sort()
    return values[0] * 2.0 + values[1] ** 2 + values[2] ** 3


def sorted_backwards(x):
    values, others = [3.0 * x, x, 2.0 * x], List([3.0 * x, x, 2.0 * x])
    values.sort(reverse=True)
    others.sort(None, True)
    return values[0] * 2.0 + values[1] ** 2 + values[2] ** 3 + others[1]


def sorted_copies(x):
    values = [3.0 * x, x, 2.0 * x]
    first, second, third = sorted(values), sorted(values, reverse=True), sorted(np.array(values))
    return first[0] * 2.0 + second[0] ** 2 + third[1] ** 3 + values[0] ** 4 + sorted([3, 1, 2])[1] * x


def copies_of_lists(x):
    rows, arrays = [(x, 1)], List()
    rows.append((x * x, 2))
    arrays.append(np.ones(2) * x)
    first, second, third = list(rows), List(arrays), list([(x, 3.0), (x * x, 4.0)])  # noqa: C410  # it is what is tested
    rows.pop()
    arrays.pop()
    third.append((x, x))
    return first[1][0] * len(first) + second[0].sum() * len(second) + third[2][1] * len(third)


def listed_iterators(x):
    numbers, values = {1: x, 3: x * x}, [x, 2.0 * x, x * x]
    items, keys, total = list(numbers.items()), list(numbers.keys()), 0.0
    for first, second in list(zip(values, numbers.values())):  # noqa: B905  # Numba has no strict
        total += first * second
    for k, value in List(enumerate(values, 2)):
        total += k * value
    return total * items[1][0] * items[1][1] * keys[1] + list(numbers)[1] * list(numbers.values())[1]


def dictionaries_of_iterators(x):
    values = [x, x * x, 3.0]
    first, second = dict(zip((3, 5), values)), dict(enumerate(values))  # noqa: B905  # Numba has no strict
    third = {k + 1: value * x for k, value in second.items()}
    values.extend(third.values())
    values.extend(range(2))
    return first[5] * second[0] + third[3] * values[4] * len(values)


@numba.njit
def _distance(value):
    return (value - 2.5) ** 2


@numba.njit
def _second(row):
    return row[1]


def sorted_by_keys(x):
    values, rows = [3.0 * x, x, 2.0 * x], [(x, 2), (x * x, 1), (3.0, 3)]
    others = sorted(values, key=_distance)
    ordered = sorted(rows, key=_second, reverse=True)
    values.sort(key=_distance, reverse=x > 1.0)
    rows.sort()
    return values[0] * values[1] ** 2 + others[0] * ordered[0][0] * ordered[1][0] ** 2 + rows[0][0] * rows[2][1]


def sorted_by_a_computed_order(x):
    values = [3.0 * x, x, x * x]
    values.sort(reverse=x > 1.0)
    return values[0] + 2.0 * values[1] ** 2


@numba.njit
def _product(first, second):
    return first * second


@numba.njit
def _is_large(value):
    return value > 1.5


def mapped_and_filtered(x):
    values, total = [x, x * x, 3.0 * x], 0.0
    for value in map(_distance, values):
        total += value
    products, large = list(map(_product, values, values)), list(filter(_is_large, values))
    return total * products[0] + large[0] * len(large) + sum(values, x * x) + sum((x, 2.0), x)


def optional_values(x):
    values = {1: x, 2: x * x, 3: x**3}
    found, missing = values.get(2), values.get(7)
    result = values[3] * len(values.copy()) + x
    if found is not None:
        result += found * found
    if missing is not None:
        result += missing
    return result


def view_of_a_dictionary(x):
    numbers, total = {1: x, 2: x * x}, 0.0
    values = numbers.values()
    numbers[3] = x**3
    for value in values:
        total += value * value
    return total * len(values)


FUNCTIONS = [
    *(
        listed_iterators,
        dictionaries_of_iterators,
        sorted_by_keys,
        sorted_by_a_computed_order,
    ),
    *(mapped_and_filtered, optional_values, view_of_a_dictionary),
    *(set_defaults, default_of_an_empty_dictionary, updated_dictionary, popped_with_defaults, dictionary_of_pairs),
    *(dictionary_of_arrays, dictionary_of_tuples_of_arrays),
    *(counted, indices, removed, removed_from_a_typed_list, deleted, sorted_list, sorted_backwards, sorted_copies),
    copies_of_lists,
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_derivatives_are_those_of_differences(function):
    compiled, h = numba.njit(function), 1e-5
    value, slope = fg.value_and_grad(compiled)(X)
    assert value == compiled(X)
    assert slope == pytest.approx((compiled(X + h) - compiled(X - h)) / (2 * h), rel=1e-8)
    assert fg.jvp(compiled, (X,), (1.0,))[1] == pytest.approx(slope, rel=1e-14)
    second = (fg.grad(compiled)(X + h) - fg.grad(compiled)(X - h)) / (2 * h)
    assert fg.hvp(compiled)(X, 1.0) == pytest.approx(second, rel=1e-6, abs=1e-8)


def missing_index(x):
    return x * [x, 2.0].index(3.0)


def missing_item(x):
    values = [x, 2.0]
    values.remove(3.0)
    return values[0]


@pytest.mark.parametrize("function", [missing_index, missing_item])
def test_an_item_that_a_list_lacks_is_an_error(function):
    with pytest.raises(ValueError, match="not in list"):
        fg.grad(numba.njit(function))(X)


def popped_by_keyword(x):
    values = List()
    values.append(x)
    values.append(x * x)
    return values.pop(index=0)


def index_by_keyword(x):
    values = [x, x * x, x]
    return x * values.index(x, start=1)


def zip_in_two_loops(x):
    pairs, total = zip((x, 2.0), (x, x)), 0.0  # noqa: B905  # Numba has no strict
    for first, second in pairs:
        total += first * second
    for first, second in pairs:
        total += first * second
    return total


def indices_in_a_loop(x):
    places, total = np.ndindex(2, 2), 0.0
    for _ in range(3):
        for i, j in places:
            total += (i + j) * x
    return total


def elements_in_a_loop(x):
    elements, total = (np.ones((2, 2)) * x).flat, 0.0
    for _ in range(3):
        for element in elements:
            total += element
    return total


def enumerated_list_that_grows(x):
    values, total = [x, x * x], 0.0
    for k, value in enumerate(values):
        total += value
        if k < 3:
            values.append(value * x)
    return total


def list_that_grows_after_zip(x):
    values, total = [x, x * x], 0.0
    pairs = zip(values, (x, x, x))  # noqa: B905  # Numba has no strict
    values.append(x)
    for first, second in pairs:
        total += first * second
    return total


def assigned_slice(x):
    values = [x, x * x]
    values[1:] = values
    return values[1]


def deleted_slice(x):
    values = [x, x * x]
    del values[1:]
    return values[0]


def equal_dictionaries(x):
    return x * ({1: x} == {1: x})


def newest_item(x):
    return {1: x}.popitem()[1]


def union_of_sets(x):
    first, second = {1, 2}, {3, 4}
    return x * len(first | second)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (zip_in_two_loops, "an iterator that may have been gone through before"),
        (indices_in_a_loop, "an iterator that may have been gone through before"),
        (elements_in_a_loop, "an iterator that may have been gone through before"),
        (enumerated_list_that_grows, "a list whose length changes in a loop over it"),
        (list_that_grows_after_zip, "an iterator over a list whose length changes before the loop"),
        (assigned_slice, "assignment to a slice of a list can't be differentiated: assign the items one by one"),
        (deleted_slice, "del of an item of a list like this can't be differentiated: delete the items one by one"),
        (equal_dictionaries, "eq of a dictionary can't be differentiated: compare"),
        (newest_item, "the method popitem of a dictionary can't be differentiated"),
        (union_of_sets, "or_ of a set can't be differentiated: compare, add or remove the keys one by one"),
        (popped_by_keyword, "keyword index: pass it by position"),
        (index_by_keyword, "keyword start: pass it by position"),
    ],
)
def test_what_was_wrong_or_empty_is_refused(function, reason):
    with pytest.raises(DifferentiationError, match=reason):
        fg.grad(numba.njit(function))(X)


@numba.njit
def sum_of_a_sorted_list(x, is_reversed):
    values, total = [value * 1.0 for value in x], 0.0
    values.sort(reverse=is_reversed)
    for i, value in enumerate(values):
        if value == value:  # else it is NaN
            total += (i + 1) * value * value
    return total


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_sort_leaves_items_with_nan_in_the_order_of_numba(is_reversed):
    """No order is right where NaN is compared; `np.sort` puts it last, the sort of a list does not."""
    arguments = (np.array([1.3, 0.7, np.nan, 2.1, 0.4, np.nan, 1.9, -0.5]), is_reversed)
    value, (slope,) = value_and_gradients(sum_of_a_sorted_list, arguments, 1.0, (0,))
    assert value == sum_of_a_sorted_list(*arguments)
    h, places = 1e-5, np.flatnonzero(~np.isnan(arguments[0]))
    for place in places:
        step = h * (np.arange(8) == place)
        moved = [sum_of_a_sorted_list(arguments[0] + sign * step, is_reversed) for sign in (1, -1)]
        assert slope[place] == pytest.approx((moved[0] - moved[1]) / (2 * h), rel=1e-7)
    np.testing.assert_array_equal(np.delete(slope, places), 0.0)


def number_as_key(x, k):
    values = {0.0: x, 1.0: x * x}
    values[k] = 5.0 * x
    return values[0.0] * 3.0 + len(values)


def absent_zero(x, k):
    values = {0.0: x, 1.0: x * x}
    return values[k] * 3.0


def keys_in_order(x, k):
    values = {k: x}
    values[0.0] = 2 * x
    total = 0.0
    for key in values:
        total = 2.0 * total + np.copysign(1.0, key)
    return total * x


def tuple_as_key(x, k):
    values = {(1.0, 0.0): x}
    values[(1.0, k)] = x * x
    return x * len(values) + (x if (1.0, k) in values else 0.0)


def set_with_a_zero(x, k):
    numbers = {1.0, 0.0}
    numbers.add(k)
    total = 0.0
    for number in sorted(numbers):
        total += np.copysign(1.0, number)
    return total * x + len(numbers)


def set_of_tuples(x, k):
    pairs = {(1.0, 0.0), (0.0, 1.0)}
    pairs.add((1.0, k))
    return x * len(pairs)


def set_with_an_array(x, k):
    numbers = {k}
    numbers.update(np.array([0.0, 1.0]))
    total = 0.0
    for number in sorted(numbers):
        total += np.copysign(1.0, number)
    return total * x


@pytest.mark.parametrize(
    "function",
    [number_as_key, absent_zero, keys_in_order, tuple_as_key, set_with_a_zero, set_of_tuples, set_with_an_array],
)
@pytest.mark.parametrize("k", [0.0, -0.0])
def test_zeros_of_both_signs_are_keys_as_numba_has_them(function, k):
    compiled = numba.njit(function)
    try:
        wanted = compiled(2.0, k)
    except KeyError:
        for derivative in (fg.value_and_grad(compiled), lambda x, k: fg.jvp(compiled)(x, k, 1.0)):
            with pytest.raises(KeyError):
                derivative(2.0, k)
        return
    value, gradient = fg.value_and_grad(compiled)(2.0, k)
    assert (value, gradient) == fg.jvp(compiled)(2.0, k, 1.0)
    assert value == wanted
    np.testing.assert_allclose(gradient, compiled(2.5, k) - compiled(1.5, k), rtol=1e-12)  # quadratic at the most
