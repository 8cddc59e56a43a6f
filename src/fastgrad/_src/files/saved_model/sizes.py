"""Expressions in the unknown sizes of a function's arguments: found from several recordings, computed at each call.

A function whose ``input_signature`` leaves sizes open is recorded for several sizes. An integer in the graph that
differs between the recordings is stored as an expression that gives all of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

Sizes = Sequence[int]
"""A size for each symbol."""

LARGEST_PROBE = 1 << 16
"""The largest size of a recording."""

_SMALLEST_SIZE = 5
_LARGEST_DIVISOR = 8


def probe_sizes(symbol_count: int, offset: int) -> list[tuple[int, ...]]:
    """Returns the sizes of all symbols for each recording; ``offset`` is added to each.

    The sizes of a symbol are consecutive numbers in a random order, so that they have all remainders of small divisors. Several
    symbols need more recordings, to tell which size a number follows from.
    """
    count = 8 if symbol_count < 2 else 16
    sizes = offset + _SMALLEST_SIZE + np.arange(count)
    rows = [np.random.default_rng(number).permutation(sizes).tolist() for number in range(symbol_count)]
    return [tuple([row[probe] for row in rows]) for probe in range(count)]


def fit_integers(values: Sequence[int], probes: Sequence[Sizes]) -> Any:
    """Returns the JSON of an expression that has ``values`` at the sizes ``probes``; None if none is found.

    The forms are a polynomial of whole coefficients, ``(s + b) // d + c``, ``(b - s) // d + c`` and, by remainder, ``table[s % d]``.
    """
    if len(set(values)) == 1:
        return {"terms": [[values[0], []]], "over": 1, "plus": 0}
    symbols = [i for i in range(len(probes[0])) if len({sizes[i] for sizes in probes}) > 2]
    for expression in _candidates(values, probes, symbols):
        if all(evaluate(expression, sizes) == value for sizes, value in zip(probes, values, strict=True)):
            return expression
    return None


def _candidates(values: Sequence[int], probes: Sequence[Sizes], symbols: Sequence[int]) -> Iterator[Any]:
    """Yields the expressions of each form that are nearest to ``values``."""
    monomials = [term for degree in range(1, 5) for term in itertools.combinations_with_replacement(symbols, degree)]
    bases: list[list[tuple[int, ...]]] = [[term] for term in monomials]
    bases += [[(), (i,)] for i in symbols]
    bases += [[(), (i,), (i, i)] for i in symbols]
    bases += [[(), (i,), (j,), (i, j)] for i, j in itertools.combinations(symbols, 2)]
    for basis in bases:
        matrix = np.array([[math.prod([sizes[i] for i in term]) for term in basis] for sizes in probes], np.float64)
        solution = np.linalg.lstsq(matrix, np.array(values, np.float64), rcond=None)[0]
        terms = [[round(c), list(term)] for c, term in zip(solution, basis, strict=True) if round(c)]
        yield {"terms": terms, "over": 1, "plus": 0}
    for symbol in symbols:
        sizes = [row[symbol] for row in probes]
        for divisor in range(2, _LARGEST_DIVISOR + 1):
            remainders = [size % divisor for size in set(sizes)]
            if any(remainders.count(remainder) < 2 for remainder in range(divisor)):
                continue  # an expression of the remainder has no second value that confirms it
            for factor, shift in itertools.product((1, -1), range(divisor)):
                plus = values[0] - (factor * sizes[0] + shift) // divisor
                yield {"terms": [[factor, [symbol]], [shift, []]], "over": divisor, "plus": plus}
            table = {size % divisor: value for size, value in zip(sizes, values, strict=True)}
            yield {"symbol": symbol, "by_remainder": [table[i] for i in range(divisor)]}


def evaluate(expression: Any, sizes: Sizes) -> int:
    """Returns the value of an expression for the sizes of all symbols."""
    if "by_remainder" in expression:
        table = expression["by_remainder"]
        return int(table[sizes[expression["symbol"]] % len(table)])
    total = sum([c * math.prod([sizes[i] for i in factors]) for c, factors in expression["terms"]])
    return int(total // expression["over"] + expression["plus"])


def check_expression(expression: Any, symbol_count: int) -> None:
    """Raises ValueError if ``expression``, read from a file, is no expression in so many symbols."""
    if not isinstance(expression, dict):
        raise ValueError(f"no expression in sizes: {expression!r:.100}")
    if set(expression) == {"symbol", "by_remainder"}:
        table = expression["by_remainder"]
        symbols = [expression["symbol"]]
        numbers = table if isinstance(table, list) and table else [None]
    elif set(expression) == {"terms", "over", "plus"}:
        terms = expression["terms"]
        if not isinstance(terms, list) or not all(
            isinstance(term, list) and len(term) == 2 and isinstance(term[1], list) and len(term[1]) <= 8
            for term in terms
        ):
            raise ValueError(f"no terms: {terms!r:.100}")
        symbols = [symbol for _, factors in terms for symbol in factors]
        numbers = [expression["over"], expression["plus"], *[c for c, _ in terms]]
        if type(expression["over"]) is not int or expression["over"] < 1:
            raise ValueError(f"a division by {expression['over']!r:.100}")
    else:
        raise ValueError(f"no expression in sizes: {expression!r:.100}")
    if not all(type(i) is int and 0 <= i < symbol_count for i in symbols):
        raise ValueError(f"the expression {expression!r:.100} has other sizes than the {symbol_count} there are")
    if not all(type(number) is int and abs(number) < 1 << 63 for number in numbers):
        raise ValueError(f"the expression {expression!r:.100} has numbers that are no 64-bit integers")


# ---- floating-point numbers that follow from sizes, such as the 1 / n of a mean -----------------------

_FUNCTIONS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "same": (float, float),
    "inverse": (lambda n: 1.0 / n, lambda v: 1.0 / v),
    "negative inverse": (lambda n: -1.0 / n, lambda v: -1.0 / v),
    "root": (math.sqrt, lambda v: v * v),
    "inverse root": (lambda n: 1.0 / math.sqrt(n), lambda v: 1.0 / (v * v)),
}
"""Functions of an integer with their inverses."""


def fit_floats(values: Sequence[float], probes: Sequence[Sizes], rounded: Callable[[float], float]) -> Any:
    """Returns the JSON of a function of an integer expression that has ``values``, rounded; None if none is found."""
    for name, (function, inverse) in _FUNCTIONS.items():
        try:
            integers = [round(inverse(value)) for value in values]
            if [rounded(function(n)) for n in integers] != list(values):
                continue
        except (ZeroDivisionError, OverflowError, ValueError):
            continue
        expression = fit_integers(integers, probes)
        if expression is not None:
            return [name, expression]
    return None


def evaluate_float(function_of_expression: Any, sizes: Sizes) -> float:
    """Returns the value of a result of ``fit_floats``, not rounded."""
    name, expression = function_of_expression
    value = evaluate(expression, sizes)
    if value == 0 and name != "same":
        return math.inf if name in {"inverse", "inverse root"} else -math.inf if "negative" in name else 0.0
    return _FUNCTIONS[name][0](value)


def check_float_expression(data: Any, symbol_count: int) -> None:
    """Raises ValueError if ``data``, read from a file, is no result of ``fit_floats``."""
    if not isinstance(data, list) or len(data) != 2 or data[0] not in _FUNCTIONS:
        raise ValueError(f"no function of sizes: {data!r:.100}")
    check_expression(data[1], symbol_count)
