"""Says where an answer differs from the expected one: floats by a tolerance of their dtype, all else exactly."""

from collections.abc import Iterator
from typing import Any

import numpy as np

# Relative and absolute error allowed per dtype. float64 leaves room for TensorFlow's own kernels, which are not all good
# to the last digit; a plain Python float mostly comes out of float32 arithmetic.
TOLERANCE = {
    "float16": (2e-3, 1e-4),
    "bfloat16": (1.6e-2, 1e-3),
    "float32": (1e-5, 5e-7),
    "float64": (1e-9, 1e-12),
    "complex64": (1e-5, 5e-7),
    "complex128": (1e-9, 1e-12),
    "python": (1e-5, 1e-8),
}
ARRAYS = ("Tensor", "Variable", "array")


def differences(expected: Any, actual: Any, where: str = "answer") -> list[str]:
    """Every place where `actual` is not what was expected, one line each; empty when they agree.

    An exception agrees when every class under which TensorFlow's could be caught also catches ours.
    """
    return list(_differences(expected, actual, where))


def _differences(expected: Any, actual: Any, where: str) -> Iterator[str]:
    if not isinstance(expected, dict) or not isinstance(actual, dict) or _kind(expected) != _kind(actual):
        if type(expected) is not type(actual) or expected != actual:
            yield f"{where}: expected {expected!r}, got {actual!r}"
        return
    kind = _kind(expected)
    left, right = expected[kind], actual[kind]
    if kind == "raises":
        if not set(left) <= set(right):
            yield f"{where}: expected an exception that is {left}, got {right}: {actual.get('message')}"
    elif kind == "float":
        if not _close([left], [right], TOLERANCE["python"]):
            yield f"{where}: expected {left}, got {right}"
    elif kind in ARRAYS:
        yield from _array_differences(left, right, where)
    elif kind in ("IndexedSlices", "RaggedTensor", "SparseTensor"):
        yield from _array_differences(left[0], right[0], f"{where}.values")
        if left[1:] != right[1:]:
            yield f"{where}: expected indices or splits, and the shape, {left[1:]}, got {right[1:]}"
    elif kind in ("list", "tuple"):
        if len(left) != len(right):
            yield f"{where}: expected {len(left)} items, got {len(right)}"
        for index, (one, other) in enumerate(zip(left, right, strict=False)):
            yield from _differences(one, other, f"{where}[{index}]")
    elif kind == "dict":
        if list(left) != list(right):
            yield f"{where}: expected the keys {list(left)}, got {list(right)}"
        for key in left.keys() & right.keys():
            yield from _differences(left[key], right[key], f"{where}[{key!r}]")
    elif left != right:
        yield f"{where}: expected {kind} {left}, got {right}"


def _kind(data: dict[str, Any]) -> str:
    return next(iter(data))


def _array_differences(expected: dict[str, Any], actual: dict[str, Any], where: str) -> Iterator[str]:
    for fact in ("dtype", "shape"):
        if expected[fact] != actual[fact]:
            yield f"{where}: expected {fact} {expected[fact]}, got {actual[fact]}"
            return
    left, right = expected["values"], actual["values"]
    tolerance = TOLERANCE.get(expected["dtype"])
    if left != right if tolerance is None else not _close(left, right, tolerance):
        yield f"{where}: expected {left}, got {right}"


def _close(expected: list[Any], actual: list[Any], tolerance: tuple[float, float]) -> bool:
    left, right = np.asarray(expected, np.float64), np.asarray(actual, np.float64)
    return np.allclose(right, left, rtol=tolerance[0], atol=tolerance[1], equal_nan=True)
