"""Properties of rows for the dtypes that `tests/kernels` leaves out: reductions, scans, gathers and orders of whole numbers and complex ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.special

from tests.kernels.movement.place_properties import along, extreme, index
from tests.kernels.properties import ANY, FLOATS, HALVES, Property, dtype_of, ids, numbers
from tests.kernels.reduction.general_properties import axes_of, truncated_mean
from tests.kernels.row_properties import summed
from tests.reliability.boundaries.elementwise import INTEGERS, NUMBERS, bits
from tests.reliability.boundaries.reals import small

Made = tuple[list[np.ndarray], dict[str, Any]]
COMPLEX = ("complex64", "complex128")
EVERY = (*NUMBERS, "bool")


def reduced(made: Callable[..., np.ndarray]) -> Callable[..., Made]:
    """Makes an array without an empty axis, and axes."""
    return lambda r, dtype, *sizes: ([made(r, dtype, *[max(1, size) for size in sizes])], axes_of(r))


def whole_complex(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    return (r.integers(-3, 4, shape) + 1j * r.integers(-3, 4, shape)).astype(dtype)


def without_nan(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Numbers with an order."""
    x = numbers(r, dtype, *shape)
    return np.where(x == x, x, np.zeros((), x.dtype)) if x.dtype.kind in "fV" else x


