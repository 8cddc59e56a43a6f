"""Padding of tensors: tf.pad, by a constant or by mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import IndexMap
from fastgrad._src.core.operand_errors import mixed_dtypes_error
from fastgrad._src.core.operation import TABLE, Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec, nonnegative_sizes
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, constant_tensor, from_python
from fastgrad._src.kernels.movement import layout as layouts
from fastgrad._src.kernels.movement.strided import copy_into_slices_launches, strided_copy_launch
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output, Spec
from fastgrad._src.ops.arguments import tensor_of
from fastgrad._src.ops.batching import extend_sizes_rule
from fastgrad._src.ops.kernel_launches import LEAST_MOVED_ELEMENTS, kernel_operation, launches_from, make_move_run
from fastgrad._src.ops.shaping import permuted_back

Paddings = tuple[tuple[int, int], ...]
"""The numbers of elements added before and after, for each dimension."""


def _inner_slices(paddings: Paddings, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple([slice(low, low + size) for (low, _), size in zip(paddings, shape, strict=True)])


def _pad_result(x: Any, *value: Any, paddings: Paddings) -> ArraySpec:
    sizes = [low + size + high for (low, high), size in zip(paddings, x.shape, strict=True)]
    return ArraySpec(nonnegative_sizes(*sizes), x.dtype)


def _mirror_pad_gradient_result(g: Any, paddings: Paddings, edge: int) -> ArraySpec:
    sizes = [size - low - high for (low, high), size in zip(paddings, g.shape, strict=True)]
    return ArraySpec(nonnegative_sizes(*sizes), g.dtype)


def _run_pad(x: np.ndarray, value: np.ndarray, paddings: Paddings) -> np.ndarray:
    out = np.empty([low + size + high for (low, high), size in zip(paddings, x.shape, strict=True)], x.dtype)
    out[...] = value
    out[_inner_slices(paddings, x.shape)] = x
    return out


def _pad_gradient(g: Tensor, y: Tensor, x: Tensor, value: Tensor, paddings: Paddings) -> Tensor:
    key = tuple([(low, low + size, 1) for (low, _), size in zip(paddings, x._array.shape, strict=True)])
    return TABLE["strided_slice"](g, key=key)


def _pad_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], paddings: Paddings) -> Launches | None:
    x, y = inputs[0], outputs[0]
    key = [(low, low + size, 1) for (low, _), size in zip(paddings, x.shape, strict=True)]
    result_layout = layouts.of_shape(y.shape)
    value = layouts.broadcast(layouts.contiguous(1), (), y.shape)
    fill = None if value is None else strided_copy_launch(Input(1), Output(0), y.dtype, value, result_layout)
    return copy_into_slices_launches(y, [fill], [(x, layouts.sliced(result_layout, y.shape, key))])


_pad_operation = operation(
    "pad",
    Form.INDEX_MAP,
    run=_run_pad,
    large=LEAST_MOVED_ELEMENTS,
    run_if_large=make_move_run(_run_pad, _pad_launches, _pad_result),
    gradient=(_pad_gradient, None),
    launches=_pad_launches,
    batched=extend_sizes_rule("paddings", row_entry=(0, 0), first_only=True),
    result=_pad_result,
    simplifications=lambda rules: (rules.remove_if_type_unchanged,),
    index_map=IndexMap(transposed=lambda perm, given, paddings: {"paddings": permuted_back(paddings, perm)}),
)


def _run_mirror_pad_gradient(g: np.ndarray, paddings: Paddings, edge: int) -> np.ndarray:
    """The transpose of ``mirror_pad``: adds elements of the mirror images to the elements that they mirror."""
    for axis, (low, high) in enumerate(paddings):
        if low or high:
            g = np.moveaxis(g, axis, 0)
            size = len(g) - low - high
            inner = g[low : low + size].copy()
            inner[edge : edge + low] += g[:low][::-1]
            inner[size - edge - high : size - edge] += g[low + size :][::-1]
            g = np.moveaxis(inner, 0, axis)
    return np.asarray(g, order="C")


_mirror_pad_operation: Operation = kernel_operation(
    "mirror_pad",
    Form.INDEX_MAP,
    moves_elements=True,
    gradient=lambda g, y, x, paddings, edge: _mirror_pad_gradient_operation(g, paddings=paddings, edge=edge),
    launches=launches_from("movement.boxes", "mirror_pad_launches"),
    batched=extend_sizes_rule("paddings", row_entry=(0, 0)),
    result=lambda x, paddings, edge: _pad_result(x, paddings=paddings),
)
_mirror_pad_gradient_operation: Operation = operation(
    "mirror_pad_gradient",
    Form.SCATTER,
    run=_run_mirror_pad_gradient,
    gradient=lambda gg, y, g, paddings, edge: _mirror_pad_operation(gg, paddings=paddings, edge=edge),
    launches=launches_from("movement.boxes", "mirror_pad_gradient_launches"),
    batched=extend_sizes_rule("paddings", row_entry=(0, 0)),
    result=_mirror_pad_gradient_result,
)


def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: str | None = None
) -> Tensor:
    """``tensor`` with elements added at its edges.

    Args:
        tensor: any tensor of rank n.
        paddings: integers, shape (n, 2): the numbers of elements to add before and after, for each dimension.
        mode: ``"CONSTANT"``, ``"REFLECT"`` (mirrors without the outermost elements) or ``"SYMMETRIC"`` (mirrors with the
            outermost elements, which are repeated); upper or lower case.
        constant_values: a scalar, for the mode ``"CONSTANT"``. Its gradient is None, as in TensorFlow.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: paddings have another shape, are negative, or exceed the elements to mirror; or the constant
            is no scalar or has another dtype.
        TypeError: a Python constant does not fit the dtype.
        ValueError: ``mode`` is unknown.

    Example:
        >>> tf.pad([1, 2], [[1, 2]])
        <tf.Tensor: shape=(5,), dtype=int32, numpy=array([0, 1, 2, 0, 0], dtype=int32)>
    """
    x = tensor_of(tensor)
    shape = x._array.shape
    padding_matrix = paddings if isinstance(paddings, np.ndarray) else tensor_of(paddings)._elements()
    if padding_matrix.ndim != 2 or padding_matrix.shape[1] != 2:
        raise InvalidArgumentError(f"pad: paddings must be a matrix with 2 columns, got {list(padding_matrix.shape)}.")
    if len(padding_matrix) != len(shape):
        requirement = f"paddings has {len(padding_matrix)} rows, and must have one for each axis of {list(shape)}"
        refuse("pad", requirement, InvalidArgumentError)
    if padding_matrix.size and padding_matrix.dtype.kind not in "iu":
        raise InvalidArgumentError(f"pad: paddings must be integers (int32 or int64), got {padding_matrix.dtype}.")
    if padding_matrix.size and padding_matrix.min() < 0:
        raise InvalidArgumentError(f"pad: Paddings must be non-negative: {padding_matrix.tolist()}.")
    padding_pairs = tuple([(int(low), int(high)) for low, high in padding_matrix])
    mode = str(mode).upper()
    if mode == "CONSTANT":
        return _pad_operation(x, _padding_constant(x, constant_values), paddings=padding_pairs)
    if mode not in {"REFLECT", "SYMMETRIC"}:
        raise ValueError(
            f'pad: Value of argument `mode` expected to be one of "CONSTANT", "REFLECT", or "SYMMETRIC". Received `mode` = {mode}'
        )
    edge = 1 if mode == "REFLECT" else 0
    for axis, ((low, high), length) in enumerate(zip(padding_pairs, shape, strict=True)):
        if max(low, high) > length - edge:
            requirement = f"paddings must be at most {length - edge} in mode {mode} for axis {axis} of size {length}"
            refuse("pad", requirement, InvalidArgumentError, paddings=(low, high))
    return _mirror_pad_operation(x, paddings=padding_pairs, edge=edge)


def _padding_constant(x: Tensor, value: Any) -> Tensor:
    constant = as_tensor_or_none(value)
    if constant is None:
        plain_zero = type(value) is int and not value
        if plain_zero and x._array.dtype.kind in "Ob":
            return constant_tensor(np.array(b"" if x._array.dtype.kind == "O" else False, x._array.dtype))
        constant = from_python(value, x.dtype)
    if constant._array.ndim:
        raise InvalidArgumentError(f"pad: constant_values must be a scalar. Found: {list(constant._array.shape)}")
    if constant._array.dtype != x._array.dtype:
        raise mixed_dtypes_error("pad", x._array.dtype, constant._array.dtype)
    return constant
