"""The language of functions that are differentiated: constructs beyond numbers and arrays, and what is refused."""

import math
from collections import namedtuple

import numba
import numpy as np
import pytest
from numba import njit

import fastgrad as fg
from fastgrad.errors import DifferentiationError

Pair = namedtuple("Pair", ["left", "right"])  # noqa: PYI024  # what programs for Numba use
BODY = np.dtype([("mass", np.float64), ("kind", np.int64)])
BODIES = np.array([(2.0, 1), (3.0, 0), (0.5, 1)], BODY)
NESTED = ((1.0, (2.0, 3.0)), np.array([0.5, 1.5]))
X = np.array([0.7, -1.3, 0.4])


def swapped_pair(x):
    pair = Pair(right=x[0] * x[1], left=x[2])
    for _ in range(2):
        pair = Pair(pair.right * x[0], pair.left)
    return pair.left * pair[1] + pair.left


def nested_constants(x):
    return x[0] * NESTED[0][1][0] * x[1] + x[2] * NESTED[1][1] * NESTED[0][0]


def rows_of_a_tuple(x):
    total = 0.0
    for part in (x, x[::-1] * 2.0, x * x):
        total += part[0] * part[2]
    return total


def sum_of_comprehension(x):
    return x[0] * sum([x[i] * x[i - 1] for i in range(2)])


def comprehension_in_loop(x):
    total = 0.0
    for t in range(3):
        rows = [x * t for t in range(3)]
        total += max([row[t] * x[0] for row in rows])
    return total


def comprehension_of_a_name_in_use(x):
    i = 2
    total = sum([x[i] for i in range(2)])
    return total * x[i]


def comprehensions_in_branches(x):
    """From Python 3.12 on the second one keeps a variable that has a value in the other branch alone."""
    if x[0] > 10.0:
        total = sum([item * x[0] for item in x])
    elif x[0] > -10.0:
        total = sum([item * x[1] for item in x])
    else:
        total = 0.0
    return total


def comprehension_in_comprehension(x):
    products = [[x[i] * x[j] for i in range(3)] for j in range(2)]
    return products[1][2] + len([1 for _ in range(2)]) * x[1]


@njit
def total_of(first, *rest):
    total = first
    for value in rest:
        total = total * value + 1.0
    return total


def starred(x):
    values = (x[0], x[1], x[2])
    return total_of(*values) * total_of(x[0], x[1]) + total_of(2.0, x[1], 3.0)


def list_that_grows_and_shrinks(x):
    stack = [x[0]]
    for k in range(20):
        stack.append(stack[-1] * x[k % 3] + 0.1)
        if k % 3 == 2:
            stack.pop(0)
    stack.insert(1, x[1])
    stack.extend(x)
    stack.reverse()
    stack[2] *= stack[0]
    total = 0.0
    for i, value in enumerate(stack):
        total += value * (i + 1)
    return total + sum(stack[1:4]) * len(stack)


@njit
def pushed(values, value):
    values.append(value * values[0])
    return values


def list_that_a_helper_changes(x):
    values = [x[0]]
    same = values
    for value in x:
        pushed(values, value)
    return (np.array(same) ** 2).sum() * values[-1]


def list_in_each_iteration(x):
    total = 0.0
    for i in range(3):
        values = [0.5] * 2
        for k in range(i + 1):
            values.append(x[k] * values[k])
        total += values[-1] * values[i] * x[i]
    return total


def table_of_a_list(x):
    weights = [value * value for value in x if value < 0.6] + [x[0]]
    return np.array(weights).sum() * weights[0]


def record_fields(x, bodies):
    total = 0.0
    for body in bodies:
        total += body.mass * x[body.kind] ** 2
    own = np.zeros((2, 2), BODY)
    own[1, 0].mass = x[0] * x[1]
    own[1]["mass"][1] = own[1, 0].mass * x[2]
    return total + own["mass"].sum() * own[1, 1].mass


def largest(x):
    best = None
    for value in x:
        if best is None or value > best:
            best = value
    return best * best * x[0]


def classes_and_texts(x, kind):
    if kind == "square":
        return x[0] * x[0] + (x[1] if isinstance(x[0], float) else 5.0)
    return x[1] if len("abc") == 3 else x[2]


