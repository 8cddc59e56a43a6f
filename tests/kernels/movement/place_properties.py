"""Properties of rows that gather, scatter and sort."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.kernels.properties import ANY, FLOATS, HALVES, Property, dtype_of, ids, numbers

Made = tuple[list[np.ndarray], dict[str, Any]]
REAL = (*FLOATS, *HALVES, "int8", "int64", "uint8", "uint64")
SIMPLE = (*FLOATS, "int32", "uint8")


def ints(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Whole numbers, whose sums are exact in any order."""
    return np.asarray(r.integers(0, 9, shape)).astype(dtype)


def index(r: np.random.Generator, most: int, *shape: int) -> np.ndarray:
    return ids(r, most, *shape).astype(["int32", "int64"][r.integers(0, 2)])


def put_along(r: np.random.Generator, dtype: str, a: int, b: int, c: int) -> Made:
    size = b + int(r.integers(0, 5))
    places = np.argsort(r.random((a, size, c)), 1)[:, :b]
    return [numbers(r, dtype, a, b, c), places], {"axis": 1, "size": size}


def put(g: np.ndarray, places: np.ndarray, axis: int, size: int) -> np.ndarray:
    y = np.zeros((g.shape[0], size, g.shape[2]), g.dtype)
    np.put_along_axis(y, places, g, axis)
    return y


def sequences(r: np.random.Generator, dtype: str, a: int, b: int, c: int) -> Made:
    return [numbers(r, dtype, a, b, c), index(r, b + 1, c)], {"seq_axis": 1, "batch_axis": 2}


def turned(x: np.ndarray, lengths: np.ndarray, **_: Any) -> np.ndarray:
    y = x.copy()
    for n, length in enumerate(lengths):
        y[:, :length, n] = x[:, :length, n][:, ::-1]
    return y


def hot(r: np.random.Generator, dtype: str, a: int, b: int, depth: int) -> Made:
    return [index(r, depth + 4, a, b) - 2, numbers(r, dtype), numbers(r, dtype)], {
        "depth": depth,
        "axis": int(r.integers(0, 3)),
    }


def one_hot(places: np.ndarray, on: np.ndarray, off: np.ndarray, depth: int, axis: int) -> np.ndarray:
    return np.moveaxis(np.where(places[..., None] == np.arange(depth), on, off), -1, axis)


def updates(made: Callable[..., np.ndarray], given: bool = True) -> Callable[..., Made]:
    """Makes an array, positions of rows of it that may repeat, and updates of those."""

    def make(r: np.random.Generator, dtype: str, a: int, b: int, n: int, inner: int) -> Made:
        shape = (a + 1, b + 1, inner)
        places = np.stack([index(r, a + 1, n).astype(np.int64), ids(r, b + 1, n)], -1)
        arrays = [places, made(r, dtype, n, inner)]
        return (
            ([made(r, dtype, *shape), *arrays], {"strict": True})
            if given
            else (arrays, {"shape": shape, "strict": True})
        )

    return make


def distinct(make: Callable[..., Made]) -> Callable[..., Made]:
    """The same with places of which none repeats."""

    def made(*sizes: Any) -> Made:
        (x, places, values), attributes = make(*sizes)
        _, first = np.unique(places, axis=0, return_index=True)
        return [x, places[first], values[first]], attributes

    return made


def at(ufunc: Any) -> Callable[..., np.ndarray]:
    def exact(x: np.ndarray, places: np.ndarray, values: np.ndarray, **_: Any) -> np.ndarray:
        y = x.copy()
        ufunc(y, (places[:, 0], places[:, 1]), values)
        return y

    return exact


def write(y: np.ndarray, places: Any, values: np.ndarray) -> None:
    y[places] = values


def gathered(r: np.random.Generator, dtype: str, a: int, rows: int, n: int, inner: int) -> Made:
    return [ints(r, dtype, a, n, inner), index(r, rows + 1, a, n)], {
        "shape": (a, rows + 1, inner),
        "axis": 1,
        "batch_dims": 1,
    }


