"""GradBench's comparison of two results: differences up to 1e-4 of the larger of one and the sum of both magnitudes pass."""

from collections.abc import Iterator
from typing import Any

TOLERANCE = 1e-4


def mismatches(expected: Any, actual: Any, place: str = "result") -> Iterator[str]:
    """Yields a sentence for each place where two JSON values differ."""
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        for key in expected:
            yield from mismatches(expected[key], actual[key], f"{place}.{key}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, pair in enumerate(zip(expected, actual, strict=True)):
            yield from mismatches(*pair, f"{place}[{index}]")
    elif isinstance(expected, int | float) and isinstance(actual, int | float):
        # The negation also reports what is no number.
        if not abs(expected - actual) <= TOLERANCE * max(1.0, abs(expected) + abs(actual)):
            yield f"{place} is {actual}, not {expected}"
    elif expected != actual:
        yield f"{place} has another form: {_form(actual)}, not {_form(expected)}"


def _form(value: Any) -> str:
    if isinstance(value, dict):
        return f"the keys {', '.join(sorted(value))}"
    return f"{len(value)} elements" if isinstance(value, list) else repr(value)