def parts_of_a_float(x):
    mantissa, exponent = math.frexp(x[0] * 100.0)
    quotient, rest = divmod(x[1], x[2])
    return math.ldexp(mantissa, 3) * exponent + quotient * rest + math.gamma(x[0] + 2.0)


def searched(x):
    total = 0.0
    for i in range(3):
        if x[i] < -1.0:
            break
        total += x[i] * x[i]
    else:
        total = 100.0
    while total < 5.0:
        total = total * 2.0 + x[0]
    else:  # noqa: PLW0120  # the construct that is tested
        total += x[2]
    return total if 2 in (1, 2, len(x)) else x[1]


def draws(x):
    np.random.seed(3)
    return np.random.normal(x[0], x[2]) * np.random.uniform(x[1], x[0]) + np.random.exponential(x[0] + 1.0)


def caught_division(x):
    total = 0.0
    for i in range(3):
        try:
            total += x[0] / (x[i] - x[1]) + math.exp(x[i]) / 3.0
        except Exception:  # noqa: BLE001  # the one that Numba compiles
            total += x[1] * x[2]
    return total


ARGUMENTS = {record_fields: (X, BODIES), classes_and_texts: (X, "square")}


# Numba drops these stores, because the function has a comprehension or a closure: the derivative is that of what Numba compiles.
def dropped_store_to_rows(x):
    powers = [value * value for value in x]
    matrix = np.outer(x, x)
    for row in matrix:
        row[1] *= x[2]
    return matrix.sum() + sum(powers)


def dropped_store_to_an_item(x):
    def cube(value):
        return value**3

    y = np.sin(x)
    pair = (y, 0.3)
    pair[0][1] = cube(x[0])
    return y.sum() + cube(x[2])


@njit
def tail_of(x):
    return x[1:]


def dropped_store_to_a_result(x):
    powers = [value * value for value in x]
    y = x * x
    tail_of(y)[0] = powers[2] * x[0]
    return y.sum()


FUNCTIONS = [
    *(
        swapped_pair,
        nested_constants,
        rows_of_a_tuple,
        sum_of_comprehension,
        comprehension_in_loop,
        comprehension_of_a_name_in_use,
        comprehensions_in_branches,
        comprehension_in_comprehension,
        starred,
        list_that_grows_and_shrinks,
        list_that_a_helper_changes,
    ),
    *(list_in_each_iteration, table_of_a_list, record_fields, largest, classes_and_texts),
    *(parts_of_a_float, searched, draws, caught_division),
    *(dropped_store_to_rows, dropped_store_to_an_item, dropped_store_to_a_result),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_gradient_is_that_of_central_differences(function):
    compiled = njit(function)
    x, *others = ARGUMENTS.get(function, (X,))
    value, gradient = fg.value_and_grad(compiled)(x, *others)
    assert value == compiled(x, *others)
    for i in range(len(x)):
        step = np.zeros(3)
        step[i] = 1e-5
        slope = (compiled(x + step, *others) - compiled(x - step, *others)) / 2e-5
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-7, atol=1e-7)


def test_forward_mode_of_a_list():
    _, tangent = fg.jvp(njit(list_that_grows_and_shrinks), (X,), (np.ones(3),))
    gradient = fg.grad(njit(list_that_grows_and_shrinks))(X)
    np.testing.assert_allclose(tangent, gradient.sum(), rtol=1e-12)


def test_index_beyond_a_list_is_an_error():
    @njit
    def beyond(x):
        values = [x, x * x]
        values.append(x)
        return values[int(x)]

    with pytest.raises(IndexError, match="list index"):
        fg.grad(beyond)(7.0)


