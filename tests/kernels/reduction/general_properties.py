"""Properties of reductions of all dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.kernels.properties import COMPLEX, FLOATS, Property, normal, numbers

INTEGERS = ("int8", "int32", "int64", "uint8", "uint16")
Made = tuple[list[np.ndarray], dict[str, Any]]
AXES = ((2,), (0, 1), (1,), (0, 2), (0, 1, 2))


def whole(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    low = 0 if dtype.startswith("u") else -3
    return [r.integers(low, 4, [max(1, size) for size in sizes]).astype(dtype)], axes_of(r)


def axes_of(r: np.random.Generator) -> dict[str, Any]:
    return {"axes": AXES[r.integers(0, len(AXES))], "keepdims": bool(r.integers(0, 2))}


def pairs(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    """Complex numbers of length 1, so that products of many are, too."""
    return [np.exp(1j * r.normal(size=sizes)).astype(dtype)], axes_of(r)


def truncated_mean(x: Any, axes: Any, keepdims: bool) -> Any:
    total = x.astype(np.int64).sum(axes, keepdims=keepdims)
    count = x.size // max(1, total.size)
    return np.sign(total) * (np.abs(total) // count)


def clipped(r: np.random.Generator, dtype: str, a: int, b: int, c: int) -> Made:
    shapes = ((), (b, 1), (1, 1, c), (a, 1, 1))
    limit = np.abs(normal(r, dtype, *shapes[r.integers(0, 4)])) + 1
    return [normal(r, dtype, a, b, c), np.asarray(limit, dtype)], {"axes": AXES[r.integers(0, len(AXES))]}


def clip(x: Any, limit: Any, axes: Any) -> Any:
    return x * limit / np.maximum(np.sqrt((x * x).sum(axes, keepdims=True)), limit)


def finite_maximum(x: Any, axes: Any) -> Any:
    found = x.max(axes, keepdims=True)
    return np.where(np.isfinite(found), found, 0)


def several(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    return [normal(r, dtype, size) for size in sizes], {}


PROPERTIES = [
    Property("reduce_mean", 3, whole, truncated_mean, dtypes=INTEGERS),
    Property(
        "reduce_sum", 3, whole, lambda x, axes, keepdims: x.sum(axes, x.dtype, keepdims=keepdims), dtypes=INTEGERS
    ),
    Property(
        "reduce_prod", 3, whole, lambda x, axes, keepdims: x.prod(axes, x.dtype, keepdims=keepdims), dtypes=INTEGERS
    ),
    Property("reduce_prod", 3, pairs, lambda x, axes, keepdims: x.prod(axes, keepdims=keepdims), 4096, COMPLEX),
    Property("reduce_sum", 3, pairs, lambda x, axes, keepdims: x.sum(axes, keepdims=keepdims), 256, COMPLEX),
    Property(
        "reduce_euclidean_norm",
        3,
        pairs,
        lambda x, axes, keepdims: np.sqrt((np.abs(x) ** 2).sum(axes, keepdims=keepdims)) + 0j,
        256,
        COMPLEX,
    ),
    Property(
        "finite_maximum",
        3,
        lambda r, dtype, *sizes: (
            [numbers(r, dtype, *[max(1, size) for size in sizes])],
            {"axes": AXES[r.integers(0, 5)]},
        ),
        finite_maximum,
        dtypes=(*FLOATS, "float16"),
    ),
    Property("clip_by_norm", 3, clipped, clip, 64, (*FLOATS, "float16")),
    Property(
        "sum_of_squares", 2, lambda r, dtype, *sizes: ([normal(r, dtype, *sizes)], {}), lambda x: (x * x).sum(), 64
    ),
    Property("sums_of_squares", 3, several, lambda *xs: np.array([(x * x).sum() for x in xs]), 64 * 2.0**29),
]
