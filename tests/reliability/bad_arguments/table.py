"""The operators and functions that derivatives compute by code of their own, each with arguments that it may refuse.

A row is the source of a function, and its arguments. `x` is an array of which it is differentiated, `k` and `m` are integers, `d` is a number. The instructions
that take any arguments are in `ANYTHING`, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from fastgrad._src.derivatives.ir import special_functions


class Row(NamedTuple):
    """A function, and arguments of it.

    Attributes:
        source: the function: a lambda expression, or statements that define `function`.
        arguments: tuples of arguments, of which the first one is differentiated.
        options: of `numba.njit`.
        special: the name of the function of SciPy that is called.
    """

    source: str
    arguments: Sequence[tuple[Any, ...]]
    options: dict[str, Any] = {}  # noqa: RUF012  # a default value, which nothing changes
    special: str = ""


X, NOTHING = np.arange(1.0, 5.0), np.zeros(0)
MATRIX, NO_ROWS, NO_COLUMNS = np.arange(1.0, 7.0).reshape(2, 3), np.zeros((0, 3)), np.zeros((2, 0))
SQUARE = np.array([[4.0, 1.0], [1.0, 3.0]])
NAN, INFINITE, SINGULAR = SQUARE * math.nan, SQUARE * math.inf, np.ones((2, 2))
LARGE = np.eye(9) * 9 + 0.1
LEAST = -(2**63)
SIZES = [(X, -1), (X, 0), (X, 3)]
SHAPES = [(X, -1, 2), (X, 2, -1), (X, -1, -1), (X, 0, 3), (X, 2, 2)]
ARRAYS = [(X,), (NOTHING,), (X * math.nan,)]
MATRICES = [(MATRIX,), (NO_ROWS,), (NO_COLUMNS,)]
SQUARES = [
    (SQUARE,),
    (-SQUARE,),
    (SINGULAR,),
    (NAN,),
    (INFINITE,),
    (MATRIX,),
    (NO_ROWS,),
    (LARGE,),
    (LARGE * math.nan,),
]
DIVISORS = [(X, 0.0), (X, -0.0), (X, math.nan), (X, math.inf), (X, 2.0)]
PAIRS_OF_INTEGERS = [(X, 7, 0), (X, LEAST, -1), (X, -7, 2)]
SHIFTS = [(X, 1, 0), (X, -5, 3), (X, 1, 63)]
NUMBERS = [(X, 0.0), (X, -1.5), (X, 300.0), (X, 1e9)]
UNEQUAL = [(X, X), (X, X[:3]), (X, X[:1]), (X, NOTHING), (NOTHING, NOTHING)]
CHECKED = {"boundscheck": True}
COUNTS = [(X, 0, 0), (X, 2, 0), (X, 4, 0)]
INDICES = [(X, 0, 0), (X, 0, -1), (X, 2, 2), (X, 2, -3), (X, 2, -2), (X, 3, 9), (X, 3, LEAST)]
KEYS = [(X, 0, 0), (X, 1, 1), (X, 2, -1), (X, 2, 1)]


def by_size(call: str) -> Row:
    """Returns the row of a function of the size of an array."""
    return Row(f"lambda x, k: x[0] * {call}.sum()", SIZES)


def by_shape(call: str) -> Row:
    """Returns the row of a function of a shape of two axes."""
    return Row(f"lambda x, k, m: x[0] * {call}.sum()", SHAPES)


def of_array(call: str, arguments: Sequence[tuple[Any, ...]] = ARRAYS) -> Row:
    """Returns the row of a function of an array."""
    return Row(f"lambda x: {call}", arguments)


def of_square(call: str) -> Row:
    """Returns the row of a function of a square matrix."""
    return Row(f"lambda x: {call}", SQUARES)


def draws(call: str) -> list[Row]:
    """Returns the rows of a random draw of some elements, which only its size decides."""
    return [Row(f"lambda x, k: x[0] * {call}.size", SIZES)]


def calls(items: str, statement: str, result: str, arguments: Sequence[tuple[Any, ...]] = COUNTS) -> Row:
    """Returns the row of a method, which a statement calls on a container of `k` items, called `items`."""
    return Row(f"def function(x, k, m):\n    items = {items}\n    {statement}\n    return x[3] + {result}\n", arguments)


def of_list(statement: str, arguments: Sequence[tuple[Any, ...]] = COUNTS) -> Row:
    """Returns the row of a method of a list of numbers."""
    return calls(
        "[e for e in x[:k]]", f"{statement}; total = [i * items[i] for i in range(len(items))]", "sum(total)", arguments
    )


def of_arrays(statement: str, arguments: Sequence[tuple[Any, ...]] = COUNTS) -> Row:
    """Returns the row of a method of a list of arrays."""
    return calls(
        "[x * i for i in range(k)]", statement, "(items[0].sum() if len(items) else 0.0) + len(items)", arguments
    )


def of_tuples(statement: str, arguments: Sequence[tuple[Any, ...]] = COUNTS) -> Row:
    """Returns the row of a method of a list of tuples."""
    return calls("[(e, -e) for e in x[:k]]", statement, "(items[0][0] if len(items) else 0.0) + len(items)", arguments)


def of_dictionary(call: str, arguments: Sequence[tuple[Any, ...]] = KEYS) -> Row:
    """Returns the row of a method of a dictionary, whose keys are below `k`."""
    return calls("{i: x[i] for i in range(k)}", f"total = {call}", "total + len(items)", arguments)


def of_set(statement: str, arguments: Sequence[tuple[Any, ...]] = KEYS) -> Row:
    """Returns the row of a method of a set of numbers."""
    return calls("{1, 2}", f"items.discard(k); items.discard(2); {statement}", "x[0] * len(items)", arguments)


METHODS: dict[str, dict[str, Row]] = {
    "list": {
        "__getitem__": of_list("items.append(x[0] * items[m])", INDICES),
        "__iter__": of_list("items = [item * x[0] for item in items]"),
        "__setitem__": of_list("items[m] = x[2]", INDICES),
        "append": of_list("items.append(x[0])"),
        "clear": of_list("items.clear()"),
        "copy": of_list("items = items.copy()"),
        "count": of_list("items.append(x[0] * items.count(x[2]))"),
        "extend": of_list("items.extend(items)"),
        "index": of_list("items.append(x[0] * items.index(x[2]))"),
        "insert": of_list("items.insert(m, x[1])", INDICES),
        "pop": of_list("items.append(items.pop(m))", INDICES),
        "remove": of_list("items.remove(x[2])"),
        "reverse": of_list("items.reverse()"),
        "sort": of_list("items.sort()", [*COUNTS, (X * math.nan, 3, 0)]),
    },
    "list of arrays": {
        "__getitem__": of_arrays("items.append(items[m])", INDICES),
        "__iter__": of_arrays("items = [item * x for item in items]"),
        "__setitem__": of_arrays("items[m] = x", INDICES),
        "append": of_arrays("items.append(x[:0])"),
        "clear": of_arrays("items.clear()"),
        "extend": of_arrays("items.extend([x, x[:1]])"),
        "insert": of_arrays("items.insert(m, x)", INDICES),
        "pop": of_arrays("items.append(items.pop(m))", INDICES),
        "reverse": of_arrays("items.reverse()"),
    },
    "list of tuples": {
        "__getitem__": of_tuples("items.append(items[m])", INDICES),
        "__iter__": of_tuples("items = [(second, first) for first, second in items]"),
        "__setitem__": of_tuples("items[m] = (x[0], x[1])", INDICES),
        "append": of_tuples("items.append((x[0], x[1]))"),
        "clear": of_tuples("items.clear()"),
        "copy": of_tuples("items = items.copy()"),
        "extend": of_tuples("items.extend([(x[0], x[1])])"),
        "insert": of_tuples("items.insert(m, (x[0], x[1]))", INDICES),
        "pop": of_tuples("items.append(items.pop(m))", INDICES),
        "reverse": of_tuples("items.reverse()"),
        "sort": of_tuples("items.sort()", [*COUNTS, (X * math.nan, 3, 0)]),
    },
    "dictionary": {
        "__getitem__": of_dictionary("items[m]"),
        "__iter__": of_dictionary("max([key for key in items])"),
        "__setitem__": of_dictionary("0.0; items[m] = x[3]"),
        "clear": of_dictionary("0.0; items.clear()"),
        "copy": of_dictionary("items.copy()[m]"),
        "get": of_dictionary("items.get(m, x[2])"),
        "items": of_dictionary("sum([i * value for i, value in items.items()])"),
        "keys": of_dictionary("max([key for key in items.keys()])"),
        "pop": of_dictionary("items.pop(m)"),
        "setdefault": of_dictionary("items.setdefault(m, x[2])"),
        "update": of_dictionary("0.0; items.update({m: x[1]})"),
        "values": of_dictionary("max([value for value in items.values()])"),
    },
    "set": {
        "__iter__": of_set("items.add(sum(sorted(items)))"),
        "add": of_set("items.add(m)"),
        "clear": of_set("items.clear()"),
        "copy": of_set("items = items.copy(); items.remove(m)"),
        "discard": of_set("items.discard(m)"),
        "intersection": of_set("items = items.intersection({m, 2})"),
        "remove": of_set("items.remove(m)"),
        "update": of_set("items.update([m, k])"),
    },
    "array": {
        "astype": Row("lambda x: x[0] * x.astype(np.int32).sum()", [(X,), (X * 1e300,)]),
        "fill": Row(
            "def function(x, d):\n    items = x.copy()\n    items[1:].fill(d)\n    return items.sum()\n",
            [(X, 2.0), (X, math.nan), (X[:1], 2.0)],
        ),
        "flatten": of_array("x.flatten().max()", MATRICES),
        "item": of_array("x.item()", [(X,), (X[:1],), (NOTHING,)]),
        "sort": Row(
            "def function(x):\n    items = x.copy()\n    items.sort()\n    return items[0]\n",
            [(X,), (X * math.nan,), (NOTHING,)],
            CHECKED,
        ),
    },
}
"""The rows of methods, by the class of the container and the name of the method."""

SPECIAL_ARGUMENTS: dict[int, list[tuple[float, ...]]] = {
    1: [(2.0,), (0.0,), (-1.0,), (1.0,), (math.nan,), (math.inf,), (-math.inf,)],
    2: [
        (2.0, 0.5),
        (0.0, 0.0),
        (-1.0, 2.0),
        (1.0, -1.0),
        (math.nan, 1.0),
        (1.0, math.nan),
        (math.inf, 1.0),
        (1.0, math.inf),
    ],
    3: [
        (2.0, 3.0, 0.5),
        (0.0, 0.0, 0.0),
        (-1.0, 2.0, 0.5),
        (2.0, -1.0, 0.5),
        (1.0, 1.0, -1.0),
        (math.nan, 1.0, 1.0),
        (math.inf, 1.0, 1.0),
        (1.0, math.inf, 1.0),
        (1.0, 1.0, math.inf),
    ],
}
"""The numbers that a function of SciPy is called with, by their count."""


def of_special(name: str) -> Row:
    """Returns the row of a function of SciPy, by the order too if it has a derivative with respect to it."""
    is_of_order = name in special_functions.BESSEL_RULES and name not in special_functions.ORDER_RULES
    arguments = SPECIAL_ARGUMENTS[getattr(special, name).nin - is_of_order]
    names = ", ".join("xyz"[: len(arguments[0])])
    return Row(f"lambda {names}: {name}({'1, ' * is_of_order}{names})", arguments, special=name)


ROWS: dict[str, list[Row]] = {
    **{f"methods of {kind}": [*methods.values()] for kind, methods in METHODS.items()},
    "functions of SciPy": [of_special(name) for name in (*special_functions.RULES, *special_functions.BESSEL_RULES)],
    # ---- operators ----
    "operator.truediv": [
        Row("lambda x, d: x[0] / d", DIVISORS),
        Row("lambda x, d: (x / d).sum()", DIVISORS),
        Row("lambda x, k, m: x[0] * (k / m)", PAIRS_OF_INTEGERS),
        Row("lambda x, d: x[0] / d", DIVISORS, {"error_model": "numpy"}),
    ],
    "operator.floordiv": [
        Row("lambda x, d: x[0] // d", DIVISORS),
        Row("lambda x, k, m: x[0] * (k // m)", PAIRS_OF_INTEGERS[:1] + PAIRS_OF_INTEGERS[2:]),
        Row("lambda x, d: (x // d).sum()", DIVISORS),
    ],
    "operator.mod": [
        Row("lambda x, d: x[0] % d", DIVISORS),
        Row("lambda x, k, m: x[0] * (k % m)", PAIRS_OF_INTEGERS[:1] + PAIRS_OF_INTEGERS[2:]),
    ],
    "operator.pow": [
        Row("lambda d, k: d**k", [(0.0, -1), (1e-200, -2), (2.0, -3), (0.0, 0), (math.nan, -1), (0.0, -(1 << 17))]),
        Row("lambda d: d**-1", [(0.0,), (-0.0,), (2.0,)]),
        Row("lambda d, e: d**e", [(0.0, -1.0), (-2.0, 0.5), (0.0, 0.0)]),
        Row("lambda x, k: (x**k).sum()", [(X - 1.0, -1), (X, -2)]),
        Row("lambda x, k, m: x[0] * k**m", [(X, 0, -1), (X, 2, -1), (X, 2, 70)]),
        Row("lambda x, k, m: x[0] * k**m", [(X, 2, 3)], {"error_model": "numpy"}),
    ],
    "operator.lshift": [Row("lambda x, k, m: x[0] * (k << m)", SHIFTS)],
    "operator.rshift": [Row("lambda x, k, m: x[0] * (k >> m)", SHIFTS)],
    "operator.neg": [Row("lambda x, k: x[0] * -k", [(X, LEAST), (X, 3)])],
    "operator.add": [Row("lambda x, y: (x + y).sum()", UNEQUAL), Row("lambda x, k: x[0] * (k + 1)", [(X, 2**63 - 1)])],
    "operator.sub": [Row("lambda x, y: (x - y).sum()", UNEQUAL), Row("lambda x, k: x[0] * (k - 1)", [(X, LEAST)])],
    "operator.mul": [Row("lambda x, y: (x * y).sum()", UNEQUAL), Row("lambda x, k: x[0] * (k * k)", [(X, 2**62)])],
    "conversion": [
        Row("lambda x, d: x[0] * int(d)", NUMBERS),
        Row("lambda x, k: x[0] * np.uint8(k)", [(X, -1), (X, 300)]),
        Row("lambda x, k: x[0] * np.int32(k)", [(X, 2**40), (X, -1)]),
        Row("lambda x, d: x[0] * np.float32(d)", [(X, 1e300), (X, math.nan)]),
        Row("lambda x: x.astype(np.int64).sum() * x[0]", [(X,)]),
    ],
    "condition": [
        Row("lambda x, k, m: x[0] if k and not m else x[1]", [(X, 0, 0), (X, 1, 0), (X, 1, -1)]),
        Row("lambda x, k: x[k] if k < len(x) and x[k] > 0.0 else x[0]", [(X, 3), (X, 4), (NOTHING, 0)], CHECKED),
        Row("lambda x, d: x[0] if d or d > 1.0 else x[1]", [(X, math.nan), (X, 0.0), (X, -0.0)]),
    ],
    "item": [
        Row("lambda x, k: x[k]", [(X, 4), (X, -5), (X, -4), (NOTHING, 0)], CHECKED),
        Row("lambda x, k, m: x[k, m]", [(MATRIX, 2, 0), (MATRIX, 0, 3), (MATRIX, -1, -3), (MATRIX, 0, -4)], CHECKED),
        Row("lambda x, k: x[k:][0]", [(X, 4), (X, 1)], CHECKED),
        Row("lambda x, k: (x[0], x[1], x[2])[k] if k < 3 else x[0]", [(X, 2), (X, 3)]),
        Row("lambda x, k: [x[0], x[1]][k]", [(X, 2), (X, -3), (X, -2)]),
    ],
    "assignment": [
        Row("lambda x: assigned(x)", [(X,), (X[:3],), (X[:1],), (NOTHING,)]),
        Row("lambda x, k: set_item(x, k)", [(X, 4), (X, -5), (X, -4)], CHECKED),
    ],
    "builtins.slice": [
        Row("lambda x, k: x[k::2].sum()", [(X, 9), (X, -9), (X, 3)]),
        Row("lambda x, k, m: x[k:m].sum()", [(X, 9, 3), (X, -9, 9), (X, LEAST, 2**63 - 1), (X, 3, 1)]),
        Row("lambda x, k, m: x[k:m:-1].sum()", [(X, 9, 0), (X, -9, 9), (X, 3, -9)]),
    ],
    "builtins.range": [Row("lambda x, k: ranged(x, k)", [(X, 0), (X, -1), (X, 9), (X, 2)])],
    "builtins.max": [
        of_array("max(x)", [*ARRAYS, (np.array([1.0, math.nan, 2.0]),)]),
        Row("lambda x, k: max([x[i] for i in range(k)])", SIZES),
        Row("lambda d, e: max(d, e)", [(1.0, math.nan), (math.nan, 1.0), (0.0, -0.0)]),
    ],
    "builtins.min": [
        of_array("min(x)", [*ARRAYS, (np.array([2.0, math.nan, 1.0]),)]),
        Row("lambda x, k: min([x[i] for i in range(k)])", SIZES),
        Row("lambda d, e: min(d, e)", [(1.0, math.nan), (math.nan, 1.0), (-0.0, 0.0)]),
    ],
    "builtins.divmod": [
        Row("lambda x, d: divmod(x[0], d)[1]", DIVISORS),
        Row("lambda x, k, m: x[0] * divmod(k, m)[0]", [(X, 7, 0), (X, -7, 2)]),
    ],
    "math.gamma": [Row("lambda d: math.gamma(d)", [(0.0,), (-1.0,), (200.0,), (2.5,)])],
    "list": [Row("lambda x, k: x[0] * len([x[0]] * k)", SIZES)],
    # ---- new arrays ----
    "numpy.zeros": [by_size("np.zeros(k)"), by_shape("np.zeros((k, m))"), Row("lambda x, k: unread(x, k)", SIZES)],
    "numpy.empty": [
        Row("lambda x, k: x[0] * np.empty(k).size", SIZES),
        Row("lambda x, k, m: x[0] * np.empty((k, m)).size", SHAPES),
    ],
    "numpy.ones": [by_size("np.ones(k)"), by_shape("np.ones((k, m))")],
    "numpy.full": [by_size("np.full(k, 2.0)"), by_shape("np.full((k, m), 2.0)")],
    "numpy.linspace": [by_size("np.linspace(0.0, 1.0, k)")],
    "numpy.arange": [
        by_size("np.arange(k)"),
        Row("lambda x, d: x[0] * np.arange(0.0, 1.0, d).sum()", [(X, -1.0), (X, 0.3)]),
    ],
    "numpy.eye": [by_size("np.eye(k)"), by_shape("np.eye(k, m)"), by_size("np.identity(k)")],
    "numpy.resize": [Row("lambda x, k: np.resize(x, k).sum()", [(X, 0), (X, 9), (X, -1)])],
    "numpy.random.normal": draws("np.random.normal(0.0, 1.0, k)"),
    "numpy.random.uniform": draws("np.random.uniform(0.0, 1.0, k)"),
    "numpy.random.exponential": draws("np.random.exponential(1.0, k)"),
    "numpy.random.rand": draws("np.random.rand(k)"),
    "numpy.random.randn": draws("np.random.randn(k)"),
    "numpy.random.random": draws("np.random.random(k)"),
    "numpy.random.random_sample": draws("np.random.random_sample(k)"),
    "numpy.random.ranf": draws("np.random.ranf(k)"),
    "numpy.random.sample": draws("np.random.sample(k)"),
    "numpy.random.standard_normal": draws("np.random.standard_normal(k)"),
    "numpy.random.randint": [Row("lambda x, k: x[0] * 0 * np.random.randint(k)", [(X, 0), (X, -1), (X, 3)])],
    "numpy.indices": [Row("lambda x, k: x[0] * np.indices((k, 2)).sum()", SIZES)],
    "numpy.ndindex": [Row("lambda x, k: indexed(x, k)", SIZES[1:])],  # Numba takes sizes below 0 for 1
    # ---- shapes ----
    "numpy.reshape": [
        Row(
            "lambda x, k, m: x.reshape((k, m)).sum()",
            [*SHAPES, (X, -2, -1), (X, 3, -1), (X, 4, 2), (NOTHING, 0, -1), (NOTHING, -1, 5)],
        ),
        Row("lambda x, k: x.reshape(k, -1).sum()", [(X, -2), (X, 0), (X, 3), (X, 2), (NOTHING, 0)]),
        Row("lambda x, k: x[::2].copy().reshape(k).sum()", [(X, 3), (X, -3), (X, 2)]),
        Row("lambda x, k: unread_reshape(x, k)", [(X, 3), (X, 2)]),
    ],
    "numpy.broadcast_to": [
        Row("lambda x, k: np.broadcast_to(x, (k, 4)).sum()", [(X, 2), (X, 0), (X, -1)]),
        Row("lambda x, k: np.broadcast_to(x, (k,)).sum()", [(X, 1), (X, 3), (X, 4), (X, -4), (X[:1], 3)]),
    ],
    "numpy.broadcast_arrays": [Row("lambda x, y: np.broadcast_arrays(x, y)[0].sum()", UNEQUAL)],
    "numpy.broadcast_shapes": [Row("lambda x, k: x[0] * np.broadcast_shapes((k,), (3,))[0]", [(X, 2), (X, 1), (X, 3)])],
    "numpy.split": [of_array("np.split(x, 3)[0].sum()", [(X,), (X[:3],), (NOTHING,)])],
    "numpy.array_split": [of_array("np.array_split(x, 3)[0].sum()", [(X,), (NOTHING,)])],
    "numpy.concatenate": [
        Row(
            "lambda x, y: np.concatenate((x, y), axis=1).sum()",
            [(MATRIX, MATRIX), (MATRIX, NO_ROWS), (MATRIX, NO_COLUMNS)],
        )
    ],
    "numpy.stack": [Row("lambda x, y: np.stack((x, y)).sum()", UNEQUAL)],
    "numpy.column_stack": [Row("lambda x, y: np.column_stack((x, y)).sum()", UNEQUAL)],
    "numpy.vstack": [Row("lambda x, y: np.vstack((x, y)).sum()", UNEQUAL)],
    "numpy.dstack": [Row("lambda x, y: np.dstack((x, y)).sum()", UNEQUAL)],
    "numpy.hstack": [
        Row("lambda x, y: np.hstack((x, y)).sum()", [*UNEQUAL, (NOTHING, X)]),
        Row("lambda x, y: np.hstack((x, y)).sum()", [(MATRIX, NO_ROWS), (MATRIX, NO_COLUMNS)]),
    ],
    "numpy.take": [
        Row("lambda x, k: x.take(k)", [(X, 4), (X, -5), (X, -4)]),
        Row("lambda x, k: np.take(x, np.array([0, k])).sum()", [(X, 4), (X, -5), (X, 1)]),
    ],
    "numpy.take_along_axis": [  # Numba does not check its indices
        Row("lambda x, k: np.take_along_axis(x, np.array([0, k]), 0).sum()", [(X, 1), (X, -4)]),
        Row("lambda x, y: np.take_along_axis(x, np.argsort(y), 0).sum()", [(X, X), (X, X[:3]), (X, NOTHING)]),
    ],
    "numpy.extract": [Row("lambda x, y: np.extract(y > 1.0, x).sum()", [*UNEQUAL, (X[:2], X), (NOTHING, X)])],
    "numpy.lib.stride_tricks.sliding_window_view": [
        Row("lambda x, k: np.lib.stride_tricks.sliding_window_view(x, k).sum()", [(X, 5), (X, -1), (X, 4), (X, 2)])
    ],
    "numpy.roll": [
        Row("lambda x, k: np.roll(x, k)[0]", [(X, 9), (X, -9)]),
        Row("lambda x, k: np.roll(x, k).sum()", [(NOTHING, 1)]),
    ],
    # ---- reductions and orders ----
    **{
        f"numpy.{name}": [of_array(f"np.{name}(x)"), of_array(f"np.{name}(x)", [(MATRIX,), (NO_ROWS,)])]
        for name in ("max", "min", "mean", "var", "std", "sum", "prod", "median", "nanmax", "nanmin", "nanmedian")
    },
    "numpy.argmax": [of_array("x[np.argmax(x)]", [(X,), (X * math.nan,)]), of_array("1.0 * np.argmax(x) + x.sum()")],
    "numpy.argmin": [of_array("x[np.argmin(x)]", [(X,), (X * math.nan,)]), of_array("1.0 * np.argmin(x) + x.sum()")],
    "numpy.argsort": [of_array("x[np.argsort(x)].sum()"), of_array("np.sort(x)[::-1].sum()")],
    "numpy.quantile": [Row("lambda x, d: np.quantile(x, d)", [(X, -0.1), (X, 1.5), (X, math.nan), (X, 0.3)])],
    "numpy.percentile": [Row("lambda x, d: np.percentile(x, d)", [(X, -1.0), (X, 101.0), (X, 30.0)])],
    "numpy.nanquantile": [Row("lambda x, d: np.nanquantile(x, d)", [(X, -0.1), (X, 1.5), (X, 0.3)])],
    "numpy.nanpercentile": [Row("lambda x, d: np.nanpercentile(x, d)", [(X, -1.0), (X, 101.0), (X, 30.0)])],
    # ---- vectors and matrices ----
    "numpy.dot": [
        Row("lambda x, y: np.dot(x, y)", UNEQUAL),
        Row("lambda x, y: (x @ y).sum()", [(MATRIX, SQUARE), (SQUARE, MATRIX), (NO_ROWS, MATRIX.T.copy())]),
    ],
    "operator.matmul": [
        Row("lambda x, y: (x @ y).sum()", [(SQUARE, X[:2]), (SQUARE, X), (MATRIX, X[:3]), (MATRIX, NOTHING)])
    ],
    "numpy.vdot": [Row("lambda x, y: np.vdot(x, y)", UNEQUAL)],
    "numpy.cross": [Row("lambda x, y: np.cross(x, y).sum()", [(X, X), (X[:3], X[:3]), (X[:3], NOTHING)])],
    "numpy.convolve": [Row("lambda x, y: np.convolve(x, y).sum()", UNEQUAL)],
    "numpy.interp": [
        Row(
            "lambda d, x, y: np.interp(d, x, y)",
            [(1.5, X, X), (1.5, X, X[:3]), (1.5, NOTHING, NOTHING), (math.nan, X, X)],
        )
    ],
    "numpy.allclose": [Row("lambda x, y: x.sum() if np.allclose(x, y) else 0.0", [(X, X), (X, X[:3])])],
    "numpy.linalg.cholesky": [of_square("np.linalg.cholesky(x).sum()")],
    "numpy.linalg.det": [of_square("np.linalg.det(x)")],
    "numpy.linalg.inv": [of_square("np.linalg.inv(x).sum()")],
    "numpy.linalg.eigh": [Row("lambda x: np.linalg.eigh(x)[0].sum()", [(SQUARE,), (NAN,), (INFINITE,), (MATRIX,)])],
    "numpy.linalg.svd": [Row("lambda x: np.linalg.svd(x)[1].sum()", [(SQUARE,), (NAN,), (INFINITE,), (MATRIX,)])],
    "numpy.linalg.qr": [
        Row("lambda x: np.linalg.qr(x)[1].sum()", [(SQUARE,), (NAN,), (INFINITE,), (MATRIX.T.copy(),)])
    ],
    "numpy.linalg.solve": [
        Row(
            "lambda x, y: np.linalg.solve(x, y).sum()",
            [
                (SQUARE, X[:2]),
                (SQUARE, X),
                (SINGULAR, X[:2]),
                (NAN, X[:2]),
                (SQUARE, X[:2] * math.nan),
            ],  # Numba does not check that the matrix is square
        ),
        Row("lambda x, y: np.linalg.solve(x, y).sum() * math.nan", [(SQUARE, X[:2]), (LARGE, np.ones(9))]),
    ],
    "numpy.linalg.matrix_power": [
        Row(
            "lambda x, k: np.linalg.matrix_power(x, k).sum()",
            [(SQUARE, -1), (SQUARE, 0), (SINGULAR, -1), (MATRIX, 2), (SQUARE, 3)],
        )
    ],
}
"""The rows by the name of what derivatives compute by code of their own."""

ANYTHING: dict[str, tuple[str, ...]] = {
    "a bit operation, a comparison or a unary operator takes any numbers": tuple(
        f"operator.{name}"
        for name in ("and_", "or_", "xor", "invert", "not_", "pos", "lt", "le", "gt", "ge", "eq", "ne")
    ),
    "it takes numbers, or an iterable that Numba's types decide": tuple(
        f"builtins.{name}" for name in ("enumerate", "iter", "sum", "zip")
    ),
    "its sizes are those of its argument": tuple(
        f"numpy.{name}"
        for name in (
            *(
                "empty_like",
                "full_like",
                "ones_like",
                "zeros_like",
                "copy",
                "array",
                "asarray",
                "ascontiguousarray",
                "asfortranarray",
            ),
            *(
                "atleast_1d",
                "atleast_2d",
                "atleast_3d",
                "ravel",
                "transpose",
                "flip",
                "tril",
                "triu",
                "nonzero",
                "trim_zeros",
            ),
            *("cumsum", "cumprod", "all", "any", "ndenumerate", "nditer", "clip"),
        )
    ),
    "the operator of two arrays broadcasts, as `operator.add` does": tuple(
        f"numpy.{name}" for name in ("fmax", "fmin", "maximum", "minimum", "isclose", "where", "divmod")
    ),
    "axes are constants, which are checked when the derivative is made": tuple(
        f"numpy.{name}" for name in ("expand_dims", "moveaxis", "swapaxes")
    ),
    "another name of a function of the table": (
        *(
            "numpy.amax",
            "numpy.amin",
            *(["numpy.row_stack"] if hasattr(np, "row_stack") else []),  # not in NumPy 2.5
            "numpy.hsplit",
            "numpy.vsplit",
            "numpy.dsplit",
            "numba.misc.special.prange",
        ),
        *("numpy.linalg.eigvalsh", "numpy.linalg.slogdet"),
    ),
    "it is a function of a singular value decomposition or of eigenvalues, whose derivative has errors of its own": tuple(
        f"numpy.linalg.{name}" for name in ("cond", "eig", "eigvals", "lstsq", "matrix_rank", "norm", "pinv")
    ),
    "it takes any arrays": ("numpy.kron", "numpy.outer"),
    "it raises for coefficients of no elements alone": ("numpy.polynomial.polyutils.as_series",),
    "strides are bytes, of which Numba checks nothing": ("numpy.lib.stride_tricks.as_strided",),
    "it sets the state of the generator": ("numpy.random.seed", "random.seed"),
    "it draws one number": (".random", "random.gauss", "random.normalvariate", "random.uniform"),
}
"""What takes any arguments, or has no row of its own, by the reason."""

LLVM = {
    **dict.fromkeys(["numpy.int64", "numpy.float64", "numpy.float32", "builtins.bool"], "conversion"),
    **dict.fromkeys(["Item", "TupleOf", "Subscript"], "item"),
    **dict.fromkeys(["({0} and {1})", "({0} or {1})", "({1} if {0} else {2})"], "condition"),
    "fastgrad._src.derivatives.codegen.matrix_products.add_product": "numpy.dot",
    **dict.fromkeys(["Attribute", "SizeAlong"], "numpy.reshape"),
    "Method": "methods of array",
    "Transposition": "numpy.linalg.solve",
}
"""The rows that try what is written as LLVM IR and has no name of its own."""

REFUSES_NOTHING = {
    "builtins.slice": "bounds beyond an end mean the end",
    "list": "a negative count is 0",
    "numpy.arange": "an end before the start is an empty array",
    "numpy.array_split": "parts beyond the elements are empty",
    "numpy.ndindex": "its sizes are tried where the function has a value",
    "numpy.roll": "a shift by more than the size goes round",
    "numpy.take_along_axis": "Numba does not check its indices",
    "operator.lshift": "any count of bits has a value",
    "operator.neg": "any number has one",
    "operator.rshift": "any count of bits has a value",
}
"""The rows without arguments that NumPy refuses or that give no finite number, with the reasons."""