def gather_gradient(g: np.ndarray, places: np.ndarray, shape: tuple[int, ...], **_: Any) -> np.ndarray:
    y = np.zeros(shape, g.dtype)
    np.add.at(y, (np.arange(shape[0])[:, None], places), g)
    return y


def segments(r: np.random.Generator, dtype: str, rows: int, columns: int, count: int) -> Made:
    return [1 + ints(r, dtype, rows, columns) % 2, index(r, max(count, 1), rows) - 1], {"num_segments": count}


def segment_products(x: np.ndarray, places: np.ndarray, num_segments: int) -> np.ndarray:
    y = np.ones((num_segments, x.shape[1]), x.dtype)
    np.multiply.at(y, places[places >= 0], x[places >= 0])
    return y


def counted(r: np.random.Generator, dtype: str, a: int, b: int) -> Made:
    attributes = {"size": int(r.integers(1, 70)), "binary": bool(r.random() < 0.3)}
    if r.random() < 0.5:
        return [ids(r, 80, a, b)], {**attributes, "dtype": "int32"}
    return [ids(r, 80, a, b), ints(r, dtype, a, b)], {**attributes, "binary": False, "dtype": dtype}


def counts(places: np.ndarray, *weights: np.ndarray, size: int, dtype: str, binary: bool) -> np.ndarray:
    found = [
        np.bincount(row[row < size], weights[0][n][row < size] if weights else None, minlength=size)
        for n, row in enumerate(places)
    ]
    total = np.array(found).reshape(len(places), size)
    return np.asarray(total != 0 if binary else total, dtype)


def into_variable(kind: str, into: str | None) -> Property:
    def make(r: np.random.Generator, dtype: str, a: int, b: int, n: int) -> Made:
        places = np.argsort(r.random(a + 1))[:n] if into is None else index(r, a + 1, n)
        x = 1 + ints(r, dtype, a + 1, b + 1)
        return [x, places, 1 + ints(r, dtype, len(places), b + 1) % 2], {
            "what": "scatter",
            "kind": kind,
            "into": into,
        }

    return Property("scatter_into_variable", 3, make, None)


def largest(r: np.random.Generator, dtype: str, a: int, n: int, k: int) -> Made:
    return [numbers(r, dtype, a, n)], {"k": min(n, k), "index_type": ["int16", "int32", "int64"][r.integers(0, 3)]}


def bins(r: np.random.Generator, dtype: str, a: int, b: int) -> Made:
    x = ints(r, dtype, a, b) if dtype.startswith("int") else (10 * r.normal(size=(a, b))).astype(dtype)
    return [x], {"low": -3.0, "high": 8.0, "nbins": 1 + int(r.integers(0, 40)), "dtype": "int32"}


def places_in_a_box(r: np.random.Generator, dtype: str, a: int, b: int, n: int) -> Made:
    dims = (a + 1, b + 1, *[2] * int(r.integers(0, 6)))
    return [ids(r, int(np.prod(dims)), n).astype(dtype)], {"dims": dims}


def extreme(x: np.ndarray, axis: int, output_type: str, sign: int) -> np.ndarray:
    x = np.where(np.isnan(x), -sign * np.inf, x) if x.dtype.kind == "f" else x
    return x.argmax(axis) if sign > 0 else x.argmin(axis)


def along(r: np.random.Generator, dtype: str, a: int, b: int, c: int) -> Made:
    return [numbers(r, dtype, a, b + 1, c)], {"axis": 1, "output_type": ["int32", "int64"][r.integers(0, 2)]}


def in_first_appearance(x: np.ndarray, out_idx: str) -> tuple[np.ndarray, ...]:
    """Equal elements are one, a NaN is equal to nothing."""
    found: list[Any] = []
    places = []
    for one in x.tolist():
        if one not in found or one != one:
            found.append(one)
            places.append(len(found) - 1)
        else:
            places.append(found.index(one))
    values = np.array(found, x.dtype)
    return values, np.array(places, out_idx), np.bincount(places, minlength=len(found)).astype(out_idx)


