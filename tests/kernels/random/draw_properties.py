"""Properties of rows that draw random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.kernels.properties import FLOATS, HALVES, Property, normal

Made = tuple[list[np.ndarray], dict[str, Any]]
INTEGERS = ("uint8", "int32", "int64", "uint64")


def words(r: np.random.Generator) -> np.ndarray:
    """A key, and a counter that may be near its end."""
    return np.where(r.random(3) < 0.2, -1, r.integers(-(2**63), 2**63, 3)).astype(np.int64)


def of_shape(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    return [words(r)], {"shape": sizes, "dtype": dtype}


def between(r: np.random.Generator, dtype: str, a: int, b: int) -> Made:
    limits = np.iinfo(dtype)
    low, high = sorted(r.integers(limits.min, limits.max, 2, dtype, endpoint=True).tolist())
    lows = np.array(low, dtype) if r.random() < 0.5 else r.integers(low, high, (a, 1), dtype, endpoint=True)
    return [words(r), np.minimum(lows, limits.max - 1).astype(dtype), np.array(limits.max, dtype)], {"shape": (a, b)}


def categories(r: np.random.Generator, dtype: str, rows: int, classes: int, count: int) -> Made:
    logits = normal(r, dtype, rows, classes + 1)
    for number in (-np.inf, np.inf, np.nan):
        logits[r.random(logits.shape) < 0.1] = number
    return [logits, words(r)], {"count": count, "dtype": ["int32", "int64"][r.integers(0, 2)]}


PROPERTIES = [
    *[
        Property(f"random_{name}", 2, of_shape, None, dtypes=(*FLOATS, *HALVES))
        for name in ("uniform", "normal", "truncated_normal")
    ],
    Property("random_integers", 2, of_shape, None, dtypes=INTEGERS),
    Property("random_integers_between", 2, between, None, dtypes=("uint8", "int32", "int64")),
    Property("random_categories", 3, categories, None),
    Property("random_shuffled_positions", 1, lambda r, dtype, n: ([words(r)], {"count": n}), None),
    Property(
        "dropout",
        2,
        lambda r, dtype, *sizes: ([normal(r, dtype, *sizes), words(r)], {"rate": float(r.random())}),
        None,
        dtypes=(*FLOATS, *HALVES),
    ),
    Property(
        "philox_words",
        1,
        lambda r, dtype, _: ([r.integers(-99, 99, 2).astype(dtype)], {}),
        None,
        dtypes=("int32", "int64"),
    ),
]
