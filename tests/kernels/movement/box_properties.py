"""Properties of rows that cut and pad boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.kernels.properties import ANY, FLOATS, Property, numbers

ALIGNMENTS = ("RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT")
Made = tuple[list[np.ndarray], dict[str, Any]]


def one_array(attributes: Callable[..., dict[str, Any]]) -> Callable[..., Made]:
    """Makes an array of the sizes, and attributes that are drawn for them."""
    return lambda r, dtype, *sizes: ([numbers(r, dtype, *sizes)], attributes(r, *sizes))


def paddings(r: np.random.Generator, *sizes: int, most: int = 9, edge: int = 0) -> tuple[tuple[int, int], ...]:
    """For each size how many before and after, at most so many, and as many as there are to be mirrored."""
    return tuple([tuple([int(n) for n in r.integers(0, 1 + max(0, min(most, size - edge)), 2)]) for size in sizes])


def padded(x: np.ndarray, value: np.ndarray, paddings: Any) -> np.ndarray:
    return np.pad(x, paddings, constant_values=value)


def mirrored(r: np.random.Generator, *sizes: int) -> dict[str, Any]:
    edge = int(r.integers(0, 2))
    return {"paddings": paddings(r, *sizes, edge=edge), "edge": edge}


def mirror(x: np.ndarray, paddings: Any, edge: int) -> np.ndarray:
    return np.pad(x, paddings, mode="reflect" if edge else "symmetric") if x.size else np.pad(x, paddings)


def folding(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    """Of whole numbers, so that their sums are exact in any order."""
    attributes = mirrored(r, *[max(1, size) for size in sizes])
    shape = [max(1, size) + sum(pair) for size, pair in zip(sizes, attributes["paddings"], strict=True)]
    return [r.integers(0, 9, shape).astype(dtype)], attributes


def folded(g: np.ndarray, paddings: Any, edge: int) -> np.ndarray:
    """Each element added to where a mirror found it."""
    shape = [size - sum(pair) for size, pair in zip(g.shape, paddings, strict=True)]
    total = np.zeros(np.prod(shape, dtype=int), g.dtype)
    np.add.at(total, mirror(np.arange(total.size).reshape(shape), paddings, edge), g)
    return total.reshape(shape)


def band(r: np.random.Generator, batch: int, rows: int, columns: int) -> dict[str, int]:
    return {"lower": int(r.integers(-1, rows + 1)), "upper": int(r.integers(-1, columns + 1))}


def banded(x: np.ndarray, lower: int, upper: int) -> np.ndarray:
    i, j = np.indices(x.shape[-2:])
    return np.where(((lower < 0) | (i - j <= lower)) & ((upper < 0) | (j - i <= upper)), x, np.zeros((), x.dtype))


def some_diagonals(r: np.random.Generator, rows: int, columns: int) -> dict[str, Any]:
    """Which diagonals of matrices of these sizes, both at least 1, and how they are packed."""
    lower = int(r.integers(1 - rows, columns))
    upper = lower if r.random() < 0.4 else int(r.integers(lower, columns))
    return {"lower": lower, "upper": upper, "align": ALIGNMENTS[r.integers(0, 4)]}


def places(rows: int, columns: int, lower: int, upper: int, align: str) -> list[tuple[int, int, int, int]]:
    """The row and column of each element of the diagonals, and where it is in the packed ones (TensorFlow: matrix_diag_part)."""
    widest, found = min(rows + min(upper, 0), columns - max(lower, 0)), []
    for d in range(lower, upper + 1):
        above, below = align.split("_")
        length = min(rows + min(d, 0), columns - max(d, 0))
        left = (d >= 0 and above == "LEFT") or (d <= 0 and below == "LEFT")
        start = 0 if left else widest - length
        found += [(n - min(d, 0), n + max(d, 0), upper - d, start + n) for n in range(length)]
    return found


def diagonals_of(x: np.ndarray, padding: float, **where: Any) -> np.ndarray:
    rows, columns = x.shape[-2:]
    widest = min(rows + min(where["upper"], 0), columns - max(where["lower"], 0))
    packed = np.full((*x.shape[:-2], where["upper"] - where["lower"] + 1, widest), padding).astype(x.dtype)
    for i, j, k, n in places(rows, columns, **where):
        packed[..., k, n] = x[..., i, j]
    return packed[..., 0, :] if where["lower"] == where["upper"] else packed


def with_diagonals(x: np.ndarray, d: np.ndarray, **where: Any) -> np.ndarray:
    y, packed = x.copy(), d[..., None, :] if where["lower"] == where["upper"] else d
    for i, j, k, n in places(*x.shape[-2:], **where):
        y[..., i, j] = packed[..., k, n]
    return y


def matrices(r: np.random.Generator, dtype: str, batch: int, rows: int, columns: int) -> Made:
    rows, columns = max(1, rows), max(1, columns)
    return [numbers(r, dtype, batch, rows, columns)], {**some_diagonals(r, rows, columns), "padding": 1}


def matrices_and_diagonals(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    (x,), attributes = matrices(r, dtype, *sizes)
    packed = diagonals_of(x, **attributes)
    del attributes["padding"]
    return [x, numbers(r, dtype, *packed.shape)], attributes


def packed_diagonals(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    (x, d), attributes = matrices_and_diagonals(r, dtype, *sizes)
    return [d], {**attributes, "rows": x.shape[-2], "columns": x.shape[-1], "padding": 1}


def matrices_of(d: np.ndarray, rows: int, columns: int, padding: float, **where: Any) -> np.ndarray:
    batch = d.shape[:1]
    return with_diagonals(np.full((*batch, rows, columns), padding).astype(d.dtype), d, **where)


def key(r: np.random.Generator, *sizes: int) -> tuple[Any, ...]:
    """What a slice is resolved to: ranges of any step, single places, and new axes."""
    parts: list[Any] = []
    for size in sizes:
        start, step, count = int(r.integers(0, max(1, size))), int(r.integers(1, 4)), int(r.integers(0, 1 + size))
        if r.random() < 0.2:
            parts.append(None)
        if size and r.random() < 0.3:
            parts.append(start)
        elif r.random() < 0.5:
            parts.append((0, min(count, size), step))
        else:
            parts.append((start, None, -step) if size else (0, 0, 1))
    return tuple(parts)


def slices(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*[slice(*part) if isinstance(part, tuple) else part for part in parts], ...)


def part_of_an_array(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    parts = key(r, *sizes)
    return [numbers(r, dtype, *np.empty(sizes, bool)[slices(parts)].shape)], {"key": parts, "shape": sizes}


def array_and_part(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    (part,), attributes = part_of_an_array(r, dtype, *sizes)
    return [numbers(r, dtype, *sizes), part], {"key": attributes["key"]}


def with_part(x: np.ndarray, part: np.ndarray, key: Any) -> np.ndarray:
    y = x.copy()
    y[slices(key)] = part
    return y


def several(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    shapes = [(sizes[0], size, sizes[-1]) for size in sizes[1:-1]]
    return [numbers(r, dtype, *shape) for shape in shapes], {"axis": 1}


def split(r: np.random.Generator, a: int, b: int, c: int) -> dict[str, Any]:
    first = int(r.integers(0, b + 1))
    return {"sizes": (first, b - first), "axis": 1}


def shifted(x: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    y = np.zeros_like(x)
    to, of = (slice(None, -1), slice(1, None)) if reverse else (slice(1, None), slice(None, -1))
    y[:, to] = x[:, of]
    return y


PROPERTIES = [
    *[
        Property(
            "shifted", 3, one_array(lambda r, *_, turned=turned: {"axis": 1, "reverse": turned}), shifted, dtypes=ANY
        )
        for turned in (False, True)
    ],
    Property(
        "pad",
        3,
        lambda r, dtype, *sizes: (
            [numbers(r, dtype, *sizes), numbers(r, dtype)],
            {"paddings": paddings(r, *[9, 9, 9])},
        ),
        padded,
        dtypes=ANY,
    ),
    Property("mirror_pad", 3, one_array(mirrored), mirror, dtypes=ANY),
    Property("mirror_pad_gradient", 3, folding, folded, dtypes=(*FLOATS, "int8", "int64", "uint8")),
    Property("band_part", 3, one_array(band), banded, dtypes=ANY),
    Property("diag_part", 3, matrices, diagonals_of, dtypes=ANY),
    Property("diag", 3, packed_diagonals, matrices_of, dtypes=ANY),
    Property("set_diag", 3, matrices_and_diagonals, with_diagonals, dtypes=ANY),
    Property(
        "reshape", 3, one_array(lambda r, a, b, c: {"shape": (c, a * b)}), lambda x, shape: x.reshape(shape), dtypes=ANY
    ),
    Property(
        "broadcast_to",
        3,
        lambda r, dtype, a, b, c: (
            [numbers(r, dtype, *[(b, 1), (1, c), (c,), (a, 1, 1), ()][r.integers(0, 5)])],
            {"shape": (a, b, c)},
        ),
        np.broadcast_to,
        dtypes=ANY,
    ),
    Property(
        "spread",
        3,
        lambda r, dtype, a, b, c: ([numbers(r, dtype, a, c)], {"shape": (a, b, c), "axes": (1,)}),
        lambda x, shape, axes: np.broadcast_to(x[:, None], shape),
    ),
    Property(
        "tile",
        2,
        lambda r, dtype, *sizes: (
            [numbers(r, dtype, *sizes)],
            {"multiples": tuple([int(n) for n in r.integers(0, 4, 2)])},
        ),
        lambda x, multiples: np.tile(x, multiples),  # noqa: PLW0108 - NumPy calls it reps
        dtypes=ANY,
    ),
    Property("concat", 5, several, lambda *xs, axis: np.concatenate(xs, axis), dtypes=ANY),
    Property(
        "stack",
        3,
        lambda r, dtype, *sizes: ([numbers(r, dtype, *sizes) for _ in range(3)], {"axis": int(r.integers(0, 4))}),
        lambda *xs, axis: np.stack(xs, axis),
        dtypes=ANY,
    ),
    Property("split", 3, one_array(split), lambda x, sizes, axis: tuple(np.split(x, sizes[:1], axis)), dtypes=ANY),
    Property(
        "unstack",
        2,
        lambda r, dtype, *sizes: ([numbers(r, dtype, sizes[0], 3, sizes[1])], {"axis": 1}),
        lambda x, axis: tuple([x[:, n] for n in range(3)]),
        dtypes=ANY,
    ),
    Property(
        "strided_slice",
        3,
        one_array(lambda r, *sizes: {"key": key(r, *sizes)}),
        lambda x, key: x[slices(key)],
        dtypes=ANY,
    ),
    Property(
        "strided_slice_gradient",
        3,
        part_of_an_array,
        lambda g, key, shape: with_part(np.zeros(shape, g.dtype), g, key),
        dtypes=ANY,
    ),
    Property("strided_slice_assign", 3, array_and_part, with_part, dtypes=ANY),
    *[
        Property(
            "bitcast", 2, one_array(lambda r, *_, to=to: {"type": to}), lambda x, **to: x.view(to["type"]), dtypes=(of,)
        )
        for of, to in (("int8", "uint8"), ("int64", "float64"))
    ],
]