PROPERTIES = [
    Property("put_along_axis", 3, put_along, put, dtypes=ANY),
    Property("reverse_sequence", 3, sequences, turned, dtypes=ANY),
    Property("one_hot", 3, hot, one_hot, dtypes=ANY),
    Property(
        "gather_segments",
        3,
        lambda r, dtype, rows, columns, n: ([numbers(r, dtype, rows + 1, columns), index(r, rows + 2, n) - 1], {}),
        lambda x, places: np.where(places[:, None] < 0, np.zeros((), x.dtype), x[places]),
        dtypes=ANY,
    ),
    Property("gather_gradient", 4, gathered, gather_gradient, dtypes=(*SIMPLE, "complex128")),
    Property(
        "scatter_nd",
        4,
        updates(ints, given=False),
        lambda places, values, shape, **_: at(np.add.at)(np.zeros(shape, values.dtype), places, values),
        dtypes=(*SIMPLE, "complex128"),
    ),
    Property("tensor_scatter_nd_update", 4, distinct(updates(numbers)), at(write), dtypes=ANY),
    Property("tensor_scatter_nd_add", 4, updates(ints), at(np.add.at), dtypes=(*SIMPLE, "complex128")),
    Property("tensor_scatter_nd_max", 4, updates(numbers), at(np.maximum.at), dtypes=SIMPLE),
    Property("tensor_scatter_nd_min", 4, updates(numbers), at(np.minimum.at), dtypes=SIMPLE),
    Property("unsorted_segment_prod", 3, segments, segment_products, dtypes=("float64", "int64")),
    Property("bincount", 2, counted, counts, dtypes=("float32", "float64", "int32")),
    *[into_variable("rows", into) for into in ("add", "subtract", "multiply", "maximum", None)],
    Property("top_k", 3, largest, None, dtypes=REAL),
    Property(
        "in_top_k",
        3,
        lambda r, dtype, m, n, k: ([index(r, n + 3, m) - 1, numbers(r, dtype, m, n)], {"k": k}),
        None,
        dtypes=("float32",),
    ),
    Property(
        "invert_permutation",
        1,
        lambda r, dtype, n: ([r.permutation(n).astype(dtype)], {}),
        np.argsort,
        dtypes=("int32", "int64"),
    ),
    *[
        Property(name, 3, along, lambda x, sign=sign, **where: extreme(x, sign=sign, **where), dtypes=(*REAL, "bool"))
        for name, sign in (("argmax", 1), ("argmin", -1))
    ],
    Property("true_positions", 3, lambda r, dtype, *sizes: ([numbers(r, dtype, *sizes)], {}), np.argwhere, dtypes=ANY),
    Property(
        "unique",
        2,
        lambda r, dtype, a, b: ([numbers(r, dtype, a + b)], {"out_idx": ["int32", "int64"][a % 2]}),
        in_first_appearance,
        dtypes=REAL,
    ),
    Property(
        "unravel_index",
        3,
        places_in_a_box,
        lambda x, dims: np.stack(np.unravel_index(x, dims)),
        dtypes=("int32", "int64"),
    ),
    Property("histogram_fixed_width_bins", 2, bins, None, dtypes=("float32", "float64", "int32", "int64")),
    Property(
        "cross",
        2,
        lambda r, dtype, a, b: ([ints(r, dtype, a, b, 3), ints(r, dtype, a, b, 3)], {}),
        np.cross,
        dtypes=(*FLOATS, "float16", "int32", "int64"),
    ),
    Property(
        "count_nonzero",
        3,
        lambda r, dtype, *sizes: ([ids(r, 3, *sizes).astype(dtype_of(dtype))], {"axes": (0, 2), "keepdims": True}),
        lambda x, axes, keepdims: np.count_nonzero(x, axes, keepdims=keepdims),
        dtypes=ANY,
    ),
]