def near_one(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    return np.exp(0.05 * r.normal(size=shape)).astype(dtype_of(dtype))


def of_axes(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axes, keepdims: function(x, axis=axes, keepdims=keepdims)


def norm(x: Any, axis: Any, keepdims: bool) -> Any:
    """Whole numbers, as TensorFlow has them: sums of squares wrap, and roots are rounded down."""
    return np.sqrt((x * x).sum(axis, x.dtype, keepdims=keepdims).astype(np.float64)).astype(x.dtype)


def scanned(made: Callable[..., np.ndarray]) -> Callable[..., Made]:
    def make(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
        attributes = {
            "axis": int(r.integers(0, 3)),
            "exclusive": bool(r.integers(0, 2)),
            "reverse": bool(r.integers(0, 2)),
        }
        return [made(r, dtype, *sizes)], attributes

    return make


def running(function: Callable[..., Any], neutral: float) -> Callable[..., Any]:
    return lambda x, **attributes: summed(
        x, **attributes, function=lambda y, axis: function(y, axis=axis, dtype=y.dtype), neutral=neutral
    )


def segments(at: Callable[..., None], start: Callable[[np.dtype], Any], made: Any, empty: bool) -> tuple[Any, Any]:
    """What makes rows of segments, and what sums, products or extremes of them are."""

    def make(r: np.random.Generator, dtype: str, rows: int, columns: int, count: int) -> Made:
        arrays = [made(r, dtype, rows, columns), index(r, max(count, 1), rows) - 1]
        kind = dtype_of(dtype)
        return arrays, {"num_segments": count, **({"empty": start(kind)} if empty else {})}

    def exact(x: Any, places: Any, num_segments: int, **_: Any) -> Any:
        y = np.full((num_segments, *x.shape[1:]), start(x.dtype)).astype(x.dtype)
        at(y, places[places >= 0], x[places >= 0])
        return y

    return make, exact


def least(dtype: np.dtype) -> Any:
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def greatest(dtype: np.dtype) -> Any:
    return np.iinfo(dtype).max if dtype.kind in "iu" else np.inf


def ordered(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    return [without_nan(r, dtype, *sizes)], {"axis": int(r.integers(0, 3)), "descending": bool(r.integers(0, 2))}


def in_order(x: Any, axis: int, descending: bool) -> Any:
    y = np.sort(x, axis)
    return np.flip(y, axis) if descending else y


def order(x: Any, axis: int, descending: bool) -> Any:
    """Equal elements stay in their order, also from the greatest to the least."""
    if not descending:
        return np.argsort(x, axis, kind="stable")
    last = x.shape[axis] - 1
    return last - np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)


def found_in(r: np.random.Generator, dtype: str, rows: int, n: int, m: int) -> Made:
    rows = max(1, rows)
    x = np.sort(without_nan(r, dtype, rows, n).astype(np.float64), 1).astype(dtype_of(dtype))
    return [x, without_nan(r, dtype, rows, m)], {
        "right": bool(r.integers(0, 2)),
        "out_type": ["int32", "int64"][r.integers(0, 2)],
    }


def places_in(x: Any, values: Any, right: bool, out_type: str) -> Any:
    side = "right" if right else "left"
    return np.stack([np.searchsorted(a, v, side) for a, v in zip(x, values, strict=True)]).astype(out_type)


def gathered(r: np.random.Generator, dtype: str, outer: int, rows: int, inner: int, n: int) -> Made:
    """Along each axis, with and without batches."""
    axis = int(r.integers(0, 3))
    shape = [outer + 1, rows + 1, inner + 1]
    batch_dims = int(r.integers(0, axis + 1))
    return [numbers(r, dtype, *shape), index(r, shape[axis], *shape[:batch_dims], n)], {
        "axis": axis,
        "batch_dims": batch_dims,
    }


def gather(x: Any, places: Any, axis: int, batch_dims: int) -> Any:
    if not batch_dims:
        return np.take(x, places, axis)
    return np.stack([gather(a, p, axis - 1, batch_dims - 1) for a, p in zip(x, places, strict=True)])


def taken(r: np.random.Generator, dtype: str, a: int, b: int, c: int, n: int) -> Made:
    axis = int(r.integers(0, 3))
    shape = [a + 1, b + 1, c + 1]
    places = list(shape)
    places[axis] = n
    return [numbers(r, dtype, *shape), ids(r, shape[axis], *places)], {"axis": axis}


def points(r: np.random.Generator, dtype: str, a: int, b: int, n: int) -> Made:
    count = int(r.integers(1, 4))
    shape = (a + 1, b + 1, 3)
    return [numbers(r, dtype, *shape), np.stack([ids(r, shape[k], n) for k in range(count)], -1)], {"strict": True}


def turned(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    return [numbers(r, dtype, *sizes)], {"perm": tuple(int(axis) for axis in r.permutation(len(sizes)))}


def rolled(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    axes = tuple(int(axis) for axis in r.permutation(3)[: int(r.integers(1, 4))])
    return [numbers(r, dtype, *sizes)], {"shift": tuple(int(n) for n in r.integers(-9, 9, len(axes))), "axis": axes}


def flipped(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    axes = tuple(int(axis) for axis in np.flatnonzero(r.random(3) < 0.5))
    return [numbers(r, dtype, *sizes)], {"axes": axes}


def updates(r: np.random.Generator, dtype: str, a: int, n: int, inner: int) -> Made:
    shape = (a + 1, inner)
    return [small(r, dtype, *shape), index(r, a + 1, n)[:, None], small(r, dtype, n, inner)], {"strict": True}


def long_sums(r: np.random.Generator, dtype: str, a: int, n: int, inner: int) -> Made:
    """Many updates of few rows."""
    arrays = shifted_normal(r, dtype, a % 4 + 1, inner), shifted_normal(r, dtype, 9 * n, inner)
    return [arrays[0], index(r, a % 4 + 1, 9 * n)[:, None], arrays[1]], {"strict": True}


def updated(at: Callable[..., None]) -> Callable[..., Any]:
    def exact(x: Any, places: Any, values: Any, strict: bool) -> Any:
        y = x.copy()
        at(y, places[:, 0], values)
        return y

    return exact


def squares(*arrays: np.ndarray) -> np.ndarray:
    return np.array([(x * x).sum() for x in arrays])


def products(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Of whole numbers, which wrap; 1 and -1 of others."""
    return bits(r, dtype, *shape) if dtype in INTEGERS else near_one(r, dtype, *shape)


def segment_property(name: str, at: Any, start: Any, made: Any, empty: bool, dtypes: tuple[str, ...]) -> Property:
    make, exact = segments(at, start, made, empty)
    return Property(name, 3, make, exact, dtypes=dtypes)


def total(x: Any, axis: Any, keepdims: bool) -> Any:
    return x.sum(axis, x.dtype, keepdims=keepdims)


def product(x: Any, axis: Any, keepdims: bool) -> Any:
    return x.prod(axis, x.dtype, keepdims=keepdims)


def of_many_axes(made: Callable[..., np.ndarray], some: bool = True) -> Callable[..., Made]:
    """Makes an array of three to six axes, of which any are reduced.

    Args:
        made: makes numbers.
        some: whether no axis is empty.
    """

    def make(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
        shape = [max(1, size) if some else size for size in sizes]
        for _ in range(int(r.integers(0, 4))):
            shape.insert(int(r.integers(0, len(shape) + 1)), int(r.integers(1, 3)))
        axes = tuple(int(axis) for axis in np.flatnonzero(r.random(len(shape)) < 0.5))
        return [made(r, dtype, *shape)], {"axes": axes, "keepdims": bool(r.integers(0, 2))}

    return make


def shifted_normal(r: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Numbers around 1: long sums of numbers around 0 are all rounding."""
    return (1 + r.normal(size=shape)).astype(dtype_of(dtype))


def broadcast_on_many_axes(count: int, made: Callable[..., np.ndarray]) -> Callable[..., Made]:
    """Makes so many arrays of three to six axes, of which each array has some."""

    def make(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
        shape = [*sizes]
        for _ in range(int(r.integers(0, 4))):
            shape.insert(int(r.integers(0, len(shape) + 1)), int(r.integers(1, 4)))
        shapes = [[size if r.random() < 0.6 else 1 for size in shape] for _ in range(count)]
        return [made(r, dtype, *one[int(r.integers(0, 2)) * int(r.integers(0, 4)) :]) for one in shapes], {}

    return make


def truth_and_two(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
    (x, y, z), nothing = broadcast_on_many_axes(3, small)(r, dtype, *sizes)
    return [np.asarray(x > 0), y, z], nothing


def along_any(r: np.random.Generator, dtype: str, a: int, b: int, c: int) -> Made:
    return [numbers(r, dtype, a + 1, b + 1, c + 1)], {
        "axis": int(r.integers(0, 3)),
        "output_type": ["int32", "int64"][r.integers(0, 2)],
    }


def softmax_along(count: int) -> Callable[..., Made]:
    """Makes so many arrays of three to five axes, and one axis that is not the last."""

    def make(r: np.random.Generator, dtype: str, *sizes: int) -> Made:
        shape = [max(1, size) for size in sizes]
        for _ in range(int(r.integers(0, 3))):
            shape.insert(int(r.integers(0, len(shape) + 1)), int(r.integers(1, 3)))
        return [r.normal(size=shape).astype(dtype_of(dtype)) for _ in range(count)], {
            "axis": int(r.integers(0, len(shape) - 1))
        }

    return make


PROPERTIES = [
    Property("reduce_sum", 3, of_many_axes(shifted_normal, False), of_axes(np.sum), 64, FLOATS),
    Property("reduce_mean", 3, of_many_axes(shifted_normal), of_axes(np.mean), 64, FLOATS),
    Property("reduce_max", 3, of_many_axes(numbers), of_axes(np.max), 0, (*FLOATS, "int32", "uint8")),
    Property("reduce_min", 3, of_many_axes(numbers), of_axes(np.min), 0, (*FLOATS, "int32", "uint8")),
    Property("reduce_prod", 3, of_many_axes(near_one, False), of_axes(np.prod), 512, FLOATS),
    Property("reduce_logsumexp", 3, of_many_axes(shifted_normal), of_axes(scipy.special.logsumexp), 64, FLOATS),
    Property("reduce_any", 3, of_many_axes(bits, False), of_axes(np.any), dtypes=("bool",)),
    Property("reduce_all", 3, of_many_axes(bits, False), of_axes(np.all), dtypes=("bool",)),
    *[
        Property(name, 3, broadcast_on_many_axes(2, small), function, dtypes=(*FLOATS, "int32"))
        for name, function in (
            ("add", np.add),
            ("multiply", np.multiply),
            ("subtract", np.subtract),
            ("maximum", np.maximum),
            ("less", np.less),
        )
    ],
    Property("where", 3, truth_and_two, np.where, dtypes=(*FLOATS, "int64", "uint8")),
    *[
        Property(
            name, 3, along_any, lambda x, sign=sign, **where: extreme(x, sign=sign, **where), dtypes=(*FLOATS, "int32")
        )
        for name, sign in (("argmax", 1), ("argmin", -1))
    ],
    Property("softmax_across", 3, softmax_along(1), scipy.special.softmax, 256, FLOATS),
    Property("log_softmax_across", 3, softmax_along(1), scipy.special.log_softmax, 256, FLOATS),
    Property("reduce_sum", 3, reduced(bits), of_axes(total), dtypes=INTEGERS),
    Property("reduce_mean", 3, reduced(small), truncated_mean, dtypes=INTEGERS),
    Property("reduce_mean", 3, reduced(whole_complex), of_axes(np.mean), 64, COMPLEX),
    Property("reduce_prod", 3, reduced(bits), of_axes(product), dtypes=INTEGERS),
    Property("reduce_prod", 3, reduced(near_one), of_axes(np.prod), 512, FLOATS),
    *[
        Property(name, 3, reduced(numbers), of_axes(function), dtypes=(*FLOATS, "float16", "bfloat16", *INTEGERS))
        for name, function in (("reduce_max", np.max), ("reduce_min", np.min))
    ],
    Property("reduce_euclidean_norm", 3, reduced(small), of_axes(norm), dtypes=INTEGERS),
    Property("cumsum", 3, scanned(bits), running(np.cumsum, 0), dtypes=INTEGERS),
    Property("cumsum", 3, scanned(whole_complex), running(np.cumsum, 0), dtypes=COMPLEX),
    Property("cumprod", 3, scanned(bits), running(np.cumprod, 1), dtypes=INTEGERS),
    Property(
        "cumprod",
        3,
        scanned(lambda r, dtype, *shape: np.exp(1j * r.normal(size=shape)).astype(dtype)),
        running(np.cumprod, 1),
        4096,
        COMPLEX,
    ),
    segment_property("unsorted_segment_sum", np.add.at, lambda dtype: 0, small, False, (*INTEGERS, *COMPLEX)),
    segment_property("unsorted_segment_prod", np.multiply.at, lambda dtype: 1, products, False, INTEGERS),
    replace(
        segment_property(
            "unsorted_segment_prod", np.multiply.at, lambda dtype: 1, products, False, (*FLOATS, *COMPLEX)
        ),
        ulps=512,
    ),
    segment_property("unsorted_segment_max", np.maximum.at, least, numbers, True, (*FLOATS, *INTEGERS)),
    segment_property("unsorted_segment_min", np.minimum.at, greatest, numbers, True, (*FLOATS, *INTEGERS)),
    Property("sort", 3, ordered, in_order, dtypes=(*FLOATS, *INTEGERS)),
    Property("argsort", 3, ordered, order, dtypes=(*FLOATS, *INTEGERS)),
    Property("searchsorted", 3, found_in, places_in, dtypes=(*FLOATS, "int32", "int64", "uint8")),
    Property("gather", 4, gathered, gather, dtypes=EVERY),
    Property("gather_nd", 3, points, lambda x, at, strict: x[tuple(at.T)], dtypes=EVERY),
    Property("take_along_axis", 4, taken, np.take_along_axis, dtypes=EVERY),
    Property("transpose", 3, turned, lambda x, perm: x.transpose(perm), dtypes=EVERY),
    Property("transpose", 4, turned, lambda x, perm: x.transpose(perm), dtypes=ANY),
    Property("roll", 3, rolled, np.roll, dtypes=EVERY),
    Property("reverse", 3, flipped, lambda x, **where: np.flip(x, *where.values()), dtypes=EVERY),
    Property("tensor_scatter_nd_add", 3, long_sums, updated(np.add.at), 256, (*FLOATS, *HALVES)),
    *[
        Property(f"tensor_scatter_nd_{name}", 3, updates, updated(ufunc.at), dtypes=(*FLOATS, *INTEGERS))
        for name, ufunc in (("add", np.add), ("max", np.maximum), ("min", np.minimum))
    ],
    *[
        Property(name, 3, along, lambda x, sign=sign, **where: extreme(x, sign=sign, **where), dtypes=INTEGERS)
        for name, sign in (("argmax", 1), ("argmin", -1))
    ],
    Property("count_nonzero", 3, reduced(numbers), of_axes(np.count_nonzero), dtypes=EVERY),
]
