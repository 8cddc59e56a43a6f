"""Repetition of elements: tile, repeat, meshgrid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import IndexMap
from fastgrad._src.core.operand_errors import mixed_dtypes_error, size_error
from fastgrad._src.core.operation import TABLE, Form, operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.kernels.movement import layout as layouts
from fastgrad._src.kernels.movement.layout import Layout
from fastgrad._src.kernels.movement.strided import make_view_launches, single_result_layouts
from fastgrad._src.ops.arguments import as_python_ints, tensor_of
from fastgrad._src.ops.batching import extend_sizes_rule
from fastgrad._src.ops.kernel_launches import LEAST_MOVED_ELEMENTS, make_move_run

# ---- tile ------------------------------------------------------------------------------------------


def _run_tile(x: np.ndarray, multiples: tuple[int, ...]) -> np.ndarray:
    pairs = list(zip(multiples, x.shape, strict=True))
    out = np.empty([size for pair in pairs for size in pair], x.dtype)
    out[...] = x.reshape([size for _, length in pairs for size in (1, length)])
    return out.reshape([multiple * length for multiple, length in pairs])


def _tile_views(
    layout: Layout, input_shape: Sequence[int], results: Any, multiples: tuple[int, ...]
) -> list[Layout] | None:
    return single_result_layouts(layouts.tiled(layout, input_shape, multiples))


def _tile_result(x: Any, multiples: tuple[int, ...]) -> ArraySpec:
    return ArraySpec(tuple([n * size for n, size in zip(multiples, x.shape, strict=True)]), x.dtype)


def _tile_gradient(g: Tensor, y: Tensor, x: Tensor, multiples: tuple[int, ...]) -> Tensor:
    pairs = tuple([size for pair in zip(multiples, x._array.shape, strict=True) for size in pair])
    g = TABLE["reshape"](g, shape=pairs)
    return TABLE["reduce_sum"](g, axes=tuple(range(0, len(pairs), 2)), keepdims=False)


_tile_operation = operation(
    "tile",
    Form.INDEX_MAP,
    run=_run_tile,
    large=LEAST_MOVED_ELEMENTS,
    run_if_large=make_move_run(_run_tile, make_view_launches(_tile_views), _tile_result),
    gradient=_tile_gradient,
    index_map=IndexMap(views=_tile_views),
    batched=extend_sizes_rule("multiples", row_entry=1),
    result=_tile_result,
    simplifications=lambda rules: (rules.remove_if_type_unchanged,),
)


def tile(input: Any, multiples: Any, name: str | None = None) -> Any:
    """``input``, repeated as a whole along each dimension.

    Args:
        input: any tensor.
        multiples: the number of repetitions along each dimension, a vector as long as the rank.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: the number of multiples differs from the rank, or a multiple is negative.

    Example:
        >>> tf.tile([[1, 2]], [2, 2])
        <tf.Tensor: shape=(2, 4), dtype=int32, numpy=
        array([[1, 2, 1, 2],
               [1, 2, 1, 2]], dtype=int32)>
    """
    try:
        x = tensor_of(input)
    except CompositeOperand as met:
        return met.call("tile", input, multiples)
    shape = x._array.shape
    if isinstance(multiples, int):
        raise InvalidArgumentError(f"tile: Expected multiples to be a vector of length {len(shape)}, got {multiples}.")
    counts = as_python_ints(multiples, "tile: multiples")
    if len(counts) != len(shape):
        raise InvalidArgumentError(
            f"tile: Expected multiples argument to be a vector of length {len(shape)} but got length {len(counts)} "
            f"for input of shape {list(shape)}."
        )
    if counts and min(counts) < 0:
        raise InvalidArgumentError(f"tile: Expected multiples >= 0, but got {list(counts)}.")
    return _tile_operation(x, multiples=counts)


# ---- repeat ----------------------------------------------------------------------------------------


def repeat(input: Any, repeats: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """Each element along an axis, repeated.

    Args:
        input: any tensor.
        repeats: the number of repetitions: an integer, or one for each element along ``axis``.
        axis: the axis; None flattens ``input`` first.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: the number of repeats differs from the size of the axis, their rank is above 1, or ``axis`` is out of
            range.
        TypeError: ``repeats`` are not integers.
        InvalidArgumentError: a repeat is negative.
    """
    x = tensor_of(input)
    reshape = TABLE["reshape"]
    if axis is None or not x._array.ndim:
        x = reshape(x, shape=(x._array.size,))
        axis = 0
    shape = x._array.shape
    if not isinstance(axis, (int, np.integer)):
        raise TypeError(f"repeat: Argument `axis` must be an int. Received `axis` = {axis!r} of type {type(axis)}.")
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"repeat: axis={axis} out of bounds: expected {-len(shape)}<=axis<{len(shape)}.")
    axis %= len(shape)
    counts = tensor_of(repeats)._elements()
    if counts.dtype.kind not in "iu":
        raise TypeError(f"repeat: repeats must be integers, got {repeats!r}.")
    if counts.ndim > 1:
        raise ValueError(f"repeat: Shape {counts.shape} of repeats must have rank at most 1.")
    if counts.size not in (1, shape[axis]) and counts.ndim:
        raise ValueError(
            f"repeat: Dimensions {shape[axis]} and {counts.size} are not compatible: one repeat an element."
        )
    if counts.size and counts.min() < 0:
        raise InvalidArgumentError(f"repeat: Expected repeats >= 0, but got {counts.tolist()}.")
    if counts.size == 1:
        count = int(counts.reshape(()))
        before, after = shape[: axis + 1], shape[axis + 1 :]
        x = TABLE["broadcast_to"](reshape(x, shape=(*before, 1, *after)), shape=(*before, count, *after))
        return reshape(x, shape=(*shape[:axis], shape[axis] * count, *after))
    # The reshape makes the gradient dense: `repeat` is not a table look-up.
    try:
        positions = constant_tensor(np.repeat(np.arange(shape[axis]), counts))
    except (MemoryError, ValueError) as error:
        raise size_error("repeat", error) or error from None
    return TABLE["gather"](reshape(x, shape=shape), positions, axis=axis, batch_dims=0)


# ---- meshgrid --------------------------------------------------------------------------------------


def meshgrid(*args: Any, **kwargs: Any) -> list[Tensor]:
    """The coordinates of the points of an N-dimensional grid, one tensor for each of N vectors.

    Args:
        *args: tensors of one dtype, which are flattened.
        **kwargs: ``indexing``: ``"xy"`` (the default, with the first two dimensions exchanged) or ``"ij"``; ``name``.

    Returns:
        N tensors of rank N.

    Raises:
        ValueError: ``indexing`` is unknown.
        TypeError: a keyword argument is unknown.
        InvalidArgumentError: dtypes differ.
    """
    indexing = kwargs.pop("indexing", "xy")
    kwargs.pop("name", None)
    if kwargs:
        raise TypeError(f"meshgrid: '{next(iter(kwargs))}' is an invalid keyword argument for this function.")
    if indexing not in {"xy", "ij"}:
        raise ValueError(f"meshgrid: Argument `indexing` parameter must be either 'xy' or 'ij', got '{indexing}'.")
    xs = [tensor_of(x) for x in args]
    count = len(xs)
    for x in xs[1:]:
        if x.dtype is not xs[0].dtype:
            raise mixed_dtypes_error("meshgrid", xs[0].dtype, x.dtype)
    axes = list(range(count))
    if indexing == "xy" and count > 1:
        axes[:2] = [1, 0]
    grid = [0] * count
    for x, axis in zip(xs, axes, strict=True):
        grid[axis] = x._array.size
    shape = tuple(grid)
    return [
        TABLE["broadcast_to"](
            TABLE["reshape"](x, shape=(1,) * axis + (x._array.size,) + (1,) * (count - axis - 1)), shape=shape
        )
        for x, axis in zip(xs, axes, strict=True)
    ]
