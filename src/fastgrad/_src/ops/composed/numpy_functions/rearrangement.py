"""NumPy's functions that move elements of tensors: axes, parts, diagonals, positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import not_equal
from fastgrad._src.ops.composed.numpy_functions.operands import flattened, tensor
from fastgrad._src.ops.creation import constant, zeros
from fastgrad._src.ops.diagonals import diag as _diag
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.indexing import unravel_index as _unravel_index
from fastgrad._src.ops.joining import concat, unstack
from fastgrad._src.ops.joining import split as _split
from fastgrad._src.ops.padding import pad as _pad
from fastgrad._src.ops.reordering import reverse
from fastgrad._src.ops.reordering import roll as _roll
from fastgrad._src.ops.repeating import repeat as _repeat
from fastgrad._src.ops.repeating import tile as _tile
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import bitcast, reshape
from fastgrad._src.ops.shaping import broadcast_to as _broadcast_to
from fastgrad._src.ops.shaping import expand_dims as _expand_dims
from fastgrad._src.ops.shaping import squeeze as _squeeze
from fastgrad._src.ops.shaping import transpose as _transpose
from fastgrad._src.ops.sorting import argsort as _argsort
from fastgrad._src.ops.sorting import sort as _sort


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Moves axes to other places."""
    x = tensor(x)
    sources, targets = [[axis % x.ndim for axis in np.atleast_1d(axes).tolist()] for axes in (source, destination)]
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return _transpose(x, order)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Exchanges two axes."""
    x = tensor(x)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return _transpose(x, order)


def expand_dims(x: Any, axis: Any) -> Any:
    """Inserts an axis of size 1, or several."""
    x = tensor(x)
    if isinstance(axis, int):
        return _expand_dims(x, axis)
    rank = x.ndim + len(axis)
    for place in sorted(place % rank for place in axis):
        x = _expand_dims(x, place)
    return x


def rot90(array: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Rotates ``k`` times by 90 degrees in the plane of two axes."""
    x = tensor(array)
    first, second = axes
    if k % 2 == 0:
        return reverse(x, [first, second]) if k % 4 else x
    return reverse(swapaxes(x, first, second), [first if k % 4 == 1 else second])


def take_along_axis(x: Any, indices: Any, axis: Any = None) -> Any:
    """Takes elements by an array of indices along an axis; without an axis, of all elements in a vector."""
    x, place = flattened(x, axis)
    indices = nonnegative_indices(reshape(indices, [-1]) if axis is None else indices, x.shape[place])
    rows, places = moveaxis(x, place, -1), moveaxis(indices, place, -1)
    shape = np.broadcast_shapes(rows.shape[:-1], places.shape[:-1])
    rows, places = [_broadcast_to(a, [*shape, a.shape[-1]]) for a in (rows, places)]
    return moveaxis(gather(rows, places, axis=-1, batch_dims=len(shape)), -1, place)


def nonnegative_indices(indices: Any, size: int) -> Any:
    """Counts negative indices from the end of ``size`` elements."""
    indices = tensor(indices)
    return where(indices < 0, indices + size, indices)


def take(x: Any, indices: Any, axis: Any = None) -> Any:
    """Takes elements by their indices; negative ones count from the end."""
    x, axis = flattened(x, axis)
    return gather(x, nonnegative_indices(indices, x.shape[axis]), axis=axis)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Splits along an axis, into equal parts or at indices."""
    x = tensor(x)
    if isinstance(indices_or_sections, int):
        return _split(x, indices_or_sections, axis)
    edges = [0, *np.asarray(indices_or_sections).tolist(), x.shape[axis]]
    return _split(x, np.diff(edges).tolist(), axis)


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """Pads each axis; ValueError for ``constant_values`` with another mode."""
    if constant_values is not None and mode != "constant":
        raise ValueError(f"pad: `constant_values` can only be provided when `mode == 'constant'`. Received: {mode=}")
    x = tensor(x)
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    return _pad(x, widths, mode.upper(), 0 if constant_values is None else constant_values)


def tile(x: Any, repeats: Any) -> Any:
    """Repeats a tensor along its axes."""
    x, repeats = tensor(x), np.atleast_1d(repeats).tolist()
    rank = max(x.ndim, len(repeats))
    return _tile(reshape(x, [1] * (rank - x.ndim) + [*x.shape]), [1] * (rank - len(repeats)) + repeats)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonals of the matrices in two axes, as the last axis of the result."""
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    numbers = np.arange(max(min(rows + min(offset, 0), columns - max(offset, 0)), 0))
    places = (numbers - min(offset, 0)) * columns + numbers + max(offset, 0)
    return gather(reshape(x, [*x.shape[:-2], rows * columns]), places.astype(np.int32), axis=-1)


