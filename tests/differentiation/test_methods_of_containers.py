"""Methods of lists and dictionaries, their keyword arguments, and lists and dictionaries that are made of others."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba.typed import List

import fastgrad as fg
from fastgrad.errors import DifferentiationError

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


FUNCTIONS = [
    *(set_defaults, default_of_an_empty_dictionary, updated_dictionary, popped_with_defaults, dictionary_of_pairs),
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


def list_of_items(x):
    values = {1: x}
    return x * len(list(values.items()))


def list_of_zip(x):
    values = [x, x]
    return x * len(list(zip(values, values)))  # noqa: B905  # Numba has no strict


def list_of_enumerate(x):
    values = [x, x]
    return x * len(list(enumerate(values)))


def sorted_tuples(x):
    rows = [(3.0 * x, 1)]
    rows.append((x, 2))
    return sorted(rows)[1][0]


_negative = numba.njit(lambda value: -value)


def sorted_by_key(x):
    return sorted([3.0 * x, x], key=_negative)[1]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (popped_by_keyword, "keyword index: pass it by position"),
        (index_by_keyword, "keyword start: pass it by position"),
        (list_of_items, "a list of a iterable"),
        (list_of_zip, "a list of a iterable"),
        (list_of_enumerate, "a list of a iterable"),
        (sorted_tuples, "sort of a list of tuples"),
        (sorted_by_key, "sort of a list can't be differentiated with a key"),
    ],
)
def test_what_was_wrong_or_empty_is_refused(function, reason):
    with pytest.raises(DifferentiationError, match=reason):
        fg.grad(numba.njit(function))(X)