def test_array_of_a_loop_that_does_not_run_has_no_elements():
    @njit
    def last(x, n):
        for k in range(n):
            scaled = x * (k + 1.0)
        return scaled.sum() + x[0]

    assert last(X, 0) == X[0]
    value, gradient = fg.value_and_grad(last)(X, 0)
    assert value == X[0]
    np.testing.assert_array_equal(gradient, [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(fg.grad(last)(X, 2), [3.0, 2.0, 2.0])


def test_use_of_none_is_an_error():
    @njit
    def first_above(x, limit):
        found = None
        for i in range(len(x)):
            if x[i] > limit and found is None:
                found = x[i:]
        return found[0] * x[1]

    np.testing.assert_allclose(fg.grad(first_above)(X, 0.5), [X[1], X[0], 0.0])
    for function in (first_above, fg.grad(first_above)):
        with pytest.raises(TypeError, match="None"):
            function(X, 5.0)


def test_print_happens_once(capfd):
    @njit
    def shown(x):
        y = x * x
        print("y {}", y, 3, True)
        return y * x

    assert fg.grad(shown)(2.0) == 12.0
    assert capfd.readouterr().out == "y {} 4.0 3 True\n"


@pytest.mark.parametrize(
    ("dtype", "other"), [(np.int8, np.int8(100)), (np.uint8, np.uint8(200)), (np.int32, 2**31 - 1), (np.uint64, 3)]
)
def test_integers_overflow_as_in_the_function(dtype, other):
    @njit
    def wrapped(x, a, b):
        c = a[0] + a[1] * b - a[2]
        a[2] = c
        return x * c + a[2] * x * (2**62 + 2**62)

    arrays = [np.array([120, 100, 7]).astype(dtype) for _ in range(2)]
    value, gradient = fg.value_and_grad(wrapped)(1.5, arrays[0], other)
    assert value == wrapped(1.5, arrays[1], other)
    assert gradient == value / 1.5


def test_float32_is_computed_as_in_the_function():
    @njit
    def single(x):
        c = np.float32(0.1) * np.float32(0.7) + np.float32(1e-8)
        return x * c * np.float32(0.3) - x / np.float32(3.0)

    x = np.float32(1.37)
    value, gradient = fg.value_and_grad(single)(x)
    assert value == single(x)
    assert isinstance(gradient, float)


def test_defaults_and_keywords():
    def line_of_floats(x, slope=2.0, shift=None):
        return x * x * slope if shift is None else x * slope + shift

    gradient = fg.grad(njit(line_of_floats))
    assert gradient(3.0) == 12.0
    assert gradient(3.0, slope=5.0) == 30.0
    assert gradient(shift=1.0, x=3.0) == 2.0


def computed_message(x):
    if x < 0.0:
        raise ValueError("negative", x)
    return x


def caught(x):
    try:
        return np.linalg.inv(np.ones((2, 2)) * x)[0, 0]
    except Exception:  # noqa: BLE001  # the one that Numba compiles
        return x


def with_block(x):
    with numba.objmode(y="float64"):
        y = math.gamma(x)
    return y * x


def grows_in_its_loop(x):
    values = [x]
    for value in values:
        if len(values) < 3:
            values.append(value * x)
    return values[-1]


def dictionary(x):
    arrays = {1: np.ones(2) * x}
    return arrays.get(1)[0]


def printed_array(x):
    print(np.ones(2) * x)
    return x


def largest_key(x):
    values = {0: x, 3: x * x}
    return max(values) * x


def smallest_member(x):
    return x * min({2, 5})


def largest_pair(x):
    values = [(0, x), (1, 2.0 * x)]
    return max(values)[1] * x


def truth_of_an_array(x):
    values = np.ones(1) * x
    return x * x if values else x


@njit
def successors(x):
    yield x
    yield x + 1.0


def first_item(x):
    return next(successors(x)) * x


def negated_array(x):
    values = np.ones(1) * x
    return x * x if not values else x


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (computed_message, "arguments|message"),
        (caught, "within try"),
        (with_block, "with block"),
        (grows_in_its_loop, "list whose length changes in a loop"),
        (dictionary, "dictionary"),
        (printed_array, "print of an array"),
        (largest_key, "max of a list, a set or a dictionary"),
        (smallest_member, "min of a list, a set or a dictionary"),
        (largest_pair, "max of a list, a set or a dictionary|max of tuples"),
        (truth_of_an_array, "truth value of an array"),
        (negated_array, "truth value of an array"),
        (first_item, r"one for loop or list\(\) reads it .* replace next\(\) by a for loop with a break"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_refused_with_file_line_and_reason(function, reason):
    with pytest.raises(DifferentiationError, match=rf"test_language.py:\d+: .*({reason})"):
        fg.grad(njit(function))(1.5)


def squares_by_key(x, key):
    squares = {0: x * x, 1: x**3}
    return squares[key]


def test_a_key_that_a_dictionary_lacks_is_an_error():
    derivative = fg.value_and_grad(njit(squares_by_key))
    assert derivative(2.0, 1) == (8.0, 12.0)
    with pytest.raises(KeyError):
        derivative(2.0, 2)


def test_dictionaries_have_second_derivatives():
    assert fg.hessian(njit(squares_by_key))(2.0, 1) == 12.0


@numba.njit
def seeded(number):
    if number > 100:
        with numba.objmode():
            np.random.seed(number)
    np.random.seed(number)


@numba.njit
def stored(number):
    with numba.objmode(result="float64"):
        STORED.append(number)
        result = 2.0 * number
    return result  # noqa: RET504  # the block gives it


STORED: list[int] = []


def test_a_function_with_a_with_block_is_called_as_it_is_with_integers():
    @numba.njit
    def f(loc, scale, count):
        seeded(7)
        total = 0.0
        for i in range(count):
            total += np.random.normal(loc, scale) ** 2 * stored(i)
        return total

    value, gradient = fg.value_and_grad(f, argnums=(0, 1))(0.3, 1.2, 4)
    assert STORED == [0, 1, 2, 3]
    assert value == f(0.3, 1.2, 4)
    step = 1e-6
    np.testing.assert_allclose(gradient[0], (f(0.3 + step, 1.2, 4) - f(0.3 - step, 1.2, 4)) / (2 * step), rtol=1e-6)
    np.testing.assert_allclose(gradient[1], (f(0.3, 1.2 + step, 4) - f(0.3, 1.2 - step, 4)) / (2 * step), rtol=1e-6)
    before = len(STORED)
    fg.jvp(f, (0.3, 1.2, 4), (1.0, 0.0, None))
    assert STORED[before:] == [0, 1, 2, 3]


def one_of_two_ranges(x, count):
    steps = range(count) if count > 2 else range(4, 0, -2)
    total = 0.0
    for i in steps:
        total += x[i % 3] ** 2 * i
    return total


def range_that_changes_in_a_loop(x, count):
    steps = range(1)
    total = 0.0
    for i in range(count):
        for k in steps:
            total += x[k] * x[i]
        steps = range(i, 3)
    return total


def element_of_an_array(x, numbers):
    total = 0.0
    for i in range(3):
        if i in numbers:
            total += x[i] ** 2
        if 7 not in numbers[0]:
            total += x[i]
    return total if x[0] in x else total * 2.0


def sets_of_rows(x, numbers):
    first, second = set(numbers[0]), set(numbers[1])
    both = first.copy()
    both.update(second)
    total = 0.0
    for i in range(8):
        if i in first and i in second:
            total += x[i % 3] ** 2
        if i in first and i not in second:
            total += x[i % 3] * 3.0
        if i in both:
            total += x[i % 3] ** 3
    return total * len(both) + len(first)


def rounded_by_keyword(x):
    return np.round(x[0], decimals=1) * x[1] + (np.round(x, decimals=2) * x).sum()


NUMBERS = np.array([[1, 2, 5], [2, 7, 0]])


@pytest.mark.parametrize(
    ("function", "more"),
    [
        (one_of_two_ranges, (3,)),
        (one_of_two_ranges, (2,)),
        (range_that_changes_in_a_loop, (3,)),
        (element_of_an_array, (NUMBERS,)),
        (sets_of_rows, (NUMBERS,)),
        (rounded_by_keyword, ()),
    ],
)
def test_ranges_elements_and_sets(function, more):
    value, gradient = fg.value_and_grad(function)(X, *more)
    assert value == njit(function)(X, *more)
    step = 1e-6 * np.eye(3)
    differences = [(function(X + d, *more) - function(X - d, *more)) / 2e-6 for d in step]
    np.testing.assert_allclose(gradient, differences, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(
        fg.jvp(function, (X, *more), (step[1] * 1e6, *[None] * len(more)))[1], gradient[1], rtol=1e-12
    )