def _triangle(x: Any, keeps: Callable[..., Any]) -> Any:
    x = tensor(x)
    rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
    return where(constant(keeps(columns - rows)), x, zeros((), x.dtype))


def tril(x: Any, k: int = 0) -> Any:
    """The elements on diagonal ``k`` and below; 0 elsewhere."""
    return _triangle(x, lambda diagonals: diagonals <= k)


def triu(x: Any, k: int = 0) -> Any:
    """The elements on diagonal ``k`` and above; 0 elsewhere."""
    return _triangle(x, lambda diagonals: diagonals >= k)


def nonzero(condition: Any) -> list[Any]:
    """Returns for each axis the positions where ``condition``, a tensor of truth values, is true."""
    return unstack(where(condition), axis=-1)


def atleast_3d(x: Any) -> Any:
    """Returns a tensor as one of rank 3 or more."""
    if x.ndim > 2:
        return x
    return reshape(x, [1, *x.shape, 1] if x.ndim == 1 else [*x.shape, 1] if x.ndim else [1, 1, 1])


def hstack(arrays: Any) -> Any:
    """Joins tensors of one dtype along the second axis; vectors and scalars along the first."""
    arrays = [x if x.ndim else reshape(x, [1]) for x in arrays]
    return concat(arrays, min(arrays[0].ndim, 2) - 1)


def dstack(arrays: Any) -> Any:
    """Joins tensors of one dtype along the third axis."""
    return concat([atleast_3d(x) for x in arrays], 2)


def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """The ``n``-th differences of neighbours; of truth values, whether they differ."""
    x = moveaxis(a, axis, -1)
    for _ in range(n):
        after, before = x[..., 1:], x[..., :-1]
        x = not_equal(after, before) if x.dtype.is_bool else after - before
    return moveaxis(x, -1, axis)


def view(x: Any, dtype: Any) -> Any:
    """Returns the bytes of ``x`` as another dtype; ValueError if those of the last axis do not make whole elements."""
    if x.dtype.size == dtype.size:
        return bitcast(x, dtype)
    if not x.ndim or x.shape[-1] * x.dtype.size % dtype.size:
        raise ValueError(
            f"Cannot view array of shape {tuple(x.shape)} and dtype {x.dtype.name} as dtype {dtype.name} because the "
            "total number of bytes is not divisible by the new itemsize."
        )
    if x.dtype.size > dtype.size:
        return reshape(bitcast(x, dtype), [*x.shape[:-1], x.shape[-1] * x.dtype.size // dtype.size])
    ratio = dtype.size // x.dtype.size
    return bitcast(reshape(x, [*x.shape[:-1], x.shape[-1] // ratio, ratio]), dtype)


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Splits along an axis, into parts of nearly equal size."""
    parts = np.array_split(np.arange(tensor(x).shape[axis]), indices_or_sections)
    return split(x, np.cumsum([len(part) for part in parts])[:-1], axis)


TABLE: dict[str, Callable[..., Any]] = {
    **{function.__name__: function for function in (array_split, diagonal, diff, expand_dims, moveaxis, pad, rot90, split, swapaxes, take, take_along_axis, tile, tril, triu)},
    "diag": lambda x, k=0: diagonal(x, k) if tensor(x).ndim == 2 else _diag(tensor(x), k=k), "diagflat": lambda x, k=0: _diag(reshape(x, [-1]), k=k),
    "transpose": lambda x, axes=None: _transpose(tensor(x), axes), "reshape": lambda x, newshape: reshape(tensor(x), newshape), "squeeze": lambda x, axis=None: _squeeze(tensor(x), axis),
    "broadcast_to": lambda x, shape: _broadcast_to(tensor(x), shape),
    "hsplit": lambda x, indices_or_sections: split(x, indices_or_sections, 1 if tensor(x).ndim > 1 else 0),
    "vsplit": lambda x, indices_or_sections: split(x, indices_or_sections, 0), "dsplit": lambda x, indices_or_sections: split(x, indices_or_sections, 2),
    "flip": lambda x, axis=None: reverse(tensor(x), list(range(tensor(x).ndim)) if axis is None else np.atleast_1d(axis).tolist()),
    "roll": lambda x, shift, axis=None: _roll(tensor(x), shift, axis) if axis is not None else reshape(_roll(reshape(x, [-1]), shift, 0), tensor(x).shape),
    "repeat": lambda x, repeats, axis=None: _repeat(tensor(x), repeats, axis),
    "sort": lambda x, axis=-1: _sort(*flattened(x, axis)), "argsort": lambda x, axis=-1: _argsort(*flattened(x, axis), stable=True),
    "unravel_index": lambda indices, shape: [cast(part, tensor(indices).dtype) for part in unstack(_unravel_index(tensor(indices), shape))],
}  # fmt: skip
"""The functions that take what converts to tensors, by name."""
