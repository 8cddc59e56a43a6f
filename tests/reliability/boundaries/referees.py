"""Exact results, in NumPy, of rows whose properties in `tests/kernels` compare only eager results with those of kernels.

`REFEREES` maps a row to its function of arrays, floats as float64, and attributes. `PROPERTIES` has rows that need the dtype or other arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.kernels.elementwise.elementwise_properties import broadcast
from tests.kernels.properties import FLOATS, Property, dtype_of, normal, results_of
from tests.kernels.random.draw_properties import words
from tests.kernels.row_properties import over_time
from tests.reliability.boundaries.elementwise import moderate

Made = tuple[list[np.ndarray], dict[str, Any]]


def top_k(x: np.ndarray, k: int, index_type: str) -> tuple[np.ndarray, ...]:
    """The k largest of each row, the first of equal ones first, and NaNs last."""
    rows = x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1])
    places = [
        sorted(range(rows.shape[1]), key=lambda n, row=row: (row[n] != row[n], -row[n] if row[n] == row[n] else 0, n))[
            :k
        ]
        for row in rows.tolist()
    ]
    ids = np.array(places, index_type).reshape(*x.shape[:-1], k)
    return np.take_along_axis(x, ids.astype(np.int64), -1), ids


def in_top_k(ids: np.ndarray, x: np.ndarray, k: int) -> np.ndarray:
    """True where fewer than k numbers of a row of finite numbers are greater than the one at the id."""
    return np.array(
        [
            0 <= at < len(row) and bool(np.isfinite(row).all()) and sum(one > row[at] for one in row) < k
            for at, row in zip(ids.tolist(), x, strict=True)
        ],
        bool,
    )


def into_variable(x: np.ndarray, at: np.ndarray, values: np.ndarray, into: str | None, **_: Any) -> np.ndarray:
    """Rows of an array after updates, one by one; numbers that repeat are reduced first."""
    y = x.copy()
    reduce = {"subtract": "add", "divide": "multiply"}.get(str(into), str(into))
    for row in np.unique(at):
        updates = values[at == row]
        y[row] = updates[-1] if into is None else getattr(np, into)(y[row], getattr(np, reduce).reduce(updates))
    return y


def simple_rnn(x: np.ndarray, w: np.ndarray, b: np.ndarray, h: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, ...]:
    """All states, the first one included, and the last; a state stays where the mask is False."""
    states = [h]
    for step, kept in zip(x, mask, strict=True):
        states.append(np.where(kept[:, None], np.tanh(step + states[-1] @ w + b), states[-1]))
    return np.stack(states), states[-1]


def masked_simple_rnn(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    arrays, attributes = over_time(1, None)(r, dtype, *sizes)
    return [*arrays, r.random(arrays[0].shape[:2]) < 0.6], attributes


def neighbour(dtype: str) -> Callable[..., np.ndarray]:
    """The function that gives the number of a dtype after x towards y, by the bits of floats."""
    kind = dtype_of(dtype)
    bits = np.dtype(f"int{8 * kind.itemsize}")

    def exact(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        a, b = np.broadcast_arrays(x.astype(kind), y.astype(kind))
        away = np.where((a > 0) == (b > a), 1, -1)  # whole numbers of the same bits grow with the distance from 0
        stepped = (np.ascontiguousarray(a).view(bits).reshape(a.shape) + away).astype(bits).view(kind).reshape(a.shape)
        least = np.copysign(np.ones((), bits).view(kind), b)
        return np.where(np.isnan(a) | np.isnan(b), np.nan, np.where(a == b, b, np.where(a == 0, least, stepped)))

    return exact


def in_quarters(r: np.random.Generator, dtype: str, a: int, b: int) -> Made:
    """Numbers on the edges of bins and between them, of which each dtype computes exact quotients."""
    x = r.integers(-40, 40, (a, b)) if dtype.startswith("int") else r.integers(-40, 40, (a, b)) / 4
    return [x.astype(dtype_of(dtype))], {
        "low": -4.0,
        "high": 4.0,
        "nbins": 2 ** int(r.integers(0, 6)),
        "dtype": "int32",
    }


def bins(x: np.ndarray, low: float, high: float, nbins: int, dtype: str) -> np.ndarray:
    return (np.searchsorted(np.linspace(low, high, nbins + 1)[1:-1], x, "right")).astype(dtype)


def to_drop(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    return [normal(r, dtype, *sizes), words(r)], {"rate": float(r.random())}


def dropped(x: np.ndarray, key: np.ndarray, rate: float) -> np.ndarray:
    """Elements whose 32 bits are at least rate 2^32, divided by 1 - rate, and zeros."""
    (drawn,) = results_of("random_bits_of_dropout", [key], {"shape": x.shape})
    return np.where(drawn >= rate * 2.0**32, x / (1 - rate), 0)


REFEREES: dict[str, Callable[..., Any]] = {
    "top_k": top_k,
    "in_top_k": in_top_k,
    "scatter_into_variable": into_variable,
}

PROPERTIES = [
    Property("simple_rnn", 3, masked_simple_rnn, simple_rnn, 256),
    *[Property("nextafter", 2, broadcast(moderate, 2), neighbour(dtype), dtypes=(dtype,)) for dtype in FLOATS],
    Property("histogram_fixed_width_bins", 2, in_quarters, bins, dtypes=(*FLOATS, "int16", "int32", "int64")),
    Property("dropout", 2, to_drop, dropped, 4, FLOATS),
]
