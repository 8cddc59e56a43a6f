"""Built-in functions and methods of each kind of container: the value is Numba's, the gradient that of differences, or there is a refusal with a line."""

import linecache
import re

import numba
import numpy as np
import pytest

from fastgrad.errors import DifferentiationError
from tests.derivatives.interpreted import value_and_gradients

X = np.array([0.7, -1.2, 0.4, 2.1])
WEIGHTS = np.array([1.0, -2.0, 0.5, 3.0, 1.5, 0.7, -0.4, 2.2])
CONTAINERS = {
    "list": "c = [x[0], x[1] * x[2], x[3], x[1]]",
    "typed list": "c = List([x[0], x[1] * x[2], x[3], x[1]])",
    "appended list": "c = []\n    for number in x:\n        c.append(number * number - number)",
    "comprehension": "c = [number * number - number for number in x]",
    "tuple": "c = (x[0], x[1] * x[2], x[3], x[1])",
    "array": "c = x * x - x",
    "list of tuples": "c = [(number * number, number - 1.0) for number in x]",
    "list of arrays": "c = [x[:2] * x[2:], x[1:3] * 2.0, x[2:]]",
    "values of a dictionary": "d = Dict()\n    for i in range(4):\n        d[i] = x[i] * x[i - 1]\n    c = list(d.values())",
    "dictionary": "c = Dict()\n    for i in range(4):\n        c[i] = x[i] * x[i - 1]",
}
EXPRESSIONS = (
    *("sum(c)", "min(c)", "max(c)", "len(c) * x[0]", "any(c) * x[0]", "weighted(c)", "weighted(sorted(c))"),
    *(
        "weighted(sorted(c, reverse=True))",
        "weighted(sorted(c, key=negative))",
        "weighted(list(c))",
        "weighted(List(c))",
    ),
    *("weighted(tuple(c))", "weighted(np.array(c))", "weighted([y for y in reversed(c)])", "weighted(c[::-1])"),
    *(
        "weighted(c[1:3])",
        "weighted(c + c)",
        "weighted(c * 2)",
        "weighted(c.copy())",
        "weighted([y for _, y in enumerate(c)])",
    ),
    *("weighted([y for _, y in zip(x, c)])", "weighted(list(enumerate(c)))", "weighted(list(zip(c, c)))", "popped(c)"),
    *(
        "inserted(c)",
        "extended(c)",
        "assigned(c)",
        "sorted_in_place(c)",
        "reversed_in_place(c)",
        "c.index(c[2]) * x[0]",
    ),
    *("c.count(c[0]) * x[0]", "weighted(list(c.items()))", "weighted(c.values())", "c.get(1, 0.5) * c.get(9, 0.5)"),
    *(
        "sum(c, x[0])",
        "weighted(list(map(negative, c)))",
        "weighted(list(filter(negative, c)))",
        "sliced(c)",
        "deleted(c)",
    ),
    *("c.pop(1) * weighted(c.values())", "c.setdefault(8, c[0]) * weighted(c.values())", "weighted(dict(c).values())"),
)
SOURCE = """
import numba
import numpy as np
from numba.typed import Dict, List

@numba.njit
def negative(y):
    return -y

@numba.njit
def weighted(c):
    total, k = 0.0, 0
    for y in c:
        total += WEIGHTS[k % 8] * {item}
        k += 1
    return total

@numba.njit
def popped(c):
    last = c.pop()
    first = c.pop(0)
    return weighted([last, first]) + 2.0 * weighted(c)

@numba.njit
def inserted(c):
    c.insert(1, c[2])
    return weighted(c)

@numba.njit
def extended(c):
    other = c.copy()
    other.extend(c)
    return weighted(other)

@numba.njit
def assigned(c):
    c[1] = c[2]
    c[-1] = c[1]
    return weighted(c)

@numba.njit
def sliced(c):
    c[1:2] = c[:3]
    return weighted(c)

@numba.njit
def deleted(c):
    del c[1:-1]
    return weighted(c)

@numba.njit
def sorted_in_place(c):
    c.sort()
    return weighted(c)

@numba.njit
def reversed_in_place(c):
    c.reverse()
    return weighted(c)

@numba.njit
def program(x):
    {container}
    return 1.0 * ({expression})
"""


def derivative_of(container: str, expression: str, item: str) -> str:
    """Returns "right", "refused", "no program" of Numba, or what is wrong."""
    if container == "list of arrays" and expression in ("sliced(c)", "deleted(c)"):
        return "no program"  # Numba's own program frees an array twice
    if container == "dictionary" and re.search(r"map\(|filter\(", expression):
        return "no program"  # Numba's own program reads memory that is freed
    source = SOURCE.format(container=CONTAINERS[container], expression=expression, item=item)
    name = f"<{expression} of a {container}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace = {"WEIGHTS": WEIGHTS}
    exec(compile(source, name, "exec"), namespace)
    program = namespace["program"]
    try:
        expected = program(X.copy())
    except (numba.core.errors.NumbaError, NotImplementedError, IndexError, KeyError, TypeError, ValueError):
        return "no program"
    if not isinstance(expected, float):
        return "no program"
    try:
        value, (gradient,) = value_and_gradients(program, (X.copy(),), 1.0, (0,))[:2]
    except DifferentiationError as refusal:
        return "refused" if re.search(r">:\d+", str(refusal)) else f"refused without a line: {refusal}"
    step = 1e-4
    moves = [[program(X + number * step * unit) for number in (1, -1, 2, -2)] for unit in np.eye(4)]
    slopes = [(8 * (right - left) - (far - far_left)) / (12 * step) for right, left, far, far_left in moves]
    is_right = value == pytest.approx(expected, rel=1e-12) and gradient == pytest.approx(slopes, rel=1e-6, abs=1e-7)
    return "right" if is_right else f"value {value}, Numba's {expected}; gradient {gradient}, by differences {slopes}"


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("container", list(CONTAINERS))
def test_a_function_of_a_container_is_right_or_refused(container, expression):
    is_of_pairs = container in ("list of tuples", "list of arrays") or re.search("zip|enumerate|items", expression)
    for item in ("y", "(1.3 * y[0] - y[1])") if is_of_pairs else ("y",):
        assert derivative_of(container, expression, item) in ("right", "refused", "no program")


def test_most_functions_of_lists_are_derived():
    outcomes = [derivative_of("typed list", expression, "y") for expression in EXPRESSIONS[:8]]
    assert outcomes.count("right") >= 7, outcomes
