"""Says where derivatives differ from the expected ones: numbers by a tolerance, everything else exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .case import Case

# Relative error allowed; of float64 TensorFlow's own kernels are not all good to the last digit.
TOLERANCE = {
    "float16": 4e-3,
    "bfloat16": 3.2e-2,
    "float32": 2e-5,
    "float64": 1e-9,
    "complex64": 2e-5,
    "complex128": 1e-9,
}


# Second derivatives in other dtypes than the first of a case: terms cancel, and TensorFlow rounds each of them.
LOOSER = {"float16": 5.0, "bfloat16": 5.0, "float32": 50.0, "complex64": 50.0}


def looser(case: Case, question: str) -> dict[str, float]:
    """The factors by which the tolerances of a question are larger than `TOLERANCE`."""
    return LOOSER if question.startswith("second ") and question != f"second {case.dtypes[0]}" else {}


def differences(expected: Any, actual: Any, case: Case, question: str = "") -> list[str]:
    """Every place where `actual` is not what was expected, one line each; empty when they agree."""
    if isinstance(actual, dict):
        return [f"raised {actual['raises'][0]}: {actual.get('message')}"]
    if len(expected) != len(actual):
        return [f"expected {len(expected)} results, got {len(actual)}"]
    return [
        f"result {place}: {line}"
        for place, (left, right) in enumerate(zip(expected, actual, strict=True))
        for line in _differences(left, right, case, looser(case, question))
    ]


def _differences(expected: Any, actual: Any, case: Case, factors: dict[str, float]) -> Iterator[str]:
    kinds = [next(iter(data)) if isinstance(data, dict) else data for data in (expected, actual)]
    if kinds[0] != kinds[1]:
        yield f"expected {expected}, got {actual}"
    elif kinds[0] == "Tensor":
        yield from _of_arrays(expected["Tensor"], actual["Tensor"], case, factors)
    elif kinds[0] == "IndexedSlices":
        left, right = expected["IndexedSlices"], actual["IndexedSlices"]
        yield from _of_arrays(left[0], right[0], case, factors)
        if left[1:] != right[1:]:
            yield f"expected the indices and shape {left[1:]}, got {right[1:]}"


def array_of(data: dict[str, Any]) -> np.ndarray:
    """The numbers of an array in float64 or complex128."""
    values = np.array(data["values"], np.float64)
    if data["dtype"].startswith("complex"):
        values = values.reshape(-1, 2)
        values = values[:, 0] + 1j * values[:, 1]
    return values.reshape(data["shape"])


def _of_arrays(
    expected: dict[str, Any], actual: dict[str, Any], case: Case, factors: dict[str, float]
) -> Iterator[str]:
    for fact in ("dtype", "shape"):
        if expected[fact] != actual[fact]:
            yield f"expected {fact} {expected[fact]}, got {actual[fact]}"
            return
    left, right = array_of(expected), array_of(actual)
    dtype = expected["dtype"]
    rtol = max(TOLERANCE.get(dtype, 0.0), case.tolerance if "64" in dtype or dtype == "float32" else 0.0)
    rtol *= factors.get(dtype, 1.0)
    # Of smooth functions, an element may be a difference of larger ones. At edges each element stands for itself.
    smooth = case.smooth or case.layer
    scale = np.abs(left[np.isfinite(left)]).max(initial=1.0) if smooth else (1.0 if "16" in dtype else 1e-2)
    close = np.isclose(right, left, rtol=rtol, atol=rtol * scale, equal_nan=True)
    if not close.all():
        places = np.argwhere(~close)
        shown = [f"{place.tolist()}: {left[tuple(place)]} -> {right[tuple(place)]}" for place in places[:6]]
        yield f"{dtype}, {len(places)} of {close.size} numbers, expected -> got at {'; '.join(shown)}"
